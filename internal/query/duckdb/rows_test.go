package duckdb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unicode"

	"tributary/internal/query"
)

// inMemory is the answer of package rows to what Aggregate is asked of files.
func inMemory(t *testing.T, spec query.Spec, tables []table) []query.Row {
	t.Helper()
	a, err := query.NewInMemory(spec)
	if err != nil {
		t.Fatal(err)
	}
	for n, source := range spec.Sources {
		tb := tables[source.Input]
		for _, row := range tb.rows {
			var values []query.Value
			for _, c := range spec.Datasets[source.Dataset] {
				values = append(values, row[slices.IndexFunc(tb.columns, func(o query.Column) bool { return o.Name == c.Name })])
			}
			if err := a.Add(n, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a.Rows()
}

// Rows in memory are answered as files are: numbers, derived ones, filters, groups, nulls,
// and what does not fit.
func TestRowsInMemoryAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 31))
			sales := []query.Column{kind, flag, day, units, price, rate, cost, stamp, ratio}
			visits := []query.Column{day, kind, flag, rate, stamp}
			calculated := randomDerived(r, []query.Column{units, price, rate, cost})
			calculated.Dataset, calculated.Name = "sales", "calculated"
			floating := randomDerived(r, []query.Column{units, price, ratio, cost})
			floating.Dataset, floating.Name, floating.Type, floating.Scale = "sales", "floating", query.Float, 0
			derived := []query.Derived{calculated, floating}
			for _, dataset := range []string{"sales", "visits"} {
				derived = append(derived,
					query.Derived{Dataset: dataset, Name: "place", Type: query.Text, Of: "kind", Functions: []string{"trim", []string{"lower", "upper"}[r.IntN(2)]}},
					query.Derived{Dataset: dataset, Name: "when", Type: query.Integer, Of: []string{"day", "stamp"}[r.IntN(2)], Functions: []string{query.PartsOfDates[r.IntN(5)]}})
			}
			groups := []string{"kind", "flag", "place", "when"}
			r.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
			spec := query.Spec{
				Participants: 4, Datasets: map[string][]query.Column{"sales": sales, "visits": visits}, Groups: groups[:r.IntN(4)], Derived: derived, Limits: limits,
				Measures: []query.Measure{
					{Name: "rows", Dataset: "sales", Own: query.Count, Scale: r.IntN(3)},
					{Name: "kinds", Dataset: "visits", Column: "kind", Own: query.Count},
					{Name: "price", Dataset: "sales", Column: "price", Own: query.Sum, Scale: r.IntN(5)},
					{Name: "units", Dataset: "sales", Column: "units", Own: query.Mean, Scale: r.IntN(5)},
					{Name: "ratio", Dataset: "sales", Column: "ratio", Own: query.Mean, Scale: r.IntN(9)},
					{Name: "rate", Dataset: "visits", Column: "rate", Own: query.Sum},
					{Name: "sum", Dataset: "sales", Column: "calculated", Own: query.Sum, Scale: r.IntN(5)},
					{Name: "mean", Dataset: "sales", Column: "calculated", Own: query.Mean, Scale: r.IntN(5)},
					{Name: "float", Dataset: "sales", Column: "floating", Own: query.Sum, Scale: r.IntN(9)},
					{Name: "visits", Dataset: "visits", Own: query.Count},
				},
			}
			switch low := query.DateOf(time.Unix(0, 0)); r.IntN(4) {
			case 0:
				spec.Filters = []query.Filter{{Column: "day", From: &low}}
			case 1:
				spec.Filters = []query.Filter{{Column: "kind", Equals: []query.Value{text("a"), text("é"), text("")}}, {Dataset: "sales", Column: "flag", Equals: []query.Value{query.BooleanOf(true)}}}
			case 2:
				most, least := query.DecimalOf(5_000, 3), query.FloatOf(2.5)
				spec.Filters = []query.Filter{{Dataset: "sales", Column: "price", To: &most}, {Dataset: "sales", Column: "ratio", From: &least, To: &query.Value{Type: query.Float, Float: 20}}}
			}
			var tables []table
			for i := range 7 {
				dataset := []string{"sales", "visits"}[r.IntN(2)]
				tb := table{columns: spec.Datasets[dataset], naive: i%2 == 0}
				for range r.IntN(60) {
					var row []query.Value
					for _, c := range tb.columns {
						v := random(r, c, seed%4 == 0)
						switch {
						case v.Null:
						case c.Type == query.Date:
							v.Int = r.Int64N(40_000) - 10_000
						case c.Type == query.Timestamp:
							v.Int = r.Int64N(1e15) - 5e14
						case c.Type == query.Float:
							v.Float = math.Round(r.NormFloat64()*1e6) / 1000
						case seed%4 == 1 && c.Type == query.Integer:
							v.Int = r.Int64() >> r.IntN(64)
						}
						row = append(row, v)
					}
					tb.rows = append(tb.rows, row)
				}
				tables = append(tables, tb)
				spec.Sources = append(spec.Sources, query.Source{Dataset: dataset, Participant: r.IntN(4), Input: i})
			}
			got := show(spec, inMemory(t, spec, tables))
			found, _ := answer(t, spec, save(t, tables...))
			want := show(spec, found)
			for i := range max(len(got), len(want)) {
				if at2(got, i) != at2(want, i) {
					t.Fatalf("%+v\nrow %d: %q in memory, %q of files", spec.Derived[:2], i, at2(got, i), at2(want, i))
				}
			}
		})
	}
}

// Letters become small and large alike, whatever they are.
func TestLettersInMemoryAreThoseOfFiles(t *testing.T) {
	t.Parallel()
	columns := []query.Column{kind, units}
	tb := table{columns: columns}
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsSpace(r) || unicode.IsSymbol(r) || unicode.IsNumber(r) {
			tb.rows = append(tb.rows, []query.Value{text("<" + string(r) + ">"), query.IntegerOf(int64(r))})
		}
	}
	for _, f := range []string{"lower", "upper", "trim"} {
		spec := simple(1, columns, []string{"changed"}, query.Measure{Column: "units", Own: query.Sum})
		spec.Derived = []query.Derived{{Dataset: "d", Name: "changed", Type: query.Text, Of: "kind", Functions: []string{f}}}
		found, _ := answer(t, spec, save(t, tb))
		got, want := show(spec, inMemory(t, spec, []table{tb})), show(spec, found)
		files := map[string]bool{}
		for _, line := range want {
			files[line] = true
		}
		for _, line := range got {
			if !files[line] {
				t.Errorf("%s: %q in memory alone", f, line)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d texts in memory, %d of files", f, len(got), len(want))
		}
	}
}
