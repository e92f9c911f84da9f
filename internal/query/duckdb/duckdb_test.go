package duckdb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"tributary/internal/query"
)

var (
	tag1  = query.Column{Name: "Tag1", Type: query.Text}
	tag2  = query.Column{Name: "Tag2", Type: query.Text}
	money = query.Column{Name: "Value", Type: query.Decimal, Scale: 2}
)

func text(s string) query.Value       { return query.TextOf(s) }
func cents(n int64) query.Value       { return query.DecimalOf(n, 2) }
func none(c query.Column) query.Value { return query.NullOf(c) }

func TestGoldenCase(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, tag2, money}
	files := save(t,
		table{columns: columns, rows: [][]query.Value{
			{text("HKSwsV"), text("vBpWCc"), cents(1000)}, {text("TObvCS"), text("IialNu"), cents(1300)}, {text("SYJshY"), text("NYoZaS"), cents(11300)},
		}},
		table{columns: columns, rows: [][]query.Value{
			{text("HKSwsV"), text("vBpWCc"), cents(2000)}, {text("TObvCS"), text("IialNu"), cents(1500)},
		}})
	spec := simple(2, columns, []string{"Tag1", "Tag2"}, query.Measure{Column: "Value", Own: query.Mean, Scale: 1})
	rows, totals := answer(t, spec, files)
	equal(t, show(spec, rows), []string{
		"HKSwsV|vBpWCc|0|1|10.0", "HKSwsV|vBpWCc|1|1|20.0", "SYJshY|NYoZaS|0|1|113.0", "TObvCS|IialNu|0|1|13.0", "TObvCS|IialNu|1|1|15.0",
	})
	if totals.Scanned[0] != 3 || totals.Scanned[1] != 2 || totals.Rows != 5 {
		t.Errorf("totals: got %+v, want 3 and 2 rows scanned, 5 rows", totals)
	}
}

func TestKeysStayApart(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, tag2}
	one := table{columns: columns, rows: [][]query.Value{
		{text("ab"), text("c")}, {text("a"), text("bc")}, {text(""), text("abc")}, {none(tag1), text("abc")}, {text("abc"), none(tag2)}, {text("abc"), text("")},
		{text("a\x01b"), text("c")}, {text("a"), text("b\x01c")}, {text("a\x00b"), text("c")}, {text("Z"), text("é")}, {text("z"), text("e\u0301")}, {text("日本語の長い文字列です"), text("🦆")},
	}}
	spec := simple(1, columns, []string{"Tag1", "Tag2"}, query.Measure{Own: query.Count})
	rows, _ := answer(t, spec, save(t, one))
	equal(t, show(spec, rows), []string{
		"∅|abc|0|1|1", "|abc|0|1|1", "Z|é|0|1|1", "a|b\x01c|0|1|1", "a|bc|0|1|1", "a\x00b|c|0|1|1", "a\x01b|c|0|1|1", "ab|c|0|1|1", "abc|∅|0|1|1", "abc||0|1|1",
		"z|e\u0301|0|1|1", "日本語の長い文字列です|🦆|0|1|1",
	})
}

func TestOnlyNullsAreAbsent(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, money}
	some := table{columns: columns, rows: [][]query.Value{{text("x"), none(money)}, {text("x"), cents(101)}, {text("x"), cents(-200)}, {text("y"), none(money)}}}
	empty := table{columns: columns}
	spec := simple(3, columns, []string{"Tag1"},
		query.Measure{Column: "Value", Own: query.Sum, Scale: 2}, query.Measure{Column: "Value", Own: query.Mean, Scale: 2},
		query.Measure{Column: "Value", Own: query.Count}, query.Measure{Own: query.Count})
	rows, totals := answer(t, spec, save(t, some, empty, some))
	equal(t, show(spec, rows), []string{
		"x|0|3|-0.99|-0.50|2|3", "x|2|3|-0.99|-0.50|2|3", "y|0|1|-|-|0|1", "y|2|1|-|-|0|1", // -0.495 away from zero
	})
	if totals.Scanned[1] != 0 {
		t.Errorf("scanned of the empty file: got %d, want 0", totals.Scanned[1])
	}
}

func TestNothingToRead(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, money}
	spec := simple(2, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum})
	rows, totals := answer(t, spec, save(t, table{columns: columns}, table{columns: columns, required: true}))
	if len(rows) != 0 || totals.Rows != 0 {
		t.Errorf("empty files: got %d rows", len(rows))
	}
	spec.Sources = nil
	if rows, _ := answer(t, spec, nil); len(rows) != 0 {
		t.Errorf("no files: got %d rows", len(rows))
	}
}

// Required columns have fewer aggregates, and no groups are one cell.
func TestRequiredColumnsAndOneCell(t *testing.T) {
	t.Parallel()
	columns := []query.Column{units, ratio}
	one := table{columns: columns, required: true, rows: [][]query.Value{
		{query.IntegerOf(1), query.FloatOf(0.5)}, {query.IntegerOf(2), query.FloatOf(-1)}, {query.IntegerOf(4), query.FloatOf(0.25)},
	}}
	spec := simple(2, columns, nil, query.Measure{Column: "units", Own: query.Mean, Scale: 4}, query.Measure{Column: "units", Own: query.Count, Scale: 1},
		query.Measure{Column: "ratio", Own: query.Sum, Scale: 1}, query.Measure{Column: "ratio", Own: query.Count})
	rows, _ := answer(t, spec, save(t, one, one))
	equal(t, show(spec, rows), []string{"0|3|2.3333|3.0|-0.3|3", "1|3|2.3333|3.0|-0.3|3"}) // -0.25 away from zero
}

