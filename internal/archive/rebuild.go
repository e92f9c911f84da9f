package archive

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"tributary/internal/audit"
	"tributary/internal/blob"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// strays calls each with the objects that have no row, as far as their keys tell what they
// are: those below a prefix of keys.
func (a *Archive) strays(ctx context.Context, prefix string, each func(o Object, i blob.Info) error) error {
	known := map[blob.Key]bool{}
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT blob_key FROM archive_objects WHERE blob_key LIKE $1 UNION ALL SELECT blob_key FROM archive_garbage`, prefix+"%")
	if err != nil {
		return fmt.Errorf("list the archive: %w", err)
	}
	for rows.Next() {
		var k blob.Key
		if err := rows.Scan(&k); err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		known[k] = true
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list the archive: %w", err)
	}
	err = a.Blobs.List(ctx, prefix, func(i blob.Info) error {
		if o, ok := ofKey(i.Key); ok && !known[i.Key] {
			o.SealedSize = i.Size
			return each(o, i)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	return nil
}

// allStrays lists the objects that have no row.
func (a *Archive) allStrays(ctx context.Context) (list []Object, err error) {
	err = a.strays(ctx, Prefix, func(o Object, _ blob.Info) error {
		list = append(list, o)
		return nil
	})
	return list, err
}

// ofKey reads from an object's key what blobKey wrote.
func ofKey(k blob.Key) (o Object, ok bool) {
	parts := strings.Split(strings.TrimPrefix(string(k), Prefix), "/")
	if len(parts) != 4 {
		return o, false
	}
	if o.Tenant = tenant.ID(parts[0]); parts[0] == provider {
		o.Tenant = ""
	}
	day, err := ParseDay(parts[2])
	o.Stream, o.Day, o.ID = stream.Name(parts[1]), day, parts[3]
	return o, err == nil && o.Stream.Valid() && clock.ValidID("arc", o.ID) && (o.Tenant == "" || o.Tenant.Valid())
}

// openStray opens an object without a row, and finds out what it is.
func (a *Archive) openStray(ctx context.Context, o Object) (r *reader, err error) {
	opened := &reader{object: o}
	if opened.blob, err = a.Blobs.Open(ctx, o.blobKey()); err != nil {
		return nil, fmt.Errorf("open archive object: %w", err)
	}
	if err = opened.unseal(ctx, a.Keys); err == nil {
		var found Object
		if found, err = opened.notes(); err == nil && found.Day != o.Day {
			err = fault.New(fault.Damaged, "The archive's object %s lies under another day than its own.", o.ID)
		}
		found.SealedSize = o.SealedSize
		opened.object = found
	}
	if err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// Rebuilt is what a rebuild of the catalogue did.
type Rebuilt struct {
	Found    int64     // objects without a row
	Added    int64     // of them, to the catalogue
	Findings []Finding // objects that could not be read
}

// UnscopedRebuild makes rows of the catalogue anew from objects that have none: of each
// chain's blocks those that no row has. Where several objects have the same blocks, it
// takes what was made of most.
func (a *Archive) UnscopedRebuild(ctx context.Context, by string) (done Rebuilt, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	strays, err := a.allStrays(ctx)
	if err != nil {
		return done, err
	}
	var found []Object
	for _, o := range strays {
		done.Found++
		o, err := a.measure(ctx, o)
		switch {
		case fault.Is(err, fault.NotFound): // its tenant's key is gone
		case fault.Is(err, fault.Damaged):
			done.Findings = append(done.Findings, Finding{o.Tenant, o.ID, fault.Message(err)})
		case err != nil:
			return done, err
		default:
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(x, y Object) int {
		if d := int64(y.Last-y.First) - int64(x.Last-x.First); d != 0 {
			return int(max(-1, min(1, d)))
		}
		return y.CreatedAt.Compare(x.CreatedAt)
	})
	for _, o := range found {
		have, err := a.overlapping(ctx, o)
		if err != nil {
			return done, err
		}
		if len(have) > 0 {
			continue
		}
		if err := a.DB.Transact(ctx, func(tx *meta.DB) error {
			if err := a.insert(ctx, tx, o); err != nil || o.Tenant == "" {
				return err
			}
			return a.Erased.UnscopedAgain(ctx, tx, o.Tenant) // it may have who was erased from others
		}); err != nil {
			return done, err
		}
		done.Added++
	}
	return done, a.Audit.Record(ctx, audit.Entry{Actor: by, Verb: "archive.rebuild", Subject: "archive", Outcome: "ok",
		Details: map[string]any{"found": done.Found, "added": done.Added, "findings": len(done.Findings)}})
}

// measure reads an object without a row, and returns what its row is to be.
func (a *Archive) measure(ctx context.Context, o Object) (Object, error) {
	r, err := a.openStray(ctx, o)
	if err != nil {
		return o, err
	}
	defer r.close()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r.blob, 0, r.blob.Size())); err != nil {
		return o, fmt.Errorf("read archive object: %w", err)
	}
	o = r.object
	o.SealedSize = r.blob.Size()
	copy(o.SHA256[:], h.Sum(nil))
	return o, nil
}
