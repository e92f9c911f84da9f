package meta

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// List declares a list of T that users search, filter, sort and page through. What
// users say becomes bound arguments; only what is declared here becomes SQL.
type List[T any] struct {
	Select  string // columns that the scan function takes
	From    string // FROM and what is joined
	Columns []Column[T]
	Order   string // what it is sorted by if nothing is said, as in View.Sort
	Key     []Key  // what orders rows of which the sort column is the same, and so names one row
}

// Key is a column of the key that a list's rows have.
type Key struct {
	SQL  string
	Kind Kind // Text or Number
}

// Where collects the conditions of a statement, each with ? for its arguments.
type Where struct {
	conditions []string
	args       []any
}

// And adds a condition.
func (w *Where) And(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// AndIs adds the condition that a column is a value, unless that is empty.
func (w *Where) AndIs(column, value string) {
	if value != "" {
		w.And(column+` = ?`, value)
	}
}

func (w *Where) copy() *Where {
	return &Where{append([]string(nil), w.conditions...), append([]any(nil), w.args...)}
}

// place is where a page starts: behind the row with these values.
type place struct {
	Sort   any    `json:"s"` // nil: NULL
	Key    []any  `json:"k"` // nil: before the first row
	Of     string `json:"o"` // what was asked, so that the cursor is not used with another question
	Opened int    `json:"n,omitempty"`
	Short  bool   `json:"h,omitempty"` // the page ended because Opened rows were enough for it
}

// Scanner is what a row is read from.
type Scanner interface{ Scan(...any) error }

// The work of one page where sealed columns are compared: rows are read and opened
// this many at a time, and about so many at most.
const (
	openedAtATime = 1000
	openedAtMost  = 5000
)

// Read reads a page of the list: the rows that where lets through and the view asks
// for, and the cursor of the next page, empty on the last. All pages cost the same.
//
// Columns that are sealed in their rows can be compared only once they are open. A
// page for which too many would have to be ends early, with few things or none, and
// Searched tells from its cursor how many were looked at so far.
func (l *List[T]) Read(ctx context.Context, db *DB, where *Where, page Page, scan func(Scanner) (T, error)) ([]T, string, error) {
	q, err := l.question(where, page.View)
	if err != nil {
		return nil, "", err
	}
	at, err := q.start(page.After)
	if err != nil {
		return nil, "", err
	}
	var list []T
	for opened := 0; ; {
		limit := page.Size() + 1
		if q.sealed {
			limit = openedAtATime
		}
		rows, err := q.rows(ctx, db, at, limit, scan)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			if q.matches(r) {
				if len(list) == page.Size() {
					at.Opened += opened
					return list, at.cursor(), nil
				}
				list = append(list, r.thing)
			}
			opened++
			at.Sort, at.Key = r.sort, r.key
		}
		switch {
		case len(rows) < limit:
			return list, "", nil
		case opened >= openedAtMost:
			at.Opened, at.Short = at.Opened+opened, true
			return list, at.cursor(), nil
		}
	}
}

// Searched returns how many rows were opened so far for a search that goes on at the
// cursor, and 0 for a cursor of another kind.
func Searched(cursor string) int {
	var p place
	if decodeCursor(cursor, &p) != nil || !p.Short {
		return 0
	}
	return p.Opened
}

// Picks returns which things a view wants, for a list that is worked out and not
// read: all its columns are Opened, and it has one order.
func (l *List[T]) Picks(v View) (func(T) bool, error) {
	q := &question[T]{list: l, where: &Where{}}
	if v.Sort != "" {
		_, _, err := l.order(v)
		return nil, err
	}
	filters, err := l.filters(v)
	if err != nil {
		return nil, err
	}
	q.narrow(filters)
	q.search = v.Search
	return func(thing T) bool { return q.matches(row[T]{thing: thing}) }, nil
}

// question is what a page is asked for.
type question[T any] struct {
	list    *List[T]
	where   *Where
	sort    *Column[T]
	down    bool
	found   *Where      // search in what is not sealed
	search  string      // in what is sealed; empty where the search is part of where
	filters []filter[T] // of what is sealed
	sealed  bool        // whether rows must be opened
	of      string
}

