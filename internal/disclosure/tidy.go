package disclosure

import (
	"cmp"
	"slices"
)

// tidy shows again what was hidden for others and turns out not to be needed: the
// dearest first, each if every target that it served can be proven without it. In
// the end nothing is hidden that no witness moves, since it might follow from what is
// shown and then hide nobody.
func (p *protector) tidy() {
	u := users{p, map[int32][]int{}}
	for n := range p.targets {
		u.note(n)
	}
	var spare []int32
	for cell, hidden := range p.hidden {
		if hidden && !p.primary(int32(cell)) {
			spare = append(spare, int32(cell))
		}
	}
	slices.SortStableFunc(spare, func(a, b int32) int { return cmp.Compare(p.cost[b], p.cost[a]) })
	for _, cell := range spare {
		u.show(cell)
	}
	for _, cell := range spare {
		if p.hidden[cell] && len(u.of(cell)) == 0 {
			p.hidden[cell] = false
		}
	}
	p.targets = slices.DeleteFunc(p.targets, func(t target) bool { return t.cells == nil })
	clear(p.checked)
}

// primary reports whether a cell breaks a rule by itself.
func (p *protector) primary(cell int32) bool {
	return p.differs[cell] || p.stays(cell) || p.breaks(cell)
}

// users knows which targets have a witness that moves a cell.
type users struct {
	*protector
	by map[int32][]int // some of them may have another witness by now
}

func (u *users) note(n int) {
	for _, w := range u.targets[n].witnesses {
		for _, m := range w.Moves {
			if list := u.by[m.Cell]; len(list) == 0 || list[len(list)-1] != n {
				u.by[m.Cell] = append(u.by[m.Cell], n)
			}
		}
	}
}

func (u *users) of(cell int32) []int {
	var list []int
	for _, n := range u.by[cell] {
		if u.targets[n].uses(cell) && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	u.by[cell] = list
	return list
}

// show shows a cell if all that it served stays in doubt without it; if not,
// everything is as it was.
func (u *users) show(cell int32) {
	u.hidden[cell] = false
	before, added := map[int]target{}, len(u.targets)
	safe := u.remake(cell, before)
	for _, n := range u.of(cell) {
		if !safe {
			break
		}
		if t := &u.targets[n]; t.cells != nil {
			before[n] = *t
			safe = u.prove(t, false) == nil
		}
	}
	if !safe {
		u.hidden[cell] = true
		u.targets = u.targets[:added]
		for n, t := range before {
			u.targets[n] = t
		}
		return
	}
	for n := range before {
		u.note(n)
	}
	for n := added; n < len(u.targets); n++ {
		u.note(n)
	}
}

// remake puts the sums of hidden cells around a cell that is shown now in the place of
// those that it was a part of, and proves those that break a rule.
func (u *users) remake(cell int32, before map[int]target) bool {
	for _, n := range u.of(cell) {
		t := &u.targets[n]
		if len(t.cells) > 1 && t.release == 0 && slices.Contains(t.cells, cell) {
			before[n] = *t
			*t = target{}
		}
	}
	for d := range u.Dimensions {
		for _, r := range u.sums(cell, d) {
			for r >= 0 && u.hidden[r] {
				r = u.above(r, d)
			}
			if r < 0 {
				continue
			}
			for part := range u.Parts {
				list, err := u.unions(relation{0, part, r, d})
				if err != nil {
					return false
				}
				for _, t := range list {
					if u.prove(&t, false) != nil {
						return false
					}
					u.targets = append(u.targets, t)
				}
			}
		}
	}
	return true
}

// uses reports whether a target's witnesses move a cell of this release.
func (t *target) uses(cell int32) bool {
	for _, w := range t.witnesses {
		if slices.ContainsFunc(w.Moves, func(m Move) bool { return m.Cell == cell && m.In&1 == 1 }) {
			return true
		}
	}
	return false
}
