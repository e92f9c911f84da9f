package disclosure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tributary/internal/disclosure/attack"
)

// shapedWorld is the n-th of the cells of which sums, variances and quantiles are shown,
// the same in each test: values that lie close, or far apart, or are all alike but for one,
// and nearly all are one owner's in some.
func shapedWorld(n int) (*rand.Rand, Cell) {
	rng := rand.New(rand.NewPCG(51, uint64(n)))
	cell := make(Cell, 11+rng.IntN(40))
	width, alike := 1+rng.Int64N(3000), rng.Int64N(1000)
	kind := rng.IntN(6)
	owner := rng.IntN(3)
	for i := range cell {
		c := Contribution{int32(i), int32(i), 1000 + rng.Int64N(width)}
		switch kind {
		case 0:
			c.Value = alike
		case 1:
			c.Value = rng.Int64N(1000) << rng.IntN(12)
		case 2:
			c.Value = alike + rng.Int64N(1+alike/20)
		case 3:
			c.Value = 1 << rng.IntN(40)
		}
		switch {
		case owner == 1 && i%5 == 4:
			c.Organisation--
		case owner == 2 && i < len(cell)-11:
			c.Organisation = 0
		}
		cell[i] = c
	}
	if kind < 3 && rng.IntN(2) == 0 {
		cell[rng.IntN(len(cell))].Value = alike * (2 + rng.Int64N(60))
	}
	return rng, cell
}

// switches are the rules that can be off.
type switches struct{ together, spread, organisations, sides, windows bool }

// judgedShape is what of a cell may be shown to whom.
func judgedShape(t *testing.T, rules Rules, cell Cell, quantiles []int, off switches) (sum, variance *Judgement, orders []Order) {
	t.Helper()
	seen, inner := []Cell{cell}, rules
	if off.organisations {
		seen[0] = alone(cell)
	}
	must := func(j *Judgement, err error) *Judgement {
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	sum, variance = must(Judge(rules, 0, seen)), must(Judge(rules, 0, seen))
	if !off.spread {
		must(nil, Spread(rules, seen, variance))
	}
	if off.windows {
		inner.PPercent = 0
	}
	for _, q := range quantiles {
		if off.sides {
			orders = append(orders, Order{q, must(Quantile(inner, 0, q, []Cell{alone(cell)}))})
		} else {
			orders = append(orders, Order{q, must(Quantile(inner, 0, q, seen))})
		}
	}
	if !off.together {
		must(nil, Together(rules, 0, seen, func(_, at int) (bool, bool) {
			return sum.Cells[0].Verdicts[at].Released(), variance.Cells[0].Verdicts[at].Released()
		}, orders))
	}
	return sum, variance, orders
}

// shapesBreached attacks what may be shown of a cell, and counts what is shown.
func shapesBreached(t *testing.T, rules Rules, cell Cell, rng *rand.Rand, off switches) (breach string, variances, quantiles int) {
	t.Helper()
	var asked []int
	for _, q := range []int{30, 50, 70} {
		if rng.IntN(2) == 0 {
			asked = append(asked, q)
		}
	}
	sums, squares := rng.IntN(4) > 0, rng.IntN(2) == 0
	sum, variance, orders := judgedShape(t, rules, cell, asked, off)
	sees := func(j *Judgement, by []int32) bool {
		for at, c := range cell {
			if slices.Contains(by, c.Organisation) && j.Cells[0].Verdicts[at].Released() {
				return true
			}
		}
		return false
	}
	s := newSpread(rules, cell)
	var values []attack.Value
	for _, c := range cell {
		values = append(values, attack.Value(c))
	}
	p := float64(rules.PPercent)
	recipients := s.order
	if len(recipients) > 10 {
		recipients = append(slices.Clone(s.order[:5]), s.order[len(s.order)-5:]...)
	}
	for _, r := range recipients {
		for n := range rules.coalition() {
			by := s.with(r, n, s.order)
			low := slices.Clone(s.order)
			slices.Reverse(low)
			by = s.with(r, rules.coalition()-1, append(by[1:], low...))
			shape := attack.Shape{Values: values, Sum: sums && sees(sum, by), Variance: squares && sees(variance, by)}
			for _, o := range orders {
				if sees(o.Judgement, by) {
					from, to := rules.Around(o.Quantile, len(cell))
					shape.Windows = append(shape.Windows, attack.Window{From: from, To: to})
					quantiles++
				}
			}
			if shape.Variance {
				variances++
			}
			for _, victim := range append(s.with(s.order[0], 3, s.order), s.several...) {
				if slices.Contains(by, victim) {
					continue
				}
				if b := shape.Bound(by, victim); b.Within(p) {
					return fmt.Sprintf("%v know what %d has: %+v, by %+v", by, victim, b, shape), variances, quantiles
				}
			}
			for _, w := range shape.Windows {
				for _, c := range s.sorted[w.From:w.To] {
					if b := shape.Neighbour(by, w, c.Participant); !slices.Contains(by, c.Organisation) && b.Within(p) {
						return fmt.Sprintf("%v know what %d has, who stands beside them: %+v, by %+v", by, c.Participant, b, shape), variances, quantiles
					}
				}
			}
		}
	}
	return "", variances, quantiles
}

// Sums, variances and quantiles of the same values let nobody bound what anybody has.
func TestNoShapeLetsAValueBeBounded(t *testing.T) {
	t.Parallel()
	for _, rules := range []Rules{{MinContributors: 5, PPercent: 10}, preset, {MinContributors: 5, PPercent: 25, Coalition: 2}, {MinContributors: 5, PPercent: 10, QPercent: 50}} {
		t.Run(fmt.Sprintf("%+v", rules), func(t *testing.T) {
			t.Parallel()
			variances, quantiles := 0, 0
			for world := range 3 * worlds(t) {
				rng, cell := shapedWorld(world)
				breach, v, q := shapesBreached(t, rules, cell, rng, switches{})
				if breach != "" {
					t.Errorf("world %d: %s", world, breach)
				}
				variances, quantiles = variances+v, quantiles+q
			}
			if variances < 20 || quantiles < 20 {
				t.Errorf("%d variances and %d quantiles were shown, so the test shows nothing", variances, quantiles)
			}
		})
	}
}

// Each rule about them is needed: without it an attack works in the same worlds.
func TestEachRuleOfShapesLeftOutIsBreached(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]switches{
		"quantiles beside sums":        {together: true},
		"spread":                       {spread: true},
		"organisations in variances":   {organisations: true},
		"organisations beside windows": {sides: true, together: true},
		"p % in windows":               {windows: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := Rules{MinContributors: 5, PPercent: 10}
			for world := range 3000 {
				rng, cell := shapedWorld(world)
				if breach, _, _ := shapesBreached(t, rules, cell, rng, off); breach != "" {
					t.Logf("world %d: %.300s", world, breach)
					return
				}
			}
			t.Error("no attack worked, so the test of the whole could not fail")
		})
	}
}
