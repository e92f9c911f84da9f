package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
)

// Source is what is backed up. All fields are required, but Progress.
type Source struct {
	Database meta.Config
	Blobs    blob.Store // nothing that a row names may go from it meanwhile: vault.Config.Removing sees to that
	KEK      keys.KEK
	Clock    clock.Clock
	Version  string // the program's
	Progress Progress
}

// Made is a backup that was made, and what it took.
type Made struct {
	Manifest
	Path        string
	Copied      int64 // objects that the directory did not have
	CopiedBytes int64
	Differs     []string // objects of which the source has other bytes than the backups before: those stay
}

// Create makes a backup of the database as it is at one moment and of the objects
// that its rows name then. It is there, and durable, when Create returns nil; one
// that is cut off is never taken for whole, and the next Create removes it.
func (t *Target) Create(ctx context.Context, s Source) (Made, error) {
	if s.Progress == nil {
		s.Progress = func(string, int64, int64) {}
	}
	m := &maker{target: t, Source: s, known: map[string]object{}, differs: []string{}}
	if err := m.make(ctx); err != nil {
		_ = os.RemoveAll(m.dir()) // else the next one does
		return Made{}, targetError(t.dir, err)
	}
	return Made{m.manifest, filepath.Join(t.dir, backupsDir, m.manifest.ID), m.copied, m.copiedBytes, m.differs}, nil
}

// maker makes one backup.
type maker struct {
	Source
	target   *Target
	manifest Manifest
	secrets  keys.Secrets
	heads    []head
	others   []*Backup // that the directory has, from old to new
	objects  []string  // keys that rows name

	unread []*Backup         // those of others whose lists were not read yet
	known  map[string]object // what the lists say that were
	claims map[object]bool   // what any list says, also of a backup that cannot be read; nil: not read yet

	differs             []string
	copied, copiedBytes int64
}

// head is the end of a chain of the audit log.
type head struct {
	tenant string
	seq    int64
	hash   []byte
}

func (m *maker) dir() string {
	return filepath.Join(m.target.dir, backupsDir, m.manifest.ID+partial)
}

func (m *maker) make(ctx context.Context) error {
	now := m.Clock.Now()
	_, random, _ := strings.Cut(m.Clock.ID("x"), "_")
	m.manifest = Manifest{Format: format, ID: strings.Replace(now.Format("20060102t150405.000000z"), ".", "-", 1) + "-" + random, Version: m.Version, KEK: m.KEK.Name(),
		Streams: []Stream{}, Erased: []Erasure{}, Objects: Objects{Missing: []string{}}}
	if err := m.survey(); err != nil {
		return err
	}
	if err := os.Mkdir(m.dir(), 0o700); err != nil {
		return err
	}
	if err := meta.ReadImage(ctx, m.Database, func(i *meta.Image) error { return m.control(ctx, i) }); err != nil {
		return err
	}
	if err := m.copyObjects(ctx); err != nil {
		return err
	}
	return m.finish()
}

// survey looks at what the directory has.
func (m *maker) survey() error {
	s, err := m.target.shelf()
	if err != nil {
		return err
	}
	m.others, m.unread = s.readable, s.readable
	for _, b := range s.readable {
		m.manifest.Number = max(m.manifest.Number, b.Number)
	}
	m.manifest.Number++
	return nil
}

