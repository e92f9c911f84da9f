package disclosure

import (
	"math"
	"slices"
)

// Protection levels: by how much an attacker must be left in doubt of a cell that
// is hidden. The formulas are those of Hundepool et al., Handbook on Statistical
// Disclosure Control, section 4.2.2, table 4.4, with a coalition of c in place of
// the second largest contributor: what has to be added to the cell for the rule
// that it breaks to hold.
//
//	p-percent  p/q g(v) - (B - b(v) - the c largest b of others), the largest over v
//	dominance  100/k (the n largest) - B, and the same without what a recipient has
//	minimum    p % of the largest contribution, where that is more
//	zero       p % of a typical largest contribution: the median over the cells of the table
//
// with p = 10 for the last two if the p % rule is off, and never less than 1 unit.

// usualPercent stands for p in levels where the p % rule is off.
const usualPercent = 10

// weight is what matters of one cell to those around it.
type weight struct {
	all           int64 // B
	free          int64 // what no coalition knows of the cell: B less the c largest b
	largest       int64 // largest contribution
	level         int64 // by how much it has to be in doubt; 0 if it may be shown
	organisations int32
	overflow      bool
	known         []claim // the c+1 largest b, the largest first
}

// claim is what an organisation has of a cell, as b.
type claim struct {
	organisation int32
	net          int64
}

// freeOf is how much of a cell no coalition knows that is without the victim.
func (w *weight) freeOf(victim int32, coalition int) int64 {
	free := w.all
	for _, k := range w.known {
		if k.organisation != victim && coalition > 0 {
			free -= k.net
			coalition--
		}
	}
	return free
}

// weight judges a cell and weighs it.
func (b *scratch) weight(cell Cell, typical int64, verdicts []Verdict) (weight, Outcome, error) {
	out, err := b.judge(cell, verdicts)
	if err != nil {
		return weight{}, out, err
	}
	w := weight{organisations: int32(len(b.order))}
	shown := true
	for _, v := range verdicts {
		shown = shown && v.Released()
		w.overflow = w.overflow || v == Overflow
	}
	if w.overflow {
		w.level = 1
		return w, out, nil
	}
	c := b.rules.coalition()
	nets := top{size: c + 1}
	var all, gross uint64
	for _, o := range b.order {
		s := &b.shares[o]
		nets.add(o, product(1, magnitude(s.net)))
		all += magnitude(s.net)
		gross += uint64(s.gross)
		w.largest = max(w.largest, s.gross)
	}
	free := all
	known := nets.first(c)
	for _, o := range known.all() {
		free -= magnitude(b.shares[o].net)
	}
	w.all, w.free = int64(all), int64(free)
	w.known = b.claims(&nets)
	if !shown {
		w.level = b.level(w, all, gross, typical, &nets)
	}
	return w, out, nil
}

// claims are the largest of the cell that was just judged. There are many short lists
// of them, so they are cut from long ones.
func (b *scratch) claims(nets *top) []claim {
	if len(b.spare) < nets.used {
		b.spare = make([]claim, 4096)
	}
	list := b.spare[:nets.used:nets.used]
	b.spare = b.spare[nets.used:]
	for i := range list {
		o := nets.whose[i]
		list[i] = claim{o, int64(magnitude(b.shares[o].net))}
	}
	return list
}

// level is the protection level of the cell that was just judged.
func (b *scratch) level(w weight, all, gross uint64, typical int64, nets *top) int64 {
	p, q, c := uint64(b.rules.PPercent), b.rules.prior(), b.rules.coalition()
	usual := p
	if p == 0 {
		usual = usualPercent
	}
	level := int64(1)
	if int(w.organisations) < b.rules.fewest() {
		level = max(level, ceiling(usual, uint64(w.largest), 100))
	}
	for _, o := range b.order { // zero, as one that sees the cell finds it
		if gross == uint64(b.shares[o].gross) {
			level = max(level, ceiling(usual, uint64(typical), 100))
		}
	}
	for _, v := range b.order {
		if p == 0 {
			break
		}
		left := all - magnitude(b.shares[v].net)
		known := nets.first(c, v)
		for _, o := range known.all() {
			left -= magnitude(b.shares[o].net)
		}
		level = max(level, ceiling(p, uint64(b.shares[v].gross), q)-int64(left))
	}
	if d := b.rules.Dominance; d.On() {
		level = max(level, b.dominanceLevel(d, all))
	}
	return min(level, maxLevel)
}

// sensitive lists whose values the cell that was just weighed must not tell: those that
// a rule which it breaks is about.
func (b *scratch) sensitive() []int32 {
	p, q, c := uint64(b.rules.PPercent), b.rules.prior(), b.rules.coalition()
	d, k := b.rules.Dominance, uint64(b.rules.Dominance.K)
	nets, largest := top{size: c + 1}, top{size: d.N + c}
	var all, gross uint64
	for _, o := range b.order {
		s := &b.shares[o]
		all += magnitude(s.net)
		gross += uint64(s.gross)
		nets.add(o, product(1, magnitude(s.net)))
		if d.On() {
			largest.add(o, product(100-k, uint64(s.gross)).plus(product(k, magnitude(s.net))))
		}
	}
	var list []int32
	everybody := len(b.order) < b.rules.fewest()
	for _, o := range b.order {
		everybody = everybody || gross == uint64(b.shares[o].gross)
	}
	for _, v := range b.order {
		left := all - magnitude(b.shares[v].net)
		known := nets.first(c, v)
		for _, o := range known.all() {
			left -= magnitude(b.shares[o].net)
		}
		if everybody || p > 0 && ceiling(p, uint64(b.shares[v].gross), q) > int64(left) || slices.Contains(largest.whose[:largest.used], v) {
			list = append(list, v)
		}
	}
	return list
}

// maxLevel keeps sums of a few levels within an int64.
const maxLevel = math.MaxInt64 >> 4

// dominanceLevel is what has to be added for no recipient, and nobody from outside,
// to find the cell dominated.
func (b *scratch) dominanceLevel(d Dominance, all uint64) int64 {
	k, others := uint64(d.K), b.rules.coalition()-1
	largest, nets := top{size: d.N + 1}, top{size: d.N + 1 + others}
	for _, o := range b.order {
		s := &b.shares[o]
		nets.add(o, product(1, magnitude(s.net)))
		largest.add(o, product(100-k, uint64(s.gross)).plus(product(k, magnitude(s.net))))
	}
	lacking := func(rest uint64, of int32) int64 {
		sum := largest.sumWithout(d.N, of)
		if sum.hi >= k {
			return math.MaxInt64
		}
		q := sum.over(k)
		if q <= rest {
			return 0
		}
		return int64(min(q-rest, math.MaxInt64))
	}
	level := lacking(all, nobody)
	for _, o := range b.order {
		level = max(level, lacking(b.leftBeside(o, all, d.N, others, &largest, &nets), o))
	}
	return level
}
