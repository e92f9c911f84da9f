package disclosure

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// story is a table whose contributions change from release to release.
type story struct {
	dimensions []Dimension
	leaves     [][2]int32
	cells      []Cell // at the leaves, as they are now
}

func newStory(rng *rand.Rand, organisations int) *story {
	return storyOf(small(rng, organisations))
}

// seriesWorld is the n-th of the random worlds in which a table is released five times, the
// same in each test.
func seriesWorld(n int) (rng *rand.Rand, organisations int, s *story) {
	rng = rand.New(rand.NewPCG(12, uint64(n)))
	organisations = 6 + rng.IntN(14)
	return rng, organisations, newStory(rng, organisations)
}

func storyOf(tab *Table) *story {
	s := &story{dimensions: tab.Dimensions}
	for i := range tab.Nodes {
		if isLeaf(tab, i) {
			s.leaves = append(s.leaves, tab.Nodes[i])
			s.cells = append(s.cells, slices.Clone(tab.Parts[0].Cells[i]))
		}
	}
	return s
}

// change lets some organisations join, leave or correct something: of few at a time
// more often than of many.
func (s *story) change(rng *rand.Rand, organisations int) {
	few := 1 + rng.IntN(2)
	if rng.IntN(3) == 0 {
		few = organisations
	}
	for _, o := range rng.Perm(organisations)[:few] {
		for i := range s.cells {
			at := slices.IndexFunc(s.cells[i], func(c Contribution) bool { return c.Participant == int32(o) })
			s.cells[i] = slices.Clone(s.cells[i])
			switch roll := rng.IntN(6); {
			case at < 0 && roll == 0:
				s.cells[i] = append(s.cells[i], Contribution{int32(o), int32(o), rng.Int64N(2000)})
			case at >= 0 && roll == 1:
				s.cells[i] = slices.Delete(s.cells[i], at, at+1)
			case at >= 0 && roll == 2:
				s.cells[i][at].Value = rng.Int64N(2000)
			}
		}
	}
}

func (s *story) table(t *testing.T) *Table {
	t.Helper()
	tab, err := Complete(s.dimensions, s.leaves, []Part{{Cells: slices.Clone(s.cells)}})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// known is what was released so far.
type known struct {
	tables []*Table
	hidden [][]bool
}

func (k *known) earlier() []Earlier {
	var list []Earlier
	for i, tab := range k.tables {
		list = append(list, Earlier{Parts: tab.Parts, Hidden: [][]bool{k.hidden[i]}})
	}
	return list
}

// release protects a table beside what was released before and counts it among that. It
// is nil if the table is withheld.
func (k *known) release(t *testing.T, rules Rules, cost Cost, tab *Table) *Protection {
	t.Helper()
	p, err := Protect(t.Context(), rules, cost, tab, k.earlier()...)
	if errors.Is(err, ErrInDoubt) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	k.tables, k.hidden = append(k.tables, tab), append(k.hidden, p.Hidden)
	return p
}

// Five releases, between which participants join, leave and correct what they sent:
// whoever has all of them bounds nobody's value.
func TestNoSeriesOfReleasesLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules Rules
	}{
		{"preset", preset},
		{"p of 40, three", Rules{MinContributors: 3, PPercent: 40}},
		{"coalitions of two", Rules{MinContributors: 5, PPercent: 10, Coalition: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			released, withheld, differ := 0, 0, int64(0)
			for world := range worlds(t) {
				rng, organisations, s := seriesWorld(world)
				var k known
				for range 5 {
					if p := k.release(t, c.rules, LeastCells, s.table(t)); p != nil {
						released++
						differ += p.Judgements[0].Count(Difference)
					} else {
						withheld++
					}
					s.change(rng, organisations)
				}
				w := worldOf(t, k.tables...)
				for range 3 {
					who := coalition(rng, c.rules.coalition(), organisations)
					if r, cell, victim := breached(t, w, k.tables, k.hidden, who, float64(c.rules.PPercent), 15, rng); cell >= 0 {
						t.Errorf("world %d: %v know what %d has in cell %d of release %d", world, who, victim, cell, r)
					}
				}
			}
			t.Logf("%d releases, %d withheld, %d values hidden for their difference", released, withheld, differ)
			if released < 2*worlds(t) || differ == 0 {
				t.Errorf("%d releases, %d withheld, %d values hidden for their difference: the test shows little", released, withheld, differ)
			}
		})
	}
}

