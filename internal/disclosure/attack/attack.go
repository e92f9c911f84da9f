// Package attack bounds another's value from what releases of a table show, as a
// recipient could: it writes down what it was given as linear equations over what it
// does not know, and asks a linear program how small and how large the value can be.
// It knows nothing of rules, levels or witnesses and takes nothing from package
// disclosure, whose tests it attacks, and whose releases authors attack with it.
package attack

import (
	"fmt"
	"math"
	"slices"
)

// Value is one participant's one value at a leaf of the table, not below zero.
type Value struct {
	Participant  int32
	Organisation int32
	Value        int64
}

// Release is what was at each leaf when it was made.
type Release struct {
	Leaves [][]Value
}

// maxReleases is how many releases can be attacked together.
const maxReleases = 64

// World is a table, of which each cell is the sum of some leaves, and all its releases.
type World struct {
	cells    [][]int32
	releases int
	layers   [][]layer // by leaf
}

// layer is what is at a leaf in the same releases with the same value.
type layer struct {
	in     uint64
	values []Value
}

// New makes a world. cells lists of each cell the leaves that it is the sum of.
func New(cells [][]int32, releases ...Release) (*World, error) {
	if len(releases) < 1 || len(releases) > maxReleases {
		return nil, fmt.Errorf("attack on %d releases; it can be 1 to %d", len(releases), maxReleases)
	}
	w := &World{cells: cells, releases: len(releases), layers: make([][]layer, len(releases[0].Leaves))}
	for leaf := range w.layers {
		in := map[Value]uint64{}
		var order []Value
		for n, r := range releases {
			if len(r.Leaves) != len(w.layers) {
				return nil, fmt.Errorf("attack on releases of %d and %d leaves", len(w.layers), len(r.Leaves))
			}
			for _, v := range r.Leaves[leaf] {
				if v.Value < 0 {
					return nil, fmt.Errorf("attack on a value below zero at leaf %d", leaf)
				}
				if in[v] == 0 {
					order = append(order, v)
				}
				in[v] |= 1 << n
			}
		}
		for _, v := range order {
			at := slices.IndexFunc(w.layers[leaf], func(l layer) bool { return l.in == in[v] })
			if at < 0 {
				at = len(w.layers[leaf])
				w.layers[leaf] = append(w.layers[leaf], layer{in: in[v]})
			}
			w.layers[leaf][at].values = append(w.layers[leaf][at].values, v)
		}
	}
	for cell, leaves := range cells {
		for _, leaf := range leaves {
			if leaf < 0 || int(leaf) >= len(w.layers) {
				return nil, fmt.Errorf("attack on cell %d of leaf %d, which is not there", cell, leaf)
			}
		}
	}
	return w, nil
}

// Asked is what an attack is after: what an organisation has in a cell of a release.
type Asked struct {
	Release int
	Cell    int
	Victim  int32
}

// Bound is what an attacker can say of a value.
type Bound struct {
	Value       float64 // as it is
	Least, Most float64 // Most is infinite if nothing shown bounds it
	Partial     bool    // the equations were too many, and some were left out: it may be known more closely
}

// Above is how far the attacker's upper bound lies over the value, in per cent of it: 0
// if it is known to be zero, infinite if nothing bounds it.
func (b Bound) Above() float64 { return percent(b.Most-b.Value, b.Value) }

func percent(by, of float64) float64 {
	of = math.Abs(of)
	switch {
	case by <= tiny*max(of, 1):
		return 0
	case of == 0:
		return math.Inf(1)
	}
	return 100 * by / of
}

// tiny is what floating point is taken to lose of a value.
const tiny = 1e-6

// Within reports whether the value is bounded to within p per cent from above, which is
// what the p % rule is to prevent. With p = 0 it is never.
func (b Bound) Within(p float64) bool { return p > 0 && b.Above() < p-1e-3 }

// Bound works out what a coalition knows of a value. Its members know their own values;
// shown says which cells of each release any of them was shown; everybody knows who
// has something at which leaf, and in which releases it is the same.
func (w *World) Bound(coalition []int32, shown func(release, cell int) bool, a Asked) (Bound, error) {
	if a.Release < 0 || a.Release >= w.releases || a.Cell < 0 || a.Cell >= len(w.cells) {
		return Bound{}, fmt.Errorf("attack on cell %d of release %d, which is not there", a.Cell, a.Release)
	}
	p := &puzzle{columns: map[place]int{}}
	for leaf, layers := range w.layers {
		for n, l := range layers {
			var sum float64
			var others, victim bool
			for _, v := range l.values {
				if slices.Contains(coalition, v.Organisation) {
					continue
				}
				sum += float64(v.Value)
				victim = victim || v.Organisation == a.Victim
				others = others || v.Organisation != a.Victim
			}
			if victim || others {
				p.add(place{int32(leaf), n}, l.in, sum, victim, !others)
			}
		}
	}
	for release := range w.releases {
		for cell, leaves := range w.cells {
			if shown(release, cell) {
				p.equation(w, release, leaves)
			}
		}
	}
	// Whoever knows z = v + o of a leaf's victim and others, and of neither that it is
	// below zero, knows v to be anything from 0 to z, or z itself if there are no others. So
	// the most that the victim can have is the most that its leaves can show.
	b := Bound{Value: w.value(a), Most: 0}
	var most, least []int
	for _, leaf := range w.cells[a.Cell] {
		for n, l := range w.layers[leaf] {
			at, there := p.columns[place{leaf, n}]
			if !there || l.in>>a.Release&1 == 0 || !p.unknowns[at].victim {
				continue
			}
			most = append(most, at)
			if p.unknowns[at].alone {
				least = append(least, at)
			}
		}
	}
	p.reduce()
	var err error
	if b.Most, b.Partial, err = p.extreme(most, 1); err != nil {
		return b, err
	}
	if len(least) > 0 {
		var partial bool
		if b.Least, partial, err = p.extreme(least, -1); err != nil {
			return b, err
		}
		b.Partial = b.Partial || partial
	}
	return b, nil
}

// value is what the victim has.
func (w *World) value(a Asked) float64 {
	var sum float64
	for _, leaf := range w.cells[a.Cell] {
		for _, l := range w.layers[leaf] {
			for _, v := range l.values {
				if l.in>>a.Release&1 == 1 && v.Organisation == a.Victim {
					sum += float64(v.Value)
				}
			}
		}
	}
	return sum
}

// Contributors lists what each organisation has in a cell of a release, the most first.
func (w *World) Contributors(release, cell int) (organisations []int32, values []int64) {
	have := map[int32]int64{}
	for _, leaf := range w.cells[cell] {
		for _, l := range w.layers[leaf] {
			if l.in>>release&1 == 0 {
				continue
			}
			for _, v := range l.values {
				if _, known := have[v.Organisation]; !known {
					organisations = append(organisations, v.Organisation)
				}
				have[v.Organisation] += v.Value
			}
		}
	}
	slices.SortFunc(organisations, func(a, b int32) int {
		if have[a] != have[b] {
			if have[a] > have[b] {
				return -1
			}
			return 1
		}
		return int(a) - int(b)
	})
	for _, o := range organisations {
		values = append(values, have[o])
	}
	return organisations, values
}
