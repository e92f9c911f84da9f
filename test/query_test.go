package test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	_ "github.com/duckdb/duckdb-go/v2"

	"tributary/client"
)

// Answers come in the format that is asked for, types and nulls told apart.
func TestAnswersInEachFormat(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a := s.As(s.Token)
	q := client.NewQuery{SQL: `SELECT 1 AS n, NULL AS nothing, '' AS empty, '=1+1' AS "a, b", 12.50::DECIMAL(9,2) AS price, TIMESTAMP '2026-01-31 08:00:00' AS at, {'x': [1, NULL]} AS deep UNION ALL SELECT 2, 'x', 'l1' || chr(10) || '"', '-', -1, NULL, NULL ORDER BY n`}
	for format, want := range map[string]string{
		client.CSV:    "n,nothing,empty,\"a, b\",price,at,deep\n1,,\"\",'=1+1,12.50,2026-01-31T08:00:00.000000Z,\"{\"\"x\"\":[1,null]}\"\n2,x,\"l1\n\"\"\",'-,-1.00,,\n",
		client.NDJSON: `{"n":1,"nothing":null,"empty":"","a, b":"=1+1","price":"12.50","at":"2026-01-31T08:00:00.000000Z","deep":{"x":[1,null]}}` + "\n" + `{"n":2,"nothing":"x","empty":"l1\n\"","a, b":"-","price":"-1.00","at":null,"deep":null}` + "\n",
	} {
		var b bytes.Buffer
		if truncated, err := a.QueryTo(t.Context(), q, format, &b); err != nil || truncated || b.String() != want {
			t.Errorf("%s: got %q, %v, %v; want %q", format, b.String(), truncated, err, want)
		}
	}
	for _, rows := range []int{10, 100_000} { // told before the answer, and behind it
		var b bytes.Buffer
		if truncated, err := a.QueryTo(t.Context(), client.NewQuery{SQL: "FROM range(200000)", Rows: rows}, client.CSV, &b); err != nil || !truncated || strings.Count(b.String(), "\n") != rows+1 {
			t.Errorf("got %d lines, %v, %v; want %d and that there are more", strings.Count(b.String(), "\n"), truncated, err, rows+1)
		}
	}
	if found, err := a.Query(t.Context(), client.NewQuery{SQL: "FROM range(50000)", Rows: 100_000}); err != nil || len(found.Rows) != 50_000 || found.Truncated || found.Rows[49_999][0] != 49_999.0 {
		t.Errorf("got %d rows, %v", len(found.Rows), err)
	}
	var refused *client.Error
	if _, err := a.QueryTo(t.Context(), client.NewQuery{SQL: "SELECT 1"}, "text/html", io.Discard); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
		t.Errorf("got %v, want that there is no such format", err)
	}
}

// Parquet and Arrow keep the types that the engine has, for the provider and for tenants.
func TestAnswersInColumnsKeepTheirTypes(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	analyst := s.As(must(s.As(s.Token).CreateAPIKey(t.Context(), client.NewAPIKey{Role: "analyst"}))(t).Key)
	const types = `SELECT 1::TINYINT AS tiny, 18446744073709551615::UBIGINT AS big, sum(-9223372036854775808) AS total, 0.5::FLOAT AS single, 'nan'::DOUBLE AS double, true AS truth,
		12.50::DECIMAL(9,2) AS price, -0.01::DECIMAL(12,3) AS little, -1234567890123456789012345678.0123456789::DECIMAL(38,10) AS precise, TIMESTAMP '2026-01-31 08:00:00.000001' AS moment, DATE '1969-12-31' AS day,
		'infinity'::TIMESTAMP AS never, '=1+1' AS "text, too", {'x': [1, NULL]} AS deep, blob '\x00\xFF' AS raw, NULL AS nothing, ''::VARCHAR AS empty
		UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`
	for who, c := range map[string]*client.Client{"an analyst": analyst, "a tenant": s.party(1).Client} {
		file := filepath.Join(t.TempDir(), "answer.parquet")
		if got := s.columnar(c, client.NewQuery{SQL: types}, client.Parquet, file); got {
			t.Errorf("%s: the answer is cut", who)
		}
		db := must(sql.Open("duckdb", ""))(t)
		defer db.Close()
		read := func(statement string) (all string) {
			rows := must(db.QueryContext(t.Context(), strings.ReplaceAll(statement, "$file", "'"+file+"'")))(t)
			defer rows.Close()
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					t.Fatal(err)
				}
				all += line + "\n"
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return all
		}
		if got, want := read("SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE FROM $file)"), "tiny TINYINT, big UBIGINT, total DECIMAL(38,0), single FLOAT, double DOUBLE, truth BOOLEAN, price DECIMAL(9,2), little DECIMAL(12,3), precise DECIMAL(38,10), "+
			"moment TIMESTAMP WITH TIME ZONE, day DATE, never TIMESTAMP WITH TIME ZONE, text, too VARCHAR, deep JSON, raw BLOB, nothing INTEGER, empty VARCHAR\n"; got != want {
			t.Errorf("%s: got %q, want %q", who, got, want)
		}
		if got, want := read("SELECT concat_ws('|', *COLUMNS(* REPLACE (moment::TIMESTAMP AS moment, never::TIMESTAMP AS never))) FROM $file"), "1|18446744073709551615|-9223372036854775808|0.5|nan|true|12.50|-0.010|-1234567890123456789012345678.0123456789|2026-01-31 08:00:00.000001|1969-12-31|infinity|=1+1|{\"x\":[1,null]}|\\x00\\xFF|\n\n"; got != want {
			t.Errorf("%s: got %q, want %q", who, got, want)
		}
		if got := read("SELECT (count(nothing), count(tiny), count(empty))::VARCHAR FROM $file"); got != "(0, 1, 1)\n" {
			t.Errorf("%s: got %q values that are no nulls", who, got)
		}

		tables := must(c.Tables(t.Context()))(t).Items
		if len(tables) < 10 {
			t.Errorf("%s: got %d tables", who, len(tables))
		}
		for _, table := range tables {
			for _, format := range []string{client.Parquet, client.Arrow} {
				if _, err := c.QueryTo(t.Context(), client.NewQuery{SQL: "SELECT * FROM " + table.ID}, format, io.Discard); err != nil {
					t.Errorf("%s: all of %s as %s: %v", who, table.ID, format, err)
				}
			}
		}

		file += ".arrow"
		if got := s.columnar(c, client.NewQuery{SQL: "SELECT range::INTEGER AS n, (range / 4)::DECIMAL(9,2) AS part FROM range(200000)", Rows: 100_000}, client.Arrow, file); !got {
			t.Errorf("%s: the answer is not cut", who)
		}
		in := must(ipc.NewReader(must(os.Open(file))(t)))(t)
		rows, last := int64(0), ""
		for in.Next() {
			batch := in.RecordBatch()
			rows += batch.NumRows()
			last = batch.Column(0).ValueStr(int(batch.NumRows())-1) + "|" + batch.Column(1).ValueStr(int(batch.NumRows())-1)
		}
		if in.Err() != nil || rows != 100_000 || last != "99999|24999.75" {
			t.Errorf("%s: got %d rows, the last %s, %v", who, rows, last, in.Err())
		}
	}
}

