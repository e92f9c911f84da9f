package meta_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	neturl "net/url"
	"os"
	osexec "os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// released are the migrations that a released version has run somewhere. What they
// made stays as they made it: whatever is to change is for a new migration. A
// release adds its own here.
var released = map[string]string{
	"0001_foundation.sql": "c84e6ae5de9f25b36e351171e429a2ac7b96dcfb734cc3403b48502c42583df5",
}

func TestReleasedMigrationsAreNotEdited(t *testing.T) {
	t.Parallel()
	for name, want := range released {
		text, err := fs.ReadFile(meta.Migrations(), name)
		if err != nil {
			t.Errorf("%v; a database somewhere has run it", err)
			continue
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: got SHA-256 %x, want %s: it is released, so change nothing in it and write a new migration", name, sum, want)
		}
	}
}

// A migration is one transaction, forward only: what else goose offers would leave
// a database between two versions.
func TestEachMigrationIsOneTransaction(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(meta.Migrations(), "*")
	if err != nil {
		t.Fatal(err)
	}
	annotation := regexp.MustCompile(`(?im)^\s*--\s*\+goose.*$`)
	form := regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.sql$`)
	for _, name := range names {
		text, err := fs.ReadFile(meta.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := annotation.FindAllString(string(text), -1); !form.MatchString(name) || len(got) != 1 || got[0] != "-- +goose Up" {
			t.Errorf("%s: got annotations %q, want only -- +goose Up, and a name such as 0001_words.sql", name, got)
		}
	}
}

// steps are migrations whose every statement would be missed.
var steps = fstest.MapFS{
	"0001_first.sql": {Data: []byte(`-- +goose Up
CREATE TABLE things (id BIGINT PRIMARY KEY, tenant TEXT NOT NULL);
INSERT INTO things (id, tenant) VALUES (1, 'ten_a'), (2, 'ten_b');
`)},
	"0002_second.sql": {Data: []byte(`-- +goose Up
ALTER TABLE things ADD COLUMN weight BIGINT NOT NULL DEFAULT 7;
CREATE TABLE weights (thing BIGINT PRIMARY KEY REFERENCES things (id), tenant TEXT NOT NULL, weight BIGINT NOT NULL);
INSERT INTO weights (thing, tenant, weight) SELECT id, tenant, weight * id FROM things;
CREATE INDEX weights_by_weight ON weights (weight);
`)},
	"0003_third.sql": {Data: []byte(`-- +goose Up
UPDATE weights SET weight = weight + 1;
ALTER TABLE things DROP COLUMN weight;
`)},
}

// upTo are the first migrations.
func upTo(n int) fs.FS {
	some := fstest.MapFS{}
	for _, name := range slices.Sorted(maps.Keys(steps))[:n] {
		some[name] = steps[name]
	}
	return some
}

// A kill before or after any statement of any migration leaves the version before
// or the one after, whole, and the next start does the rest.
func TestMigrationsGoOnAfterAKill(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		t.Parallel()
		var want []string // by version
		for n := range len(steps) + 1 {
			if n > 0 {
				migrated(t, url, upTo(n))
			}
			want = append(want, state(t, url))
		}
		forget(t, url)
		seen := map[int]bool{}
		for kill := 1; ; kill++ {
			if ended := migrateAndDie(t, url, kill); ended {
				if kill < 12 {
					t.Fatalf("the child ended by itself after %d statements: too few", kill)
				}
				break
			}
			got := state(t, url)
			at := slices.Index(want, got)
			if at < 0 {
				t.Fatalf("killed at statement %d: got\n%s\nwant one of\n%s", kill, got, strings.Join(want, "\n"))
			}
			seen[at] = true
			migrated(t, url, steps)
			if got := state(t, url); got != want[len(steps)] {
				t.Fatalf("started again after a kill at statement %d: got\n%s\nwant\n%s", kill, got, want[len(steps)])
			}
			forget(t, url)
		}
		if len(seen) != len(want) {
			t.Errorf("kills left the versions %v, want each of %d", slices.Sorted(maps.Keys(seen)), len(want))
		}
	})
}

func migrated(t *testing.T, url string, files fs.FS) {
	t.Helper()
	db, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(files))
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

const dieAt, dieOn = "TRIBUTARY_META_DIE_AT", "TRIBUTARY_META_DIE_ON"

// migrateAndDie migrates in a child that is killed before its nth statement, or
// ends by itself if there are fewer.
func migrateAndDie(t *testing.T, url string, n int) (ended bool) {
	t.Helper()
	child := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDie$")
	child.Env = append(os.Environ(), dieOn+"="+url, dieAt+"="+strconv.Itoa(n))
	out, err := child.CombinedOutput()
	var exit *osexec.ExitError
	if err == nil {
		return true
	}
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("child: got %v, want that it is killed\n%s", err, out)
	}
	return false
}

// TestDie is the child of migrateAndDie.
func TestDie(t *testing.T) {
	t.Parallel()
	url := os.Getenv(dieOn)
	if url == "" {
		t.Skip("is a child of TestMigrationsGoOnAfterAKill")
	}
	n, err := strconv.Atoi(os.Getenv(dieAt))
	if err != nil {
		t.Fatal(err)
	}
	d := &death{}
	d.left.Store(int64(n))
	db, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(steps).Failing(func(c driver.Connector) driver.Connector { return dying{c, d} }))
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
}

// death kills this process at a statement.
type death struct{ left atomic.Int64 }

func (d *death) nearer() {
	if d.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// dying, dyingConn and dyingTx are the driver's, with death before each statement.
type (
	dying struct {
		driver.Connector
		death *death
	}
	dyingConn struct {
		driver.Conn
		death *death
	}
	dyingTx struct {
		driver.Tx
		death *death
	}
)

func (d dying) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.Connector.Connect(ctx)
	return dyingConn{c, d.death}, err
}

func (c dyingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.death.nearer()
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c dyingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.death.nearer()
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c dyingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.death.nearer()
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return dyingTx{tx, c.death}, err
}

func (c dyingConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (t dyingTx) Commit() error {
	t.death.nearer()
	return t.Tx.Commit()
}

// state is the tables, columns, indexes and rows of a database, as text.
func state(t *testing.T, url string) string {
	t.Helper()
	db, schema := raw(t, url)
	var b strings.Builder
	show := func(query string) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			return // no such table, or no database
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			b.WriteString(line + "; ")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if schema == "" {
		show(`SELECT name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'meta_%' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	} else {
		show(`SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '') FROM information_schema.columns
			WHERE table_schema = '` + schema + `' AND table_name NOT LIKE 'meta_%' ORDER BY table_name, ordinal_position`)
		show(`SELECT indexdef FROM pg_indexes WHERE schemaname = '` + schema + `' AND tablename NOT LIKE 'meta_%' ORDER BY indexname`)
	}
	show(`SELECT 'version ' || version_id FROM meta_versions WHERE version_id > 0 ORDER BY version_id`)
	show(`SELECT 'thing ' || id FROM things ORDER BY id`)
	show(`SELECT 'weight ' || thing || ' ' || weight FROM weights ORDER BY thing`)
	return b.String()
}

