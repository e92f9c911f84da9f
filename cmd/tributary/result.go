package main

import (
	"context"
	"io"
	"path/filepath"

	"tributary/client"
)

type resultCmd struct {
	List   resultListCmd   `cmd:"" help:"List results, the newest first."`
	Show   resultShowCmd   `cmd:"" help:"Show a result."`
	Rows   resultRowsCmd   `cmd:"" help:"Print a result's rows."`
	Get    resultGetCmd    `cmd:"" help:"Download a result."`
	Recall resultRecallCmd `cmd:"" help:"Take a result back: its recipient reads why, and can open it no more."`
}

type resultListCmd struct {
	listFlags
	viewFlags
	tenantFlag
	Analysis string `placeholder:"NAME" help:"Only of this analysis."`
	Date     string `placeholder:"YYYY-MM-DD" help:"Only for this business date."`
}

// Run lists results.
func (r *resultListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.ResultFilter{TenantPage: client.TenantPage{Page: r.page(), Tenant: r.Tenant}, Analysis: r.Analysis, Date: r.Date, View: r.view()}
	return printList(ctx, out, r.listFlags, c.Results, filter, columns[client.Result]{
		[]string{"ID", "TENANT", "ANALYSIS", "DATE", "ROWS", "SUPPRESSED", "MARKED", "STATE", "NAME", "CREATED"},
		func(r client.Result) []string {
			return []string{r.ID, named(r.TenantSlug, r.Tenant), r.Analysis, r.Date, number(r.Rows), number(r.Suppressed), yesNo(r.Marked), r.State, r.Name, when(r.CreatedAt)}
		},
	})
}

type resultShowCmd struct {
	ID string `arg:"" name:"id" help:"The result's id."`
}

// Run shows a result.
func (r *resultShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.Result(ctx, r.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.result(x) })
}

func (o *output) result(x client.Result) {
	o.fields("id", x.ID, "tenant", named(x.TenantSlug, x.Tenant), "analysis", x.Analysis, "version", number(x.Version), "date", x.Date, "run", x.Run, "release", x.Release,
		"name", x.Name, "rows", number(x.Rows), "suppressed", number(x.Suppressed), "marked", yesNo(x.Marked), "mark", x.Mark,
		"state", x.State, "recalled_at", whenever(x.RecalledAt), "recall_reason", x.RecallReason, "deletes_at", whenever(x.DeletesAt),
		"deleted_at", whenever(x.DeletedAt), "held", yesIf(x.Held), "created_at", when(x.CreatedAt), "downloaded_at", whenever(x.DownloadedAt))
}

type resultRowsCmd struct {
	ID    string `arg:"" name:"id" help:"The result's id."`
	Limit int    `placeholder:"N" help:"How many rows at most, up to 1000, which is also how many if not said."`
	After string `placeholder:"CURSOR" help:"Go on behind where an earlier page ended: its next."`
}

// Run prints a page of a result.
func (r *resultRowsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	p, err := c.ResultRows(ctx, r.ID, r.After, r.Limit)
	if err != nil {
		return err
	}
	return out.answer(func() {
		header := make([]string, len(p.Columns))
		for i, c := range p.Columns {
			header[i] = c.Name
		}
		out.table(header, plain(p.Rows))
		if p.Next != "" {
			out.note("there is more: --after %s", p.Next)
		}
	})
}

type resultGetCmd struct {
	ID string `arg:"" name:"id" help:"The result's id."`
	target
	Format string `placeholder:"FORMAT" enum:",csv,parquet" default:"" help:"csv or parquet; if not said, as the file's name ends, else csv."`
}

// Run downloads a result.
func (r *resultGetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	format := r.Format
	if format == "" {
		format = "csv"
		if filepath.Ext(r.Output) == ".parquet" {
			format = "parquet"
		}
	}
	return r.fetch(ctx, out, func(ctx context.Context, w io.Writer, p client.Progress) (client.Download, error) {
		return c.ResultContent(ctx, r.ID, format, w, p)
	})
}
