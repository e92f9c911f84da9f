package duckdb

import (
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
