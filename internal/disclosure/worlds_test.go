package disclosure

import (
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// world is a random cell: organisations with heavy-tailed values, some of them
// zero, some with several tenants.
func world(rng *rand.Rand, signed bool) Cell {
	var cell Cell
	for o := range 1 + rng.IntN(12) {
		size := rng.Int64N(20)
		if rng.IntN(3) == 0 {
			size = 1 << rng.Int64N(50)
		}
		for tenant := range 1 + rng.IntN(3)/2 {
			v := rng.Int64N(size + 1)
			if rng.IntN(8) == 0 {
				v = 0
			}
			if signed && rng.IntN(2) == 0 {
				v = -v
			}
			cell = append(cell, Contribution{Participant: int32(2*o + tenant), Organisation: int32(o), Value: v})
		}
	}
	if rng.IntN(20) == 0 {
		for i := range cell {
			cell[i].Value = 0
		}
	}
	rng.Shuffle(len(cell), func(i, j int) { cell[i], cell[j] = cell[j], cell[i] })
	return cell
}

// worth adds up by organisation with numbers that cannot overflow: what it has
// in all, and by absolute value.
func worth(cell Cell) (net, gross map[int32]*big.Int) {
	net, gross = map[int32]*big.Int{}, map[int32]*big.Int{}
	for _, c := range cell {
		if net[c.Organisation] == nil {
			net[c.Organisation], gross[c.Organisation] = new(big.Int), new(big.Int)
		}
		v := big.NewInt(c.Value)
		net[c.Organisation].Add(net[c.Organisation], v)
		gross[c.Organisation].Add(gross[c.Organisation], v.Abs(v))
	}
	return net, gross
}

// hiding is what stands between an attacker who knows the values of the
// organisations in known and the value of victim: the best upper bound that
// simple arithmetic gives it is victim's value plus this.
func hiding(net map[int32]*big.Int, victim int32, known ...int32) *big.Int {
	sum := new(big.Int)
others:
	for o, v := range net {
		if o == victim {
			continue
		}
		for _, k := range known {
			if o == k {
				continue others
			}
		}
		sum.Add(sum, new(big.Int).Abs(v))
	}
	return sum
}

// below reports a < percent/100 b.
func below(a *big.Int, percent int64, b *big.Int) bool {
	l := new(big.Int).Mul(a, big.NewInt(100))
	r := new(big.Int).Mul(b, big.NewInt(percent))
	return l.Cmp(r) < 0
}

// breaches attacks a released cell as one recipient and says what worked: alone to within
// p %, with one accomplice to within pair %.
// Nothing here is shared with the code under test.
func breaches(cell Cell, recipient int32, p, pair int64) map[string]bool {
	found := map[string]bool{}
	net, gross := worth(cell)
	left := new(big.Int)
	for o, g := range gross {
		if o != recipient {
			left.Add(left, g)
		}
	}
	if left.Sign() == 0 && len(net) > 1 {
		found["zero"] = true
	}
	for v := range net {
		if v == recipient {
			continue
		}
		if below(hiding(net, v, recipient), p, gross[v]) {
			found["alone"] = true // the recipient knows v's value to within p %
		}
		for u := range net {
			if u == v || u == recipient {
				continue
			}
			if below(hiding(net, v, recipient, u), pair, gross[v]) {
				found["pair"] = true // with one accomplice
			}
			for w := range net {
				if w != u && w != v && w != recipient && len(net) == 4 {
					found["three"] = true // with two accomplices it knows it exactly
				}
			}
		}
		if len(net) <= 3 {
			found["three"] = true
		}
	}
	return found
}

// attackAll makes worlds, the same each time, and returns how often each attack worked on
// what the rules released, and how many cells were released to somebody. If ungrouped,
// the rules are not told whose the participants are.
func attackAll(t *testing.T, rules Rules, p, pair int64, signed, ungrouped bool) (worked map[string]int, released int) {
	t.Helper()
	const worlds = 3000
	rng := rand.New(rand.NewPCG(42, 42))
	cells := make([]Cell, worlds)
	for i := range cells {
		cells[i] = world(rng, signed)
	}
	seen := cells
	if ungrouped {
		seen = nil
		for _, cell := range cells {
			seen = append(seen, alone(cell))
		}
	}
	j, err := Judge(rules, 0, seen)
	if err != nil {
		t.Fatal(err)
	}
	worked = map[string]int{}
	for i, out := range j.Cells {
		tried := map[int32]bool{}
		for at, c := range cells[i] {
			if !out.Verdicts[at].Released() || tried[c.Organisation] {
				continue
			}
			tried[c.Organisation] = true
			released++
			for how := range breaches(cells[i], c.Organisation, p, pair) {
				worked[how]++
			}
		}
	}
	return worked, released
}

// alone is a cell in which each participant is an organisation of its own.
func alone(cell Cell) Cell {
	cell = slices.Clone(cell)
	for i := range cell {
		cell[i].Organisation = cell[i].Participant
	}
	return cell
}

// afterDominance is how closely two may know a third if (2,85) holds.
const afterDominance = 17

func TestNoReleaseLetsAValueBeComputed(t *testing.T) {
	t.Parallel()
	for _, signed := range []bool{false, true} {
		t.Run(fmt.Sprintf("signed=%v", signed), func(t *testing.T) {
			t.Parallel()
			for _, rules := range []Rules{preset, strict(5, 60, 2, 85), strict(5, 100, 2, 50), strict(7, 5, 3, 85)} {
				worked, released := attackAll(t, rules, int64(rules.PPercent), afterDominance, signed, false)
				if len(worked) > 0 {
					t.Errorf("%+v: attacks worked: %v", rules, worked)
				}
				if released < 50 {
					t.Errorf("%+v: only %d releases, so the test shows nothing", rules, released)
				}
			}
		})
	}
}

// Each rule is needed: with it switched off and all others on, an attack works in the
// same worlds that does not work with it.
func TestEachRuleSwitchedOffIsBreached(t *testing.T) {
	t.Parallel()
	all := Rules{MinContributors: 5, PPercent: 60, Dominance: Dominance{2, 85}}
	for _, c := range []struct {
		off       string
		on        Rules
		without   Rules
		p, pair   int64
		ungrouped bool
		breach    string
	}{
		{"minimum", all, Rules{MinContributors: 2, PPercent: 60, Dominance: Dominance{2, 85}}, 60, afterDominance, false, "three"},
		{"p %", all, Rules{MinContributors: 5, Dominance: Dominance{2, 85}}, 60, afterDominance, false, "alone"},
		{"p % (its zero part)", all, Rules{MinContributors: 5, Dominance: Dominance{2, 85}}, 60, afterDominance, false, "zero"},
		{"prior knowledge (pq)", Rules{MinContributors: 5, PPercent: 10, QPercent: 50}, Rules{MinContributors: 5, PPercent: 10}, 20, 0, false, "alone"},
		{"dominance", all, Rules{MinContributors: 5, PPercent: 60}, 60, afterDominance, false, "pair"},
		{"coalition", Rules{MinContributors: 5, PPercent: 30, Coalition: 2}, Rules{MinContributors: 5, PPercent: 30}, 30, 30, false, "pair"},
		{"organisations", preset, preset, 10, afterDominance, true, "three"},
		{"organisations (their p %)", preset, preset, 10, afterDominance, true, "alone"},
	} {
		on, _ := attackAll(t, c.on, c.p, c.pair, false, false)
		worked, _ := attackAll(t, c.without, c.p, c.pair, false, c.ungrouped)
		t.Logf("%s off: %v", c.off, worked)
		if worked[c.breach] == 0 {
			t.Errorf("%s off: attack %q never worked (%v): the property test could not fail", c.off, c.breach, worked)
		}
		if len(on) > 0 {
			t.Errorf("%s on: attacks worked: %v", c.off, on)
		}
	}
}

// The verdicts are exactly those of the formulas, computed slowly.
func TestVerdictsAreThoseOfTheFormulas(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	seen := map[Verdict]int{}
	for range 4000 {
		rules := Rules{MinContributors: 2 + rng.IntN(5), PPercent: rng.IntN(4) * 11}
		if rng.IntN(3) > 0 {
			rules.Dominance = Dominance{1 + rng.IntN(5), 40 + rng.IntN(60)}
		}
		if rng.IntN(4) == 0 {
			rules.QPercent = 40 + rng.IntN(61)
		}
		cell := world(rng, rng.IntN(2) == 0)
		if net, _ := worth(cell); rng.IntN(2) == 0 && len(net) < 8 {
			rules.Coalition = 2 + rng.IntN(2)
		}
		j, err := Judge(rules, 0, []Cell{cell})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cell {
			got, want := j.Cells[0].Verdicts[i], slowly(rules, cell, c.Organisation)
			if got != want && (rules.Coalition < 2 || got.Released() || want.Released()) { // of a coalition another rule may be named
				t.Fatalf("%+v on %v for organisation %d = %v, want %v", rules, cell, c.Organisation, got, want)
			}
			seen[got]++
		}
	}
	for _, v := range []Verdict{Release, Minimum, Zero, PPercent, Dominated} {
		if seen[v] < 50 {
			t.Errorf("verdict %v seen %d times only", v, seen[v])
		}
	}
}

// slowly compares every subset of n organisations, for a recipient with whatever friends.
func slowly(rules Rules, cell Cell, r int32) Verdict {
	net, gross := worth(cell)
	var all, others []int32
	for o := range net {
		all = append(all, o)
		if o != r {
			others = append(others, o)
		}
	}
	fewest := rules.MinContributors
	if rules.Coalition > 1 {
		fewest = max(fewest, rules.Coalition+3)
	}
	if len(all) < fewest {
		return Minimum
	}
	worst := Release
	for friends := range uint(1) << len(others) {
		if bits.OnesCount(friends) != max(rules.Coalition, 1)-1 {
			continue
		}
		var rest []int32
		for i, o := range others {
			if friends>>i&1 == 0 {
				rest = append(rest, o)
			}
		}
		if v := left(rules, rest, net, gross); v == Release {
			continue
		} else if worst == Release || v < worst {
			worst = v
		}
	}
	if worst == Release && rules.Dominance.On() && dominated(rules.Dominance, all, net, gross) {
		return Dominated
	}
	return worst
}

// left judges what some have before them.
func left(rules Rules, rest []int32, net, gross map[int32]*big.Int) Verdict {
	q := int64(100)
	if rules.QPercent > 0 {
		q = int64(rules.QPercent)
	}
	sum, hides := new(big.Int), new(big.Int)
	for _, o := range rest {
		sum.Add(sum, gross[o])
		hides.Add(hides, new(big.Int).Abs(net[o]))
	}
	if rules.PPercent > 0 {
		if sum.Sign() == 0 {
			return Zero
		}
		for _, v := range rest {
			have := new(big.Int).Sub(hides, new(big.Int).Abs(net[v]))
			if have.Mul(have, big.NewInt(q)).Cmp(new(big.Int).Mul(gross[v], big.NewInt(int64(rules.PPercent)))) < 0 {
				return PPercent
			}
		}
	}
	if rules.Dominance.On() && dominated(rules.Dominance, rest, net, gross) {
		return Dominated
	}
	return Release
}

// dominated reports whether some n of the organisations have more than k % of
// what they and the rest of them show.
func dominated(d Dominance, among []int32, net, gross map[int32]*big.Int) bool {
	for subset := range uint(1) << len(among) {
		if bits.OnesCount(subset) > d.N {
			continue
		}
		have, all := new(big.Int), new(big.Int)
		for i, o := range among {
			if subset>>i&1 == 1 {
				have.Add(have, gross[o])
				all.Add(all, gross[o])
			} else {
				all.Add(all, new(big.Int).Abs(net[o]))
			}
		}
		have.Mul(have, big.NewInt(100))
		if all.Mul(all, big.NewInt(int64(d.K))).Cmp(have) < 0 {
			return true
		}
	}
	return false
}