// columnar writes an answer to a file, and reports whether there is more.
func (s *server) columnar(c *client.Client, q client.NewQuery, format, file string) bool {
	s.T.Helper()
	f := must(os.Create(file))(s.T)
	truncated := must(c.QueryTo(s.T.Context(), q, format, f))(s.T)
	if err := f.Close(); err != nil {
		s.T.Fatal(err)
	}
	return truncated
}

// An answer that fails after it has begun is cut off, and one that fails before is an error.
func TestAnAnswerThatFailsIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a := s.As(s.Token)
	const late = "SELECT CASE WHEN range = 90000 THEN error('too late') ELSE repeat('x', 1000) END FROM range(100000)"
	for _, format := range []string{client.CSV, client.NDJSON, client.Arrow, client.Parquet} {
		var gone *client.UnreachableError
		if _, err := a.QueryTo(t.Context(), client.NewQuery{SQL: late, Rows: 100_000}, format, io.Discard); !errors.As(err, &gone) {
			t.Errorf("%s: got %v, want that it ended early", format, err)
		}
	}
	var refused *client.Error
	if _, err := a.Query(t.Context(), client.NewQuery{SQL: strings.Replace(late, "90000", "5", 1)}); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity || !strings.Contains(refused.Detail, "too late") {
		t.Errorf("got %v, want what the SELECT says", err)
	}
}

// A query ends when who asked leaves, and when it is cancelled by who may.
func TestQueriesAreCancelled(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	admin, a, b := s.As(s.Token), s.party(1), s.party(2)
	analyst := s.As(must(admin.CreateAPIKey(t.Context(), client.NewAPIKey{Role: "analyst"}))(t).Key)
	user := s.As(must(a.CreateAPIKey(t.Context(), client.NewAPIKey{Role: "tenant_user"}))(t).Key)
	// Its answer is begun and waits for its reader, so it is under way until it is ended.
	begin := func(ctx context.Context, c *client.Client) (string, chan error) {
		t.Helper()
		r, w := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			_, err := c.QueryTo(ctx, client.NewQuery{SQL: "SELECT repeat('x', 1000) FROM range(100000)", Rows: 100_000}, client.CSV, w)
			ended <- err
			_ = w.Close()
		}()
		if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		list := must(c.Queries(ctx))(t).Items
		if len(list) != 1 {
			t.Fatalf("got %d queries, want one", len(list))
		}
		t.Cleanup(func() { _ = r.Close() })
		return list[0].ID, ended
	}
	gone := func(c *client.Client) {
		t.Helper()
		for len(must(c.Queries(t.Context()))(t).Items) > 0 {
			if t.Context().Err() != nil {
				t.Fatal("a query goes on")
			}
		}
	}
	id, _ := begin(t.Context(), user)
	for name, c := range map[string]*client.Client{"another tenant": b.Client, "an analyst": analyst} {
		var refused *client.Error
		if err := c.CancelQuery(t.Context(), id); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			t.Errorf("%s: got %v, want that there is none", name, err)
		}
		if list := must(c.Queries(t.Context()))(t).Items; len(list) != 0 {
			t.Errorf("%s: got %v, want none", name, list)
		}
	}
	for _, c := range []*client.Client{admin, a.Client, user} {
		if list := must(c.Queries(t.Context()))(t).Items; len(list) != 1 || list[0].ID != id || list[0].Tenant != a.ID {
			t.Errorf("got %v, want the user's query", list)
		}
	}
	if err := a.CancelQuery(t.Context(), id); err != nil { // the tenant's admin
		t.Error(err)
	}
	gone(admin)

	ctx, leave := context.WithCancel(t.Context())
	_, _ = begin(ctx, analyst)
	leave()
	gone(admin)
}
