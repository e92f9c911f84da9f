package disclosure

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
)

// Limits of the search for a witness. They bound its time; where they are too low,
// more is hidden than need be.
const (
	maxArms   = 48   // ways that are looked at in each dimension
	maxDowns  = 4    // leaves below a cell that are tried with each
	maxLeaves = 4096 // leaves that are looked at below one total, evenly spread
	maxSwaps  = 32   // pairs of layers, if no layer by itself will do
	maxTurns  = 256  // moves that a witness is put together of
)

// ErrInDoubt says that a table cannot be protected beside what was shown before: some
// cell, or sum of cells, would follow whatever else is hidden.
var ErrInDoubt = errors.New("a hidden cell cannot be kept in doubt beside what was shown before")

// prove finds what keeps a target in doubt, and hides what that takes if it may. If
// no one witness serves for all whose values are in the target, each gets its own,
// for attackers that do not know that one's values.
func (p *protector) prove(t *target, hide bool) error {
	t.witnesses = nil
	if err := p.ended(); err != nil {
		return err
	}
	if !p.deep(t) {
		if w, ok := p.search(t, nobody, hide); ok {
			t.witnesses = []Witness{w}
			return nil
		}
	}
	owners, err := p.owners(t)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		return ErrInDoubt
	}
	var found []Witness
	for _, victim := range owners {
		w, ok := p.search(t, victim, hide)
		if !ok {
			return ErrInDoubt
		}
		found = append(found, w)
	}
	t.witnesses = found
	return nil
}

// search is a witness being put together.
type search struct {
	*protector
	*target
	victim int32
	hide   bool
	base   int32
	layer  *layer
	swap   *layer // loses what layer gets, so that only releases with one of the two change
	need   int64
	moved  map[place]int64
	fresh  map[int32]bool       // what it would hide
	ways   []way                // room for across
	ends   map[int32]bool       // leaves where the victim has something, of a deep target
	downTo []int32              // the same, in order
	end    [maxDimensions]int32 // the nodes of the one that the present arms go down to, or Top
}

// place is a cell in a layer.
type place struct {
	cell int32
	in   uint64
}

func (p *protector) search(t *target, victim int32, hide bool) (Witness, bool) {
	level, err := p.levelOf(t, victim)
	if err != nil {
		return Witness{}, false
	}
	s := &search{protector: p, target: t, victim: victim, hide: hide, need: level, moved: map[place]int64{}, fresh: map[int32]bool{}}
	if s.end = [maxDimensions]int32{Top, Top}; p.deep(t) {
		s.ends = p.endsOf(t, victim)
		s.downTo = slices.Sorted(maps.Keys(s.ends))
	}
	for range maxTurns {
		turn, ok := s.best()
		if !ok {
			return Witness{}, false
		}
		s.take(turn)
		if s.need <= 0 {
			break
		}
	}
	if s.need > 0 {
		return Witness{}, false
	}
	for cell := range s.fresh {
		p.hidden[cell] = true
	}
	w := Witness{Release: t.release, Part: t.part, Cells: t.cells, Level: level, Beside: t.beside, Victim: victim}
	for at, by := range s.moved {
		if by != 0 {
			w.Moves = append(w.Moves, Move{at.cell, by, at.in})
		}
	}
	slices.SortFunc(w.Moves, func(a, b Move) int { return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.In, b.In)) })
	return w, true
}

// turn is one elementary move: along an arm in each dimension.
type turn struct {
	arms  [maxDimensions]arm
	layer *layer
	swap  *layer
	cost  int64 // of what it hides
	room  int64 // how far it can go
	gives int64 // to the target, a unit of it
}

// arm is a way in one dimension: what the nodes of plus get those of minus lose.
// Both go down to a leaf; plus goes up to below the total that both are part of, or,
// without minus, to the top.
type arm struct {
	plus, minus []int32
	cost        int64
	short       bool
}

// best is the cheapest turn that gives the target what it needs, or else the one
// that gives the most for what it costs.
func (s *search) best() (turn, bool) {
	var best turn
	found := false
	layers := s.layers[s.part]
	for i := range layers {
		if s.layer, s.swap = &layers[i], nil; s.layer.in>>s.release&1 == 1 {
			found = s.along(&best, found)
		}
	}
	if found {
		return best, true
	}
	tried := 0
	for i := range layers {
		for j := range layers {
			if s.layer, s.swap = &layers[i], &layers[j]; s.layer.in>>s.release&1 == 1 && s.swap.in>>s.release&1 == 0 && tried < maxSwaps {
				found = s.along(&best, found)
				tried++
			}
		}
	}
	return best, found
}

// along looks for a better turn in the present layer.
func (s *search) along(best *turn, found bool) bool {
	if s.deep(s.target) {
		for _, s.base = range s.cells {
			for _, leaf := range s.endsBelow(s.base) {
				s.end = s.Nodes[leaf]
				found = s.cross(best, found)
			}
		}
		return found
	}
	s.base = s.cells[0]
	return s.cross(best, found)
}

