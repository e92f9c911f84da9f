package archive

import (
	"context"
	"errors"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// warehouse is the part of warehouse.Warehouse that a restore and an erasure need.
type warehouse interface {
	// UnscopedRestore loads events that a stream may have no longer. Those that are there
	// are left out.
	UnscopedRestore(ctx context.Context, n stream.Name, list []events.Event) error
	// UnscopedPerson finds out who is somebody, by a name, and linked, by those that are
	// known to be the same person's and nobody else's.
	UnscopedPerson(ctx context.Context, id tenant.ID, name string, linked bool) (events.Person, error)
	// UnscopedErase deletes a person's events, and returns how many they were.
	UnscopedErase(ctx context.Context, r events.Erasure) (int64, error)
	// UnscopedRemake makes again what was made of a tenant's events.
	UnscopedRemake(ctx context.Context, id tenant.ID) error
}

// UnscopedSince calls each with the archived events of a stream that came on a time's day or
// later, of a tenant, or with "" of all and of the provider: chain by chain, in order, some
// at a time. Objects that are damaged or lost are passed over, and returned.
func (a *Archive) UnscopedSince(ctx context.Context, id tenant.ID, n stream.Name, t time.Time, each func([]events.Event) error) (unread []string, err error) {
	f := Filter{Stream: n}
	if !t.IsZero() {
		f.From = DayOf(t)
	}
	err = a.walk(ctx, id, f, func(o Object, from uint64) error {
		found, err := a.read(ctx, o, from, each)
		for _, x := range found {
			unread = append(unread, x.Object)
		}
		return err
	})
	return unread, err
}

// read calls each with an object's events, from a block on. If the object cannot be read, it
// returns and logs why; an error of each's is returned as it is.
func (a *Archive) read(ctx context.Context, o Object, from uint64, each func([]events.Event) error) (unread []Finding, err error) {
	var failed error
	err = a.readOne(ctx, o, from, func(list []events.Event) error {
		if list, failed = a.Blocks.Kept(ctx, list); failed == nil && len(list) > 0 {
			failed = each(list)
		}
		return failed
	})
	if failed == nil && fault.Is(err, fault.NotFound) { // some stores have no bytes any more for who reads them when they are removed
		if gone := a.gone(ctx, o); errors.Is(gone, errMeanwhile) {
			return nil, gone
		}
	}
	if failed == nil && (fault.Is(err, fault.Damaged) || fault.Is(err, fault.NotFound)) {
		a.Log.ErrorContext(ctx, "an object of the archive cannot be read", "object", o.ID, "tenant.id", string(o.Tenant), "error", err)
		return []Finding{{o.Tenant, o.ID, fault.Message(err)}}, nil
	}
	return nil, err
}

func (a *Archive) readOne(ctx context.Context, o Object, from uint64, each func([]events.Event) error) error {
	r, err := a.open(ctx, o)
	if err != nil {
		return err
	}
	defer r.close()
	var list []events.Event
	size := 0
	err = r.each(func(rows []row) error {
		for n := range rows {
			if uint64(rows[n].Block) < from {
				continue
			}
			e, err := rows[n].event()
			if err != nil {
				return r.damaged(err)
			}
			e.Tenant = o.Tenant
			list = append(list, e)
			size += len(e.Data) + len(e.Context) + 200
		}
		if size < groupBytes {
			return nil
		}
		some := list
		list, size = nil, 0
		return each(some)
	})
	if err != nil {
		return err
	}
	return each(list)
}

// Export calls each with all events of the scope's tenant that the streams have, or had, as
// lines of JSON: those of an object in one part, or in several. What cannot be had is returned.
func (a *Archive) Export(ctx context.Context, scope tenant.Scope, each func(o Object, part int, lines []byte) error) (unread []Finding, err error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
		return nil, err
	}
	if err := a.Flush(ctx); err != nil { // which may be for another's sake
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.Log.ErrorContext(ctx, "an export goes without what could not be archived", "tenant.id", string(scope.Tenant()), "error", err)
		unread = append(unread, Finding{Tenant: scope.Tenant(), Problem: "The newest events could not be archived, and may be missing. Export again later."})
	}
	err = a.walk(ctx, scope.Tenant(), Filter{}, func(o Object, from uint64) error {
		if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
			return err
		}
		part := 0
		found, err := a.read(ctx, o, from, func(list []events.Event) error {
			lines, err := events.Lines(list)
			if err != nil {
				return err
			}
			part++
			return each(o, part, lines)
		})
		unread = append(unread, found...)
		return err
	})
	return unread, err
}

// Restored is what a restore into the warehouse read.
type Restored struct {
	Objects, Events int64
	Findings        []Finding // objects that could not be read
	Next            string    // where to go on; empty: that was all
}

// UnscopedRestore loads some objects' events into the warehouse, in the order of chains, of
// a tenant, or with "" of all and of the provider. What is there already stays as it is.
// after is the Next of the call before. Each call is an entry of the audit log.
func (a *Archive) UnscopedRestore(ctx context.Context, by string, id tenant.ID, f Filter, after string) (done Restored, err error) {
	read, next, err := a.some(ctx, id, f, after, func(o Object, from uint64) error {
		found, err := a.read(ctx, o, from, func(list []events.Event) error {
			done.Events += int64(len(list))
			return a.warehouse.UnscopedRestore(ctx, o.Stream, list)
		})
		done.Findings = append(done.Findings, found...)
		return err
	})
	if err != nil {
		return done, err
	}
	done.Objects, done.Next = int64(len(read)), next
	return done, a.record(ctx, by, "archive.restore", id, read, map[string]any{"objects": done.Objects, "events": done.Events, "findings": len(done.Findings)})
}

// SetWarehouse says where events are restored to.
func (a *Archive) SetWarehouse(w warehouse) { a.warehouse = w }
