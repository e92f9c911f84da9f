package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tributary/client"
)

type freshnessCmd struct {
	tenantFlag
	Kind  string `enum:",source,stream,fact,model" default:"" help:"Only these: source, stream, fact or model."`
	State string `enum:",fresh,late,silent,never,broken" default:"" help:"Only these: fresh, late, silent, never or broken."`
}

// Run lists how new everything is.
func (f *freshnessCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Freshness(ctx, client.FreshnessFilter{Tenant: f.Tenant, Kind: f.Kind, State: f.State})
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Freshness]{
		[]string{"KIND", "NAME", "TENANT", "STATE", "NEWEST", "COMPLETE TO", "LAG", "EXPECTED"},
		func(x client.Freshness) []string {
			return []string{x.Kind, x.Name, x.Tenant, x.State, whenever(x.LastAt), whenever(x.CompleteTo), seconds(x.LagSeconds), seconds(x.ExpectedSeconds)}
		},
	})
}

// seconds is a duration for people.
func seconds(n int64) string {
	if n == 0 {
		return ""
	}
	return (time.Duration(n) * time.Second).String()
}

type warehouseCmd struct {
	Status  warehouseStatusCmd  `cmd:"" help:"How far the warehouse is loaded and made, and the rebuild that runs or ran last."`
	Rebuild warehouseRebuildCmd `cmd:"" help:"Make rows anew: facts of what the archive and the streams have, models of the facts. It goes on in the background."`
	Cancel  warehouseCancelCmd  `cmd:"" help:"End the rebuild that runs; what it has written stays."`
}

type warehouseStatusCmd struct{}

// Run shows how the warehouse is doing.
func (warehouseStatusCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Warehouse(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		var rows [][]string
		for _, s := range found.Streams {
			rows = append(rows, []string{s.Stream, fmt.Sprint(s.Loaded), fmt.Sprint(s.Last), whenever(s.Through), s.Problem})
		}
		out.table([]string{"STREAM", "LOADED", "LAST", "THROUGH", "PROBLEM"}, rows)
		out.line("")
		rows = nil
		for _, t := range found.Tables {
			rows = append(rows, []string{t.Name, t.Each, fmt.Sprint(t.Rows), fmt.Sprint(t.Intervals), fmt.Sprint(t.Stale), whenever(t.NewestAt), whenever(t.ChangedAt), t.Problem})
		}
		out.table([]string{"TABLE", "EACH", "ROWS", "INTERVALS", "STALE", "NEWEST", "CHANGED", "PROBLEM"}, rows)
		if found.Problems > 0 {
			out.note("%s of events could not be loaded: tributary query \"SELECT stream, sequence, problem FROM load_problem\"", plural(found.Problems, "block", "blocks"))
		}
		if found.Rebuild != nil {
			out.line("")
			out.rebuild(*found.Rebuild)
		}
	})
}

func (o *output) rebuild(r client.Rebuild) {
	o.fields("rebuild", r.State, "table", r.Table, "tenant", r.Tenant, "from", whenever(r.From), "to", whenever(r.To), "started_at", when(r.StartedAt), "started_by", r.StartedBy,
		"ended_at", whenever(r.EndedAt), "stream", r.Stream, "rows", fmt.Sprint(r.Rows), "intervals", fmt.Sprint(r.Intervals), "problem", r.Problem)
	if len(r.Unread) > 0 {
		o.note("%s of the archive could not be read, and is missing: %s; tributary archive verify says why", plural(int64(len(r.Unread)), "object", "objects"), strings.Join(r.Unread, ", "))
	}
	switch {
	case r.Stream == "":
	case r.Last > 0:
		o.note("%d of %d messages of the stream %s are read", r.Read, r.Last, r.Stream)
	default:
		o.note("%s of the stream %s", plural(r.Archived, "archived event is read", "archived events are read"), r.Stream)
	}
}

type warehouseRebuildCmd struct {
	Table string `help:"Only this table; a view's is what it is made of."`
	tenantFlag
	From time.Time `placeholder:"TIME" help:"Only what happened at this time (2026-01-31T08:00:00Z) or later."`
	To   time.Time `placeholder:"TIME" help:"Only what happened before this time."`
}

// Run begins a rebuild.
func (r *warehouseRebuildCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	n := client.NewRebuild{Table: r.Table, Tenant: r.Tenant}
	if !r.From.IsZero() {
		n.From = &r.From
	}
	if !r.To.IsZero() {
		n.To = &r.To
	}
	begun, err := c.StartRebuild(ctx, n)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.rebuild(begun)
		out.note("tributary warehouse status says how it goes")
	})
}

type warehouseCancelCmd struct{}

// Run ends the rebuild that runs.
func (warehouseCancelCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.CancelRebuild(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() { out.rebuild(found) })
}
