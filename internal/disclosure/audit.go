package disclosure

import (
	"fmt"
	"slices"
)

// Audit checks a protection: every cell that breaks a rule, or whose difference to an
// earlier release does, is hidden in all parts; it, as every sum of hidden cells that
// follows from a shown total and breaks one, has a witness which holds, and so has
// what is hidden in earlier releases. It takes nothing over from the search: verdicts,
// levels and bounds are computed from the contributions again, in exact integers.
func Audit(rules Rules, t *Table, p *Protection, earlier ...Earlier) error {
	if len(p.Hidden) != len(t.Nodes) || len(p.Judgements) != len(t.Parts) {
		return fmt.Errorf("audit: the protection is of another table")
	}
	q, err := newProtector(rules, LeastCells, t, earlier)
	if err != nil {
		return err
	}
	copy(q.hidden, p.Hidden)
	a := auditor{protector: q, proven: map[string][]Witness{}}
	moved := make([]bool, len(t.Nodes))
	for i, w := range p.Witnesses {
		if err := a.check(w); err != nil {
			return fmt.Errorf("audit: witness %d: %w", i, err)
		}
		a.proven[key(w.Release, w.Part, w.Cells)] = append(a.proven[key(w.Release, w.Part, w.Cells)], w)
		for _, m := range w.Moves {
			moved[m.Cell] = moved[m.Cell] || m.In&1 == 1
		}
	}
	if err := a.verdicts(p); err != nil {
		return err
	}
	if err := a.covered(p.Hidden); err != nil {
		return err
	}
	for cell, hidden := range p.Hidden {
		if hidden && !q.primary(int32(cell)) && !moved[cell] {
			return fmt.Errorf("audit: cell %d is hidden and may follow from what is shown", cell)
		}
	}
	return nil
}

type auditor struct {
	*protector
	proven map[string][]Witness
}

func key(release, part int, cells []int32) string { return fmt.Sprint(release, part, cells) }

// verdicts checks that what is hidden is released to nobody.
func (a *auditor) verdicts(p *Protection) error {
	for part, j := range p.Judgements {
		if len(j.Cells) != len(a.Nodes) {
			return fmt.Errorf("audit: part %d is of another table", part)
		}
		for cell := range j.Cells {
			for at, v := range j.Cells[cell].Verdicts {
				if v.Released() && (p.Hidden[cell] || !a.views[0].outcome[part][cell].Verdicts[at].Released()) {
					return fmt.Errorf("audit: cell %d is hidden and released", cell)
				}
			}
		}
	}
	return nil
}

// covered checks that everything which has to be in doubt is hidden and has a witness.
func (a *auditor) covered(hidden []bool) error {
	a.primaries()
	if err := a.differences(); err != nil {
		return err
	}
	for cell := range a.hidden {
		if a.hidden[cell] && !hidden[cell] {
			return fmt.Errorf("audit: cell %d is shown and breaks a rule", cell)
		}
	}
	a.formerly()
	if err := a.findUnions(); err != nil {
		return err
	}
	for _, t := range a.targets {
		if !a.covers(t) {
			return fmt.Errorf("audit: release %d: the sum of cells %v has no witness", t.release, t.cells)
		}
	}
	return nil
}

// covers reports whether witnesses stand for a target: one for whoever's values are in
// it, or one for each of these.
func (a *auditor) covers(t target) bool {
	victims := map[int32]bool{}
	for _, w := range a.proven[key(t.release, t.part, t.cells)] {
		if level, err := a.levelOf(&t, w.Victim); err != nil || w.Level < level || w.Beside != t.beside {
			continue
		}
		if w.Victim == nobody && !a.deep(&t) {
			return true
		}
		victims[w.Victim] = true
	}
	owners, err := a.owners(&t)
	if err != nil {
		return false
	}
	for _, o := range owners {
		if !victims[o] {
			return false
		}
	}
	return len(victims) > 0
}

// seen is a cell of a release.
type seen struct {
	release int
	cell    int32
}

// sum is a cell of a layer that adds up from others.
type sum struct {
	place
	d int
}

// check takes a witness apart.
func (a *auditor) check(w Witness) error {
	if len(w.Cells) == 0 || slices.Min(w.Cells) < 0 || int(slices.Max(w.Cells)) >= len(a.Nodes) {
		return fmt.Errorf("cells %v", w.Cells)
	}
	if w.Part < 0 || w.Part >= len(a.Parts) || w.Release < 0 || w.Release >= len(a.views) {
		return fmt.Errorf("release %d, part %d", w.Release, w.Part)
	}
	sums, by, shown := map[sum]int64{}, map[place]int64{}, map[seen]int64{}
	var in int64
	for _, m := range w.Moves {
		if m.Cell < 0 || int(m.Cell) >= len(a.Nodes) || m.By == 0 || by[place{m.Cell, m.In}] != 0 {
			return fmt.Errorf("cell %d", m.Cell)
		}
		if err := a.may(w, m); err != nil {
			return err
		}
		for release, v := range a.views {
			if m.In>>release&1 == 1 && !v.hidden[w.Part][m.Cell] {
				shown[seen{release, m.Cell}] += m.By
			}
		}
		by[place{m.Cell, m.In}] = m.By
		if m.In>>w.Release&1 == 1 && a.counts(&w, m.Cell) {
			in += m.By
		}
		for d := range a.Dimensions {
			if len(a.trees[d].children[a.Nodes[m.Cell][d]]) > 0 {
				sums[sum{place{m.Cell, m.In}, d}] -= m.By
			}
			if a.trees[d].parent[a.Nodes[m.Cell][d]] != Top {
				up := a.above(m.Cell, d)
				if up < 0 {
					return fmt.Errorf("cell %d has no total", m.Cell)
				}
				sums[sum{place{up, m.In}, d}] += m.By
			}
		}
	}
	for s, off := range sums {
		if off != 0 {
			return fmt.Errorf("cell %d is not the sum of its parts", s.cell)
		}
	}
	for at, off := range shown {
		if off != 0 {
			return fmt.Errorf("cell %d is shown in release %d and changes", at.cell, at.release)
		}
	}
	if w.Level < 1 || in < w.Level {
		return fmt.Errorf("the target changes by %d of %d", in, w.Level)
	}
	return nil
}

// counts reports whether what changes in a cell leaves the target of a witness in doubt:
// it is the cell itself, or one at leaves below it where the victim has something.
func (a *auditor) counts(w *Witness, cell int32) bool {
	t := target{release: w.Release, part: w.Part, cells: w.Cells, beside: w.Beside}
	if !a.deep(&t) {
		return w.Cells[0] == cell
	}
	return a.leaf(cell) && a.has(&t, w.Victim, cell)
}

// may checks that a move is possible to every attacker.
func (a *auditor) may(w Witness, m Move) error {
	at := slices.IndexFunc(a.layers[w.Part], func(l layer) bool { return l.in == m.In })
	if at < 0 {
		return fmt.Errorf("nothing is in the releases %b alone", m.In)
	}
	l := &a.layers[w.Part][at]
	switch {
	case m.By < -a.free(l, m.Cell, w.Victim):
		return fmt.Errorf("cell %d changes by more than there is", m.Cell)
	case a.owned(l, m.Cell, w.Victim):
		return fmt.Errorf("cell %d changes and may be known", m.Cell)
	}
	return nil
}
