package query

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// derivation is a derived column of a row.
type derivation struct {
	Derived
	columns   []Column
	inputs    []int // columns that must not be null
	under     []int // that must not be zero
	dividends []product
	divisor   product
}

// product is Product with its columns found, and for what fits the engine's size of
// the number in front.
type product struct {
	times   *big.Int
	size    float64
	columns []int
}

func newDerivation(spec Spec, of Derived, columns []Column) derivation {
	d := derivation{Derived: of, columns: columns, inputs: places(columns, of.Inputs()), under: places(columns, of.Divisors())}
	if of.Type != Decimal {
		return d
	}
	found := func(p Product) product {
		size, _ := new(big.Float).SetInt(new(big.Int).Abs(p.Times)).Float64()
		return product{p.Times, size, places(columns, p.Columns)}
	}
	dividends, divisor := spec.Fraction(of)
	for _, p := range dividends {
		d.dividends = append(d.dividends, found(p))
	}
	d.divisor = found(divisor)
	return d
}

func places(columns []Column, names []string) []int {
	list := make([]int, len(names))
	for i, name := range names {
		list[i] = slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	}
	return list
}

// value computes it of a row; large says that it does not fit.
func (d derivation) value(row []Value) (v Value, large bool) {
	null := NullOf(Column{Type: d.Type, Scale: d.Scale})
	for _, at := range d.inputs {
		if row[at].Null {
			return null, false
		}
	}
	for _, at := range d.under {
		if row[at].Int == 0 && row[at].Float == 0 {
			return null, false
		}
	}
	switch d.Type {
	case Float:
		return FloatOf(d.float(row)), false
	case Decimal:
		if n, ok := d.decimal(row); ok {
			return DecimalOf(n, d.Scale), false
		}
		return null, true
	case Integer:
		return IntegerOf(part(row[d.inputs[0]], d.Functions[0])), false
	}
	if text := text(row[d.inputs[0]].Text, d.Functions); len(text) <= MaxText {
		return TextOf(text), false
	}
	return null, false
}

// The engine multiplies whole numbers of 38 digits, and only what it has found to have no
// more than most on the way, in floating point; and a number has 18 digits.
const (
	most   = 1e37
	digits = 1_000_000_000_000_000_000
)

// decimal is exact until its rounding; false if it does not fit.
func (d derivation) decimal(row []Value) (int64, bool) {
	size := func(p product) float64 {
		f := p.size
		for _, at := range p.columns {
			f *= math.Max(math.Abs(float64(row[at].Int)), 1)
		}
		return f
	}
	all := 0.0
	for _, p := range d.dividends {
		all += size(p)
	}
	if !(all < most) || !(size(d.divisor) < most) {
		return 0, false
	}
	whole := func(p product) *big.Int {
		n := new(big.Int).Set(p.times)
		for _, at := range p.columns {
			n.Mul(n, big.NewInt(row[at].Int))
		}
		return n
	}
	n := new(big.Int)
	for _, p := range d.dividends {
		n.Add(n, whole(p))
	}
	by := whole(d.divisor)
	negative := n.Sign()*by.Sign() < 0
	n.Lsh(n.Abs(n), 1).Add(n, by.Abs(by)).Quo(n, by.Lsh(by, 1))
	if n.Cmp(big.NewInt(digits)) >= 0 {
		return 0, false
	}
	if negative {
		return -n.Int64(), true
	}
	return n.Int64(), true
}

// float is the number in floating point, step by step as the engine takes them.
func (d derivation) float(row []Value) float64 {
	operand := func(name string) float64 {
		at := slices.IndexFunc(d.columns, func(c Column) bool { return c.Name == name })
		return floatOf(row[at])
	}
	sum := 0.0
	for i, t := range d.Terms {
		f := float64(t.Times)
		for _, name := range t.Over {
			f *= operand(name)
		}
		for _, name := range t.Under {
			f /= operand(name)
		}
		if i == 0 {
			sum = f
		} else {
			sum += float64(f) // not fused with the product
		}
	}
	return sum / float64(d.By)
}

// exactly is how large a whole number may be for a float to have it exactly.
const exactly = 1 << 53

// floatOf is a number as a float. One with many digits is divided in two parts, as the
// engine does it.
func floatOf(v Value) float64 {
	power := math.Pow10(v.Scale)
	switch {
	case v.Type == Float:
		return v.Float
	case v.Scale == 0 || v.Int <= exactly && v.Int >= -exactly:
		return float64(v.Int) / power
	}
	by := int64(power)
	return float64(v.Int/by) + float64(v.Int%by)/power
}

// part is a part of a date or timestamp.
func part(v Value, function string) int64 {
	t := v.Time()
	switch function {
	case "year":
		return int64(t.Year())
	case "quarter":
		return int64(t.Month()+2) / 3
	case "month":
		return int64(t.Month())
	case "week":
		_, week := t.ISOWeek()
		return int64(week)
	}
	return int64(t.Day())
}

// text does what the functions say, letter by letter.
func text(s string, functions []string) string {
	for _, f := range functions {
		switch f {
		case "trim":
			s = strings.Trim(s, " \t\n\r\u00a0")
		case "lower":
			s = strings.Map(unicode.ToLower, s)
		case "upper":
			s = strings.Map(upper, s)
		}
	}
	return s
}

// upper is unicode.ToUpper, but for a letter of which the engine knows a large one.
func upper(r rune) rune {
	if r == 'ß' {
		return 'ẞ'
	}
	return unicode.ToUpper(r)
}
