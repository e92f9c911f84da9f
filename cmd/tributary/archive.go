package main

import (
	"context"
	"fmt"
	"strings"

	"tributary/client"
)

type archiveCmd struct {
	List    archiveListCmd    `cmd:"" help:"List the objects, the newest day first."`
	Show    archiveShowCmd    `cmd:"" help:"Show one of the objects."`
	Flush   archiveFlushCmd   `cmd:"" help:"Archive now what the streams have, which happens by itself within minutes."`
	Verify  archiveVerifyCmd  `cmd:"" help:"Read the objects, and see that none is lost, damaged or left out. With problems the exit code is 1."`
	Restore archiveRestoreCmd `cmd:"" help:"Load the objects into the warehouse, which leaves out what it has."`
	Rebuild archiveRebuildCmd `cmd:"" help:"Make the catalogue's rows anew from objects that have none."`

	EraseUser archiveEraseUserCmd `cmd:"" help:"Erase a person from a tenant's events: in the archive, the warehouse and quarantine."`
	Erasures  archiveErasuresCmd  `cmd:"" help:"List the erasures of people, the newest first."`
	Erasure   archiveErasureCmd   `cmd:"" help:"Show how the erasure of a person goes, and what it has taken away."`
}

// archiveFlags say which objects are meant.
type archiveFlags struct {
	tenantFlag
	Stream string `placeholder:"STREAM" help:"Only those of tenants, users, jobs or events."`
	From   string `placeholder:"DAY" help:"Only from this day (2026-01-31) on."`
	To     string `placeholder:"DAY" help:"Only up to this day."`
}

type archiveListCmd struct {
	archiveFlags
	listFlags
}

// Run lists the archive.
func (l *archiveListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	f := client.ArchiveFilter{TenantPage: client.TenantPage{Page: l.page(), Tenant: l.Tenant}, Stream: l.Stream, From: l.From, To: l.To}
	return printList(ctx, out, l.listFlags, c.Archive, f, columns[client.Archived]{
		[]string{"ID", "DAY", "STREAM", "TENANT", "BLOCKS", "EVENTS", "BYTES", "PROBLEM"},
		func(o client.Archived) []string {
			return []string{o.ID, o.Day, o.Stream, o.Tenant, fmt.Sprintf("%d-%d", o.FirstBlock, o.LastBlock), fmt.Sprint(o.Events), fmt.Sprint(o.SealedBytes), o.Problem}
		},
	})
}

type archiveShowCmd struct {
	Object string `arg:"" help:"Its id, arc_…"`
}

// Run shows an object.
func (s *archiveShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	o, err := c.Archived(ctx, s.Object)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", o.ID, "tenant", o.Tenant, "stream", o.Stream, "day", o.Day, "blocks", fmt.Sprintf("%d-%d", o.FirstBlock, o.LastBlock), "last block's digest", o.Digest,
			"events", fmt.Sprint(o.Events), "bytes", fmt.Sprintf("%d, %d sealed", o.Bytes, o.SealedBytes), "SHA-256, sealed", o.SHA256, "made of", plural(o.Parts, "part", "parts"), "created", when(o.CreatedAt), "problem", o.Problem)
	})
}

type archiveFlushCmd struct{}

// Run archives what there is.
func (archiveFlushCmd) Run(ctx context.Context, _ *output, c *client.Client) error {
	return c.FlushArchive(ctx)
}

type archiveVerifyCmd struct{ archiveFlags }

func (f archiveFlags) selected() client.ArchiveRange {
	return client.ArchiveRange{Tenant: f.Tenant, Stream: f.Stream, From: f.From, To: f.To}
}

// Run verifies the archive.
func (v *archiveVerifyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.VerifyArchive(ctx, v.selected(), func(n int64) { out.draw("verified " + plural(n, "object", "objects")) })
	if err != nil {
		return err
	}
	return out.archive(found, found.Findings, func() {
		if len(found.Findings) == 0 {
			out.line("The archive is whole: %s with %s.", plural(found.Objects, "object", "objects"), plural(found.Events, "event", "events"))
		}
	})
}

