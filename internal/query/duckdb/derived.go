package duckdb

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tributary/internal/query"
)

// derivation is a derived column on its way into SQL. Numbers are computed in steps,
// each a SELECT around the one before, so that nothing is computed twice:
//
//	inputs   the columns as whole numbers, without their points; or all as DOUBLE
//	fits     true if no product has more than 37 digits on the way, false if one has,
//	         null if a column is null or a divisor 0; HUGEINT overflows are errors, so
//	         nothing is multiplied where it is not true
//	n, d     dividend and divisor, where it is
//	v        n/d, rounded, if it has no more than 18 digits
//
// A participant has too large a value where fits is not null and v is.
type derivation struct {
	query.Derived
	s      *scan
	number int
}

// most is below what HUGEINT holds by enough for twice one and once another.
const most = "1e37"

// derivations are those of the scan's dataset. Their names in SQL begin with what no
// column's name begins with, in any case.
func (s *scan) derivations() []derivation {
	var list []derivation
	s.alias, s.prefix = map[string]string{}, "_"
	for slices.ContainsFunc(s.spec.Datasets[s.dataset], func(c query.Column) bool { return strings.HasPrefix(c.Name, s.prefix) }) || strings.HasPrefix(s.fileName, s.prefix) {
		s.prefix += "_"
	}
	for i, d := range s.spec.Derived {
		if d.Dataset == s.dataset {
			of := derivation{d, s, i}
			list = append(list, of)
			s.alias[d.Name] = of.name("v")
		}
	}
	return list
}

func (d derivation) name(step string) string { return fmt.Sprint(d.s.prefix, step, d.number) }

func (d derivation) at(step string) string { return "t." + identifier(d.name(step)) }

// reference is how SQL names a column, derived or not.
func (s *scan) reference(name string) string {
	if alias, ok := s.alias[name]; ok {
		return "t." + identifier(alias)
	}
	return qualified(name)
}

// tooLarge is the aggregate that says that a row has a value that does not fit; of a
// column that has none such it is empty.
func (s *scan) tooLarge(name string) string {
	for _, d := range s.derived {
		if d.Name == name && d.Type == query.Decimal {
			return "bool_or(" + d.at("fits") + " IS NOT NULL AND " + d.at("v") + " IS NULL)"
		}
	}
	return ""
}

// from is what run selects from, and the condition.
func (s *scan) from(which, files, where string) string {
	source := " FROM " + files + " AS t" + where
	if len(s.derived) == 0 {
		return source
	}
	columns := []string{which}
	for _, c := range s.spec.Datasets[s.dataset] {
		columns = append(columns, qualified(c.Name))
	}
	var fits, parts, values []string
	inputs := map[string]bool{}
	as := func(list *[]string, d derivation, step, sql string) {
		*list = append(*list, sql+" AS "+identifier(d.name(step)))
	}
	for _, d := range s.derived {
		if d.Type == query.Integer || d.Type == query.Text {
			as(&columns, d, "v", d.function())
			continue
		}
		for _, name := range d.Inputs() {
			if input := d.input(name); !inputs[input] {
				inputs[input] = true
				columns = append(columns, d.whole(name)+" AS "+identifier(input))
			}
		}
		if d.Type == query.Float {
			as(&fits, d, "v", d.float())
			continue
		}
		as(&fits, d, "fits", d.fits())
		n, by := d.fraction()
		as(&parts, d, "n", "CASE WHEN "+d.at("fits")+" THEN "+n+" END")
		as(&parts, d, "d", "CASE WHEN "+d.at("fits")+" THEN "+by+" END")
		as(&values, d, "v", d.rounded())
	}
	source = " FROM (SELECT " + strings.Join(columns, ", ") + source + ") AS t"
	for _, step := range [][]string{fits, parts, values} {
		if len(step) > 0 {
			source = " FROM (SELECT t.*, " + strings.Join(step, ", ") + source + ") AS t"
		}
	}
	return source
}

// function is a part of a date or a text.
func (d derivation) function() string {
	c, _ := d.s.spec.Column(d.Dataset, d.Of)
	sql := qualified(d.Of)
	if c.Type == query.Timestamp { // with a time zone or without
		sql = "make_timestamp(epoch_us(" + sql + "))"
	}
	for _, f := range d.Functions {
		switch f {
		case "trim":
			sql = "trim(" + sql + ", ' ' || chr(9) || chr(10) || chr(13) || chr(160))"
		default: // query.Spec.Check knows all
			sql = f + "(" + sql + ")"
		}
	}
	if d.Type == query.Text {
		return fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN %s END", sql, query.MaxText, sql)
	}
	return "CAST(" + sql + " AS BIGINT)"
}