// Without the ledger of what was released before, the same attack works in the same
// worlds. So it does if the ledger is looked at, but differences are not.
func TestSeriesWithoutALedgerAreBreached(t *testing.T) {
	t.Parallel()
	for name, protect := range map[string]func(tab *Table, k known) ([]bool, error){
		"no ledger": func(tab *Table, _ known) ([]bool, error) {
			p, err := Protect(t.Context(), preset, LeastCells, tab)
			return p.Hidden, err
		},
		"no differences": func(tab *Table, k known) ([]bool, error) {
			p, err := newProtector(preset, LeastCells, tab, k.earlier())
			if err != nil {
				return nil, err
			}
			p.primaries()
			p.formerly()
			return p.hidden, p.cover()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for world := range 1000 {
				rng, organisations, s := seriesWorld(world)
				var k known
				for range 5 {
					tab := s.table(t)
					hidden, err := protect(tab, k)
					switch {
					case errors.Is(err, ErrInDoubt):
					case err != nil:
						t.Fatal(err)
					default:
						k.tables, k.hidden = append(k.tables, tab), append(k.hidden, hidden)
					}
					s.change(rng, organisations)
				}
				if _, cell, _ := breached(t, worldOf(t, k.tables...), k.tables, k.hidden, coalition(rng, 1, organisations), 10, 30, rng); cell >= 0 {
					return
				}
			}
			t.Error("no attack worked, so the test of the whole could not fail")
		})
	}
}

// Up to 1,000 participants, some of one owner, in cells of all sizes.
func TestNoLargeWorldLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules Rules
	}{
		{"preset", preset},
		{"coalitions of two", Rules{MinContributors: 5, PPercent: 10, Coalition: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(14, 14))
			released, withheld, shown := 0, 0, 0
			for world := range worlds(t) / 10 {
				organisations := 50 + rng.IntN(951)
				dimensions := []Dimension{branches(1+rng.IntN(3), 1+rng.IntN(3)), branches(1 + rng.IntN(4))}[:1+rng.IntN(2)]
				tab := filled(rng, organisations, 100, 3+rng.IntN(organisations), dimensions...)
				s := storyOf(tab)
				var k known
				for range 5 {
					if p := k.release(t, c.rules, LeastValue, s.table(t)); p != nil {
						released++
						shown += int(p.Judgements[0].Count(Release))
					} else {
						withheld++
					}
					s.change(rng, organisations)
				}
				w := worldOf(t, k.tables...)
				for range 2 {
					who := coalition(rng, c.rules.coalition(), organisations)
					if r, cell, victim := breached(t, w, k.tables, k.hidden, who, 10, 5, rng); cell >= 0 {
						t.Errorf("world %d: %v know what %d has in cell %d of release %d", world, who, victim, cell, r)
					}
				}
			}
			t.Logf("%d releases of %d values, %d withheld", released, shown, withheld)
			if released < worlds(t)/10 || shown == 0 {
				t.Errorf("%d releases of %d values: the test shows little", released, shown)
			}
		})
	}
}

// from renumbers the participants of a cell.
func (c Cell) from(first int32) Cell {
	for i := range c {
		c[i].Participant = first + int32(i)
	}
	return c
}

// A cell with contributors that have nothing, in which nobody changed anything, is shown
// again.
func TestZerosThatStayAreNoDifference(t *testing.T) {
	t.Parallel()
	cell := apart(0, 17, 18, 16, 0, 20)
	if got, _, err := Differs(strict(5, 10, 2, 85), 0, []Cell{cell}, cell); err != nil || got != Release {
		t.Errorf("the same once more: %v, %v, want release", got, err)
	}
	if got, _, err := Differs(strict(5, 10, 2, 85), 0, []Cell{cell, cell}, append(cell, apart(0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9)[6:]...)); err != nil || got != Release {
		t.Errorf("with six more: %v, %v, want release", got, err)
	}
}

