package contract

import (
	"bytes"
	"math"
	"strconv"
)

// Numbers reads numbers as a dialect writes them. Between groups of three
// digits there may be the thousands sign: in all places or in none, so that a
// decimal comma taken for a thousands sign is noticed. The zero value reads
// numbers with a decimal point and without thousands signs.
type Numbers struct {
	decimal   byte
	thousands []byte
}

// NumbersOf returns the reader of a dialect's numbers.
func NumbersOf(d Dialect) Numbers {
	n := Numbers{thousands: []byte(d.Thousands)}
	if d.Decimal != "" {
		n.decimal = d.Decimal[0]
	}
	return n
}

// Flaw is why a text is not a value of a type; zero if it is.
type Flaw uint8

// The flaws.
const (
	Sound      Flaw = iota
	Malformed       // the text does not have the form
	OutOfRange      // the value does not fit the type
	TooPrecise      // more digits after the decimal sign than the scale
)

// Fixed reads a number as an int64 in units of 10^-scale, with a magnitude of
// at most MaxDecimal. Digits beyond the scale must be zero. There are no
// exponents.
func (n Numbers) Fixed(b []byte, scale int) (int64, Flaw) {
	whole, fraction, negative, flaw := n.split(b)
	if flaw != Sound {
		return 0, flaw
	}
	v, ok := n.digits(0, whole)
	if !ok {
		return 0, OutOfRange
	}
	if len(fraction) > scale {
		for _, c := range fraction[scale:] {
			if c != '0' {
				return 0, TooPrecise
			}
		}
		fraction = fraction[:scale]
	}
	if v, ok = n.digits(v, fraction); !ok {
		return 0, OutOfRange
	}
	for range scale - len(fraction) {
		if v > MaxDecimal/10 {
			return 0, OutOfRange
		}
		v *= 10
	}
	if v > MaxDecimal {
		return 0, OutOfRange
	}
	if negative {
		return -int64(v), Sound
	}
	return int64(v), Sound
}

// Integer reads a whole number of 64 bits.
func (n Numbers) Integer(b []byte) (int64, Flaw) {
	whole, fraction, negative, flaw := n.split(b)
	if flaw != Sound {
		return 0, flaw
	}
	if fraction != nil {
		return 0, Malformed
	}
	v, ok := n.digits(0, whole)
	switch {
	case !ok, !negative && v > math.MaxInt64, negative && v > -math.MinInt64:
		return 0, OutOfRange
	case negative:
		return -int64(v), Sound // also for MinInt64, whose magnitude wraps onto itself
	}
	return int64(v), Sound
}

// Float reads a finite number, with or without an exponent. Negative zero
// becomes zero, and what is too small to tell from zero too.
func (n Numbers) Float(b []byte) (float64, Flaw) {
	mantissa, exponent := b, []byte(nil)
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		mantissa, exponent = b[:i], b[i:]
		digits := bytes.TrimLeft(exponent[1:], "+-")
		if len(exponent)-1-len(digits) > 1 || len(digits) == 0 || !allDigits(digits) {
			return 0, Malformed
		}
	}
	whole, fraction, negative, flaw := n.split(mantissa)
	if flaw != Sound {
		return 0, flaw
	}
	var room [64]byte
	text := room[:0]
	if negative {
		text = append(text, '-')
	}
	for _, c := range whole {
		if c >= '0' && c <= '9' {
			text = append(text, c)
		}
	}
	if len(fraction) > 0 {
		text = append(append(text, '.'), fraction...)
	}
	v, err := strconv.ParseFloat(string(append(text, exponent...)), 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, OutOfRange
	}
	if v == 0 {
		return 0, Sound
	}
	return v, Sound
}

// split checks a number's form. The whole part may still have thousands signs;
// the fraction is nil if there is no decimal sign.
func (n Numbers) split(b []byte) (whole, fraction []byte, negative bool, flaw Flaw) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	point := n.decimal
	if point == 0 {
		point = '.'
	}
	whole = b
	if i := bytes.IndexByte(b, point); i >= 0 {
		whole, fraction = b[:i], b[i+1:]
		if len(fraction) == 0 || !allDigits(fraction) {
			return nil, nil, false, Malformed
		}
	}
	if len(whole) == 0 || !allDigits(whole) && !n.grouped(whole) {
		return nil, nil, false, Malformed
	}
	return whole, fraction, negative, Sound
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// grouped reports whether b is one to three digits and then groups of three.
func (n Numbers) grouped(b []byte) bool {
	if len(n.thousands) == 0 {
		return false
	}
	for first := true; ; first = false {
		group, rest, more := bytes.Cut(b, n.thousands)
		if !allDigits(group) || len(group) > 3 || len(group) == 0 || !first && len(group) != 3 {
			return false
		}
		if !more {
			return !first
		}
		b = rest
	}
}

// digits appends the decimal digits of b to v; false if that needs more than
// an int64 can hold by far.
func (n Numbers) digits(v uint64, b []byte) (uint64, bool) {
	for _, c := range b {
		d := uint64(c) - '0'
		if d > 9 {
			continue // part of a thousands sign, whose place was checked
		}
		if v > math.MaxInt64/10 {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}

// FormatFixed writes a fixed-point number with a decimal point.
func FormatFixed(v int64, scale int) string {
	if scale <= 0 {
		return strconv.FormatInt(v, 10)
	}
	sign, u := "", uint64(v)
	if v < 0 {
		sign, u = "-", -u
	}
	digits := strconv.FormatUint(u, 10)
	for len(digits) <= scale {
		digits = "0" + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// ParseBoolean reads true, false, yes, no, 1 or 0, in any case.
func ParseBoolean(b []byte) (value, ok bool) {
	switch {
	case bytes.EqualFold(b, []byte("true")), bytes.EqualFold(b, []byte("yes")), len(b) == 1 && b[0] == '1':
		return true, true
	case bytes.EqualFold(b, []byte("false")), bytes.EqualFold(b, []byte("no")), len(b) == 1 && b[0] == '0':
		return false, true
	}
	return false, false
}
