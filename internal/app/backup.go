package app

import (
	"context"
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

	"tributary/internal/audit"
	"tributary/internal/backup"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys/file"
	"tributary/internal/meta"
)

// holdPatience is how long a backup waits for a removal to end.
const holdPatience = time.Minute

// MadeBackup is a backup that was made.
type MadeBackup struct {
	backup.Made
	Unaudited  string // why the audit log has no entry of it; empty: it has
	Unarchived string // why it may lack events of the last minutes; empty: it has all from before it was begun
}

// Backup copies the data, while a server runs or not, to a directory of backups. An
// older version's data is copied too, and then nothing is written to it, not even
// that it was.
func Backup(ctx context.Context, c Config, target string, p backup.Progress) (MadeBackup, error) {
	var made MadeBackup
	if err := c.defaults(); err != nil {
		return made, err
	}
	if err := errors.Join(c.findDirs(), refuseUnfinished(ctx, c)); err != nil {
		return made, err
	}
	kek, err := openKey(c, file.Load)
	if err != nil {
		return made, err
	}
	holds, err := file.Holds(c.KeyFile)
	if err != nil {
		return made, err
	}
	if err := backup.Apart(target, c.Data, c.KeyFile, holds); err != nil {
		return made, err
	}
	if err := c.archiveNow(ctx); ctx.Err() != nil {
		return made, ctx.Err()
	} else if err != nil {
		made.Unarchived = fault.Message(err)
	}
	done, err := c.hold().keep(ctx, holdPatience)
	if err != nil {
		return made, err
	}
	defer done()
	t, err := backup.OpenTarget(target, c.shelf())
	if err != nil {
		return made, err
	}
	defer func() { _ = t.Close() }()
	blobs, err := c.openObjectsBeside(ctx)
	if err != nil {
		return made, err
	}
	defer func() { _ = blobs.Close() }()
	made.Made, err = t.Create(ctx, backup.Source{Database: meta.Config{URL: c.Database, Log: c.Log}, Blobs: blobs, KEK: kek, Clock: c.Clock, Version: c.Version, Progress: p})
	if err != nil {
		return made, err
	}
	c.existing, c.beside = true, true
	err = with(ctx, c, func(s *stores) error {
		return s.audit.Record(ctx, audit.Entry{Actor: "tributary", Verb: "backup.create", Subject: made.ID, Outcome: "ok",
			Details: map[string]any{"entry": made.Mark.Audit.Seq, "objects": made.Objects.Count, "missing": len(made.Objects.Missing)}})
	})
	if fault.Is(err, fault.Conflict) { // an older version's
		made.Unaudited = fault.Message(err)
		return made, nil
	}
	if err != nil {
		return made, fault.Wrap(fault.KindOf(err), err, "The backup %s was made, but the audit log could not be told of it: %s", made.ID, fault.Message(err))
	}
	return made, nil
}

// BackupCheck is what VerifyBackup found.
type BackupCheck struct {
	backup.Manifest
	Path     string
	Opened   bool // with a key file: whose it is, and the control tables, were looked at too
	Problems []string
}

// VerifyBackup reads every byte of a backup. Without a key file it compares with
// the manifest what anybody can; with one it also finds out whether this server's
// key signed the manifest, and reads the control tables.
func VerifyBackup(ctx context.Context, c Config, path string, p backup.Progress) (BackupCheck, error) {
	check := BackupCheck{Problems: []string{}}
	b, err := backup.Open(path, c.shelf())
	if fault.Is(err, fault.Damaged) {
		check.Problems = append(check.Problems, fault.Message(err))
		return check, nil
	}
	if err != nil {
		return check, err
	}
	defer func() { _ = b.Close() }()
	check.Manifest, check.Path = b.Manifest, b.Path()
	report := func(problem string) { check.Problems = append(check.Problems, problem) }
	if err := b.Verify(ctx, p, report); err != nil || c.KeyFile == "" {
		return check, err
	}
	kek, err := openKey(c, file.Load)
	if err != nil {
		return check, err
	}
	check.Opened = true
	opened, err := b.Unlock(ctx, kek)
	if err == nil {
		err = opened.VerifyTables(p)
	}
	if fault.Is(err, fault.Damaged) {
		if !slices.Contains(check.Problems, fault.Message(err)) {
			report(fault.Message(err))
		}
		err = nil
	}
	return check, err
}

// ListBackups returns the manifests of a directory's finished backups, from new to
// old, and what is wrong with those that cannot be read.
func ListBackups(c Config, target string) (list []backup.Manifest, problems []error, err error) {
	return backup.List(target, c.shelf())
}

// shelf is how directories of backups are opened.
func (c Config) shelf() backup.Config {
	return backup.Config{Clock: c.Clock, OpenPool: func(dir string) (backup.Pool, error) { return disk.New(dir, c.Clock) }}
}

