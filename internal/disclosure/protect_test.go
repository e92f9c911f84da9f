package disclosure

import (
	"math/rand/v2"
	"testing"
	"time"
)

// branches makes a tree with a total and so many children at each level.
func branches(widths ...int) Dimension {
	d := Dimension{Parent: []int32{Top}}
	level := []int32{0}
	for _, w := range widths {
		var next []int32
		for _, n := range level {
			for range w {
				next = append(next, int32(len(d.Parent)))
				d.Parent = append(d.Parent, n)
			}
		}
		level = next
	}
	return d
}

// leavesOf lists a dimension's leaves.
func leavesOf(d Dimension) []int32 {
	parents := map[int32]bool{}
	for _, p := range d.Parent {
		parents[p] = true
	}
	var list []int32
	for n := range d.Parent {
		if !parents[int32(n)] {
			list = append(list, int32(n))
		}
	}
	return list
}

// filled is a random table: each crossing of leaves has a cell with so much
// probability (of 100), with heavy-tailed values of some of the organisations.
func filled(rng *rand.Rand, organisations, density, each int, dimensions ...Dimension) *Table {
	var leaves [][2]int32
	var cells []Cell
	second := []int32{0}
	if len(dimensions) > 1 {
		second = leavesOf(dimensions[1])
	}
	for _, u := range leavesOf(dimensions[0]) {
		for _, w := range second {
			if rng.IntN(100) >= density {
				continue
			}
			var cell Cell
			for _, o := range rng.Perm(organisations)[:1+rng.IntN(min(each, organisations))] {
				v := rng.Int64N(1000)
				if rng.IntN(4) == 0 {
					v <<= rng.IntN(8)
				}
				cell = append(cell, Contribution{int32(o), int32(o), v})
			}
			leaves = append(leaves, [2]int32{u, w})
			cells = append(cells, cell)
		}
	}
	t, err := Complete(dimensions, leaves, []Part{{Cells: cells}})
	if err != nil {
		panic(err)
	}
	return t
}

func TestLarge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ a, b Dimension }{
		{branches(10, 10), branches(9)}, {branches(10, 30), branches(10, 30)},
	} {
		tab := filled(rng, 200, 100, 60, c.a, c.b)
		start := time.Now()
		p, err := Protect(preset, LeastCells, tab)
		if err != nil {
			t.Fatal(err)
		}
		prim, hid := 0, 0
		for i, h := range p.Hidden {
			if h {
				hid++
			}
			for _, v := range p.Judgements[0].Cells[i].Verdicts {
				if v != Release && v != Secondary {
					prim++
					break
				}
			}
		}
		t.Logf("%d cells, primary %d hidden %d, witnesses %d, %v", len(tab.Nodes), prim, hid, len(p.Witnesses), time.Since(start))
	}
	bad := 0
	for i := range 300 {
		tab := filled(rng, 3+rng.IntN(20), 30+rng.IntN(70), 12, branches(1+rng.IntN(4), 1+rng.IntN(3)), branches(1+rng.IntN(5)))
		if _, err := Protect(preset, LeastCells, tab); err != nil {
			bad++
			if bad < 5 {
				t.Logf("world %d: %v", i, err)
			}
		}
	}
	t.Logf("failed %d", bad)
}
