package disclosure

import (
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
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

// breaches attacks a released cell as one recipient and says what worked.
// Nothing here is shared with the code under test.
func breaches(cell Cell, recipient int32, p int64) map[string]bool {
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
			if below(hiding(net, v, recipient, u), 17, gross[v]) {
				found["pair"] = true // with one accomplice it knows it to within 17 %
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

// attackAll makes worlds and returns how often each attack worked on what the
// rules released, and how many cells were released to somebody.
func attackAll(t *testing.T, rules Rules, p int64, signed bool) (worked map[string]int, released int) {
	t.Helper()
	const worlds = 3000
	rng := rand.New(rand.NewPCG(42, uint64(rules.PPercent)))
	cells := make([]Cell, worlds)
	for i := range cells {
		cells[i] = world(rng, signed)
	}
	j, err := Judge(rules, 0, cells)
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
			for how := range breaches(cells[i], c.Organisation, p) {
				worked[how]++
			}
		}
	}
	return worked, released
}

func TestNoReleaseLetsAValueBeComputed(t *testing.T) {
	t.Parallel()
	for _, signed := range []bool{false, true} {
		t.Run(fmt.Sprintf("signed=%v", signed), func(t *testing.T) {
			t.Parallel()
			for _, rules := range []Rules{preset, strict(5, 60, 2, 85), strict(5, 100, 2, 50), strict(7, 5, 3, 85)} {
				worked, released := attackAll(t, rules, int64(rules.PPercent), signed)
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

// Each rule is needed: with it switched off and all others on, an attack works
// that it alone prevents.
func TestEachRuleSwitchedOffIsBreached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off     string
		rules   Rules
		p       int64
		breach  string
		noOther bool
	}{
		{"minimum", Rules{MinContributors: 2, PPercent: 60, Dominance: Dominance{2, 85}}, 60, "three", true},
		{"p %", Rules{MinContributors: 5, PPercent: 0, Dominance: Dominance{2, 85}}, 60, "alone", false},
		{"p % (its zero part)", Rules{MinContributors: 5, PPercent: 0, Dominance: Dominance{2, 85}}, 60, "zero", false},
		{"dominance", Rules{MinContributors: 5, PPercent: 60, Dominance: Dominance{}}, 60, "pair", true},
	} {
		worked, _ := attackAll(t, c.rules, c.p, false)
		t.Logf("%s off: %v", c.off, worked)
		if worked[c.breach] == 0 {
			t.Errorf("%s off: attack %q never worked (%v): the property test could not fail", c.off, c.breach, worked)
		}
		if c.noOther && len(worked) != 1 {
			t.Errorf("%s off: attacks %v, want %q alone", c.off, worked, c.breach)
		}
	}
}

// The verdicts are exactly those of the formulas, computed slowly.
func TestVerdictsAreThoseOfTheFormulas(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	seen := map[Verdict]int{}
	for range 3000 {
		rules := Rules{MinContributors: 2 + rng.IntN(5), PPercent: rng.IntN(4) * 11}
		if rng.IntN(3) > 0 {
			rules.Dominance = Dominance{1 + rng.IntN(5), 40 + rng.IntN(60)}
		}
		cell := world(rng, rng.IntN(2) == 0)
		j, err := Judge(rules, 0, []Cell{cell})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cell {
			got, want := j.Cells[0].Verdicts[i], slowly(rules, cell, c.Organisation)
			if got != want {
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

// slowly compares every subset of n organisations.
func slowly(rules Rules, cell Cell, r int32) Verdict {
	net, gross := worth(cell)
	var all, rest []int32
	for o := range net {
		all = append(all, o)
		if o != r {
			rest = append(rest, o)
		}
	}
	if len(all) < rules.MinContributors {
		return Minimum
	}
	if rules.PPercent > 0 {
		if found := breaches(cell, r, int64(rules.PPercent)); found["zero"] {
			return Zero
		} else if found["alone"] {
			return PPercent
		}
	}
	if rules.Dominance.On() && (dominated(rules.Dominance, all, net, gross) || dominated(rules.Dominance, rest, net, gross)) {
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
