package disclosure

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
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
				if rng.IntN(8) == 0 { // an owner of two
					cell = append(cell, Contribution{int32(o) + 10_000, int32(o), rng.Int64N(1000)})
				}
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

// Witnesses that were tampered with, and protections that lack something, are found.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	tab := filled(rng, 20, 100, 12, branches(2, 3), branches(4))
	fresh := func() *Protection {
		p, err := Protect(t.Context(), preset, LeastCells, tab)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := fresh(); len(p.Witnesses) < 2 || Audit(preset, tab, p) != nil {
		t.Fatalf("%d witnesses: %v", len(p.Witnesses), Audit(preset, tab, p))
	}
	for name, spoil := range map[string]func(*Protection){
		"no witnesses":          func(p *Protection) { p.Witnesses = nil },
		"one witness missing":   func(p *Protection) { p.Witnesses = p.Witnesses[1:] },
		"a smaller level":       func(p *Protection) { p.Witnesses[0].Level = 0 },
		"a move left out":       func(p *Protection) { p.Witnesses[0].Moves = p.Witnesses[0].Moves[1:] },
		"a move too far":        func(p *Protection) { p.Witnesses[0].Moves[0].By *= 3 },
		"a cell shown":          func(p *Protection) { p.Hidden[p.Witnesses[0].Cells[0]] = false },
		"a secondary one shown": func(p *Protection) { p.Hidden[p.Witnesses[0].Moves[len(p.Witnesses[0].Moves)-1].Cell] = false },
		"released and hidden":   func(p *Protection) { p.Judgements[0].Cells[p.Witnesses[0].Cells[0]].Verdicts[0] = Release },
		"far too much": func(p *Protection) {
			for _, w := range p.Witnesses {
				for i := range w.Moves {
					w.Moves[i].By *= 1 << 30
				}
			}
		},
		"another victim": func(p *Protection) { p.Witnesses[0].Victim = 19 },
	} {
		p := fresh()
		spoil(p)
		if err := Audit(preset, tab, p); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

// The same table gives the same protection.
func TestProtectEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tab := filled(rand.New(rand.NewPCG(3, 3)), 12, 90, 8, branches(3, 3), branches(4))
	if _, err := Protect(ctx, preset, LeastCells, tab); !errors.Is(err, context.Canceled) {
		t.Errorf("Protect = %v", err)
	}
}

func TestProtectionIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	tab := filled(rand.New(rand.NewPCG(9, 9)), 30, 80, 12, branches(3, 3), branches(2, 3))
	first, err := Protect(t.Context(), preset, LeastValue, tab)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := Protect(t.Context(), preset, LeastValue, tab); err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("another protection: %v", err)
		}
	}
}

// Values with signs, several parts and counts are protected too.
func TestSeveralPartsShareOnePattern(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	for range 40 {
		tab := small(rng, 6+rng.IntN(20))
		signed, counts := Part{}, Part{Floor: 1}
		for _, cell := range tab.Parts[0].Cells {
			s, n := slices.Clone(cell), slices.Clone(cell)
			for i := range cell {
				if s[i].Value *= 1 - 2*int64(cell[i].Participant%2); s[i].Participant%5 == 0 {
					s[i].Value = 0
				}
				n[i].Value = 1 + int64(cell[i].Participant%7)
			}
			signed.Cells, counts.Cells = append(signed.Cells, s), append(counts.Cells, n)
		}
		leaves := 0
		for leaves < len(tab.Nodes) && isLeaf(tab, leaves) {
			leaves++
		}
		whole, err := Complete(tab.Dimensions, tab.Nodes[:leaves], []Part{{Cells: tab.Parts[0].Cells[:leaves]}, {Cells: signed.Cells[:leaves]}, {Floor: 1, Cells: counts.Cells[:leaves]}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Protect(t.Context(), preset, LeastCells, whole)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range p.Hidden {
			for part, j := range p.Judgements {
				for _, v := range j.Cells[i].Verdicts {
					if v.Released() == h {
						t.Fatalf("cell %d, part %d: hidden is %v and the verdict %v", i, part, h, v)
					}
				}
			}
		}
	}
}

func isLeaf(t *Table, cell int) bool {
	g, err := t.grid()
	if err != nil {
		panic(err)
	}
	return len(g.parts(int32(cell), 0)) == 0 && len(g.parts(int32(cell), 1)) == 0
}

// What overflows is hidden with all that it is part of, and stops nothing.
func TestOverflowInATable(t *testing.T) {
	t.Parallel()
	cells := []Cell{apart(5, 5, 5, 5, 5, 5), apart(5, 5, 5, 5, 5, 5), apart(math.MaxInt64, math.MaxInt64, 5, 5, 5), apart(5, 5, 5, 5, 5, 5)}
	tab, err := Complete([]Dimension{branches(2, 2)}, [][2]int32{{3}, {4}, {5}, {6}}, []Part{{Cells: cells}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(t.Context(), preset, LeastCells, tab)
	if err != nil {
		t.Fatal(err)
	}
	for cell, n := range tab.Nodes {
		want := n[0] == 5 || n[0] == 2 || n[0] == 0
		if p.Hidden[cell] != want {
			t.Errorf("cell %d at node %d is hidden: %v, want %v", cell, n[0], p.Hidden[cell], want)
		}
	}
}

func TestMalformedTablesAreRefused(t *testing.T) {
	t.Parallel()
	one := []Part{{Cells: []Cell{apart(1, 2)}}}
	for name, c := range map[string]struct {
		dimensions []Dimension
		leaves     [][2]int32
		parts      []Part
	}{
		"no dimension":         {nil, [][2]int32{{0}}, one},
		"three dimensions":     {[]Dimension{branches(), branches(), branches()}, [][2]int32{{0}}, one},
		"a parent behind":      {[]Dimension{{Parent: []int32{Top, 2, 0}}}, [][2]int32{{1}}, one},
		"a cell at a total":    {[]Dimension{branches(2)}, [][2]int32{{0}}, one},
		"a cell outside":       {[]Dimension{branches(2)}, [][2]int32{{7}}, one},
		"two cells at a place": {[]Dimension{branches(2)}, [][2]int32{{1}, {1}}, []Part{{Cells: []Cell{apart(1), apart(2)}}}},
		"a cell too many":      {[]Dimension{branches(2)}, [][2]int32{{1}}, []Part{{Cells: []Cell{apart(1), apart(2)}}}},
	} {
		if _, err := Complete(c.dimensions, c.leaves, c.parts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Who has a row at each of two leaves has two at least in their total.
func TestATotalOfCountsHasAFloorForEachLeaf(t *testing.T) {
	t.Parallel()
	tab, err := Complete([]Dimension{branches(2)}, [][2]int32{{1}, {2}}, []Part{{Floor: 1, Cells: []Cell{apart(50, 1, 1, 1, 1), apart(1, 1, 1, 1, 1)}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(t.Context(), strict(5, 5, 0, 0), LeastCells, tab)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Judgements[0].Cells[2].Verdicts; got[1] != PPercent {
		t.Errorf("the total of 59, of which 51 are one's and nobody can have less than 2: %v, want p-percent", got)
	}
}
