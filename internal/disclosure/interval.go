package disclosure

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// Interval is what an attacker can derive of a hidden cell from all that is shown, in
// this release and the earlier ones. Below and Above are how far from the true value it
// reaches, in units of the part. They are floating point and for reading; what is proven
// is in the witnesses.
type Interval struct {
	Part  int
	Cell  int32
	Below float64
	Above float64 // infinite if nothing shown bounds it
}

// MaxBlock is how many hidden cells that hang together Intervals solves for; of larger
// blocks the witnesses say that they are in doubt, and not by how much in all.
const MaxBlock = 60

// Intervals solves two linear programs for each hidden cell of each part: how small and
// how large it can be, given every cell that is shown, that totals add up, and that
// what no coalition knows of a cell is not below zero. What is in a cell is taken apart
// by the releases that it is in, and of a cell that all releases show each of these is
// taken as known, so an interval may be wider than it says and not narrower. It leaves
// out cells of blocks above MaxBlock, blocks with which there would be more than most, and
// cells whose program has no numerical solution.
func Intervals(rules Rules, t *Table, hidden []bool, most int, earlier ...Earlier) ([]Interval, error) {
	if len(hidden) != len(t.Nodes) {
		return nil, fmt.Errorf("intervals of %d cells, of a table of %d", len(hidden), len(t.Nodes))
	}
	p, err := newProtector(rules, LeastCells, t, earlier)
	if err != nil {
		return nil, err
	}
	copy(p.hidden, hidden)
	var list []Interval
	for part := range t.Parts {
		for _, block := range p.blocks(part) {
			if len(block) <= MaxBlock && (len(list) == 0 || len(list)+len(block) <= most) {
				list = append(list, p.intervals(part, block)...)
			}
		}
	}
	return list, nil
}

// intervals solves for a block.
func (p *protector) intervals(part int, block []int32) (list []Interval) {
	for _, cell := range block {
		if !p.hidden[cell] || p.views[0].weights[part][cell].overflow {
			continue
		}
		above, err := p.reach(part, block, cell, 1)
		below, errBelow := p.reach(part, block, cell, -1)
		if err == nil && errBelow == nil { // what floating point cannot solve is left out: nothing rests on it
			list = append(list, Interval{part, cell, below, above})
		}
	}
	return list
}

// loose reports whether a cell of a part is hidden in any release.
func (p *protector) loose(part int, cell int32) bool {
	return slices.ContainsFunc(p.views, func(v view) bool { return v.hidden[part][cell] })
}

// blocks lists the hidden cells of a part, in any release, by what hangs together: cells
// of one sum.
func (p *protector) blocks(part int) [][]int32 {
	seen := make([]bool, len(p.hidden))
	var list [][]int32
	for cell := range p.hidden {
		if !p.loose(part, int32(cell)) || seen[cell] {
			continue
		}
		seen[cell] = true
		block := []int32{int32(cell)}
		for at := 0; at < len(block); at++ {
			for d := range p.Dimensions {
				for _, r := range p.sums(block[at], d) {
					for _, other := range append(p.parts(r, d), r) {
						if p.loose(part, other) && !seen[other] {
							seen[other] = true
							block = append(block, other)
						}
					}
				}
			}
		}
		slices.Sort(block)
		list = append(list, block)
	}
	return list
}

// sums lists the cells whose sum in a dimension a cell is in: itself, if it is one, and
// the one above it.
func (p *protector) sums(cell int32, d int) []int32 {
	var list []int32
	if len(p.trees[d].children[p.Nodes[cell][d]]) > 0 {
		list = append(list, cell)
	}
	if up := p.above(cell, d); up >= 0 {
		list = append(list, up)
	}
	return list
}

// program is a linear program being written down. Unknowns are what a layer has in each
// cell of a block, beside what may be known of it.
type program struct {
	*protector
	part   int
	asked  int32 // the cell
	column map[place]int
	scale  float64
	rows   [][]float64
	is     []float64
}

