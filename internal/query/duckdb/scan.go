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

// scan reads all sources of one dataset in one statement.
type scan struct {
	spec     query.Spec
	dataset  string
	sources  []int // indexes of Spec.Sources, in that order
	files    []string
	filters  []query.Filter
	measures []int // indexes of Spec.Measures
	floats   []string
	index    map[string]int  // of files
	required map[string]bool // columns that are never null
	fileName string          // column that says which file, where "file_index" is the dataset's

	derived []derivation
	alias   map[string]string // of derived columns, by name
	prefix  string            // of what SQL names by itself
}

// scansOf gives one scan for each dataset that has sources, in order of name.
func scansOf(spec query.Spec, files []string) []*scan {
	byName := map[string]*scan{}
	var scans []*scan
	for i, source := range spec.Sources {
		s := byName[source.Dataset]
		if s == nil {
			s = &scan{spec: spec, dataset: source.Dataset}
			byName[source.Dataset] = s
			scans = append(scans, s)
		}
		s.sources = append(s.sources, i)
		s.files = append(s.files, files[source.Input])
	}
	for _, s := range scans {
		used := map[string]bool{}
		for _, f := range spec.Filters {
			if f.Dataset == "" || f.Dataset == s.dataset {
				s.filters = append(s.filters, f)
				used[f.Column] = true
			}
		}
		for i, m := range spec.Measures {
			if m.Dataset == s.dataset {
				s.measures = append(s.measures, i)
				used[m.Column] = true
				for _, d := range spec.Derived {
					for _, name := range d.Inputs() {
						used[name] = used[name] || d.Dataset == m.Dataset && d.Name == m.Column
					}
				}
			}
		}
		for _, c := range spec.Datasets[s.dataset] {
			if used[c.Name] && c.Type == query.Float {
				s.floats = append(s.floats, c.Name)
			}
		}
	}
	slices.SortFunc(scans, func(a, b *scan) int { return strings.Compare(a.dataset, b.dataset) })
	return scans
}

// statement makes the same statement for any files, with fresh parameters.
type statement func(files []string) (string, []bindings.Value)

// about is a statement on files alone: the text before them.
func about(text string) statement {
	return func(files []string) (string, []bindings.Value) { return text + list(files) + ")", nil }
}

// each runs a statement over the dataset's files and visits its rows.
func (s *scan) each(ctx context.Context, db *instance, of statement, types []columnType, visit func(row int, columns []column) error) error {
	text, parameters := of(s.files)
	r, err := db.query(ctx, text, parameters...)
	var broken *damage
	if errors.As(err, &broken) {
		return s.damaged(s.blamed(ctx, db, of), err)
	}
	if err != nil {
		return err
	}
	defer r.close()
	return r.chunks(ctx, types, func(rows int, columns []column) error {
		for row := range rows {
			if err := visit(row, columns); err != nil {
				return err
			}
		}
		return nil
	})
}

// blamed finds the first file that the statement fails on, or gives -1.
// DuckDB's message often names none.
func (s *scan) blamed(ctx context.Context, db *instance, of statement) int {
	for i := range s.files {
		text, parameters := of(s.files[i : i+1])
		r, err := db.query(ctx, text, parameters...)
		var broken *damage
		if errors.As(err, &broken) {
			return i
		}
		if err != nil {
			return -1
		}
		r.close()
	}
	return -1
}

func (s *scan) damaged(file int, cause error) error {
	if file < 0 {
		return fault.Wrap(fault.Damaged, cause, "An accepted form of dataset %q is damaged. Ask for the file to be submitted again.", s.dataset)
	}
	source := s.sources[file]
	return fault.Wrap(fault.Damaged, fmt.Errorf("source %d: %w", source, cause),
		"The accepted form of dataset %q from participant %d of this run is damaged. Ask for the file to be submitted again.",
		s.dataset, s.spec.Sources[source].Participant)
}

// source finds the source that a group belongs to, from the column that run
// selects first; -1 if there is none.
func (s *scan) source(c column, row int) int {
	if c.null(row) {
		return -1
	}
	if s.fileName == "" {
		if file := at[uint64](c, row); file < uint64(len(s.sources)) {
			return s.sources[file]
		}
		return -1
	}
	if file, ok := s.index[string(c.text(row))]; ok {
		return s.sources[file]
	}
	return -1
}

// aggregates are the columns of the statement after the group columns. The
// first is count(*).
type aggregates struct {
	sql   []string
	types []columnType
}

func (a *aggregates) add(sql string, t columnType) int {
	if i := slices.Index(a.sql, sql); i >= 0 {
		return i
	}
	a.sql, a.types = append(a.sql, sql), append(a.types, t)
	return len(a.sql) - 1
}

// use says from which aggregates a measure is made; none is -1.
type use struct{ measure, sum, count, tooLarge int }

