// Package expression reads the expressions of derived columns: + - * / on numbers of
// one row, and functions of one date or text. It knows names, not types; whoever uses
// it checks these.
//
// What can be written is chosen for what cannot: there is no condition or comparison
// and no constant, neither alone nor added nor made from columns (x / x, x - x), since
// whoever can add a constant to what everybody has can make a cell look as if many had
// a like part in it. So a number expression is a sum of products, each with at least
// one column, in which no column stands twice, nor above and below a line.
package expression

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Limits of an expression.
const (
	MaxLength  = 500 // characters
	MaxDepth   = 16  // of parentheses
	MaxTerms   = 8
	MaxColumns = 8
	maxDigits  = 12                // of a number
	maxFactor  = 1_000_000_000_000 // of Times and By
)

// Kind says what an expression gives.
type Kind string

// The kinds.
const (
	Number Kind = "number"
	Part   Kind = "part" // of a date: a whole number
	Text   Kind = "text"
)

// parts and texts are the functions, of one column or of each other.
var (
	parts = []string{"year", "quarter", "month", "week", "day"}
	texts = []string{"trim", "lower", "upper"}
)

// Expression is one that was read. It is never changed.
type Expression struct {
	Kind Kind
	// Terms are those of a Number: it is the sum of Times * Over / Under of each,
	// divided by By.
	Terms []Term
	By    int64
	// Of is the column of a Part or Text, Functions what is done to it, the first first.
	Of        string
	Functions []string

	text string
}

// Term is a product of columns, divided by others. Over has at least one.
type Term struct {
	Times       int64
	Over, Under []string // in order of name; each column once in both together
}

// String is the expression as it was written, but for its spaces.
func (e *Expression) String() string { return e.text }

