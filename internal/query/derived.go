package query

import (
	"math/big"
	"slices"
	"strings"
)

// Derived is a column that is computed of each row of a dataset, by one of two kinds.
//
// A number, of type Decimal or Float, is the sum of its Terms divided by By. With all
// columns Integer or Decimal it is exact until its one rounding to Scale digits, half
// away from zero; with a Float among them it is computed in floating point. It is null
// where a column of it or of Needs is null, or a divisor zero. Of a participant that
// has a row in a cell whose Decimal has more than 18 digits, or products of more than
// 37 on the way, the measure is TooLarge.
//
// The others are Functions of the column Of, the first first: Integer is one of
// PartsOfDates, Text any of TextFunctions. They are for groups. A text that would have
// more than MaxText bytes is null.
type Derived struct {
	Dataset   string
	Name      string // not that of a column, nor like one in another case
	Type      Type
	Scale     int      `json:",omitempty"` // of Decimal
	Terms     []Term   `json:",omitempty"`
	By        int64    `json:",omitempty"` // 1 to MaxFactor
	Needs     []string `json:",omitempty"`
	Of        string   `json:",omitempty"`
	Functions []string `json:",omitempty"`
}

// Term is Times and the product of some columns, divided by others.
type Term struct {
	Times int64    // not 0; up to MaxFactor in size
	Over  []string // at least one
	Under []string `json:",omitempty"`
}

// The functions of derived columns. A week is that of ISO 8601; trim takes blanks,
// tabs, line ends and no-break spaces from both ends; lower and upper go letter by
// letter, in no language.
var (
	PartsOfDates  = []string{"year", "quarter", "month", "week", "day"}
	TextFunctions = []string{"trim", "lower", "upper"}
)

// Limits of derived columns.
const (
	MaxDerived   = 512
	MaxTerms     = 8
	MaxFactors   = 8 // columns of a term, and of all divisors
	MaxFunctions = 16
	MaxFactor    = 1_000_000_000_000
	// MaxScales is how large Scale and the scales of all columns of an exact number may
	// be together.
	MaxScales = 24
)

