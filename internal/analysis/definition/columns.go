package definition

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of columns, in the words of dataset contracts.
const (
	Text      = "text"
	Integer   = "integer"
	Decimal   = "decimal"
	Float     = "float"
	Boolean   = "boolean"
	Date      = "date"
	Timestamp = "timestamp"
)

// The roles of columns that name who sent a row and how, in the words of
// dataset contracts.
const (
	RoleParticipant = "participant"
	RoleFile        = "file"
)

// Column is what a definition has to know of a dataset's column.
type Column struct {
	Name  string
	Type  string
	Scale int // decimal places, of Decimal only
	Role  string

	Required bool // never null

	Derived *Derived // nil: one of the dataset's own
}

// numeric reports whether the column can be measured.
func (c Column) numeric() bool { return c.Type == Integer || c.Type == Decimal || c.Type == Float }

// identifies reports whether the column tells who a row is from.
func (c Column) identifies() bool { return c.Role == RoleParticipant || c.Role == RoleFile }

// Columns are those of one dataset.
type Columns []Column

// Find returns the column with this name, byte by byte.
func (cs Columns) Find(name string) (Column, bool) {
	i := slices.IndexFunc(cs, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return cs[i], true
}

func (cs Columns) names() []string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.Name
	}
	return names
}

// Literal is a filter's value, read by its column's type. Only the field that
// belongs to the type is set.
type Literal struct {
	Text  string  // of Text
	Int   int64   // Integer; Decimal in units of 10^-scale; Boolean 0 or 1; Date in days, Timestamp in microseconds since 1970-01-01 UTC
	Float float64 // of Float, finite
}

// form says how values of the column's type are written in a definition.
func (c Column) form() string {
	switch c.Type {
	case Integer:
		return "a whole number such as 42"
	case Decimal:
		return "a number with at most " + strconv.Itoa(c.Scale) + " decimals"
	case Float:
		return "a number such as 1.5"
	case Boolean:
		return "true or false"
	case Date:
		return "a date such as 2026-02-28"
	case Timestamp:
		return "a time such as 2026-02-28T10:00:00Z"
	}
	return "a text"
}

const microsOfDay = 24 * 60 * 60 * 1_000_000

// ParseValue reads a filter's value for this column; false if it is not one of
// its type.
func (c Column) ParseValue(s string) (Literal, bool) {
	switch c.Type {
	case Text:
		return Literal{Text: s}, true
	case Integer:
		n, err := strconv.ParseInt(s, 10, 64)
		return Literal{Int: n}, err == nil && s[0] != '+'
	case Decimal:
		n, ok := fixed(s, c.Scale)
		return Literal{Int: n}, ok
	case Float:
		f, err := strconv.ParseFloat(s, 64)
		return Literal{Float: f}, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && strings.Trim(s, "0123456789+-.eE") == ""
	case Boolean:
		if s == "true" {
			return Literal{Int: 1}, true
		}
		return Literal{}, s == "false"
	case Date:
		t, err := time.Parse(time.DateOnly, s)
		return Literal{Int: floorDiv(t.UnixMicro(), microsOfDay)}, err == nil && t.Year() >= 1
	case Timestamp:
		t, err := time.Parse(time.RFC3339Nano, s)
		return Literal{Int: t.UnixMicro()}, err == nil && t.UTC().Year() >= 1 && t.Nanosecond()%1000 == 0
	}
	return Literal{}, false
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// fixed reads digits with at most scale of them after the point, 18 in all.
func fixed(s string, scale int) (int64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || point && fraction == "" || len(fraction) > scale {
		return 0, false
	}
	digits = whole + fraction + strings.Repeat("0", scale-len(fraction))
	if strings.Trim(digits, "0123456789") != "" || len(strings.TrimLeft(digits, "0")) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}

// compare orders two literals of one type.
func (l Literal) compare(m Literal) int {
	switch {
	case l.Int != m.Int:
		if l.Int < m.Int {
			return -1
		}
		return 1
	case l.Float < m.Float:
		return -1
	case l.Float > m.Float:
		return 1
	}
	return strings.Compare(l.Text, m.Text)
}

// nearest returns the name most like the given one, or "" if none is alike.
func nearest(name string, known []string) string {
	best, least := "", 1+len([]rune(name))/3
	if least < 2 {
		least = 2
	}
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's, over characters.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