// question turns a view into SQL, and into what is left to compare in opened rows.
func (l *List[T]) question(where *Where, v View) (*question[T], error) {
	q := &question[T]{list: l, where: where.copy()}
	var err error
	if q.sort, q.down, err = l.order(v); err != nil {
		return nil, err
	}
	filters, err := l.filters(v)
	if err != nil {
		return nil, err
	}
	q.narrow(filters)
	q.look(v.Search)
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %s %t %q %q %q %#v", l.From, q.sort.Name, q.down, v.Search, v.Filters, where.conditions, where.args)
	q.of = strconv.FormatUint(h.Sum64(), 36)
	return q, nil
}

// narrow adds the filters. Those that say what one column is are alternatives.
func (q *question[T]) narrow(filters []filter[T]) {
	is := map[string]*Where{}
	var columns []string
	for _, f := range filters {
		switch {
		case f.column.Opened != nil:
			q.filters, q.sealed = append(q.filters, f), true
		case f.operator == "is":
			if is[f.column.Name] == nil {
				is[f.column.Name] = &Where{}
				columns = append(columns, f.column.Name)
			}
			f.column.add(is[f.column.Name], f.test)
		default:
			f.column.add(q.where, f.test)
		}
	}
	for _, c := range columns {
		q.where.And(is[c].or(), is[c].args...)
	}
}

// add adds a test of the column.
func (c *Column[T]) add(w *Where, t test) {
	if c.Within == "" {
		condition, value := t.condition(c.SQL, c.Kind, c.Null)
		w.And(condition, value)
		return
	}
	not := ""
	if t.operator == "not" { // also of a row that has nothing there
		t.operator, not = "is", "NOT "
	}
	condition, value := t.condition(c.SQL, c.Kind, c.Null)
	w.And(not+fmt.Sprintf(c.Within, condition), value)
}

// look adds the search.
func (q *question[T]) look(search string) {
	if search == "" {
		return
	}
	t := test{"contains", search}
	anywhere, sealed := &Where{}, false
	prefix, _, _ := strings.Cut(search, "_")
	whole := clock.ValidID(prefix, search) && slices.ContainsFunc(q.list.Columns, func(c Column[T]) bool { return c.Search && c.Kind == Ident })
	for i := range q.list.Columns {
		switch c := &q.list.Columns[i]; {
		case !c.Search:
		case c.Kind == Ident: // a part of one would be in most: that of sub_… in "sub"
			if whole {
				c.add(anywhere, test{"is", search})
			}
		case whole: // in an index, and not in words
		case c.Opened != nil:
			sealed = true
		default:
			c.add(anywhere, t)
		}
	}
	switch {
	case sealed:
		q.found, q.search, q.sealed = anywhere, search, true
	default:
		q.where.And(anywhere.or(), anywhere.args...)
	}
}

func (w *Where) or() string {
	if len(w.conditions) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(w.conditions, " OR ") + ")"
}

// row is a row with its place.
type row[T any] struct {
	thing T
	sort  any
	key   []any
	found bool // by the search in what is not sealed
}

// matches compares what is sealed.
func (q *question[T]) matches(r row[T]) bool {
	is, isNeeded := map[string]bool{}, map[string]bool{}
	for _, f := range q.filters {
		holds := f.holds(f.column.Opened(r.thing))
		if f.operator == "is" {
			isNeeded[f.column.Name] = true
			is[f.column.Name] = is[f.column.Name] || holds
		} else if !holds {
			return false
		}
	}
	for name := range isNeeded {
		if !is[name] {
			return false
		}
	}
	if q.search == "" || r.found {
		return true
	}
	t := test{"contains", q.search}
	for _, c := range q.list.Columns {
		if c.Search && c.Opened != nil && t.holds(c.Opened(r.thing)) {
			return true
		}
	}
	return false
}

// rows reads the rows behind a place. Where the sort column may be NULL these are
// two lists, one after the other: in this way each is read in the order of an index,
// and those without a value are last in either order.
func (q *question[T]) rows(ctx context.Context, db *DB, at place, limit int, scan func(Scanner) (T, error)) ([]row[T], error) {
	if !q.sort.Null {
		return q.part(ctx, db, at, limit, "", scan)
	}
	var list []row[T]
	if at.Key == nil || at.Sort != nil {
		var err error
		if list, err = q.part(ctx, db, at, limit, q.sort.SQL+` IS NOT NULL`, scan); err != nil || len(list) == limit {
			return list, err
		}
		at.Key = nil
	}
	rest, err := q.part(ctx, db, at, limit-len(list), q.sort.SQL+` IS NULL`, scan)
	return append(list, rest...), err
}

