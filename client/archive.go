package client

import "context"

// ArchiveFilter says which of the archive's objects are wanted.
type ArchiveFilter struct {
	TenantPage
	Stream   string // tenants, users, jobs, events; empty: all
	From, To string // days, as 2026-01-31; empty: all
}

func (f ArchiveFilter) from(cursor string) ArchiveFilter { f.After = cursor; return f }
func (f ArchiveFilter) limited(n int) ArchiveFilter      { f.Page = f.Page.limited(n); return f }

// Archive lists a page of the archive's objects, the newest day first. To a tenant they
// are its own.
func (c *Client) Archive(ctx context.Context, f ArchiveFilter) (List[Archived], error) {
	return get[List[Archived]](ctx, c, "/archive", f.values().text("stream", f.Stream).text("from", f.From).text("to", f.To))
}

// Archived returns one of the archive's objects.
func (c *Client) Archived(ctx context.Context, object string) (Archived, error) {
	return get[Archived](ctx, c, "/archive/"+id(object), nil)
}

// FlushArchive archives all that the streams have by now.
func (c *Client) FlushArchive(ctx context.Context) error {
	_, err := post[none](ctx, c, "/archive/flush", struct{}{})
	return err
}

// VerifyArchive reads the archive to its end, some of it with each request, and tells
// progress, which may be nil, how far it is.
func (c *Client) VerifyArchive(ctx context.Context, v ArchiveRange, progress func(objects int64)) (VerifiedArchive, error) {
	all := VerifiedArchive{Findings: []ArchiveFinding{}}
	for {
		some, err := post[VerifiedArchive](ctx, c, "/archive/verify", v)
		if err != nil {
			return all, err
		}
		all.Objects, all.Events, all.Bytes = all.Objects+some.Objects, all.Events+some.Events, all.Bytes+some.Bytes
		all.Findings = append(all.Findings, some.Findings...)
		if progress != nil {
			progress(all.Objects)
		}
		if v.After = some.Next; v.After == "" {
			return all, nil
		}
	}
}

// RestoreArchive loads the archive into the warehouse, some of it with each request, and
// tells progress, which may be nil, how far it is.
func (c *Client) RestoreArchive(ctx context.Context, r ArchiveRange, progress func(events int64)) (RestoredArchive, error) {
	all := RestoredArchive{Findings: []ArchiveFinding{}}
	for {
		some, err := post[RestoredArchive](ctx, c, "/archive/restore", r)
		if err != nil {
			return all, err
		}
		all.Objects, all.Events = all.Objects+some.Objects, all.Events+some.Events
		all.Findings = append(all.Findings, some.Findings...)
		if progress != nil {
			progress(all.Events)
		}
		if r.After = some.Next; r.After == "" {
			return all, nil
		}
	}
}

// RebuildArchive makes the catalogue's rows anew from objects that have none.
func (c *Client) RebuildArchive(ctx context.Context) (RebuiltArchive, error) {
	return post[RebuiltArchive](ctx, c, "/archive/rebuild", struct{}{})
}

// EraseUser begins the erasure of a person from a tenant's events, or in a dry run tells what
// it would be.
func (c *Client) EraseUser(ctx context.Context, e EraseUser) (Erasure, error) {
	return post[Erasure](ctx, c, "/archive/erasures", e)
}

// Erasure says how an erasure goes.
func (c *Client) Erasure(ctx context.Context, erasure string) (Erasure, error) {
	return get[Erasure](ctx, c, "/archive/erasures/"+id(erasure), nil)
}

// Erasures lists a page of erasures, the newest first. To a tenant they are its own.
func (c *Client) Erasures(ctx context.Context, p TenantPage) (List[Erasure], error) {
	return get[List[Erasure]](ctx, c, "/archive/erasures", p.values())
}

// WaitErasure waits until an erasure is done, and returns it. Seen, which may be nil, is
// called with what is seen on the way. The context bounds how long.
func (c *Client) WaitErasure(ctx context.Context, erasure string, seen func(Erasure)) (Erasure, error) {
	var e Erasure
	err := poll(ctx, func() (done bool, err error) {
		if e, err = c.Erasure(ctx, erasure); err == nil && seen != nil {
			seen(e)
		}
		return e.DoneAt != nil, err
	})
	return e, err
}
