package main

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"tributary/client"
)

type queryCmd struct {
	Ask      queryAskCmd      `cmd:"" default:"withargs" help:"Do a SELECT; what query does without another word."`
	Run      queryRunCmd      `cmd:"" help:"Do a named query."`
	List     queryListCmd     `cmd:"" help:"List the named queries, built in and saved."`
	Running  queryRunningCmd  `cmd:"" help:"List the queries that are under way: one's own, or to admins all."`
	Cancel   queryCancelCmd   `cmd:"" help:"End a query that is under way."`
	Show     queryShowCmd     `cmd:"" help:"Show a named query: what it says, its parameters, its text."`
	Save     querySaveCmd     `cmd:"" help:"Save a named query; another text makes a version."`
	Versions queryVersionsCmd `cmd:"" help:"List the versions of a saved query."`
	Delete   queryDeleteCmd   `cmd:"" help:"Delete a saved query."`
	Tables   queryTablesCmd   `cmd:"" help:"List the tables that can be asked, with their columns."`
}

// answerFlags are the limits of an answer, and how it is printed.
type answerFlags struct {
	Rows    int    `default:"1000" help:"Of the answer at most."`
	Seconds int    `default:"30" help:"That it may take."`
	Format  string `enum:",csv,ndjson,arrow,parquet" default:"" placeholder:"FORMAT" help:"Write the answer as it comes: as csv, ndjson (a line of JSON for each row), arrow (a stream) or parquet. To print it as a table if absent."`
	Output  string `short:"o" placeholder:"FILE" help:"With --format: write the answer to this file, replacing it once the answer is whole."`
}

// formats are those of Format; those that are no text are for files.
var formats = map[string]struct {
	kind string
	text bool
}{"csv": {client.CSV, true}, "ndjson": {client.NDJSON, true}, "arrow": {client.Arrow, false}, "parquet": {client.Parquet, false}}

type queryAskCmd struct {
	SQL   string    `arg:"" optional:"" help:"One SELECT, such as: \"SELECT type, count(*) FROM fact_event GROUP BY ALL\". DESCRIBE fact_event says what columns there are."`
	File  string    `short:"f" placeholder:"FILE" help:"Read the SELECT from a file; - is standard input."`
	Since time.Time `placeholder:"TIME" help:"With a tenant's token: leave out of the facts what happened before (2026-01-31T08:00:00Z)."`
	answerFlags
}

// Run asks the warehouse.
func (q *queryAskCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if (q.SQL == "") == (q.File == "") {
		return usage("give a SELECT, or a file with one (-f)")
	}
	sql := q.SQL
	if q.File != "" {
		raw, err := document(ctx, q.File)
		if err != nil {
			return err
		}
		sql = string(raw)
	}
	n := client.NewQuery{SQL: sql, Rows: q.Rows, Seconds: q.Seconds, Since: q.Since}
	return q.print(out, func() (client.QueryAnswer, error) { return c.Query(ctx, n) },
		func(format string, w io.Writer) (bool, error) { return c.QueryTo(ctx, n, format, w) })
}

// print prints an answer as it is wanted: whole, or as it comes.
func (f answerFlags) print(out *output, whole func() (client.QueryAnswer, error), coming func(format string, w io.Writer) (bool, error)) error {
	more := func(truncated bool) {
		if truncated {
			out.note("there are more than %s; ask for more with --rows", plural(int64(f.Rows), "row", "rows"))
		}
	}
	switch format := formats[f.Format]; {
	case f.Output != "":
		if format.kind == "" {
			return usage("say with --format what %s is to be", f.Output)
		}
		to, err := newFile(f.Output)
		if err != nil {
			return err
		}
		defer to.discard()
		truncated, err := coming(format.kind, to)
		if err == nil {
			err = to.replace()
		}
		if err == nil {
			more(truncated)
		}
		return err
	case format.kind != "" && !out.json:
		if !format.text && out.terminal {
			return usage("an answer as %s is nothing to read; send it to a file: -o FILE.%s", f.Format, f.Format)
		}
		truncated, err := coming(format.kind, out.stdout)
		if err != nil {
			return err
		}
		more(truncated)
		return out.written()
	}
	found, err := whole()
	if err != nil {
		return err
	}
	more(found.Truncated)
	return out.answer(func() { out.table(printed(found)) })
}

// printed is an answer as texts.
func printed(a client.QueryAnswer) (header []string, rows [][]string) {
	for _, c := range a.Columns {
		header = append(header, c.Name)
	}
	for _, row := range a.Rows {
		texts := make([]string, len(row))
		for n, v := range row {
			switch v := v.(type) {
			case nil:
			case string:
				texts[n] = strings.ReplaceAll(v, "\n", " ")
			case float64:
				texts[n] = strconv.FormatFloat(v, 'f', -1, 64)
			default:
				raw, err := json.Marshal(v)
				if err != nil {
					raw = []byte(err.Error())
				}
				texts[n] = string(raw)
			}
		}
		rows = append(rows, texts)
	}
	return header, rows
}

type queryTablesCmd struct{}

// Run lists tables.
func (queryTablesCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Tables(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		var rows [][]string
		for _, t := range found.Items {
			for _, x := range t.Columns {
				rows = append(rows, []string{t.ID, x.Name, x.Kind})
			}
		}
		out.table([]string{"TABLE", "COLUMN", "KIND"}, rows)
	})
}
