package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"tributary/client"
)

type queryCmd struct {
	SQL     string `arg:"" optional:"" help:"One SELECT, such as: \"SELECT type, count(*) FROM fact_event GROUP BY ALL\". DESCRIBE fact_event says what columns there are."`
	File    string `short:"f" placeholder:"FILE" help:"Read the SELECT from a file; - is standard input."`
	Rows    int    `default:"1000" help:"Of the answer at most."`
	Seconds int    `default:"30" help:"That it may take."`
	CSV     bool   `name:"csv" help:"Print the answer as CSV."`
}

// Run asks the warehouse.
func (q *queryCmd) Run(ctx context.Context, out *output, c *client.Client) error {
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
	found, err := c.Query(ctx, client.NewQuery{SQL: sql, Rows: q.Rows, Seconds: q.Seconds})
	if err != nil {
		return err
	}
	if found.Truncated {
		out.note("there are more than %s; ask for more with --rows", plural(int64(len(found.Rows)), "row", "rows"))
	}
	header, rows := printed(found)
	if q.CSV && !out.json {
		w := csv.NewWriter(out.stdout)
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		return out.written()
	}
	return out.answer(func() { out.table(header, rows) })
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
