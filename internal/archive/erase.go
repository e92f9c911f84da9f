package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/blob"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// quarantine is the part of events.Events that the erasure of a person needs.
type quarantine interface {
	// UnscopedErase removes a person's events from quarantine, and counts them.
	UnscopedErase(ctx context.Context, r events.Erasure) error
}

// longestName is how many bytes the name of who is to be erased has at most.
const longestName = 1024

// Person says who is somebody of the scope's tenant, and how many events each name has: what
// EraseUser would take.
func (a *Archive) Person(ctx context.Context, scope tenant.Scope, user string, linked bool) (events.Person, error) {
	if err := scope.Check(ctx, tenant.Delete, tenant.Events); err != nil {
		return events.Person{}, err
	}
	return a.UnscopedPerson(ctx, scope.Actor(), scope.Tenant(), user, linked)
}

// UnscopedPerson is Person for somebody of the provider's.
func (a *Archive) UnscopedPerson(ctx context.Context, by string, id tenant.ID, user string, linked bool) (events.Person, error) {
	if err := checkName(id, user); err != nil {
		return events.Person{}, err
	}
	p, err := a.warehouse.UnscopedPerson(ctx, id, user, linked)
	if err != nil {
		return p, err
	}
	return p, a.Audit.Record(ctx, audit.Entry{Tenant: id, Actor: by, Verb: "archive.erase-user", Subject: "archive", Outcome: "ok", Details: map[string]any{"dry_run": true, "names": len(p.Names)}})
}

// EraseUser begins the erasure of a person from the events of the scope's tenant: all that
// came until now under this name, and linked, under those that Person has. The server
// carries it out, and begins again what it did not end. Names that are somebody else's
// too are left out, and returned.
func (a *Archive) EraseUser(ctx context.Context, scope tenant.Scope, user string, linked bool) (_ events.Erasure, shared []string, err error) {
	if err := scope.Check(ctx, tenant.Delete, tenant.Events); err != nil {
		return events.Erasure{}, nil, err
	}
	return a.UnscopedEraseUser(ctx, scope.Actor(), scope.Tenant(), user, linked)
}

// UnscopedEraseUser is EraseUser for somebody of the provider's.
func (a *Archive) UnscopedEraseUser(ctx context.Context, by string, id tenant.ID, user string, linked bool) (_ events.Erasure, shared []string, err error) {
	if err := checkName(id, user); err != nil {
		return events.Erasure{}, nil, err
	}
	r := events.Erasure{ID: a.Clock.ID("era"), Tenant: id, Names: []string{user}, Through: meta.Time(meta.Micros(a.Clock.Now())), By: by}
	if linked {
		p, err := a.warehouse.UnscopedPerson(ctx, id, user, true)
		if err != nil {
			return r, nil, err
		}
		r.Names, shared = p.Names, p.Shared
	}
	return r, shared, a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := a.Tenants.UnscopedHeld(ctx, tx, id); err != nil {
			return err
		}
		if err := a.Erased.Add(ctx, tx, r); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: id, Actor: by, Verb: "archive.erase-user", Subject: r.ID, Outcome: "ok", Details: map[string]any{"names": len(r.Names)}})
	})
}

func checkName(id tenant.ID, user string) error {
	switch {
	case id == "":
		return fault.New(fault.Invalid, "Say of which tenant.")
	case user == "" || len(user) > longestName:
		return fault.New(fault.Invalid, "Say who is to be erased, as events name them: in up to %d bytes.", longestName)
	}
	return nil
}

// Erasure says how an erasure of the scope's tenant goes.
func (a *Archive) Erasure(ctx context.Context, scope tenant.Scope, id string) (events.Erasure, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Events); err != nil {
		return events.Erasure{}, err
	}
	return a.Erased.UnscopedFind(ctx, scope.Tenant(), id)
}

// UnscopedErasure says how an erasure goes, of whichever tenant.
func (a *Archive) UnscopedErasure(ctx context.Context, id string) (events.Erasure, error) {
	return a.Erased.UnscopedFind(ctx, "", id)
}

// Erasures lists those of the scope's tenant, the newest first.
func (a *Archive) Erasures(ctx context.Context, scope tenant.Scope, page meta.Page) ([]events.Erasure, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Events); err != nil {
		return nil, "", err
	}
	return a.Erased.UnscopedList(ctx, scope.Tenant(), page)
}

