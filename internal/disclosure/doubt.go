package disclosure

import (
	"fmt"
	"math"
	"math/big"
	"slices"
)

// What a sum, a variance and quantiles of the same values tell together.
//
// A quantile tells the mean of a few neighbours in the order of the values, and so bounds
// from below what lies above it: who knows the sum as well, and that nine tenths of the
// others have no less than so much, knows the largest better than by the sum alone. And
// with a variance there is less room still. Nothing says whose value is where in the order,
// so whatever somebody may have, everybody else may: it is enough that the largest could
// be larger, by so much that p % more than the truth is possible to everybody, and for a
// variance that the smallest could be smaller.
//
// That it could is shown by another world. The values in a quantile's window stay as they
// are, and what the coalition has. The largest grows by d. The others give d away, each
// no further than to the windows on either side of it (or to zero), and if the squares are
// known they have to be as much less as those of the largest are more. The least squares
// that values can have is when they are as equal as can be; if these are few enough, there
// is a world between, with exactly the squares that are shown. Without windows this is
// Samuelson's bound.

// Order is a quantile with its judgement.
type Order struct {
	Quantile  int
	Judgement *Judgement
}

// Together takes from judgements of quantiles what may not be shown beside a sum or a
// variance of the same values: of each cell the last ones, until what is left may. known
// says whether the sum of a cell and its variance are shown to the contributor at a place
// of it. floor is Judge's.
func Together(rules Rules, floor int64, cells []Cell, known func(cell, at int) (sum, variance bool), orders []Order) error {
	if err := rules.Check(); err != nil {
		return err
	}
	for _, o := range orders {
		if len(o.Judgement.Cells) != len(cells) {
			return fmt.Errorf("%d cells with a judgement of %d", len(cells), len(o.Judgement.Cells))
		}
	}
	for i, cell := range cells {
		shown := slices.DeleteFunc(slices.Clone(orders), func(o Order) bool {
			return !slices.ContainsFunc(o.Judgement.Cells[i].Verdicts, Verdict.Released)
		})
		if len(shown) == 0 {
			continue
		}
		s := newSpread(rules, cell)
		s.floor = floor
		sums, variances := s.recipients(cell, func(at int) (sum, variance bool) { return known(i, at) })
		for ; len(shown) > 0; shown = shown[:len(shown)-1] {
			var windows [][2]int
			for _, o := range shown {
				from, to := rules.Around(o.Quantile, len(cell))
				windows = append(windows, [2]int{from, to})
			}
			s.divide(windows)
			if !slices.ContainsFunc(s.order, func(r int32) bool {
				return variances[r] && !s.wide(r, true) || !variances[r] && sums[r] && !s.wide(r, false)
			}) {
				break
			}
			shown[len(shown)-1].Judgement.Hide(i, Close)
		}
	}
	return nil
}

// recipients says which organisations know a cell's sum, and which its variance: whoever is
// shown it, or has a friend who is.
func (s *spread) recipients(cell Cell, known func(at int) (sum, variance bool)) (sums, variances map[int32]bool) {
	sums, variances = map[int32]bool{}, map[int32]bool{}
	for at, c := range cell {
		sum, variance := known(at)
		of := []int32{c.Organisation}
		if s.rules.coalition() > 1 {
			of = s.order
		}
		for _, o := range of {
			sums[o] = sums[o] || sum && s.rules.PPercent > 0
			variances[o] = variances[o] || variance
		}
	}
	return sums, variances
}

// block is the values that lie between two windows. Numbers are q times as large as the
// values, q being that of the pq rule or 100.
type block struct {
	least, most  *big.Int // that they can be; most is nil in the last
	n            int64
	sum, squares *big.Int
	size         *big.Int // sum of absolute values
}

const inWindow = -1

// divide divides the values by windows.
func (s *spread) divide(windows [][2]int) {
	slices.SortFunc(windows, func(a, b [2]int) int { return a[0] - b[0] })
	s.block, s.blocks = make([]int, len(s.sorted)), nil
	begin := func() {
		s.blocks = append(s.blocks, block{least: new(big.Int), sum: new(big.Int), squares: new(big.Int), size: new(big.Int)})
	}
	begin()
	next := 0
	for i := range s.sorted {
		for next < len(windows) && i >= windows[next][1] {
			next++
		}
		if next < len(windows) && i >= windows[next][0] {
			s.block[i] = inWindow
			if i == windows[next][0] {
				s.blocks[len(s.blocks)-1].most = s.units(i)
			}
			if i == windows[next][1]-1 {
				begin()
				s.blocks[len(s.blocks)-1].least = s.units(i)
			}
			continue
		}
		s.block[i] = len(s.blocks) - 1
		s.blocks[s.block[i]].add(s.units(i), 1)
	}
}

