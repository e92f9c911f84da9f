package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tributary/client"
)

type queryCmd struct {
	Ask      queryAskCmd      `cmd:"" default:"withargs" help:"Do a SELECT; what query does without another word."`
	Run      queryRunCmd      `cmd:"" help:"Do a named query."`
	List     queryListCmd     `cmd:"" help:"List the named queries, built in and saved."`
	Show     queryShowCmd     `cmd:"" help:"Show a named query: what it says, its parameters, its text."`
	Save     querySaveCmd     `cmd:"" help:"Save a named query; another text makes a version."`
	Versions queryVersionsCmd `cmd:"" help:"List the versions of a saved query."`
	Delete   queryDeleteCmd   `cmd:"" help:"Delete a saved query."`
	Tables   queryTablesCmd   `cmd:"" help:"List the tables that can be asked, with their columns."`
}

// answerFlags are the limits of an answer, and how it is printed.
type answerFlags struct {
	Rows    int  `default:"1000" help:"Of the answer at most."`
	Seconds int  `default:"30" help:"That it may take."`
	CSV     bool `name:"csv" help:"Print the answer as CSV."`
}

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
	found, err := c.Query(ctx, client.NewQuery{SQL: sql, Rows: q.Rows, Seconds: q.Seconds, Since: q.Since})
	if err != nil {
		return err
	}
	return out.found(found, q.answerFlags)
}

// found prints an answer.
func (o *output) found(a client.QueryAnswer, f answerFlags) error {
	if a.Truncated {
		o.note("there are more than %s; ask for more with --rows", plural(int64(len(a.Rows)), "row", "rows"))
	}
	header, rows := printed(a)
	if f.CSV && !o.json {
		w := csv.NewWriter(o.stdout)
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		return o.written()
	}
	return o.answer(func() { o.table(header, rows) })
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
