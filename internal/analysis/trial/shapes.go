package trial

import (
	"cmp"
	"context"
	"math"
	"slices"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure/attack"
)

// more reports whether a measure is more than sums.
func more(m analysis.TriedMeasure) bool {
	return m.Function == definition.Variance || m.Function == definition.Quantile
}

// shaped is a cell of a release of which variances or quantiles are shown.
type shaped struct {
	release, cell int
	called        string
	values        []attack.Value
	owners        []string           // by number
	size          map[int32]int64    // what each has
	order         []int32            // organisations, those with the most first
	sees          map[string][]int32 // who is shown what: the sum, the variance, a quantile
	windows       map[string]attack.Window
}

// The names of what is shown, of quantiles their own.
const theSum, theVariance = "sum", "variance"

// shapes attacks a variance or quantile, with all that is shown of the same values in the
// same cell.
func (r *Report) shapes(ctx context.Context, t *analysis.Trial, tried []*analysis.Tried, m int, of *Measure, o Options) error {
	var list []siege
	for n, one := range tried {
		if one.Withheld != "" {
			continue
		}
		for cell := range one.Keys {
			c := newShaped(t, one, m, n, cell)
			if len(c.sees[shownAs(one.Measures[m])]) > 0 {
				list = append(list, c.sieges(one.Measures[m], r.Coalition)...)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b siege) int { return a.rank - b.rank })
	list = list[:min(len(list), o.Tries)]
	if len(list) == 0 {
		return nil
	}
	part := tried[list[0].release].Measures[m].Parts[0]
	column, scale := t.Column(part), math.Pow10(t.Parts()[part].Scale)
	for n, s := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Advance != nil {
			o.Advance(int64(n), int64(len(list)))
		}
		of.Tries++
		b := Bound{Release: s.release + 1, Cell: s.called, Column: column, Shown: true, Victim: s.owners[s.victim]}
		for _, by := range s.by {
			b.By = append(b.By, s.owners[by])
		}
		r.found(of, b, s.bound(), scale, o.Listed)
	}
	return nil
}

// shownAs is the name of what a measure shows.
func shownAs(m analysis.TriedMeasure) string {
	switch m.Function {
	case definition.Variance:
		return theVariance
	case definition.Quantile:
		return m.Name
	}
	return theSum
}

// newShaped gathers what is shown of the values that a measure is of, in one cell.
func newShaped(t *analysis.Trial, one *analysis.Tried, m, release, cell int) *shaped {
	c := &shaped{release: release, cell: cell, size: map[int32]int64{}, sees: map[string][]int32{}, windows: map[string]attack.Window{}}
	numbers := map[string]int32{}
	of := func(owner string) int32 {
		n, is := numbers[owner]
		if !is {
			n = int32(len(numbers))
			numbers[owner], c.owners = n, append(c.owners, owner)
		}
		return n
	}
	part := one.Measures[m].Parts[0]
	for _, v := range one.Contributions(part, cell) {
		o := of(one.Owners[v.Participant])
		if _, known := c.size[o]; !known {
			c.order = append(c.order, o)
		}
		c.size[o] += v.Value
		c.values = append(c.values, attack.Value{Participant: v.Participant, Organisation: o, Value: v.Value})
	}
	slices.SortStableFunc(c.order, func(a, b int32) int { return cmp.Compare(c.size[b], c.size[a]) })
	for _, shown := range one.Measures {
		if !slices.Contains(shown.Parts, part) {
			continue
		}
		name := shownAs(shown)
		for _, p := range one.Shown(shown, cell) {
			if o := of(one.Owners[p]); !slices.Contains(c.sees[name], o) {
				c.sees[name] = append(c.sees[name], o)
			}
		}
		if shown.Function == definition.Quantile {
			from, to := t.Window(shown.Quantile, len(c.values))
			c.windows[name] = attack.Window{From: from, To: to}
		}
	}
	c.called = called(one.Groups, one.Keys[cell], nil)
	return c
}

