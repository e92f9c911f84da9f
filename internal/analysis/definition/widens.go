package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Widens says in words what the next version of a definition uses, releases or
// relaxes beyond the old one. If it returns nothing, an acceptance of the old
// version still covers the next. Whatever is uncertain is in the list: a group
// taken away, a filter added or tightened uses no more data, but makes other
// cells, and those can be compared with what was released before.
//
// Titles, descriptions, the look of results, how long they are kept and the limits
// of a run do not matter, nor does what is only taken away: a measure, decimals,
// own values.
func Widens(old, next *Definition) []string {
	w := &widening{old: old, next: next}
	if old.Name != next.Name {
		w.add("it is another analysis, %s instead of %s", next.Name, old.Name)
	}
	if old.Recipients != next.Recipients {
		w.add("the results go to %s instead of %s", next.Recipients, old.Recipients)
	}
	w.data()
	w.derived()
	w.groups()
	w.filters()
	w.measures()
	if next.OwnValue && !old.OwnValue {
		w.add("each recipient's own values are in its results")
	}
	w.rules()
	return w.words
}

type widening struct {
	old, next *Definition
	words     []string
}

func (w *widening) add(format string, args ...any) {
	w.words = append(w.words, fmt.Sprintf(format, args...))
}

// Uses lists the columns that the definition reads of each of its datasets, in the
// order in which it names them; of a derived column those that it is made of.
func (d *Definition) Uses() map[string][]string {
	used := map[string][]string{}
	also := func(dataset, name string) {
		if name == "" {
			return
		}
		for _, column := range d.reads(dataset, name) {
			if !slices.Contains(used[dataset], column) {
				used[dataset] = append(used[dataset], column)
			}
		}
	}
	for _, dataset := range d.Datasets {
		used[dataset] = []string{}
		for _, g := range d.Groups {
			also(dataset, g)
		}
	}
	for _, f := range d.Filters {
		also(f.Dataset, f.Column)
	}
	for _, m := range d.Measures {
		for _, name := range m.Columns() {
			also(m.Dataset, name)
		}
	}
	return used
}

func (w *widening) data() {
	before, after := w.old.Uses(), w.next.Uses()
	for _, dataset := range slices.Sorted(maps.Keys(after)) {
		columns, known := before[dataset]
		if !known {
			w.add("the dataset %s is used", dataset)
			continue
		}
		for _, column := range after[dataset] {
			if !slices.Contains(columns, column) {
				w.add("the column %s of the dataset %s is used", column, dataset)
			}
		}
	}
}

// derived names what is computed in another way than before; a name's meaning changes
// with its expression.
func (w *widening) derived() {
	for _, d := range w.next.Derived {
		switch was, is := w.old.Meaning(d.Dataset, d.Name), w.next.Meaning(d.Dataset, d.Name); {
		case was == is:
		case was == d.Name:
			w.add("%s of the dataset %s is computed: %s", d.Name, d.Dataset, is)
		default:
			w.add("%s of the dataset %s is %s instead of %s", d.Name, d.Dataset, is, was)
		}
	}
}

func (w *widening) groups() {
	for _, g := range w.next.Groups {
		if !slices.Contains(w.old.Groups, g) {
			w.add("cells are also divided by %s, so each has fewer contributors", g)
		}
	}
	for _, g := range w.old.Groups {
		if !slices.Contains(w.next.Groups, g) {
			w.add("cells are no longer divided by %s, so they can be compared with the smaller ones released before", g)
		}
	}
	for _, total := range w.next.Totals {
		if !slices.ContainsFunc(w.old.Totals, func(o []string) bool { return slices.Equal(o, total) }) {
			w.add("totals over %s are released as well", strings.Join(total, ", "))
		}
	}
}

func (w *widening) filters() {
	find := func(filters []Filter, like Filter) (Filter, bool) {
		i := slices.IndexFunc(filters, func(f Filter) bool { return f.Dataset == like.Dataset && f.Column == like.Column })
		if i < 0 {
			return Filter{}, false
		}
		return filters[i], true
	}
	for _, f := range w.old.Filters {
		if !slices.Contains(w.next.Datasets, f.Dataset) {
			continue
		}
		switch g, ok := find(w.next.Filters, f); {
		case !ok:
			w.add("rows of the dataset %s count even where not (%s)", f.Dataset, f.words())
		case f.words() != g.words():
			w.add("rows of the dataset %s count where (%s) instead of (%s)", f.Dataset, g.words(), f.words())
		}
	}
	for _, f := range w.next.Filters {
		if _, ok := find(w.old.Filters, f); !ok && slices.Contains(w.old.Datasets, f.Dataset) {
			w.add("rows of the dataset %s count only where (%s), which can be compared with the cells of all rows released before", f.Dataset, f.words())
		}
	}
}

// words say which rows pass, the same for lists in any order.
func (f Filter) words() string {
	switch {
	case len(f.Equals) > 0:
		values := slices.Sorted(slices.Values(f.Equals))
		for i, v := range values {
			values[i] = fmt.Sprintf("%q", v)
		}
		return f.Column + " is " + strings.Join(values, " or ")
	case f.To == "":
		return fmt.Sprintf("%s is %s or more", f.Column, f.From)
	case f.From == "":
		return fmt.Sprintf("%s is %s or less", f.Column, f.To)
	}
	return fmt.Sprintf("%s is from %s to %s", f.Column, f.From, f.To)
}

func (w *widening) measures() {
	type identity struct {
		dataset, column, of, weight string
		function                    Function
		own                         Own
		quantile                    int
	}
	in := func(d *Definition, m Measure) identity {
		return identity{m.Dataset, d.Meaning(m.Dataset, m.Column), d.Meaning(m.Dataset, m.Of), d.Meaning(m.Dataset, m.Weight), m.Function, m.Own, m.Quantile}
	}
	decimals := map[identity]int{}
	for _, m := range w.old.Measures {
		of := in(w.old, m)
		decimals[of] = max(decimals[of], m.Decimals+1)
	}
	for _, m := range w.next.Measures {
		switch known := decimals[in(w.next, m)]; {
		case known == 0:
			w.add("%s is released: %s", m.Name, m.Words())
		case m.Decimals >= known:
			w.add("%s is released with %s instead of %s", m.Name, counted(m.Decimals, "decimal"), counted(known-1, "decimal"))
		}
	}
}

func (w *widening) rules() {
	o, n := w.old.Rules, w.next.Rules
	if n.MinContributors < o.MinContributors {
		w.add("a cell needs %d contributors instead of %d", n.MinContributors, o.MinContributors)
	}
	switch {
	case n.PPercent == 0 && o.PPercent > 0:
		w.add("the p %% rule is off")
	case n.PPercent < o.PPercent:
		w.add("the p %% rule is less strict")
	}
	if prior(n) > prior(o) {
		w.add("the rules take it that others know less of your values beforehand")
	}
	if n.Coalitions() < o.Coalitions() {
		w.add("the rules hold against %s instead of %d", counted(n.Coalitions(), "recipient"), o.Coalitions())
	}
	switch {
	case !o.Dominance.On():
	case !n.Dominance.On():
		w.add("the dominance rule is off")
	case n.Dominance.N < o.Dominance.N || n.Dominance.K > o.Dominance.K:
		w.add("the dominance rule is less strict, or another")
	}
	if w.next.Quorum < w.old.Quorum {
		w.add("a run needs %d participants instead of %d", w.next.Quorum, w.old.Quorum)
	}
}

// prior is how closely values are taken to be known beforehand, in per cent.
func prior(r Rules) int {
	if r.QPercent == 0 {
		return 100
	}
	return r.QPercent
}
