package duckdb

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tributary/internal/query"
)

// SliceMain is the sandbox's program query.SliceProgram. Nothing but the rows of the
// stream is ever in its engine, so that whatever the SELECT gets around, there is
// nothing else to be had.
func SliceMain(ctx context.Context, args []byte, rows io.Reader, out io.Writer) error {
	var s query.Slice
	if err := json.Unmarshal(args, &s); err != nil {
		return fmt.Errorf("decode slice: %w", err)
	}
	db, err := open(ctx, settings{memory: s.Memory, threads: s.Threads})
	if err != nil {
		return err
	}
	s.Select.Tables = slices.Sorted(maps.Keys(s.Columns))
	wanted, err := db.named(ctx, s.Select)
	if err != nil {
		return err
	}
	if err := query.WriteWanted(out, wanted); err != nil {
		return err
	}
	in := bufio.NewReaderSize(rows, 1<<20)
	for name, columns := range s.Columns { // what is not wanted may be described
		if err := db.makeTable(ctx, name, columns); err != nil {
			return err
		}
	}
	for _, name := range wanted {
		if err := db.fillTable(ctx, name, s.Columns[name], in); err != nil {
			return err
		}
	}
	if _, err := in.ReadByte(); err == nil {
		return fmt.Errorf("there are more rows than were asked for")
	}
	return db.choose(ctx, s.Select, out)
}

// named lists the tables that a SELECT names, in order.
func (db *instance) named(ctx context.Context, s query.Select) ([]string, error) {
	used := map[string]bool{}
	if err := db.judge(ctx, bare(s.SQL), s, used); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(used)), nil
}

func (db *instance) makeTable(ctx context.Context, name string, columns []query.SliceColumn) error {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = identifier(c.Name) + " " + c.Type
	}
	if err := db.run(ctx, "CREATE TABLE "+identifier(name)+" ("+strings.Join(list, ", ")+")"); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// fillTable puts the rows of a table into it, a piece at a time.
func (db *instance) fillTable(ctx context.Context, name string, columns []query.SliceColumn, in io.Reader) error {
	const piece = "piece"
	list, casts := make([]query.Column, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		list[i] = query.Column{Name: c.Name, Type: query.Text}
		casts[i] = identifier(c.Name) + "::" + c.Type
	}
	for {
		r, err := query.ReadSlice(in, piece, list)
		if err != nil || r == nil {
			return err
		}
		if err := db.load(ctx, r, nil); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		if err := db.run(ctx, "INSERT INTO "+identifier(name)+" SELECT "+strings.Join(casts, ", ")+" FROM temp."+piece); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		if err := db.run(ctx, "DROP TABLE temp."+piece); err != nil {
			return err
		}
	}
}
