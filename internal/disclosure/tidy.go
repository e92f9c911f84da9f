package disclosure

import (
	"cmp"
	"slices"
)

// tidy shows again what was hidden for others and turns out not to be needed: the
// dearest first, each if every target that it served can be proven without it.
func (p *protector) tidy() {
	users := map[int32][]int{}
	note := func(n int) {
		for _, w := range p.targets[n].witnesses {
			for _, m := range w.Moves {
				if list := users[m.Cell]; len(list) == 0 || list[len(list)-1] != n {
					users[m.Cell] = append(users[m.Cell], n)
				}
			}
		}
	}
	for n := range p.targets {
		note(n)
	}
	var spare []int32
	for cell, hidden := range p.hidden {
		if hidden && !p.primary(int32(cell)) {
			spare = append(spare, int32(cell))
		}
	}
	slices.SortStableFunc(spare, func(a, b int32) int { return cmp.Compare(p.cost[b], p.cost[a]) })
	for _, cell := range spare {
		changed, ok := p.without(cell, users[cell])
		if !ok {
			continue
		}
		for _, n := range changed {
			note(n)
		}
	}
}

// primary reports whether a cell breaks a rule by itself.
func (p *protector) primary(cell int32) bool {
	for part := range p.Parts {
		if p.weights[part][cell].level > 0 {
			return true
		}
	}
	return false
}

// without shows a cell if all that it served stays in doubt, and lists the targets
// that have other witnesses now; if not, everything is as it was.
func (p *protector) without(cell int32, users []int) (changed []int, ok bool) {
	p.hidden[cell] = false
	before := map[int]target{}
	put := func(n int) {
		if _, is := before[n]; !is {
			before[n] = p.targets[n]
		}
	}
	undo := func() ([]int, bool) {
		p.hidden[cell] = true
		for n, t := range before {
			p.targets[n] = t
		}
		return nil, false
	}
	for d := range p.Dimensions {
		around := []relation{{cell, d}}
		if up := p.above(cell, d); up >= 0 && !p.hidden[up] {
			around = append(around, relation{up, d})
		}
		for _, r := range around {
			if !p.stillSafe(r, put) {
				return undo()
			}
		}
	}
	for _, n := range users {
		t := &p.targets[n]
		if t.cells == nil || !t.uses(cell) {
			continue
		}
		put(n)
		if p.prove(t, false) != nil {
			return undo()
		}
		changed = append(changed, n)
	}
	for d := range p.Dimensions { // their sums are others now; what was bad of them has been mended above
		delete(p.checked, relation{cell, d})
		if up := p.above(cell, d); up >= 0 {
			delete(p.checked, relation{up, d})
		}
	}
	return changed, true
}

// stillSafe looks at the sum of a relation's hidden cells anew: what stood for it
// before is dropped, and it must keep the rules by itself.
func (p *protector) stillSafe(r relation, put func(int)) bool {
	for part := range p.Parts {
		if _, bad, err := p.union(r, part); bad || err != nil {
			return false
		}
	}
	for _, n := range p.unions[r] {
		put(n)
		p.targets[n].cells, p.targets[n].witnesses = nil, nil
	}
	return true
}

// uses reports whether a target's witnesses move a cell.
func (t *target) uses(cell int32) bool {
	for _, w := range t.witnesses {
		if slices.ContainsFunc(w.Moves, func(m Move) bool { return m.Cell == cell }) {
			return true
		}
	}
	return false
}
