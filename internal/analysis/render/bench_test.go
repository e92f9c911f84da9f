package render_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"tributary/internal/analysis/render"
)

// BenchmarkResult makes one recipient's result of 1,000 cells, as a run does for
// each of its recipients.
func BenchmarkResult(b *testing.B) {
	spec := render.Spec{
		Date: time.Date(2026, 9, 23, 0, 0, 0, 0, time.UTC), DateColumn: "Date", DateFormat: "YYYYMMDD",
		Groups:   []render.Column{{Name: "Tag1", Type: render.Text}, {Name: "Tag2", Type: render.Text}},
		Measures: []render.Column{{Name: "Total", Type: render.Decimal, Scale: 2}, {Name: "Rows", Type: render.Integer}},
		IDColumn: "YourId", ExternalID: "000001", OwnValues: true, OwnPrefix: "Your",
	}
	var rows []render.Row
	for n := range 1000 {
		rows = append(rows, render.Row{
			Key:    []render.Value{{Text: fmt.Sprintf("alpha-%02d", n/10)}, {Text: fmt.Sprintf("beta-%d", n%10)}},
			Values: []render.Value{{Int: int64(n) * 7919}, {Int: 10_000}},
			Own:    []render.Value{{Int: int64(n) * 79}, {Int: 100}},
		})
	}
	table, err := render.New(spec, rows)
	if err != nil {
		b.Fatal(err)
	}
	maker := new(render.Maker)
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"table", func() error { _, err := maker.Table(spec, rows); return err }},
		{"csv", func() error { return maker.WriteCSV(io.Discard, table) }},
		{"parquet", func() error { return maker.WriteParquet(io.Discard, table) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := part.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
