package query

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFixedAgainstRationals(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		high, low := r.Int64()>>r.IntN(64), r.Uint64()>>r.IntN(64)
		switch r.IntN(3) {
		case 0:
			high = 0
		case 1:
			low, high = -low, -1
		}
		n, scale, digits := 1+r.Int64()>>r.IntN(63), r.IntN(19), r.IntN(19)
		n = max(n, 1)
		sum := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(high), 64), new(big.Int).SetUint64(low))
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(sum, big.NewInt(powers[digits])), new(big.Int).Mul(big.NewInt(n), big.NewInt(powers[scale])))
		want, _ := new(big.Int).SetString(exact.FloatString(0), 10)
		got, ok := Fixed(high, low, n, scale, digits)
		if ok != want.IsInt64() || ok && got != want.Int64() {
			t.Fatalf("Fixed(%d, %d, %d, %d, %d): got %d %v, want %s", high, low, n, scale, digits, got, ok, want)
		}
	}
}

func TestFixedFloatAgainstRationals(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		f := (r.Float64() - 0.5) * float64(powers[r.IntN(19)]) / float64(powers[r.IntN(19)])
		if r.IntN(4) == 0 {
			f = float64(r.Int64N(2001)-1000) / 8 // halves that must go away from zero
		}
		n, digits := 1+r.Int64N(int64(1)<<r.IntN(40)), r.IntN(19)
		exact := new(big.Rat).SetFloat64(f)
		exact.Mul(exact, new(big.Rat).SetFrac(big.NewInt(powers[digits]), big.NewInt(n)))
		want, _ := new(big.Int).SetString(exact.FloatString(0), 10)
		got, ok := FixedFloat(f, n, digits)
		if ok != want.IsInt64() || ok && got != want.Int64() {
			t.Fatalf("FixedFloat(%g, %d, %d): got %d %v, want %s", f, n, digits, got, ok, want)
		}
	}
}