func TestManyParticipants(t *testing.T) {
	t.Parallel()
	const participants = 1000
	columns := []query.Column{tag1, money}
	var tables []table
	var want []string
	for i := range participants {
		tables = append(tables, table{columns: columns, rows: [][]query.Value{{text("a"), cents(int64(i))}, {text("a"), cents(1)}, {text("b"), cents(int64(-i))}}})
	}
	for _, key := range []string{"a", "b"} {
		for i := range int64(participants) {
			sum, count := i+1, 2
			if key == "b" {
				sum, count = -i, 1
			}
			want = append(want, fmt.Sprintf("%s|%d|%d|%s", key, i, count, query.FormatFixed(sum, 2)))
		}
	}
	spec := simple(participants, columns, []string{"Tag1"}, query.Measure{Column: "Value", Own: query.Sum, Scale: 2})
	rows, _ := answer(t, spec, save(t, tables...))
	equal(t, show(spec, rows), want)
}

// One thread and one order: the same bits every time, in any file layout.
func TestFloatsAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	columns := []query.Column{tag1, ratio}
	r := rand.New(rand.NewPCG(7, 7))
	tables := make([]table, 3)
	sums := map[string]float64{}
	for i := range tables {
		tables[i].columns, tables[i].group = columns, 5000 // row groups are what threads share
		own := map[string]float64{}                        // sources are added up first
		for range 200_000 {
			key, f := string(rune('a'+r.IntN(3))), (r.Float64()-0.5)*math.Pow(10, float64(r.IntN(12)))
			tables[i].rows = append(tables[i].rows, []query.Value{text(key), query.FloatOf(f)})
			own[key] += f
		}
		for key, sum := range own {
			sums[key] += sum
		}
	}
	files := save(t, tables...)
	spec := simple(1, columns, []string{"Tag1"}, query.Measure{Column: "ratio", Own: query.Sum, Scale: 6})
	spec.Sources = []query.Source{{Dataset: "d", Input: 0}, {Dataset: "d", Input: 1}, {Dataset: "d", Input: 2}}
	for range 20 {
		rows, _ := answer(t, spec, files)
		if len(rows) != 3 {
			t.Fatalf("got %d rows, want 3", len(rows))
		}
		for _, row := range rows {
			want, _ := query.FixedFloat(sums[row.Key[0].Text], 1, 6)
			if row.Values[0].Fixed != want {
				t.Fatalf("sum of %s: got %d, want %d", row.Key[0].Text, row.Values[0].Fixed, want)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	columns := []query.Column{kind, flag, day, units, price, stamp, ratio, rate}
	values := func(i int64) []query.Value {
		return []query.Value{
			text(fmt.Sprint("k", i)), query.BooleanOf(i%2 == 1), {Type: query.Date, Int: i}, query.IntegerOf(i), query.DecimalOf(i, 3),
			{Type: query.Timestamp, Int: i}, query.FloatOf(float64(i) / 2), query.DecimalOf(i, 0),
		}
	}
	tables := []table{{columns: columns}, {columns: columns, naive: true}}
	for i := range tables {
		for n := range int64(9) {
			tables[i].rows = append(tables[i].rows, values(n-4)) // -4 to 4
		}
		var nulls []query.Value
		for _, c := range columns {
			nulls = append(nulls, query.NullOf(c))
		}
		tables[i].rows = append(tables[i].rows, nulls)
	}
	files := save(t, tables...)
	at := func(column int, i int64) query.Value { return values(i)[column] }
	for i, c := range columns {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			from, to, other := at(i, -1), at(i, 2), at(i, 1)
			wants := [...]int64{1, 2, 4, 6, 7}
			switch c {
			case kind: // k-1 k-2 k-3 k-4 k0 k1 k2 k3 k4
				wants = [...]int64{1, 2, 7, 9, 7}
			case flag: // 1 and 3 are true
				wants = [...]int64{7, 9, 7, 9, 7}
			}
			for n, f := range []struct {
				name   string
				filter query.Filter
			}{
				{"equal", query.Filter{Equals: []query.Value{to}}},
				{"one of", query.Filter{Equals: []query.Value{to, other}}},
				{"between", query.Filter{From: &from, To: &to}},
				{"at least", query.Filter{From: &from}},
				{"at most", query.Filter{To: &to}},
			} {
				want := wants[n]
				f.filter.Column = c.Name
				spec := simple(2, columns, nil, query.Measure{Own: query.Count})
				spec.Filters = []query.Filter{f.filter}
				rows, totals := answer(t, spec, files)
				if len(rows) != 2 || rows[0].Count != want || rows[1].Count != want {
					t.Errorf("%s: got %+v, want count %d", f.name, rows, want)
				}
				if totals.Scanned[0] != 10 {
					t.Errorf("%s: got %d rows scanned, want 10", f.name, totals.Scanned[0])
				}
			}
		})
	}
}
