package disclosure

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestMeanRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sum, n          int64
		scale, decimals int
		want            int64
	}{
		{30, 2, 0, 1, 150},
		{28, 2, 0, 1, 140},
		{5, 2, 0, 0, 3}, {-5, 2, 0, 0, -3}, {3, 2, 0, 0, 2}, {-3, 2, 0, 0, -2},
		{1, 3, 0, 2, 33}, {2, 3, 0, 2, 67}, {-2, 3, 0, 2, -67},
		{0, 7, 2, 4, 0},
		{125, 1, 2, 1, 13}, {124, 1, 2, 1, 12}, {-125, 1, 2, 1, -13}, // own value: only rounded
		{149, 10, 2, 0, 0},
		{149, 3, 2, 0, 0}, {150, 3, 2, 0, 1}, // one rounding: 0.4967 is not first 0.5
		{MaxResult, 1, 0, 0, MaxResult},
		{math.MinInt64, 10, 0, 0, -922337203685477581},
		{math.MaxInt64, math.MaxInt64, 0, 17, 1e17},
		{math.MaxInt64, math.MaxInt64, 18, 0, 0},
		{math.MaxInt64, 1, 18, 0, 9},
		{-math.MaxInt64, 9, 18, 0, -1},
	} {
		got, err := Mean(c.sum, c.n, c.scale, c.decimals)
		if err != nil || got != c.want {
			t.Errorf("Mean(%d, %d, %d, %d) = %d, %v, want %d", c.sum, c.n, c.scale, c.decimals, got, err, c.want)
		}
	}
	for _, bad := range [][4]int64{{1, 0, 0, 0}, {1, -1, 0, 0}, {1, 1, -1, 0}, {1, 1, 19, 0}, {1, 1, 0, 19}, {1, 1, 0, -1}} {
		if _, err := Mean(bad[0], bad[1], int(bad[2]), int(bad[3])); err == nil {
			t.Errorf("Mean(%v): no error", bad)
		}
	}
}

func TestMeanIsExact(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	overflows := 0
	for range 50000 {
		sum := int64(rng.Uint64()) >> rng.IntN(64)
		n := 1 + rng.Int64()>>rng.IntN(63)
		scale, decimals := rng.IntN(MaxScale+1), rng.IntN(MaxScale+1)
		want := slowMean(sum, n, scale, decimals)
		got, err := Mean(sum, n, scale, decimals)
		switch {
		case errors.Is(err, ErrOverflow):
			overflows++
			if new(big.Int).Abs(want).Cmp(big.NewInt(MaxResult)) <= 0 {
				t.Fatalf("Mean(%d, %d, %d, %d) overflows, want %v", sum, n, scale, decimals, want)
			}
		case err != nil || big.NewInt(got).Cmp(want) != 0:
			t.Fatalf("Mean(%d, %d, %d, %d) = %d, %v, want %v", sum, n, scale, decimals, got, err, want)
		}
	}
	if overflows == 0 {
		t.Error("no overflow was tried")
	}
}

// slowMean rounds sum*10^decimals / (n*10^scale): floor of the size plus a half, then the sign.
func slowMean(sum, n int64, scale, decimals int) *big.Int {
	ten := big.NewInt(10)
	num := new(big.Int).Mul(big.NewInt(sum), new(big.Int).Exp(ten, big.NewInt(int64(decimals)), nil))
	den := new(big.Int).Mul(big.NewInt(n), new(big.Int).Exp(ten, big.NewInt(int64(scale)), nil))
	negative := num.Sign() < 0
	num.Abs(num).Mul(num, big.NewInt(2)).Add(num, den)
	q := num.Div(num, den.Mul(den, big.NewInt(2)))
	if negative {
		q.Neg(q)
	}
	return q
}

// 100 participants in each of 100,000 cells, half of them with a sister under the same owner.
func BenchmarkJudge(b *testing.B) {
	for _, cells := range []int{1000, 100000} {
		b.Run(fmt.Sprintf("cells=%d/participants=100", cells), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(42, 42))
			table := make([]Cell, cells)
			for i := range table {
				table[i] = make(Cell, 100)
				for p := range table[i] {
					table[i][p] = Contribution{Participant: int32(p), Organisation: int32(p * 3 / 4), Value: rng.Int64N(1e9)}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				j, err := Judge(preset, 0, table)
				if err != nil {
					b.Fatal(err)
				}
				if j.Count(Release) == 0 {
					b.Fatal("nothing was released")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(cells*100), "ns/contribution")
		})
	}
}
