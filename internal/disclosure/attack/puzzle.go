package attack

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// maxRows is how many equations one linear program has; the simplex method here takes
// the third power of it for each step.
const maxRows = 150

// place is a layer of a leaf.
type place struct {
	leaf  int32
	layer int
}

// unknown is what a layer of a leaf has beside what the attackers sent themselves.
type unknown struct {
	in            uint64
	truth         float64
	victim, alone bool // the victim is in it, and nobody else
	fixed         bool // it follows from an equation by itself
	rows          []int
}

// puzzle is what an attacker has written down: sums of unknowns.
type puzzle struct {
	columns  map[place]int
	unknowns []unknown
	rows     [][]int // the unknowns of each sum
}

func (p *puzzle) add(at place, in uint64, truth float64, victim, alone bool) {
	p.columns[at] = len(p.unknowns)
	p.unknowns = append(p.unknowns, unknown{in: in, truth: truth, victim: victim, alone: alone})
}

// equation writes down that a cell was shown.
func (p *puzzle) equation(w *World, release int, leaves []int32) {
	var row []int
	for _, leaf := range leaves {
		for n, l := range w.layers[leaf] {
			if at, there := p.columns[place{leaf, n}]; there && l.in>>release&1 == 1 {
				row = append(row, at)
			}
		}
	}
	if len(row) == 0 {
		return
	}
	for _, at := range row {
		p.unknowns[at].rows = append(p.unknowns[at].rows, len(p.rows))
	}
	p.rows = append(p.rows, row)
}

// reduce takes away what follows from one equation: a sum of one unknown is that one,
// and of a sum of nothing each is nothing.
func (p *puzzle) reduce() {
	var queue []int
	for i := range p.rows {
		queue = append(queue, i)
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		sum := 0.0
		for _, at := range p.rows[i] {
			sum += p.unknowns[at].truth
		}
		if len(p.rows[i]) == 0 || len(p.rows[i]) > 1 && sum > 0 {
			continue
		}
		for _, at := range slices.Clone(p.rows[i]) {
			u := &p.unknowns[at]
			u.fixed = true
			for _, r := range u.rows {
				p.rows[r] = slices.DeleteFunc(p.rows[r], func(x int) bool { return x == at })
				queue = append(queue, r)
			}
			u.rows = nil
		}
	}
}

// extreme is the most (sign 1) or the least (sign -1) that some unknowns can be together.
func (p *puzzle) extreme(asked []int, sign float64) (is float64, partial bool, err error) {
	var known float64
	var open []int
	for _, at := range asked {
		switch u := p.unknowns[at]; {
		case u.fixed:
			known += u.truth
		case len(u.rows) > 0:
			open = append(open, at)
		case sign > 0:
			return math.Inf(1), false, nil
		}
	}
	if len(open) == 0 {
		return known, false, nil
	}
	rows, partial := p.around(open)
	found, err := p.program(rows, open, sign)
	return known + found, partial, err
}

// around lists the equations that hang together with some unknowns, the nearest first.
func (p *puzzle) around(open []int) (rows []int, partial bool) {
	seenRow, seen := map[int]bool{}, map[int]bool{}
	queue := slices.Clone(open)
	for _, at := range open {
		seen[at] = true
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, r := range p.unknowns[at].rows {
			if seenRow[r] {
				continue
			}
			if len(rows) == maxRows {
				return rows, true
			}
			seenRow[r] = true
			rows = append(rows, r)
			for _, other := range p.rows[r] {
				if !seen[other] {
					seen[other] = true
					queue = append(queue, other)
				}
			}
		}
	}
	return rows, false
}

// program solves the linear program of some equations.
func (p *puzzle) program(rows, open []int, sign float64) (float64, error) {
	column := map[int]int{}
	var truth []float64
	scale := 1.0
	for _, r := range rows {
		for _, at := range p.rows[r] {
			if _, known := column[at]; !known {
				column[at] = len(truth)
				truth = append(truth, p.unknowns[at].truth)
				scale = max(scale, p.unknowns[at].truth)
			}
		}
	}
	var a [][]float64
	var is []float64
	for _, r := range rows {
		row, sum := make([]float64, len(truth)), 0.0
		for _, at := range p.rows[r] {
			row[column[at]] = 1
			sum += p.unknowns[at].truth / scale
		}
		a, is = append(a, row), append(is, sum)
	}
	a, is = independent(a, is)
	c := make([]float64, len(truth))
	for _, at := range open {
		n, there := column[at]
		if !there { // the equations it is in were left out
			if sign > 0 {
				return math.Inf(1), nil
			}
			continue
		}
		c[n] = -sign
	}
	dense := mat.NewDense(len(a), len(truth), nil)
	for i, row := range a {
		dense.SetRow(i, row)
	}
	best, _, err := lp.Simplex(c, dense, is, 1e-10, nil)
	switch {
	case errors.Is(err, lp.ErrUnbounded):
		return math.Inf(1), nil
	case err != nil:
		return 0, fmt.Errorf("attack: linear program of %d equations: %w", len(a), err)
	}
	return -sign * best * scale, nil
}

// independent leaves out the equations that follow from those before them; the simplex
// method wants none.
func independent(rows [][]float64, is []float64) (kept [][]float64, of []float64) {
	type base struct {
		row []float64
		at  int
	}
	var reduced []base
	for i, row := range rows {
		r := slices.Clone(row)
		for _, b := range reduced {
			if f := r[b.at] / b.row[b.at]; f != 0 {
				for k := range r {
					if r[k] -= f * b.row[k]; math.Abs(r[k]) < 1e-9 {
						r[k] = 0
					}
				}
			}
		}
		if at := slices.IndexFunc(r, func(v float64) bool { return v != 0 }); at >= 0 {
			reduced, kept, of = append(reduced, base{r, at}), append(kept, row), append(of, is[i])
		}
	}
	return kept, of
}
