package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"tributary/client"
)

type datasetCmd struct {
	Apply datasetApplyCmd `cmd:"" help:"Apply a dataset's contract; a changed one makes a version."`
	List  datasetListCmd  `cmd:"" help:"List datasets by name."`
	Show  datasetShowCmd  `cmd:"" help:"Show a dataset's columns, or its contract."`

	Template datasetTemplateCmd `cmd:"" help:"Download a file as the dataset wants it, with one example row."`
}

// applied says what applying a document did.
func applied(out *output, id string, version int64, changed *bool) {
	done := "changed"
	switch {
	case changed != nil && !*changed:
		done = "unchanged"
	case version == 1:
		done = "created"
	}
	out.line("%s  version %d  %s", id, version, done)
}

type datasetApplyCmd struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"The contract, in YAML; - is standard input."`
}

// Run applies a contract.
func (d *datasetApplyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	yaml, err := document(ctx, d.File)
	if err != nil {
		return err
	}
	x, err := c.ApplyDataset(ctx, yaml)
	if err != nil {
		return err
	}
	return out.answer(func() { applied(out, x.ID, x.Version, x.Changed) })
}

type datasetListCmd struct{ listFlags }

// Run lists datasets.
func (d *datasetListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, d.listFlags, c.Datasets, d.page(), columns[client.Dataset]{
		[]string{"ID", "VERSION", "COLUMNS", "CADENCE", "TITLE"},
		func(x client.Dataset) []string {
			return []string{x.ID, number(x.Version), number(int64(len(x.Columns))), x.Cadence, x.Title}
		},
	})
}

// versionFlags are those of what has versions and a source.
type versionFlags struct {
	Version int64 `placeholder:"N" help:"This version; the current one if not said."`
	Source  bool  `help:"Print the YAML as it was applied."`
}

type datasetShowCmd struct {
	Name string `arg:"" help:"The dataset's name."`
	versionFlags
}

// Run shows a dataset.
func (d *datasetShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.Dataset(ctx, d.Name, d.Version)
	if err != nil {
		return err
	}
	return out.answer(func() {
		if d.Source {
			out.text(x.Source)
			return
		}
		kept := ""
		if x.Retention > 0 {
			kept = plural(int64(x.Retention), "day", "days")
		}
		out.fields("id", x.ID, "version", number(x.Version), "title", x.Title, "description", x.Description, "cadence", x.Cadence, "retention", kept, "hash", x.Hash,
			"created_at", when(x.CreatedAt), "created_by", x.CreatedBy)
		var columns [][]string
		for _, col := range x.Columns {
			kind := col.Type
			if col.Type == "decimal" {
				kind = fmt.Sprintf("decimal(%d)", col.Scale)
			}
			columns = append(columns, []string{col.Name, kind, col.Unit, yesNo(col.Required), col.Role, strings.Join(col.Rules, "; ")})
		}
		fmt.Fprintln(out.stdout)
		out.table([]string{"COLUMN", "TYPE", "UNIT", "REQUIRED", "ROLE", "RULES"}, columns)
		fmt.Fprintln(out.stdout)
		for _, w := range x.Words {
			out.line("%s", w)
		}
	})
}

type datasetTemplateCmd struct {
	Name string `arg:"" help:"The dataset's name."`
	Date string `placeholder:"YYYY-MM-DD" help:"The business date of its example; one of the period before this one if not said."`
	target
}

// Run downloads a template.
func (d *datasetTemplateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return d.fetch(ctx, out, func(ctx context.Context, w io.Writer, _ client.Progress) (client.Download, error) {
		return c.DatasetTemplate(ctx, d.Name, d.Date, w)
	})
}

// text prints a text of several lines.
func (o *output) text(s string) {
	if s != "" && s[len(s)-1] != '\n' {
		s += "\n"
	}
	fmt.Fprint(harmless{o.stdout}, s)
}
