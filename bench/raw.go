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

const rawStatement = `SELECT "Tag1", "Tag2", sum("Value"), count(*) FROM read_parquet([100 files]) GROUP BY ALL`

// raw is the peer of row 6: DuckDB without anything around it.
type raw struct {
	*sql.DB
	statement, version string
}

func openRaw(ctx context.Context, files []string) (*raw, error) {
	db, err := sql.Open("duckdb", "?threads=2")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	r := &raw{DB: db, statement: strings.Replace(rawStatement, "[100 files]", "['"+strings.Join(files, "', '")+"']", 1)}
	if err := db.QueryRowContext(ctx, `SELECT version()`).Scan(&r.version); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// aggregate asks once and reads the whole answer: how many cells it has, and how
// many rows they count.
func (r *raw) aggregate(ctx context.Context) (took time.Duration, cells int, counted int64, err error) {
	began := time.Now()
	answer, err := r.QueryContext(ctx, r.statement)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("ask the peer: %w", err)
	}
	defer answer.Close()
	for answer.Next() {
		var tag1, tag2 string
		var sum any
		var n int64
		if err := answer.Scan(&tag1, &tag2, &sum, &n); err != nil {
			return 0, 0, 0, fmt.Errorf("read the peer's answer: %w", err)
		}
		cells, counted = cells+1, counted+n
	}
	return time.Since(began), cells, counted, answer.Err()
}
