package duckdb

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
)

var cost = query.Column{Name: "Cost", Type: query.Decimal, Scale: 2}

// derivedOf computes a number of one row with rationals; false if it is null.
func derivedOf(d query.Derived, columns []query.Column, row []query.Value) (*big.Rat, bool) {
	at := func(name string) query.Value {
		return row[slices.IndexFunc(columns, func(c query.Column) bool { return c.Name == name })]
	}
	rat := func(v query.Value) *big.Rat {
		return new(big.Rat).SetFrac(big.NewInt(v.Int), tenTo(v.Scale))
	}
	sum := new(big.Rat)
	for _, name := range d.Inputs() {
		if at(name).Null {
			return nil, false
		}
	}
	for _, t := range d.Terms {
		p := big.NewRat(t.Times, d.By)
		for _, name := range t.Over {
			p.Mul(p, rat(at(name)))
		}
		for _, name := range t.Under {
			if at(name).Int == 0 {
				return nil, false
			}
			p.Quo(p, rat(at(name)))
		}
		sum.Add(sum, p)
	}
	return sum, true
}

// scaled is a rational as a decimal, rounded half away from zero.
func scaled(t *testing.T, r *big.Rat, scale int) *big.Int {
	n, ok := new(big.Int).SetString(new(big.Rat).Mul(r, new(big.Rat).SetInt(tenTo(scale))).FloatString(0), 10)
	if !ok {
		t.Fatal("no number")
	}
	return n
}

// Sums and means of derived numbers are those of a column that has each row's value,
// computed with rationals and rounded once.
func TestDerivedNumbersAgainstRationals(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			columns := []query.Column{kind, units, price, rate, cost}
			d := randomDerived(r, []query.Column{units, price, rate, cost})
			spec := query.Spec{
				Participants: 3, Datasets: map[string][]query.Column{"d": columns}, Groups: []string{"kind"}[:r.IntN(2)], Limits: limits,
				Derived: []query.Derived{d, {Dataset: "d", Name: "other", Type: query.Text, Of: "kind", Functions: []string{"upper"}}},
				Measures: []query.Measure{
					{Name: "sum", Dataset: "d", Column: d.Name, Own: query.Sum, Scale: d.Scale},
					{Name: "mean", Dataset: "d", Column: d.Name, Own: query.Mean, Scale: r.IntN(6)},
					{Name: "units", Dataset: "d", Column: "units", Own: query.Sum},
					{Name: "rows", Dataset: "d", Own: query.Count},
				},
			}
			plain := spec
			plain.Derived = nil
			plain.Datasets = map[string][]query.Column{"d": append(slices.Clone(columns), query.Column{Name: d.Name, Type: query.Decimal, Scale: d.Scale})}
			var tables, computed []table
			for i := range 5 {
				tb := table{columns: columns}
				with := table{columns: plain.Datasets["d"]}
				for range r.IntN(80) {
					var row []query.Value
					for _, c := range columns {
						row = append(row, random(r, c, false))
					}
					value := query.NullOf(query.Column{Type: query.Decimal, Scale: d.Scale})
					if v, ok := derivedOf(d, columns, row); ok {
						value = query.DecimalOf(scaled(t, v, d.Scale).Int64(), d.Scale)
					}
					tb.rows, with.rows = append(tb.rows, row), append(with.rows, append(slices.Clone(row), value))
				}
				tables, computed = append(tables, tb), append(computed, with)
				spec.Sources = append(spec.Sources, query.Source{Dataset: "d", Participant: r.IntN(3), Input: i})
			}
			plain.Sources = spec.Sources
			rows, _ := answer(t, spec, save(t, tables...))
			if got, want := show(spec, rows), reference(plain, computed); !slices.Equal(got, want) {
				t.Errorf("%+v\ngot  %q\nwant %q", d, got, want)
			}
		})
	}
}

// randomDerived is a sum of up to three products.
func randomDerived(r *rand.Rand, columns []query.Column) query.Derived {
	d := query.Derived{Dataset: "d", Name: "derived", Type: query.Decimal, Scale: r.IntN(5), By: 1 + r.Int64N(200)}
	for range 1 + r.IntN(3) {
		of := query.Term{Times: r.Int64N(400) - 200}
		if of.Times == 0 {
			of.Times = 119
		}
		r.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		for i, c := range columns[:1+r.IntN(3)] {
			if i > 0 && r.IntN(2) == 0 {
				of.Under = append(of.Under, c.Name)
			} else {
				of.Over = append(of.Over, c.Name)
			}
		}
		d.Terms = append(d.Terms, of)
	}
	if r.IntN(3) == 0 {
		d.Needs = []string{columns[0].Name}
	}
	return d
}

