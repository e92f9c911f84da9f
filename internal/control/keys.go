package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// KeyExport is a copy of the key-encryption keys that somebody took, encrypted.
type KeyExport struct {
	ID         string
	KEK        string   // the key that wrapped then
	Recipients []string // fingerprints
	At         time.Time
}

// RecordKeyExport records that the key file was exported, to whom, and when.
func (c *Control) RecordKeyExport(ctx context.Context, kek string, recipients []string) (KeyExport, error) {
	e := KeyExport{ID: c.Clock.ID("kex"), KEK: kek, Recipients: recipients, At: c.Clock.Now()}
	list, err := json.Marshal(recipients)
	if err != nil {
		return e, err
	}
	err = c.DB.Transact(ctx, func(tx *meta.DB) error {
		if _, err := tx.Exec(ctx, `INSERT INTO key_exports (id, kek, recipients, at) VALUES ($1, $2, $3, $4)`, e.ID, e.KEK, string(list), meta.Micros(e.At)); err != nil {
			return fmt.Errorf("record key export: %w", err)
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "keys.export", Subject: e.ID, Outcome: "ok",
			Details: map[string]any{"kek": kek, "recipients": recipients}})
	})
	return e, err
}

// KeyExported reports whether the key that wraps now was ever exported: until it
// was, a lost key file is the loss of everything.
func (c *Control) KeyExported(ctx context.Context) (bool, error) {
	var n int64
	if err := c.DB.QueryRow(ctx, `SELECT count(*) FROM key_exports WHERE kek = $1`, c.ring.KEKName()).Scan(&n); err != nil {
		return false, fmt.Errorf("look for an export of the key: %w", err)
	}
	return n > 0, nil
}

// Rotation is a change of the key-encryption key. It begins with a new key in
// front of the key file and ends when nothing is wrapped with another one.
type Rotation struct {
	ID        string
	KEK       string
	Rewrapped int64 // keys of tenants, and the server's secrets
	Resumed   bool  // an earlier process began it
}

// RotationDue reports whether something that opens is not wrapped with the key that
// wraps now, or a rotation was begun and not ended: then that goes on before another.
func (c *Control) RotationDue(ctx context.Context) (bool, error) {
	var open int64
	if err := c.DB.QueryRow(ctx, `SELECT count(*) FROM key_rotations WHERE finished_at IS NULL`).Scan(&open); err != nil {
		return false, fmt.Errorf("look for a rotation: %w", err)
	}
	if open > 0 {
		return true, nil
	}
	due := false
	_, err := c.eachWrapped(ctx, func(wrappedKey, int64) (bool, error) {
		due = true
		return false, nil
	})
	if err != nil || due {
		return due, err
	}
	again, err := c.staleSecrets(ctx, c.DB)
	return again != nil, err
}

// Retirable says why the keys before may still be needed: Conflict if a rotation is
// due, Damaged if tenants' keys do not open, since they may be under any of them.
func (c *Control) Retirable(ctx context.Context) error {
	due, err := c.RotationDue(ctx)
	if err != nil {
		return err
	}
	if due {
		return fault.New(fault.Conflict, "A rotation of the keys is not finished, and the keys before are still needed. Run: tributary keys rotate")
	}
	bad, err := c.eachWrapped(ctx, func(wrappedKey, int64) (bool, error) { return false, nil })
	if err != nil || len(bad) == 0 {
		return err
	}
	return fault.New(fault.Damaged, "%d tenants' keys do not open, and may be under a key before: %s. Restore them from a backup first.", len(bad), sentences(bad))
}

// sentences is the first of some errors, for a person.
func sentences(list []error) string {
	const most = 10
	var words []string
	for _, err := range list[:min(len(list), most)] {
		words = append(words, strings.TrimSuffix(err.Error(), "."))
	}
	if len(list) > most {
		words = append(words, "…")
	}
	return strings.Join(words, "; ")
}

// Rewrap wraps every key anew that is not under the key that wraps now, and ends
// the rotation. It can be cut off anywhere and run again. Keys that do not open stay
// as they are: the others are wrapped, the rotation ends, and the error (Damaged)
// names them. No server may be running.
func (c *Control) Rewrap(ctx context.Context, progress func(done, total int64)) (Rotation, error) {
	r, err := c.beginRotation(ctx)
	if err != nil {
		return r, err
	}
	bad, err := c.eachWrapped(ctx, func(w wrappedKey, total int64) (bool, error) {
		if err := c.storeRewrapped(ctx, &r, w); err != nil {
			return false, err
		}
		progress(r.Rewrapped, total)
		return true, nil
	})
	if err != nil {
		return r, err
	}
	if err := c.endRotation(ctx, &r, len(bad)); err != nil || len(bad) == 0 {
		return r, err
	}
	return r, fault.New(fault.Damaged, "Everything else is under %s now, but %d tenants' keys could not be wrapped anew: %s. The keys before must stay in the key file.", r.KEK, len(bad), sentences(bad))
}