// reach is how far a cell can move in a direction, 1 or -1, if the others of its block
// move with it.
func (p *protector) reach(part int, block []int32, cell int32, sign float64) (float64, error) {
	q := &program{protector: p, part: part, asked: cell, column: map[place]int{}, scale: 1}
	layers := p.layers[part]
	for _, c := range block {
		for i := range layers {
			if l := &layers[i]; len(l.cells[c]) > 0 && (c == cell || !p.owned(l, c, nobody)) {
				q.column[place{c, l.in}] = len(q.column)
				q.scale = max(q.scale, float64(q.doubt(l, c)))
			}
		}
	}
	type sum struct {
		cell int32
		d    int
	}
	seen := map[sum]bool{}
	for _, c := range block {
		for d := range p.Dimensions {
			for _, r := range p.sums(c, d) {
				if !seen[sum{r, d}] {
					seen[sum{r, d}] = true
					for i := range layers {
						q.adds(&layers[i], r, d)
					}
				}
			}
		}
		q.shown(c)
	}
	value, c := 0.0, make([]float64, len(q.column))
	for i := range layers {
		if at, ok := q.column[place{cell, layers[i].in}]; ok && layers[i].in&1 == 1 {
			c[at] = sign
			value += float64(q.doubt(&layers[i], cell))
		}
	}
	best, err := maximize(q.rows, q.is, c)
	if err != nil {
		return 0, fmt.Errorf("interval of cell %d: %w", cell, err)
	}
	return math.Abs(best*q.scale - sign*value), nil
}

// adds writes down that what a layer has in the cells of a sum adds up.
func (q *program) adds(l *layer, r int32, d int) {
	row, is := make([]float64, len(q.column)), 0.0
	is += q.put(row, l, r, -1)
	for _, child := range q.parts(r, d) {
		is += q.put(row, l, child, 1)
	}
	q.rows, q.is = append(q.rows, row), append(q.is, is)
}

// shown writes down which releases show a cell.
func (q *program) shown(cell int32) {
	for release, v := range q.views {
		if v.hidden[q.part][cell] {
			continue
		}
		row, is := make([]float64, len(q.column)), 0.0
		for i := range q.layers[q.part] {
			if l := &q.layers[q.part][i]; l.in>>release&1 == 1 {
				is += q.put(row, l, cell, 1)
			}
		}
		q.rows, q.is = append(q.rows, row), append(q.is, is)
	}
}

// put adds an unknown to a row, and returns what it is in truth.
func (q *program) put(row []float64, l *layer, cell int32, by float64) float64 {
	at, ok := q.column[place{cell, l.in}]
	if !ok {
		return 0
	}
	row[at] = by
	return by * float64(q.doubt(l, cell)) / q.scale
}

// doubt is what may be in doubt of what a layer has in a cell: of the cell asked for all
// that its own contributors have, since the attacker need not be one of them.
func (q *program) doubt(l *layer, cell int32) int64 {
	w := &l.weights[cell]
	if cell == q.asked && int(w.organisations) <= q.rules.coalition() {
		return w.largest
	}
	return w.free
}

// maximize returns the largest c * x with rows * x = is and x not below zero.
func maximize(rows [][]float64, is, c []float64) (float64, error) {
	rows, is = independent(rows, is)
	var used []int
	for k := range c {
		switch {
		case slices.ContainsFunc(rows, func(r []float64) bool { return r[k] != 0 }):
			used = append(used, k)
		case c[k] > 0: // nothing bounds it but zero
			return math.Inf(1), nil
		}
	}
	if len(used) == 0 {
		return 0, nil
	}
	a, goal := mat.NewDense(len(rows), len(used), nil), make([]float64, len(used))
	for j, k := range used {
		goal[j] = -c[k]
		for i, r := range rows {
			a.Set(i, j, r[k])
		}
	}
	best, _, err := lp.Simplex(goal, a, is, 1e-10, nil)
	if errors.Is(err, lp.ErrUnbounded) {
		return math.Inf(1), nil
	}
	return -best, err
}

// independent leaves out the equations that follow from those before them; the
// simplex method wants none.
func independent(rows [][]float64, is []float64) (kept [][]float64, of []float64) {
	var reduced [][]float64
	for i, row := range rows {
		r := slices.Clone(row)
		for _, base := range reduced {
			at := slices.IndexFunc(base, func(v float64) bool { return v != 0 })
			if f := r[at] / base[at]; f != 0 {
				for k := range r {
					if r[k] -= f * base[k]; math.Abs(r[k]) < 1e-9 {
						r[k] = 0
					}
				}
			}
		}
		if slices.ContainsFunc(r, func(v float64) bool { return v != 0 }) {
			reduced, kept, of = append(reduced, r), append(kept, row), append(of, is[i])
		}
	}
	return kept, of
}