// A row of any numbers gives the exact value, null, or hides what it is part of.
func TestHostileNumbersInDerivedColumns(t *testing.T) {
	t.Parallel()
	small := query.Column{Name: "small", Type: query.Decimal, Scale: 12}
	columns := []query.Column{tag1, units, rate, small}
	numbers := []int64{0, 1, -1, 5, -5, 3, 10, 999_999_999, 1_000_000_000, -1_000_000_000, 999_999_999_999_999_999, -999_999_999_999_999_999, 500_000_000_000_000_000}
	whole := append(slices.Clone(numbers), math.MinInt64, math.MaxInt64, math.MinInt64+1)
	for i, d := range []query.Derived{
		{Terms: []query.Term{{Times: 1, Over: []string{"units", "rate"}}}, By: 1},
		{Terms: []query.Term{{Times: -1, Over: []string{"units", "rate", "small"}}}, By: 1, Scale: 9},
		{Terms: []query.Term{{Times: 1, Over: []string{"units"}, Under: []string{"rate", "small"}}}, By: 7, Scale: 4},
		{Terms: []query.Term{{Times: 1, Over: []string{"units"}}, {Times: -1, Over: []string{"rate"}}, {Times: 3, Over: []string{"small"}}}, By: 2},
		{Terms: []query.Term{{Times: 1, Over: []string{"units"}, Under: []string{"rate"}}, {Times: 1, Over: []string{"rate"}, Under: []string{"units"}}}, By: 1, Scale: 2},
		{Terms: []query.Term{{Times: query.MaxFactor, Over: []string{"units"}}}, By: query.MaxFactor - 1, Scale: 12},
		{Terms: []query.Term{{Times: -query.MaxFactor, Over: []string{"small"}}}, By: 1, Scale: 12},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			d.Dataset, d.Name, d.Type = "d", "derived", query.Decimal
			tb := table{columns: columns}
			type want struct {
				value *big.Int
				null  bool
			}
			var wants []want
			for _, u := range whole {
				for _, v := range numbers {
					for _, w := range numbers {
						row := []query.Value{text(fmt.Sprintf("%08d", len(tb.rows))), query.IntegerOf(u), query.DecimalOf(v, 0), query.DecimalOf(w, 12)}
						tb.rows = append(tb.rows, row)
						value, ok := derivedOf(d, columns, row)
						if !ok {
							wants = append(wants, want{null: true})
						} else {
							wants = append(wants, want{value: scaled(t, value, d.Scale)})
						}
					}
				}
			}
			spec := simple(1, columns, []string{"Tag1"}, query.Measure{Column: "derived", Own: query.Sum, Scale: d.Scale})
			spec.Derived = []query.Derived{d}
			rows, _ := answer(t, spec, save(t, tb))
			exact, hidden := 0, 0
			for n, r := range rows {
				got, w := r.Values[0], wants[n]
				switch {
				case w.null:
					if got.Present {
						t.Fatalf("%v: got %d, want null", tb.rows[n], got.Fixed)
					}
				case got.Present && got.Fixed == query.TooLarge:
					hidden++
					if w.value.CmpAbs(tenTo(18)) < 0 && !farOnTheWay(d, columns, tb.rows[n]) {
						t.Fatalf("%v: is too large, want %s", tb.rows[n], w.value)
					}
				case !got.Present || big.NewInt(got.Fixed).Cmp(w.value) != 0:
					t.Fatalf("%v: got %+v, want %s", tb.rows[n], got, w.value)
				default:
					exact++
				}
			}
			if exact == 0 || hidden == 0 {
				t.Errorf("%d exact, %d too large: the test does not reach what it should", exact, hidden)
			}
		})
	}
}

