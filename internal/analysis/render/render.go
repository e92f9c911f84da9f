// Package render makes the files of a result for one recipient: a table in a
// fixed order, as CSV that a spreadsheet can open without running anything, and
// as Parquet. What may be in the table has been decided before; sealing and
// delivering it is left to others.
package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Type is the type of a column. There are no floats: nothing that is added
// across participants is one.
type Type string

// The types, in the words of dataset contracts.
const (
	Text      Type = "text"
	Integer   Type = "integer"
	Decimal   Type = "decimal"
	Boolean   Type = "boolean"
	Date      Type = "date"
	Timestamp Type = "timestamp"
)

// MaxDecimal is the largest size of a decimal, in units of its last place: 18
// digits, so that every reader of Parquet can hold it in 64 bits.
const MaxDecimal = 1_000_000_000_000_000_000 - 1

// Column is a column of a table.
type Column struct {
	Name   string
	Type   Type
	Scale  int    // decimal places, 0 to 18; of Decimal only
	Layout string // how a Date is written in CSV, as in package time; empty: 2006-01-02

	required bool // never null: the date and the id, which New makes
}

// Value is a value of its column's type. Only the field that belongs to the
// type is set; neither if it is Null.
type Value struct {
	Null bool
	Text string // UTF-8
	Int  int64  // Integer; Decimal in units of 10^-Scale; Boolean 0 or 1; Date in days, Timestamp in microseconds since 1970-01-01 UTC
}

// Spec says what a recipient's result looks like. Columns come in this order:
// the date, groups, measures, the recipient's id, its own values.
type Spec struct {
	Date       time.Time // the business date
	DateColumn string
	DateFormat string   // YYYY, MM and DD, as definitions have it
	Groups     []Column // a cell's key
	Measures   []Column // Integer or Decimal
	IDColumn   string
	ExternalID string // of the recipient
	OwnValues  bool   // a column with the recipient's own value for each measure
	OwnPrefix  string // of those columns' names
	// Marked says that the result was made under a minimum of fewer than three
	// contributors. See Table.Marked.
	Marked bool
	// Metadata goes into the Parquet file's key-value metadata: names of run,
	// analysis and version. The CSV has no place for it.
	Metadata map[string]string
}

// Row is one cell as the recipient may see it.
type Row struct {
	Key    []Value // of Spec.Groups
	Values []Value // of Spec.Measures; Null is suppressed
	Own    []Value // of Spec.Measures; empty if there are no own values
}

// Table is a result, in its final order. New makes it; nothing changes it.
type Table struct {
	Columns []Column
	Rows    [][]Value
	// Marked results were made under a minimum of fewer than three contributors,
	// so that a recipient can work out another's value. Whoever shows the table
	// or hands out one of its files has to say so: Parquet says it in its
	// metadata, but the CSV's format has no place for it, so for CSV the mark is
	// only here, to be kept as metadata beside the file.
	Marked   bool
	Metadata map[string]string // includes MarkKey if Marked
}

// MarkKey and MarkText are what marked Parquet files have in their metadata.
const (
	MarkKey  = "tributary.disclosure"
	MarkText = "minimum-below-3"
)

// New makes the table. Rows of which every measure is suppressed are left out,
// so that nothing is said about them; a measure suppressed alone is null. The
// others are in the order of their keys, by type: nulls first, text by bytes,
// false before true, the rest by size. Errors are mistakes of the caller: rows
// that do not fit the spec, two rows with one key.
func New(spec Spec, rows []Row) (*Table, error) { return new(Maker).Table(spec, rows) }

// Maker makes tables and their files, one after the other, and keeps its buffers
// between them: fresh memory is most of what a small result costs. It is not safe
// for concurrent use. The tables of a maker whose files are written have the same
// columns and metadata.
type Maker struct {
	kept   []Row
	rows   [][]Value
	values []Value

	csv     []byte
	parquet *parquetWriter
}