// Cells that stand alone are compared one by one.
func TestDifferencesOfSingleCells(t *testing.T) {
	t.Parallel()
	old := apart(10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
	with := func(change func(Cell) Cell) Cell { return change(slices.Clone(old)) }
	for _, c := range []struct {
		name string
		now  Cell
		want Verdict
	}{
		{"nothing changed", with(func(c Cell) Cell { slices.Reverse(c); return c }), Release},
		{"one joined", with(func(c Cell) Cell { return append(c, Contribution{77, 77, 5}) }), Difference},
		{"one joined that has nothing", with(func(c Cell) Cell { return append(c, Contribution{77, 77, 0}) }), Difference},
		{"six joined that have nothing", with(func(c Cell) Cell { return append(c, owned(77, 0, 78, 0, 79, 0, 80, 0, 81, 0, 82, 0).from(77)...) }), Difference},
		{"one left", with(func(c Cell) Cell { return c[1:] }), Difference},
		{"four corrected", with(func(c Cell) Cell {
			for i := range 4 {
				c[i].Value += 10
			}
			return c
		}), Difference},
		{"six corrected alike", with(func(c Cell) Cell {
			for i := range 6 {
				c[i].Value += 10
			}
			return c
		}), Release},
		{"six corrected, one by nearly all of it", with(func(c Cell) Cell {
			for i := range 6 {
				c[i].Value++
			}
			c[0].Value += 1000
			return c
		}), Difference},
	} {
		if got, _, err := Differs(preset, 0, []Cell{old}, c.now); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// What an earlier release tells of a cell that is hidden: at least what is in both, and
// no more than was there if nobody has joined.
func TestIntervalsBesideAnEarlierRelease(t *testing.T) {
	t.Parallel()
	all := owned(0, 30, 1, 40, 2, 50, 3, 60, 4, 70, 5, 80).from(0)
	for _, c := range []struct {
		name         string
		before, now  Cell
		below, above float64
	}{
		{"one joined", all[:5], all, 80, math.Inf(1)}, // others with what it has, or nothing
		{"one left", all, all[:5], 180, 80},           // what one attacker has at most stays, and what has left could be in it
	} {
		v, list, err := Differs(preset, 0, []Cell{c.before}, c.now)
		if err != nil || v != Difference || len(list) != 1 {
			t.Fatalf("%s: %v, %v, %v", c.name, v, list, err)
		}
		if in := list[0]; math.Abs(in.Below-c.below) > 1e-6 || in.Above != c.above && math.Abs(in.Above-c.above) > 1e-6 {
			t.Errorf("%s: %v below and %v above, want %v and %v", c.name, in.Below, in.Above, c.below, c.above)
		}
	}
}

// The same for cells that no totals connect, which each recipient is shown by itself.
func TestNoSeriesOfSingleCellsLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(14, 14))
	shown, hidden := 0, 0
	for world := range 10 * worlds(t) {
		organisations := 6 + rng.IntN(10)
		s := &story{dimensions: []Dimension{{Parent: []int32{Top}}}, leaves: make([][2]int32, 1), cells: []Cell{nil}}
		for o := range organisations {
			if rng.IntN(4) > 0 {
				s.cells[0] = append(s.cells[0], Contribution{int32(o), int32(o), rng.Int64N(2000)})
			}
		}
		who := int32(rng.IntN(organisations))
		var k known
		var before []Cell
		for range 5 {
			tab := s.table(t)
			cell := tab.Parts[0].Cells[0]
			j, err := Judge(preset, 0, []Cell{cell})
			if err != nil {
				t.Fatal(err)
			}
			v, _, err := Differs(preset, 0, before, cell)
			if err != nil {
				t.Fatal(err)
			}
			if !v.Released() {
				j.Hide(0, v)
			}
			sees := false
			for at, c := range cell {
				sees = sees || c.Organisation == who && j.Cells[0].Verdicts[at].Released()
			}
			if sees {
				shown++
			} else {
				hidden++
			}
			k.tables, k.hidden = append(k.tables, tab), append(k.hidden, []bool{!sees})
			before = append(before, slices.Clone(cell)) // as if it had been shown to everybody
			s.change(rng, organisations)
		}
		if r, _, victim := breached(t, worldOf(t, k.tables...), k.tables, k.hidden, []int32{who}, 10, 10, rng); r >= 0 {
			t.Errorf("world %d: %d knows what %d has in release %d", world, who, victim, r)
		}
	}
	if shown < hidden/10 {
		t.Errorf("%d shown, %d hidden: the test shows little", shown, hidden)
	}
}

// made are so many contributions of one value, of organisations from first on.
func made(first, n int, value int64) Cell {
	cell := make(Cell, n)
	for i := range cell {
		cell[i] = Contribution{int32(first + i), int32(first + i), value}
	}
	return cell
}

// What follows from several releases together is judged, not only what follows from two.
func TestWhatFollowsFromSeveralReleases(t *testing.T) {
	t.Parallel()
	a, y1, y2, v := made(0, 1, 100), made(10, 10, 100), made(30, 10, 100), made(50, 1, 137)
	b, v2, w := made(60, 10, 100), made(51, 1, 100), made(80, 10, 100)
	for name, c := range map[string]struct {
		before []Cell
		now    Cell
	}{
		"a knows v":      {[]Cell{slices.Concat(a, y1), slices.Concat(a, y2)}, slices.Concat(a, y1, y2, v)},
		"v knows v2":     {[]Cell{b, slices.Concat(b, y1), slices.Concat(b, y2), slices.Concat(b, v, w)}, slices.Concat(b, y1, y2, v, v2)},
		"five had a row": {[]Cell{made(0, 10, 50)}, append(made(0, 10, 50), made(20, 5, 1)...)},
	} {
		if got, _, err := Differs(preset, 1, c.before, c.now); err != nil || got != Difference {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