// farOnTheWay reports whether a product may have more than 36 digits before it is
// divided, or before a zero.
func farOnTheWay(d query.Derived, columns []query.Column, row []query.Value) bool {
	limit, far := tenTo(36), false
	scales := d.Scale
	for _, name := range d.Inputs() {
		c, _ := query.Spec{Datasets: map[string][]query.Column{"d": columns}}.Column("d", name)
		scales += c.Scale
	}
	for _, t := range append(slices.Clone(d.Terms), query.Term{Times: d.By}) {
		p := new(big.Int).Mul(big.NewInt(t.Times), tenTo(scales))
		names := slices.Clone(t.Over)
		for _, other := range d.Terms {
			names = append(names, other.Under...)
		}
		for _, name := range names {
			i := slices.IndexFunc(columns, func(c query.Column) bool { return c.Name == name })
			if row[i].Int != 0 {
				p.Mul(p, big.NewInt(row[i].Int))
			}
		}
		far = far || p.CmpAbs(limit) >= 0
	}
	return far
}

// One participant's value that does not fit hides its own number in that cell, joined
// from all its files; nobody else's, and not in other cells.
func TestDerivedNumbersThatDoNotFit(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, units, rate}
	row := func(tag string, u, v int64) []query.Value {
		return []query.Value{text(tag), query.IntegerOf(u), query.DecimalOf(v, 0)}
	}
	files := save(t,
		table{columns: columns, rows: [][]query.Value{row("x", math.MaxInt64, 1_000_000), row("x", 2, 3), row("y", 2, 3)}},
		table{columns: columns, rows: [][]query.Value{row("x", 5, 5)}},
		table{columns: columns, rows: [][]query.Value{row("x", 7, 1), {text("x"), none(units), query.DecimalOf(1, 0)}, {text("z"), none(units), none(rate)}}},
	)
	spec := simple(2, columns, []string{"Tag1"}, query.Measure{Column: "p", Own: query.Sum}, query.Measure{Column: "p", Own: query.Mean, Scale: 1}, query.Measure{Column: "units", Own: query.Count})
	spec.Sources = append(spec.Sources, query.Source{Dataset: "d", Participant: 1, Input: 2})
	spec.Sources[1].Participant = 0
	spec.Derived = []query.Derived{{Dataset: "d", Name: "p", Type: query.Decimal, Terms: []query.Term{{Times: 1, Over: []string{"rate", "units"}}}, By: 1}}
	rows, _ := answer(t, spec, files)
	large := query.FormatFixed(query.TooLarge, 0)
	equal(t, show(spec, rows), []string{"x|0|3|" + large + "|" + query.FormatFixed(query.TooLarge, 1) + "|3", "x|1|2|7|7.0|1", "y|0|1|6|6.0|1", "z|1|1|-|-|0"})
}

// Floats stay floats: what becomes infinite is too large, what is divided by zero is
// null, and a float that is none is refused as it is elsewhere.
func TestDerivedFloats(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, ratio, units, cost}
	row := func(tag string, f float64, u, c int64) []query.Value {
		return []query.Value{text(tag), query.FloatOf(f), query.IntegerOf(u), query.DecimalOf(c, 2)}
	}
	spec := simple(1, columns, []string{"Tag1"}, query.Measure{Column: "f", Own: query.Sum, Scale: 3})
	spec.Derived = []query.Derived{{Dataset: "d", Name: "f", Type: query.Float, By: 2, Terms: []query.Term{{Times: 3, Over: []string{"ratio", "units"}, Under: []string{"Cost"}}}}}
	rows, _ := answer(t, spec, save(t, table{columns: columns, rows: [][]query.Value{
		row("a", 0.5, 4, 150), row("a", 0.25, 2, 0), row("b", math.MaxFloat64, 1000, 1), row("b", -math.MaxFloat64, 1000, 1), row("c", 1, 1, 0),
		row("d", math.MaxFloat64, math.MaxInt64, 999_999_999_999_999_999), row("e", 5e-324, 1, 999_999_999_999_999_999),
	}}))
	large := query.FormatFixed(query.TooLarge, 3)
	equal(t, show(spec, rows), []string{"a|0|2|2.000", "b|0|2|" + large, "c|0|1|-", "d|0|1|" + large, "e|0|1|0.000"})
	for _, f := range []float64{math.NaN(), math.Inf(1)} {
		if _, _, err := try(t, spec, save(t, table{columns: columns, rows: [][]query.Value{row("a", f, 0, 0)}})); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), `"ratio"`) {
			t.Errorf("%v: got %v, want invalid that names the column", f, err)
		}
	}
	if n := threadsFor(spec); n != 1 {
		t.Errorf("floats are added on %d threads", n)
	}
}

