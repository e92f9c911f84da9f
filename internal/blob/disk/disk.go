// Package disk keeps objects as files in one directory. It promises what package
// blob does on any Linux file system that keeps its own promises; README.md has
// the steps from a call to the disk, and what a crash at each leaves.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/fault"
)

// The folders of a store, and the end of the names of objects.
const (
	objects = "objects"
	tmp     = "tmp"
	mark    = "+"
)

// maxDurable bounds what the store remembers of folders, to a few megabytes.
const maxDurable = 1 << 14

// Store is a blob.Store in a directory that one process has to itself.
type Store struct {
	root  *os.Root
	tmp   *os.File // the open folder tmp
	clock clock.Clock
	sys   system

	mu      sync.Mutex
	durable map[string]struct{} // folders known to survive a power cut
	failed  error               // set for good by a folder that could not be synced
}

// New opens the store in dir, an absolute or relative path; it is made, with mode
// 0700, if it does not exist. Close releases it.
func New(dir string, c clock.Clock) (*Store, error) { return open(dir, c, linux()) }

func open(dir string, c clock.Clock, sys system) (*Store, error) {
	if err := makeDurable(filepath.Clean(dir)); err != nil {
		return nil, failure("make directory of objects", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure("open directory of objects", err)
	}
	s := &Store{root: root, clock: c, sys: sys, durable: map[string]struct{}{}}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func (s *Store) prepare() (err error) {
	for _, name := range []string{objects, tmp} {
		if err := s.keep(name); err != nil {
			return err
		}
	}
	if s.tmp, err = s.root.Open(tmp); err != nil {
		return failure("open folder tmp", err)
	}
	return nil
}

// makeDurable makes dir and what is missing above it.
func makeDurable(dir string) error {
	parent := filepath.Dir(dir)
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist): // perhaps made by a process that died before the sync
	case errors.Is(err, fs.ErrNotExist) && parent != dir:
		if err := makeDurable(parent); err != nil {
			return err
		}
		return makeDurable(dir)
	case err != nil:
		return err
	}
	d, err := os.Open(parent)
	if errors.Is(err, fs.ErrPermission) {
		return nil // not a directory of ours
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close releases the store. Writers and objects that are open stay usable, but
// cannot be committed.
func (s *Store) Close() error { return errors.Join(s.tmp.Close(), s.root.Close()) }

// locate returns the folder and the name of the file that holds an object. The
// name ends in a plus, which no key has, so that keys "a" and "a/b" can both exist.
func locate(k blob.Key) (folder, name string) {
	dir, name := path.Split(string(k))
	return path.Join(objects, dir), name + mark
}

// keep makes a folder, and those above it, and sees that they survive a power
// cut. It trusts only what this process has synced: a folder may be there because
// another Commit has just made it, or because an earlier process died before it
// could sync it.
func (s *Store) keep(folder string) error {
	s.mu.Lock()
	_, ok := s.durable[folder]
	s.mu.Unlock()
	if ok {
		return nil
	}
	above := path.Dir(folder)
	if above != "." {
		if err := s.keep(above); err != nil {
			return err
		}
	}
	if err := s.sys.mkdir(s.root, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return failure("make folder of objects", err)
	}
	if err := s.syncFolder(above); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.durable) >= maxDurable {
		clear(s.durable)
	}
	s.durable[folder] = struct{}{}
	return nil
}

// syncFolder makes the names in a folder survive a power cut.
func (s *Store) syncFolder(folder string) error {
	d, err := s.root.Open(folder)
	if err != nil {
		return failure("open folder of objects", err)
	}
	defer d.Close()
	return s.syncOpen(d)
}

// syncOpen is syncFolder for an open one. A folder that cannot be synced fails the
// store for good: another sync could report success without having written what
// this one lost, also to a Commit that waits for the same folder.
func (s *Store) syncOpen(d *os.File) error {
	err := s.sys.syncDir(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.failed == nil {
		s.failed = failure("sync folder of objects", err)
		if fault.KindOf(s.failed) == fault.Internal {
			s.failed = unavailable(s.failed)
		}
	}
	return s.failed
}

// usable returns why the store takes no changes any more, or nil.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, k blob.Key) (blob.Object, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	folder, name := locate(k)
	f, err := s.root.Open(path.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(k)
	}
	if err != nil {
		return nil, failure("open object "+string(k), err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(fault.Damaged, "What is stored as %s is not an object.", k)
	}
	if err != nil {
		f.Close()
		return nil, failure("open object "+string(k), err)
	}
	return &object{f, k, info.Size()}, nil
}

type object struct {
	file *os.File
	key  blob.Key
	size int64
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.file.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = failure("read object "+string(o.key), err)
	}
	return n, err
}

func (o *object) Size() int64  { return o.size }
func (o *object) Close() error { return o.file.Close() }

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, k blob.Key) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	folder, name := locate(k)
	err := s.sys.remove(s.root, path.Join(folder, name))
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return failure("delete object "+string(k), err)
	}
	// Also if it is gone: whoever removed it may not have synced yet.
	if err := s.syncFolder(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if gone {
		return missing(k)
	}
	return nil
}

// Check implements blob.Store: it writes, syncs and removes a file of 4 KiB.
func (s *Store) Check(ctx context.Context) error {
	w, err := s.start(ctx, "check")
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 4096)); err != nil {
		return err
	}
	if err := s.sys.sync(w.file); err != nil {
		return failure("sync file of check", err)
	}
	return s.syncOpen(s.tmp)
}

// Sweep removes what writers left that never came to Commit or Abort, if nothing
// was written to it for olderThan, and returns how many it removed. A writer that
// still lives is not harmed but its Commit fails; at start, before any, olderThan
// may be 0.
func (s *Store) Sweep(ctx context.Context, olderThan time.Duration) (int, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	entries, err := fs.ReadDir(s.root.FS(), tmp)
	if err != nil {
		return 0, failure("list folder tmp", err)
	}
	removed := 0
	before := s.clock.Now().Add(-olderThan)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().After(before) {
			continue
		}
		if err != nil {
			return removed, failure("look at "+e.Name(), err)
		}
		switch err := s.sys.remove(s.root, path.Join(tmp, e.Name())); {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist):
			return removed, failure("remove "+e.Name(), err)
		}
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, s.syncOpen(s.tmp)
}

func missing(k blob.Key) error {
	return fault.New(fault.NotFound, "There is no stored object %s.", strings.ToValidUTF8(string(k), "?"))
}

// failure gives an error of the operating system its kind.
func failure(doing string, err error) error {
	chain := fmt.Errorf("%s: %w", doing, err)
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fault.Wrap(fault.StorageFull, chain, "The disk that holds the stored objects is full.")
		}
	}
	for _, broken := range []error{syscall.EIO, syscall.EROFS, syscall.ENODEV, syscall.ENXIO, syscall.ESTALE, syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, broken) {
			return unavailable(chain)
		}
	}
	return chain
}

func unavailable(cause error) error {
	return fault.Wrap(fault.Unavailable, cause, "The disk that holds the stored objects does not work as it should. Nothing was acknowledged; try again later.")
}
