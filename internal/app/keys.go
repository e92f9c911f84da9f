package app

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/meta"
)

// openSecrets opens the key file and the server's own secrets, making both at
// the first start. A database with secrets and no key file is not started: a
// fresh key could open nothing.
func openSecrets(ctx context.Context, c Config, db *meta.DB) (keys.KEK, keys.Secrets, error) {
	var wrapped []byte
	rows, err := db.Query(ctx, `SELECT value FROM settings WHERE name = 'secrets'`)
	if err != nil {
		return nil, keys.Secrets{}, fmt.Errorf("read server's secrets: %w", err)
	}
	known := rows.Next()
	if known {
		if err := rows.Scan(&wrapped); err != nil {
			return nil, keys.Secrets{}, fmt.Errorf("read server's secrets: %w", err)
		}
	}
	if !known && c.existing {
		return nil, keys.Secrets{}, fault.New(fault.NotFound, "The control database is there and was never used: there is nothing of Tributary at %s yet. Nothing was made.", c.Data)
	}
	load := file.Load
	if !known {
		load = file.Open
	}
	kek, err := openKey(c, load)
	if err != nil {
		return nil, keys.Secrets{}, err
	}
	if !known {
		if wrapped, err = keys.NewSecrets(ctx, kek, c.Clock); err != nil {
			return nil, keys.Secrets{}, err
		}
		if _, err := db.Exec(ctx, `INSERT INTO settings (name, value) VALUES ('secrets', $1)`, wrapped); err != nil {
			return nil, keys.Secrets{}, fmt.Errorf("store server's secrets: %w", err)
		}
	}
	secrets, err := keys.OpenSecrets(ctx, kek, wrapped)
	if fault.Is(err, fault.Unavailable) {
		err = fault.Wrap(fault.Invalid, err, "The key file %s is another server's: it has not the key that this data was sealed with. Put back the one that has, or name it with --key-file.", c.KeyFile)
	}
	return kek, secrets, err
}

// openKey opens the key file, with words for the one who named it.
func openKey(c Config, load func(string, clock.Clock) (*file.KEK, error)) (*file.KEK, error) {
	kek, err := load(c.KeyFile, c.Clock)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.Invalid, err, "The key file %s is missing, and without it nothing that is stored can be read. Put it back, or name it with --key-file.", c.KeyFile)
	}
	if fault.Is(err, fault.Denied) { // what was named is wrong, not who asks
		return nil, fault.New(fault.Invalid, "%s", fault.Message(err))
	}
	return kek, err
}

// warnings are what an operator should see to while the server works: a sentence
// each, for the log and /readyz.
func (s *stores) warnings(ctx context.Context) []string {
	exported, err := s.control.KeyExported(ctx)
	if err != nil || exported { // an error is for Ready to find
		return nil
	}
	return []string{"the key-encryption key was never exported: if its file is lost, everything that is stored is lost (tributary keys export)"}
}

// KeyExport says to whom the key file was exported.
type KeyExport struct {
	ID         string    `json:"id"`
	KEK        string    `json:"kek"`
	Recipients []string  `json:"recipients"` // fingerprints
	At         time.Time `json:"at"`
}

// ExportKeys encrypts the key file to age recipients, gives it to write, and
// records that it was done. A server may be running.
func ExportKeys(ctx context.Context, c Config, recipients []string, write func(sealed []byte) error) (KeyExport, error) {
	var made KeyExport
	c.beside = true
	err := withExisting(ctx, c, func(s *stores) error {
		sealed, fingerprints, kek, err := file.Export(keyFile(c), recipients)
		if err != nil {
			return err
		}
		if err := write(sealed); err != nil {
			return err
		}
		e, err := s.control.RecordKeyExport(ctx, kek, fingerprints)
		made = KeyExport{e.ID, e.KEK, e.Recipients, e.At}
		return err
	})
	return made, err
}

func keyFile(c Config) string {
	if err := c.defaults(); err != nil {
		return ""
	}
	return c.KeyFile
}

// ImportKeys decrypts what ExportKeys gave with an age identity file's text, to a
// key file that is not there yet. It returns the name of the key that wraps.
func ImportKeys(c Config, sealed, identities []byte, path string) (kek string, err error) {
	text, err := file.Decrypt(sealed, identities)
	if err != nil {
		return "", err
	}
	defer clear(text)
	k, err := file.Install(path, text, c.Clock)
	if err != nil {
		return "", err
	}
	return k.Name(), nil
}

// KeyRotation is what RotateKeys did.
type KeyRotation struct {
	ID        string   `json:"id"`
	KEK       string   `json:"kek"`       // the key that everything is wrapped with now
	Rewrapped int64    `json:"rewrapped"` // keys
	Resumed   bool     `json:"resumed"`   // an earlier command began it
	Retired   []string `json:"retired"`   // keys that were taken out of the key file
}

// RotateKeys puts a new key-encryption key in front of the key file and wraps
// everything with it, or goes on with that where an earlier call was cut off. No
// server may have the data. The keys before stay in the file, for backups, unless
// retire is set.
func RotateKeys(ctx context.Context, c Config, retire bool, progress func(done, total int64)) (KeyRotation, error) {
	made := KeyRotation{Retired: []string{}}
	begun := false
	// Under the lock: a server that had the old file open would go on wrapping with
	// the old key. One that starts between the two has the new file, and the rotation
	// goes on after it.
	err := withExisting(ctx, c, func(s *stores) error {
		due, err := s.control.RotationDue(ctx)
		if err != nil || due {
			made.Resumed = due
			return err
		}
		_, err = file.Add(keyFile(c), c.Clock)
		begun = err == nil
		return deniedInFile(err)
	})
	if err != nil {
		return made, err
	}
	err = withExisting(ctx, c, func(s *stores) error {
		r, err := s.control.Rewrap(ctx, progress)
		made.ID, made.KEK, made.Rewrapped = r.ID, r.KEK, r.Rewrapped
		made.Resumed = (made.Resumed || r.Resumed) && !begun
		if err != nil || !retire {
			return err
		}
		made.Retired, err = s.retire(ctx, c)
		return err
	})
	return made, err
}

// RetireKeys takes the keys that wrap nothing any more out of the key file, and
// returns which. Backups that were made with them can then be opened with a copy of
// the file before only.
func RetireKeys(ctx context.Context, c Config) (gone []string, err error) {
	err = withExisting(ctx, c, func(s *stores) error {
		if err := s.control.Retirable(ctx); err != nil {
			return err
		}
		gone, err = s.retire(ctx, c)
		return err
	})
	return gone, err
}

func (s *stores) retire(ctx context.Context, c Config) ([]string, error) {
	ids, err := file.Old(keyFile(c))
	if err != nil || len(ids) == 0 {
		return []string{}, err
	}
	// Said before it is done: an entry too many is better than one too few.
	if err := s.control.RecordRetired(ctx, ids); err != nil {
		return nil, err
	}
	gone, err := file.Retire(keyFile(c), c.Clock)
	return gone, deniedInFile(err)
}

// deniedInFile is an error of the key file's place: what was named is wrong, not
// who asks.
func deniedInFile(err error) error {
	if fault.Is(err, fault.Denied) {
		return fault.New(fault.Invalid, "%s", fault.Message(err))
	}
	return err
}
