package disclosure

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// The attacker of these tests knows nothing of witnesses. It writes down what it was
// given as linear equations over what it does not know, and asks a linear program
// how large another's value can be.

// system is linear equations over unknowns that are not below zero.
type system struct {
	rows [][]float64
	is   []float64
}

// largest is the most that c times the unknowns can be; infinite if nothing bounds it.
func (s system) largest(t *testing.T, c []float64) float64 {
	t.Helper()
	rows, is := independent(s.rows, s.is)
	if len(rows) == 0 {
		return math.Inf(1)
	}
	var minus []float64
	var used []int
	for k := range c {
		if slices.ContainsFunc(rows, func(r []float64) bool { return r[k] != 0 }) {
			used, minus = append(used, k), append(minus, -c[k])
		} else if c[k] != 0 {
			return math.Inf(1)
		}
	}
	a := mat.NewDense(len(rows), len(used), nil)
	for i, r := range rows {
		for k, at := range used {
			a.Set(i, k, r[at])
		}
	}
	best, _, err := lp.Simplex(minus, a, is, 1e-10, nil)
	if errors.Is(err, lp.ErrUnbounded) {
		return math.Inf(1)
	}
	if err != nil {
		t.Fatalf("attack: %v", err)
	}
	return -best
}

// breached lets a coalition attack what it sees of a table, each victim's value in
// each cell, and returns a cell and the victim whose value there it bounds to within
// p per cent from above, or -1.
func breached(t *testing.T, tab *Table, hidden []bool, coalition []int32, p float64, tries int, rng *rand.Rand) (cell, victim int32) {
	t.Helper()
	g, err := tab.grid()
	if err != nil {
		t.Fatal(err)
	}
	var leaves []int32
	for i, n := range tab.Nodes {
		if len(g.trees[0].children[n[0]])+len(g.trees[1].children[n[1]]) == 0 {
			leaves = append(leaves, int32(i))
		}
	}
	for range tries {
		cell = int32(rng.IntN(len(tab.Nodes)))
		who := tab.Parts[0].Cells[cell]
		victim = who[rng.IntN(len(who))].Organisation
		if slices.Contains(coalition, victim) {
			continue
		}
		own := func(i int32) (v, others float64, there, more bool) {
			for _, c := range tab.Parts[0].Cells[i] {
				switch {
				case c.Organisation == victim:
					v, there = v+float64(c.Value), true
				case !slices.Contains(coalition, c.Organisation):
					others, more = others+float64(c.Value), true
				}
			}
			return v, others, there, more
		}
		// two unknowns a leaf: the victim's and the others'
		unknown := map[[2]int32]int{}
		scale := 1.0
		for _, l := range leaves {
			v, o, there, more := own(l)
			if there {
				unknown[[2]int32{l, 0}] = len(unknown)
			}
			if more {
				unknown[[2]int32{l, 1}] = len(unknown)
			}
			scale = max(scale, v, o)
		}
		var s system
		below := func(i, l int32) bool {
			return slices.Contains(g.trees[0].under(tab.Nodes[i][0]), tab.Nodes[l][0]) && slices.Contains(g.trees[1].under(tab.Nodes[i][1]), tab.Nodes[l][1])
		}
		row := func(i int32, kinds ...int32) []float64 {
			r := make([]float64, len(unknown))
			for _, l := range leaves {
				if below(i, l) {
					for _, kind := range kinds {
						if at, ok := unknown[[2]int32{l, kind}]; ok {
							r[at] = 1
						}
					}
				}
			}
			return r
		}
		for i := range tab.Nodes {
			if !hidden[i] {
				v, o, there, more := own(int32(i))
				if there || more {
					s.rows, s.is = append(s.rows, row(int32(i), 0, 1)), append(s.is, (v+o)/scale)
				}
			}
		}
		truth, _, _, _ := own(cell)
		bound := s.largest(t, row(cell, 0)) * scale
		if bound < truth*(1+p/100)-1e-6*scale || truth == 0 && bound <= 1e-6*scale {
			return cell, victim
		}
	}
	return -1, -1
}

// small is a random table of up to two dimensions and a hundred cells, in which
// some organisations have several participants.
func small(rng *rand.Rand, organisations int) *Table {
	dimensions := []Dimension{branches(1+rng.IntN(3), 1+rng.IntN(3)), branches(1 + rng.IntN(4))}
	if rng.IntN(4) == 0 {
		dimensions = []Dimension{branches(1+rng.IntN(3), 1+rng.IntN(4))}
	}
	for {
		tab := filled(rng, organisations, 40+rng.IntN(60), 3+rng.IntN(12), dimensions...)
		if len(tab.Nodes) > 0 {
			return tab
		}
	}
}

// coalition picks organisations that know all of each other.
func coalition(rng *rand.Rand, of, organisations int) []int32 {
	var list []int32
	for _, o := range rng.Perm(organisations)[:of] {
		list = append(list, int32(o))
	}
	return list
}