// Parts of dates and texts are groups, at both ends of the calendar, with time zones
// and without.
func TestDerivedGroups(t *testing.T) {
	t.Parallel()
	columns := []query.Column{kind, day, stamp, units}
	for _, naive := range []bool{false, true} {
		tb := table{columns: columns, naive: naive}
		var want []string
		for _, at := range []time.Time{
			time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC),
			time.Date(2020, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 3, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		} {
			tb.rows = append(tb.rows, []query.Value{text(" \t\u00a0Zürich ÅB\r\n"), query.DateOf(at), query.TimestampOf(at), query.IntegerOf(1)})
			_, week := at.ISOWeek()
			want = append(want, fmt.Sprintf("zürich åb|%d|%d|%d|%d|%d|0|1|1", at.Year(), (at.Month()+2)/3, at.Month(), week, at.Day()))
		}
		tb.rows = append(tb.rows, []query.Value{none(kind), none(day), none(stamp), query.IntegerOf(2)})
		want = append(want, "∅|∅|∅|∅|∅|∅|0|1|2")
		for _, of := range []string{"day", "stamp"} {
			spec := simple(1, columns, []string{"place", "year", "quarter", "month", "week", "d"}, query.Measure{Column: "units", Own: query.Sum})
			part := func(name, function string) query.Derived {
				return query.Derived{Dataset: "d", Name: name, Type: query.Integer, Of: of, Functions: []string{function}}
			}
			spec.Derived = []query.Derived{
				{Dataset: "d", Name: "place", Type: query.Text, Of: "kind", Functions: []string{"trim", "upper", "lower"}},
				part("year", "year"), part("quarter", "quarter"), part("month", "month"), part("week", "week"), part("d", "day"),
			}
			rows, _ := answer(t, spec, save(t, tb))
			got := show(spec, rows)
			slices.Sort(got)
			slices.Sort(want)
			equal(t, got, want)
		}
	}
}

// Letters whose lower case has more bytes do not make a text that no group can have.
func TestATextThatGetsLongerIsNull(t *testing.T) {
	t.Parallel()
	columns := []query.Column{kind, units}
	long := strings.Repeat("Ⱥ", query.MaxText/2)
	tb := table{columns: columns, rows: [][]query.Value{{text(long), query.IntegerOf(1)}, {text("Ⱥ"), query.IntegerOf(2)}}}
	spec := simple(1, columns, []string{"low"}, query.Measure{Column: "units", Own: query.Sum})
	spec.Derived = []query.Derived{{Dataset: "d", Name: "low", Type: query.Text, Of: "kind", Functions: []string{"lower"}}}
	rows, _ := answer(t, spec, save(t, tb))
	equal(t, show(spec, rows), []string{"∅|0|1|1", "ⱥ|0|1|2"})
}

// Names of files' and derived columns stay apart from those that the engine makes, and
// nobody's file says whose it is.
func TestNamesOfDerivedColumns(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"_v0", "_V0", "__fits0", "file_index", "FILE_INDEX", "t", `a"b`, "select", "_decimal1", "_decimal0"} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			mine := query.Column{Name: name, Type: query.Decimal, Scale: 2}
			columns := []query.Column{tag1, mine}
			row := func(v int64) []query.Value { return []query.Value{text("x"), query.DecimalOf(v, 2)} }
			files := save(t, table{columns: columns, rows: [][]query.Value{row(100)}}, table{columns: columns, rows: [][]query.Value{row(700)}})
			spec := simple(2, columns, []string{"Tag1"}, query.Measure{Column: name + "2", Own: query.Sum, Scale: 2}, query.Measure{Column: name, Own: query.Sum, Scale: 2})
			spec.Derived = []query.Derived{{Dataset: "d", Name: name + "2", Type: query.Decimal, Scale: 2, Terms: []query.Term{{Times: 2, Over: []string{name}}}, By: 1}}
			one := query.DecimalOf(50, 2)
			spec.Filters = []query.Filter{{Column: name, From: &one}}
			rows, totals := answer(t, spec, files)
			equal(t, show(spec, rows), []string{"x|0|1|2.00|1.00", "x|1|1|14.00|7.00"})
			if !slices.Equal(totals.Scanned, []int64{1, 1}) {
				t.Errorf("scanned: %v", totals.Scanned)
			}
		})
	}
}
