package analysis

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
)

// spec turns the definition into the engine's question.
func (x *execution) spec(ctx context.Context) (query.Spec, error) {
	s := query.Spec{
		Participants: len(x.participants), Groups: x.def.Groups, Datasets: map[string][]query.Column{},
		Limits: query.Limits{Memory: x.def.Limits.Memory, Rows: int(min(x.def.Limits.Cells*int64(len(x.participants)), query.MaxRows))},
	}
	if len(x.inputs) > sandbox.MaxInputs {
		return s, fault.New(fault.TooLarge, "The run has %d submissions; one run can read %d. Split the analysis by dataset or group of tenants.", len(x.inputs), sandbox.MaxInputs)
	}
	columns := map[string]definition.Columns{}
	seen := map[ManifestDataset]bool{}
	for n, i := range x.inputs {
		s.Sources = append(s.Sources, query.Source{Dataset: i.Dataset, Participant: x.index(i.Tenant), Input: n})
		version := ManifestDataset{Dataset: i.Dataset, Version: i.Contract}
		if seen[version] {
			continue
		}
		seen[version] = true
		d, err := x.Exchange.Dataset(ctx, i.Dataset, i.Contract)
		if err != nil {
			return s, err
		}
		used, err := x.columns(d)
		if err != nil {
			return s, err
		}
		if known, ok := s.Datasets[i.Dataset]; ok && !slices.Equal(known, used) { // eligible saw to it
			return s, fmt.Errorf("versions of the contract of %s differ in the columns used", i.Dataset)
		}
		s.Datasets[i.Dataset] = used
		columns[i.Dataset] = certain(columns[i.Dataset], columnsOf(d))
		version.SHA256 = hex.EncodeToString(d.Hash)
		x.contracts = append(x.contracts, version)
	}
	if err := definition.Check(x.def, columns); err != nil && len(columns) == len(x.def.Datasets) {
		return s, err
	}
	x.numbers(&s, columns)
	for _, f := range x.def.Filters {
		if columns[f.Dataset] == nil {
			continue
		}
		q, err := filterOf(f, columns[f.Dataset])
		if err != nil {
			return s, err
		}
		s.Filters = append(s.Filters, q)
	}
	return s, nil
}

// numbers asks for the derived columns and the parts of the measures of the datasets
// that there are.
func (x *execution) numbers(s *query.Spec, declared map[string]definition.Columns) {
	x.declared = declared
	columns := map[string]definition.Columns{}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		columns[name] = x.def.Derive(name, declared[name])
		x.derivedGroups(s, name, columns[name])
	}
	for _, m := range x.def.Measures {
		if columns[m.Dataset] == nil { // nobody sent this dataset for the date
			continue
		}
		of := measured{x, s, columns[m.Dataset], measure{Measure: m}}
		of.parts()
		x.measures = append(x.measures, of.of)
	}
	x.asked = *s
}

// part is the number of one of the engine's measures, which several of the definition's
// may have a part in.
func (x *execution) part(s *query.Spec, q query.Measure, counts bool) int {
	for i, known := range s.Measures {
		if q.Name = known.Name; q == known {
			return i
		}
	}
	q.Name = fmt.Sprintf("part %d", len(s.Measures)+1)
	s.Measures = append(s.Measures, q)
	x.counted = append(x.counted, counts)
	return len(s.Measures) - 1
}

// certain keeps of both versions of a contract's columns the later one's, required
// where they are in both.
func certain(before, now definition.Columns) definition.Columns {
	for i := range now {
		if old, ok := before.Find(now[i].Name); before != nil && !(ok && old.Required) {
			now[i].Required = false
		}
	}
	return now
}

// index is the number of a participant; they are in order of id.
func (x *execution) index(id tenant.ID) int {
	n, _ := slices.BinarySearch(x.participants, id)
	return n
}

// columns are those of a dataset that the definition uses.
func (x *execution) columns(d exchange.Dataset) ([]query.Column, error) {
	names := x.def.Uses()[d.Name]
	slices.Sort(names)
	return columnsUsed(d, names)
}

// columnsUsed are columns of a dataset by their names.
func columnsUsed(d exchange.Dataset, names []string) ([]query.Column, error) {
	all := columnsOf(d)
	var list []query.Column
	for _, name := range names {
		c, ok := all.Find(name)
		if !ok {
			return nil, fault.New(fault.Conflict, "Version %d of dataset %q has no column %q, which this analysis uses.", d.Version, d.Name, name)
		}
		list = append(list, query.Column{Name: c.Name, Type: query.Type(c.Type), Scale: c.Scale})
	}
	return list, nil
}

func filterOf(f definition.Filter, columns definition.Columns) (query.Filter, error) {
	c, ok := columns.Find(f.Column)
	if !ok {
		return query.Filter{}, fault.New(fault.Conflict, "Dataset %q has no column %q to filter by.", f.Dataset, f.Column)
	}
	value := func(text string) (query.Value, error) {
		l, ok := c.ParseValue(text)
		if !ok {
			return query.Value{}, fault.New(fault.Conflict, "The filter's value %q does not fit column %q.", text, c.Name)
		}
		return query.Value{Type: query.Type(c.Type), Scale: c.Scale, Text: l.Text, Int: l.Int, Float: l.Float}, nil
	}
	q := query.Filter{Dataset: f.Dataset, Column: f.Column}
	for _, text := range f.Equals {
		v, err := value(text)
		if err != nil {
			return q, err
		}
		q.Equals = append(q.Equals, v)
	}
	if f.From != "" {
		v, err := value(f.From)
		if err != nil {
			return q, err
		}
		q.From = &v
	}
	if f.To != "" {
		v, err := value(f.To)
		if err != nil {
			return q, err
		}
		q.To = &v
	}
	return q, nil
}