// control writes the control tables, and learns from them what else belongs to
// the backup.
func (m *maker) control(ctx context.Context, i *meta.Image) error {
	m.manifest.Engine, m.manifest.Schema, m.manifest.MadeAt = i.Engine, i.Schema, m.Clock.Now()
	key, wrapped, err := keys.NewApart(ctx, m.KEK, m.Clock, keyLabel(m.manifest.ID))
	if err != nil {
		return err
	}
	m.manifest.Key = wrapped
	var c *controlWriter
	file, err := writeFile(filepath.Join(m.dir(), controlFile), func(w io.Writer) error {
		sealed, err := key.NewWriter(controlFile, w)
		if err != nil {
			return err
		}
		c = newControlWriter(sealed)
		for _, t := range i.Tables {
			if err := m.controlTable(ctx, i, t, c); err != nil {
				return err
			}
		}
		if err := c.end(); err != nil {
			return err
		}
		return sealed.Close()
	})
	if err != nil {
		return err
	}
	m.manifest.Control = Control{File{controlFile, file.size, file.sum}, c.rows, c.tables}
	if m.manifest.Secrets == nil {
		return fault.New(fault.NotFound, "The control database was never used: there is nothing to back up.")
	}
	if m.secrets, err = keys.OpenSecrets(ctx, m.KEK, m.manifest.Secrets); err != nil {
		return err
	}
	m.manifest.PublicKey = m.secrets.PublicKey()
	if slices.ContainsFunc(m.others, func(b *Backup) bool { return !slices.Equal(b.PublicKey, m.manifest.PublicKey) }) {
		return fault.New(fault.Conflict, "The directory %s has backups of another server. Name a directory of this server's own.", m.target.dir)
	}
	m.manifest.Mark.Chains, m.manifest.Mark.Heads = int64(len(m.heads)), headsSum(m.heads)
	return nil
}

func (m *maker) controlTable(ctx context.Context, i *meta.Image, t meta.Table, c *controlWriter) error {
	if err := c.table(t); err != nil {
		return err
	}
	blobKey := slices.Index(t.Columns, "blob_key")
	if t.Name == "vault_garbage" || t.Name == "archive_garbage" { // bytes that no row needs any more
		blobKey = -1
	}
	learn := m.learner(t)
	return i.Each(ctx, t, func(row []any) error {
		if blobKey >= 0 {
			if k, ok := row[blobKey].(string); ok && k != "" {
				m.objects = append(m.objects, k)
			}
		}
		learn(row)
		if c.rows%1000 == 0 {
			m.Progress("control tables", c.rows, 0)
		}
		return c.row(row)
	})
}

// learner returns what takes from a table's rows what the manifest says of them.
func (m *maker) learner(t meta.Table) func(row []any) {
	at := func(row []any, column string) any {
		if i := slices.Index(t.Columns, column); i >= 0 {
			return row[i]
		}
		return nil
	}
	text := func(row []any, column string) string { s, _ := at(row, column).(string); return s }
	number := func(row []any, column string) int64 { n, _ := at(row, column).(int64); return n }
	raw := func(row []any, column string) []byte { b, _ := at(row, column).([]byte); return b }
	switch t.Name {
	case "settings":
		return func(row []any) {
			if text(row, "name") == "secrets" {
				m.manifest.Secrets = raw(row, "value")
			}
		}
	case "audit_heads":
		return func(row []any) {
			h := head{text(row, "tenant"), number(row, "seq"), raw(row, "hash")}
			m.heads = append(m.heads, h)
			if h.tenant == "" {
				m.manifest.Mark.Audit = Position{h.seq, hex.EncodeToString(h.hash)}
			}
		}
	case "audit_checkpoints":
		return func(row []any) {
			if last, seq := m.manifest.Mark.Checkpoint, number(row, "seq"); last == nil || seq > last.Seq {
				m.manifest.Mark.Checkpoint = &Position{seq, hex.EncodeToString(raw(row, "hash"))}
			}
		}
	case "offboardings":
		return func(row []any) {
			if finished, ok := at(row, "finished_at").(int64); ok {
				m.manifest.Erased = append(m.manifest.Erased, Erasure{text(row, "tenant"), meta.Time(finished)})
			}
		}
	}
	return func([]any) {}
}

// headsSum is SHA-256 over the ends of all chains, in the order of tenants: of
// each the tenant's length in 4 bytes, the tenant, the number in 8, the hash.
func headsSum(heads []head) string {
	slices.SortFunc(heads, func(a, b head) int { return strings.Compare(a.tenant, b.tenant) })
	sum := sha256.New()
	for _, h := range heads {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(h.tenant)))
		b = append(b, h.tenant...)
		b = binary.BigEndian.AppendUint64(b, uint64(h.seq))
		sum.Write(append(b, h.hash...))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// copyObjects brings the objects to the pool that it does not have, and lists all.
