package meta_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// seed gives Alice, Bob and the provider a note each: 1, 2 and 3.
func seed(t testing.TB, db *meta.DB) {
	t.Helper()
	const q = `INSERT INTO notes (id, tenant, body) VALUES ($1, $2, $3)`
	exec(t, db.For(alice), q, 1, alice, "alice's")
	exec(t, db.For(bob), q, 2, bob, "bob's")
	exec(t, db.Provider(), q, 3, "", "the provider's")
}

func ids(t testing.TB, db *meta.DB, query string, args ...any) []int64 {
	t.Helper()
	rows, err := db.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var got []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	return got
}

func TestAStatementOnTenantsRowsNeedsAScope(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		seed(t, db)
		for name, refused := range map[string]struct {
			db    *meta.DB
			query string
			args  []any
		}{
			"no scope":                   {db, `SELECT id FROM notes`, nil},
			"no scope, writing":          {db, `UPDATE notes SET body = ''`, nil},
			"no scope, joined":           {db, `SELECT c.n FROM counters AS c JOIN Notes AS n ON n.id = c.n`, nil},
			"no scope, listed":           {db, `SELECT c.n FROM counters AS c, "notes"`, nil},
			"the tenant is not bound":    {db.For(alice), `SELECT id FROM notes WHERE id = $1`, []any{2}},
			"another tenant is bound":    {db.For(alice), `SELECT id FROM notes WHERE tenant = $1`, []any{bob}},
			"the provider is not bound":  {db.Provider(), `SELECT id FROM notes`, nil},
			"no tenant":                  {db.For(""), `SELECT id FROM notes WHERE tenant = $1`, []any{""}},
			"everyone is no tenant":      {db.For("*"), `SELECT id FROM notes WHERE tenant = $1`, []any{"*"}},
			"the provider is no tenant":  {db.For("-"), `SELECT id FROM notes WHERE tenant = $1`, []any{"-"}},
			"the setting is not for SQL": {db, `SELECT set_config('tributary.tenant', '*', false)`, nil},
		} {
			if _, err := refused.db.Query(t.Context(), refused.query, refused.args...); err == nil {
				t.Errorf("%s: %s was not refused", name, refused.query)
			}
		}
		for name, allowed := range map[string]struct {
			db    *meta.DB
			query string
			args  []any
			want  []int64
		}{
			"Alice's":        {db.For(alice), `SELECT id FROM notes WHERE tenant = $1`, []any{alice}, []int64{1}},
			"Bob's":          {db.For(bob), `SELECT id FROM notes WHERE tenant = $1`, []any{bob}, []int64{2}},
			"the provider's": {db.Provider(), `SELECT id FROM notes WHERE tenant = ''`, nil, []int64{3}},
			"everyone's":     {db.Unscoped(), `SELECT id FROM notes ORDER BY id`, nil, []int64{1, 2, 3}},
			"no tenant's":    {db, `SELECT n FROM counters`, nil, nil},
		} {
			if got := ids(t, allowed.db, allowed.query, allowed.args...); !slices.Equal(got, allowed.want) {
				t.Errorf("%s: got %v, want %v", name, got, allowed.want)
			}
		}
	})
}