// endsBelow lists a few ends that are part of a cell, or it.
func (s *search) endsBelow(cell int32) []int32 {
	if s.leaf(cell) {
		if s.ends[cell] {
			return []int32{cell}
		}
		return nil
	}
	var list []int32
	for _, leaf := range s.downTo {
		if s.below(cell, leaf) {
			if list = append(list, leaf); len(list) == maxDowns {
				break
			}
		}
	}
	return list
}

// cross looks for a better turn from the present base.
func (s *search) cross(best *turn, found bool) bool {
	n := s.Nodes[s.base]
	first := s.arms(0, n[0], n[1])
	second := s.arms(1, n[1], n[0])
	for _, a := range first {
		for _, b := range second {
			if found && s.enough(*best) && (a.cost > best.cost || b.cost > best.cost) {
				break
			}
			if t, ok := s.turn(a, b); ok && (!found || s.better(t, *best)) {
				*best, found = t, true
			}
		}
	}
	return found
}

// enough reports whether a turn gives all that is needed.
func (s *search) enough(t turn) bool { return t.room >= (s.need+t.gives-1)/t.gives }

func (s *search) better(a, b turn) bool {
	switch enough := s.enough(a); {
	case enough != s.enough(b):
		return enough
	case enough:
		return a.cost < b.cost
	}
	return product(uint64(b.room), uint64(a.cost+1)).less(product(uint64(a.room), uint64(b.cost+1)))
}

// take makes a turn.
func (s *search) take(t turn) {
	by := min(t.room, (s.need+t.gives-1)/t.gives)
	s.need -= by * t.gives
	s.each(t.arms[0], t.arms[1], func(cell int32, sign int64) bool {
		in := t.layer.in
		s.moved[place{cell, in}] += sign * by
		if t.swap != nil {
			s.moved[place{cell, t.swap.in}] -= sign * by
			in ^= t.swap.in
		}
		if in&1 == 1 && !s.hidden[cell] {
			s.fresh[cell] = true
		}
		return true
	})
}

// turn weighs the crossing of two arms. It is false if it goes where it may not.
func (s *search) turn(a, b arm) (turn, bool) {
	t := turn{arms: [maxDimensions]arm{a, b}, layer: s.layer, swap: s.swap, room: maxLevel}
	ok := s.each(a, b, func(cell int32, sign int64) bool {
		cost, room, ok := s.step(cell, sign)
		if !ok {
			return false
		}
		t.cost += cost
		t.room = min(t.room, room)
		if s.ends == nil && s.cells[0] == cell || s.ends[cell] {
			t.gives += sign
		}
		return true
	})
	return t, ok && t.room > 0 && t.gives > 0
}

// each goes through the cells at the crossing of two arms, with the sign in which
// they change. It is false if one of them is not there or f stopped.
func (s *search) each(a, b arm, f func(cell int32, sign int64) bool) bool {
	for i, first := range [2][]int32{a.plus, a.minus} {
		for _, u := range first {
			for j, second := range [2][]int32{b.plus, b.minus} {
				for _, w := range second {
					cell := s.at(u, w)
					if cell < 0 || !f(cell, 1-2*int64(i^j)) {
						return false
					}
				}
			}
		}
	}
	return true
}

// step says what it costs to change a cell and how far it can go.
func (s *search) step(cell int32, sign int64) (cost, room int64, ok bool) {
	in := s.layer.in
	if s.swap != nil {
		in ^= s.swap.in
	}
	if in&1 == 1 && !s.hidden[cell] && !s.fresh[cell] {
		if !s.hide {
			return 0, 0, false
		}
		cost = s.cost[cell]
	}
	for release := 1; release < len(s.views); release++ {
		if in>>release&1 == 1 && !s.views[release].hidden[s.part][cell] {
			return 0, 0, false
		}
	}
	if room = s.room(s.layer, cell, sign); s.swap != nil {
		room = min(room, s.room(s.swap, cell, -sign))
	}
	return cost, room, room > 0
}

// room is how far what a layer has in a cell can go.
func (s *search) room(l *layer, cell int32, sign int64) int64 {
	switch {
	case s.owned(l, cell, s.victim):
		return 0
	case sign > 0:
		return maxLevel
	}
	return s.free(l, cell, s.victim) + s.moved[place{cell, l.in}]
}

// free is how much of what a layer has in a cell no coalition knows that is without the
// victim.
func (p *protector) free(l *layer, cell, victim int32) int64 {
	return l.weights[cell].freeOf(victim, p.rules.coalition())
}

// owned reports whether a coalition may know all that a layer has in a cell: there are
// no more contributors than it has members, and the victim is none of them.
func (p *protector) owned(l *layer, cell, victim int32) bool {
	w := &l.weights[cell]
	return int(w.organisations) <= p.rules.coalition() && (w.overflow || !slices.ContainsFunc(w.known, func(k claim) bool { return k.organisation == victim }))
}

