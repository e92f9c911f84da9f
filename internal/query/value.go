package query

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Value is a typed value. The zero value of the other fields goes with Null,
// so two values are the same exactly if == says so (floats: see Spec.Check).
type Value struct {
	Type  Type
	Scale int     `json:",omitempty"` // of Decimal
	Null  bool    `json:",omitempty"`
	Text  string  `json:",omitempty"` // of Text, UTF-8
	Int   int64   `json:",omitempty"` // Integer; Decimal without its point; Boolean 0 or 1; Date in days and Timestamp in microseconds since 1970-01-01 UTC
	Float float64 `json:",omitempty"` // of Float
}

// NullOf is the null of a column's type.
func NullOf(c Column) Value { return Value{Type: c.Type, Scale: c.Scale, Null: true} }

// TextOf is a text.
func TextOf(s string) Value { return Value{Type: Text, Text: s} }

// IntegerOf is an integer.
func IntegerOf(n int64) Value { return Value{Type: Integer, Int: n} }

// DecimalOf is unscaled / 10^scale.
func DecimalOf(unscaled int64, scale int) Value {
	return Value{Type: Decimal, Scale: scale, Int: unscaled}
}

// FloatOf is a floating point number.
func FloatOf(f float64) Value { return Value{Type: Float, Float: f} }

// BooleanOf is true or false.
func BooleanOf(b bool) Value {
	v := Value{Type: Boolean}
	if b {
		v.Int = 1
	}
	return v
}

const secondsOfDay = 24 * 60 * 60

// DateOf is the UTC day of t.
func DateOf(t time.Time) Value {
	s := t.Unix()
	days := s / secondsOfDay
	if s%secondsOfDay < 0 {
		days--
	}
	return Value{Type: Date, Int: days}
}

// TimestampOf is t to the microsecond.
func TimestampOf(t time.Time) Value { return Value{Type: Timestamp, Int: t.UnixMicro()} }

// Time is the start of a Date, or a Timestamp, in UTC.
func (v Value) Time() time.Time {
	if v.Type == Date {
		return time.Unix(v.Int*secondsOfDay, 0).UTC()
	}
	return time.UnixMicro(v.Int).UTC()
}

// String gives the value as people write it: 12.50, true, 2026-02-28,
// 2026-02-28T10:00:00Z, the text itself, and nothing for null.
func (v Value) String() string {
	if v.Null {
		return ""
	}
	switch v.Type {
	case Text:
		return v.Text
	case Integer:
		return strconv.FormatInt(v.Int, 10)
	case Decimal:
		return FormatFixed(v.Int, v.Scale)
	case Float:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case Boolean:
		return strconv.FormatBool(v.Int != 0)
	case Date:
		return v.Time().Format(time.DateOnly)
	case Timestamp:
		return v.Time().Format(time.RFC3339Nano)
	}
	return ""
}

// FormatFixed writes fixed / 10^scale with exactly scale digits after the point.
func FormatFixed(fixed int64, scale int) string {
	if scale <= 0 {
		return strconv.FormatInt(fixed, 10)
	}
	digits := strconv.FormatInt(fixed, 10)
	sign := ""
	if fixed < 0 {
		sign, digits = "-", digits[1:]
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	return sign + digits[:point] + "." + digits[point:]
}

// Compare orders two values of one column as answers are ordered: null first,
// text by bytes, false before true, the rest by size.
func Compare(a, b Value) int {
	if a.Null || b.Null {
		switch {
		case a.Null && b.Null:
			return 0
		case a.Null:
			return -1
		}
		return 1
	}
	switch a.Type {
	case Text:
		return strings.Compare(a.Text, b.Text)
	case Float:
		return cmp.Compare(a.Float, b.Float)
	}
	return cmp.Compare(a.Int, b.Int)
}

// CompareKeys orders two keys of one spec, column by column.
func CompareKeys(a, b []Value) int {
	for i := range min(len(a), len(b)) {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

const (
	// The calendar that values must stay in: 0001-01-01 to 9999-12-31.
	minDay, maxDay = -719162, 2932896
	minMicro       = minDay * secondsOfDay * 1_000_000
	maxMicro       = (maxDay+1)*secondsOfDay*1_000_000 - 1

	// MaxText is the longest text value in bytes.
	MaxText = 1 << 20
)

// fits reports whether v is a well-formed value of column c.
func (v Value) fits(c Column) bool {
	if v.Type != c.Type || v.Scale != c.Scale {
		return false
	}
	if v.Null {
		return v == NullOf(c)
	}
	if v.Type != Text && v.Text != "" || v.Type != Float && v.Float != 0 {
		return false
	}
	switch v.Type {
	case Text:
		return v.Int == 0 && len(v.Text) <= MaxText && utf8.ValidString(v.Text)
	case Float:
		return v.Int == 0 && !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0)
	case Boolean:
		return v.Int == 0 || v.Int == 1
	case Date:
		return minDay <= v.Int && v.Int <= maxDay
	case Timestamp:
		return minMicro <= v.Int && v.Int <= maxMicro
	case Integer, Decimal:
		return true
	}
	return false
}
