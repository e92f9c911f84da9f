package disclosure

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
)

// follows remembers which combinations of layers follow from which releases.
type follows map[string][][]int64

// from lists combinations, by layer, that follow from the releases of the bits of
// shown, of which the first is the one being made: its sums and differences with up to
// maxCombined of the others, the newest, and every layer whose own sum follows from
// any of them, found by elimination. A combination that is the multiple of another, or
// of nothing, is left out.
func (f follows) from(layers []uint64, shown uint64) [][]int64 {
	key := fmt.Sprint(layers, shown)
	if rows, ok := f[key]; ok {
		return rows
	}
	rows := isolated(layers, shown)
	var others []int
	for release := bits.Len64(shown) - 1; release > 0 && len(others) < maxCombined; release-- {
		if shown>>release&1 == 1 {
			others = append(others, release)
		}
	}
	known := map[string]bool{}
	for n := range power3(len(others)) {
		row := make([]int64, len(layers))
		some := n > 0
		for l, in := range layers {
			row[l] = int64(in & 1)
			rest := n
			for _, release := range others {
				row[l] += int64(in>>release&1) * []int64{0, -1, 1}[rest%3]
				rest /= 3
			}
		}
		if id := fmt.Sprint(row); some && !known[id] && slices.ContainsFunc(row, func(v int64) bool { return v != 0 }) {
			known[id] = true
			rows = append(rows, row)
		}
	}
	f[key] = rows
	return rows
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

// isolated lists the layers whose own sums follow.
func isolated(layers []uint64, shown uint64) [][]int64 {
	var m [][]*big.Rat
	for release := 0; shown>>release > 0; release++ {
		if shown>>release&1 == 0 {
			continue
		}
		row := make([]*big.Rat, len(layers))
		for l, in := range layers {
			row[l] = big.NewRat(int64(in>>release&1), 1)
		}
		m = append(m, row)
	}
	at := 0
	for l := 0; l < len(layers) && at < len(m); l++ {
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
	var rows [][]int64
	for _, r := range m[:at] {
		if l, alone := single(r); alone {
			row := make([]int64, len(layers))
			row[l] = 1
			rows = append(rows, row)
		}
	}
	return rows
}

// single finds the one layer of a row that has no other.
func single(row []*big.Rat) (layer int, alone bool) {
	found := 0
	for l, v := range row {
		if v.Sign() != 0 {
			layer = l
			found++
		}
	}
	return layer, found == 1
}
