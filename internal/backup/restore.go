package backup

import (
	"context"
	"slices"

	"tributary/internal/blob"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// Place is where a backup goes: a database and an object store that are empty.
type Place struct {
	Database meta.Config
	Blobs    blob.Store
	Progress Progress
}

// Restore puts a backup into a place. Every byte is checked while it is read, and
// the end of the audit log against the mark. The database stays marked as not
// whole until the caller says Loaded; what to do after an error is the caller's.
func (o *Opened) Restore(ctx context.Context, p Place) error {
	if p.Progress == nil {
		p.Progress = func(string, int64, int64) {}
	}
	list, err := o.objects()
	if err != nil {
		return err
	}
	if err := meta.Load(ctx, p.Database, o.Schema, func(l meta.Loader) error { return o.loadTables(ctx, l, p.Progress) }); err != nil {
		return err
	}
	var done int64
	for _, want := range list {
		p.Progress("bytes of objects", done, o.Objects.Bytes)
		got, err := copyObject(ctx, o.target.pool, p.Blobs, blob.Key(want.Key))
		if fault.Is(err, fault.NotFound) {
			return damaged(o.ID, "the object %s is missing", want.Key)
		}
		if err != nil {
			return err
		}
		if err := o.compare(want, got); err != nil {
			return err
		}
		done += want.Size
	}
	p.Progress("bytes of objects", done, o.Objects.Bytes)
	return nil
}

func (o *Opened) loadTables(ctx context.Context, l meta.Loader, p Progress) error {
	var heads []head
	var done int64
	err := o.eachTable(func(t meta.Table, next func() ([]any, error)) error {
		return l.Fill(ctx, t, func() ([]any, error) {
			row, err := next()
			if err != nil {
				return nil, err
			}
			if t.Name == "audit_heads" {
				heads = append(heads, headOf(t, row))
			}
			if done++; done%1000 == 0 {
				p("control tables", done, o.Control.Rows)
			}
			return row, nil
		})
	})
	if err != nil {
		return err
	}
	return o.checkMark(heads)
}

// ErasedSince returns the tenants whose erasure other backups of the same directory
// know of and this one does not: after a restore they are there again.
// Only backups that the same server signed count.
func (o *Opened) ErasedSince() ([]Erasure, error) {
	s, err := o.target.shelf()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, e := range o.Erased {
		known[e.Tenant] = true
	}
	list := []Erasure{}
	for _, b := range s.readable {
		if !slices.Equal(b.PublicKey, o.PublicKey) {
			continue
		}
		for _, e := range b.Erased {
			if !known[e.Tenant] {
				known[e.Tenant] = true
				list = append(list, e)
			}
		}
	}
	return list, nil
}
