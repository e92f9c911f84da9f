package analysis

import (
	"context"
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/meta"
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

// other is another definition, with what its releases have to do with a run's.
type other struct {
	def *definition.Definition
	has relation
}

// related looks a version of an analysis up, once: a date may have many runs of it.
func (x *execution) related(ctx context.Context, tx *meta.DB, name string, version int64) (other, error) {
	key := versionOf{name, version}
	if known, ok := x.others[key]; ok {
		return known, nil
	}
	v, err := x.AnalysisIn(ctx, tx, name, version)
	if err != nil {
		return other{}, err
	}
	if x.others == nil {
		x.others = map[versionOf]other{}
	}
	x.others[key] = other{v.Definition, x.relation(v.Definition)}
	return x.others[key], nil
}

// versionOf names a version of an analysis.
type versionOf struct {
	analysis string
	version  int64
}

// relation finds what a definition's releases have to do with the run's. Two measures
// are of the same if they read a column in common, or both count rows. What one says of
// the other a comparison of cells finds only if one has all parts of the other; if not,
// or if they cannot be told any more, they are beside each other.
func (x *execution) relation(d *definition.Definition) relation {
	y, spec := &execution{Analyses: x.Analyses, def: d}, query.Spec{Datasets: x.asked.Datasets}
	y.numbers(&spec, x.declared)
	mine, theirs := partNames(x.asked.Measures), partNames(spec.Measures)
	r := relation{parts: theirs}
	for _, a := range x.measures {
		for _, m := range d.Measures {
			reads := x.def.Reads(a.Measure)
			if m.Dataset != a.Dataset || x.apart(d, m.Dataset) || !slices.ContainsFunc(d.Reads(m), func(name string) bool { return slices.Contains(reads, name) }) {
				continue
			}
			r.any = true
			b := slices.IndexFunc(y.measures, func(b measure) bool { return b.Name == m.Name })
			// What a quantile tells beside other measures is judged within one definition.
			if a.Function == definition.Quantile || m.Function == definition.Quantile {
				r.beside = r.beside || !d.Gives(x.def, a.Measure) || !x.def.Gives(d, m)
			}
			r.beside = r.beside || b < 0 || !all(a.parts, x.asked.Measures, theirs) && !all(y.measures[b].parts, spec.Measures, mine)
		}
	}
	return r
}

// all reports whether parts are all among some names.
func all(parts []int, of []query.Measure, names map[partName]bool) bool {
	return !slices.ContainsFunc(parts, func(part int) bool { return !names[nameOf(of[part])] })
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