// PruneBackups removes all but the newest backups of a directory.
func PruneBackups(ctx context.Context, c Config, target string, keep int) (backups, objects int64, err error) {
	if _, _, err := ListBackups(c, target); err != nil { // no directory is made where there is none
		return 0, 0, err
	}
	t, err := backup.OpenTarget(target, c.shelf())
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = t.Close() }()
	return t.Prune(ctx, keep)
}

// Restored is what Restore did.
type Restored struct {
	backup.Manifest
	Path        string
	Database    string           // engine that it went to
	ErasedSince []backup.Erasure // tenants that are there again, and were erased after the backup
	Findings    []Finding        // what was wrong at the end; it was so when the backup was made
}

// unfinishedFile is in a data directory from the first step of a restore to its
// last. What has it is not whole, and nothing but another restore takes it.
const unfinishedFile = "restore.unfinished"

func refuseUnfinished(ctx context.Context, c Config) error {
	if unfinished, err := restoreUnfinished(ctx, c); err != nil || !unfinished {
		return err
	}
	return fault.New(fault.Conflict, "A restore into %s was cut off, so the data there is not whole. Run the restore again; it begins anew.", c.Data)
}

// restoreUnfinished reports whether a data directory has the mark of a restore. A
// database that is whole got so in the restore's last step but one, which was to
// take the mark away: that is done now.
func restoreUnfinished(ctx context.Context, c Config) (bool, error) {
	_, err := os.Lstat(filepath.Join(c.Data, unfinishedFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the mark of a restore: %w", err)
	}
	err = meta.ReadImage(ctx, meta.Config{URL: c.Database}, func(*meta.Image) error { return nil })
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.Damaged) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, c.unmark()
}

// Restore puts a backup into a data directory and a database that are empty, or in
// which an earlier Restore was cut off, brings it to this version, and checks all of
// it. When it fails it leaves nothing, unless all was there and just that could not be
// recorded. The key file must be there already.
func Restore(ctx context.Context, c Config, from string, p backup.Progress) (r Restored, err error) {
	if err := c.defaults(); err != nil {
		return r, err
	}
	kek, err := openKey(c, file.Load)
	if err != nil {
		return r, err
	}
	b, err := backup.Open(from, c.shelf())
	if err != nil {
		return r, err
	}
	defer func() { _ = b.Close() }()
	opened, err := b.Unlock(ctx, kek)
	if err != nil {
		return r, err
	}
	r.Manifest, r.Path = b.Manifest, b.Path()
	if r.ErasedSince, err = opened.ErasedSince(); err != nil {
		return r, err
	}
	mark, err := vacate(ctx, &c)
	if err != nil {
		return r, err
	}
	defer func() { _ = mark.Close() }()
	c.loading, c.existing = true, true
	if err := c.fill(ctx, opened, p); err != nil {
		_, undone := c.unload(context.WithoutCancel(ctx)) // if it is whole it is another's, and not in our directory
		if undone == nil {
			undone = c.unfill(context.WithoutCancel(ctx))
		}
		return r, errors.Join(err, undone)
	}
	if p != nil {
		p("checks", 0, 0)
	}
	if r.Findings, err = Fsck(ctx, c, true); err == nil {
		r.Database, err = c.settle(ctx, r)
	}
	if err != nil {
		return r, c.undo(context.WithoutCancel(ctx), err)
	}
	return r, nil
}

// vacate makes a data directory for a restore, and takes away what an earlier one
// left. Only the key file may be there. The mark that it returns is locked, for as
// long as the restore goes on; c gets the restore's id, which is the mark's content.
func vacate(ctx context.Context, c *Config) (mark *os.File, err error) {
	if err := makeDir(c.Data); err != nil {
		return nil, err
	}
	mark, err = lockMark(c.mark(), 0)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		if err := c.vacant(); err != nil {
			return nil, err
		}
		mark, err = lockMark(c.mark(), os.O_CREATE|os.O_EXCL)
	}
	if err != nil {
		return nil, err
	}
	if err := c.takeOver(ctx, mark, fresh); err != nil {
		return nil, errors.Join(err, mark.Close())
	}
	return mark, nil
}

// takeOver begins a restore whose mark is locked.
func (c *Config) takeOver(ctx context.Context, mark *os.File, fresh bool) error {
	if fresh {
		if err := c.vacant(); err != nil { // another one was between the look and the mark
			return errors.Join(err, c.unmark())
		}
	} else {
		if unfinished, err := restoreUnfinished(ctx, *c); err != nil {
			return err
		} else if !unfinished {
			return errFull(c.Data, "a restore that is whole")
		}
		id, err := io.ReadAll(io.LimitReader(mark, 100))
		if err != nil {
			return fmt.Errorf("read the mark of a restore: %w", err)
		}
		if id := string(id); clock.ValidID("own", id) {
			c.restore = id
		}
		if err := c.clearData(ctx); err != nil {
			return err
		}
	}
	if c.restore == "" {
		c.restore = c.newOwner()
		_, err := mark.WriteAt([]byte(c.restore), 0)
		if err := errors.Join(err, mark.Truncate(int64(len(c.restore))), mark.Sync(), syncDir(c.Data)); err != nil {
			return fmt.Errorf("mark the restore: %w", err)
		}
	}
	return nil
}

