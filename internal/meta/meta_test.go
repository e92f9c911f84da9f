package meta_test

import (
	"context"
	"database/sql"
	"flag"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

var update = flag.Bool("update", false, "rewrite schema.sql")

const (
	alice = tenant.ID("ten_a")
	bob   = tenant.ID("ten_b")
)

// tables are the tests' own.
var tables = fstest.MapFS{"0001_tests.sql": {Data: []byte(`-- +goose Up
CREATE TABLE notes (
    id     BIGINT PRIMARY KEY,
    tenant TEXT NOT NULL,
    body   TEXT NOT NULL UNIQUE
);
CREATE TABLE counters (name TEXT PRIMARY KEY, n BIGINT NOT NULL);
CREATE TABLE children (id BIGINT PRIMARY KEY, counter TEXT NOT NULL REFERENCES counters (name));
CREATE TABLE kinds (id BIGINT PRIMARY KEY, t TEXT, i BIGINT, f DOUBLE PRECISION, b BYTEA);
`)}}

// each runs f on both databases with the tests' own tables.
func each(t *testing.T, f func(t *testing.T, db *meta.DB)) {
	t.Helper()
	metatest.EachURL(t, func(t *testing.T, url string) { f(t, open(t, url)) })
}

func open(t testing.TB, url string) *meta.DB {
	t.Helper()
	db, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(tables))
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, db *meta.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t testing.TB, db *meta.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Fatalf("got kind %q (%v), want %q", got, err, want)
	}
}

// schema.sql is what the migrations make, for people to read.
func TestSchemaFileIsFresh(t *testing.T) {
	t.Parallel()
	url := metatest.SQLite(t)
	if err := metatest.Open(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.QueryContext(t.Context(), `
		SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'meta_%'
		ORDER BY tbl_name, type <> 'table', name`)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("-- What the migrations add up to. Written by go test ./internal/meta -run SchemaFile -update.\n")
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(s, "CREATE TABLE") {
			b.WriteString("\n")
		}
		b.WriteString(s + ";\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.sql", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile("schema.sql")
	if err != nil || string(have) != b.String() {
		t.Fatalf("schema.sql is not what the migrations make (%v); run go test ./internal/meta -run SchemaFile -update", err)
	}
}

func TestTheProductsMigrationsRunOnBoth(t *testing.T) {
	t.Parallel()
	tables := map[string]string{}
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		tables[db.Engine()] = strings.Join(db.TenantTables(), " ")
		if err := db.Healthy(t.Context()); err != nil {
			t.Fatalf("healthy: %v", err)
		}
		if problems, err := db.Verify(t.Context()); err != nil || len(problems) > 0 {
			t.Fatalf("verify: got %q, %v; want nothing", problems, err)
		}
		if err := db.Compact(t.Context()); err != nil {
			t.Fatalf("compact: %v", err)
		}
	})
	if p, ok := tables["postgres"]; ok && (p != tables["sqlite"] || p == "") {
		t.Fatalf("tables with tenants: SQLite has %q, PostgreSQL %q", tables["sqlite"], p)
	}
}

func TestOnlyOneServerIsActive(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		first := open(t, url)
		_, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(tables))
		wantKind(t, err, fault.Conflict)

		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		go func() {
			_, err := meta.Open(ctx, meta.Config{URL: url, Wait: true}.WithMigrations(tables))
			cancelled <- err
		}()
		cancel()
		wantKind(t, <-cancelled, fault.Cancelled)

		waited := make(chan error)
		go func() {
			second, err := meta.Open(t.Context(), meta.Config{URL: url, Wait: true}.WithMigrations(tables))
			if err == nil {
				err = second.Healthy(t.Context())
				_ = second.Close()
			}
			waited <- err
		}()
		if err := first.Healthy(t.Context()); err != nil {
			t.Fatalf("the first, while another waits: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; err != nil {
			t.Fatalf("the second, after the first: %v", err)
		}
	})
}

func TestAClosedDatabaseCanBeOpenedAtOnce(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		for range 5 {
			if err := open(t, url).Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestALostLockStopsTheServer(t *testing.T) {
	t.Parallel()
	url := metatest.Postgres(t)
	db := open(t, url)
	u, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	n := number(t, db, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
		WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = $1`, meta.LockKey(u.Query().Get("search_path")))
	if n != 1 {
		t.Fatalf("ended %d connections with the lock, want 1", n)
	}
	<-db.Lost()
	_, err = db.Exec(t.Context(), `UPDATE counters SET n = n + 1`)
	wantKind(t, err, fault.Unavailable)
	wantKind(t, db.Transact(t.Context(), func(*meta.DB) error { return nil }), fault.Unavailable)
	open(t, url) // another may start
}

func TestURLsThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"nothing":        "",
		"another engine": "mysql://x",
		"no file":        "sqlite:",
		"in memory":      "sqlite::memory:",
		"no URL":         "postgres://:x:y",
		"two schemas":    "postgres://x@localhost/x?search_path=a,b",
		"quoted schema":  `postgres://x@localhost/x?search_path=%22a%22`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := meta.Open(t.Context(), meta.Config{URL: url})
			wantKind(t, err, fault.Invalid)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		_, err := meta.Open(t.Context(), meta.Config{URL: "postgres://x@/x?host=" + t.TempDir()})
		wantKind(t, err, fault.Unavailable)
	})
	t.Run("password is not shown", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"postgres://x:hunter2@/x?host=" + t.TempDir(), "postgres://x:hunter2@localhost:bad/x"} {
			if _, err := meta.Open(t.Context(), meta.Config{URL: url}); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v, want an error without the password", err)
			}
		}
	})
}

func TestASuperuserIsRefused(t *testing.T) {
	t.Parallel()
	super := metatest.Superuser(t)
	ctx := t.Context()
	conn := connect(t, super)
	for _, q := range []string{
		"DROP ROLE IF EXISTS meta_bypass, meta_member, meta_nobody",
		"CREATE ROLE meta_bypass LOGIN BYPASSRLS", "CREATE ROLE meta_member LOGIN IN ROLE postgres", "CREATE ROLE meta_nobody LOGIN",
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for role, words := range map[string]string{
		"postgres": "CREATE ROLE", "meta_bypass": "CREATE ROLE", "meta_member": "CREATE ROLE", "meta_nobody": "GRANT USAGE, CREATE",
	} {
		_, err := meta.Open(ctx, meta.Config{URL: strings.Replace(super, "postgres@", role+"@", 1)})
		wantKind(t, err, fault.Invalid)
		if !strings.Contains(fault.Message(err), words) {
			t.Fatalf("%s: got %q, want it to say %q", role, fault.Message(err), words)
		}
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	t.Parallel()
	url := metatest.SQLite(t)
	db := open(t, url)
	exec(t, db, `INSERT INTO counters (name, n) VALUES ('a', 1)`)
	path := strings.TrimPrefix(url, "sqlite:")
	for file, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700 | os.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		if s, err := os.Stat(file); err != nil || s.Mode() != want {
			t.Errorf("%s: got %v, %v; want %v", file, s.Mode(), err, want)
		}
	}
}
