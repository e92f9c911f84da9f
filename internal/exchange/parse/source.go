package parse

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"tributary/internal/exchange/contract"
)

// source is the type of a Parquet column, as far as its values can become ours.
type source struct {
	kind  sourceKind
	scale int           // of fromDecimal
	unit  time.Duration // of fromTimestamp
	name  string        // for messages
}

type sourceKind uint8

const (
	fromNothing sourceKind = iota // values of this type become nothing of ours
	fromNull                      // every value is null
	fromText
	fromBool
	fromInt     // signed, of any width
	fromUint    // unsigned, of any width
	fromDecimal // on integers or bytes
	fromFloat
	fromDouble
	fromDate
	fromTimestamp
	fromInt96 // a timestamp as old programs write it
)

// becomes lists what a column's values may be for each type of the contract. Floats
// become floats alone: what is exact in a contract never was binary floating point.
var becomes = map[contract.Type][]sourceKind{
	contract.Text:      {fromText},
	contract.Integer:   {fromInt, fromUint, fromDecimal, fromText},
	contract.Decimal:   {fromInt, fromUint, fromDecimal, fromText},
	contract.Float:     {fromFloat, fromDouble, fromInt, fromUint, fromDecimal, fromText},
	contract.Boolean:   {fromBool, fromText},
	contract.DateType:  {fromDate, fromTimestamp, fromInt96, fromInt, fromText},
	contract.Timestamp: {fromTimestamp, fromInt96, fromInt, fromText},
}

// holds reports whether values of the column can become values of a type.
func (s source) holds(t contract.Type) bool {
	if s.kind == fromNull {
		return true
	}
	for _, k := range becomes[t] {
		if s.kind == k {
			return true
		}
	}
	return false
}

// sourceOf tells the type of a column of a schema.
func sourceOf(e *format.SchemaElement) source {
	logical := logicalOf(e)
	switch {
	case e.RepetitionType.Valid && e.RepetitionType.V == format.Repeated:
		return source{name: "a list"}
	case !e.Type.Valid || e.NumChildren.V > 0:
		if logical != nil {
			return source{name: "nested (" + logical.String() + ")"}
		}
		return source{name: "nested"}
	}
	s := source{name: e.Type.V.String()}
	if logical != nil {
		s.name = logical.String()
	}
	bytes := e.Type.V == format.ByteArray
	ints := e.Type.V == format.Int32 || e.Type.V == format.Int64
	switch l := logical.(type) {
	case nil:
		s.kind = map[format.Type]sourceKind{format.Boolean: fromBool, format.Int32: fromInt, format.Int64: fromInt, format.Int96: fromInt96,
			format.Float: fromFloat, format.Double: fromDouble, format.ByteArray: fromText}[e.Type.V]
	case *format.NullType:
		s.kind = fromNull
	case *format.StringType, *format.EnumType, *format.JsonType:
		if bytes {
			s.kind = fromText
		}
	case *format.IntType:
		if ints && (e.Type.V == format.Int64) == (l.BitWidth == 64) {
			s.kind = map[bool]sourceKind{true: fromInt, false: fromUint}[l.IsSigned]
		}
	case *format.DecimalType:
		fixed := e.Type.V == format.FixedLenByteArray && e.TypeLength.V > 0 && e.TypeLength.V <= maxDecimalBytes
		if (ints || bytes || fixed) && l.Scale >= 0 && l.Scale <= maxDecimalScale {
			s.kind, s.scale = fromDecimal, int(l.Scale)
		}
	case *format.DateType:
		if e.Type.V == format.Int32 {
			s.kind = fromDate
		}
	case *format.TimestampType:
		if e.Type.V == format.Int64 && l.Unit.Value != nil {
			s.kind, s.unit = fromTimestamp, l.Unit.Value.Duration()
		}
	}
	return s
}

// Decimals of Parquet that are read: 76 digits, as the largest that are in use.
const (
	maxDecimalBytes = 32
	maxDecimalScale = 76
)

