package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// writer is an object on its way: a file in tmp, under a name that tells nothing.
type writer struct {
	store *Store
	key   blob.Key
	file  *os.File
	temp  string // its name in tmp
	err   error  // why nothing more can be done; errEnded after Commit and Abort
}

var errEnded = errors.New("object was committed or aborted")

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	folder, name := locate(k)
	switch _, err := s.root.Lstat(path.Join(folder, name)); {
	case err == nil:
		return nil, taken(k)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, failure("look for object "+string(k), err)
	}
	return s.start(ctx, k)
}

func (s *Store) start(ctx context.Context, k blob.Key) (*writer, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	w := &writer{store: s, key: k, temp: s.clock.ID("new")}
	f, err := s.sys.create(s.root, path.Join(tmp, w.temp))
	if err != nil {
		return nil, failure("create object "+string(k), err)
	}
	w.file = f
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.store.sys.write(w.file, p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = failure("write object "+string(w.key), err)
	}
	return n, w.err
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) error {
	err := w.commit(ctx)
	w.Abort()
	return err
}

func (w *writer) commit(ctx context.Context) error {
	if w.err != nil {
		return fmt.Errorf("commit object %s: %w", w.key, w.err)
	}
	if err := w.store.usable(ctx); err != nil {
		return err
	}
	if err := w.store.sys.sync(w.file); err != nil {
		return failure("sync object "+string(w.key), err)
	}
	folder, name := locate(w.key)
	if err := w.store.keep(folder); err != nil {
		return err
	}
	dir, err := w.store.root.Open(folder)
	if err != nil {
		return failure("open folder of "+string(w.key), err)
	}
	defer dir.Close()
	err = w.store.sys.rename(w.store.tmp, w.temp, dir, name)
	if errors.Is(err, fs.ErrExist) {
		return taken(w.key)
	}
	if err != nil {
		return failure("name object "+string(w.key), err)
	}
	if err := w.store.syncOpen(dir); err != nil {
		// Nobody was told of it. If this fails too, the object stays: whole, unknown.
		_ = w.store.sys.remove(w.store.root, path.Join(folder, name))
		return err
	}
	return nil
}

// Abort implements blob.Writer.
func (w *writer) Abort() {
	if errors.Is(w.err, errEnded) {
		return
	}
	w.err = errEnded
	w.file.Close()
	// After Commit the name is gone from tmp; what cannot be removed Sweep finds.
	_ = w.store.sys.remove(w.store.root, path.Join(tmp, w.temp))
}

func taken(k blob.Key) error {
	return fault.New(fault.Conflict, "There is a stored object %s already.", k)
}
