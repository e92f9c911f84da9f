package analysis

import (
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/query"
)

// relation is what another definition's releases have to do with a run's.
type relation struct {
	any    bool              // they measure the same columns, of rows that may be the same
	beside bool              // of one of them something else, which cannot be compared
	parts  map[partName]bool // what they measure
}

// partName is what a part measures.
type partName struct {
	dataset, column string
	own             query.Own
}

func nameOf(m query.Measure) partName { return partName{m.Dataset, m.Column, m.Own} }

// relation finds what a definition's releases have to do with the run's. Two measures
// are of the same if they have a part in common, or are sums of a column in common: if
// these are of different parts, one says something of the other that no comparison of
// cells finds.
func (x *execution) relation(d *definition.Definition) relation {
	y, spec := &execution{Analyses: x.Analyses, def: d}, query.Spec{Datasets: x.asked.Datasets}
	y.numbers(&spec, x.declared)
	mine, theirs := partNames(x.asked.Measures), partNames(spec.Measures)
	r := relation{parts: theirs}
	for _, a := range x.measures {
		for _, b := range y.measures {
			if a.Dataset != b.Dataset || x.apart(d, a.Dataset) {
				continue
			}
			known := slices.ContainsFunc(a.parts, func(part int) bool { return theirs[nameOf(x.asked.Measures[part])] }) ||
				slices.ContainsFunc(b.parts, func(part int) bool { return mine[nameOf(spec.Measures[part])] })
			same := slices.ContainsFunc(a.reads, func(name string) bool { return slices.Contains(b.reads, name) })
			r.any = r.any || known || same
			r.beside = r.beside || same && !known
		}
	}
	return r
}

func partNames(list []query.Measure) map[partName]bool {
	names := map[partName]bool{}
	for _, m := range list {
		names[nameOf(m)] = true
	}
	return names
}

// apart reports whether another definition takes no row of a dataset that the run's
// does, by its filters.
func (x *execution) apart(d *definition.Definition, dataset string) bool {
	for _, f := range x.def.Filters {
		for _, g := range d.Filters {
			if f.Dataset != dataset || g.Dataset != dataset || f.Column != g.Column {
				continue
			}
			a, err := filterOf(f, x.declared[dataset])
			b, errOther := filterOf(g, x.declared[dataset])
			if err == nil && errOther == nil && excludes(a, b) {
				return true
			}
		}
	}
	return false
}

// excludes reports whether no value passes both of two filters of a column.
func excludes(a, b query.Filter) bool {
	before := func(v, w *query.Value) bool {
		return v != nil && w != nil && query.CompareKeys([]query.Value{*v}, []query.Value{*w}) < 0
	}
	passes := func(v query.Value, f query.Filter) bool {
		return !before(&v, f.From) && !before(f.To, &v) && (len(f.Equals) == 0 || slices.ContainsFunc(f.Equals, func(w query.Value) bool {
			return query.CompareKeys([]query.Value{v}, []query.Value{w}) == 0
		}))
	}
	if len(a.Equals) == 0 {
		a, b = b, a
	}
	if len(a.Equals) > 0 {
		return !slices.ContainsFunc(a.Equals, func(v query.Value) bool { return passes(v, b) && passes(v, a) })
	}
	return before(a.To, b.From) || before(b.To, a.From)
}
