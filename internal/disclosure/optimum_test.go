package disclosure

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Of small tables the fewest cells that protect are known, by trying all sets of
// them: the heuristic must come close.
func TestLittleMoreIsHiddenThanNeedBe(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 8))
	best, found, tables, met := 0, 0, 0, 0
	for tables < worlds(t) {
		tab := filled(rng, 15, 90, 12, branches(2+rng.IntN(2)), branches(2+rng.IntN(2)))
		p, err := Protect(preset, LeastCells, tab)
		if err != nil {
			t.Fatal(err)
		}
		q, err := newProtector(preset, LeastCells, tab, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.primaries()
		var others []int32
		primaries := 0
		for i, h := range q.hidden {
			if h {
				primaries++
			} else {
				others = append(others, int32(i))
			}
		}
		if primaries == 0 || primaries > 4 || len(others) > 16 {
			continue
		}
		hidden := 0
		for _, h := range p.Hidden {
			if h {
				hidden++
			}
		}
		least := fewest(t, q, others, hidden-primaries)
		tables++
		best, found = best+least, found+hidden-primaries
		if least == hidden-primaries {
			met++
		}
	}
	t.Logf("%d tables: %d cells hidden for others, %d is the least that can be; as good as can be in %d tables", tables, found, best, met)
	if found*10 > best*12 {
		t.Errorf("%d cells hidden for others, where %d would do", found, best)
	}
}

// fewest is the least number of cells to hide besides the primary ones.
func fewest(t *testing.T, q *protector, others []int32, most int) int {
	t.Helper()
	var choose func(from, left int) bool
	choose = func(from, left int) bool {
		if left == 0 {
			return holds(t, q)
		}
		for i := from; i+left <= len(others); i++ {
			q.hidden[others[i]] = true
			if choose(i+1, left-1) {
				q.hidden[others[i]] = false
				return true
			}
			q.hidden[others[i]] = false
		}
		return false
	}
	for n := range most {
		if choose(0, n) {
			return n
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
			list, err := q.unions(relation{0, int32(i), d}, 0)
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
