package disclosure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The bound of Spread, by the definition of a variance: whoever knows the sum and the
// sum of squares of the others' values cannot tell the largest from p % more.
func TestAVarianceTellsNoValue(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 11))
	shown, hidden, needed := 0, 0, 0
	for range 2000 {
		cell := make(Cell, 5+rng.IntN(20))
		width := 1 + rng.Int64N(2000)
		for i := range cell {
			cell[i] = Contribution{int32(i), int32(i), 1000 + rng.Int64N(width)}
		}
		j, err := Judge(preset, 0, []Cell{cell})
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(j.Cells[0].Verdicts)
		if err := Spread(preset, []Cell{cell}, j); err != nil {
			t.Fatal(err)
		}
		for r, v := range j.Cells[0].Verdicts {
			var sum, squares, n, most float64
			least := math.Inf(1)
			for i, c := range cell {
				if i != r {
					x := float64(c.Value)
					sum, squares, n, most, least = sum+x, squares+x*x, n+1, max(most, x), min(least, x)
				}
			}
			far := math.Sqrt((n-1)*(n*squares-sum*sum)) / n
			safe := sum/n+far >= 1.1*most && sum/n-far <= 0.9*least
			if v.Released() != safe {
				t.Fatalf("%v for %d: %v, want shown %v", cell, r, v, safe)
			}
			if safe {
				shown++
			} else {
				hidden++
				if before[r].Released() {
					needed++ // with Spread switched off it would be known
				}
			}
		}
	}
	if shown < 1000 || hidden < 1000 || needed < 1000 {
		t.Errorf("%d shown, %d hidden, %d of them by nothing else, so the test shows little", shown, hidden, needed)
	}
	same := apart(10, 10, 10, 10, 10, 10)
	j, err := Judge(preset, 0, []Cell{same})
	if err != nil || Spread(preset, []Cell{same}, j) != nil || j.Count(Close) != 6 {
		t.Errorf("equal values: %v, %v", j.Cells, err)
	}
}

// A quantile that were one value, or the mean of neighbours that nobody judged, would
// tell what somebody has; one that was judged does not.
func TestAQuantileTellsNoValue(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(15, 15))
	unjudged := preset
	unjudged.PPercent, unjudged.MinContributors = 0, FewestContributors
	for _, c := range []struct {
		name   string
		window int
		rules  Rules
		breach bool
	}{
		{"as it is", preset.Window(), preset, false},
		{"of one value", 1, unjudged, true},
		{"not judged", preset.Window(), unjudged, true},
	} {
		found, shown := 0, 0
		for range 3000 {
			cell := make(Cell, 10+rng.IntN(20))
			for i := range cell {
				cell[i] = Contribution{int32(i), int32(i), rng.Int64N(1000) << rng.IntN(12)}
			}
			s := newSpread(c.rules, cell)
			at := (50*len(cell)+50)/100 - 1 - c.window/2
			out, released := Outcome{Sum: s.sorted[at].Value}, true
			if c.window > 1 {
				inner := c.rules
				inner.MinContributors, inner.Dominance = FewestContributors, Dominance{}
				verdict, err := s.quantile(50, c.window, inner, 0, &out)
				if err != nil {
					t.Fatal(err)
				}
				released = verdict(0).Released()
			}
			if !released {
				continue
			}
			shown++
			in := s.sorted[at : at+c.window]
			for _, victim := range in {
				for _, attacker := range cell {
					bound := out.Sum
					if slices.Contains(in, attacker) {
						bound -= attacker.Value
					}
					if attacker != victim && 10*bound < 11*victim.Value {
						found++
					}
				}
			}
		}
		if (found > 0) != c.breach || shown < 100 {
			t.Errorf("%s: %d breaches of %d shown, want any: %v", c.name, found, shown, c.breach)
		}
	}
}
