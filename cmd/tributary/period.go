package main

import (
	"context"
	"fmt"

	"tributary/client"
)

type periodCmd struct {
	List   periodListCmd   `cmd:"" help:"List who stands how: which files are due, late or missing."`
	Show   periodShowCmd   `cmd:"" help:"Show a period: when it is due, how many tenants stand how, reopenings."`
	Reopen periodReopenCmd `cmd:"" help:"Let one tenant's files count until a time after the cut-off."`
	Close  periodCloseCmd  `cmd:"" help:"End a tenant's reopening now."`
}

var periodColumns = columns[client.Period]{
	[]string{"DATASET", "PERIOD", "TENANT", "STATE", "DUE", "CUT-OFF", "REOPENED UNTIL", "RECEIVED", "SUBMISSION"},
	func(p client.Period) []string {
		return []string{p.Dataset, p.Date, named(p.TenantSlug, p.Tenant), p.State, whenever(p.DueAt), whenever(p.CutOffAt), whenever(p.ReopenedUntil), whenever(p.ReceivedAt), p.Submission}
	},
}

type periodListCmd struct {
	listFlags
	viewFlags
	tenantFlag
	Dataset string `placeholder:"NAME" help:"Only of this dataset."`
	Date    string `placeholder:"YYYY-MM-DD" help:"Only the periods that this day is in."`
	From    string `placeholder:"YYYY-MM-DD" help:"The periods from this day's on; without it and --date those that are not past their cut-off, and the last that is."`
	State   string `placeholder:"STATE" enum:",due,received,validating,rejected,accepted,late,overdue,missing" default:"" help:"Only in this state: due, received, validating, rejected, accepted, late, overdue, missing."`
}

// Run lists how tenants stand.
func (p *periodListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.PeriodFilter{TenantPage: client.TenantPage{Page: p.page(), Tenant: p.Tenant}, Dataset: p.Dataset, Date: p.Date, From: p.From, State: p.State, View: p.view()}
	return printList(ctx, out, p.listFlags, c.Periods, filter, periodColumns)
}

// periodArgs name a period.
type periodArgs struct {
	Dataset string `arg:"" help:"The dataset."`
	Date    string `arg:"" help:"A day of the period, YYYY-MM-DD; its first is its name."`
}

type periodShowCmd struct{ periodArgs }

// Run shows a period.
func (p *periodShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Period(ctx, p.Dataset, p.Date)
	if err != nil {
		return err
	}
	return out.answer(func() {
		pairs := []string{"dataset", found.Dataset, "date", found.Date, "end", found.End, "label", found.Label, "due_at", whenever(found.DueAt), "cut_off_at", whenever(found.CutOffAt)}
		for _, state := range []string{"due", "received", "validating", "rejected", "accepted", "late", "overdue", "missing"} {
			if n := found.Tenants[state]; n > 0 {
				pairs = append(pairs, state, number(n))
			}
		}
		out.fields(pairs...)
		if len(found.Reopenings) == 0 {
			return
		}
		fmt.Fprintln(out.stdout)
		out.table([]string{"REOPENED FOR", "UNTIL", "CREATED", "CLOSED", "REASON"}, rows(found.Reopenings, columns[client.Reopening]{row: func(r client.Reopening) []string {
			return []string{named(r.TenantSlug, r.Tenant), when(r.Until), when(r.CreatedAt), whenever(r.ClosedAt), r.Reason}
		}}))
	})
}

type periodReopenCmd struct {
	periodArgs
	Tenant string `required:"" placeholder:"TENANT" help:"For this tenant, by id or slug."`
	Until  string `required:"" placeholder:"TIME" help:"When it ends: a date, a time, or days such as 2d."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; the tenant reads it."`
}

// Run reopens a period.
func (p *periodReopenCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	end, err := until(p.Until)
	if err != nil {
		return err
	}
	if end == nil {
		return usage("--until is empty: write 2026-12-31, 2026-12-31T18:00:00Z or a number of days such as 2d")
	}
	made, err := c.ReopenPeriod(ctx, p.Dataset, p.Date, client.NewReopening{Tenant: p.Tenant, Reason: p.Reason, Until: *end})
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.reopening(made)
		out.note("Where an analysis was released for this period, a schedule does not release it again if too few organisations have sent something new: the difference would show what they sent. A run by hand does.")
	})
}

func (o *output) reopening(r client.Reopening) {
	o.fields("id", r.ID, "tenant", named(r.TenantSlug, r.Tenant), "dataset", r.Dataset, "date", r.Date, "until", when(r.Until), "closed_at", whenever(r.ClosedAt))
}

type periodCloseCmd struct {
	periodArgs
	Tenant string `required:"" placeholder:"TENANT" help:"Of this tenant, by id or slug."`
}

// Run ends a reopening.
func (p *periodCloseCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	ended, err := c.ClosePeriod(ctx, p.Dataset, p.Date, p.Tenant)
	if err != nil {
		return err
	}
	return out.answer(func() { out.reopening(ended) })
}