// input names a column as it is calculated with; all derived columns share them.
func (d derivation) input(name string) string {
	i := slices.IndexFunc(d.s.spec.Datasets[d.Dataset], func(c query.Column) bool { return c.Name == name })
	return fmt.Sprint(d.s.prefix, d.Type, i)
}

func (d derivation) operand(name string) string { return "t." + identifier(d.input(name)) }

// whole is a column as it is calculated with.
func (d derivation) whole(name string) string {
	c, _ := d.s.spec.Column(d.Dataset, name)
	switch {
	case d.Type == query.Float:
		return "CAST(" + qualified(name) + " AS DOUBLE)"
	case c.Scale == 0:
		return "CAST(" + qualified(name) + " AS HUGEINT)"
	}
	// A product of two decimals up to 18 digits wide would be taken to have no more.
	return fmt.Sprintf("CAST(CAST(%s AS DECIMAL(38, %d)) * CAST(%s AS DECIMAL(%d, 0)) AS HUGEINT)", qualified(name), c.Scale, tenTo(c.Scale), c.Scale+1)
}

// there is the condition that nothing is null, and no divisor 0.
func (d derivation) there() string {
	var conditions []string
	for _, name := range d.Inputs() {
		conditions = append(conditions, d.operand(name)+" IS NOT NULL")
	}
	for _, name := range d.Divisors() {
		conditions = append(conditions, d.operand(name)+" <> 0")
	}
	return strings.Join(conditions, " AND ")
}

// float is the number in floating point, with what may make it infinite.
func (d derivation) float() string {
	var terms []string
	for _, t := range d.Terms {
		sql := fmt.Sprintf("CAST(%d AS DOUBLE)", t.Times)
		for _, name := range t.Over {
			sql += " * " + d.operand(name)
		}
		for _, name := range t.Under {
			sql += " / " + d.operand(name)
		}
		terms = append(terms, "("+sql+")")
	}
	return fmt.Sprintf("CASE WHEN %s THEN (%s) / CAST(%d AS DOUBLE) END", d.there(), strings.Join(terms, " + "), d.By)
}

// fraction is dividend and divisor.
func (d derivation) fraction() (n, by string) {
	terms, divisor := d.s.spec.Fraction(d.Derived)
	sql := func(p query.Product) string {
		s := "CAST('" + p.Times.String() + "' AS HUGEINT)"
		for _, name := range p.Columns {
			s += " * " + d.operand(name)
		}
		return s
	}
	var sum []string
	for _, t := range terms {
		sum = append(sum, sql(t))
	}
	return strings.Join(sum, " + "), sql(divisor)
}

// fits is the sum of what the products can come to on the way, compared.
func (d derivation) fits() string {
	terms, divisor := d.s.spec.Fraction(d.Derived)
	sql := func(p query.Product) string {
		s := "CAST('" + new(big.Int).Abs(p.Times).String() + "' AS DOUBLE)"
		for _, name := range p.Columns {
			s += " * greatest(abs(CAST(" + d.operand(name) + " AS DOUBLE)), 1)"
		}
		return s
	}
	var sum []string
	for _, t := range terms {
		sum = append(sum, sql(t))
	}
	return "CASE WHEN " + d.there() + " THEN " + strings.Join(sum, " + ") + " < " + most + " AND " + sql(divisor) + " < " + most + " END"
}

// rounded divides, half away from zero. Nothing is divided by 1.
func (d derivation) rounded() string {
	n, by := d.at("n"), d.at("d")
	value := n
	if _, divisor := d.s.spec.Fraction(d.Derived); len(divisor.Columns) > 0 || divisor.Times.Cmp(big.NewInt(1)) != 0 {
		size := fmt.Sprintf("(2 * abs(%s) + abs(%s)) // (2 * abs(%s))", n, by, by)
		value = fmt.Sprintf("(CASE WHEN (%s < 0) <> (%s < 0) THEN -(%s) ELSE %s END)", n, by, size, size)
	}
	return fmt.Sprintf("CASE WHEN abs(%s) < CAST('%s' AS HUGEINT) THEN CAST(%s AS BIGINT) END", value, tenTo(18), value)
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
