package attack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tributary/internal/disclosure/attack"
)

func shaped(values ...int64) attack.Shape {
	var s attack.Shape
	for i, v := range values {
		s.Values = append(s.Values, attack.Value{Participant: int32(i), Organisation: int32(i), Value: v})
	}
	return s
}

// Bounds that were worked out by hand.
func TestBoundsOfShapes(t *testing.T) {
	t.Parallel()
	sum := func(s attack.Shape) attack.Shape { s.Sum = true; return s }
	both := func(s attack.Shape) attack.Shape { s.Sum, s.Variance = true, true; return s }
	windows := func(s attack.Shape, w ...attack.Window) attack.Shape { s.Windows = w; return s }
	one := func(s attack.Shape, owned ...int) attack.Shape {
		for _, i := range owned {
			s.Values[i].Organisation = 99
		}
		return s
	}
	inf := math.Inf(1)
	for _, c := range []struct {
		name        string
		shape       attack.Shape
		by          []int32
		victim      int32
		least, most float64
	}{
		{"the sum of the others", sum(shaped(10, 20, 30)), []int32{0}, 2, 0, 50},
		{"nothing", shaped(10, 20, 30), []int32{0}, 2, 0, inf},
		// Samuelson: others 0 0 5 10 have the mean 3.75 and 68.75 about it; 3.75 + sqrt(3/4 68.75).
		{"sum and variance", both(shaped(0, 0, 5, 10, 10)), []int32{3}, 4, 0, 3.75 + math.Sqrt(0.75*68.75)},
		{"equal values", both(shaped(10, 10, 10, 10)), []int32{0}, 2, 10, 10},
		{"one apart from equals", both(shaped(10, 10, 10, 70)), []int32{0}, 3, 0, 70},
		{"the next to it", both(shaped(10, 10, 10, 70)), []int32{0}, 2, 0, 70}, // it may be the one
		// Two of 100 among 96 98 100 100 102 104, all with the mean 100 and 40 about it: 200 ± sqrt(2 4/6 40).
		{"two of one owner", one(both(shaped(7, 96, 98, 100, 100, 102, 104)), 3, 4), []int32{0}, 99, 200 - math.Sqrt(2.0*4/6*40), 200 + math.Sqrt(2.0*4/6*40)},
		// A variance alone: 60 is the mean, 4000 about it; from one's own 40, sqrt(2 (4000)) with all others between.
		{"variance without a sum", attack.Shape{Values: shaped(40, 20, 60, 100, 80).Values, Variance: true}, []int32{0}, 3, 0, 40 + math.Sqrt(2*4000)},
		// Nobody above the window has less than its mean: 500 = 1500 - 100 - 300 - 3*100, 4 others 0.
		{"sum and median", windows(sum(shaped(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 500)), attack.Window{4, 7}), nil, 10, 0, 1500 - 300 - 3*100},
		{"quantiles alone", windows(shaped(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 500), attack.Window{4, 7}), []int32{0}, 10, 0, inf},
	} {
		b := c.shape.Bound(c.by, c.victim)
		if math.Abs(b.Most-c.most) > 1e-3 || math.Abs(b.Least-c.least) > 1e-3 {
			t.Errorf("%s: %v to %v, want %v to %v", c.name, b.Least, b.Most, c.least, c.most)
		}
	}
	s := shaped(1, 2, 3, 40, 50, 300, 400)
	if b := s.Neighbour([]int32{4}, attack.Window{3, 6}, 5); b.Value != 300 || b.Most != 340 {
		t.Errorf("a neighbour: %+v, want at most 40 + 300", b)
	}
}

// What is true is within the bounds, and so is every other world that shows the same.
func TestShapesBoundNothingThatIsPossible(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(41, 41))
	closer := 0
	for range 3000 {
		n := 6 + rng.IntN(12)
		var s attack.Shape
		for i := range n {
			s.Values = append(s.Values, attack.Value{Participant: int32(i), Organisation: int32(i - i%4/3), Value: rng.Int64N(1000) << rng.IntN(6)})
		}
		s.Sum, s.Variance = rng.IntN(3) > 0, rng.IntN(2) == 0
		for from := 1; from+4 < n; from += 4 {
			if rng.IntN(2) == 0 {
				s.Windows = append(s.Windows, attack.Window{From: from, To: from + 3})
			}
		}
		coalition := []int32{s.Values[rng.IntN(n)].Organisation}
		victim := s.Values[rng.IntN(n)].Organisation
		if slices.Contains(coalition, victim) {
			continue
		}
		b := s.Bound(coalition, victim)
		// Those who are unknown can have changed places.
		var free []int
		for i, v := range s.Values {
			if !slices.Contains(coalition, v.Organisation) {
				free = append(free, i)
			}
		}
		for range 20 {
			has := 0.0
			perm := rng.Perm(len(free))
			for i, at := range free {
				if s.Values[at].Organisation == victim {
					has += float64(s.Values[free[perm[i]]].Value)
				}
			}
			if has > b.Most*(1+1e-9)+1e-3 || has < b.Least*(1-1e-9)-1e-3 {
				t.Fatalf("%+v, %v of %d: it may have %v, which is not %v to %v", s, coalition, victim, has, b.Least, b.Most)
			}
		}
		plain := s
		plain.Windows, plain.Variance = nil, false
		if b.Most < 0.99*plain.Bound(coalition, victim).Most {
			closer++
		}
	}
	if closer < 300 {
		t.Errorf("variances and quantiles told more %d times: the test shows little", closer)
	}
}