// units is a value in the units of blocks.
func (s *spread) units(place int) *big.Int {
	v := big.NewInt(s.sorted[place].Value)
	return v.Mul(v, new(big.Int).SetUint64(s.rules.prior()))
}

// add adds a value, or with sign -1 takes it away.
func (b *block) add(v *big.Int, sign int64) {
	b.n += sign
	by := big.NewInt(sign)
	b.sum.Add(b.sum, new(big.Int).Mul(v, by))
	b.size.Add(b.size, new(big.Int).Mul(new(big.Int).Abs(v), by))
	b.squares.Add(b.squares, by.Mul(by, new(big.Int).Mul(v, v)))
}

// without are the blocks without the values at some places.
func (s *spread) without(blocks []block, places []int) []block {
	list := slices.Clone(blocks)
	for i := range list {
		list[i].sum, list[i].squares, list[i].size = new(big.Int).Set(list[i].sum), new(big.Int).Set(list[i].squares), new(big.Int).Set(list[i].size)
	}
	for _, place := range places {
		if at := s.block[place]; at != inWindow {
			list[at].add(s.units(place), -1)
		}
	}
	return list
}

// wide reports whether a recipient and its friends, whoever they are, are left in doubt
// of everybody. What a bound depends on is concave in each value that is taken away, so
// those friends are the worst who have values at the ends, without the one at either end
// whom it is about; or those who have most.
func (s *spread) wide(r int32, squares bool) bool {
	friends := s.rules.coalition() - 1
	if friends == 0 {
		return s.doubt([]int32{r}, squares)
	}
	others := func(list []int32) []int32 {
		return slices.DeleteFunc(slices.Clone(list), func(o int32) bool { return o == r })
	}
	low, high, order := others(s.owners(false)), others(s.owners(true)), others(s.order)
	if len(order) < 2 {
		return false
	}
	for _, most := range [][]int32{order, order[1:]} {
		if !s.doubt(s.with(r, friends, most), squares) {
			return false
		}
	}
	for _, below := range [][]int32{low, low[1:]} {
		for _, above := range [][]int32{high, high[1:]} {
			for n := range friends + 1 {
				known := s.with(r, n, below)
				if !s.doubt(s.with(r, friends, slices.Concat(known[1:], above)), squares) {
					return false
				}
			}
		}
	}
	return true
}

// owners lists the organisations in the order of their smallest values, or from the
// largest down, as many as a coalition can need.
func (s *spread) owners(largest bool) []int32 {
	var list []int32
	for i := range s.sorted {
		at := i
		if largest {
			at = len(s.sorted) - 1 - i
		}
		if o := s.sorted[at].Organisation; !slices.Contains(list, o) {
			list = append(list, o)
		}
		if len(list) > 2*MaxCoalition+2 {
			break
		}
	}
	return list
}

// with is a recipient and the first n others of a list.
func (s *spread) with(r int32, n int, list []int32) []int32 {
	known := []int32{r}
	for _, o := range list {
		if len(known) > n {
			break
		}
		if !slices.Contains(known, o) {
			known = append(known, o)
		}
	}
	return known
}

// doubt reports whether those who know some organisations' values are in doubt of all
// others'.
func (s *spread) doubt(known []int32, squares bool) bool {
	var gone []int
	for _, o := range known {
		gone = append(gone, s.places[o]...)
	}
	low, top := s.ends(known)
	if len(s.sorted)-len(gone) < 2 || squares && s.sorted[low[0]].Value == s.sorted[top[0]].Value {
		return false
	}
	blocks := s.without(s.blocks, gone)
	// Of those with one participant it is enough to look at the largest and the smallest.
	if !s.grows(blocks, top[:1], top[:1], squares) || squares && !s.shrinks(blocks, low[:1], low[:1]) {
		return false
	}
	for _, o := range s.several {
		if slices.Contains(known, o) {
			continue
		}
		has := s.places[o]
		if !s.grows(blocks, has, top[:len(has)], squares) || squares && !s.shrinks(blocks, has, low[:len(has)]) {
			return false
		}
	}
	return true
}

// ends are the places of the smallest and of the largest values that are not known, as
// many as one organisation may have.
func (s *spread) ends(known []int32) (low, top []int) {
	for i := range s.sorted {
		if len(low) < s.tenants && !slices.Contains(known, s.sorted[i].Organisation) {
			low = append(low, i)
		}
		if at := len(s.sorted) - 1 - i; len(top) < s.tenants && !slices.Contains(known, s.sorted[at].Organisation) {
			top = append(top, at)
		}
		if len(low) == s.tenants && len(top) == s.tenants {
			break
		}
	}
	return low, top
}

