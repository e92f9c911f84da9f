package trial

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/fault"
	"tributary/internal/query"
)

// The columns of a file that say whose a row is, beside those of the datasets.
const (
	participantColumn  = "participant"
	organisationColumn = "organisation"
	datasetColumn      = "dataset"
)

// own is a participant's rows of one cell, one number of each part being added up.
type own struct {
	key    []query.Value
	sum    []int64
	floats []float64
	n      []int64
}

// reader reads one file.
type reader struct {
	trial   *analysis.Trial
	def     *definition.Definition
	columns map[string]definition.Columns
	at      map[string]int // column of the file
	line    int
}

// Read reads contributions from CSV: a row of a participant's file each, with the columns
// of the dataset that the definition uses, and in front whose it is: participant,
// organisation (else each participant is its own) and dataset (if there are several).
// The definition's filters are not applied.
func Read(t *analysis.Trial, d *definition.Definition, columns map[string]definition.Columns, file []byte) ([]analysis.Contributor, error) {
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fault.New(fault.Invalid, "The file has no header: %v.", err)
	}
	r := &reader{trial: t, def: d, columns: columns, at: map[string]int{}}
	for i, name := range header {
		if _, twice := r.at[name]; twice {
			return nil, fault.New(fault.Invalid, "The file has two columns %q.", name)
		}
		r.at[name] = i
	}
	if err := r.complete(); err != nil {
		return nil, err
	}
	type whose struct{ name, organisation string }
	byOne := map[string]map[string]*own{}
	owners := map[string]string{}
	var order []whose
	for r.line = 2; ; r.line++ {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "%v.", err)
		}
		if r.line > MaxRows {
			return nil, fault.New(fault.TooLarge, "The file has more than %d rows.", MaxRows)
		}
		w := whose{name: strings.Clone(record[r.at[participantColumn]])}
		if w.organisation = w.name; r.has(organisationColumn) {
			w.organisation = strings.Clone(record[r.at[organisationColumn]])
		}
		if w.name == "" || w.organisation == "" {
			return nil, fault.New(fault.Invalid, "Line %d names no participant or organisation.", r.line)
		}
		if known, is := owners[w.name]; is && known != w.organisation {
			return nil, fault.New(fault.Invalid, "Line %d: %q is of %q here and of %q before.", r.line, w.name, w.organisation, known)
		} else if !is {
			owners[w.name] = w.organisation
			order = append(order, w)
			byOne[w.name] = map[string]*own{}
		}
		if err := r.add(byOne[w.name], record); err != nil {
			return nil, err
		}
	}
	var list []analysis.Contributor
	for _, w := range order {
		c := analysis.Contributor{Name: w.name, Organisation: w.organisation}
		for _, o := range byOne[w.name] {
			row, err := r.row(o)
			if err != nil {
				return nil, err
			}
			c.Rows = append(c.Rows, row)
		}
		list = append(list, c)
	}
	return list, nil
}

func (r *reader) has(name string) bool { _, is := r.at[name]; return is }

// complete checks that the file has what the definition uses.
func (r *reader) complete() error {
	if len(r.def.Derived) > 0 || slices.ContainsFunc(r.def.Measures, func(m definition.Measure) bool { return m.Function == definition.WeightedMean }) {
		return fault.New(fault.Invalid, "Derived columns and weighted means are computed by the engine of runs, not of a file here. Have rows made up (--synthetic).")
	}
	needed := append([]string{participantColumn}, r.def.Groups...)
	if len(r.def.Datasets) > 1 {
		needed = append(needed, datasetColumn)
	}
	for _, part := range r.trial.Parts() {
		if part.Column != "" {
			needed = append(needed, part.Column)
		}
	}
	for _, name := range needed {
		if !r.has(name) {
			return fault.New(fault.Invalid, "The file has no column %q, which is needed.", name)
		}
	}
	return nil
}

// add takes a row into the participant's cells.
func (r *reader) add(cells map[string]*own, record []string) error {
	dataset := r.def.Datasets[0]
	if len(r.def.Datasets) > 1 {
		if dataset = record[r.at[datasetColumn]]; !slices.Contains(r.def.Datasets, dataset) {
			return fault.New(fault.Invalid, "Line %d: the definition has no dataset %q.", r.line, dataset)
		}
	}
	columns := r.columns[dataset]
	var key []query.Value
	for _, name := range r.def.Groups {
		column, _ := columns.Find(name)
		v := query.Value{Type: query.Type(column.Type), Scale: column.Scale, Null: true}
		if text := record[r.at[name]]; text != "" {
			l, ok := column.ParseValue(strings.Clone(text))
			if !ok {
				return fault.New(fault.Invalid, "Line %d: %q is not a value of column %q.", r.line, text, name)
			}
			v = query.Value{Type: v.Type, Scale: v.Scale, Text: l.Text, Int: l.Int, Float: l.Float}
		}
		key = append(key, v)
	}
	parts := r.trial.Parts()
	at := place(key, "")
	o := cells[at]
	if o == nil {
		o = &own{key: key, sum: make([]int64, len(parts)), floats: make([]float64, len(parts)), n: make([]int64, len(parts))}
		cells[at] = o
	}
	for i, part := range parts {
		if part.Dataset != dataset {
			continue
		}
		if part.Column == "" {
			o.n[i]++
			continue
		}
		text := record[r.at[part.Column]]
		if text == "" {
			continue
		}
		column, _ := columns.Find(part.Column)
		l, ok := column.ParseValue(text)
		if !ok {
			return fault.New(fault.Invalid, "Line %d: %q is not a value of column %q.", r.line, text, part.Column)
		}
		o.n[i]++
		o.floats[i] += l.Float
		if sum := o.sum[i] + l.Int; (sum > o.sum[i]) == (l.Int > 0) {
			o.sum[i] = sum
		} else {
			return fault.New(fault.TooLarge, "Line %d: the values of column %q are too large to be added up.", r.line, part.Column)
		}
	}
	return nil
}

// row is what the engine would answer.
func (r *reader) row(o *own) (query.Row, error) {
	row := query.Row{Key: o.key, Count: 1}
	for i, part := range r.trial.Parts() {
		v := query.Number{Present: o.n[i] > 0}
		column, _ := r.columns[part.Dataset].Find(part.Column)
		var err error
		switch {
		case !v.Present:
		case part.Own == query.Count:
			v.Fixed = o.n[i]
		case column.Type == definition.Float:
			f := o.floats[i]
			if part.Own == query.Mean {
				f /= float64(o.n[i])
			}
			if f = math.Round(f * math.Pow10(part.Scale)); math.Abs(f) > disclosure.MaxResult {
				err = errors.New(strconv.FormatFloat(f, 'g', 6, 64) + " has too many digits")
			}
			v.Fixed = int64(f)
		default:
			n := int64(1)
			if part.Own == query.Mean {
				n = o.n[i]
			}
			v.Fixed, err = disclosure.Mean(o.sum[i], n, column.Scale, part.Scale)
		}
		if err != nil {
			return row, fmt.Errorf("column %s: %w", part.Column, err)
		}
		row.Values = append(row.Values, v)
	}
	return row, nil
}
