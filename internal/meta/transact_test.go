package meta_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta"
)

const insertCounter = `INSERT INTO counters (name, n) VALUES ($1, $2)`

func counters(t testing.TB, db *meta.DB) int64 {
	t.Helper()
	return number(t, db, `SELECT count(*) FROM counters`)
}

func TestATransactionHappensWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		add := func(tx *meta.DB, name string) error {
			_, err := tx.Exec(ctx, insertCounter, name, 1)
			return err
		}
		var kept *meta.DB
		for name, c := range map[string]struct {
			fn   func(tx *meta.DB) error
			want func(error) bool
			rows int64
		}{
			"returns nil": {func(tx *meta.DB) error {
				kept = tx
				return add(tx, "a")
			}, func(err error) bool { return err == nil }, 1},
			"returns an error": {func(tx *meta.DB) error {
				return errors.Join(add(tx, "b"), boom)
			}, func(err error) bool { return errors.Is(err, boom) }, 0},
			"joined by another": {func(tx *meta.DB) error {
				return errors.Join(add(tx, "c"), tx.Transact(ctx, func(tx *meta.DB) error { return add(tx, "d") }))
			}, func(err error) bool { return err == nil }, 2},
			"the other's error is swallowed": {func(tx *meta.DB) error {
				_ = tx.Transact(ctx, func(tx *meta.DB) error { return errors.Join(add(tx, "e"), boom) })
				return nil
			}, func(err error) bool { return errors.Is(err, boom) }, 0},
			"a statement's error is swallowed": {func(tx *meta.DB) error {
				_ = add(tx, "f")
				_ = add(tx, "f")
				return nil
			}, meta.IsUnique, 0},
			"a statement after a failed one": {func(tx *meta.DB) error {
				_, _ = add(tx, "g"), add(tx, "g")
				return add(tx, "h")
			}, meta.IsUnique, 0},
			"does nothing": {func(*meta.DB) error { return nil }, func(err error) bool { return err == nil }, 0},
			"no row is no failure": {func(tx *meta.DB) error {
				var n int64
				if err := tx.QueryRow(ctx, `SELECT n FROM counters WHERE name = 'nobody'`).Scan(&n); !errors.Is(err, sql.ErrNoRows) {
					return fmt.Errorf("got %w, want no rows", err)
				}
				return add(tx, "i")
			}, func(err error) bool { return err == nil }, 1},
		} {
			before := counters(t, db)
			err := db.Transact(ctx, c.fn)
			if rows := counters(t, db) - before; !c.want(err) || rows != c.rows {
				t.Errorf("%s: got %v and %d rows, want %d", name, err, rows, c.rows)
			}
		}
		if err := add(kept, "z"); err == nil {
			t.Error("a transaction's handle worked after its end")
		}
	})
}

func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v, want boom", got)
				}
			}()
			_ = db.Transact(t.Context(), func(tx *meta.DB) error {
				exec(t, tx, insertCounter, "a", 1)
				panic("boom")
			})
		}()
		if n := counters(t, db); n != 0 {
			t.Fatalf("got %d rows, want none", n)
		}
		exec(t, db, insertCounter, "a", 1) // the writer is free again
	})
}

func TestACancelledTransactionRollsBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Transact(ctx, func(tx *meta.DB) error {
			exec(t, tx, insertCounter, "a", 1)
			cancel()
			return nil
		})
		wantKind(t, err, fault.Cancelled)
		wantKind(t, db.Transact(ctx, func(*meta.DB) error { return nil }), fault.Cancelled)
		_, err = db.Exec(ctx, insertCounter, "b", 1)
		wantKind(t, err, fault.Cancelled)
		exec(t, db, insertCounter, "c", 1) // nothing is held that others need
		if n := counters(t, db); n != 1 {
			t.Fatalf("got %d rows, want only the last", n)
		}
	})
}

// A statement may run while the rows of another are gone through.
func TestRowsAreReadWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		err := db.Transact(t.Context(), func(tx *meta.DB) error {
			for i := range 3 {
				exec(t, tx, insertCounter, fmt.Sprint(i), i)
			}
			rows, err := tx.Query(t.Context(), `SELECT name FROM counters ORDER BY name`)
			if err != nil {
				return err
			}
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					return err
				}
				exec(t, tx, `UPDATE counters SET n = n + 10 WHERE name = $1`, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := number(t, db, `SELECT sum(n) FROM counters`); got != 33 {
			t.Fatalf("got a sum of %d, want 33", got)
		}
	})
}

