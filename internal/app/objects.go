package app

import (
	"context"
	"database/sql"
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

// openObjects opens the object store of an installation, which a store in S3 knows
// by an id. With existing, there must be one; with reading too, and it is not
// written to.
func (c Config) openObjects(ctx context.Context, owner string, existing, reading bool) (objects, error) {
	noted := c.notedObjects()
	if noted != "" && !samePlace(noted, c.Objects) {
		return nil, fault.New(fault.Invalid, "The objects of this data are at %s. Name that with --objects, or remove the file %s if they have been moved.", noted, c.objectsNote())
	}
	if c.Objects == "" {
		store, err := disk.New(c.objectsDir(), c.Clock)
		if err != nil {
			return nil, fmt.Errorf("open object store: %w", err)
		}
		return store, nil
	}
	store, err := s3.New(ctx, s3.Config{URL: c.Objects, Owner: owner, Existing: existing, Reading: reading, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("open object store: %w", err)
	}
	return store, nil
}

// samePlace reports whether two URLs name one store.
func samePlace(a, b string) bool {
	placeA, errA := s3.Parse(a)
	placeB, errB := s3.Parse(b)
	return a == b || errA == nil && errB == nil && placeA == placeB
}

// ownerSetting names the row of settings with the id that a store in S3 has as its
// owner. A restore puts its own there, so that a copy of an installation has no
// power over what the one that it was made of has stored.
const ownerSetting = "objects"

// newOwner makes such an id.
func (c Config) newOwner() string { return c.Clock.ID("own") }

// ownerOf returns the owner's id; empty: this installation never used S3.
func ownerOf(ctx context.Context, db *meta.DB) (string, error) {
	var id []byte
	err := db.QueryRow(ctx, `SELECT value FROM settings WHERE name = $1`, ownerSetting).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the owner of the objects: %w", err)
	}
	return string(id), nil
}

// ownerBeside is ownerOf for a database of any version, which a server may have open.
func (c Config) ownerBeside(ctx context.Context) (id string, err error) {
	err = meta.ReadImage(ctx, meta.Config{URL: c.Database, Log: c.Log}, func(i *meta.Image) error {
		t := meta.Table{Name: "settings", Columns: []string{"name", "value"}}
		return i.Each(ctx, t, func(row []any) error {
			if value, ok := row[1].([]byte); ok && row[0] == ownerSetting {
				id = string(value)
			}
			return nil
		})
	})
	return id, err
}

// openObjectsBeside opens the store of this data to read it, while a server may run.
func (c Config) openObjectsBeside(ctx context.Context) (objects, error) {
	owner := ""
	if c.Objects != "" {
		var err error
		if owner, err = c.ownerBeside(ctx); err != nil {
			return nil, err
		}
		if owner == "" {
			owner = c.newOwner() // nobody's
		}
	}
	return c.openObjects(ctx, owner, true, true)
}

// openObjectsOf opens the store for the database that is open: one that nobody has
// used yet is no place for objects that the database knows.
func (c Config) openObjectsOf(ctx context.Context, db *meta.DB) (objects, error) {
	if c.loading {
		if err := c.ownRestored(ctx, db); err != nil {
			return nil, err
		}
	}
	if c.Objects == "" {
		return c.openObjects(ctx, "", false, false)
	}
	var known int64
	if err := db.Unscoped().QueryRow(ctx, `SELECT count(*) FROM (SELECT id FROM vault_objects UNION ALL SELECT id FROM archive_objects LIMIT 1) AS o`).Scan(&known); err != nil {
		return nil, fmt.Errorf("look for objects: %w", err)
	}
	existing := c.existing || known > 0
	owner, err := ownerOf(ctx, db)
	if err != nil {
		return nil, err
	}
	if owner == "" {
		owner = c.newOwner() // and no store that is there is its
		if !existing {
			if _, err := db.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)`, ownerSetting, []byte(owner)); err != nil {
				return nil, fmt.Errorf("store the owner of the objects: %w", err)
			}
		}
	}
	store, err := c.openObjects(ctx, owner, existing, false)
	if err == nil && !c.existing && c.notedObjects() == "" {
		if err := c.noteObjects(); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	return store, err
}

// ownRestored makes the restore's id the one of the objects, instead of that of
// the installation which was backed up.
func (c Config) ownRestored(ctx context.Context, db *meta.DB) error {
	err := db.Transact(ctx, func(tx *meta.DB) error {
		if _, err := tx.Exec(ctx, `DELETE FROM settings WHERE name = $1`, ownerSetting); err != nil || c.Objects == "" {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)`, ownerSetting, []byte(c.restore))
		return err
	})
	if err != nil {
		return fmt.Errorf("store the owner of the objects: %w", err)
	}
	return nil
}

// openEmptyObjects opens a store for a restore. It notes it before it claims it, so
// that what is claimed is found again.
func (c Config) openEmptyObjects(ctx context.Context) (objects, error) {
	if c.Objects != "" {
		if err := c.noteObjects(); err != nil {
			return nil, err
		}
	}
	return c.openObjects(ctx, c.restore, false, false)
}

// clearObjects takes away the objects of a restore that was cut off: what has its
// id. Where it claimed nothing there is nothing of it.
func (c Config) clearObjects(ctx context.Context) error {
	if c.Objects = c.notedObjects(); c.Objects == "" {
		return nil
	}
	if c.restore != "" {
		store, err := s3.New(ctx, s3.Config{URL: c.Objects, Owner: c.restore, Reading: true, Clock: c.Clock, Log: c.Log})
		if err == nil {
			err = errors.Join(store.Clear(ctx), store.Close())
		}
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("clear object store: %w", err)
		}
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
