package query

import (
	"math"
	"math/big"
	"math/bits"
)

// powers of ten that fit int64.
var powers = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// Fixed gives hugeint / 10^scale / n as a fixed-point number with digits after
// the point, rounded half away from zero; false if it does not fit int64. The
// hugeint is high * 2^64 + low, n at least 1.
func Fixed(high int64, low uint64, n int64, scale, digits int) (int64, bool) {
	if v := int64(low); high == v>>63 {
		num, ok := multiply(v, powers[max(0, digits-scale)])
		den, ok2 := multiply(n, powers[max(0, scale-digits)])
		if ok && ok2 {
			return divide(num, den), true
		}
	}
	num := new(big.Int).Lsh(big.NewInt(high), 64)
	num.Add(num, new(big.Int).SetUint64(low))
	num.Mul(num, big.NewInt(powers[max(0, digits-scale)]))
	den := new(big.Int).Mul(big.NewInt(n), big.NewInt(powers[max(0, scale-digits)]))
	return divideBig(num, den)
}

// FixedFloat is Fixed for f / n, exact until its rounding; f must be finite.
func FixedFloat(f float64, n int64, digits int) (int64, bool) {
	const mantissa = 53
	fraction, exponent := math.Frexp(f)
	num := big.NewInt(int64(math.Ldexp(fraction, mantissa)))
	num.Mul(num, big.NewInt(powers[digits]))
	den := big.NewInt(n)
	if exponent -= mantissa; exponent >= 0 {
		num.Lsh(num, uint(exponent))
	} else {
		den.Lsh(den, uint(-exponent))
	}
	return divideBig(num, den)
}

// multiply reports whether a * b, with b positive, fits.
func multiply(a, b int64) (int64, bool) {
	size := uint64(a)
	if a < 0 {
		size = -size
	}
	high, low := bits.Mul64(size, uint64(b))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	if a < 0 {
		return -int64(low), true
	}
	return int64(low), true
}

// divide rounds num/den half away from zero; den is positive.
func divide(num, den int64) int64 {
	quotient, rest := num/den, num%den
	if rest < 0 && -rest >= den+rest {
		return quotient - 1
	}
	if rest > 0 && rest >= den-rest {
		return quotient + 1
	}
	return quotient
}

func divideBig(num, den *big.Int) (int64, bool) {
	sign := num.Sign()
	num.Abs(num).Lsh(num, 1).Add(num, den) // (2|num| + den) / 2den, rounded down
	num.Quo(num, den.Lsh(den, 1))
	if sign < 0 {
		num.Neg(num)
	}
	return num.Int64(), num.IsInt64()
}
