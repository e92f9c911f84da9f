package disclosure

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
)

// follows remembers which combinations of layers follow from which releases.
type follows map[string][][]int64

// part of a sum that is in the same releases.
type stratum struct {
	in    uint64 // the releases
	size  int    // organisations
	owner int32  // of all of it, or nobody
}

// from lists combinations of strata that follow from the releases of the bits of shown, of
// which the first is the one being made: its sums and differences with one, with two,
// and in every way with maxCombined of the others, the newest; and by elimination, which
// takes away those of the most organisations first, what is left of few. That is done once
// more for each organisation that has a stratum to itself, and knows it. A combination that
// is the multiple of another, or of nothing, is left out.
func (f follows) from(strata []stratum, shown uint64) [][]int64 {
	key := fmt.Sprint(strata, shown)
	if rows, ok := f[key]; ok {
		return rows
	}
	c := combinations{strata: strata, known: map[string]bool{}}
	var others []int
	for release := bits.Len64(shown) - 1; release > 0; release-- {
		if shown>>release&1 == 1 {
			others = append(others, release)
		}
	}
	for n := range power3(min(len(others), maxCombined)) {
		signs := map[int]int64{}
		for _, release := range others[:min(len(others), maxCombined)] {
			signs[release] = []int64{0, -1, 1}[n%3]
			n /= 3
		}
		c.signed(signs)
	}
	for i, a := range others {
		for _, x := range []int64{-1, 1} {
			c.signed(map[int]int64{a: x})
			for _, b := range others[:i] {
				c.signed(map[int]int64{a: x, b: -1})
				c.signed(map[int]int64{a: x, b: 1})
			}
		}
	}
	c.eliminate(shown, nobody)
	for l, s := range strata {
		if s.owner != nobody && !slices.ContainsFunc(strata[:l], func(o stratum) bool { return o.owner == s.owner }) {
			c.eliminate(shown, s.owner)
		}
	}
	f[key] = c.rows
	return c.rows
}

// combinations are being gathered, by stratum.
type combinations struct {
	strata []stratum
	rows   [][]int64
	known  map[string]bool
}

func (c *combinations) add(row []int64) {
	if id := fmt.Sprint(row); !c.known[id] && slices.ContainsFunc(row, func(v int64) bool { return v != 0 }) {
		c.known[id] = true
		c.rows = append(c.rows, row)
	}
}

// signed adds the release being made, with others added to it and taken from it.
func (c *combinations) signed(signs map[int]int64) {
	row := make([]int64, len(c.strata))
	some := false
	for l, s := range c.strata {
		row[l] = int64(s.in & 1)
		for release, sign := range signs {
			row[l] += int64(s.in>>release&1) * sign
			some = some || sign != 0
		}
	}
	if some {
		c.add(row)
	}
}

// maxCombined is how many earlier releases are combined in every way with the one being
// made: 3 to the power of it.
const maxCombined = 5

func power3(n int) int {
	p := 1
	for range n {
		p *= 3
	}
	return p
}

// eliminate adds the rows of the reduced echelon form of the releases, without what an
// organisation has to itself, in which the one being made has a part.
func (c *combinations) eliminate(shown uint64, without int32) {
	order := make([]int, 0, len(c.strata))
	for l, s := range c.strata {
		if without == nobody || s.owner != without {
			order = append(order, l)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.strata[b].size - c.strata[a].size })
	var m [][]*big.Rat // a column for each stratum, and one for the release being made
	for release := 0; shown>>release > 0; release++ {
		if shown>>release&1 == 0 {
			continue
		}
		row := make([]*big.Rat, len(order)+1)
		for k, l := range order {
			row[k] = big.NewRat(int64(c.strata[l].in>>release&1), 1)
		}
		row[len(order)] = big.NewRat(0, 1)
		if release == 0 {
			row[len(order)].SetInt64(1)
		}
		m = append(m, row)
	}
	for _, r := range reduce(m, len(order)) {
		if r[len(order)].Sign() == 0 {
			continue
		}
		row := make([]int64, len(c.strata))
		whole := true
		for k, v := range integers(r[:len(order)]) {
			row[order[k]] = v.Int64()
			whole = whole && v.IsInt64()
		}
		if whole {
			c.add(row)
		}
	}
}

// reduce brings rows into reduced echelon form by their first columns, and leaves out
// those that are nothing there.
func reduce(m [][]*big.Rat, columns int) [][]*big.Rat {
	at := 0
	for l := 0; l < columns && at < len(m); l++ {
		pivot := slices.IndexFunc(m[at:], func(r []*big.Rat) bool { return r[l].Sign() != 0 })
		if pivot < 0 {
			continue
		}
		m[at], m[at+pivot] = m[at+pivot], m[at]
		scale := new(big.Rat).Inv(m[at][l])
		for k := range m[at] {
			m[at][k] = new(big.Rat).Mul(m[at][k], scale)
		}
		for i := range m {
			if by := m[i][l]; i != at && by.Sign() != 0 {
				for k := range m[i] {
					m[i][k] = new(big.Rat).Sub(m[i][k], new(big.Rat).Mul(by, m[at][k]))
				}
			}
		}
		at++
	}
	return m[:at]
}

// integers is a row times the least number that makes all of it whole.
func integers(row []*big.Rat) []*big.Int {
	by := big.NewInt(1)
	for _, v := range row {
		by.Mul(by, new(big.Int).Div(v.Denom(), new(big.Int).GCD(nil, nil, by, v.Denom())))
	}
	list := make([]*big.Int, len(row))
	for k, v := range row {
		list[k] = new(big.Int).Mul(v.Num(), new(big.Int).Div(by, v.Denom()))
	}
	return list
}