// UnscopedErasures lists those of a tenant, or with "" of all.
func (a *Archive) UnscopedErasures(ctx context.Context, id tenant.ID, page meta.Page) ([]events.Erasure, string, error) {
	return a.Erased.UnscopedList(ctx, id, page)
}

// When an erasure is tried again that could not be ended, and one that could not read all.
const (
	eraseRetry = time.Minute
	eraseDaily = 24 * time.Hour
)

// EraseDue carries out the erasures that are not yet: of each tenant one after the other, in
// turns, so that nobody's many keep another's waiting. What fails waits for a minute, and
// keeps no other from being done.
func (a *Archive) EraseDue(ctx context.Context) error {
	for {
		tried, err := a.eraseTurn(ctx)
		if err != nil || tried == 0 {
			return err
		}
	}
}

// eraseTurn tries one erasure of each tenant, and returns how many that were.
func (a *Archive) eraseTurn(ctx context.Context) (tried int, err error) {
	list, err := a.Erased.UnscopedDue(ctx)
	if err != nil {
		return 0, err
	}
	now, had := a.Clock.Now(), map[tenant.ID]bool{}
	for _, r := range list {
		if had[r.Tenant] || now.Before(a.eraseAfter[r.ID]) {
			continue
		}
		had[r.Tenant] = true
		unread, err := a.erase(ctx, r)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err == nil && unread == 0:
			delete(a.eraseAfter, r.ID)
		case err == nil:
			a.eraseAfter[r.ID] = now.Add(eraseDaily)
		default:
			a.eraseAfter[r.ID] = now.Add(eraseRetry)
			a.Log.WarnContext(ctx, "a person is not erased yet", "erasure", r.ID, "tenant.id", string(r.Tenant), "error", err)
			if err := a.Erased.Wait(ctx, r, fault.Message(err)); err != nil {
				return 0, err
			}
		}
	}
	return len(had), nil
}

// taken is what an erasure has taken away while it waits for the rest.
type taken struct {
	again  int64 // of the erasure
	unread int64 // objects
}

// erase carries out an erasure, and returns how many objects could not be read. Each step
// finds nothing more to do when it is done again.
func (a *Archive) erase(ctx context.Context, r events.Erasure) (unread int64, err error) {
	if r.Damage != nil {
		return 0, r.Damage
	}
	if err := a.begin(ctx, &r); err != nil {
		return 0, err
	}
	had, ok := a.taken[r.ID]
	if !ok || had.again != r.Again {
		had = taken{again: r.Again}
		if had.unread, err = a.take(ctx, r); err != nil {
			return 0, err
		}
		a.taken[r.ID] = had
	}
	if err := a.RemoveDue(ctx); err != nil {
		return 0, err
	}
	if err := a.bytesLeft(ctx, r); err != nil {
		return 0, err
	}
	counted, err := a.Erased.UnscopedFind(ctx, r.Tenant, r.ID)
	if err != nil {
		return 0, err
	}
	delete(a.taken, r.ID)
	return had.unread, a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := a.Erased.End(ctx, tx, r, had.unread, a.Clock.Now()); err != nil || r.Done() && r.Unread == had.unread {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: r.By, Verb: "archive.erased", Subject: r.ID, Outcome: "ok",
			Details: map[string]any{"archived": counted.Archived, "objects": counted.Objects, "unread": had.unread, "loaded": counted.Loaded, "held": counted.Held}})
	})
}

// begin has the person's events left out from now on. While there is a hold on the tenant it
// is a Conflict, and what was not erased before it is had again.
func (a *Archive) begin(ctx context.Context, r *events.Erasure) error {
	a.writing.Lock() // what a flush opened before is in the catalogue afterwards
	defer a.writing.Unlock()
	if r.Begun {
		err := a.Tenants.UnscopedHeld(ctx, a.DB, r.Tenant)
		if !fault.Is(err, fault.Conflict) || !r.DoneAt.IsZero() {
			return err
		}
		delete(a.taken, r.ID)
		r.Begun = false
		return errors.Join(err, a.Erased.Begin(ctx, *r, func(*meta.DB) error { return nil }))
	}
	r.Begun = true
	return a.Erased.Begin(ctx, *r, func(tx *meta.DB) error { return a.Tenants.UnscopedHeld(ctx, tx, r.Tenant) })
}