// oneConnection returns a database with a single connection, so that every
// statement uses the one that another has used, and with a view of the notes
// that goes past the check of statements, to what PostgreSQL itself lets through.
func oneConnection(t testing.TB) (db *meta.DB, address string) {
	t.Helper()
	u, err := url.Parse(metatest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("pool_max_conns", "1")
	u.RawQuery = q.Encode()
	db = open(t, u.String())
	seed(t, db)
	q.Del("pool_max_conns")
	u.RawQuery = q.Encode()
	conn := connect(t, u.String())
	if _, err := conn.Exec(t.Context(), `CREATE VIEW peek AS SELECT id FROM notes`); err != nil {
		t.Fatal(err)
	}
	return db, u.String()
}

// connect connects as the server's own role, but not through this package.
func connect(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// leaks looks past the check of statements for what PostgreSQL itself would show.
func leaks(t testing.TB, db *meta.DB) []string {
	t.Helper()
	var found []string
	check := func(name string, db *meta.DB, want ...int64) {
		if got := ids(t, db, `SELECT id FROM peek ORDER BY id`); !slices.Equal(got, want) {
			found = append(found, name)
		}
	}
	inTransaction := func(name string, outer, inner func(*meta.DB) *meta.DB, want ...int64) {
		err := db.Transact(t.Context(), func(tx *meta.DB) error {
			ids(t, outer(tx), `SELECT id FROM peek`)
			check(name, inner(tx), want...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	none := func(db *meta.DB) *meta.DB { return db }
	forAlice := func(db *meta.DB) *meta.DB { return db.For(alice) }
	unscoped := (*meta.DB).Unscoped

	check("no scope on a fresh connection", db)
	check("Alice's", db.For(alice), 1)
	check("no scope after Alice", db)
	check("Bob's after Alice", db.For(bob), 2)
	check("the provider's", db.Provider(), 3)
	check("everyone's", db.Unscoped(), 1, 2, 3)
	check("no scope after everyone", db)
	inTransaction("no scope after Alice in a transaction", forAlice, none)
	inTransaction("Alice after everyone in a transaction", unscoped, forAlice, 1)
	inTransaction("everyone after Alice in a transaction", forAlice, unscoped, 1, 2, 3)
	check("no scope after a transaction", db)

	write := func(name string, query string, args ...any) {
		if n, err := db.For(alice).Exec(t.Context(), query, args...); err == nil && n > 0 {
			found = append(found, name)
		}
	}
	write("Alice writes a row of Bob's", `INSERT INTO notes (id, tenant, body) VALUES (9, $1, $2)`, bob, alice)
	write("Alice gives a row to Bob", `UPDATE notes SET tenant = $1 WHERE tenant = $2`, bob, alice)
	write("Alice changes a row of Bob's", `UPDATE notes SET body = $1 WHERE id = 2`, alice)
	write("Alice deletes a row of Bob's", `DELETE FROM notes WHERE id = 2 OR body = $1`, alice)
	write("Alice writes a row of the provider's", `INSERT INTO notes (id, tenant, body) VALUES (9, '', $1)`, alice)
	return found
}

func TestPostgreSQLKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	db, _ := oneConnection(t)
	if got := leaks(t, db); len(got) > 0 {
		t.Fatalf("not apart: %q", got)
	}
	// A failed statement must not leave its scope behind either.
	if _, err := db.For(alice).Exec(t.Context(), `INSERT INTO notes (id, tenant, body) VALUES (1, $1, 'again')`, alice); !meta.IsUnique(err) {
		t.Fatalf("got %v, want that the row is there", err)
	}
	if got := ids(t, db, `SELECT id FROM peek`); len(got) > 0 {
		t.Fatalf("no scope after a failure: got rows %v", got)
	}
}

// Each way of switching the separation off must be seen by the test above and by
// Verify, and mended by a restart.
func TestSeparationSwitchedOffIsNoticed(t *testing.T) {
	t.Parallel()
	for name, sabotage := range map[string]string{
		"security is off":          `ALTER TABLE notes DISABLE ROW LEVEL SECURITY`,
		"the owner is exempt":      `ALTER TABLE notes NO FORCE ROW LEVEL SECURITY`,
		"another policy lets pass": `CREATE POLICY open ON notes USING (true)`,
		"the policy lets pass":     `ALTER POLICY tenants_are_apart ON notes USING (true OR current_setting('tributary.tenant', true) = '*')`,
		"writing is not checked":   `ALTER POLICY tenants_are_apart ON notes WITH CHECK (true)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, address := oneConnection(t)
			if _, err := connect(t, address).Exec(t.Context(), sabotage); err != nil {
				t.Fatal(err)
			}
			if got := leaks(t, db); len(got) == 0 {
				t.Error("the test of separation did not notice")
			}
			problems, err := db.Verify(t.Context())
			if err != nil || len(problems) != 1 || !strings.Contains(problems[0], "notes") {
				t.Errorf("verify: got %q, %v; want one problem with notes", problems, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open(t, address)
			if problems, err := db.Verify(t.Context()); err != nil || len(problems) > 0 {
				t.Errorf("verify after a restart: got %q, %v; want nothing", problems, err)
			}
			if got := ids(t, db.For(tenant.ID("ten_c")), `SELECT id FROM peek`); len(got) > 0 {
				t.Errorf("after a restart: got rows %v, want none", got)
			}
		})
	}
}