// forget drops everything that the steps have made.
func forget(t *testing.T, url string) {
	t.Helper()
	db, _ := raw(t, url)
	for _, table := range []string{"weights", "things", "meta_versions", "meta_health", "meta_programs"} {
		if _, err := db.ExecContext(t.Context(), "DROP TABLE IF EXISTS "+table); err != nil {
			t.Fatal(err)
		}
	}
}

// raw opens a database past this package, on PostgreSQL with all rows in sight.
func raw(t *testing.T, url string) (db *sql.DB, schema string) {
	t.Helper()
	kind, dsn := "sqlite", strings.TrimPrefix(url, "sqlite:")
	if dsn == url {
		u, err := neturl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		schema = q.Get("search_path")
		q.Set("tributary.tenant", "*")
		u.RawQuery = q.Encode()
		kind, dsn = "pgx", u.String()
	}
	db, err := sql.Open(kind, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, schema
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		for n, version := range []string{"0.1.0", "0.2.0", "0.3.0"} {
			db, err := meta.Open(t.Context(), meta.Config{URL: url, Version: version}.WithMigrations(upTo(n+1)))
			if err == nil {
				err = db.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		migrated(t, url, steps) // a later program with the same schema
		before := state(t, url)
		for _, existing := range []bool{false, true} {
			_, err := meta.Open(t.Context(), meta.Config{URL: url, Version: "0.2.0", Existing: existing}.WithMigrations(upTo(2)))
			wantKind(t, err, fault.Conflict)
			const want = "The control database needs Tributary 0.3.0 or newer: it has schema 3, and this program (0.2.0) knows up to 2 and changed nothing. " +
				"Start that version, or restore a backup from before the upgrade."
			if got := fault.Message(err); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if after := state(t, url); after != before {
			t.Errorf("the refused database: got\n%s\nwant\n%s", after, before)
		}
		db, _ := raw(t, url)
		if _, err := db.ExecContext(t.Context(), `DROP TABLE meta_programs`); err != nil { // 0.1.0 left none
			t.Fatal(err)
		}
		_, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(upTo(1)))
		if got := fault.Message(err); !strings.Contains(got, "needs a newer Tributary: it has schema 3") {
			t.Errorf("without a program's name: got %q", got)
		}
	})
}

func TestAFailedMigrationLeavesTheVersionBefore(t *testing.T) {
	t.Parallel()
	bad := fstest.MapFS{"0002_bad.sql": {Data: []byte("-- +goose Up\nCREATE TABLE half (id BIGINT PRIMARY KEY);\nINSERT INTO nowhere VALUES (1);\n")}}
	bad["0001_tests.sql"] = tables["0001_tests.sql"]
	metatest.EachURL(t, func(t *testing.T, url string) {
		if _, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(bad)); err == nil {
			t.Fatal("a migration that fails was accepted")
		}
		db := open(t, url)
		if _, err := db.Query(t.Context(), `SELECT id FROM half`); err == nil {
			t.Fatal("the failed migration left a table")
		}
	})
}
