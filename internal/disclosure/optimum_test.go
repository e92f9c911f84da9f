package disclosure

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Of small tables the best that can be hidden is known, by trying all sets of cells: the
// heuristic must come close.
func TestLittleMoreIsHiddenThanNeedBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		cost   Cost
		others int // cells that could be hidden, at most
	}{{"cells", LeastCells, 16}, {"value", LeastValue, 11}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(8, 8))
			var best, found, all int64
			tables, met := 0, 0
			for tables < worlds(t) {
				tab := filled(rng, 15, 90, 12, branches(2+rng.IntN(2)), branches(2+rng.IntN(2)))
				p, err := Protect(t.Context(), preset, c.cost, tab)
				if err != nil {
					t.Fatal(err)
				}
				q, err := newProtector(preset, c.cost, tab, nil)
				if err != nil {
					t.Fatal(err)
				}
				q.primaries()
				price := func(cell int) int64 {
					if c.cost == LeastCells {
						return 1
					}
					return q.views[0].outcome[0][cell].Sum
				}
				var others []int32
				var hidden, total int64
				primaries := 0
				for i, h := range q.hidden {
					total += price(i)
					switch {
					case h:
						primaries++
						continue
					case p.Hidden[i]:
						hidden += price(i)
					}
					others = append(others, int32(i))
				}
				if primaries == 0 || primaries > 4 || len(others) > c.others {
					continue
				}
				least := cheapest(t, q, others, price, hidden)
				tables++
				best, found, all = best+least, found+hidden, all+total
				if least == hidden {
					met++
				}
			}
			t.Logf("%d tables: of %s, %d of %d hidden for others where %d is the least that can be (%.1f %% and %.1f %%); as good as can be in %d tables",
				tables, c.name, found, all, best, 100*float64(found)/float64(all), 100*float64(best)/float64(all), met)
			if found*10 > best*14 {
				t.Errorf("%d hidden for others, where %d would do", found, best)
			}
		})
	}
}

// cheapest is the least that hiding cells besides the primary ones costs, or most if
// nothing less will do.
func cheapest(t *testing.T, q *protector, others []int32, price func(int) int64, most int64) int64 {
	t.Helper()
	type choice struct {
		cells uint
		cost  int64
	}
	var choices []choice
	for cells := range uint(1) << len(others) {
		c := choice{cells: cells}
		for i, cell := range others {
			if cells>>i&1 == 1 {
				c.cost += price(int(cell))
			}
		}
		if c.cost < most {
			choices = append(choices, c)
		}
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(a.cost, b.cost) })
	for _, c := range choices {
		for i, cell := range others {
			q.hidden[cell] = c.cells>>i&1 == 1
		}
		if holds(t, q) {
			return c.cost
		}
	}
	return most
}

// holds reports whether what is hidden protects every primary cell and sum: by
// linear programs, so whatever a witness might be found for.
func holds(t *testing.T, q *protector) bool {
	t.Helper()
	targets := slices.Clone(q.targets)
	for i := range q.Nodes {
		for d := range q.Dimensions {
			if q.hidden[i] {
				continue
			}
			list, err := q.unions(relation{0, 0, int32(i), d})
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, list...)
		}
	}
	var hidden []int32
	for i, h := range q.hidden {
		if h {
			hidden = append(hidden, int32(i))
		}
	}
	for _, target := range targets {
		enough := false
		for _, cell := range target.cells {
			far, err := q.reach(0, hidden, cell, 1)
			if err != nil {
				t.Fatal(err)
			}
			enough = enough || far >= float64(target.level)-1e-6*float64(target.level)-1e-6
		}
		if !enough {
			return false
		}
	}
	return true
}
