// Package columnar writes answers of queries as Arrow streams and as Parquet files, in
// the types that the engine has. It leaves to others where rows come from and what the
// files are called.
package columnar

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// form says how the values of a column are stored.
type form struct {
	kind     formKind
	bits     int  // of integers: 8 to 64; of numbers: 32 or 64
	unsigned bool // integers
	// A decimal's. A whole number of 128 bits is one of 38 digits.
	precision, scale int
}

type formKind int

const (
	texts formKind = iota
	documents
	binaries
	booleans
	integers
	numbers
	decimals
	timestamps // microseconds since 1970, UTC
	dates      // days since 1970
)

// wholes are the engine's whole numbers.
var wholes = map[string]form{
	"TINYINT": {kind: integers, bits: 8}, "SMALLINT": {kind: integers, bits: 16}, "INTEGER": {kind: integers, bits: 32}, "BIGINT": {kind: integers, bits: 64},
	"UTINYINT": {kind: integers, bits: 8, unsigned: true}, "USMALLINT": {kind: integers, bits: 16, unsigned: true},
	"UINTEGER": {kind: integers, bits: 32, unsigned: true}, "UBIGINT": {kind: integers, bits: 64, unsigned: true},
	"HUGEINT": {kind: decimals, precision: mostDigits}, // the sum of others; a UHUGEINT is a key, of up to 39 digits, and a text
}

const mostDigits = 38

var decimalForm = regexp.MustCompile(`^DECIMAL\(([0-9]{1,2}),([0-9]{1,2})\)$`)

// formOf finds the form of a column; what is of no other is a text.
func formOf(c query.AnswerColumn) form {
	switch c.Kind {
	case query.KindBoolean:
		return form{kind: booleans}
	case query.KindInteger:
		return wholes[c.Type]
	case query.KindNumber:
		if c.Type == "FLOAT" {
			return form{kind: numbers, bits: 32}
		}
		return form{kind: numbers, bits: 64}
	case query.KindDecimal:
		if m := decimalForm.FindStringSubmatch(c.Type); m != nil {
			precision, _ := strconv.Atoi(m[1]) // they are digits
			scale, _ := strconv.Atoi(m[2])
			if precision >= 1 && precision <= mostDigits && scale <= precision {
				return form{kind: decimals, precision: precision, scale: scale}
			}
		}
	case query.KindTimestamp:
		return form{kind: timestamps}
	case query.KindDate:
		return form{kind: dates}
	case query.KindJSON:
		return form{kind: documents}
	case query.KindText:
		if c.Type == "BLOB" {
			return form{kind: binaries}
		}
	}
	return form{}
}

// value is a value that is no null, as its form has it.
type value struct {
	bytes  []byte // texts, documents and binaries
	low    uint64 // all others; of a number its bits
	high   uint64 // of decimals the upper half
	number float64
}

// parse reads a value of an answer.
func (f form) parse(text []byte) (v value, ok bool) {
	var err error
	switch f.kind {
	case booleans:
		v.low, ok = map[string]uint64{"true": 1, "false": 0}[string(text)]
		return v, ok
	case integers:
		var n int64
		if f.unsigned {
			v.low, err = strconv.ParseUint(string(text), 10, f.bits)
		} else if n, err = strconv.ParseInt(string(text), 10, f.bits); err == nil {
			v.low = uint64(n)
		}
	case numbers:
		if string(text) == "-nan" { // as the engine writes one that has a sign
			text = text[1:]
		}
		v.number, err = strconv.ParseFloat(string(text), f.bits)
	case decimals:
		v.high, v.low, ok = digits(text, f.scale, f.precision)
		return v, ok
	case timestamps:
		var t time.Time
		if n, ends := endless(string(text), math.MaxInt64); ends {
			v.low = uint64(n)
		} else if t, err = time.Parse(time.RFC3339Nano, string(text)); err == nil {
			v.low = uint64(t.UnixMicro())
			return v, t.Nanosecond()%1000 == 0
		}
	case dates:
		var t time.Time
		if n, ends := endless(string(text), math.MaxInt32); ends {
			v.low = uint64(n)
		} else if t, err = time.Parse(time.DateOnly, string(text)); err == nil {
			v.low = uint64(t.Unix() / (24 * 60 * 60))
		}
	case documents:
		v.bytes = text
		return v, json.Valid(text) // a list with a number that is not finite is none
	case binaries:
		v.bytes, err = base64.StdEncoding.AppendDecode([]byte{}, text)
	default:
		v.bytes = text
	}
	return v, err == nil
}

// endless is a time without an end as the engine itself stores it, in Parquet and in memory.
func endless(text string, most int64) (int64, bool) {
	switch text {
	case "infinity":
		return most, true
	case "-infinity":
		return -most, true
	}
	return 0, false
}

// digits reads a decimal without its point, as a number of 128 bits in two's complement.
func digits(text []byte, scale, precision int) (high, low uint64, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	point, significant := -1, 0
	for i, c := range text {
		if c == '.' && point < 0 {
			point = i
			continue
		}
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		if significant > 0 || c != '0' {
			significant++
		}
		if significant > mostDigits {
			return 0, 0, false
		}
		high, low = shifted(high, low, uint64(c-'0'))
	}
	fraction := 0
	if point >= 0 {
		fraction = len(text) - point - 1
	}
	for ; fraction < scale; fraction++ {
		if significant > 0 {
			significant++
		}
		high, low = shifted(high, low, 0)
	}
	if len(text) == 0 || fraction != scale || significant > precision {
		return 0, 0, false
	}
	if negative {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	return high, low, true
}

// shifted is ten times a number and a digit.
func shifted(high, low, digit uint64) (uint64, uint64) {
	carry, l := bits.Mul64(low, 10)
	l, more := bits.Add64(l, digit, 0)
	return high*10 + carry + more, l
}

// unfit says that a value is none of the column's type.
func unfit(c query.AnswerColumn, text []byte) error {
	return fault.New(fault.Invalid, "The column %q has the value %.100q, which has no place in a column of its type. Cast it to VARCHAR, or ask for CSV or JSON.", c.Name, text)
}

// forms finds the forms of all columns.
func forms(columns []query.AnswerColumn) ([]form, error) {
	list, names := make([]form, len(columns)), map[string]bool{}
	for i, c := range columns {
		if names[c.Name] {
			return nil, fmt.Errorf("two columns are called %q", c.Name)
		}
		names[c.Name] = true
		list[i] = formOf(c)
	}
	return list, nil
}

// The bounds of rows that are held back: a batch of Arrow, a row group of Parquet.
const (
	mostRows  = 64 << 10
	mostBytes = 4 << 20
)

// held counts the rows that are held back.
type held struct{ rows, bytes int }

// add counts a row, and reports whether there are enough.
func (h *held) add(values [][]byte) bool {
	h.rows++
	for _, v := range values {
		h.bytes += len(v) + 8
	}
	return h.rows >= mostRows || h.bytes >= mostBytes
}