func (m *maker) copyObjects(ctx context.Context) error {
	slices.Sort(m.objects)
	m.objects = slices.Compact(m.objects)
	o := &m.manifest.Objects
	file, err := writeFile(filepath.Join(m.dir(), objectsFile), func(w io.Writer) error {
		buffered := bufio.NewWriter(w)
		lines := json.NewEncoder(buffered)
		for n, k := range m.objects {
			m.Progress("objects", int64(n), int64(len(m.objects)))
			got, err := m.keep(ctx, blob.Key(k))
			if fault.Is(err, fault.NotFound) {
				o.Missing = append(o.Missing, k)
				continue
			}
			if err != nil {
				return fmt.Errorf("back up object %s: %w", k, err)
			}
			o.Count++
			o.Bytes += got.Size
			if err := lines.Encode(got); err != nil {
				return err
			}
		}
		m.Progress("objects", int64(len(m.objects)), int64(len(m.objects)))
		return buffered.Flush()
	})
	if err == nil && o.Count == 0 && len(o.Missing) > 0 {
		return fault.New(fault.Conflict, "The object store has none of the %d objects that the control database names, so it is another one, or empty. No backup was made. Say with --objects where they are.", len(o.Missing))
	}
	o.File = File{objectsFile, file.size, file.sum}
	return err
}

// copyObject copies an object from one store to another, durably.
func copyObject(ctx context.Context, from, to blob.Store, k blob.Key) (object, error) {
	src, err := from.Open(ctx, k)
	if err != nil {
		return object{}, err
	}
	defer src.Close()
	w, err := to.Create(ctx, k)
	if err != nil {
		return object{}, err
	}
	defer w.Abort()
	h := newHasher(w)
	n, err := io.Copy(h, contextReader{ctx, io.NewSectionReader(src, 0, src.Size())})
	if err != nil {
		return object{}, err
	}
	if n != src.Size() {
		return object{}, fault.New(fault.Damaged, "The object %s is shorter than it says.", k)
	}
	return object{string(k), n, hex.EncodeToString(h.sum())}, w.Commit(ctx)
}

type contextReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has no context, and a copy of a large object must end with it
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// finish writes the manifest, last of all, and gives the backup its name.
func (m *maker) finish() error {
	raw, err := json.MarshalIndent(m.manifest, "", "  ")
	if err != nil {
		return err
	}
	if len(raw) > maxManifest {
		return fault.New(fault.Conflict, "The manifest of the backup would have %d bytes, and one of more than %d is not read again. No backup was made: %d objects are missing, see tributary fsck.",
			len(raw), maxManifest, len(m.manifest.Objects.Missing))
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{sigFile, m.secrets.Sign(signedText(raw))}, {manifestFile, raw}} {
		if _, err := writeFile(filepath.Join(m.dir(), f.name), func(w io.Writer) error { _, err := w.Write(f.content); return err }); err != nil {
			return err
		}
	}
	if err := syncDir(m.dir()); err != nil {
		return err
	}
	backups := filepath.Join(m.target.dir, backupsDir)
	final := filepath.Join(backups, m.manifest.ID)
	if err := os.Rename(m.dir(), final); err != nil {
		return err
	}
	if err := m.target.syncDir(backups); err != nil {
		return errors.Join(err, os.Rename(final, m.dir())) // what may go in a power cut is no backup
	}
	return nil
}

// hasher hashes and counts what goes through it.
type hasher struct {
	w    io.Writer
	h    hash.Hash
	size int64
}

func newHasher(w io.Writer) *hasher { return &hasher{w: w, h: sha256.New()} }

func (h *hasher) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.h.Write(p[:n])
	h.size += int64(n)
	return n, err
}

func (h *hasher) sum() []byte { return h.h.Sum(nil) }