func (q *question[T]) part(ctx context.Context, db *DB, at place, limit int, condition string, scan func(Scanner) (T, error)) ([]row[T], error) {
	text, args := q.statement(at, limit, condition)
	rows, err := db.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	var list []row[T]
	for rows.Next() {
		r := row[T]{key: make([]any, len(q.list.Key))}
		behind := make([]any, 0, len(r.key)+2)
		behind = append(behind, &r.sort)
		for i := range r.key {
			behind = append(behind, &r.key[i])
		}
		if q.found != nil {
			behind = append(behind, &r.found)
		}
		if r.thing, err = scan(widened{rows, behind}); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// widened scans more columns than its user knows of.
type widened struct {
	rows   *Rows
	behind []any
}

func (w widened) Scan(dest ...any) error { return w.rows.Scan(append(dest, w.behind...)...) }

// statement is the one for a part of the list.
func (q *question[T]) statement(at place, limit int, condition string) (string, []any) {
	null := strings.HasSuffix(condition, " IS NULL")
	where := q.where.copy()
	if condition != "" {
		where.And(condition)
	}
	var order, values []string
	var behind []any
	if !null {
		order, behind = append(order, q.sort.SQL), append(behind, at.Sort)
	}
	for i, k := range q.list.Key {
		order = append(order, k.SQL)
		if at.Key != nil {
			behind = append(behind, at.Key[i])
		}
	}
	for range order {
		values = append(values, "?")
	}
	direction, compared := "", ">"
	if q.down {
		direction, compared = " DESC", "<"
	}
	if at.Key != nil {
		where.And("("+strings.Join(order, ", ")+") "+compared+" ("+strings.Join(values, ", ")+")", behind...)
	}

	columns := append([]string{q.list.Select, q.sort.SQL}, q.list.keys()...)
	var args []any
	if q.found != nil {
		columns, args = append(columns, "CASE WHEN "+q.found.or()+" THEN 1 ELSE 0 END"), append(args, q.found.args...)
	}
	text := "SELECT " + strings.Join(columns, ", ") + " " + q.list.From
	if len(where.conditions) > 0 {
		text += " WHERE " + strings.Join(where.conditions, " AND ")
	}
	text += " ORDER BY " + strings.Join(order, direction+", ") + direction + " LIMIT ?"
	return numbered(text), append(append(args, where.args...), int64(limit))
}

func (l *List[T]) keys() []string {
	list := make([]string, len(l.Key))
	for i, k := range l.Key {
		list[i] = k.SQL
	}
	return list
}

// numbered writes each ? as $1, $2 and so on.
func numbered(text string) string {
	var out strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "?")
		out.WriteString(before)
		if !more {
			return out.String()
		}
		out.WriteString("$" + strconv.Itoa(n))
		text = after
	}
}

func (p place) cursor() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("meta: cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeCursor(cursor string, into *place) error {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// start reads a cursor. It comes from users, so what is in it must be of the columns'
// kinds; which rows are behind it is for the conditions.
func (q *question[T]) start(cursor string) (place, error) {
	p := place{Of: q.of}
	if cursor == "" {
		return p, nil
	}
	invalid := fault.New(fault.Invalid, "The cursor is not one that this list returned for the same search, filters and order; start again without it.")
	if decodeCursor(cursor, &p) != nil || p.Of != q.of || len(p.Key) != len(q.list.Key) {
		return p, invalid
	}
	p.Short = false
	ok := true
	if p.Sort != nil || !q.sort.Null {
		p.Sort, ok = valueOf(p.Sort, q.sort.Kind)
	}
	for i, k := range q.list.Key {
		if ok {
			p.Key[i], ok = valueOf(p.Key[i], k.Kind)
		}
	}
	if !ok {
		return p, invalid
	}
	return p, nil
}

// valueOf returns a decoded value as the argument for a column of the kind.
func valueOf(v any, kind Kind) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, kind == Text || kind == Choice || kind == Ident
	case json.Number:
		n, err := v.Int64()
		return n, err == nil && (kind == Number || kind == Instant)
	}
	return nil, false
}