// Inputs lists the columns that it reads, in order of name.
func (d Derived) Inputs() []string {
	list := slices.Clone(d.Needs)
	for _, t := range d.Terms {
		list = append(append(list, t.Over...), t.Under...)
	}
	if d.Of != "" {
		list = append(list, d.Of)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Product is a whole number, multiplied by columns.
type Product struct {
	Times   *big.Int
	Columns []string
}

// Fraction is a Decimal as one fraction of whole numbers: the sum of the dividends over
// the divisor, where every column counts without its point.
func (s Spec) Fraction(d Derived) (dividends []Product, divisor Product) {
	scale := func(names []string) (n int) {
		for _, name := range names {
			c, _ := s.declared(d.Dataset, name)
			n += c.Scale
		}
		return n
	}
	// Of each term Times * Over / Under / By * 10^Scale is wanted; the columns are there
	// without their points, so over is 10^scale(Over) too large.
	under := d.Divisors()
	all := 0 // digits that the divisor gets
	for _, t := range d.Terms {
		all = max(all, scale(t.Over)-scale(t.Under)-d.Scale)
	}
	for _, t := range d.Terms {
		others := slices.DeleteFunc(slices.Clone(under), func(name string) bool { return slices.Contains(t.Under, name) })
		digits := all + d.Scale - scale(t.Over) + scale(t.Under)
		dividends = append(dividends, Product{new(big.Int).Mul(big.NewInt(t.Times), tenTo(digits)), slices.Concat(t.Over, others)})
	}
	return dividends, Product{new(big.Int).Mul(big.NewInt(d.By), tenTo(all)), under}
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// Divisors are the columns that any term is divided by, in order of name.
func (d Derived) Divisors() []string {
	var list []string
	for _, t := range d.Terms {
		list = append(list, t.Under...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// derived finds a derived column.
func (s Spec) derived(dataset, name string) (Derived, bool) {
	i := slices.IndexFunc(s.Derived, func(d Derived) bool { return d.Dataset == dataset && d.Name == name })
	if i < 0 {
		return Derived{}, false
	}
	return s.Derived[i], true
}

// calculated reports whether a column is a derived number.
func (s Spec) calculated(dataset, name string) bool {
	d, ok := s.derived(dataset, name)
	return ok && len(d.Terms) > 0
}

func (s Spec) checkDerived() error {
	for i, d := range s.Derived {
		if _, ok := s.Datasets[d.Dataset]; !ok {
			return invalid("The derived column %q is of dataset %q, which the query does not declare.", d.Name, d.Dataset)
		}
		if err := checkName("column", d.Name); err != nil {
			return err
		}
		like := func(name string) bool { return strings.EqualFold(name, d.Name) }
		if slices.ContainsFunc(s.Datasets[d.Dataset], func(c Column) bool { return like(c.Name) }) ||
			slices.ContainsFunc(s.Derived[:i], func(o Derived) bool { return o.Dataset == d.Dataset && like(o.Name) }) {
			return invalid("Dataset %q has two columns %q, one of them derived.", d.Dataset, d.Name)
		}
		if err := s.checkExpression(d); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) checkExpression(d Derived) error {
	number := d.Type == Decimal || d.Type == Float
	switch {
	case number && (d.Of != "" || len(d.Functions) > 0 || len(d.Terms) == 0 || len(d.Terms) > MaxTerms || d.By < 1 || d.By > MaxFactor):
		return invalid("The derived column %q needs 1 to %d terms, and a divisor up to %d.", d.Name, MaxTerms, MaxFactor)
	case !number && (len(d.Terms) > 0 || d.By != 0 || len(d.Needs) > 0 || len(d.Functions) == 0 || len(d.Functions) > MaxFunctions):
		return invalid("The derived column %q needs 1 to %d functions.", d.Name, MaxFunctions)
	case d.Type != Decimal && d.Scale != 0:
		return invalid("The derived column %q is %s and has a scale.", d.Name, d.Type)
	case number:
		return s.checkNumber(d)
	}
	c, err := s.declared(d.Dataset, d.Of)
	if err != nil {
		return err
	}
	known := func(functions []string) bool {
		return !slices.ContainsFunc(d.Functions, func(f string) bool { return !slices.Contains(functions, f) })
	}
	switch {
	case d.Type == Integer && (c.Type == Date || c.Type == Timestamp) && len(d.Functions) == 1 && known(PartsOfDates):
	case d.Type == Text && c.Type == Text && known(TextFunctions):
	default:
		return invalid("The derived column %q is no function of column %q, which is %s.", d.Name, c.Name, c.Type)
	}
	return nil
}

func (s Spec) checkNumber(d Derived) error {
	var under []string
	for _, t := range d.Terms {
		if t.Times == 0 || t.Times > MaxFactor || t.Times < -MaxFactor || len(t.Over) == 0 || len(t.Over)+len(t.Under) > MaxFactors {
			return invalid("The derived column %q has a term without columns or with more than %d, or a factor out of range.", d.Name, MaxFactors)
		}
		under = append(under, t.Under...)
	}
	scales, floats := d.Scale, false
	for _, name := range d.Inputs() {
		c, err := s.declared(d.Dataset, name)
		switch {
		case err != nil:
			return err
		case c.Type == Float:
			floats = true
		case c.Type != Integer && c.Type != Decimal:
			return invalid("The derived column %q calculates with column %q, which is %s.", d.Name, c.Name, c.Type)
		}
		scales += c.Scale
	}
	slices.Sort(under)
	switch {
	case floats && d.Type != Float:
		return invalid("The derived column %q is %s, and made of floats.", d.Name, d.Type)
	case d.Type == Decimal && (d.Scale < 0 || d.Scale > MaxScale || scales > MaxScales):
		return invalid("The derived column %q and its columns have %d digits after the point in all; at most %d are possible.", d.Name, scales, MaxScales)
	case len(slices.Compact(under)) > MaxFactors:
		return invalid("The derived column %q divides by more than %d columns.", d.Name, MaxFactors)
	}
	return nil
}