// Columns lists what the expression reads, in order of name.
func (e *Expression) Columns() []string {
	if e.Kind != Number {
		return []string{e.Of}
	}
	var list []string
	for _, t := range e.Terms {
		list = append(append(list, t.Over...), t.Under...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Error says what is wrong at which character, counted from 1.
type Error struct {
	At   int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.At, e.Text) }

// Allowed says in words what can be written.
const Allowed = "Allowed are + - * / on columns that are numbers, with numbers to multiply or divide by; year, quarter, month, week or day of a date; trim, lower or upper of a text."

func wrong(at int, format string, args ...any) error {
	return &Error{at, fmt.Sprintf(format, args...)}
}

// value is what a part of an expression is: a sum of terms, a number by itself, or
// functions of one column.
type value struct {
	at        int
	terms     []term
	of        string
	functions []string
}

// term is a Term under way. Without columns it is a number.
type term struct {
	times       *big.Rat
	over, under []string
}

func (v value) number() bool {
	return len(v.terms) == 1 && len(v.terms[0].over)+len(v.terms[0].under) == 0
}

// calculated refuses functions where numbers are calculated with.
func (v value) calculated() error {
	switch {
	case len(v.functions) == 0:
		return nil
	case slices.Contains(texts, v.functions[0]):
		return wrong(v.at, "%s gives a text, which cannot be calculated with.", v.functions[0])
	}
	return wrong(v.at, "%s gives a part of a date, which cannot be calculated with: in a file of one date it is a constant. It is for groups.", v.functions[0])
}

// plus adds, or with sign -1 subtracts.
func plus(a, b value, sign int64) (value, error) {
	for _, v := range []value{a, b} {
		if err := v.calculated(); err != nil {
			return v, err
		}
		if v.number() {
			return v, wrong(v.at, "a number cannot be added or subtracted, only multiplied or divided by.")
		}
	}
	sum := value{at: a.at, terms: a.terms}
	for _, t := range b.terms {
		t.times = new(big.Rat).Mul(t.times, big.NewRat(sign, 1))
		var err error
		if sum.terms, err = with(sum.terms, t, b.at); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// with adds a term to a sum.
func with(sum []term, t term, at int) ([]term, error) {
	i := slices.IndexFunc(sum, func(o term) bool { return slices.Equal(o.over, t.over) && slices.Equal(o.under, t.under) })
	if i < 0 {
		if len(sum) == MaxTerms {
			return nil, wrong(at, "the sum has more than %d terms, multiplied out.", MaxTerms)
		}
		return append(slices.Clip(sum), t), nil
	}
	if sum[i].times.Sign() != t.times.Sign() {
		return nil, wrong(at, "%s is subtracted from itself, which leaves nothing of it or a multiple. Write what remains.", t.words())
	}
	sum = slices.Clone(sum)
	sum[i].times = new(big.Rat).Add(sum[i].times, t.times)
	return sum, nil
}

// times multiplies.
func times(a, b value) (value, error) {
	for _, v := range []value{a, b} {
		if err := v.calculated(); err != nil {
			return v, err
		}
	}
	product := value{at: a.at}
	for _, t := range a.terms {
		for _, u := range b.terms {
			p, err := t.mul(u, b.at)
			if err != nil {
				return product, err
			}
			if product.terms, err = with(product.terms, p, b.at); err != nil {
				return product, err
			}
		}
	}
	return product, nil
}

// over divides.
func over(a, b value) (value, error) {
	switch err := b.calculated(); {
	case err != nil:
		return b, err
	case len(b.terms) > 1:
		return b, wrong(b.at, "a sum cannot be divided by. A ratio or a weighted_mean among the measures divides one total by another.")
	case a.calculated() == nil && a.number() && !b.number():
		return a, wrong(a.at, "a number by itself cannot be divided by a column. Begin with a column.")
	}
	d := b.terms[0]
	b.terms = []term{{times: new(big.Rat).Inv(d.times), over: d.under, under: d.over}}
	return times(a, b)
}

func (t term) mul(u term, at int) (term, error) {
	p := term{times: new(big.Rat).Mul(t.times, u.times), over: slices.Concat(t.over, u.over), under: slices.Concat(t.under, u.under)}
	slices.Sort(p.over)
	slices.Sort(p.under)
	for i, name := range p.over {
		if i > 0 && p.over[i-1] == name {
			return p, wrong(at, "%q is multiplied by itself. Squares tell how close values are; a variance among the measures is judged for that.", name)
		}
		if slices.Contains(p.under, name) {
			return p, wrong(at, "%q is divided by itself, or multiplied and divided by: that makes a constant.", name)
		}
	}
	for i, name := range p.under {
		if i > 0 && p.under[i-1] == name {
			return p, wrong(at, "%q is divided by twice.", name)
		}
	}
	return p, nil
}

func (t term) words() string {
	s := strings.Join(t.over, " * ")
	for _, name := range t.under {
		s += " / " + name
	}
	return s
}

// expression makes of a value what it says.
func (v value) expression() (*Expression, error) {
	if len(v.functions) > 0 {
		e := &Expression{Kind: Part, Of: v.of, Functions: v.functions}
		slices.Reverse(e.Functions)
		if slices.Contains(texts, v.functions[0]) {
			e.Kind = Text
		}
		return e, nil
	}
	if v.number() {
		return nil, wrong(v.at, "a number by itself is a constant. Use a column.")
	}
	by := big.NewInt(1)
	for _, t := range v.terms {
		d := t.times.Denom()
		by.Mul(by, new(big.Int).Div(d, new(big.Int).GCD(nil, nil, by, d)))
	}
	e := &Expression{Kind: Number, By: by.Int64()}
	limit := big.NewInt(maxFactor)
	large := by.Cmp(limit) > 0
	for _, t := range v.terms {
		n := new(big.Int).Mul(t.times.Num(), new(big.Int).Div(by, t.times.Denom()))
		large = large || n.CmpAbs(limit) > 0
		e.Terms = append(e.Terms, Term{Times: n.Int64(), Over: t.over, Under: t.under})
	}
	if large {
		return nil, wrong(v.at, "its numbers, brought to one fraction, have more than %d digits.", maxDigits)
	}
	if t := e.Terms[0]; len(e.Terms) == 1 && t.Times == e.By && len(t.Over) == 1 && len(t.Under) == 0 {
		return nil, wrong(v.at, "it is the column %q itself. Use that.", t.Over[0])
	}
	if n := len(e.Columns()); n > MaxColumns {
		return nil, wrong(v.at, "it reads %d columns; at most %d are possible.", n, MaxColumns)
	}
	return e, nil
}