// siege is one attack on a shaped cell.
type siege struct {
	*shaped
	by        []int32
	victim    int32
	neighbour int32         // a participant of the victim's in the window
	window    attack.Window // empty: nobody knows who stands in one
	rank      int
}

// bound attacks.
func (s siege) bound() attack.Bound {
	sees := func(name string) bool {
		return slices.ContainsFunc(s.by, func(o int32) bool { return slices.Contains(s.sees[name], o) })
	}
	shape := attack.Shape{Values: s.values, Sum: sees(theSum), Variance: sees(theVariance)}
	if s.window.To > 0 {
		return shape.Neighbour(s.by, s.window, s.neighbour)
	}
	for name, w := range s.windows {
		if sees(name) {
			shape.Windows = append(shape.Windows, w)
		}
	}
	return shape.Bound(s.by, s.victim)
}

// maxAttackers is how many recipients of a cell attack it, those with the most and those
// with the least.
const maxAttackers = 12

// sieges lists attacks, those that look best first: by each who is shown the measure,
// with friends who know most, or least, of the rest, on those who then have the most, and
// the least, and on all who have several participants; and by those who stand in a
// quantile's window on each other.
func (c *shaped) sieges(m analysis.TriedMeasure, coalition int) []siege {
	var list []siege
	name := shownAs(m)
	several := c.several()
	recipients := slices.DeleteFunc(slices.Clone(c.order), func(o int32) bool { return !slices.Contains(c.sees[name], o) })
	if len(recipients) > maxAttackers {
		recipients = append(slices.Clone(recipients[:maxAttackers/2]), recipients[len(recipients)-maxAttackers/2:]...)
	}
	for rank, r := range recipients {
		for friends := range coalition { // so many have the most, the others the least
			by := []int32{r}
			for _, o := range c.order {
				if len(by) <= coalition-1-friends && o != r {
					by = append(by, o)
				}
			}
			for i := len(c.order) - 1; i >= 0 && len(by) < coalition; i-- {
				if o := c.order[i]; !slices.Contains(by, o) {
					by = append(by, o)
				}
			}
			rest := slices.DeleteFunc(slices.Clone(c.order), func(o int32) bool { return slices.Contains(by, o) })
			if len(rest) == 0 {
				continue
			}
			victims := append([]int32{rest[0], rest[len(rest)-1]}, several...)
			for i, victim := range victims {
				if !slices.Contains(by, victim) && !slices.Contains(victims[:i], victim) {
					list = append(list, siege{shaped: c, by: by, victim: victim, rank: rank + 4*min(i, 2)})
				}
			}
		}
	}
	if w, is := c.windows[name]; is {
		list = append(list, c.neighbours(w, coalition)...)
	}
	return list
}

// several lists the organisations with more than one participant.
func (c *shaped) several() []int32 {
	n := map[int32]int{}
	for _, v := range c.values {
		n[v.Organisation]++
	}
	return slices.DeleteFunc(slices.Clone(c.order), func(o int32) bool { return n[o] < 2 })
}

// neighbours lists the attacks of those in a window on the others in it.
func (c *shaped) neighbours(w attack.Window, coalition int) []siege {
	var list []siege
	sorted := slices.Clone(c.values)
	slices.SortStableFunc(sorted, func(a, b attack.Value) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Participant, b.Participant))
	})
	in := sorted[w.From:w.To]
	for i, victim := range in {
		var by []int32
		for n := len(in) - 1; n >= 0 && len(by) < coalition; n-- {
			if o := in[n].Organisation; n != i && o != victim.Organisation && !slices.Contains(by, o) {
				by = append(by, o)
			}
		}
		list = append(list, siege{shaped: c, by: by, victim: victim.Organisation, neighbour: victim.Participant, window: w, rank: len(in) - 1 - i})
	}
	return list
}