// take takes the person's events away, and returns how many objects could not be read.
func (a *Archive) take(ctx context.Context, r events.Erasure) (unread int64, err error) {
	if err := a.Quarantine.UnscopedErase(ctx, r); err != nil {
		return 0, err
	}
	loaded, err := a.warehouse.UnscopedErase(ctx, r)
	if err != nil {
		return 0, err
	}
	if err := a.Erased.Count(ctx, a.DB, r, events.Erasure{Loaded: loaded}); err != nil {
		return 0, err
	}
	if err := a.warehouse.UnscopedRemake(ctx, r.Tenant); err != nil {
		return 0, err
	}
	return a.eraseObjects(ctx, r)
}

// eraseObjects writes the tenant's objects anew that have the person's events, and returns
// how many could not be read.
func (a *Archive) eraseObjects(ctx context.Context, r events.Erasure) (unread int64, err error) {
	who := r.People()
	err = a.walk(ctx, r.Tenant, Filter{Stream: stream.Events}, func(o Object, _ uint64) error {
		has, err := a.hasPerson(ctx, o, who)
		if err == nil && has {
			err = a.merge(ctx, []Object{o}, func(tx *meta.DB, made Object) error {
				if err := a.Tenants.UnscopedHeld(ctx, tx, r.Tenant); err != nil {
					return err
				}
				return a.Erased.Count(ctx, tx, r, events.Erasure{Archived: o.Events - made.Events, Objects: 1})
			})
		}
		if fault.Is(err, fault.Damaged) {
			a.Log.ErrorContext(ctx, "an object of the archive cannot be read, and nobody erased from it", "object", o.ID, "tenant.id", string(o.Tenant), "error", err)
			unread++
			return nil
		}
		return err
	})
	return unread, err
}

// hasPerson reports whether an object has events of a person.
func (a *Archive) hasPerson(ctx context.Context, o Object, who events.People) (bool, error) {
	r, err := a.open(ctx, o)
	if err != nil {
		return false, err
	}
	defer r.close()
	return r.has(who)
}

// has reports whether there are events of some people.
func (r *reader) has(who events.People) (has bool, err error) {
	err = eachOf(r, func(rows []doer) error {
		for n := range rows {
			has = has || who.Has(rows[n].event())
		}
		return nil
	})
	return has, err
}

// bytesLeft is Unavailable while there are bytes of the tenant's with the person that the
// catalogue has no more, or does not have and nothing else has.
func (a *Archive) bytesLeft(ctx context.Context, r events.Erasure) error {
	var garbage int64
	if err := a.DB.For(r.Tenant).QueryRow(ctx, `SELECT count(*) FROM archive_garbage WHERE tenant = $1`, string(r.Tenant)).Scan(&garbage); err != nil {
		return fmt.Errorf("count removed objects of the archive: %w", err)
	}
	if garbage > 0 {
		return fault.New(fault.Unavailable, "Objects that were replaced are not removed yet: a backup is being made, or the server's log says why.")
	}
	left, err := a.straysWith(ctx, r)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := a.Flush(ctx); err != nil { // a server that was killed in one left them
		return err
	}
	return a.removeStrays(ctx, left)
}

// straysWith lists the tenant's objects without a row that have the person.
func (a *Archive) straysWith(ctx context.Context, r events.Erasure) (left []Object, err error) {
	who := r.People()
	err = a.strays(ctx, Prefix+string(r.Tenant)+"/"+string(stream.Events)+"/", func(o Object, _ blob.Info) error {
		stray, err := a.openStray(ctx, o)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		has := false
		if err == nil {
			has, err = stray.has(who)
			stray.close()
		}
		if fault.Is(err, fault.Damaged) {
			return fault.Wrap(fault.Unavailable, err, "The archive's object %s has no row in its catalogue and cannot be read, and may have what is to be erased. Put it right, or remove its bytes from the object store.", o.ID)
		}
		if err == nil && has {
			left = append(left, o)
		}
		return err
	})
	return left, err
}

// removeStrays removes objects without a row that have a person who is erased, whatever
// their age: no flush is under way, and a compaction that read the person comes to nothing.
func (a *Archive) removeStrays(ctx context.Context, left []Object) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	done, err := a.Removing()
	if err != nil {
		return err
	}
	defer done()
	for _, o := range left {
		needed, err := a.needed(ctx, o)
		if err != nil {
			return err
		}
		if needed {
			return fault.New(fault.Unavailable, "The archive's object %s has no row in its catalogue, and has what is to be erased and what no other has: tributary archive rebuild reads it.", o.ID)
		}
		if err := a.Blobs.Delete(ctx, o.blobKey()); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("remove bytes of %s: %w", o.blobKey(), err)
		}
	}
	return nil
}
