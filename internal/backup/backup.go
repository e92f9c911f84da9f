// Package backup copies a server's data elsewhere while the server runs, checks
// such copies, and puts one into an empty place, on either database. A backup is
// ciphertext and a signed manifest; without the key file it can be checked but not
// read. The bytes are described in docs/formats/backup.md. Where data, keys and
// database are, and who may ask, is for package app to say.
package backup

import (
	"encoding/json"
	"time"

	"tributary/internal/fault"
)

// format starts every manifest; another form gets another one.
const format = "tributary backup v1"

// Progress is told how far a step is: of rows, objects or bytes, done of total;
// 0 where the total is not known.
type Progress func(step string, done, total int64)

// Manifest says what a backup has and at which moment. It is signed with the key
// that signs the audit log's checkpoints.
type Manifest struct {
	Format    string    `json:"format"`
	ID        string    `json:"id"`
	Number    int64     `json:"number"`     // one more than those before it in the directory; 0 from before there were numbers
	MadeAt    time.Time `json:"made_at"`    // when the control tables were read
	Version   string    `json:"version"`    // of the program that made it
	Engine    string    `json:"engine"`     // sqlite, postgres; it is restored to either
	Schema    int64     `json:"schema"`     // number of the last migration
	KEK       string    `json:"kek"`        // which key-encryption key opens Key and Secrets
	Key       []byte    `json:"key"`        // the control tables' key, wrapped by the KEK
	Secrets   []byte    `json:"secrets"`    // the server's, wrapped by the KEK
	PublicKey []byte    `json:"public_key"` // Ed25519; the one in Secrets
	Mark      Mark      `json:"mark"`
	Control   Control   `json:"control"`
	Objects   Objects   `json:"objects"`
	Streams   []Stream  `json:"streams"` // none yet
	Erased    []Erasure `json:"erased"`  // of all tenants whose end has come by the mark
}

// Mark is the moment of a backup, as the audit log tells it.
type Mark struct {
	Audit      Position  `json:"audit"`      // the end of the provider's chain
	Checkpoint *Position `json:"checkpoint"` // the last signed one; null before the first
	Chains     int64     `json:"chains"`     // how many chains there are
	Heads      string    `json:"heads"`      // SHA-256 over the ends of all of them
}

// Position is a place in a chain and its hash.
type Position struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Control is the file of the control tables, sealed with the backup's key.
type Control struct {
	File
	Rows   int64   `json:"rows"`
	Tables []Table `json:"tables"`
}

// Table says how many rows a table has.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Objects is the list of the sealed objects that the rows name.
type Objects struct {
	File
	Count   int64    `json:"count"`
	Bytes   int64    `json:"bytes"`
	Missing []string `json:"missing"` // named by rows, and lost before the backup was made
}

// Stream is a place for a durable stream up to the mark. There are none yet.
type Stream struct {
	Name string `json:"name"`
	Last uint64 `json:"last"`
	File
}

// Erasure is a tenant's end, which a restore of an earlier backup has to repeat.
type Erasure struct {
	Tenant string    `json:"tenant"`
	At     time.Time `json:"at"`
}

// object is a line of the list of objects.
type object struct {
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// signedText is what the signature is of.
func signedText(manifest []byte) []byte { return append([]byte(format+"\n"), manifest...) }

// keyLabel binds the key of the control tables to one backup.
func keyLabel(id string) string { return "backup " + id }

func parseManifest(raw []byte, id string) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, damaged(id, "its manifest is not one (%v)", err)
	}
	switch {
	case m.Format != format:
		return m, fault.New(fault.Conflict, "The backup %s has the form %q; this program knows %q. Use the version that made it, or a newer one.", id, m.Format, format)
	case m.ID != id:
		return m, damaged(id, "its manifest is that of %s", m.ID)
	case m.Control.Name != controlFile || m.Objects.Name != objectsFile:
		return m, damaged(id, "its manifest names other files than a backup has")
	}
	return m, nil
}

// damaged says what of a backup is not what was written.
func damaged(id, words string, args ...any) error {
	return fault.New(fault.Damaged, "The backup %s is damaged: "+words+". Use another one.", append([]any{id}, args...)...)
}
