package archive

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// quiet is for how long nothing must have come for a day that is over.
const quiet = time.Hour

// CompactDue makes one object of what a tenant has of a stream and a day, once the day is
// over and nothing has come for an hour.
func (a *Archive) CompactDue(ctx context.Context) error {
	now := a.Clock.Now()
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT stream, tenant, day FROM archive_objects WHERE day < $1
		GROUP BY stream, tenant, day HAVING count(*) > 1 AND max(created_at) < $2 ORDER BY day`, meta.Micros(DayOf(now).Time), meta.Micros(now.Add(-quiet)))
	if err != nil {
		return fmt.Errorf("look for what is to be compacted: %w", err)
	}
	type part struct {
		n   stream.Name
		id  tenant.ID
		day int64
	}
	var due []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.n, &p.id, &p.day); err != nil {
			return fmt.Errorf("look for what is to be compacted: %w", err)
		}
		due = append(due, p)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for what is to be compacted: %w", err)
	}
	for _, p := range due {
		rows, err := a.DB.RowsOf(p.id).Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE stream = $1 AND tenant = $2 AND day = $3 ORDER BY first_block`, string(p.n), string(p.id), p.day)
		if err != nil {
			return fmt.Errorf("look for what is to be compacted: %w", err)
		}
		list, err := a.scanAll(rows)
		if err != nil {
			return err
		}
		if err := a.compact(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// compact makes one object of each run of a day's objects that go on from one another.
func (a *Archive) compact(ctx context.Context, list []Object) error {
	for len(list) > 0 {
		run := 1
		for run < len(list) && list[run].First == list[run-1].Last+1 && list[run].Previous == list[run-1].Digest {
			run++
		}
		if run > 1 {
			err := a.merge(ctx, list[:run], nil)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case fault.Is(err, fault.Damaged), fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict): // verify names it, or it was erased
				a.Log.ErrorContext(ctx, "a day of the archive cannot be compacted", "stream", string(list[0].Stream), "tenant.id", string(list[0].Tenant), "day", list[0].Day.String(), "error", err)
			case err != nil:
				return err
			}
		}
		list = list[run:]
	}
	return nil
}

// merge replaces objects by one with all their rows, but for those of people who were
// erased. also, which may be nil, is done in its transaction.
func (a *Archive) merge(ctx context.Context, list []Object, also func(tx *meta.DB, made Object) error) error {
	version := a.Erased.UnscopedVersion(list[0].Tenant)
	first, last := list[0], list[len(list)-1]
	o := Object{Tenant: first.Tenant, Stream: first.Stream, Day: first.Day, Previous: first.Previous}
	for _, part := range list {
		o.Parts += part.Parts
	}
	w, err := a.create(ctx, o)
	if err != nil {
		return err
	}
	for _, part := range list {
		if err := a.pour(ctx, part, w); err != nil {
			w.abort()
			return err
		}
	}
	w.through(first.First, first.Digest)
	w.through(last.Last, last.Digest)
	made, err := w.finish(ctx)
	if err != nil {
		return err
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		if a.Erased.UnscopedVersion(first.Tenant) != version {
			return fault.Wrap(fault.Conflict, errMeanwhile, "Somebody was erased meanwhile.")
		}
		for _, part := range list {
			if err := a.remove(ctx, tx, part); err != nil {
				return err
			}
		}
		if err := a.insert(ctx, tx, made); err != nil || also == nil {
			return err
		}
		return also(tx, made)
	})
	if fault.Is(err, fault.Conflict) { // an erasure came between
		a.discard(ctx, []Object{made})
	}
	return err // of which the rows may be there all the same; a sweep finds out
}

// pour writes an object's rows to another.
func (a *Archive) pour(ctx context.Context, o Object, w *writer) error {
	gone, err := a.Erased.UnscopedOf(ctx, o.Tenant)
	if err != nil {
		return err
	}
	r, err := a.open(ctx, o)
	if err != nil {
		return err
	}
	defer r.close()
	return r.each(func(rows []row) error {
		return w.addRows(slices.DeleteFunc(rows, func(x row) bool {
			return gone.Has(doer{x.Source, x.Received, x.User, x.Anonymous}.event())
		}))
	})
}

// SweepDue removes what a server that was killed left: objects that have had no row for
// an hour, and whose blocks other objects have, or whose tenant's key is gone. What has
// neither is left to fsck and to a rebuild.
func (a *Archive) SweepDue(ctx context.Context) error {
	now, rowless := a.Clock.Now(), map[string]time.Time{}
	strays, err := a.allStrays(ctx)
	if err != nil {
		return err
	}
	for _, o := range strays {
		since, ok := a.rowless[o.ID]
		if !ok {
			since = now
		}
		rowless[o.ID] = since
		if now.Sub(since) < orphanAge {
			continue
		}
		needed, err := a.needed(ctx, o)
		if err != nil {
			return err
		}
		if !needed {
			a.Log.InfoContext(ctx, "an object of the archive without a row is removed", "object", o.ID)
			a.discard(ctx, []Object{o})
		}
	}
	a.rowless = rowless
	return nil
}

// needed reports whether an object without a row may have what no other has.
func (a *Archive) needed(ctx context.Context, o Object) (bool, error) {
	r, err := a.openStray(ctx, o)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if fault.Is(err, fault.Damaged) {
		return true, nil
	}
	if err != nil {
		return true, err
	}
	r.close()
	list, err := a.overlapping(ctx, r.object)
	if err != nil {
		return true, err
	}
	at := r.object.First
	for _, have := range list {
		if have.First > at || have.Problem != "" {
			break
		}
		at = max(at, have.Last+1)
	}
	return at <= r.object.Last, nil
}

// overlapping lists the objects that have blocks of an object, in the order of the chain.
func (a *Archive) overlapping(ctx context.Context, o Object) ([]Object, error) {
	rows, err := a.DB.RowsOf(o.Tenant).Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE stream = $1 AND tenant = $2 AND first_block <= $3 AND last_block >= $4 ORDER BY first_block`,
		string(o.Stream), string(o.Tenant), int64(o.Last), int64(o.First))
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return a.scanAll(rows)
}
