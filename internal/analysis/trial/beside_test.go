package trial_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure/attack"
	"tributary/internal/query"
)

// kinds are measures that tell the sum of x, each participant having one row in a cell.
var kinds = []string{
	"{name: A, function: sum, column: x, decimals: 0}",
	"{name: B, function: mean, column: x, decimals: 6}",
	"{name: C, function: mean, own: mean, column: x, decimals: 6}",
	"{name: D, function: sum, column: twice, decimals: 0}",
}

// several makes up analyses of one column that divide its rows alike.
func several(t *testing.T, rng *rand.Rand) []*definition.Definition {
	t.Helper()
	totals := []string{"", "totals: [[region]]\n"}[rng.IntN(2)]
	var list []*definition.Definition
	for n := range 2 + rng.IntN(2) {
		kind := kinds[rng.IntN(len(kinds))]
		if rng.IntN(2) == 0 {
			kind = kinds[0]
		}
		if totals != "" && strings.Contains(kind, "own: mean") {
			kind = kinds[1]
		}
		text := fmt.Sprintf("analysis: a%d\ndatasets: [d]\ngroups: [region]\n%sderived: [{name: twice, expression: x * 2}]\nmeasures: [%s]\n", n, totals, kind)
		if !strings.Contains(kind, "twice") {
			text = strings.Replace(text, "derived: [{name: twice, expression: x * 2}]\n", "", 1)
		}
		if rng.IntN(2) == 0 {
			text += "rules: {min_contributors: 3, p_percent: 10, dominance: off}\n"
		}
		d, err := definition.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// person is a participant: what it has in each cell, and which analyses it takes part in.
type person struct {
	values map[int]int64
	takes  []bool
}

func persons(rng *rand.Rand, cells, analyses int) []person {
	list := make([]person, 7+rng.IntN(8))
	for n := range list {
		p := person{values: map[int]int64{}}
		for c := range cells {
			if rng.IntN(5) > 0 {
				p.values[c] = 100 + rng.Int64N(100)
			}
		}
		for range analyses {
			p.takes = append(p.takes, rng.IntN(8) > 0)
		}
		list[n] = p
	}
	return list
}

// change has a few persons correct what they sent, or leave or join an analysis.
func change(rng *rand.Rand, list []person, cells int) {
	for range rng.IntN(3) {
		p := &list[rng.IntN(len(list))]
		switch rng.IntN(3) {
		case 0:
			a := rng.IntN(len(p.takes))
			p.takes[a] = !p.takes[a]
		default:
			p.values[rng.IntN(cells)] = 100 + rng.Int64N(100)
		}
	}
}

// contributors are the persons that take part in an analysis, as it reads them.
func contributors(t *analysis.Trial, list []person, a int) []analysis.Contributor {
	var all []analysis.Contributor
	for n, p := range list {
		if !p.takes[a] {
			continue
		}
		c := analysis.Contributor{Name: fmt.Sprintf("p%02d", n), Organisation: fmt.Sprintf("o%02d", n)}
		for cell, v := range p.values {
			r := query.Row{Key: []query.Value{{Type: query.Text, Text: fmt.Sprintf("r%02d", cell)}}, Count: 1}
			for _, part := range t.Parts() {
				fixed := v
				if strings.HasPrefix(part.Column, "\n") {
					fixed = 2 * v
				}
				for range part.Scale {
					fixed *= 10
				}
				r.Values = append(r.Values, query.Number{Present: true, Fixed: fixed})
			}
			c.Rows = append(c.Rows, r)
		}
		all = append(all, c)
	}
	return all
}

// given is what an attacker works with of a series of releases: the values at each cell,
// the last of them the total, and which cells were shown to anybody.
type given struct {
	releases []attack.Release
	shown    [][]bool
}

func (g *given) add(list []person, a, cells int, tried *analysis.Tried) {
	var r attack.Release
	for cell := range cells {
		var values []attack.Value
		for n, p := range list {
			if v, has := p.values[cell]; has && p.takes[a] {
				values = append(values, attack.Value{Participant: int32(n), Organisation: int32(n), Value: v})
			}
		}
		r.Leaves = append(r.Leaves, values)
	}
	shown := make([]bool, cells+1)
	for cell, key := range tried.Keys {
		at := cells
		if !key[0].Null {
			fmt.Sscanf(key[0].Text, "r%d", &at)
		}
		shown[at] = len(tried.Shown(tried.Measures[0], cell)) > 0
	}
	g.releases, g.shown = append(g.releases, r), append(g.shown, shown)
}

// breach looks for somebody whose value a participant bounds to within 10 %.
func (g *given) breach(t *testing.T, cells int) string {
	t.Helper()
	if len(g.releases) == 0 {
		return ""
	}
	sums := make([][]int32, cells+1)
	for cell := range cells {
		sums[cell], sums[cells] = []int32{int32(cell)}, append(sums[cells], int32(cell))
	}
	w, err := attack.New(sums, g.releases...)
	if err != nil {
		t.Fatal(err)
	}
	shown := func(release, cell int) bool { return g.shown[release][cell] }
	for release, r := range g.releases {
		for cell := range cells {
			for _, victim := range r.Leaves[cell] {
				by := r.Leaves[cell][(slices.Index(r.Leaves[cell], victim)+1)%len(r.Leaves[cell])].Organisation
				if by == victim.Organisation {
					by = (by + 1) % 7
				}
				b, err := w.Bound([]int32{by}, shown, attack.Asked{Release: release, Cell: cell, Victim: victim.Organisation})
				if err != nil {
					t.Fatal(err)
				}
				if b.Within(10) {
					return fmt.Sprintf("release %d, cell %d: %d knows that %d, which has %d, has at most %v", release, cell, by, victim.Organisation, victim.Value, b.Most)
				}
			}
		}
	}
	return ""
}

// Several analyses of one column, by changing participants that correct what they sent:
// whoever has all that they release bounds nobody's value.
func TestNoSeveralAnalysesLetAValueBeBounded(t *testing.T) {
	t.Parallel()
	worlds := 40
	if os.Getenv("TRIBUTARY_TORTURE") != "" {
		worlds = 1000
	}
	released, withheld, careless := 0, 0, 0
	for world := range worlds {
		rng := rand.New(rand.NewPCG(uint64(world), 6))
		defs, cells := several(t, rng), 1+rng.IntN(4)
		first := analysis.NewTrial(defs[0], map[string]definition.Columns{"d": {{Name: "region", Type: definition.Text}, {Name: "x", Type: definition.Integer, Required: true}}})
		list := persons(rng, cells, len(defs))
		var together, apart given
		for range 6 {
			a := rng.IntN(len(defs))
			trial := first.Beside(defs[a])
			who := contributors(trial, list, a)
			if len(who) == 0 {
				continue
			}
			tried, err := trial.Release(who)
			if err != nil {
				t.Fatal(err)
			}
			if tried.Withheld == "" {
				released++
				together.add(list, a, cells, tried)
			} else {
				withheld++
			}
			alone := analysis.NewTrial(defs[a], map[string]definition.Columns{"d": {{Name: "region", Type: definition.Text}, {Name: "x", Type: definition.Integer, Required: true}}})
			if tried, err = alone.Release(who); err != nil {
				t.Fatal(err)
			}
			if tried.Withheld == "" {
				apart.add(list, a, cells, tried)
			}
			change(rng, list, cells)
		}
		if found := together.breach(t, cells); found != "" {
			t.Errorf("world %d: %s", world, found)
		}
		if apart.breach(t, cells) != "" {
			careless++
		}
	}
	t.Logf("%d releases, %d withheld; without the ledger %d of %d worlds are breached", released, withheld, careless, worlds)
	if released < worlds || careless < worlds/4 {
		t.Errorf("%d releases, and without the ledger %d of %d worlds are breached: the test shows little", released, careless, worlds)
	}
}
