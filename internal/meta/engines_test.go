package meta_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

func TestAFullDiskIsNamed(t *testing.T) {
	t.Parallel()
	const fill = `INSERT INTO kinds (id, b) VALUES ($1, $2)`
	blob := bytes.Repeat([]byte("x"), 1<<20)
	t.Run("sqlite", func(t *testing.T) {
		db := open(t, metatest.SQLite(t))
		if err := db.Raw(t.Context(), `PRAGMA max_page_count = 200`); err != nil {
			t.Fatal(err)
		}
		_, err := db.Exec(t.Context(), fill, 1, blob)
		wantKind(t, err, fault.StorageFull)
		err = db.Transact(t.Context(), func(tx *meta.DB) error {
			exec(t, tx, insertCounter, "a", 1)
			_, err := tx.Exec(t.Context(), fill, 1, blob)
			return err
		})
		wantKind(t, err, fault.StorageFull)
		exec(t, db, insertCounter, "b", 1) // what fits is still written
		if n := counters(t, db); n != 1 {
			t.Fatalf("got %d rows, want the one that was acknowledged", n)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		address := metatest.Postgres(t)
		db := open(t, address)
		for _, q := range []string{
			`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''53100''; END'`,
			`CREATE TRIGGER full_disk BEFORE INSERT ON kinds FOR EACH ROW EXECUTE FUNCTION full_disk()`,
		} {
			if _, err := connect(t, address).Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		_, err := db.Exec(t.Context(), fill, 1, blob)
		wantKind(t, err, fault.StorageFull)
	})
}

// An fsync that failed is final.
func TestAfterAFailedFsyncNothingIsWritten(t *testing.T) {
	t.Parallel()
	db := open(t, metatest.SQLite(t))
	exec(t, db, insertCounter, "a", 1)
	db.Break()
	_, err := db.Exec(t.Context(), insertCounter, "b", 1)
	wantKind(t, err, fault.Unavailable)
	wantKind(t, db.Transact(t.Context(), func(*meta.DB) error { return nil }), fault.Unavailable)
	wantKind(t, db.Healthy(t.Context()), fault.Unavailable)
	if n := counters(t, db); n != 1 {
		t.Fatalf("got %d rows, want that reading goes on", n)
	}
}

func TestABrokenConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	db, address := oneConnection(t)
	conn := connect(t, address)
	hangUp := func() {
		t.Helper()
		var n int
		err := conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity AS a
			WHERE a.application_name = 'tributary' AND a.pid IN (
				SELECT l.pid FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
				WHERE c.relnamespace = current_schema()::regnamespace)`).Scan(&n)
		if err != nil || n != 1 {
			t.Fatalf("hung up %d connections, %v; want 1", n, err)
		}
	}
	err := db.Transact(t.Context(), func(tx *meta.DB) error {
		exec(t, tx, insertCounter, "a", 1)
		hangUp()
		_, err := tx.Exec(t.Context(), insertCounter, "b", 1)
		return err
	})
	wantKind(t, err, fault.Unavailable)
	err = db.Transact(t.Context(), func(tx *meta.DB) error {
		exec(t, tx, insertCounter, "a", 1)
		hangUp()
		return nil
	})
	wantKind(t, err, fault.Unavailable)
	if n := counters(t, db); n != 0 {
		t.Fatalf("got %d rows, want none", n)
	}
}

// Deleted rows must not stay in the files.
func TestCompactLeavesNothingOfDeletedRows(t *testing.T) {
	t.Parallel()
	canary := "canary-6f1c9a0b7d"
	t.Run("sqlite", func(t *testing.T) {
		url := metatest.SQLite(t)
		db := open(t, url)
		path := strings.TrimPrefix(url, "sqlite:")
		found := func() (in []string) {
			for _, file := range []string{path, path + "-wal"} {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(b, []byte(canary)) {
					in = append(in, file)
				}
			}
			return in
		}
		for i := range 100 {
			exec(t, db, `INSERT INTO kinds (id, t) VALUES ($1, $2)`, i, strings.Repeat(canary, 50))
		}
		exec(t, db, `DELETE FROM kinds`)
		if len(found()) == 0 {
			t.Fatal("the rows were gone before: the test sees nothing")
		}
		if err := db.Raw(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			t.Fatal(err)
		}
		if in := found(); len(in) > 0 {
			t.Fatalf("deleted rows were not overwritten in %v", in)
		}
		exec(t, db, `INSERT INTO kinds (id, t) VALUES (1, $1)`, canary)
		exec(t, db, `DELETE FROM kinds`)
		if err := db.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if in := found(); len(in) > 0 {
			t.Fatalf("deleted rows are still in %v", in)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		address := metatest.Postgres(t)
		db := open(t, address)
		exec(t, db, `INSERT INTO kinds (id, t) SELECT i, $1 FROM generate_series(1, 1000) AS i`, canary)
		reader := connect(t, address)
		sees := func(query string) {
			t.Helper()
			if _, err := reader.Exec(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		sees(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM counters`)
		exec(t, db, `DELETE FROM kinds`)
		soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		wantKind(t, db.Compact(soon), fault.TimedOut) // the reader may still see them
		sees(`COMMIT`)
		size := func() int64 { return number(t, db, `SELECT pg_relation_size('kinds')`) }
		before := size()
		if err := db.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := size(); before == 0 || after != 0 {
			t.Fatalf("got %d bytes before and %d after, want none", before, after)
		}
	})
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	verify := func(t *testing.T, db *meta.DB, words string) {
		t.Helper()
		problems, err := db.Verify(t.Context())
		if err != nil || !strings.Contains(strings.Join(problems, "\n"), words) {
			t.Fatalf("got %q, %v; want something with %q", problems, err, words)
		}
	}
	t.Run("a row that refers to nothing", func(t *testing.T) {
		url := metatest.SQLite(t)
		db := open(t, url)
		raw, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if _, err := raw.ExecContext(t.Context(), `INSERT INTO children (id, counter) VALUES (7, 'nobody')`); err != nil {
			t.Fatal(err)
		}
		verify(t, db, "children with rowid 1 refers to a row of counters")
	})
	t.Run("a damaged page", func(t *testing.T) {
		url := metatest.SQLite(t)
		path := strings.TrimPrefix(url, "sqlite:")
		db := open(t, url)
		for i := range 200 {
			exec(t, db.Unscoped(), `INSERT INTO notes (id, tenant, body) VALUES ($1, $2, $3)`, i, alice, strings.Repeat("x", i))
		}
		if err := errors.Join(db.Compact(t.Context()), db.Close()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		last := len(b) - 4096
		for i := range 16 {
			b[last+i] ^= 0xff
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		verify(t, open(t, url), "control database: ")
	})
	t.Run("not a database", func(t *testing.T) {
		url := metatest.SQLite(t)
		path := strings.TrimPrefix(url, "sqlite:")
		if err := open(t, url).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 8192), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(tables))
		wantKind(t, err, fault.Damaged)
	})
}