// arms lists the best ways in dimension d from a node, at another's node in the
// other dimension.
func (s *search) arms(d int, node, other int32) []arm {
	tree := s.trees[d]
	at := func(n int32) int32 {
		if d == 0 {
			return s.at(n, other)
		}
		return s.at(other, n)
	}
	downs := s.downs(tree, node, s.end[d], at)
	if len(downs) == 0 {
		return nil
	}
	var list []way
	var up []int32 // above the node, the highest last
	add := func(minus ends, cost int64, short bool) {
		for i, down := range downs {
			list = append(list, way{up: len(up), down: i, minus: minus, cost: cost + down.cost, short: short})
		}
	}
	var risen int64 // what hiding the nodes in up costs
	for top := node; ; {
		above := tree.parent[top]
		if above == Top {
			add(ends{Top, Top}, risen, false)
			break
		}
		for _, m := range s.across(tree, top, above, at) {
			add(m.minus, risen+m.cost, m.short)
		}
		cell := at(above)
		if cell < 0 {
			break
		}
		cost, _, ok := s.step(cell, 1)
		if !ok {
			break
		}
		risen += cost
		up = append(up, above)
		top = above
	}
	slices.SortStableFunc(list, byWorth)
	if len(list) > maxArms { // those that rise to the top need nobody else, so one of them stays
		last := maxArms - 1
		if at := slices.IndexFunc(list, func(w way) bool { return w.minus.from == Top }); at > last {
			list[last] = list[at]
		}
		list = list[:maxArms]
	}
	arms := make([]arm, len(list))
	for i, w := range list {
		arms[i] = arm{plus: append(slices.Clone(up[:w.up]), downs[w.down].plus...), cost: w.cost, short: w.short}
		if w.minus.from != Top {
			arms[i].minus = tree.down(w.minus.from, w.minus.to)
		}
	}
	return arms
}

// way is an arm before its nodes are listed, since most are thrown away: it rises over
// so many nodes, goes down one of the ways down, and takes from between two nodes.
type way struct {
	up, down int
	minus    ends
	cost     int64
	short    bool
}

// ends are those of a way down; Top if there is none.
type ends struct{ from, to int32 }

func byWorth(a, b way) int {
	if a.short != b.short {
		if b.short {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.cost, b.cost)
}

// downs lists the best ways down from a node to a leaf, or to one leaf.
func (s *search) downs(tree *tree, node, end int32, at func(int32) int32) []arm {
	best := make([]way, 0, maxDowns+1)
	if end != Top {
		if cost, _, ok := s.climb(tree, end, node, 1, at); ok {
			return []arm{{cost: cost, plus: tree.down(node, end)}}
		}
		return nil
	}
	stride := 1 + len(tree.under(node))/maxLeaves
	for i, leaf := range tree.under(node) {
		if i%stride != 0 {
			continue
		}
		if cost, _, ok := s.climb(tree, leaf, node, 1, at); ok {
			best = keep(best, way{cost: cost, minus: ends{node, leaf}}, maxDowns)
		}
	}
	downs := make([]arm, len(best))
	for i, w := range best {
		downs[i] = arm{cost: w.cost, plus: tree.down(w.minus.from, w.minus.to)}
	}
	return downs
}

// across lists the best ways to take from elsewhere below a total what a node below it
// gets. The list is good until the next call.
func (s *search) across(tree *tree, node, above int32, at func(int32) int32) []way {
	best := s.ways[:0]
	stride, seen := 1+len(tree.under(above))/maxLeaves, 0
	for _, child := range tree.children[above] {
		if child == node {
			continue
		}
		for _, leaf := range tree.under(child) {
			if seen++; seen%stride != 0 {
				continue
			}
			cost, room, ok := s.climb(tree, leaf, child, -1, at)
			if ok && (len(best) < maxArms || byWorth(way{cost: cost, short: room < s.need}, best[len(best)-1]) < 0) {
				best = keep(best, way{cost: cost, short: room < s.need, minus: ends{child, leaf}}, maxArms)
			}
		}
	}
	s.ways = best
	return best
}

// keep adds one to a list of the best, in order.
func keep(list []way, a way, most int) []way {
	i, _ := slices.BinarySearchFunc(list, a, func(x, a way) int {
		if byWorth(x, a) <= 0 {
			return -1
		}
		return 1
	})
	if list = slices.Insert(list, i, a); len(list) > most {
		list = list[:most]
	}
	return list
}

// climb weighs the way between a leaf and a node above it.
func (s *search) climb(tree *tree, leaf, top int32, sign int64, at func(int32) int32) (cost, room int64, ok bool) {
	room = math.MaxInt64
	for n := leaf; ; n = tree.parent[n] {
		cell := at(n)
		if cell < 0 {
			return 0, 0, false
		}
		c, r, ok := s.step(cell, sign)
		if !ok {
			return 0, 0, false
		}
		cost += c
		room = min(room, r)
		if n == top {
			return cost, room, true
		}
	}
}