// worlds is how many random worlds are attacked: 40, and 1,000 in make torture.
func worlds(t *testing.T) int {
	t.Helper()
	if os.Getenv("TRIBUTARY_TORTURE") != "" {
		return 1000
	}
	return 40
}

func TestNoTableLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules Rules
	}{
		{"preset", preset},
		{"p of 60", Rules{MinContributors: 4, PPercent: 60}},
		{"coalitions of two", Rules{MinContributors: 5, PPercent: 10, Coalition: 2}},
		{"coalitions of three, and dominance", Rules{MinContributors: 6, PPercent: 20, Coalition: 3, Dominance: Dominance{1, 80}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(5, uint64(c.rules.PPercent)))
			shown := 0
			for world := range worlds(t) {
				organisations := 6 + rng.IntN(20)
				tab := small(rng, organisations)
				p, err := Protect(c.rules, Cost(world%2), tab)
				if err != nil {
					t.Fatalf("world %d: %v", world, err)
				}
				for _, h := range p.Hidden {
					if !h {
						shown++
					}
				}
				for range 4 {
					who := coalition(rng, c.rules.coalition(), organisations)
					if cell, victim := breached(t, tab, p.Hidden, who, float64(c.rules.PPercent), 20, rng); cell >= 0 {
						t.Errorf("world %d: %v know what %d has in cell %d (hidden: %v)", world, who, victim, cell, p.Hidden[cell])
					}
				}
			}
			if shown < worlds(t) {
				t.Errorf("only %d cells shown, so the test shows nothing", shown)
			}
		})
	}
}

// Each step of the protection is needed: without it, an attack works.
func TestEachStepLeftOutIsBreached(t *testing.T) {
	t.Parallel()
	alone := func(p *protector) []bool { // primary cells only
		for i := range p.hidden {
			p.hidden[i] = p.primary(int32(i))
		}
		return p.hidden
	}
	for _, c := range []struct {
		name  string
		rules Rules
		p     float64
		of    int
		hide  func(*protector) []bool
	}{
		{"nothing hidden", preset, 10, 1, func(p *protector) []bool { return p.hidden }},
		{"no secondary suppression", preset, 10, 1, alone},
		{"no protection levels", Rules{MinContributors: 3, PPercent: 60}, 60, 1, func(p *protector) []bool { return protected(p, true) }},
		{"no minimum", Rules{MinContributors: 2, PPercent: 10}, 10, 2, func(p *protector) []bool { return protected(p, false) }},
		{"no p %", Rules{MinContributors: 5}, 10, 1, func(p *protector) []bool { return protected(p, false) }},
		{"no coalition", Rules{MinContributors: 5, PPercent: 10}, 10, 2, func(p *protector) []bool { return protected(p, false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(6, 6))
			for range 600 {
				organisations := 6 + rng.IntN(10)
				tab := small(rng, organisations)
				p, err := newProtector(c.rules, LeastCells, tab, nil)
				if err != nil {
					t.Fatal(err)
				}
				hidden := c.hide(p)
				if cell, _ := breached(t, tab, hidden, coalition(rng, c.of, organisations), c.p, 40, rng); cell >= 0 {
					return
				}
			}
			t.Error("no attack worked, so the tests of the whole could not fail")
		})
	}
}

// protected hides as Protect does, to a level of one unit if noLevels.
func protected(p *protector, noLevels bool) []bool {
	p.primaries()
	for at := range p.targets {
		if noLevels {
			p.targets[at].level = 1
		}
	}
	if err := p.cover(); err != nil {
		panic(err)
	}
	return p.hidden
}

// Two cells that hide each other's value well enough show their sum if the total of
// all is shown: of 200 in one hand only 18 would remain in doubt.
func TestSumsOfHiddenCellsKeepTheRules(t *testing.T) {
	t.Parallel()
	rules := Rules{MinContributors: 4, PPercent: 10}
	cell := apart(100, 50, 4, 3, 2)
	many := Cell{{5, 5, 100}, {6, 6, 100}, {7, 7, 100}, {8, 8, 100}, {9, 9, 100}}
	tab, err := Complete([]Dimension{branches(6)}, [][2]int32{{1}, {2}, {3}, {4}, {5}, {6}}, []Part{{Cells: []Cell{cell, slices.Clone(cell), many, many, many, many}}})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		unions bool
		want   int32
	}{{false, 6}, {true, -1}} {
		p, err := newProtector(rules, LeastCells, tab, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.primaries()
		for at := range p.targets {
			if err := p.prove(&p.targets[at], true); err != nil {
				t.Fatal(err)
			}
		}
		if c.unions {
			if err := p.cover(); err != nil {
				t.Fatal(err)
			}
		}
		if cell, _ := breached(t, tab, p.hidden, []int32{1}, 10, 200, rng); cell != c.want {
			t.Errorf("unions looked at: %v; breached cell %d, want %d; hidden %v", c.unions, cell, c.want, p.hidden)
		}
	}
}
