package disclosure

import (
	"fmt"
	"slices"
)

// Audit checks a protection: every cell that breaks a rule is hidden in all parts,
// and it, as every sum of hidden cells that follows from a shown total and breaks
// one, has a witness which holds. It takes nothing over from the search: verdicts,
// levels and bounds are computed from the contributions again, in exact integers.
func Audit(rules Rules, t *Table, p *Protection) error {
	g, err := t.grid()
	if err != nil {
		return err
	}
	b, outcomes, weights, err := weigh(rules, t)
	if err != nil {
		return err
	}
	if len(p.Hidden) != len(t.Nodes) || len(p.Judgements) != len(t.Parts) {
		return fmt.Errorf("audit: the protection is of another table")
	}
	a := auditor{grid: g, rules: rules, weights: weights, hidden: p.Hidden, by: make([]int64, len(t.Nodes)), sums: map[relation]int64{}}
	proven := map[string][]Witness{}
	moved := make([]bool, len(t.Nodes))
	for i, w := range p.Witnesses {
		if err := a.check(w); err != nil {
			return fmt.Errorf("audit: witness %d: %w", i, err)
		}
		key := fmt.Sprint(w.Part, w.Cells)
		proven[key] = append(proven[key], w)
		for _, m := range w.Moves {
			moved[m.Cell] = true
		}
	}
	breaks := make([]bool, len(t.Nodes))
	for part := range t.Parts {
		for cell := range t.Nodes {
			w := weights[part][cell]
			breaks[cell] = breaks[cell] || w.level > 0
			switch {
			case w.level > 0 && !p.Hidden[cell]:
				return fmt.Errorf("audit: cell %d is shown and breaks a rule", cell)
			case w.level > 0 && !w.overflow && !a.covers(part, []int32{int32(cell)}, w.level, proven):
				return fmt.Errorf("audit: cell %d has no witness", cell)
			}
			for at, v := range p.Judgements[part].Cells[cell].Verdicts {
				if v.Released() && (p.Hidden[cell] || !outcomes[part][cell].Verdicts[at].Released()) {
					return fmt.Errorf("audit: cell %d is hidden and released", cell)
				}
			}
		}
	}
	for cell, hidden := range p.Hidden {
		if hidden && !breaks[cell] && !moved[cell] {
			return fmt.Errorf("audit: cell %d is hidden and may follow from what is shown", cell)
		}
	}
	return a.unions(b, proven)
}

type auditor struct {
	*grid
	rules   Rules
	weights [][]weight
	hidden  []bool
	by      []int64
	sums    map[relation]int64
}

// check takes a witness apart.
func (a *auditor) check(w Witness) error {
	if w.Part < 0 || w.Part >= len(a.Parts) {
		return fmt.Errorf("part %d", w.Part)
	}
	p := protector{grid: a.grid, rules: a.rules, weights: a.weights}
	clear(a.sums)
	defer func() {
		for _, m := range w.Moves {
			if m.Cell >= 0 && int(m.Cell) < len(a.by) {
				a.by[m.Cell] = 0
			}
		}
	}()
	for _, m := range w.Moves {
		switch {
		case m.Cell < 0 || int(m.Cell) >= len(a.Nodes) || a.by[m.Cell] != 0 || m.By == 0:
			return fmt.Errorf("cell %d", m.Cell)
		case !a.hidden[m.Cell]:
			return fmt.Errorf("cell %d is shown and changes", m.Cell)
		case m.By < -a.weights[w.Part][m.Cell].free:
			return fmt.Errorf("cell %d changes by more than there is", m.Cell)
		case !slices.Equal(w.Cells, []int32{m.Cell}) && p.owned(w.Part, m.Cell, w.Victim):
			return fmt.Errorf("cell %d changes and may be known", m.Cell)
		}
		a.by[m.Cell] = m.By
		for d := range a.Dimensions {
			if len(a.trees[d].children[a.Nodes[m.Cell][d]]) > 0 {
				a.sums[relation{m.Cell, d}] -= m.By
			}
			if a.trees[d].parent[a.Nodes[m.Cell][d]] != Top {
				up := a.above(m.Cell, d)
				if up < 0 {
					return fmt.Errorf("cell %d has no total", m.Cell)
				}
				a.sums[relation{up, d}] += m.By
			}
		}
	}
	for r, sum := range a.sums {
		if sum != 0 {
			return fmt.Errorf("cell %d is not the sum of its parts", r.cell)
		}
	}
	var in int64
	for _, cell := range w.Cells {
		in += a.by[cell]
	}
	if w.Level < 1 || in < w.Level {
		return fmt.Errorf("the target changes by %d of %d", in, w.Level)
	}
	return nil
}

// covers reports whether witnesses stand for a sum: one for whoever's values are in
// it, or one for each of these.
func (a *auditor) covers(part int, cells []int32, level int64, proven map[string][]Witness) bool {
	victims := map[int32]bool{}
	for _, w := range proven[fmt.Sprint(part, cells)] {
		if w.Level < level {
			continue
		}
		if w.Victim == nobody {
			return true
		}
		victims[w.Victim] = true
	}
	for _, cell := range cells {
		for _, c := range a.Parts[part].Cells[cell] {
			if !victims[c.Organisation] {
				return false
			}
		}
	}
	return len(victims) > 0
}

// unions checks the sums of hidden cells below every total that is shown.
func (a *auditor) unions(b *scratch, proven map[string][]Witness) error {
	p := protector{grid: a.grid, rules: a.rules, weights: a.weights, hidden: a.hidden, scratch: b}
	for cell := range a.Nodes {
		if a.hidden[cell] {
			continue
		}
		for d := range a.Dimensions {
			for part := range a.Parts {
				t, bad, err := p.union(relation{int32(cell), d}, part)
				if err != nil {
					return err
				}
				if bad && !a.covers(part, t.cells, t.level, proven) {
					return fmt.Errorf("audit: the sum of %d hidden cells below cell %d has no witness", len(t.cells), cell)
				}
			}
		}
	}
	return nil
}
