package meta

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/fault"
)

// View says which things of a list are wanted, and in which order. It comes from
// users: what a list does not have is Invalid, in words that say what it has.
type View struct {
	Search  string   // a part of what people search in, in any case
	Filters []string // COLUMN:OPERATOR:VALUE; several "is" of one column are any of them, everything else holds at once
	Sort    string   // COLUMN, or -COLUMN for the greatest first; empty for the list's own order
}

// Bounds of what a view may ask.
const (
	maxSearch  = 200 // bytes of a search, and of a filter's value
	maxFilters = 20
)

// Kind says what a column holds, and so how it is filtered.
type Kind string

// Kinds of columns.
const (
	Text    Kind = "text"   // is, not, contains
	Ident   Kind = "id"     // is, not; a search finds it whole only
	Choice  Kind = "choice" // is, not one of Values
	Number  Kind = "number" // is, not
	Instant Kind = "time"   // not filtered
)

// Column is a column of a list of T as users know it.
type Column[T any] struct {
	Name   string // in the API
	Kind   Kind
	SQL    string         // its expression; empty for one that is sealed in its row
	Within string         // where SQL is of another table: a condition with %s in it, as in "tenant IN (SELECT id FROM tenants WHERE %s)"
	Opened func(T) string // of a sealed one: what it holds, for it is compared here and not in the database
	Values []string       // of a Choice
	Null   bool           // whether it can be NULL, which is last in either order
	Sort   bool           // whether the list can be sorted by it: then an index has it, and the list's key behind it
	Search bool           // whether Search looks in it
}

func (c *Column[T]) operators() []string {
	switch c.Kind {
	case Text:
		return []string{"is", "not", "contains"}
	case Instant:
		return nil
	}
	return []string{"is", "not"}
}

// test is one filter that was understood, or a search.
type test struct {
	operator string // is, not, contains
	value    string
}

// holds reports whether a sealed column's text passes.
func (t test) holds(text string) bool {
	switch t.operator {
	case "is":
		return text == t.value
	case "not":
		return text != t.value
	}
	return strings.Contains(fold(text), fold(t.value))
}

// condition returns the SQL for a column, with ? for each argument.
func (t test) condition(sql string, kind Kind, null bool) (string, any) {
	if t.operator == "contains" {
		return `LOWER(` + sql + `) LIKE ? ESCAPE '\'`, "%" + likely.Replace(fold(t.value)) + "%"
	}
	value := any(t.value)
	if kind == Number {
		value, _ = strconv.ParseInt(t.value, 10, 64) // was read before
	}
	switch {
	case t.operator == "is":
		return sql + ` = ?`, value
	case null:
		return `(` + sql + ` IS NULL OR ` + sql + ` <> ?)`, value
	}
	return sql + ` <> ?`, value
}

var likely = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// fold makes ASCII letters lower, as both databases' LOWER does.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// filter is one of a view's filters, with its column.
type filter[T any] struct {
	column *Column[T]
	test
}

// filters reads a view's filters.
func (l *List[T]) filters(v View) ([]filter[T], error) {
	if len(v.Search) > maxSearch {
		return nil, fault.New(fault.Invalid, "A search has at most %d bytes; this one has %d.", maxSearch, len(v.Search))
	}
	if len(v.Filters) > maxFilters {
		return nil, fault.New(fault.Invalid, "A list takes at most %d filters; these are %d.", maxFilters, len(v.Filters))
	}
	list := make([]filter[T], 0, len(v.Filters))
	for _, raw := range v.Filters {
		f, err := l.filter(raw)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

func (l *List[T]) filter(raw string) (filter[T], error) {
	name, rest, _ := strings.Cut(raw, ":")
	operator, value, whole := strings.Cut(rest, ":")
	f := filter[T]{test: test{operator, value}}
	if !whole {
		return f, fault.New(fault.Invalid, "The filter %q is not of the form COLUMN:OPERATOR:VALUE, as in state:is:active.", raw)
	}
	able := func(c Column[T]) bool { return len(c.operators()) > 0 }
	i := slices.IndexFunc(l.Columns, func(c Column[T]) bool { return c.Name == name && able(c) })
	if i < 0 {
		return f, fault.New(fault.Invalid, "This list cannot be filtered by %q; it can be by %s.", name, l.names(able))
	}
	f.column = &l.Columns[i]
	if ops := f.column.operators(); !slices.Contains(ops, operator) {
		return f, fault.New(fault.Invalid, "%q cannot be filtered with %q, only with %s.", name, operator, strings.Join(ops, ", "))
	}
	if len(value) > maxSearch {
		return f, fault.New(fault.Invalid, "A filter's value has at most %d bytes; that of %q has %d.", maxSearch, name, len(value))
	}
	if f.column.Kind == Choice && !slices.Contains(f.column.Values, value) {
		return f, fault.New(fault.Invalid, "%q is never %q; it is one of %s.", name, value, strings.Join(f.column.Values, ", "))
	}
	if f.column.Kind == Number {
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return f, fault.Wrap(fault.Invalid, err, "%q is a whole number, and %q is not.", name, value)
		}
	}
	return f, nil
}

// order returns the column that a view sorts by, and whether the greatest is first.
func (l *List[T]) order(v View) (*Column[T], bool, error) {
	if l.Order == "" {
		return nil, false, fault.New(fault.Invalid, "This list has one order, and is not sorted by %q.", v.Sort)
	}
	sort := v.Sort
	if sort == "" {
		sort = l.Order
	}
	name, down := strings.CutPrefix(sort, "-")
	i := slices.IndexFunc(l.Columns, func(c Column[T]) bool { return c.Name == name && c.Sort })
	if i < 0 {
		return nil, false, fault.New(fault.Invalid, "This list cannot be sorted by %q; it can be by %s, and the other way round with a - before it.",
			name, l.names(func(c Column[T]) bool { return c.Sort }))
	}
	return &l.Columns[i], down, nil
}

func (l *List[T]) names(which func(Column[T]) bool) string {
	var names []string
	for _, c := range l.Columns {
		if which(c) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Words says what can be asked of the list, for the API's documentation.
func (l *List[T]) Words() string {
	var filters []string
	for _, c := range l.Columns {
		if ops := c.operators(); len(ops) > 0 {
			filters = append(filters, fmt.Sprintf("`%s` (%s)", c.Name, strings.Join(ops, ", ")))
		}
	}
	words := fmt.Sprintf("Searched in: %s. Filtered by: %s.", l.names(func(c Column[T]) bool { return c.Search }), strings.Join(filters, ", "))
	if l.Order != "" {
		words += fmt.Sprintf(" Sorted by: %s; if nothing is said by `%s`.", l.names(func(c Column[T]) bool { return c.Sort }), l.Order)
	}
	return words
}
