package meta

import (
	"context"
	"database/sql"
	"fmt"
)

// Rows are a statement's rows. They were read whole, so other statements may run
// while they are gone through, and a transaction that must be retried has not
// shown any of them. Close may be left out.
type Rows struct {
	columns []string
	rows    [][]any
	at      int
}

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool {
	if r.at < len(r.rows) {
		r.at++
		return true
	}
	return false
}

// Scan stores the row's columns in what dest points to; see the package's types.
func (r *Rows) Scan(dest ...any) error {
	if r.at == 0 {
		return fmt.Errorf("scan: Next was not called")
	}
	return scan(r.columns, r.rows[r.at-1], dest)
}

// Columns returns the columns' names.
func (r *Rows) Columns() []string { return r.columns }

// Err returns nil: what can fail has failed in Query. It is there for habit's sake.
func (r *Rows) Err() error { return nil }

// Close returns nil.
func (r *Rows) Close() error { return nil }

// Row is the first row of a statement, or why there is none.
type Row struct {
	rows *Rows
	err  error
}

// Scan stores the row's columns in what dest points to. Without a row the error
// is sql.ErrNoRows.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		return sql.ErrNoRows
	}
	return r.rows.Scan(dest...)
}

func scan(columns []string, row, dest []any) error {
	if len(dest) != len(row) {
		return fmt.Errorf("scan: %d columns into %d places", len(row), len(dest))
	}
	for i, v := range row {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("scan column %s: %w", columns[i], err)
		}
	}
	return nil
}

// Exec runs a statement and returns how many rows it changed. Outside of a
// transaction it is one by itself, and when Exec returns nil the change survives
// a power cut.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := db.run(ctx, query, args)
	return r.changed, err
}

// Query runs a statement and returns its rows, at most 256 MiB of them. Outside
// of a transaction they are of one moment.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	r, err := db.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &Rows{columns: r.columns, rows: r.rows}, nil
}

// QueryRow runs a statement for its first row.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *Row {
	rows, err := db.Query(ctx, query, args...)
	return &Row{rows: rows, err: err}
}

func (db *DB) run(ctx context.Context, query string, args []any) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, err
	}
	s, err := db.statements.of(query)
	if err != nil {
		return result{}, err
	}
	values, err := arguments(args)
	if err != nil {
		return result{}, err
	}
	if err := db.scope.allows(s, values); err != nil {
		return result{}, err
	}
	select {
	case <-db.engine.lost():
		return result{}, errLost
	default:
	}
	if db.tx != nil {
		return db.tx.run(ctx, db.scope.setting, s, values)
	}
	var r result
	err = db.retry(ctx, func() error {
		r, err = db.engine.run(ctx, db.scope.setting, s, values)
		return err
	})
	return r, err
}

// allows returns nil if a statement may run under the scope. What it refuses is a
// mistake in a capability, so it has no kind.
func (s scope) allows(st *statement, args []any) error {
	switch {
	case s.err != nil:
		return s.err
	case len(st.tables) == 0 || s.setting == everyone:
		return nil
	case s.setting == "":
		return fmt.Errorf("meta: a statement on tenants' rows in %s needs For, Provider or Unscoped: %q", st.tables[0], st.text)
	case s.bound == "" && st.empty:
		return nil
	}
	for _, a := range args {
		if a == any(s.bound) {
			return nil
		}
	}
	return fmt.Errorf("meta: a statement for a tenant on %s must bind the tenant's id: %q", st.tables[0], st.text)
}