func (c Config) mark() string { return filepath.Join(c.Data, unfinishedFile) }

// lockMark opens the mark of a restore and locks it, until it is closed.
func lockMark(path string, flags int) (*os.File, error) {
	busy := fault.New(fault.Conflict, "Another restore goes to %s. Wait for it, or name another data directory.", filepath.Dir(path))
	f, err := os.OpenFile(path, flags|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, busy
	}
	if err != nil {
		return nil, fmt.Errorf("mark the restore: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = busy
		}
		return nil, errors.Join(err, f.Close())
	}
	locked, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(locked, now) { // it ended just now
		return nil, errors.Join(busy, f.Close())
	}
	return f, nil
}

// vacant refuses a data directory with something in it.
func (c Config) vacant() error {
	entries, err := os.ReadDir(c.Data)
	if err != nil {
		return fmt.Errorf("look into data directory: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(c.Data, e.Name())
		if !samePath(path, filepath.Dir(c.KeyFile)) && !samePath(path, c.KeyFile) && e.Name() != "lost+found" && e.Name() != unfinishedFile {
			return errFull(c.Data, e.Name())
		}
	}
	return nil
}

func errFull(dir, what string) error {
	return fault.New(fault.Conflict, "There is something in %s already (%s), and a restore goes to an empty place only. Name another data directory.", dir, what)
}

func samePath(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// clearData removes what a restore puts into a data directory, but its mark.
func (c Config) clearData(ctx context.Context) error {
	if err := c.clearObjects(ctx); err != nil {
		return err
	}
	for _, name := range []string{"control.db-wal", "control.db-shm", "control.db", "control.db.lock", "objects", "backup.hold"} {
		if err := os.RemoveAll(filepath.Join(c.Data, name)); err != nil {
			return fmt.Errorf("remove unfinished restore: %w", err)
		}
	}
	return syncDir(c.Data)
}

func (c Config) fill(ctx context.Context, opened *backup.Opened, p backup.Progress) error {
	blobs, err := c.openEmptyObjects(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = blobs.Close() }()
	return opened.Restore(ctx, backup.Place{Database: meta.Config{URL: c.Database, Log: c.Log}, Blobs: blobs, Progress: p})
}

func (c Config) unload(ctx context.Context) (whole bool, err error) {
	return meta.Unload(ctx, meta.Config{URL: c.Database, Log: c.Log})
}

// unfill takes a failed restore away, once its database is unloaded. What it cannot
// take away keeps its mark.
func (c Config) unfill(ctx context.Context) error {
	if err := c.clearData(ctx); err != nil {
		return err
	}
	return c.unmark()
}

// undo takes away a restore that failed at cause when the database was filled. One
// that is whole by then stays, with its mark, which goes when it is opened next.
func (c Config) undo(ctx context.Context, cause error) error {
	whole, err := c.unload(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	if whole {
		return fault.Wrap(fault.KindOf(cause), cause, "All is restored to %s, but its mark could not be taken away: %s. Remove the file %s yourself; fsck says whether all is well.",
			c.Data, strings.TrimSuffix(fault.Message(cause), "."), c.mark())
	}
	return errors.Join(cause, c.unfill(ctx))
}

func (c Config) unmark() error {
	if err := os.Remove(filepath.Join(c.Data, unfinishedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end the restore: %w", err)
	}
	return syncDir(c.Data)
}

// settle records the restore in the audit log, and takes the marks away.
func (c Config) settle(ctx context.Context, r Restored) (engine string, err error) {
	err = with(ctx, c, func(s *stores) error {
		engine = s.db.Engine()
		if c.Streams == "" {
			if err := events.UnscopedRestart(ctx, s.db, c.archived(s)); err != nil {
				return err
			}
		}
		if err := s.audit.Record(ctx, audit.Entry{Actor: "tributary", Verb: "backup.restore", Subject: r.ID, Outcome: "ok",
			Details: map[string]any{"entry": r.Mark.Audit.Seq, "made_at": r.MadeAt.Format(time.RFC3339), "from": r.Engine, "to": engine, "findings": len(r.Findings)}}); err != nil {
			return err
		}
		return s.db.Loaded(ctx)
	})
	if err != nil {
		return engine, err
	}
	return engine, c.unmark()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