func (s *scan) uses() (aggregates, []use) {
	var a aggregates
	bigint := columnType{id: bindings.TypeBigInt}
	all := a.add("count(*)", bigint)
	count := func(name string) int {
		if name == "" || s.required[name] {
			return all
		}
		return a.add("count("+s.reference(name)+")", bigint)
	}
	uses := make([]use, len(s.measures))
	for i, index := range s.measures {
		m := s.spec.Measures[index]
		u := use{measure: index, sum: -1, count: -1, tooLarge: -1}
		if m.Own != query.Sum { // a sum is null if there is nothing to count
			u.count = count(m.Column)
		}
		if m.Own != query.Count {
			c, _ := s.spec.Column(m.Dataset, m.Column)
			u.sum = a.add("sum("+s.reference(m.Column)+")", s.sumType(c))
		}
		if sql := s.tooLarge(m.Column); sql != "" {
			u.tooLarge = a.add(sql, columnType{id: bindings.TypeBoolean})
		}
		uses[i] = u
	}
	for _, name := range s.floats {
		a.add("bool_or(NOT isfinite("+qualified(name)+"))", columnType{id: bindings.TypeBoolean})
	}
	return a, uses
}

func (s *scan) sumType(c query.Column) columnType {
	switch _, derived := s.alias[c.Name]; {
	case c.Type == query.Decimal && !derived:
		return columnType{id: bindings.TypeDecimal, scale: c.Scale, stored: bindings.TypeHugeInt}
	case c.Type == query.Float:
		return columnType{id: bindings.TypeDouble}
	}
	return columnType{id: bindings.TypeHugeInt}
}

func keyType(c query.Column) columnType {
	switch c.Type {
	case query.Text:
		return columnType{id: bindings.TypeVarchar}
	case query.Decimal:
		return columnType{id: bindings.TypeDecimal, scale: c.Scale, stored: bindings.TypeBigInt}
	case query.Boolean:
		return columnType{id: bindings.TypeBoolean}
	case query.Date:
		return columnType{id: bindings.TypeDate}
	case query.Timestamp:
		return columnType{id: bindings.TypeTimestampTZ, or: bindings.TypeTimestamp}
	}
	return columnType{id: bindings.TypeBigInt}
}

// qualified names a column of the files, whatever else has that name.
func qualified(name string) string { return "t." + identifier(name) }

// run executes the scan and gives its groups to g, and the numbers of rows, where
// inspect has not, to scanned.
func (s *scan) run(ctx context.Context, db *instance, g *gather, scanned []int64) error {
	s.derived = s.derivations()
	a, uses := s.uses()
	which, option := "t.file_index", ""
	types := []columnType{{id: bindings.TypeUBigInt}}
	if s.fileName != "" {
		which, option = qualified(s.fileName), ", filename = '"+s.fileName+"'"
		types[0].id = bindings.TypeVarchar
	}
	selected, grouped := []string{which}, []string{"1"}
	for i, name := range s.spec.Groups {
		c, err := s.spec.Column(s.dataset, name)
		if err != nil {
			return err
		}
		selected = append(selected, s.reference(name))
		grouped = append(grouped, fmt.Sprint(i+2))
		types = append(types, keyType(c))
	}
	visit := g.visitor(s, len(selected), a, uses, scanned)
	return s.each(ctx, db, func(files []string) (string, []bindings.Value) {
		where, parameters := s.where()
		return "SELECT " + strings.Join(slices.Concat(selected, a.sql), ", ") +
			s.from(which, "read_parquet("+list(files)+", hive_partitioning = false, union_by_name = false"+option+")", where) +
			" GROUP BY " + strings.Join(grouped, ", "), parameters
	}, append(types, a.types...), visit)
}

// where is the condition and its parameters. Only names are in the text.
func (s *scan) where() (string, []bindings.Value) {
	var conditions []string
	var parameters []bindings.Value
	add := func(name, operator string, v query.Value) {
		conditions = append(conditions, qualified(name)+operator)
		parameters = append(parameters, parameter(v))
	}
	for _, f := range s.filters {
		if f.From != nil {
			add(f.Column, " >= ?", *f.From)
		}
		if f.To != nil {
			add(f.Column, " <= ?", *f.To)
		}
		if len(f.Equals) == 0 {
			continue
		}
		conditions = append(conditions, qualified(f.Column)+" IN (?"+strings.Repeat(", ?", len(f.Equals)-1)+")")
		for _, v := range f.Equals {
			parameters = append(parameters, parameter(v))
		}
	}
	if len(conditions) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), parameters
}

func parameter(v query.Value) bindings.Value {
	switch v.Type {
	case query.Text:
		return bindings.CreateVarcharLength(v.Text, bindings.IdxT(len(v.Text)))
	case query.Decimal:
		return bindings.CreateDecimal(bindings.NewDecimal(18, uint8(v.Scale), bindings.NewHugeInt(uint64(v.Int), v.Int>>63)))
	case query.Float:
		return bindings.CreateDouble(v.Float)
	case query.Boolean:
		return bindings.CreateBool(v.Int != 0)
	case query.Date:
		return bindings.CreateDate(bindings.NewDate(int32(v.Int)))
	case query.Timestamp:
		return bindings.CreateTimestamp(bindings.NewTimestamp(v.Int))
	}
	return bindings.CreateInt64(v.Int)
}
