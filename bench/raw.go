package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the peer
)

// The peer's answer is what the run's recipients get: for each participant and cell
// its own sum and count beside everybody's. It stays inside DuckDB as a table, in the
// fastest form that was found. Nothing is rendered, sealed, synced or delivered.
const rawStatement = `CREATE OR REPLACE TEMP TABLE answer AS
	WITH own AS MATERIALIZED (SELECT filename, "Tag1", "Tag2", sum("Value") AS "YourTotal", count(*) AS "YourRows" FROM read_parquet([100 files]) GROUP BY ALL),
	cells AS (SELECT "Tag1", "Tag2", sum("YourTotal") AS "Total", sum("YourRows") AS "Rows" FROM own GROUP BY ALL)
	SELECT * FROM own JOIN cells USING ("Tag1", "Tag2")`

// cellsStatement answers less: everybody's sums alone.
const cellsStatement = `CREATE OR REPLACE TEMP TABLE answer AS
	SELECT "Tag1", "Tag2", sum("Value") AS "Total", count(*) AS "YourRows" FROM read_parquet([100 files]) GROUP BY ALL`

// raw is the peer of row 6: DuckDB without anything around it.
type raw struct {
	*sql.DB
	files, version string
}

func openRaw(ctx context.Context, files []string) (*raw, error) {
	db, err := sql.Open("duckdb", "?threads=2")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	r := &raw{DB: db, files: "['" + strings.Join(files, "', '") + "']"}
	if err := db.QueryRowContext(ctx, `SELECT version()`).Scan(&r.version); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// ask has a statement make its answer, and checks how many rows that has and how
// many of the files' they count.
func (r *raw) ask(ctx context.Context, statement string, rows, counted int64) (time.Duration, error) {
	began := time.Now()
	if _, err := r.ExecContext(ctx, strings.Replace(statement, "[100 files]", r.files, 1)); err != nil {
		return 0, fmt.Errorf("ask the peer: %w", err)
	}
	took := time.Since(began)
	var got, sum int64
	if err := r.QueryRowContext(ctx, `SELECT count(*), sum("YourRows")::BIGINT FROM answer`).Scan(&got, &sum); err != nil {
		return 0, fmt.Errorf("read the peer's answer: %w", err)
	}
	if got != rows || sum != counted {
		return 0, fmt.Errorf("the peer's answer has %d rows that count %d", got, sum)
	}
	return took, nil
}
