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
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tributary/internal/meta"
)

// Each runs f as the subtests "sqlite" and "postgres", each with a fresh and
// migrated database that is gone afterwards. f may call t.Parallel.
func Each(t *testing.T, f func(t *testing.T, db *meta.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, Open(t, SQLite(t))) })
	t.Run("postgres", func(t *testing.T) { f(t, Open(t, migrated(t))) })
}

// EachURL is Each for tests that open the database, or start a server, themselves:
// nothing is in it yet.
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
	schema := unique()
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() {
		if err := execute(context.WithoutCancel(t.Context()), u, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Errorf("drop schema %s: %v", schema, err)
		}
	})
	return u.String()
}

// migrated is a copy of a database that this process has migrated once, which takes a
// third of the time that migrating one does.
func migrated(t testing.TB) string {
	t.Helper()
	u := base(t)
	if os.Getenv(external) != "" {
		return Postgres(t) // whose role may make no databases
	}
	if err := model(); err != nil {
		t.Fatalf("migrate the database that is copied: %v", err)
	}
	name, super := unique(), as(superuser, u)
	if err := execute(t.Context(), super, "CREATE DATABASE "+name+" OWNER "+role+" TEMPLATE "+original); err != nil {
		t.Fatalf("copy the migrated database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(context.WithoutCancel(t.Context()), super, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

const original = "tributary_migrated"

// model makes the database that is copied, once in a process.
var model = sync.OnceValue(func() error {
	ctx := context.Background()
	address, err := started()
	if err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if err := execute(ctx, as(superuser, u), "CREATE DATABASE "+original+" OWNER "+role); err != nil {
		return err
	}
	u.Path = "/" + original
	db, err := meta.Open(ctx, meta.Config{URL: u.String()})
	if err != nil {
		return err
	}
	return db.Close()
})

func as(user string, u *url.URL) *url.URL {
	other := *u
	other.User = url.User(user)
	return &other
}

func execute(ctx context.Context, u *url.URL, statement string) error {
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// unique returns a name that no other test has.
func unique() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random)
	return "t_" + hex.EncodeToString(random)
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
	return as(superuser, u).String()
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
