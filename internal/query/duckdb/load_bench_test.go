package duckdb

import (
	"context"
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"tributary/internal/query"
)

// rowsAtOnce is about what a loader sends in one transaction when it has much to do.
const rowsAtOnce = 20_000

// A load is decoding, the filter of keys, a temporary table, and the table. The peer is
// the appender of DuckDB's own library, row by row into the same table, which looks for
// no duplicates. Both commit, which syncs. Compare rows/s of one run.
func BenchmarkLoad(b *testing.B) {
	b.Run("load", func(b *testing.B) {
		w := openTest(b, b.TempDir(), steps)
		defer w.Close()
		loads := make([]query.Request, b.N)
		for i := range loads {
			loads[i] = query.Request{Transact: &query.Transact{Rows: []*query.Rows{factRows(fmt.Sprint("t", i), 0, rowsAtOnce)},
				Statements: []query.Statement{{SQL: "INSERT INTO fact BY NAME (FROM stage)"}}}}
		}
		b.ResetTimer()
		for _, r := range loads {
			if _, _, err := do(b.Context(), w, r); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*rowsAtOnce)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("appender", func(b *testing.B) {
		c, err := driver.NewConnector(filepath.Join(b.TempDir(), "peer.duckdb"), nil)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		conn, err := c.Connect(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.(*driver.Conn).ExecContext(b.Context(), steps[0], nil); err != nil {
			b.Fatal(err)
		}
		a, err := driver.NewAppenderFromConn(conn, "", "fact")
		if err != nil {
			b.Fatal(err)
		}
		defer a.Close()
		b.ResetTimer()
		for i := range b.N {
			if err := appendFacts(b.Context(), a, fmt.Sprint("t", i)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*rowsAtOnce)/b.Elapsed().Seconds(), "rows/s")
	})
}

// appendFacts appends what factRows makes, and commits.
func appendFacts(ctx context.Context, a *driver.Appender, tenant string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range rowsAtOnce {
		if err := a.AppendRow(tenant, big.NewInt(int64(i)), time.Date(2026, 1, 1, 0, 0, i, 123456000, time.UTC), float64(i)/4, int64(-i), i%2 == 0, map[string]any{"text": "éééééééééé"}); err != nil {
			return err
		}
	}
	return a.Flush()
}