// Table is New. The table is good until the next call.
func (m *Maker) Table(spec Spec, rows []Row) (*Table, error) {
	layout, err := Layout(spec.DateFormat)
	if err != nil {
		return nil, err
	}
	t := &Table{Marked: spec.Marked, Metadata: map[string]string{}}
	for k, v := range spec.Metadata {
		t.Metadata[k] = v
	}
	if spec.Marked {
		t.Metadata[MarkKey] = MarkText
	}
	t.Columns = spec.columns(layout)
	if err := checkColumns(t.Columns); err != nil {
		return nil, err
	}
	kept := m.kept[:0]
	for i, r := range rows {
		if err := spec.checkRow(r); err != nil {
			return nil, fmt.Errorf("render row %d: %w", i, err)
		}
		if slices.ContainsFunc(r.Values, func(v Value) bool { return !v.Null }) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b Row) int { return compareKeys(a.Key, b.Key) })
	date := Value{Int: days(spec.Date)}
	id := Value{Text: spec.ExternalID}
	m.kept = kept
	t.Rows = slices.Grow(m.rows[:0], len(kept))[:len(kept)]
	all := slices.Grow(m.values[:0], len(kept)*len(t.Columns)) // it does not move, so rows may be parts of it
	m.rows, m.values = t.Rows, all
	for i, r := range kept {
		if i > 0 && compareKeys(kept[i-1].Key, r.Key) == 0 {
			return nil, fmt.Errorf("render: two rows have one key")
		}
		from := len(all)
		all = append(append(append(all, date), r.Key...), r.Values...)
		all = append(all, id)
		if spec.OwnValues {
			all = append(all, r.Own...)
		}
		t.Rows[i] = all[from:]
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func (s Spec) columns(layout string) []Column {
	columns := []Column{{Name: s.DateColumn, Type: Date, Layout: layout, required: true}}
	columns = append(append(columns, s.Groups...), s.Measures...)
	columns = append(columns, Column{Name: s.IDColumn, Type: Text, required: true})
	if s.OwnValues {
		for _, m := range s.Measures {
			m.Name = s.OwnPrefix + m.Name
			columns = append(columns, m)
		}
	}
	return columns
}

func (s Spec) checkRow(r Row) error {
	switch own := len(r.Own); {
	case len(r.Key) != len(s.Groups):
		return fmt.Errorf("key has %d values, want %d", len(r.Key), len(s.Groups))
	case len(r.Values) != len(s.Measures):
		return fmt.Errorf("%d measures, want %d", len(r.Values), len(s.Measures))
	case s.OwnValues && own != len(s.Measures):
		return fmt.Errorf("%d own values, want %d", own, len(s.Measures))
	case !s.OwnValues && own != 0:
		return fmt.Errorf("%d own values, want none", own)
	}
	return nil
}

func checkColumns(columns []Column) error {
	seen := map[string]bool{}
	for _, c := range columns {
		switch {
		case c.Name == "" || !utf8.ValidString(c.Name):
			return fmt.Errorf("render: column name %q", c.Name)
		case seen[c.Name]:
			return fmt.Errorf("render: two columns %q", c.Name)
		case !slices.Contains([]Type{Text, Integer, Decimal, Boolean, Date, Timestamp}, c.Type):
			return fmt.Errorf("render: column %q of type %q", c.Name, c.Type)
		case c.Scale < 0 || c.Scale > 18 || c.Scale > 0 && c.Type != Decimal:
			return fmt.Errorf("render: column %q has scale %d", c.Name, c.Scale)
		}
		seen[c.Name] = true
	}
	return nil
}

// check sees that every value is one of its column.
func (t *Table) check() error {
	for i, row := range t.Rows {
		for j, v := range row {
			c := t.Columns[j]
			switch {
			case v.Null:
			case c.Type == Text && !utf8.ValidString(v.Text):
				return fmt.Errorf("render row %d: column %q is not UTF-8", i, c.Name)
			case c.Type == Boolean && v.Int != 0 && v.Int != 1:
				return fmt.Errorf("render row %d: column %q is no boolean", i, c.Name)
			case c.Type == Decimal && (v.Int > MaxDecimal || v.Int < -MaxDecimal):
				return fmt.Errorf("render row %d: column %q has more than 18 digits", i, c.Name)
			case c.Type == Date && (v.Int < minDay || v.Int > maxDay),
				c.Type == Timestamp && (v.Int < minDay*secondsOfDay*1_000_000 || v.Int >= (maxDay+1)*secondsOfDay*1_000_000):
				return fmt.Errorf("render row %d: column %q is outside the years 1 to 9999", i, c.Name)
			}
		}
	}
	return nil
}

func compareKeys(a, b []Value) int {
	for i := range a {
		if c := compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compare(a, b Value) int {
	switch {
	case a.Null && b.Null:
		return 0
	case a.Null:
		return -1
	case b.Null:
		return 1
	}
	return cmp.Or(strings.Compare(a.Text, b.Text), cmp.Compare(a.Int, b.Int))
}

const (
	secondsOfDay   = 24 * 60 * 60
	minDay, maxDay = -719162, 2932896 // 0001-01-01 and 9999-12-31
)

// days is the number of the UTC day of t.
func days(t time.Time) int64 {
	s := t.Unix()
	d := s / secondsOfDay
	if s%secondsOfDay < 0 {
		d--
	}
	return d
}

// Layout turns a date format (YYYY, MM and DD, once each, with - . / _ or
// nothing between) into a layout of package time.
func Layout(format string) (string, error) {
	layout, rest := format, format
	for _, part := range [][2]string{{"YYYY", "2006"}, {"MM", "01"}, {"DD", "02"}} {
		if strings.Count(rest, part[0]) != 1 {
			return "", fmt.Errorf("render: date format %q", format)
		}
		layout = strings.Replace(layout, part[0], part[1], 1)
		rest = strings.Replace(rest, part[0], "|", 1)
	}
	if strings.Trim(rest, "|-./_") != "" || !strings.HasPrefix(rest, "|") || !strings.HasSuffix(rest, "|") {
		return "", fmt.Errorf("render: date format %q", format)
	}
	return layout, nil
}
