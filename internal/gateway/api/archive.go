package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/archive"
	"tributary/internal/events"
	"tributary/internal/policy"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// archiveRoutes look at the archive of the streams.
func (s *server) archiveRoutes() {
	add(s, route{method: http.MethodGet, path: "/archive", id: "list-archive", summary: "List the archive's objects, the newest day first: one's own, or all tenants'", thing: "archived object",
		action: policy.ArchiveRead, audience: anyone}, s.archiveList)
	add(s, route{method: http.MethodGet, path: "/archive/{id}", id: "show-archived", summary: "One of the archive's objects", thing: "archived object",
		action: policy.ArchiveRead, audience: anyone}, s.archiveShow)
	add(s, route{method: http.MethodPost, path: "/archive/verify", id: "verify-archive", summary: "Read some of the archive's objects and say what is wrong with them", thing: "archived object",
		action: policy.ArchiveManage, audience: staff, audit: "archive.verify"}, s.archiveVerify)
	add(s, route{method: http.MethodPost, path: "/archive/restore", id: "restore-archive", summary: "Load some of the archive's objects into the warehouse, which leaves out what it has", thing: "archived object",
		action: policy.ArchiveManage, audience: staff, audit: "archive.restore"}, s.archiveRestore)
	add(s, route{method: http.MethodPost, path: "/archive/rebuild", id: "rebuild-archive", summary: "Make the catalogue's rows anew from objects that have none", thing: "archived object",
		action: policy.ArchiveManage, audience: staff, audit: "archive.rebuild"}, s.archiveRebuild)
	add(s, route{method: http.MethodPost, path: "/archive/erasures", id: "erase-user", summary: "Erase a person from a tenant's events: in the archive, the warehouse and quarantine", thing: "erasure",
		action: policy.ArchiveErase, audience: anyone, audit: "archive.erase-user", status: http.StatusAccepted}, s.archiveErase)
	add(s, route{method: http.MethodGet, path: "/archive/erasures", id: "list-erasures", summary: "List the erasures of people, the newest first: one's own, or all tenants'", thing: "erasure",
		action: policy.ArchiveErase, audience: anyone}, s.archiveErasures)
	add(s, route{method: http.MethodGet, path: "/archive/erasures/{id}", id: "show-erasure", summary: "How the erasure of a person goes, and what it has taken away", thing: "erasure",
		action: policy.ArchiveErase, audience: anyone}, s.archiveErasure)
	add(s, route{method: http.MethodPost, path: "/archive/flush", id: "flush-archive", summary: "Archive all that the streams have by now", thing: "archived object",
		action: policy.ArchiveManage, audience: staff, audit: "archive.flush", status: http.StatusNoContent}, s.archiveFlush)
}

// archiveFilter reads which objects are meant.
func archiveFilter(name, from, to string) (f archive.Filter, err error) {
	f.Stream = stream.Name(name)
	if from != "" {
		f.From, err = archive.ParseDay(from)
	}
	if to != "" && err == nil {
		f.To, err = archive.ParseDay(to)
	}
	return f, err
}

type archivePage struct {
	TenantPaging
	Stream string `query:"stream" doc:"tenants, users, jobs or events; absent: all"`
	From   string `query:"from" doc:"The first day, as 2026-01-31"`
	To     string `query:"to" doc:"The last day"`
}

func (s *server) archiveList(ctx context.Context, c *call, i *archivePage) (*list[client.Archived], error) {
	f, err := archiveFilter(i.Stream, i.From, i.To)
	if err != nil {
		return nil, err
	}
	var found []archive.Object
	var next string
	if c.staff() {
		var id tenant.ID
		if id, err = c.named(ctx, i.Tenant); err == nil {
			found, next, err = s.Archive.UnscopedObjects(ctx, id, f, i.meta())
		}
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			found, next, err = s.Archive.Objects(ctx, scope, f, i.meta())
		}
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, archivedWord), nil
}

