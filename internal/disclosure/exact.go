package disclosure

import (
	"errors"
	"math"
	"math/big"
	"math/bits"

	"tributary/internal/fault"
)

// ErrOverflow is in the chain of every error that says that a number has more
// than the 18 digits that results hold at its scale.
var ErrOverflow = errors.New("number has more than 18 digits")

// MaxResult is the largest size of a number in a result, in units of its last place.
const MaxResult = 1_000_000_000_000_000_000 - 1

// MaxScale is the largest number of decimal places that Mean takes.
const MaxScale = 18

// Mean divides the exact sum of n values at a scale by n and rounds the
// quotient half away from zero to the given decimals, in one step: 2.5 and -2.5
// at no decimals are 3 and -3. With n = 1 it only rounds. The result is fixed
// point at decimals. Errors: ErrOverflow with kind TooLarge; n below 1 or a
// scale outside 0 to MaxScale are mistakes of the caller.
func Mean(sum int64, n int64, scale, decimals int) (int64, error) {
	if n < 1 || scale < 0 || decimals < 0 || scale > MaxScale || decimals > MaxScale {
		return 0, fault.New(fault.Internal, "A mean of %d values at scale %d cannot be given with %d decimals.", n, scale, decimals)
	}
	top, divisor := wide{lo: magnitude(sum)}, wide{lo: uint64(n)}
	if decimals >= scale {
		top = product(power10[decimals-scale], magnitude(sum))
	} else {
		divisor = product(power10[scale-decimals], uint64(n))
	}
	q, ok := quotient(top, divisor)
	if !ok || q > MaxResult {
		return 0, fault.Wrap(fault.TooLarge, ErrOverflow, "A value is too large to be given with %d decimals.", decimals)
	}
	if sum < 0 {
		return -int64(q), nil
	}
	return int64(q), nil
}

// quotient divides and rounds half up; false if the result does not fit.
func quotient(a, d wide) (uint64, bool) {
	var q, r uint64
	if d.hi > 0 { // only from Mean's division, where a <= 2^63: less than a half
		return 0, true
	}
	if a.hi >= d.lo {
		return 0, false
	}
	q, r = bits.Div64(a.hi, a.lo, d.lo)
	if r >= d.lo-r { // 2r >= d without overflow
		if q == math.MaxUint64 {
			return 0, false
		}
		q++
	}
	return q, true
}

var power10 = func() (p [MaxScale + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// magnitude is |v|, right for the smallest int64 too.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// wide is an unsigned number of 128 bits. Nothing here comes near its end: a
// cell's absolute values add up to less than 2^63, and scores are at most 200
// times that for each of at most MaxDominators organisations.
type wide struct{ hi, lo uint64 }

func product(a, b uint64) wide {
	hi, lo := bits.Mul64(a, b)
	return wide{hi, lo}
}

func (w wide) plus(v wide) wide {
	lo, carry := bits.Add64(w.lo, v.lo, 0)
	hi, _ := bits.Add64(w.hi, v.hi, carry)
	return wide{hi, lo}
}

func (w wide) less(v wide) bool {
	return w.hi < v.hi || w.hi == v.hi && w.lo < v.lo
}

// add adds two values; what does not fit becomes the smallest, the mark of an overflow.
func add(a, b int64) int64 {
	sum := a + b
	if a == math.MinInt64 || b == math.MinInt64 || (a > 0) == (b > 0) && (sum > 0) != (a > 0) && a != 0 {
		return math.MinInt64
	}
	return sum
}

// ceiling is a*b/c rounded up, or the largest int64 if that is larger. c is above 0.
func ceiling(a, b, c uint64) int64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c-1, 0)
	if hi += carry; hi >= c {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, c)
	return int64(min(q, math.MaxInt64))
}

// over is w/c rounded up, for a c above w.hi.
func (w wide) over(c uint64) uint64 {
	q, r := bits.Div64(w.hi, w.lo, c)
	if r > 0 {
		q++
	}
	return q
}

// times multiplies two values; what does not fit becomes the smallest, the mark of an overflow.
func times(a, b int64) int64 {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi > 0 || lo > math.MaxInt64 {
		return math.MinInt64
	}
	if (a < 0) != (b < 0) {
		return -int64(lo)
	}
	return int64(lo)
}

// Ratio divides one exact sum at a scale by another and rounds the quotient as Mean
// does. Errors: ErrOverflow with kind TooLarge; of a divisor of 0, ErrUndefined.
func Ratio(sum, by int64, scale, byScale, decimals int) (int64, error) {
	if by == 0 {
		return 0, fault.Wrap(fault.Invalid, ErrUndefined, "The divisor of a ratio is zero.")
	}
	over := new(big.Int).Mul(big.NewInt(sum), tenTo(byScale+decimals))
	return rounded(over, new(big.Int).Mul(big.NewInt(by), tenTo(scale)))
}

// ErrUndefined is in the chain of every error that says that a cell has no value.
var ErrUndefined = errors.New("there is no value")

// Variance is the variance, with n-1, of the values of a cell at a scale, rounded as
// Mean does. Of fewer than two values it is ErrUndefined.
func Variance(cell Cell, scale, decimals int) (int64, error) {
	n := int64(len(cell))
	if n < 2 {
		return 0, fault.Wrap(fault.Invalid, ErrUndefined, "The variance of one value is none.")
	}
	sum, squares := new(big.Int), new(big.Int)
	for _, c := range cell {
		v := big.NewInt(c.Value)
		sum.Add(sum, v)
		squares.Add(squares, new(big.Int).Mul(v, v))
	}
	over := squares.Mul(squares, big.NewInt(n))
	over.Sub(over, sum.Mul(sum, sum))
	under := new(big.Int).Mul(big.NewInt(n), big.NewInt(n-1))
	return rounded(over.Mul(over, tenTo(decimals)), under.Mul(under, tenTo(2*scale)))
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// rounded divides half away from zero.
func rounded(over, under *big.Int) (int64, error) {
	negative := over.Sign()*under.Sign() < 0
	over, under = new(big.Int).Abs(over), new(big.Int).Abs(under)
	q := over.Add(over.Lsh(over, 1), under).Div(over, new(big.Int).Lsh(under, 1))
	if !q.IsInt64() || q.Int64() > MaxResult {
		return 0, fault.Wrap(fault.TooLarge, ErrOverflow, "A value of the result has more than 18 digits.")
	}
	if negative {
		return -q.Int64(), nil
	}
	return q.Int64(), nil
}
