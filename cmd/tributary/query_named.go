package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"tributary/client"
)

type queryName struct {
	Name string `arg:"" help:"The query's name; query list has them."`
}

type queryRunCmd struct {
	queryName
	Values []string `arg:"" optional:"" placeholder:"PARAMETER=VALUE" help:"Values of parameters, such as: days=7 until=today-1. The others are their defaults."`
	answerFlags
}

// Run does a named query.
func (q *queryRunCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	values := map[string]string{}
	for _, v := range q.Values {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return usage("%q is no PARAMETER=VALUE", v)
		}
		values[name] = value
	}
	r := client.QueryRun{Parameters: values, Rows: q.Rows, Seconds: q.Seconds}
	return q.print(out, func() (client.QueryAnswer, error) { return c.RunQuery(ctx, q.Name, r) },
		func(format string, w io.Writer) (bool, error) { return c.RunQueryTo(ctx, q.Name, r, format, w) })
}

type queryRunningCmd struct{}

// Run lists the queries that are under way.
func (queryRunningCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Queries(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.RunningQuery]{
		[]string{"ID", "BY", "TENANT", "NAME", "SINCE", "ROWS"},
		func(r client.RunningQuery) []string {
			return []string{r.ID, r.By, r.Tenant, r.Name, when(r.StartedAt), fmt.Sprint(r.Rows)}
		},
	})
}

type queryCancelCmd struct {
	ID string `arg:"" help:"The query's id; query running has them."`
}

// Run ends a query.
func (q *queryCancelCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.CancelQuery(ctx, q.ID); err != nil {
		return err
	}
	out.note("cancelled %s", q.ID)
	return nil
}

type queryListCmd struct{}

// Run lists the named queries.
func (queryListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.NamedQueries(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.NamedQuery]{
		[]string{"NAME", "VERSION", "TENANTS", "PARAMETERS", "DESCRIPTION"},
		func(n client.NamedQuery) []string {
			var names []string
			for _, p := range n.Parameters {
				names = append(names, p.Name)
			}
			first, _, _ := strings.Cut(n.Description, "\n")
			return []string{n.ID, queryVersion(n), yesNo(n.Tenants), strings.Join(names, " "), first}
		},
	})
}

func queryVersion(n client.NamedQuery) string {
	if n.BuiltIn {
		return "built in"
	}
	return fmt.Sprint(n.Version)
}

type queryShowCmd struct {
	queryName
	Version int64 `help:"Of a saved query; the newest if absent."`
}

// Run shows a named query.
func (q *queryShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	n, err := c.NamedQuery(ctx, q.Name, q.Version)
	if err != nil {
		return err
	}
	return out.answer(func() { out.namedQuery(n) })
}

func (o *output) namedQuery(n client.NamedQuery) {
	o.fields("name", n.ID, "version", queryVersion(n), "for_tenants", yesNo(n.Tenants), "created_at", whenever(n.CreatedAt), "created_by", n.CreatedBy)
	o.line("")
	text := n.Source
	if text == "" { // to a tenant
		text = n.Description
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\t", "    ")) {
		o.line("%s", strings.TrimRight(line, "\n"))
	}
	if n.Source != "" {
		return
	}
	for _, p := range n.Parameters {
		value := "must be given"
		if p.Default != nil {
			value = "= " + *p.Default
		}
		o.line("  %s  %s %s  %s", p.Name, p.Type, value, p.Description)
	}
}

type querySaveCmd struct {
	queryName
	File string `short:"f" required:"" placeholder:"FILE" help:"The query: a comment that says what it is, with its parameters, and the SELECT; - is standard input."`
}

// Run saves a named query.
func (q *querySaveCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	source, err := document(ctx, q.File)
	if err != nil {
		return err
	}
	n, err := c.SaveQuery(ctx, client.NewNamedQuery{Name: q.Name, Source: string(source)})
	if err != nil {
		return err
	}
	return out.answer(func() { out.line("%s is version %d", n.ID, n.Version) })
}

type queryVersionsCmd struct{ queryName }

// Run lists the versions of a saved query.
func (q *queryVersionsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.QueryVersions(ctx, q.Name)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.NamedQuery]{
		[]string{"VERSION", "SAVED", "BY"},
		func(n client.NamedQuery) []string {
			return []string{queryVersion(n), whenever(n.CreatedAt), n.CreatedBy}
		},
	})
}

type queryDeleteCmd struct{ queryName }

// Run deletes a saved query.
func (q *queryDeleteCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.DeleteQuery(ctx, q.Name); err != nil {
		return err
	}
	out.note("deleted %s", q.Name)
	return nil
}
