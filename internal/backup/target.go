package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
)

// A directory of backups. Objects never change, so all backups share one pool.
//
//	tributary-backups          "tributary backups 1\n"
//	lock                       held by who changes the directory
//	objects/                   the pool, in the form of package blob/disk
//	backups/ID/control.sealed  the control tables
//	backups/ID/objects.ndjson  the objects that they name
//	backups/ID/manifest.sig    Ed25519 signature, 64 bytes
//	backups/ID/manifest.json
//	backups/ID.partial/        one that is being made, or was cut off
const (
	markFile     = "tributary-backups"
	markText     = "tributary backups 1\n"
	lockName     = "lock"
	poolDir      = "objects"
	backupsDir   = "backups"
	partial      = ".partial"
	controlFile  = "control.sealed"
	objectsFile  = "objects.ndjson"
	sigFile      = "manifest.sig"
	manifestFile = "manifest.json"

	maxManifest = 64 << 20
)

// Pool is the object store in a directory of backups.
type Pool interface {
	blob.Store
	Sweep(ctx context.Context, olderThan time.Duration) (int, error)
	Close() error
}

// Config is what it takes to open a directory of backups; both fields are required.
type Config struct {
	Clock clock.Clock
	// OpenPool opens an object store in a directory, and makes it if need be.
	OpenPool func(dir string) (Pool, error)
}

// Target is a directory of backups.
type Target struct {
	dir  string
	pool Pool
	lock *os.File // nil: opened for reading

	syncDir func(dir string) error // the last step of a backup; tests let it fail
}

// OpenTarget opens a directory to make backups in, and makes it if it is not
// there. What is there and no directory of backups is Conflict, and so is one that
// another process is changing.
func OpenTarget(dir string, c Config) (*Target, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDir(dir); err != nil {
			return nil, targetError(dir, err)
		}
	case err != nil:
		return nil, targetError(dir, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if !slices.Contains(names, markFile) {
		// Only what a start that was cut off has left may be there.
		if i := slices.IndexFunc(names, func(n string) bool { return n != lockName && n != markFile+partial && n != "lost+found" }); i >= 0 {
			return nil, fault.New(fault.Conflict, "There is something else in %s (%s). Name an empty directory for backups, or one that has backups of Tributary.", dir, names[i])
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, targetError(dir, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fault.Wrap(fault.Conflict, err, "Another backup is being made in %s, or backups are removed there. Wait for it.", dir)
	}
	t := &Target{dir: dir, lock: lock, syncDir: syncDir}
	if err := t.prepare(c); err != nil {
		return nil, errors.Join(targetError(dir, err), t.Close())
	}
	return t, nil
}

func (t *Target) prepare(c Config) error {
	mark := filepath.Join(t.dir, markFile)
	if _, err := os.Lstat(mark); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(mark + partial)
		if _, err := writeFile(mark+partial, func(w io.Writer) error { _, err := io.WriteString(w, markText); return err }); err != nil {
			return err
		}
		if err := os.Rename(mark+partial, mark); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(t.dir, backupsDir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(t.dir); err != nil {
		return err
	}
	var err error
	if t.pool, err = c.OpenPool(filepath.Join(t.dir, poolDir)); err != nil {
		return err
	}
	if _, err := t.pool.Sweep(context.Background(), 0); err != nil { // nobody else writes here
		return err
	}
	names, err := t.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, partial) {
			if err := os.RemoveAll(filepath.Join(t.dir, backupsDir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// openForReading opens a directory of backups and changes nothing.
func openForReading(dir string, c Config) (*Target, error) {
	text, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fault.New(fault.NotFound, "There are no backups of Tributary at %s.", dir)
	}
	if err != nil {
		return nil, targetError(dir, err)
	}
	if string(text) != markText {
		return nil, fault.New(fault.Conflict, "The directory of backups %s has a form that this program does not know.", dir)
	}
	pool := filepath.Join(dir, poolDir)
	for _, sub := range []string{pool, filepath.Join(pool, "objects"), filepath.Join(pool, "tmp")} {
		if _, err := os.Stat(sub); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "The directory of backups %s is not whole: there is no %s.", dir, sub)
		}
	}
	t := &Target{dir: dir}
	if t.pool, err = c.OpenPool(pool); err != nil {
		return nil, err
	}
	return t, nil
}

// Close releases the directory.
func (t *Target) Close() error {
	var errs []error
	if t.pool != nil {
		errs = append(errs, t.pool.Close())
	}
	if t.lock != nil {
		errs = append(errs, t.lock.Close())
	}
	return errors.Join(errs...)
}

// names lists the backups, whole or not, as the clock had it when they were begun.
func (t *Target) names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(t.dir, backupsDir))
	if err != nil {
		return nil, targetError(t.dir, err)
	}
	var list []string
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, e.Name())
		}
	}
	slices.Sort(list) // they begin with their time
	return list, nil
}

