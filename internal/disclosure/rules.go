package disclosure

import (
	"fmt"
	"math"
	"slices"
)

// The rules, for one cell and one recipient organisation r.
//
// Values are added up by organisation first: g(o) is the sum of the absolute
// values of o's participants, b(o) the absolute value of their sum, less the
// floor that everybody knows for each of them. Where there is no floor and no
// signs differ the two are the same number x(o). Where they do, each is used
// on the side where it is the safer: what is to be protected counts as g, what
// hides it as b, since +100 and -100 of one owner hide nothing. B is the sum of
// all b(o), n the number of organisations. An organisation whose values are
// zero is a contributor. The recipient knows its own values and those of every
// tenant under its own organisation, so the rules look at what is left without
// them:
//
//	minimum    n < MinContributors, or < c+3 against a coalition of c > 1
//	zero       sum of g(o), o != r, is 0, or B - b(r) is 0 over a floor: the others' values would be known exactly
//	           (part of the p % rule)
//	p-percent  B - b(r) - b(v) < p/100 g(v) for any v != r: r, having taken its own away from the total, would
//	           know v's to within p %
//	dominance  sum of the n largest x(o) > k/100 B, over all o (the classical rule, whoever looks), and
//	           sum of the n largest x(o), o != r, > k/100 (B - b(r)): what the recipient has before it
//
// The formulas are those of sdcTable (R/utils.R; p %: X - x1 - x2 < p/100 x1,
// (n,k): x1+..+xn > k/100 X, both strict) and of Hundepool et al., Handbook on
// Statistical Disclosure Control, section 4.2, with the second largest
// contributor replaced by the actual recipient; the handbook also has absolute
// values for negative contributions. Zero is added here: sdcTable leaves cells
// of zeros open by default.
//
// Against a coalition of c > 1 the recipient's own is its own and that of the c-1
// largest others (for p-percent, of others than v; for dominance, of others than the n
// whom it is about). A pq rule with prior knowledge of q per cent compares with p/q
// instead of p/100.
//
// The second form of dominance with n = 2 also holds against a coalition of the
// recipient and one more organisation u: if x(u) + x(v) <= k/100 R with R = B -
// b(r), then what hides v from both is R - x(u) - x(v) >= (100-k)/k x(v), which
// is a p % rule with p = 17.6 for k = 85. It hides every cell with fewer than
// n+2 contributors.

// owner is what is known of a participant: its organisation and the last cell it was seen in.
type owner struct {
	organisation int32
	known        bool
	cell         uint64
}

// share is an organisation's part in the cell being judged.
type share struct {
	cell    uint64 // the cell these numbers belong to
	net     int64
	gross   int64
	verdict Verdict
}

// scratch is the scratch space of one Judge call.
type scratch struct {
	rules  Rules
	floor  int64
	floors Cell   // of each contribution, if they differ
	cell   uint64 // number of the present cell, from 1, so that nothing has to be cleared between cells
	owner  []owner
	shares []share
	order  []int32 // organisations of the present cell
	spare  []claim
}

// judge fills in a verdict for each contribution of the cell.
func (b *scratch) judge(cell Cell, verdicts []Verdict) (Outcome, error) {
	fits, err := b.gather(cell)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Participants: int32(len(cell)), Organisations: int32(len(b.order)), Verdicts: verdicts}
	switch {
	case !fits:
		b.all(Overflow)
	case len(b.order) < b.rules.fewest():
		b.all(Minimum)
	default:
		b.weigh()
	}
	for i, c := range cell {
		verdicts[i] = b.shares[c.Organisation].verdict
		if fits {
			out.Sum += c.Value
		}
	}
	return out, nil
}

// gather adds up by organisation. It reports false if the absolute values of
// the cell do not fit; if they do, neither can any signed sum in it overflow.
func (b *scratch) gather(cell Cell) (fits bool, err error) {
	b.cell++
	b.order = b.order[:0]
	var total uint64
	fits = true
	for i, c := range cell {
		floor := b.floor
		if b.floors != nil {
			floor = b.floors[i].Value
		}
		who := &b.owner[c.Participant]
		switch {
		case who.cell == b.cell:
			return false, fmt.Errorf("participant %d is in the cell twice", c.Participant)
		case who.known && who.organisation != c.Organisation:
			return false, fmt.Errorf("participant %d is in organisations %d and %d", c.Participant, who.organisation, c.Organisation)
		}
		*who = owner{organisation: c.Organisation, known: true, cell: b.cell}

		if floor > 0 && c.Value < floor && c.Value != math.MinInt64 { // that is the mark of an overflow
			return false, fmt.Errorf("participant %d has a value below the floor", c.Participant)
		}
		s := &b.shares[c.Organisation]
		if s.cell != b.cell {
			*s = share{cell: b.cell}
			b.order = append(b.order, c.Organisation)
		}
		if total += magnitude(c.Value); total > math.MaxInt64 {
			total, fits = 0, false
		}
		if fits {
			s.net += c.Value - floor
			s.gross += int64(magnitude(c.Value))
		}
	}
	return fits, nil
}