func (c *Control) beginRotation(ctx context.Context) (Rotation, error) {
	r := Rotation{ID: c.Clock.ID("rot"), KEK: c.ring.KEKName()}
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		var id string
		var rewrapped int64
		err := tx.QueryRow(ctx, `SELECT id, rewrapped FROM key_rotations WHERE finished_at IS NULL AND kek = $1`, r.KEK).Scan(&id, &rewrapped)
		if err == nil {
			r.ID, r.Rewrapped, r.Resumed = id, rewrapped, true
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for a rotation: %w", err)
		}
		now := meta.Micros(c.Clock.Now())
		// One that went to a key which is not the first any more is over.
		if _, err := tx.Exec(ctx, `UPDATE key_rotations SET finished_at = $1 WHERE finished_at IS NULL`, now); err != nil {
			return fmt.Errorf("end the rotation before: %w", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO key_rotations (id, kek, started_at) VALUES ($1, $2, $3)`, r.ID, r.KEK, now); err != nil {
			return fmt.Errorf("begin rotation: %w", err)
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "keys.rotate.begin", Subject: r.ID, Outcome: "ok", Details: map[string]any{"kek": r.KEK}})
	})
	return r, err
}

// wrappedKey is a tenant's key that is not under the key that wraps now.
type wrappedKey struct {
	tenant         tenant.ID
	purpose        keys.Purpose
	wrapped, again []byte
}

// eachWrapped shows f each tenant's key that is to be wrapped anew, until f returns
// false. bad are those that do not open or were not written by this server.
func (c *Control) eachWrapped(ctx context.Context, f func(w wrappedKey, total int64) (more bool, err error)) (bad []error, err error) {
	rows, err := c.DB.Unscoped().Query(ctx, `SELECT tenant, purpose, wrapped, mac FROM tenant_keys WHERE wrapped IS NOT NULL ORDER BY tenant, purpose`)
	if err != nil {
		return nil, fmt.Errorf("list tenants' keys: %w", err)
	}
	var list []wrappedKey
	for rows.Next() {
		var w wrappedKey
		var mac []byte
		if err := rows.Scan(&w.tenant, &w.purpose, &w.wrapped, &mac); err != nil {
			return nil, fmt.Errorf("list tenants' keys: %w", err)
		}
		err := c.ring.CheckMAC(mac, "tenant key", string(w.tenant), string(w.purpose), w.wrapped)
		if err == nil {
			w.again, err = c.ring.Rewrap(ctx, w.tenant, w.purpose, w.wrapped)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			bad = append(bad, fmt.Errorf("%s key of %s: %w", w.purpose, w.tenant, err))
		case w.again != nil:
			list = append(list, w)
		}
	}
	for _, w := range list {
		more, err := f(w, int64(len(list)))
		if err != nil || !more {
			return bad, err
		}
	}
	return bad, nil
}

func (c *Control) storeRewrapped(ctx context.Context, r *Rotation, w wrappedKey) error {
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := c.fail("rotate", string(w.tenant)+" "+string(w.purpose)); err != nil {
			return err
		}
		n, err := tx.For(w.tenant).Exec(ctx, `UPDATE tenant_keys SET wrapped = $1, mac = $2 WHERE tenant = $3 AND purpose = $4 AND wrapped = $5`,
			w.again, c.ring.MAC("tenant key", string(w.tenant), string(w.purpose), w.again), string(w.tenant), string(w.purpose), w.wrapped)
		if err != nil || n == 0 { // destroyed meanwhile
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE key_rotations SET rewrapped = rewrapped + 1 WHERE id = $1`, r.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("store rewrapped %s key of %s: %w", w.purpose, w.tenant, err)
	}
	r.Rewrapped++
	return nil
}

// staleSecrets returns the server's secrets wrapped anew; nil if they need not be.
func (c *Control) staleSecrets(ctx context.Context, db *meta.DB) ([]byte, error) {
	var wrapped []byte
	if err := db.QueryRow(ctx, `SELECT value FROM settings WHERE name = 'secrets'`).Scan(&wrapped); err != nil {
		return nil, fmt.Errorf("read server's secrets: %w", err)
	}
	return c.ring.RewrapSecrets(ctx, wrapped)
}

// endRotation wraps the server's secrets anew, last of all, and ends the rotation,
// also if it had to leave keys that do not open.
func (c *Control) endRotation(ctx context.Context, r *Rotation, left int) error {
	secrets := int64(0)
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		secrets = 0
		if err := c.fail("rotate", "secrets"); err != nil {
			return err
		}
		again, err := c.staleSecrets(ctx, tx)
		if err != nil {
			return err
		}
		if again != nil {
			if _, err := tx.Exec(ctx, `UPDATE settings SET value = $1 WHERE name = 'secrets'`, again); err != nil {
				return fmt.Errorf("store server's secrets: %w", err)
			}
			secrets = 1
		}
		if _, err := tx.Exec(ctx, `UPDATE key_rotations SET finished_at = $1, rewrapped = $2 WHERE id = $3`, meta.Micros(c.Clock.Now()), r.Rewrapped+secrets, r.ID); err != nil {
			return fmt.Errorf("end rotation: %w", err)
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "keys.rotate", Subject: r.ID, Outcome: "ok",
			Details: map[string]any{"kek": r.KEK, "rewrapped": r.Rewrapped + secrets, "left": left}})
	})
	if err == nil {
		r.Rewrapped += secrets
	}
	return err
}

// RecordRetired records that keys were taken out of the key file.
func (c *Control) RecordRetired(ctx context.Context, gone []string) error {
	return c.Audit.Record(ctx, audit.Entry{Actor: "tributary", Verb: "keys.retire", Subject: c.ring.KEKName(), Outcome: "ok", Details: map[string]any{"retired": gone}})
}
