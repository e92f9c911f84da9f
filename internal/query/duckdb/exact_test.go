package duckdb

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tributary/internal/query"
)

var (
	kind  = query.Column{Name: "kind", Type: query.Text}
	flag  = query.Column{Name: "flag", Type: query.Boolean}
	day   = query.Column{Name: "day", Type: query.Date}
	units = query.Column{Name: "units", Type: query.Integer}
	price = query.Column{Name: "price", Type: query.Decimal, Scale: 3}
	stamp = query.Column{Name: "stamp", Type: query.Timestamp}
	ratio = query.Column{Name: "ratio", Type: query.Float}
	rate  = query.Column{Name: "rate", Type: query.Decimal, Scale: 0}
)

// random gives a value of a column, often null, often extreme.
func random(r *rand.Rand, c query.Column, huge bool) query.Value {
	if r.IntN(5) == 0 {
		return query.NullOf(c)
	}
	v := query.Value{Type: c.Type, Scale: c.Scale}
	switch c.Type {
	case query.Text:
		v.Text = []string{"", "a", "ab", "bc", "c", "é", "日本", "\x01", "a long text that is not in place", "a long text that is not in Place"}[r.IntN(10)]
	case query.Boolean:
		v.Int = r.Int64N(2)
	case query.Date:
		v.Int = r.Int64N(4) - 2
	case query.Timestamp:
		v.Int = r.Int64N(3) - 1
	case query.Float:
		v.Float = float64(r.IntN(100)) / 4
	default:
		v.Int = r.Int64N(20_001) - 10_000
		if huge {
			v.Int = r.Int64N(2e17) - 1e17
		}
	}
	return v
}

// reference computes what Aggregate must, slowly and with rationals.
func reference(spec query.Spec, tables []table) []string {
	type cell struct {
		key         []query.Value
		participant int
		count       int64
		n           []int64
		sum         []*big.Rat
		rows        []bool // that have the measure's dataset
	}
	cells := map[string]*cell{}
	for _, source := range spec.Sources {
		tb := tables[source.Input]
		column := func(name string) int {
			return slices.IndexFunc(tb.columns, func(c query.Column) bool { return c.Name == name })
		}
		for _, row := range tb.rows {
			key := make([]query.Value, len(spec.Groups))
			for i, name := range spec.Groups {
				key[i] = row[column(name)]
			}
			id := fmt.Sprintf("%#v %d", key, source.Participant)
			c := cells[id]
			if c == nil {
				c = &cell{key: key, participant: source.Participant, n: make([]int64, len(spec.Measures)), rows: make([]bool, len(spec.Measures))}
				for range spec.Measures {
					c.sum = append(c.sum, new(big.Rat))
				}
				cells[id] = c
			}
			c.count++
			for i, m := range spec.Measures {
				if m.Dataset != source.Dataset {
					continue
				}
				c.rows[i] = true
				if m.Column == "" {
					c.n[i]++
					continue
				}
				if v := row[column(m.Column)]; !v.Null {
					c.n[i]++
					unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil)
					c.sum[i].Add(c.sum[i], new(big.Rat).SetFrac(big.NewInt(v.Int), unit))
				}
			}
		}
	}
	var all []*cell
	for _, c := range cells {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *cell) int {
		if c := query.CompareKeys(a.key, b.key); c != 0 {
			return c
		}
		return a.participant - b.participant
	})
	var lines []string
	for _, c := range all {
		line := ""
		for _, v := range c.key {
			if v.Null {
				line += "∅|"
			} else {
				line += v.String() + "|"
			}
		}
		line += fmt.Sprintf("%d|%d", c.participant, c.count)
		for i, m := range spec.Measures {
			switch {
			case m.Own == query.Count && c.rows[i]:
				line += "|" + new(big.Rat).SetInt64(c.n[i]).FloatString(m.Scale)
			case m.Own == query.Count || c.n[i] == 0:
				line += "|-"
			case m.Own == query.Sum:
				line += "|" + decimal(c.sum[i], m.Scale)
			default:
				line += "|" + decimal(new(big.Rat).Quo(c.sum[i], new(big.Rat).SetInt64(c.n[i])), m.Scale)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// decimal is FloatString, which rounds half away from zero, without "-0.00".
func decimal(r *big.Rat, scale int) string {
	s := r.FloatString(scale)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// Two datasets with different columns in different orders, several sources of
// one participant, participants with only one dataset, nulls and empty files.
func TestExactAgainstRationals(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			sales := []query.Column{kind, flag, day, units, price, stamp}
			visits := []query.Column{day, kind, flag, rate, stamp}
			groups := []string{"kind", "flag", "day", "stamp"}
			r.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
			huge := seed%4 == 0
			scale := r.IntN(5)
			if huge {
				scale = 0
			}
			spec := query.Spec{
				Participants: 4, Datasets: map[string][]query.Column{"sales": sales, "visits": visits}, Groups: groups[:r.IntN(5)], Limits: limits,
				Measures: []query.Measure{
					{Name: "rows", Dataset: "sales", Own: query.Count, Scale: scale},
					{Name: "rate mean", Dataset: "visits", Column: "rate", Own: query.Mean, Scale: scale},
					{Name: "price sum", Dataset: "sales", Column: "price", Own: query.Sum, Scale: scale},
					{Name: "price mean", Dataset: "sales", Column: "price", Own: query.Mean, Scale: scale},
					{Name: "kinds", Dataset: "visits", Column: "kind", Own: query.Count},
					{Name: "units mean", Dataset: "sales", Column: "units", Own: query.Mean, Scale: r.IntN(2)},
					{Name: "units sum", Dataset: "sales", Column: "units", Own: query.Sum},
					{Name: "visits", Dataset: "visits", Own: query.Count},
					{Name: "units", Dataset: "sales", Column: "units", Own: query.Count},
				},
			}
			var tables []table
			for i := range 9 {
				dataset := []string{"sales", "visits"}[r.IntN(2)]
				columns := slices.Clone(spec.Datasets[dataset])
				columns = append(columns, query.Column{Name: fmt.Sprint("extra", i), Type: query.Text})
				r.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
				tb := table{columns: columns, naive: i%2 == 0}
				for range r.IntN(60) {
					var row []query.Value
					for _, c := range columns {
						row = append(row, random(r, c, huge))
					}
					tb.rows = append(tb.rows, row)
				}
				if i == 3 {
					tb.rows = nil
				}
				tables = append(tables, tb)
				spec.Sources = append(spec.Sources, query.Source{Dataset: dataset, Participant: r.IntN(4), Input: i})
			}
			r.Shuffle(len(spec.Sources), func(i, j int) { spec.Sources[i], spec.Sources[j] = spec.Sources[j], spec.Sources[i] })
			rows, totals := answer(t, spec, save(t, tables...))
			got, want := show(spec, rows), reference(spec, tables)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("row %d: got %q, want %q", i, at2(got, i), at2(want, i))
				}
			}
			for i, source := range spec.Sources {
				if got, want := totals.Scanned[i], int64(len(tables[source.Input].rows)); got != want {
					t.Errorf("source %d: got %d rows scanned, want %d", i, got, want)
				}
			}
		})
	}
}

func at2(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