// archive prints what was done with the archive, and is an error if anything is wrong.
func (o *output) archive(done any, findings []client.ArchiveFinding, human func()) error {
	o.clearLine()
	var err error
	if o.json {
		err = o.JSON(done)
	} else {
		for _, f := range findings {
			o.line("%s  %s  %s", f.Tenant, f.Object, f.Problem)
		}
		human()
	}
	if err == nil && len(findings) > 0 {
		err = &exit{code: exitFailed, says: fmt.Sprintf("%s with the archive.", plural(int64(len(findings)), "thing is wrong", "things are wrong"))}
	}
	return err
}

type archiveRestoreCmd struct{ archiveFlags }

// Run restores the archive to the warehouse.
func (r *archiveRestoreCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	done, err := c.RestoreArchive(ctx, r.selected(), func(n int64) { out.draw("read " + plural(n, "event", "events")) })
	if err != nil {
		return err
	}
	return out.archive(done, done.Findings, func() {
		out.line("The warehouse has %s of %s.", plural(done.Events, "event", "events"), plural(done.Objects, "object", "objects"))
	})
}

type archiveRebuildCmd struct{}

// Run rebuilds the catalogue.
func (archiveRebuildCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	done, err := c.RebuildArchive(ctx)
	if err != nil {
		return err
	}
	return out.archive(done, done.Findings, func() {
		out.line("%s had no row; %d were added.", plural(done.Found, "object", "objects"), done.Added)
	})
}

type archiveEraseUserCmd struct {
	tenantFlag
	User   string `arg:"" help:"A user id or an anonymous id, as events have it."`
	Linked bool   `help:"Also the anonymous ids that are linked to it and to nobody else."`
	DryRun bool   `help:"Erase nobody: only say which names it would be, and how many events each has."`
	Wait   bool   `help:"Wait until it is done."`
}

// Run erases a person.
func (e *archiveEraseUserCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	r, err := c.EraseUser(ctx, client.EraseUser{Tenant: e.Tenant, User: e.User, Linked: e.Linked, DryRun: e.DryRun})
	if err == nil && e.DryRun {
		return out.wouldErase(r)
	}
	if err == nil && e.Wait {
		shared := r.Shared
		r, err = c.WaitErasure(ctx, r.ID, func(r client.Erasure) { out.draw("erased " + plural(r.Archived+r.Loaded+r.Held, "event", "events")) })
		r.Shared = shared
		out.clearLine()
	}
	if err != nil {
		return err
	}
	return out.erasure(r)
}

// wouldErase prints what an erasure would be.
func (o *output) wouldErase(r client.Erasure) error {
	return o.answer(func() {
		for _, f := range r.Found {
			o.line("%s  %s", f.Name, plural(f.Events, "event", "events"))
		}
		if len(r.Shared) > 0 {
			o.line("Left out, because they are somebody else's too: %s", strings.Join(r.Shared, ", "))
		}
	})
}

type archiveErasuresCmd struct {
	tenantFlag
	listFlags
}

// Run lists erasures.
func (l *archiveErasuresCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, l.listFlags, c.Erasures, client.TenantPage{Page: l.page(), Tenant: l.Tenant}, columns[client.Erasure]{
		[]string{"ID", "TENANT", "RECEIVED UNTIL", "NAMES", "DONE", "WAITS"},
		func(r client.Erasure) []string {
			return []string{r.ID, r.Tenant, when(r.Through), strings.Join(r.Names, ", "), whenever(r.DoneAt), r.Problem}
		},
	})
}

type archiveErasureCmd struct {
	Erasure string `arg:"" help:"Its id, era_…"`
}

// Run shows an erasure.
func (e *archiveErasureCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	r, err := c.Erasure(ctx, e.Erasure)
	if err != nil {
		return err
	}
	return out.erasure(r)
}

// some is a number, nothing for none.
func some(n int64) string {
	if n == 0 {
		return ""
	}
	return number(n)
}

func (o *output) erasure(r client.Erasure) error {
	return o.answer(func() {
		o.fields("id", r.ID, "tenant", r.Tenant, "names", strings.Join(r.Names, ", "), "left out, as somebody else's too", strings.Join(r.Shared, ", "), "received until", when(r.Through), "events out of the archive", fmt.Sprintf("%d, in %s", r.Archived, plural(r.Objects, "object", "objects")),
			"out of the warehouse", fmt.Sprint(r.Loaded), "out of quarantine", fmt.Sprint(r.Held), "objects not read", some(r.Unread), "waits", r.Problem, "done_at", whenever(r.DoneAt))
	})
}
