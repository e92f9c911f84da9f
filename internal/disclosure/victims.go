package disclosure

import (
	"maps"
	"slices"
)

// deep reports whether a target is more than one cell at leaves, so that it can change
// where a victim has nothing.
func (p *protector) deep(t *target) bool { return len(t.cells) > 1 || !p.leaf(t.cells[0]) }

// owners lists whose values a target protects: those that the rules which it breaks are
// about, or, if it would follow from earlier releases, those that changed in them.
func (p *protector) owners(t *target) ([]int32, error) {
	var list []int32
	of := t.beside | 1<<t.release
	for _, l := range p.layers[t.part] {
		if in := l.in & of; in == 0 || in == of && t.beside > 0 {
			continue
		}
		for _, cell := range t.cells {
			for _, c := range l.cells[cell] {
				list = append(list, c.Organisation)
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if t.beside > 0 || !p.deep(t) {
		return list, nil
	}
	if _, err := p.weighSum(t.release, t.part, t.cells); err != nil {
		return nil, err
	}
	return p.scratch.sensitive(), nil
}

// levelOf is by how much a target has to be in doubt for a victim. If that is a sum of
// several cells, what is moved counts where the victim has something, and may come from
// where it has nothing; so what hides it there does not count as well.
func (p *protector) levelOf(t *target, victim int32) (int64, error) {
	if victim == nobody || !p.deep(t) {
		return t.level, nil
	}
	cells := slices.Sorted(maps.Keys(p.endsOf(t, victim)))
	if t.beside > 0 {
		level, err := p.derivedLevel(t.part, cells, t.beside)
		return max(t.level, level), err
	}
	w, err := p.weighSum(t.release, t.part, cells)
	return max(t.level, w.level), err
}

// below reports whether a cell at leaves is part of another, or it.
func (p *protector) below(cell, leaf int32) bool {
	for d, tree := range p.trees {
		at, in := tree.place[p.Nodes[leaf][d]], tree.below[p.Nodes[cell][d]]
		if at < in[0] || at >= in[1] {
			return false
		}
	}
	return true
}

// has reports whether a cell at leaves is part of a target, and somebody has something
// in it, in the target's release or in one that it would follow from.
func (p *protector) has(t *target, victim, leaf int32) bool {
	if !slices.ContainsFunc(t.cells, func(c int32) bool { return p.below(c, leaf) }) {
		return false
	}
	for release, v := range p.views {
		if release != t.release && t.beside>>release&1 == 0 {
			continue
		}
		if slices.ContainsFunc(v.parts[t.part].Cells[leaf], func(c Contribution) bool { return c.Organisation == victim }) {
			return true
		}
	}
	return false
}

// endsOf lists the cells at leaves that are part of a target and where a victim has
// something.
func (p *protector) endsOf(t *target, victim int32) map[int32]bool {
	ends := map[int32]bool{}
	for cell := range p.Nodes {
		if p.leaf(int32(cell)) && p.has(t, victim, int32(cell)) {
			ends[int32(cell)] = true
		}
	}
	return ends
}