// whole lists the backups that were finished.
func (t *Target) whole() ([]string, error) {
	names, err := t.names()
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, partial) }), err
}

// Backup is a finished backup, of which only the manifest has been read.
type Backup struct {
	Manifest
	target *Target
	dir    string
	raw    []byte // the manifest's bytes
	sig    []byte
}

// Open opens a backup by its own directory, or the newest one by the directory of
// backups. The manifest carries a signature of the key that it names; whose key
// that is, Verify and Restore find out with the key file.
func Open(path string, c Config) (*Backup, error) {
	path = filepath.Clean(path)
	root, id := path, ""
	if filepath.Base(filepath.Dir(path)) == backupsDir {
		if _, err := os.Stat(filepath.Join(path, markFile)); err != nil {
			root, id = filepath.Dir(filepath.Dir(path)), filepath.Base(path)
		}
	}
	t, err := openForReading(root, c)
	if err != nil {
		return nil, err
	}
	var b *Backup
	if id == "" {
		b, err = t.newest()
	} else {
		b, err = t.open(id)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return b, nil
}

func (t *Target) open(id string) (*Backup, error) {
	list, err := t.whole()
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(id, partial):
		return nil, fault.New(fault.Conflict, "The backup %s was never finished; it is no backup.", strings.TrimSuffix(id, partial))
	case !slices.Contains(list, id):
		return nil, fault.New(fault.NotFound, "There is no backup %s in %s.", id, t.dir)
	}
	b := &Backup{target: t, dir: filepath.Join(t.dir, backupsDir, id)}
	if b.raw, err = readSmall(filepath.Join(b.dir, manifestFile)); err == nil {
		b.sig, err = readSmall(filepath.Join(b.dir, sigFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(id, "it has no manifest, or no signature")
	}
	if err != nil {
		return nil, targetError(t.dir, err)
	}
	if b.Manifest, err = parseManifest(b.raw, id); err != nil {
		return nil, err
	}
	if !keys.Signed(b.PublicKey, signedText(b.raw), b.sig) {
		return nil, damaged(id, "its manifest does not carry the signature of the key that it names")
	}
	return b, nil
}

// Close releases the backup.
func (b *Backup) Close() error { return b.target.Close() }

// Path is where the backup is.
func (b *Backup) Path() string { return b.dir }

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxManifest))
}

// written is a file that is durable but for its name.
type written struct {
	size int64
	sum  string
}

// writeFile makes a file and syncs it.
func writeFile(path string, fill func(io.Writer) error) (written, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return written{}, err
	}
	h := newHasher(f)
	err = fill(h)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return written{}, err
	}
	return written{h.size, hex.EncodeToString(h.sum())}, nil
}

// makeDir makes a directory and what is missing above it, durably.
func makeDir(dir string) error {
	above := filepath.Dir(dir)
	if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := makeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(above); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// targetError gives an error of the target's disk its kind.
func targetError(dir string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	chain := fmt.Errorf("backup in %s: %w", dir, err)
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fault.Wrap(fault.StorageFull, chain, "The disk of the backup at %s is full. What was there before is as it was.", dir)
		}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) {
		return fault.Wrap(fault.Invalid, chain, "The directory %s cannot be used for backups.", dir)
	}
	return fault.Wrap(fault.Unavailable, chain, "The disk of the backup at %s does not work as it should.", dir)
}