func BenchmarkStatements(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": metatest.SQLite, "postgres": metatest.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b, url(b))
			seed(b, db)
			a := db.For(alice)
			b.Run("open", func(b *testing.B) {
				other := url(b)
				for b.Loop() {
					if err := open(b, other).Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					number(b, a, `SELECT id FROM notes WHERE tenant = $1 AND id = $2`, alice, 1)
				}
			})
			b.Run("write", func(b *testing.B) {
				for b.Loop() {
					exec(b, a, `UPDATE notes SET body = $1 WHERE tenant = $2 AND id = 1`, "x", alice)
				}
			})
			b.Run("transact", func(b *testing.B) {
				for b.Loop() {
					err := a.Transact(b.Context(), func(tx *meta.DB) error {
						number(b, tx, `SELECT id FROM notes WHERE tenant = $1 AND id = $2`, alice, 1)
						exec(b, tx, `UPDATE notes SET body = $1 WHERE tenant = $2 AND id = 1`, "x", alice)
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// More different statements than a connection keeps, some of them wrong, and all
// of them again.
func TestPreparedStatementsMakeRoom(t *testing.T) {
	t.Parallel()
	db := metatest.Open(t, metatest.SQLite(t))
	for round := range 3 {
		for n := range 400 {
			var got int64
			if err := db.QueryRow(t.Context(), fmt.Sprintf(`SELECT %d + $1`, n), int64(round)).Scan(&got); err != nil || got != int64(n+round) {
				t.Fatalf("statement %d, round %d: got %d, %v", n, round, got, err)
			}
		}
		if _, err := db.Exec(t.Context(), `UPDATE nothing SET nothing = $1`, "x"); err == nil {
			t.Fatal("a wrong statement was run")
		}
	}
}
