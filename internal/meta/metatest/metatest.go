// Package metatest gives tests real control databases: a fresh SQLite file, and
// a fresh schema in a real PostgreSQL that it starts by itself.
package metatest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"tributary/internal/meta"
)

// Each runs f as the subtests "sqlite" and "postgres", each with a fresh and
// migrated database that is gone afterwards. f may call t.Parallel.
func Each(t *testing.T, f func(t *testing.T, db *meta.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { f(t, Open(t, url)) })
}

// EachURL is Each for tests that open the database, or start a server, themselves.
func EachURL(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// Open opens the database and closes it when the test ends.
func Open(t testing.TB, url string) *meta.DB {
	t.Helper()
	db, err := meta.Open(t.Context(), meta.Config{URL: url})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s: %v", url, err)
		}
	})
	return db
}

// SQLite returns the URL of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "meta", "control.db")
}

// Postgres returns the URL of a schema of its own, as a role that may do no more
// than a provider's would; it is dropped when the test ends. The first call in a
// process starts PostgreSQL, which ends with the process. Without PostgreSQL the
// test is skipped, or fails where TRIBUTARY_REQUIRE_ALL is set. If
// TRIBUTARY_TEST_POSTGRES is the URL of one that runs, that is used.
func Postgres(t testing.TB) string {
	t.Helper()
	u := base(t)
	random := make([]byte, 8)
	_, _ = rand.Read(random)
	schema := "t_" + hex.EncodeToString(random)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, u.String())
		if err != nil {
			t.Errorf("connect to drop schema %s: %v", schema, err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Errorf("drop schema %s: %v", schema, err)
		}
	})
	return u.String()
}

// Superuser returns the URL of the same PostgreSQL as its superuser, for tests of
// what a superuser sees or may not do. It skips the test where the server was
// not started by this package.
func Superuser(t testing.TB) string {
	t.Helper()
	u := base(t)
	if os.Getenv(external) != "" {
		t.Skipf("%s is set, and its superuser is not known", external)
	}
	u.User = url.User(superuser)
	return u.String()
}

const external = "TRIBUTARY_TEST_POSTGRES"

// base returns the URL of the server, as the role for tests.
func base(t testing.TB) *url.URL {
	t.Helper()
	address := os.Getenv(external)
	if address == "" {
		var err error
		if address, err = started(); err != nil {
			const words = "no PostgreSQL for tests: %v (apt-get install postgresql, or set %s)"
			if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
				t.Fatalf(words, err, external)
			}
			t.Skipf(words, err, external)
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("parse %s: %v", external, err)
	}
	return u
}