// beyond is what somebody has at some places, and p % of it.
func (s *spread) beyond(places []int) (has, more *big.Int) {
	has = s.sum(places)
	more = new(big.Int).Abs(has)
	more.Mul(more, big.NewInt(int64(max(s.rules.PPercent, 1))))
	return has, more.Div(more, new(big.Int).SetUint64(s.rules.prior())) // units are so many times the value
}

// share is about p/q.
func (s *spread) share() float64 {
	return float64(max(s.rules.PPercent, 1)) / float64(s.rules.prior())
}

// far reports whether one number is larger than another beyond the doubts of floating
// point. It spares exact arithmetic where much is far from being known.
func far(a, b float64) bool { return a > b*(1+1e-6)+1 }

// much is about what there is at some places.
func (s *spread) much(places []int) float64 {
	sum := 0.0
	for _, place := range places {
		sum += float64(s.sorted[place].Value)
	}
	return sum
}

func (s *spread) sum(places []int) *big.Int {
	sum := new(big.Int)
	for _, place := range places {
		sum.Add(sum, s.units(place))
	}
	return sum
}

// grows reports whether somebody who has the values at some places may have p % more:
// the largest there are, of which the first grows if they are not enough.
func (s *spread) grows(blocks []block, places, largest []int, squares bool) bool {
	if far(s.much(largest)-s.much(places), math.Abs(s.much(places))*s.share()) {
		return true
	}
	has, more := s.beyond(places)
	d := has.Add(has, more).Sub(has, s.sum(largest))
	if d.Sign() <= 0 {
		return true
	}
	if s.block[largest[0]] != len(s.blocks)-1 {
		return false // a window, or values that are known, stand in its way
	}
	others := s.without(blocks, largest)
	if !squares {
		return d.Cmp(s.slack(others)) <= 0
	}
	return flat(others, new(big.Int).Neg(d), grown(s.units(largest[0]), d))
}

// shrinks reports whether somebody may have p % less.
func (s *spread) shrinks(blocks []block, places, smallest []int) bool {
	if far(s.much(places)-s.much(smallest), math.Abs(s.much(places))*s.share()) {
		return true
	}
	has, less := s.beyond(places)
	d := s.sum(smallest)
	d.Sub(d, has.Sub(has, less))
	if d.Sign() <= 0 {
		return true
	}
	if s.block[smallest[0]] != 0 {
		return false
	}
	return flat(s.without(blocks, smallest), d, grown(s.units(smallest[0]), new(big.Int).Neg(d)))
}

// grown is by how much the square of a value grows with it.
func grown(v, d *big.Int) *big.Int {
	twice := new(big.Int).Lsh(v, 1)
	return twice.Add(twice, d).Mul(twice, d)
}

// slack is how much values can give away.
func (s *spread) slack(blocks []block) *big.Int {
	sum := new(big.Int)
	for i, b := range blocks {
		has, least := b.sum, b.least
		if i == 0 { // down to the floor; of those below zero nobody knows that they are
			has, least = b.size, new(big.Int).Mul(big.NewInt(s.floor), new(big.Int).SetUint64(s.rules.prior()))
		}
		sum.Add(sum, has).Sub(sum, new(big.Int).Mul(least, big.NewInt(b.n)))
	}
	return sum
}

// flat reports whether values can have a sum that is larger by so much with squares that
// are less by so much: if they are as equal as can be, all in one block are the same,
// those below as large as they can be and those above as small.
func flat(blocks []block, larger, less *big.Int) bool {
	sum, squares := new(big.Int).Set(larger), new(big.Int).Neg(less)
	for _, b := range blocks {
		sum.Add(sum, b.sum)
		squares.Add(squares, b.squares)
	}
	for j, b := range blocks {
		if b.n == 0 {
			continue
		}
		rest, left := new(big.Int).Set(sum), new(big.Int).Set(squares)
		for i, other := range blocks {
			if i == j || other.n == 0 {
				continue
			}
			at := other.least
			if i < j {
				at = other.most
			}
			all := new(big.Int).Mul(at, big.NewInt(other.n))
			rest.Sub(rest, all)
			left.Sub(left, all.Mul(all, at))
		}
		n := big.NewInt(b.n)
		if j > 0 && rest.Cmp(new(big.Int).Mul(b.least, n)) < 0 || b.most != nil && rest.Cmp(new(big.Int).Mul(b.most, n)) > 0 {
			continue
		}
		// rest²/n are the squares of this block
		if rest.Mul(rest, rest).Cmp(left.Mul(left, n)) <= 0 {
			return true
		}
	}
	return false
}
