package definition

import (
	"slices"
	"strings"
)

// Together says why measures of several definitions, released of the same rows, would
// tell together what none does alone; empty: they do not. It is what Parse refuses
// within one definition. The rules are those of all of them.
func Together(list ...*Definition) string {
	all := &Definition{Rules: list[0].Rules}
	for n, d := range list {
		all.Rules = all.Rules.And(d.Rules)
		prefix := strings.Repeat("other ", n)
		for _, name := range d.Datasets {
			if !slices.Contains(all.Datasets, name) {
				all.Datasets = append(all.Datasets, name)
			}
		}
		for _, m := range d.Measures {
			rename := func(name string) string {
				if d.derived(m.Dataset, name) != nil {
					return prefix + name
				}
				return name
			}
			one := m
			one.Column, one.Of, one.Weight = rename(m.Column), rename(m.Of), rename(m.Weight)
			if !slices.ContainsFunc(list[:n], func(o *Definition) bool { return o.Gives(d, m) }) {
				all.Measures = append(all.Measures, one)
			}
		}
		for _, of := range d.Derived {
			of.Name = prefix + of.Name
			all.Derived = append(all.Derived, of)
		}
	}
	doc := &document{}
	all.checkJoint(doc)
	all.checkQuantiles(doc)
	all.checkSquares(doc)
	if len(doc.problems) == 0 {
		return ""
	}
	_, words, _ := strings.Cut(doc.problems[0].text, ": ")
	return words
}

// Gives reports whether a definition has a measure of another, whatever it is called.
func (d *Definition) Gives(other *Definition, m Measure) bool {
	return slices.ContainsFunc(d.Measures, func(own Measure) bool {
		means := func(a, b string) bool {
			return d.Meaning(m.Dataset, a) == other.Meaning(m.Dataset, b)
		}
		return own.Dataset == m.Dataset && own.Function == m.Function && own.Quantile == m.Quantile && own.Own == m.Own &&
			means(own.Column, m.Column) && means(own.Of, m.Of) && means(own.Weight, m.Weight)
	})
}

// And are rules as strict as both.
func (r Rules) And(o Rules) Rules {
	r.MinContributors, r.PPercent, r.Coalition = max(r.MinContributors, o.MinContributors), max(r.PPercent, o.PPercent), max(r.Coalition, o.Coalition)
	if r.QPercent == 0 || o.QPercent > 0 && o.QPercent < r.QPercent {
		r.QPercent = o.QPercent
	}
	switch {
	case !r.Dominance.On():
		r.Dominance = o.Dominance
	case o.Dominance.On():
		r.Dominance = Dominance{max(r.Dominance.N, o.Dominance.N), min(r.Dominance.K, o.Dominance.K)}
	}
	return r
}
