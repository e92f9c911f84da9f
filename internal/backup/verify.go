package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tributary/internal/blob"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
)

// objects reads the list of objects, and checks it against the manifest.
func (b *Backup) objects() ([]object, error) {
	raw, err := os.ReadFile(filepath.Join(b.dir, objectsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, damaged(b.ID, "the file %s is missing", objectsFile)
	}
	if err != nil {
		return nil, targetError(b.dir, err)
	}
	if sum := sha256.Sum256(raw); int64(len(raw)) != b.Objects.Size || hex.EncodeToString(sum[:]) != b.Objects.SHA256 {
		return nil, damaged(b.ID, "the file %s is not the one that the manifest names", objectsFile)
	}
	var list []object
	lines := json.NewDecoder(bytes.NewReader(raw))
	for {
		var o object
		err := lines.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, damaged(b.ID, "the file %s has a line that is no object (%v)", objectsFile, err)
		}
		list = append(list, o)
	}
	if int64(len(list)) != b.Objects.Count {
		return nil, damaged(b.ID, "the file %s lists %d objects, the manifest says %d", objectsFile, len(list), b.Objects.Count)
	}
	return list, nil
}

// Opened is a backup that a key file has opened: the server whose it is made it.
type Opened struct {
	*Backup
	key *keys.Apart
}

// Unlock opens a backup with the KEK that its keys are wrapped with (Unavailable
// without it), and checks that the manifest was signed by the server whose
// secrets that KEK opens.
func (b *Backup) Unlock(ctx context.Context, kek keys.KEK) (*Opened, error) {
	secrets, err := keys.OpenSecrets(ctx, kek, b.Secrets)
	if fault.Is(err, fault.Unavailable) {
		return nil, fault.Wrap(fault.Invalid, err, "The key file is not the one that the backup %s was made with: it has not the key %s.", b.ID, b.KEK)
	}
	if err != nil {
		return nil, fmt.Errorf("open secrets of backup %s: %w", b.ID, err)
	}
	if !bytes.Equal(secrets.PublicKey(), b.PublicKey) {
		return nil, damaged(b.ID, "its manifest was signed by somebody else than the server whose data it says it has")
	}
	key, err := keys.OpenApart(ctx, kek, b.Key, keyLabel(b.ID))
	if err != nil {
		return nil, fmt.Errorf("open backup %s: %w", b.ID, err)
	}
	return &Opened{b, key}, nil
}

// Verify reads every byte of a backup and reports what is wrong, a sentence each,
// and which objects were missing already when it was made.
// The error is for when it could not look.
func (b *Backup) Verify(ctx context.Context, p Progress, report func(problem string)) error {
	if err := b.verifyControl(); fault.Is(err, fault.Damaged) {
		report(fault.Message(err))
	} else if err != nil {
		return err
	}
	for _, k := range b.Objects.Missing {
		report(fmt.Sprintf("The backup %s has not the object %s: the server had lost it before. An older backup may have it.", b.ID, k))
	}
	list, err := b.objects()
	if fault.Is(err, fault.Damaged) {
		report(fault.Message(err))
		return nil
	}
	if err != nil {
		return err
	}
	var done int64
	for _, o := range list {
		if p != nil {
			p("bytes of objects", done, b.Objects.Bytes)
		}
		switch err := b.verifyObject(ctx, o); {
		case fault.Is(err, fault.Damaged):
			report(fault.Message(err))
		case err != nil:
			return err
		}
		done += o.Size
	}
	return nil
}

func (b *Backup) verifyControl() error {
	f, err := os.Open(filepath.Join(b.dir, controlFile))
	if errors.Is(err, os.ErrNotExist) {
		return damaged(b.ID, "the file %s is missing", controlFile)
	}
	if err != nil {
		return targetError(b.dir, err)
	}
	defer f.Close()
	h := newHasher(io.Discard)
	if _, err := io.Copy(h, f); err != nil {
		return targetError(b.dir, err)
	}
	if h.size != b.Control.Size || hex.EncodeToString(h.sum()) != b.Control.SHA256 {
		return damaged(b.ID, "the file %s is not the one that the manifest names", controlFile)
	}
	return nil
}

func (b *Backup) verifyObject(ctx context.Context, o object) error {
	got, err := digest(ctx, b.target.pool, blob.Key(o.Key))
	if fault.Is(err, fault.NotFound) {
		return damaged(b.ID, "the object %s is missing", o.Key)
	}
	if err != nil {
		return err
	}
	return b.compare(o, got)
}

func (b *Backup) compare(want, got object) error {
	if got != want {
		return damaged(b.ID, "the object %s is not the one that was stored", want.Key)
	}
	return nil
}

// eachTable shows the control tables, which must be those of the manifest. To each
// table belongs its function row, of which all rows have to be taken.
func (o *Opened) eachTable(f func(t meta.Table, row func() ([]any, error)) error) error {
	if err := o.verifyControl(); err != nil { // before a byte of it is believed
		return err
	}
	file, err := os.Open(filepath.Join(o.dir, controlFile))
	if err != nil {
		return targetError(o.dir, err)
	}
	defer file.Close()
	sealed, err := o.key.NewReader(controlFile, file, o.Control.Size)
	if err != nil {
		return err
	}
	tables, err := o.walk(sealed, f)
	if errors.Is(err, errForm) || err == nil && !sameTables(tables, o.Control.Tables) {
		return damaged(o.ID, "the control tables are not those that the manifest names")
	}
	return err
}

func (o *Opened) walk(sealed io.Reader, f func(meta.Table, func() ([]any, error)) error) (tables []Table, err error) {
	c, err := newControlReader(sealed)
	if err != nil {
		return nil, err
	}
	for {
		t, err := c.nextTable()
		if errors.Is(err, io.EOF) {
			return tables, nil
		}
		if err != nil {
			return nil, err
		}
		before := c.rows
		if err := f(t, c.row); err != nil {
			return nil, err
		}
		tables = append(tables, Table{t.Name, c.rows - before})
	}
}

func sameTables(a, b []Table) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// VerifyTables reads the control tables and compares them with the mark.
func (o *Opened) VerifyTables(p Progress) error {
	var heads []head
	var done int64
	err := o.eachTable(func(t meta.Table, next func() ([]any, error)) error {
		for {
			row, err := next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if done++; p != nil && done%1000 == 0 {
				p("control tables", done, o.Control.Rows)
			}
			if t.Name == "audit_heads" {
				heads = append(heads, headOf(t, row))
			}
		}
	})
	if err != nil {
		return err
	}
	return o.checkMark(heads)
}

func headOf(t meta.Table, row []any) (h head) {
	for i, name := range t.Columns {
		switch name {
		case "tenant":
			h.tenant, _ = row[i].(string)
		case "seq":
			h.seq, _ = row[i].(int64)
		case "hash":
			h.hash, _ = row[i].([]byte)
		}
	}
	return h
}

// checkMark compares the ends of the audit log's chains with the mark.
func (o *Opened) checkMark(heads []head) error {
	if int64(len(heads)) != o.Mark.Chains || headsSum(heads) != o.Mark.Heads {
		return damaged(o.ID, "the audit log does not end where the manifest's mark says")
	}
	return nil
}