// logicalOf returns what a physical type stands for; nil: itself. Older files say
// it by a converted type.
func logicalOf(e *format.SchemaElement) format.LogicalTypeValue {
	if e.LogicalType.Value != nil || !e.ConvertedType.Valid {
		return e.LogicalType.Value
	}
	switch c := e.ConvertedType.V; c {
	case deprecated.UTF8:
		return &format.StringType{}
	case deprecated.Enum:
		return &format.EnumType{}
	case deprecated.Json:
		return &format.JsonType{}
	case deprecated.Bson:
		return &format.BsonType{}
	case deprecated.Map, deprecated.MapKeyValue:
		return &format.MapType{}
	case deprecated.List:
		return &format.ListType{}
	case deprecated.Decimal:
		return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimeMillis:
		return &format.TimeType{Unit: format.TimeUnit{Value: &format.MilliSeconds{}}}
	case deprecated.TimeMicros:
		return &format.TimeType{Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MilliSeconds{}}}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{BitWidth: 8 << (c - deprecated.Uint8)}
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return &format.IntType{BitWidth: 8 << (c - deprecated.Int8), IsSigned: true}
	}
	return nil
}

// put appends a value of the column to a vector whose type it holds.
func (s source) put(p *parser, v *vector, x parquet.Value) flaw {
	if x.IsNull() {
		return v.without(null)
	}
	switch s.kind {
	case fromText:
		return p.text(v, x.ByteArray())
	case fromBool:
		return v.put(sound, scalar{yes: x.Boolean()})
	case fromInt:
		return v.number(integer(x), 0)
	case fromUint:
		if u := unsigned(x); u <= math.MaxInt64 {
			return v.number(int64(u), 0)
		}
		return v.large(new(big.Int).SetUint64(unsigned(x)), 0)
	case fromDecimal:
		if k := x.Kind(); k == parquet.Int32 || k == parquet.Int64 {
			return v.number(integer(x), s.scale)
		}
		return v.decimal(x.ByteArray(), s.scale)
	case fromFloat:
		return v.float(float64(x.Float()))
	case fromDouble:
		return v.float(x.Double())
	case fromDate:
		return v.day(int64(x.Int32()))
	case fromTimestamp:
		return v.moment(x.Int64(), s.unit)
	case fromInt96:
		day, nanos := split96(x.Int96())
		switch {
		case day != int64(contract.Date(day)) || !contract.Date(day).Valid(), nanos < 0 || nanos >= 1000*microsADay:
			return v.without(outOfRange) // before it is multiplied
		case nanos%1000 != 0:
			return v.without(tooPrecise)
		}
		return v.moment(day*microsADay+nanos/1000, time.Microsecond)
	}
	return v.without(badType)
}

func integer(x parquet.Value) int64 {
	if x.Kind() == parquet.Int32 {
		return int64(x.Int32())
	}
	return x.Int64()
}

func unsigned(x parquet.Value) uint64 {
	if x.Kind() == parquet.Int32 {
		return uint64(x.Uint32())
	}
	return x.Uint64()
}

// split96 returns the days since 1970 and nanoseconds of the day of an INT96: the
// latter are its first eight bytes, and the Julian day its last four.
func split96(x deprecated.Int96) (day, nanos int64) {
	const epoch = 2_440_588
	return int64(x[2]) - epoch, int64(uint64(x[1])<<32 | uint64(x[0]))
}

const microsADay = 86_400e6

// number appends a fixed-point number of the file.
func (v *vector) number(n int64, scale int) flaw {
	switch v.typ {
	case contract.DateType, contract.Timestamp: // 20240229 by the format YYYYMMDD
		return v.read(strconv.AppendInt(nil, n, 10), contract.Numbers{}, false)
	case contract.Float:
		if scale == 0 {
			return v.put(sound, scalar{x: float64(n)})
		}
		return v.read([]byte(contract.FormatFixed(n, scale)), contract.Numbers{}, false)
	}
	most := int64(contract.MaxDecimal)
	if v.typ == contract.Integer {
		most = math.MaxInt64
	}
	for ; scale > v.scale; scale-- {
		if n%10 != 0 {
			return v.without(tooPrecise)
		}
		n /= 10
	}
	for ; scale < v.scale; scale++ {
		if n > most/10 || n < -most/10 {
			return v.without(outOfRange)
		}
		n *= 10
	}
	if v.typ == contract.Decimal && (n > most || n < -most) {
		return v.without(outOfRange)
	}
	return v.put(sound, scalar{i: n})
}

