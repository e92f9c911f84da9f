package archive

import (
	"context"
	"strings"
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

// EraseUser begins the erasure of a person from the events of the scope's tenant: all that
// came until now, under this name and those that stand for the same person. The server
// carries it out, and begins again what it did not end.
func (a *Archive) EraseUser(ctx context.Context, scope tenant.Scope, user string) (events.Erasure, error) {
	if err := scope.Check(ctx, tenant.Delete, tenant.Events); err != nil {
		return events.Erasure{}, err
	}
	return a.UnscopedEraseUser(ctx, scope.Actor(), scope.Tenant(), user)
}

// UnscopedEraseUser is EraseUser for somebody of the provider's.
func (a *Archive) UnscopedEraseUser(ctx context.Context, by string, id tenant.ID, user string) (events.Erasure, error) {
	switch {
	case id == "":
		return events.Erasure{}, fault.New(fault.Invalid, "Say of which tenant.")
	case user == "" || len(user) > longestName:
		return events.Erasure{}, fault.New(fault.Invalid, "Say who is to be erased, as events name them: in up to %d bytes.", longestName)
	}
	r := events.Erasure{ID: a.Clock.ID("era"), Tenant: id, Names: []string{user}, Through: meta.Time(meta.Micros(a.Clock.Now())), By: by}
	return r, a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := a.Tenants.UnscopedHeld(ctx, tx, id); err != nil {
			return err
		}
		if err := a.Erased.Add(ctx, tx, r); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: id, Actor: by, Verb: "archive.erase-user", Subject: r.ID, Outcome: "ok"})
	})
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

// EraseDue carries out the erasures that are not yet. What fails waits for a minute, and
// keeps no other from being done.
func (a *Archive) EraseDue(ctx context.Context) error {
	list, err := a.Erased.UnscopedDue(ctx)
	if err != nil {
		return err
	}
	now := a.Clock.Now()
	for _, r := range list {
		if now.Before(a.eraseAfter[r.ID]) {
			continue
		}
		err := a.erase(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			delete(a.eraseAfter, r.ID)
			continue
		}
		a.eraseAfter[r.ID] = now.Add(time.Minute)
		a.Log.WarnContext(ctx, "a person is not erased yet", "erasure", r.ID, "tenant.id", string(r.Tenant), "error", err)
		if err := a.Erased.Wait(ctx, r, fault.Message(err)); err != nil {
			return err
		}
	}
	return nil
}

// erase carries out an erasure. Each step finds nothing more to do when it is done again.
func (a *Archive) erase(ctx context.Context, r events.Erasure) error {
	if !r.Whole {
		names, err := a.warehouse.UnscopedNames(ctx, r.Tenant, r.Names[0])
		if err != nil {
			return err
		}
		r.Names, r.Whole = names, true
		a.writing.Lock() // so that what a flush opened before is in the catalogue by now
		err = a.Erased.Name(ctx, r)
		a.writing.Unlock()
		if err != nil {
			return err
		}
	}
	if err := a.Quarantine.UnscopedErase(ctx, r); err != nil {
		return err
	}
	loaded, err := a.warehouse.UnscopedErase(ctx, r)
	if err != nil {
		return err
	}
	if err := a.Erased.Count(ctx, a.DB, r, events.Erasure{Loaded: loaded}); err != nil {
		return err
	}
	unread, err := a.eraseObjects(ctx, r)
	if err != nil {
		return err
	}
	if err := a.RemoveDue(ctx); err != nil {
		return err
	}
	if err := a.bytesLeft(ctx, r); err != nil {
		return err
	}
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := a.Erased.End(ctx, tx, r, unread, a.Clock.Now()); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: r.By, Verb: "archive.erased", Subject: r.ID, Outcome: "ok"})
	})
}

// eraseObjects writes the tenant's objects anew that have the person's events, and returns
// how many could not be read.
func (a *Archive) eraseObjects(ctx context.Context, r events.Erasure) (unread int64, err error) {
	err = a.walk(ctx, r.Tenant, Filter{Stream: stream.Events}, func(o Object, _ uint64) error {
		has, err := a.hasPerson(ctx, o, r)
		if err == nil && has {
			err = a.merge(ctx, []Object{o}, func(tx *meta.DB, made Object) error {
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
func (a *Archive) hasPerson(ctx context.Context, o Object, p events.Erasure) (bool, error) {
	r, err := a.open(ctx, o)
	if err != nil {
		return false, err
	}
	defer r.close()
	has := false
	err = eachOf(r, func(rows []doer) error {
		for n := range rows {
			has = has || p.Has(rows[n].event())
		}
		return nil
	})
	return has, err
}

// bytesLeft is Unavailable while there are bytes of the tenant's from before an erasure that
// the catalogue does not have.
func (a *Archive) bytesLeft(ctx context.Context, r events.Erasure) error {
	garbage, err := a.garbage(ctx)
	if err != nil {
		return err
	}
	for _, k := range garbage {
		if strings.HasPrefix(string(k), Prefix+string(r.Tenant)+"/") {
			return fault.New(fault.Unavailable, "A backup is being made; what the erasure replaced is removed after it.")
		}
	}
	return a.strays(ctx, Prefix+string(r.Tenant)+"/", func(o Object, i blob.Info) error {
		if i.Modified.Before(r.Through.Add(time.Minute)) {
			return fault.New(fault.Unavailable, "The archive's object %s has no row in its catalogue, and may have what is to be erased. It is removed within hours if others have all that is in it; else tributary archive rebuild reads it.", o.ID)
		}
		return nil
	})
}
