package disclosure

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// Interval is what an attacker can derive of a hidden cell from all that is shown.
// Below and Above are how far from the true value it reaches, in units of the part.
// They are floating point and for reading; what is proven is in the witnesses.
type Interval struct {
	Cell  int32
	Below float64
	Above float64 // infinite if nothing shown bounds it
}

// MaxBlock is how many hidden cells that hang together Intervals solves for; of larger
// blocks the witnesses say that they are in doubt, and not by how much in all.
const MaxBlock = 60

// Intervals solves two linear programs for each hidden cell of a part: how small and
// how large it can be, given every cell that is shown, that totals add up, and that
// what no coalition knows of a cell is not below zero. It leaves out cells of blocks
// above MaxBlock, blocks with which there would be more than most, and cells whose program
// has no numerical solution.
func Intervals(rules Rules, t *Table, hidden []bool, part, most int) ([]Interval, error) {
	g, err := t.grid()
	if err != nil {
		return nil, err
	}
	if part < 0 || part >= len(t.Parts) || len(hidden) != len(t.Nodes) {
		return nil, fmt.Errorf("intervals of part %d with %d cells", part, len(hidden))
	}
	b, views, err := newViews(rules, g, nil)
	if err != nil {
		return nil, err
	}
	p := protector{grid: g, rules: rules, views: views, hidden: hidden}
	if p.layers, err = newLayers(b, g, views); err != nil {
		return nil, err
	}
	var list []Interval
	for _, block := range p.blocks() {
		if len(block) > MaxBlock || len(list) > 0 && len(list)+len(block) > most {
			continue
		}
		for _, cell := range block {
			if views[0].weights[part][cell].overflow {
				continue
			}
			above, err := p.reach(part, block, cell, 1)
			below, errBelow := p.reach(part, block, cell, -1)
			if err == nil && errBelow == nil { // what floating point cannot solve is left out: nothing rests on it
				list = append(list, Interval{Cell: cell, Below: below, Above: above})
			}
		}
	}
	return list, nil
}

// blocks lists the hidden cells by what hangs together: cells of one sum.
func (p *protector) blocks() [][]int32 {
	seen := make([]bool, len(p.hidden))
	var list [][]int32
	for cell, hidden := range p.hidden {
		if !hidden || seen[cell] {
			continue
		}
		seen[cell] = true
		block := []int32{int32(cell)}
		for at := 0; at < len(block); at++ {
			for d := range p.Dimensions {
				for _, r := range p.sums(block[at], d) {
					for _, other := range append(p.parts(r, d), r) {
						if p.hidden[other] && !seen[other] {
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

// reach is how far a cell can move in a direction, 1 or -1, if the others of its block
// move with it. Unknowns are what is in each cell beside what may be known of it.
func (p *protector) reach(part int, block []int32, cell int32, sign float64) (float64, error) {
	column := map[int32]int{}
	scale := 1.0
	for _, c := range block {
		if c == cell || !p.owned(&p.layers[part][0], c, nobody) {
			column[c] = len(column)
			scale = max(scale, float64(p.doubt(part, c, cell)))
		}
	}
	var rows [][]float64
	var is []float64
	seen := map[relation]bool{}
	for _, c := range block {
		for d := range p.Dimensions {
			for _, r := range p.sums(c, d) {
				if seen[relation{0, 0, r, d}] {
					continue
				}
				seen[relation{0, 0, r, d}] = true
				row, sum := make([]float64, len(column)), 0.0
				put := func(c int32, by float64) {
					if at, ok := column[c]; ok {
						row[at] = by
						sum += by * float64(p.doubt(part, c, cell)) / scale
					}
				}
				put(r, -1)
				for _, child := range p.parts(r, d) {
					put(child, 1)
				}
				rows, is = append(rows, row), append(is, sum)
			}
		}
	}
	best, err := maximize(rows, is, column[cell], sign)
	if err != nil {
		return 0, fmt.Errorf("interval of cell %d: %w", cell, err)
	}
	return math.Abs(best*scale - sign*float64(p.doubt(part, cell, cell))), nil
}

// doubt is what may be in doubt of a cell: of the one asked for all that its own
// contributors have, since the attacker need not be one of them.
func (p *protector) doubt(part int, cell, asked int32) int64 {
	w := p.views[0].weights[part][cell]
	if cell == asked && int(w.organisations) <= p.rules.coalition() {
		return w.largest
	}
	return w.free
}

// maximize returns the largest sign * x[at] with rows * x = is and x not below zero.
func maximize(rows [][]float64, is []float64, at int, sign float64) (float64, error) {
	rows, is = independent(rows, is)
	n := 0
	if len(rows) > 0 {
		n = len(rows[0])
	}
	var c []float64
	var used []int
	for k := range n {
		if slices.ContainsFunc(rows, func(r []float64) bool { return r[k] != 0 }) {
			used = append(used, k)
			if k == at {
				c = append(c, -sign)
			} else {
				c = append(c, 0)
			}
		}
	}
	if !slices.Contains(used, at) { // nothing bounds it but zero
		if sign > 0 {
			return math.Inf(1), nil
		}
		return 0, nil
	}
	a := mat.NewDense(len(rows), len(used), nil)
	for i, r := range rows {
		for j, k := range used {
			a.Set(i, j, r[k])
		}
	}
	best, _, err := lp.Simplex(c, a, is, 1e-10, nil)
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