// decimal appends a number in two's complement, the highest byte first.
func (v *vector) decimal(b []byte, scale int) flaw {
	if len(b) == 0 || len(b) > maxDecimalBytes {
		return v.without(badType)
	}
	if n, ok := small(b); ok {
		return v.number(n, scale)
	}
	return v.large(twosComplement(b), scale)
}

// small returns a number that 64 bits hold.
func small(b []byte) (int64, bool) {
	sign := byte(0)
	if b[0] >= 0x80 {
		sign = 0xff
	}
	for ; len(b) > 8; b = b[1:] {
		if b[0] != sign || (b[1] >= 0x80) != (sign == 0xff) {
			return 0, false
		}
	}
	var full [8]byte
	for i := range full {
		full[i] = sign
	}
	copy(full[8-len(b):], b)
	return int64(binary.BigEndian.Uint64(full[:])), true
}

func twosComplement(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// large appends a number that 64 bits do not hold as the file has it.
func (v *vector) large(n *big.Int, scale int) flaw {
	if v.typ == contract.Float {
		return v.read([]byte(fixed(n, scale)), contract.Numbers{}, false)
	}
	if scale > v.scale {
		var rest big.Int
		n.QuoRem(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-v.scale)), nil), &rest)
		if rest.Sign() != 0 {
			return v.without(tooPrecise)
		}
		scale = v.scale
	}
	if !n.IsInt64() {
		return v.without(outOfRange)
	}
	return v.number(n.Int64(), scale)
}

// fixed writes a fixed-point number of any size.
func fixed(n *big.Int, scale int) string {
	if n.IsInt64() {
		return contract.FormatFixed(n.Int64(), scale)
	}
	sign, digits := "", n.String()
	if n.Sign() < 0 {
		sign, digits = "-", digits[1:]
	}
	if scale == 0 {
		return sign + digits
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

func (v *vector) float(x float64) flaw {
	if !finite(x) {
		return v.without(badType)
	}
	if x == 0 {
		x = 0 // negative zero too
	}
	return v.put(sound, scalar{x: x})
}

func (v *vector) day(n int64) flaw {
	if n != int64(contract.Date(n)) || !contract.Date(n).Valid() {
		return v.without(outOfRange)
	}
	return v.put(sound, scalar{i: n})
}

// moment appends a timestamp, or its day if it is the start of one in UTC. One that
// is not said to be in UTC is taken for UTC, as a text without an offset is.
func (v *vector) moment(n int64, unit time.Duration) flaw {
	switch unit {
	case time.Millisecond:
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return v.without(outOfRange)
		}
		n *= 1000
	case time.Nanosecond:
		if n%1000 != 0 {
			return v.without(tooPrecise)
		}
		n /= 1000
	}
	switch {
	case !contract.ValidTimestamp(n):
		return v.without(outOfRange)
	case v.typ == contract.Timestamp:
		return v.put(sound, scalar{i: n})
	case n%microsADay != 0:
		return v.without(badType)
	}
	return v.day(n / microsADay)
}

// write writes a value for messages.
func (s source) write(x parquet.Value) []byte {
	switch s.kind {
	case fromText:
		return x.ByteArray()
	case fromUint:
		return strconv.AppendUint(nil, unsigned(x), 10)
	case fromInt:
		return strconv.AppendInt(nil, integer(x), 10)
	case fromDecimal:
		if k := x.Kind(); k == parquet.Int32 || k == parquet.Int64 {
			return []byte(fixed(big.NewInt(integer(x)), s.scale))
		}
		if b := x.ByteArray(); len(b) > 0 && len(b) <= maxDecimalBytes {
			return []byte(fixed(twosComplement(b), s.scale))
		}
	case fromTimestamp:
		n := x.Int64()
		switch s.unit {
		case time.Millisecond:
			return time.UnixMilli(n).UTC().AppendFormat(nil, time.RFC3339Nano)
		case time.Microsecond:
			return time.UnixMicro(n).UTC().AppendFormat(nil, time.RFC3339Nano)
		}
		return time.Unix(0, n).UTC().AppendFormat(nil, time.RFC3339Nano)
	case fromDate:
		return time.Unix(int64(x.Int32())*86400, 0).UTC().AppendFormat(nil, time.DateOnly)
	case fromInt96:
		day, nanos := split96(x.Int96())
		return time.Unix(day*86400, nanos).UTC().AppendFormat(nil, time.RFC3339Nano)
	}
	return []byte(x.String())
}
