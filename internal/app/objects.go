package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tributary/internal/blob"
	"tributary/internal/blob/disk"
	"tributary/internal/blob/s3"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// objects is the object store with what only app does to it.
type objects interface {
	blob.Store
	io.Closer
	Sweep(ctx context.Context, olderThan time.Duration) (int, error)
}

// objectsDir is where objects are, unless they are in S3.
func (c Config) objectsDir() string { return filepath.Join(c.Data, "objects") }

// objectsNote is the file that says where else they are.
func (c Config) objectsNote() string { return filepath.Join(c.Data, "objects.url") }

// notedObjects is what the note says; empty if there is none.
func (c Config) notedObjects() string {
	at, err := os.ReadFile(c.objectsNote())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(at))
}

func (c Config) noteObjects() error {
	if err := os.WriteFile(c.objectsNote(), []byte(c.Objects+"\n"), 0o600); err != nil {
		return fmt.Errorf("note where objects are: %w", err)
	}
	return syncDir(c.Data)
}

// openObjects opens the object store of an installation, which its public key
// names; empty, for who only reads, it may be anybody's. With existing, there must
// be one.
func (c Config) openObjects(ctx context.Context, owner string, existing bool) (objects, error) {
	if c.Objects == "" {
		if at := c.notedObjects(); at != "" {
			return nil, fault.New(fault.Invalid, "The objects of this data are at %s. Name that with --objects, or remove the file %s if they have been moved to %s.",
				at, c.objectsNote(), c.objectsDir())
		}
		store, err := disk.New(c.objectsDir(), c.Clock)
		if err != nil {
			return nil, fmt.Errorf("open object store: %w", err)
		}
		return store, nil
	}
	store, err := s3.New(ctx, s3.Config{URL: c.Objects, Owner: owner, Existing: existing, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	return store, nil
}

// openObjectsOf is openObjects for the database that is open: a store that nobody
// has used yet is no place for objects that the database knows.
func (c Config) openObjectsOf(ctx context.Context, db *meta.DB, owner string) (objects, error) {
	var known int64
	if err := db.Unscoped().QueryRow(ctx, `SELECT count(*) FROM (SELECT id FROM vault_objects LIMIT 1) AS o`).Scan(&known); err != nil {
		return nil, fmt.Errorf("look for objects: %w", err)
	}
	store, err := c.openObjects(ctx, owner, !c.loading && (c.existing || known > 0))
	if err == nil && c.Objects != "" && !c.existing && c.Objects != c.notedObjects() {
		if err := c.noteObjects(); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	return store, err
}

// openEmptyObjects opens a store for a restore, and notes it: from then on what is
// in it is the restore's.
func (c Config) openEmptyObjects(ctx context.Context, owner string) (objects, error) {
	store, err := c.openObjects(ctx, owner, false)
	if err != nil || c.Objects == "" {
		return store, err
	}
	full := fault.New(fault.Conflict, "There are objects at %s already, and a restore goes to an empty place only. Name another prefix.", c.Objects)
	if err = store.List(ctx, "", func(blob.Info) error { return full }); err == nil {
		err = c.noteObjects()
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// clearObjects takes away the objects of a restore that was cut off.
func (c Config) clearObjects(ctx context.Context) error {
	if c.Objects = c.notedObjects(); c.Objects == "" {
		return nil
	}
	store, err := s3.New(ctx, s3.Config{URL: c.Objects, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return fmt.Errorf("open object store: %w", err)
	}
	if err := errors.Join(store.Clear(ctx), store.Close()); err != nil {
		return err
	}
	if err := os.Remove(c.objectsNote()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget where objects are: %w", err)
	}
	return nil
}

// sweepUnfinished removes what uploads left that were cut off more than a day ago.
func (s *stores) sweepUnfinished(ctx context.Context) error {
	_, err := s.blobs.Sweep(ctx, 24*time.Hour)
	return err
}