const (
	workers = 8
	each8   = 25
)

// together runs f in many goroutines at once.
func together(t testing.TB, f func(worker int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			if err := f(w); err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		})
	}
	wg.Wait()
}

func TestNoIncrementIsLost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		exec(t, db, insertCounter, "read and written", 0)
		exec(t, db, insertCounter, "one statement", 0)
		together(t, func(int) error {
			for range each8 {
				err := db.Transact(ctx, func(tx *meta.DB) error {
					var n int64
					if err := tx.QueryRow(ctx, `SELECT n FROM counters WHERE name = 'read and written'`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, `UPDATE counters SET n = $1 WHERE name = 'read and written'`, n+1)
					return err
				})
				if err != nil {
					return err
				}
				if _, err := db.Exec(ctx, `UPDATE counters SET n = n + 1 WHERE name = 'one statement'`); err != nil {
					return err
				}
			}
			return nil
		})
		for _, name := range []string{"read and written", "one statement"} {
			if got := number(t, db, `SELECT n FROM counters WHERE name = $1`, name); got != workers*each8 {
				t.Errorf("%s: got %d, want %d", name, got, workers*each8)
			}
		}
	})
}

// Each adds a row only if there are fewer than the limit. Below serialisable all
// would see the same count, and exceed it together.
func TestTransactionsAreSerialisable(t *testing.T) {
	t.Parallel()
	const limit = 5
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		together(t, func(w int) error {
			for i := range 3 {
				err := db.Transact(ctx, func(tx *meta.DB) error {
					var n int
					if err := tx.QueryRow(ctx, `SELECT count(*) FROM counters`).Scan(&n); err != nil || n >= limit {
						return err
					}
					_, err := tx.Exec(ctx, insertCounter, fmt.Sprint(w, i), 1)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if n := counters(t, db); n != limit {
			t.Fatalf("got %d rows, want %d", n, limit)
		}
	})
}

func TestErrorsHaveTheirKind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		exec(t, db, insertCounter, "a", 1)
		exec(t, db, `INSERT INTO children (id, counter) VALUES (1, 'a')`)
		for name, c := range map[string]struct {
			query string
			is    func(error) bool
		}{
			"primary key":       {`INSERT INTO counters (name, n) VALUES ('a', 2)`, meta.IsUnique},
			"refers to nothing": {`INSERT INTO children (id, counter) VALUES (2, 'b')`, meta.IsForeignKey},
			"is referred to":    {`DELETE FROM counters WHERE name = 'a'`, meta.IsForeignKey},
			"not null": {`INSERT INTO counters (name, n) VALUES ('c', NULL)`, func(err error) bool {
				return err != nil && !meta.IsUnique(err) && !meta.IsForeignKey(err) && fault.Is(err, fault.Internal)
			}},
		} {
			if _, err := db.Exec(ctx, c.query); !c.is(err) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Healthy(ctx); err == nil {
			t.Error("a closed database is healthy")
		}
	})
}

func TestAfterCommitIsAfterTheCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		var seen []int64
		look := func() { seen = append(seen, counters(t, db)) }
		add := func(tx *meta.DB, name string) error {
			_, err := tx.Exec(ctx, insertCounter, name, 1)
			return err
		}
		if err := db.Transact(ctx, func(tx *meta.DB) error {
			tx.AfterCommit(look)
			tx.For(alice).AfterCommit(look)
			return tx.Transact(ctx, func(tx *meta.DB) error { tx.AfterCommit(look); return errors.Join(add(tx, "a"), add(tx, "b")) })
		}); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		if err := db.Transact(ctx, func(tx *meta.DB) error { tx.AfterCommit(look); return errors.Join(add(tx, "c"), boom) }); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		db.AfterCommit(look)
		if fmt.Sprint(seen) != "[2 2 2 2]" {
			t.Errorf("rows that were there: got %v, want 2, three times after the commit, never after the rollback, once without a transaction", seen)
		}
	})
}
