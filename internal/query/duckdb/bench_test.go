package duckdb

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"

	"tributary/internal/query"
)

// BenchmarkAggregate compares a whole Aggregate and Read (open, checks, query,
// sort, answer, decoding) with what a person would type into DuckDB on the same
// 100 files of 100,000 rows and 1,000 cells, in the same round:
//
//	own/raw   the mean of each participant's mean, per cell, in one statement
//	all/raw   the mean over all rows per cell, which is another result
//
// A ratio above 1 is faster than DuckDB. The raw instance is warm and open.
func BenchmarkAggregate(b *testing.B) {
	const participants, rows = 100, 100_000
	files, columns := benchFiles(b, participants, rows)
	spec := simple(participants, columns, []string{"Tag1", "Tag2"}, query.Measure{Column: "Value", Own: query.Mean, Scale: 4})
	spec.Limits.Memory = 2 << 30
	raw, err := open(b.Context(), settings{memory: 2 << 30, threads: threads, files: files})
	if err != nil {
		b.Fatal(err)
	}
	defer raw.close()
	from := " FROM read_parquet(" + list(files) + ")"
	var own, all []float64
	for b.Loop() {
		ours := timed(b, func() error {
			var out bytes.Buffer
			if err := Aggregate(b.Context(), spec, files, &out); err != nil {
				return err
			}
			totals, err := query.Read(&out, spec, func(query.Row) error { return nil })
			if err == nil && totals.Rows != participants*1000 {
				err = fmt.Errorf("%d rows", totals.Rows)
			}
			return err
		})
		own = append(own, rawTime(b, raw, `SELECT "Tag1", "Tag2", avg(own) FROM (SELECT filename, "Tag1", "Tag2", avg("Value") AS own`+from+
			` GROUP BY ALL) GROUP BY ALL`).Seconds()/ours.Seconds())
		all = append(all, rawTime(b, raw, `SELECT "Tag1", "Tag2", avg("Value")`+from+` GROUP BY ALL`).Seconds()/ours.Seconds())
	}
	slices.Sort(own)
	slices.Sort(all)
	b.ReportMetric(own[len(own)/2], "own/raw")
	b.ReportMetric(own[0], "own/raw-min")
	b.ReportMetric(all[len(all)/2], "all/raw")
}

// BenchmarkParts says where the time of Aggregate goes.
func BenchmarkParts(b *testing.B) {
	files, columns := benchFiles(b, 100, 100_000)
	spec := simple(100, columns, []string{"Tag1", "Tag2"}, query.Measure{Column: "Value", Own: query.Mean, Scale: 4})
	var opened, inspected, ran, written time.Duration
	for b.Loop() {
		var db *instance
		opened += timed(b, func() (err error) {
			db, err = open(b.Context(), settings{memory: 2 << 30, threads: threads, files: files})
			return err
		})
		g, s := newGather(spec), scansOf(spec, files)[0]
		inspected += timed(b, func() error { return s.inspect(b.Context(), db, make([]int64, 100)) })
		ran += timed(b, func() error { return s.run(b.Context(), db, g, make([]int64, 100)) })
		written += timed(b, func() error {
			w, err := query.NewWriter(io.Discard, spec)
			if err != nil {
				return err
			}
			return g.write(b.Context(), w)
		})
		db.close()
	}
	n := float64(b.N) * 1e6
	b.ReportMetric(float64(opened)/n, "open-ms")
	b.ReportMetric(float64(inspected)/n, "inspect-ms")
	b.ReportMetric(float64(ran)/n, "run-ms")
	b.ReportMetric(float64(written)/n, "write-ms")
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// rawTime runs a statement and visits its rows, as a client would.
func rawTime(b *testing.B, db *instance, statement string) time.Duration {
	b.Helper()
	return timed(b, func() error {
		r, err := db.query(b.Context(), statement)
		if err != nil {
			return err
		}
		defer r.close()
		rows := 0
		for {
			chunk := bindings.FetchChunk(r.res)
			if chunk.Ptr == nil {
				break
			}
			rows += int(bindings.DataChunkGetSize(chunk))
			bindings.DestroyDataChunk(&chunk)
		}
		if rows != 1000 {
			return fmt.Errorf("%d rows", rows)
		}
		return nil
	})
}

func benchFiles(b *testing.B, participants, rows int) ([]string, []query.Column) {
	b.Helper()
	columns := []query.Column{{Name: "Date", Type: query.Date}, tag1, tag2, money}
	r := rand.New(rand.NewPCG(42, 0))
	tags := make([]string, 32)
	for i := range tags {
		tags[i] = fmt.Sprintf("T%05d", r.IntN(100_000))
	}
	var files []string
	for range participants {
		tb := table{columns: columns}
		for range rows {
			cell := r.IntN(1000)
			tb.rows = append(tb.rows, []query.Value{
				{Type: query.Date, Int: 20_000}, text(tags[cell%32]), text(tags[cell/32]), cents(r.Int64N(1_000_000)),
			})
		}
		files = append(files, save(b, tb)...)
	}
	return files, columns
}
