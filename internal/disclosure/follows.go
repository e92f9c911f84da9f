package disclosure

import (
	"fmt"
	"math/big"
	"slices"
)

// follows remembers which combinations of layers follow from which releases.
type follows map[string][][]int64

// from lists combinations, by layer, that follow from the releases of the bits of
// shown, of which the first is the one being made: its differences to each of the
// others, and every layer whose own sum follows, found by elimination.
func (f follows) from(layers []uint64, shown uint64) [][]int64 {
	key := fmt.Sprint(layers, shown)
	if rows, ok := f[key]; ok {
		return rows
	}
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
	for release := 1; shown>>release > 0; release++ {
		if shown>>release&1 == 1 {
			row := make([]int64, len(layers))
			for l, in := range layers {
				row[l] = int64(in&1) - int64(in>>release&1)
			}
			rows = append(rows, row)
		}
	}
	f[key] = rows
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
