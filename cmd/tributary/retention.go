package main

import (
	"context"

	"tributary/client"
)

type holdCmd struct {
	Set     holdSetCmd     `cmd:"" help:"Set a legal hold on a tenant, or on what it has of one dataset."`
	List    holdListCmd    `cmd:"" help:"List legal holds, the newest first."`
	Release holdReleaseCmd `cmd:"" help:"End a legal hold."`
}

func (o *output) hold(h client.Hold) {
	o.fields("id", h.ID, "tenant", h.Tenant, "dataset", h.Dataset, "reason", h.Reason, "set_at", when(h.SetAt), "set_by", h.SetBy,
		"released_at", whenever(h.ReleasedAt), "released_by", h.ReleasedBy)
}

type holdSetCmd struct {
	slugArg
	Dataset string `placeholder:"NAME" help:"Only what it has of this dataset, and results made from that."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why; the tenant reads it."`
}

// Run sets a hold.
func (h *holdSetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	set, err := c.SetHold(ctx, client.NewHold{Tenant: h.Slug, Dataset: h.Dataset, Reason: h.Reason})
	if err != nil {
		return err
	}
	return out.answer(func() { out.hold(set) })
}

type holdListCmd struct {
	listFlags
	tenantFlag
	Ended bool `help:"Also those that were released."`
}

// Run lists holds.
func (h *holdListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.HoldFilter{TenantPage: client.TenantPage{Page: h.page(), Tenant: h.Tenant}, Ended: h.Ended}
	return printList(ctx, out, h.listFlags, c.Holds, filter, columns[client.Hold]{
		[]string{"ID", "TENANT", "DATASET", "SET", "RELEASED", "REASON"},
		func(x client.Hold) []string {
			return []string{x.ID, x.Tenant, x.Dataset, when(x.SetAt), whenever(x.ReleasedAt), x.Reason}
		},
	})
}

type holdReleaseCmd struct {
	ID string `arg:"" name:"id" help:"The hold's id."`
}

// Run ends a hold.
func (h *holdReleaseCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	released, err := c.ReleaseHold(ctx, h.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.hold(released) })
}

type retentionCmd struct {
	Preview retentionPreviewCmd `cmd:"" help:"Show what goes, by dataset and analysis."`
}

type retentionPreviewCmd struct {
	Days int `default:"30" placeholder:"N" help:"Until how many days from now; 0 is what is due; 30 if not said."`
}

// Run shows what retention deletes.
func (r *retentionPreviewCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.RetentionPreview(ctx, r.Days)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Going]{
		[]string{"DATASET", "ANALYSIS", "KEPT", "GO", "HELD", "FIRST"},
		func(g client.Going) []string {
			kept := ""
			if g.Days > 0 {
				kept = plural(g.Days, "day", "days")
			}
			return []string{g.Dataset, g.Analysis, kept, number(g.Count), number(g.Held), whenever(g.First)}
		},
	})
}

// recallFlags are those of what takes results back.
type recallFlags struct {
	Reason string `required:"" placeholder:"TEXT" help:"Why; every recipient reads it."`
}

type resultRecallCmd struct {
	ID string `arg:"" name:"id" help:"The result's id."`
	recallFlags
}

// Run recalls a result.
func (r *resultRecallCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.RecallResult(ctx, r.ID, r.Reason)
	if err != nil {
		return err
	}
	return out.answer(func() { out.result(x) })
}

type runRecallCmd struct {
	runArg
	recallFlags
}

// Run recalls a run's release.
func (r *runRecallCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.RecallRun(ctx, r.ID, r.Reason)
	if err != nil {
		return err
	}
	return out.answer(func() { out.run(x) })
}
