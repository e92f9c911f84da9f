package meta

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/internal/fault"
)

// Micros returns t as the database keeps it: microseconds since 1970 in UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time returns the time, in UTC, of what Micros made.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// NullMicros is Micros for a column that may be NULL: the zero time is NULL.
func NullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

// NullTime is Time for a column that may be NULL, which gives the zero time.
func NullTime(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return Time(micros.Int64)
}

// Moment is Time for a column that may be NULL, which gives nil.
func Moment(micros sql.NullInt64) *time.Time {
	if !micros.Valid {
		return nil
	}
	t := Time(micros.Int64)
	return &t
}

// MomentMicros is Micros where a MAC needs a number for a time that may be nil: -1.
func MomentMicros(t *time.Time) int64 {
	if t == nil {
		return -1
	}
	return Micros(*t)
}

// arguments turns what callers pass into what both drivers take the same way:
// nil, int64, float64, string and []byte. Booleans become 0 and 1, times their
// microseconds and the zero time NULL, nil pointers and nil slices of bytes NULL.
func arguments(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

func argument(a any) (any, error) {
	switch v := a.(type) {
	case nil, int64:
		return v, nil
	case int:
		return int64(v), nil
	case string:
		return text(v)
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return Micros(v), nil
	case driver.Valuer:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		inner, err := v.Value()
		if err != nil {
			return nil, err
		}
		return argument(inner)
	}
	r := reflect.ValueOf(a)
	switch r.Kind() {
	case reflect.Bool:
		if r.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d does not fit a BIGINT", r.Uint())
		}
		return int64(r.Uint()), nil
	case reflect.Float32, reflect.Float64:
		if f := r.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is not a number that both databases keep", f)
		}
		return r.Float(), nil
	case reflect.String:
		return text(r.String())
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return argument(r.Elem().Interface())
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return argument(r.Bytes())
		}
	}
	return nil, fmt.Errorf("a %T cannot be stored", a)
}

// text refuses what PostgreSQL would, so that SQLite does as well.
func text(s string) (any, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "Text must be UTF-8 and without NUL characters.")
	}
	return s, nil
}

// assign stores a value from the database in what dst points to. Types must fit:
// text goes to strings, BYTEA to slices of bytes, BIGINT to integers, booleans
// (0 and 1) and times. NULL goes to pointers to pointers, sql.Null types, slices
// of bytes and times only.
func assign(dst, src any) error {
	switch d := dst.(type) {
	case *any:
		*d = src
		return nil
	case *time.Time:
		switch v := src.(type) {
		case nil:
			*d = time.Time{}
			return nil
		case int64:
			*d = Time(v)
			return nil
		}
		return mismatch(dst, src)
	case sql.Scanner:
		return d.Scan(src)
	}
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("cannot scan into a %T: it is no pointer", dst)
	}
	return assignTo(p.Elem(), dst, src)
}

func assignTo(d reflect.Value, dst, src any) error {
	if d.Kind() == reflect.Pointer {
		if src == nil {
			d.SetZero()
			return nil
		}
		fresh := reflect.New(d.Type().Elem())
		if err := assign(fresh.Interface(), src); err != nil {
			return err
		}
		d.Set(fresh)
		return nil
	}
	ok := false
	switch v := src.(type) {
	case nil:
		if ok = isBytes(d); ok {
			d.SetZero()
		}
	case string:
		if ok = d.Kind() == reflect.String; ok {
			d.SetString(v)
		}
	case []byte:
		if ok = isBytes(d); ok {
			d.SetBytes(v)
		}
	case float64:
		if ok = d.CanFloat(); ok {
			d.SetFloat(v)
		}
	case bool:
		return assignInt(d, dst, map[bool]int64{true: 1}[v])
	case int64:
		return assignInt(d, dst, v)
	}
	if !ok {
		return mismatch(dst, src)
	}
	return nil
}

func assignInt(d reflect.Value, dst any, v int64) error {
	switch {
	case d.CanInt() && !d.OverflowInt(v):
		d.SetInt(v)
	case d.CanUint() && v >= 0 && !d.OverflowUint(uint64(v)):
		d.SetUint(uint64(v))
	case d.CanFloat():
		d.SetFloat(float64(v))
	case d.Kind() == reflect.Bool && (v == 0 || v == 1):
		d.SetBool(v == 1)
	default:
		return mismatch(dst, v)
	}
	return nil
}

func isBytes(d reflect.Value) bool {
	return d.Kind() == reflect.Slice && d.Type().Elem().Kind() == reflect.Uint8
}

func mismatch(dst, src any) error {
	if src == nil {
		return fmt.Errorf("cannot scan NULL into a %T", dst)
	}
	return fmt.Errorf("cannot scan a %T into a %T", src, dst)
}

// Placeholders returns those of n arguments from the from-th on, to stand in
// parentheses after IN: "$2, $3".
func Placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", from+i)
	}
	return b.String()
}
