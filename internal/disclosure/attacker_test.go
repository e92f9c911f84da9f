package disclosure

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"tributary/internal/disclosure/attack"
)

// The attacker of these tests is package attack, which knows nothing of witnesses.

// worldOf is what an attacker works with: of each cell the leaves that it is the sum of,
// and what was at them in each release. Tables are of the same places.
func worldOf(t *testing.T, tables ...*Table) *attack.World {
	t.Helper()
	tab := tables[0]
	var leaves []int32
	for i := range tab.Nodes {
		if isLeaf(tab, i) {
			leaves = append(leaves, int32(i))
		}
	}
	cells := make([][]int32, len(tab.Nodes))
	for n, leaf := range leaves {
		for i, node := range tab.Nodes {
			if within(tab.Dimensions, tab.Nodes[leaf], node) {
				cells[i] = append(cells[i], int32(n))
			}
		}
	}
	var releases []attack.Release
	for _, tab := range tables {
		var r attack.Release
		for _, leaf := range leaves {
			var values []attack.Value
			for _, c := range tab.Parts[0].Cells[leaf] {
				values = append(values, attack.Value(c))
			}
			r.Leaves = append(r.Leaves, values)
		}
		releases = append(releases, r)
	}
	w, err := attack.New(cells, releases...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// within reports whether a place is at or below another in each dimension.
func within(dimensions []Dimension, n, of [2]int32) bool {
	for d, dimension := range dimensions {
		for n[d] != of[d] {
			if n[d] = dimension.Parent[n[d]]; n[d] == Top {
				return false
			}
		}
	}
	return true
}

// breached lets a coalition attack all that was shown, random victims' values in random
// cells, and every other time those so many who have the most in a cell attack the one who
// has most. It returns a release, a cell and the victim whose value there it bounds to
// within p per cent from above, or -1.
func breached(t *testing.T, w *attack.World, tables []*Table, hidden [][]bool, coalition []int32, p float64, tries int, rng *rand.Rand) (release, cell int, victim int32) {
	t.Helper()
	shown := func(release, cell int) bool { return !hidden[release][cell] }
	for try := range tries {
		release, cell = rng.IntN(len(tables)), rng.IntN(len(hidden[0]))
		who := tables[release].Parts[0].Cells[cell]
		if len(who) == 0 {
			continue
		}
		by := coalition
		victim = who[rng.IntN(len(who))].Organisation
		if try%2 == 1 {
			most, _ := w.Contributors(release, cell)
			victim, by = most[0], most[1:min(len(most), 1+len(coalition))]
		}
		if slices.Contains(by, victim) {
			continue
		}
		b, err := w.Bound(by, shown, attack.Asked{Release: release, Cell: cell, Victim: victim})
		if err != nil {
			t.Fatal(err)
		}
		if b.Within(p) {
			t.Logf("release %d, cell %d (hidden %v): %v bounded by %v, by %v", release, cell, hidden[release][cell], b.Value, b.Most, by)
			return release, cell, victim
		}
	}
	return -1, -1, -1
}

// breachedTable is breached of one table.
func breachedTable(t *testing.T, tab *Table, hidden []bool, coalition []int32, p float64, tries int, rng *rand.Rand) (cell int, victim int32) {
	t.Helper()
	_, cell, victim = breached(t, worldOf(t, tab), []*Table{tab}, [][]bool{hidden}, coalition, p, tries, rng)
	return cell, victim
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

// tableWorld is the n-th of the random worlds that are attacked: a table of so many
// organisations, the same in each test.
func tableWorld(n int) (rng *rand.Rand, organisations int, tab *Table) {
	rng = rand.New(rand.NewPCG(5, uint64(n)))
	organisations = 6 + rng.IntN(20)
	return rng, organisations, small(rng, organisations)
}

// worlds is how many random worlds are attacked: 40, and 1,000 in make torture.
func worlds(t *testing.T) int {
	t.Helper()
	if os.Getenv("TRIBUTARY_TORTURE") != "" {
		return 1000
	}
	return 40
}

// Somebody who knows of every value that it is half as large at least has half of each
// to find out. To know a value to within 10 % is to know that half to within 20 %.
var priors = Rules{MinContributors: 5, PPercent: 10, QPercent: 50}

// If nobody has more than 80 % of what one recipient has before it, the rest is 25 % of
// the largest at least.
var oneHand = Rules{MinContributors: 4, PPercent: 1, Dominance: Dominance{1, 80}}

func TestNoTableLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules Rules
		p     float64
	}{
		{"preset", preset, 10},
		{"p of 60", Rules{MinContributors: 4, PPercent: 60}, 60},
		{"coalitions of two", Rules{MinContributors: 5, PPercent: 10, Coalition: 2}, 10},
		{"coalitions of three, and dominance", Rules{MinContributors: 6, PPercent: 20, Coalition: 3, Dominance: Dominance{1, 80}}, 20},
		{"who knows half of each value beforehand", priors, 20},
		{"dominance", oneHand, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shown := 0
			for world := range worlds(t) {
				rng, organisations, tab := tableWorld(world)
				p, err := Protect(t.Context(), c.rules, Cost(world%2), tab)
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
					if cell, victim := breachedTable(t, tab, p.Hidden, who, c.p, 20, rng); cell >= 0 {
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

// Each rule and each step of the protection is needed: without it, an attack works in the
// same worlds.
func TestEachStepLeftOutIsBreached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules Rules
		p     float64
		of    int
		hide  func(*protector) []bool
	}{
		{"nothing hidden", preset, 10, 1, func(p *protector) []bool { return p.hidden }},
		{"no secondary suppression", preset, 10, 1, func(p *protector) []bool {
			for i := range p.hidden {
				p.hidden[i] = p.primary(int32(i))
			}
			return p.hidden
		}},
		{"no protection levels", Rules{MinContributors: 3, PPercent: 60}, 60, 1, func(p *protector) []bool { return protected(p, true) }},
		{"no minimum", Rules{MinContributors: 2, PPercent: 10}, 10, 2, func(p *protector) []bool { return protected(p, false) }},
		{"no prior knowledge", Rules{MinContributors: 5, PPercent: 10}, 20, 1, func(p *protector) []bool { return protected(p, false) }},
		{"no dominance", Rules{MinContributors: 4, PPercent: 1}, 24, 1, func(p *protector) []bool { return protected(p, false) }},
		{"no p %", Rules{MinContributors: 5}, 10, 1, func(p *protector) []bool { return protected(p, false) }},
		{"no coalition", Rules{MinContributors: 5, PPercent: 10}, 10, 2, func(p *protector) []bool { return protected(p, false) }},
		{noOrganisations, Rules{MinContributors: 5, PPercent: 10}, 10, 1, func(p *protector) []bool { return protected(p, false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for world := range 1000 {
				rng, organisations, tab := tableWorld(world)
				seen := tab
				if c.name == noOrganisations {
					seen = ungrouped(tab)
				}
				p, err := newProtector(c.rules, LeastCells, seen, nil)
				if err != nil {
					t.Fatal(err)
				}
				hidden := c.hide(p)
				if cell, _ := breachedTable(t, tab, hidden, coalition(rng, c.of, organisations), c.p, 40, rng); cell >= 0 {
					return
				}
			}
			t.Error("no attack worked, so the tests of the whole could not fail")
		})
	}
}

const noOrganisations = "no organisations"

// ungrouped is a table in which each participant is an organisation of its own.
func ungrouped(t *Table) *Table {
	u := *t
	u.Parts = slices.Clone(t.Parts)
	for i := range u.Parts {
		cells := make([]Cell, len(t.Parts[i].Cells))
		for at, cell := range t.Parts[i].Cells {
			cells[at] = alone(cell)
		}
		u.Parts[i].Cells = cells
	}
	return &u
}

// protected hides as Protect does; if noLevels, to a level of one unit, and without
// looking at sums of hidden cells, which have levels of their own.
func protected(p *protector, noLevels bool) []bool {
	p.primaries()
	for at := range p.targets {
		if noLevels {
			p.targets[at].level = 1
			if err := p.prove(&p.targets[at], true); err != nil {
				panic(err)
			}
		}
	}
	if !noLevels {
		if err := p.cover(); err != nil {
			panic(err)
		}
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
		want   int
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
		if cell, _ := breachedTable(t, tab, p.hidden, []int32{1}, 10, 200, rng); cell != c.want {
			t.Errorf("unions looked at: %v; breached cell %d, want %d; hidden %v", c.unions, cell, c.want, p.hidden)
		}
	}
}

// Hidden totals below a shown one do not stand between: what is shown below them can be
// taken off.
func TestSumsThroughHiddenTotalsKeepTheRules(t *testing.T) {
	t.Parallel()
	rules := Rules{MinContributors: 4, PPercent: 10}
	one, many := apart(100, 50, 4, 3, 2), made(10, 20, 100)
	tab, err := Complete([]Dimension{branches(2, 2)}, [][2]int32{{3}, {4}, {5}, {6}}, []Part{{Cells: []Cell{one, many, slices.Clone(one), slices.Clone(many)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cost := range []Cost{LeastCells, LeastValue} {
		p, err := Protect(t.Context(), rules, cost, tab)
		if err != nil {
			t.Fatal(err)
		}
		if cell, victim := breachedTable(t, tab, p.Hidden, []int32{1}, 10, 300, rand.New(rand.NewPCG(1, 2))); cell >= 0 {
			t.Errorf("cost %d: 1 knows what %d has at %v; hidden %v", cost, victim, tab.Nodes[cell], p.Hidden)
		}
	}
}
