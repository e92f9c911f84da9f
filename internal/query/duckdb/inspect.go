package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// inspect compares every file's columns with the spec, since DuckDB would cast
// what differs and would take a column whose name differs in case; and, where
// filters leave some out, it stores the files' numbers of rows in scanned, by source.
func (s *scan) inspect(ctx context.Context, db *instance, scanned []int64) error {
	s.index = make(map[string]int, len(s.files))
	for i, file := range s.files {
		s.index[file] = i
	}
	c := newComparison(s)
	text, number := columnType{id: bindings.TypeVarchar}, columnType{id: bindings.TypeBigInt}
	err := s.each(ctx, db, about("SELECT file_name, name, duckdb_type, repetition_type, num_children FROM parquet_schema("),
		[]columnType{text, text, text, text, number}, c.element)
	if err != nil {
		return err
	}
	for file, names := range c.found {
		for name := range c.needed {
			if !names[exactly+name] {
				return s.damaged(file, fmt.Errorf("no column %q", name))
			}
		}
	}
	s.required = c.required
	s.chooseFileName(c.taken)
	if len(s.filters) == 0 {
		return nil // every row is in a group, and run counts them
	}
	return s.each(ctx, db, about("SELECT file_name, num_rows FROM parquet_file_metadata("),
		[]columnType{text, number}, func(row int, columns []column) error {
			file, ok := s.index[string(columns[0].text(row))]
			rows := at[int64](columns[1], row)
			if !ok || rows < 0 {
				return errors.New("number of rows of an unknown file, or negative")
			}
			scanned[s.sources[file]] = rows
			return nil
		})
}

// comparison is of the files' columns with those that the spec needs.
type comparison struct {
	scan     *scan
	needed   map[string]query.Column
	required map[string]bool   // needed columns that are never null
	found    []map[string]bool // by file: folded names, and exactly those needed
	taken    map[string]bool   // folded names of all columns of all files
}

func newComparison(s *scan) *comparison {
	c := &comparison{
		scan: s, needed: map[string]query.Column{}, required: map[string]bool{},
		found: make([]map[string]bool, len(s.files)), taken: map[string]bool{},
	}
	for _, column := range s.spec.Datasets[s.dataset] {
		c.needed[column.Name], c.required[column.Name] = column, true
	}
	return c
}

// element takes one element of a file's schema: file, name, type, repetition
// and number of children. The root comes first; there is nothing nested.
func (c *comparison) element(row int, columns []column) error {
	file, ok := c.scan.index[string(columns[0].text(row))]
	if !ok {
		return errors.New("schema of an unknown file")
	}
	root := !columns[4].null(row) && at[int64](columns[4], row) > 0
	if found := c.found[file]; root != (found == nil) {
		return c.scan.damaged(file, errors.New("nested columns, or none"))
	}
	if root {
		c.found[file] = map[string]bool{}
		return nil
	}
	name := string(columns[1].text(row))
	folded := fold(name)
	if c.found[file][folded] {
		return fault.New(fault.Invalid,
			"Dataset %q has two columns whose names differ from %q in case only. Rename one of them.", c.scan.dataset, name)
	}
	c.found[file][folded], c.taken[folded] = true, true
	column, ok := c.needed[name]
	if !ok {
		return nil
	}
	c.found[file][exactly+name] = true
	if columns[2].null(row) || !slices.Contains(storedAs(column), string(columns[2].text(row))) {
		return c.scan.damaged(file, fmt.Errorf("column %q is not stored as %s", name, storedAs(column)[0]))
	}
	if columns[3].null(row) || string(columns[3].text(row)) != "REQUIRED" {
		c.required[name] = false
	}
	return nil
}

// storedAs are DuckDB's names for how an accepted form stores a type.
func storedAs(c query.Column) []string {
	switch c.Type {
	case query.Text:
		return []string{"VARCHAR"}
	case query.Integer:
		return []string{"BIGINT"}
	case query.Decimal:
		return []string{fmt.Sprintf("DECIMAL(18,%d)", c.Scale)}
	case query.Float:
		return []string{"DOUBLE"}
	case query.Boolean:
		return []string{"BOOLEAN"}
	case query.Date:
		return []string{"DATE"}
	}
	return []string{"TIMESTAMP WITH TIME ZONE", "TIMESTAMP"}
}

// exactly marks names that are found as they are; no name has a NUL.
const exactly = "\x00"

// fold lowers a name as DuckDB does to compare names: ASCII letters only.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// chooseFileName decides which column tells the files apart. DuckDB's virtual
// file_index is the fastest, but a column of a file hides it, and then a
// participant's data would say whose it is.
func (s *scan) chooseFileName(taken map[string]bool) {
	if !taken["file_index"] {
		return
	}
	for s.fileName = "file"; taken[s.fileName]; {
		s.fileName += "_"
	}
}