func (b *scratch) all(v Verdict) {
	for _, o := range b.order {
		b.shares[o].verdict = v
	}
}

// weigh judges a cell that has enough contributors, once for each organisation
// as the recipient. To do that without comparing all pairs, each rule's
// inequality is sorted into a score of v alone and a remainder of r alone, and
// only the largest scores are kept:
//
//	p-percent  q (B - b(r)) < q b(v) + p g(v), q = 100 unless it is a pq rule
//	dominance  k (B - b(r)) < sum of (100-k) g(v) + k b(v)
func (b *scratch) weigh() {
	p, q, d := uint64(b.rules.PPercent), b.rules.prior(), b.rules.Dominance
	k, others := uint64(d.K), b.rules.coalition()-1
	var hidden, gross uint64 // B and the sum of all g
	closest, largest := top{size: others + 2}, top{size: d.N + 1}
	nets := top{size: others + 2 + d.N}
	for _, o := range b.order {
		s := &b.shares[o]
		net, g := magnitude(s.net), uint64(s.gross)
		hidden += net
		gross += g
		nets.add(o, product(1, net))
		if p > 0 {
			closest.add(o, product(q, net).plus(product(p, g)))
		}
		if d.On() {
			largest.add(o, product(100-k, g).plus(product(k, net)))
		}
	}
	dominated := d.On() && product(k, hidden).less(largest.sumWithout(d.N, nobody))
	for _, o := range b.order {
		s := &b.shares[o]
		known := nets.first(others, o)
		rest, theirs := hidden-magnitude(s.net), gross-uint64(s.gross)
		for _, friend := range known.all() {
			rest -= magnitude(b.shares[friend].net)
			theirs -= uint64(b.shares[friend].gross)
		}
		switch {
		case p > 0 && (theirs == 0 || b.floor > 0 && rest == 0):
			s.verdict = Zero
		case p > 0 && b.closeTo(o, hidden-magnitude(s.net), q, others, &closest, &nets):
			s.verdict = PPercent
		case dominated, d.On() && product(k, b.leftBeside(o, hidden, d.N, others, &largest, &nets)).less(largest.sumWithout(d.N, o)):
			s.verdict = Dominated
		default:
			s.verdict = Release
		}
	}
}

// leftBeside is what o and its friends have before them, if these are the ones with the
// most beside the n with the largest scores, who are to be protected.
func (b *scratch) leftBeside(o int32, all uint64, n, others int, largest, nets *top) uint64 {
	dominators := largest.first(n, o)
	friends := nets.first(others, dominators.and(o)...)
	for _, known := range friends.and(o) {
		all -= magnitude(b.shares[known].net)
	}
	return all
}

// nobody is no organisation's index.
const nobody = -1

// closeTo reports whether o, with the friends that know the most of what is left
// beside some victim, would know that victim's value too closely. rest is B - b(o).
func (b *scratch) closeTo(o int32, rest, q uint64, others int, closest, nets *top) bool {
	for i := range closest.used {
		v := closest.whose[i]
		if v == o {
			continue
		}
		left := rest
		known := nets.first(others, o, v)
		for _, friend := range known.all() {
			left -= magnitude(b.shares[friend].net)
		}
		if product(q, left).less(closest.scores[i]) {
			return true
		}
	}
	return false
}

// top keeps the largest few scores and whose they are, largest first.
type top struct {
	size, used int
	scores     [MaxDominators + MaxCoalition + 1]wide
	whose      [MaxDominators + MaxCoalition + 1]int32
}

func (t *top) add(o int32, score wide) {
	if t.used == t.size && !t.scores[t.used-1].less(score) {
		return
	}
	if t.used < t.size {
		t.used++
	}
	i := t.used - 1
	for ; i > 0 && t.scores[i-1].less(score); i-- {
		t.scores[i], t.whose[i] = t.scores[i-1], t.whose[i-1]
	}
	t.scores[i], t.whose[i] = score, o
}

// first lists the n largest of all organisations but some.
func (t *top) first(n int, without ...int32) friends {
	var list friends
	if n == 0 {
		return list
	}
	for i := 0; i < t.used && list.n < n; i++ {
		if !slices.Contains(without, t.whose[i]) {
			list.who[list.n] = t.whose[i]
			list.n++
		}
	}
	return list
}

// friends are the organisations of a coalition, with room for one more.
type friends struct {
	who [MaxCoalition + 1]int32
	n   int
}

func (f *friends) all() []int32 { return f.who[:f.n] }

// and are the friends and one more.
func (f *friends) and(o int32) []int32 {
	f.who[f.n] = o
	return f.who[:f.n+1]
}

// sumWithout adds the n largest scores of all organisations but some.
func (t *top) sumWithout(n int, without ...int32) wide {
	var sum wide
	for i := 0; i < t.used && n > 0; i++ {
		if !slices.Contains(without, t.whose[i]) {
			sum = sum.plus(t.scores[i])
			n--
		}
	}
	return sum
}