func (s *server) archiveShow(ctx context.Context, c *call, i *ByID) (*out[client.Archived], error) {
	var o archive.Object
	var err error
	if c.staff() {
		o, err = s.Archive.UnscopedObject(ctx, i.ID)
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			o, err = s.Archive.Object(ctx, scope, i.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return &out[client.Archived]{Body: archivedWord(o)}, nil
}

func archivedWord(o archive.Object) client.Archived {
	return client.Archived{ID: o.ID, Tenant: string(o.Tenant), Stream: string(o.Stream), Day: o.Day.String(), Parts: o.Parts, FirstBlock: o.First, LastBlock: o.Last,
		Digest: o.Digest.String(), Events: o.Events, Bytes: o.Size, SealedBytes: o.SealedSize, SHA256: hex.EncodeToString(o.SHA256[:]), CreatedAt: o.CreatedAt, Problem: o.Problem}
}

func (s *server) archiveRestore(ctx context.Context, c *call, i *in[client.ArchiveRange]) (*out[client.RestoredArchive], error) {
	id, f, err := s.archiveRange(ctx, c, i.Body)
	if err != nil {
		return nil, err
	}
	done, err := s.Archive.UnscopedRestore(ctx, c.by(), id, f, i.Body.After)
	if err != nil {
		return nil, err
	}
	return &out[client.RestoredArchive]{Body: client.RestoredArchive{Objects: done.Objects, Events: done.Events, Findings: archiveFindings(done.Findings), Next: done.Next}}, nil
}

func (s *server) archiveRebuild(ctx context.Context, c *call, _ *struct{}) (*out[client.RebuiltArchive], error) {
	done, err := s.Archive.UnscopedRebuild(ctx, c.by())
	if err != nil {
		return nil, err
	}
	return &out[client.RebuiltArchive]{Body: client.RebuiltArchive{Found: done.Found, Added: done.Added, Findings: archiveFindings(done.Findings)}}, nil
}

func (s *server) archiveErase(ctx context.Context, c *call, i *in[client.EraseUser]) (*out[client.Erasure], error) {
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	if i.Body.DryRun {
		return s.archivePerson(ctx, c, id, i.Body)
	}
	var r events.Erasure
	var shared []string
	if c.staff() {
		r, shared, err = s.Archive.UnscopedEraseUser(ctx, c.by(), id, i.Body.User, i.Body.Linked)
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			r, shared, err = s.Archive.EraseUser(ctx, scope, i.Body.User, i.Body.Linked)
		}
	}
	if err != nil {
		return nil, err
	}
	word := erasureWord(c, r)
	word.Shared = shared
	return &out[client.Erasure]{Body: word}, nil
}

// archivePerson says what an erasure would be.
func (s *server) archivePerson(ctx context.Context, c *call, id tenant.ID, e client.EraseUser) (*out[client.Erasure], error) {
	var p events.Person
	var err error
	if c.staff() {
		p, err = s.Archive.UnscopedPerson(ctx, c.by(), id, e.User, e.Linked)
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			id = scope.Tenant()
			p, err = s.Archive.Person(ctx, scope, e.User, e.Linked)
		}
	}
	if err != nil {
		return nil, err
	}
	word := client.Erasure{Tenant: string(id), Names: []string{}, Shared: p.Shared}
	for n, name := range p.Names {
		word.Found = append(word.Found, client.NameUsed{Name: name, Events: p.Events[n]})
	}
	return &out[client.Erasure]{Body: word}, nil
}

func (s *server) archiveErasures(ctx context.Context, c *call, i *TenantPaging) (*list[client.Erasure], error) {
	var found []events.Erasure
	var next string
	var err error
	if c.staff() {
		var id tenant.ID
		if id, err = c.named(ctx, i.Tenant); err == nil {
			found, next, err = s.Archive.UnscopedErasures(ctx, id, i.meta())
		}
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			found, next, err = s.Archive.Erasures(ctx, scope, i.meta())
		}
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, func(r events.Erasure) client.Erasure { return erasureWord(c, r) }), nil
}

func (s *server) archiveErasure(ctx context.Context, c *call, i *ByID) (*out[client.Erasure], error) {
	var r events.Erasure
	var err error
	if c.staff() {
		r, err = s.Archive.UnscopedErasure(ctx, i.ID)
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err == nil {
			r, err = s.Archive.Erasure(ctx, scope, i.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return &out[client.Erasure]{Body: erasureWord(c, r)}, nil
}

func erasureWord(c *call, r events.Erasure) client.Erasure {
	if c.staff() || r.Damage != nil { // whom a tenant has erased is its own
		r.Names = []string{}
	}
	if !r.Done() {
		r.DoneAt = time.Time{}
	}
	return client.Erasure{ID: r.ID, Tenant: string(r.Tenant), Names: r.Names, Through: r.Through, StartedBy: r.By, Objects: r.Objects, Archived: r.Archived, Unread: r.Unread,
		Loaded: r.Loaded, Held: r.Held, Problem: r.Problem, DoneAt: known(r.DoneAt)}
}

// archiveRange reads what of the archive is meant.
func (s *server) archiveRange(ctx context.Context, c *call, r client.ArchiveRange) (tenant.ID, archive.Filter, error) {
	f, err := archiveFilter(r.Stream, r.From, r.To)
	if err != nil {
		return "", f, err
	}
	id, err := c.named(ctx, r.Tenant)
	return id, f, err
}

func archiveFindings(list []archive.Finding) []client.ArchiveFinding {
	words := []client.ArchiveFinding{}
	for _, p := range list {
		words = append(words, client.ArchiveFinding{Tenant: string(p.Tenant), Object: p.Object, Problem: p.Problem})
	}
	return words
}

func (s *server) archiveFlush(ctx context.Context, c *call, _ *struct{}) (*struct{}, error) {
	return nil, s.Archive.UnscopedFlush(ctx, c.by())
}

func (s *server) archiveVerify(ctx context.Context, c *call, i *in[client.ArchiveRange]) (*out[client.VerifiedArchive], error) {
	id, f, err := s.archiveRange(ctx, c, i.Body)
	if err != nil {
		return nil, err
	}
	v, err := s.Archive.UnscopedVerify(ctx, c.by(), id, f, i.Body.After)
	if err != nil {
		return nil, err
	}
	return &out[client.VerifiedArchive]{Body: client.VerifiedArchive{Objects: v.Objects, Events: v.Events, Bytes: v.Bytes, Findings: archiveFindings(v.Findings), Next: v.Next}}, nil
}
