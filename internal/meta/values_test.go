package meta_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

func TestValuesComeBackTheSameFromBoth(t *testing.T) {
	t.Parallel()
	type name string
	now := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.FixedZone("", 7200))
	seven, text := int64(7), "x"
	each(t, func(t *testing.T, db *meta.DB) {
		id := 0
		for _, c := range []struct {
			column string
			in     any
			out    any // a pointer to the type read
			want   any
		}{
			{"t", "grüße\n'\"", new(string), "grüße\n'\""},
			{"t", "", new(string), ""},
			{"t", tenant.ID("ten_x"), new(tenant.ID), tenant.ID("ten_x")},
			{"t", name("n"), new(any), "n"},
			{"t", &text, new(*string), &text},
			{"t", nil, new(*string), (*string)(nil)},
			{"t", sql.NullString{}, new(sql.NullString), sql.NullString{}},
			{"t", "s", new(sql.NullString), sql.NullString{String: "s", Valid: true}},
			{"i", math.MaxInt64, new(int64), int64(math.MaxInt64)},
			{"i", math.MinInt64, new(int64), int64(math.MinInt64)},
			{"i", uint32(7), new(int), 7},
			{"i", int8(-1), new(int32), int32(-1)},
			{"i", true, new(bool), true},
			{"i", false, new(int64), int64(0)},
			{"i", &seven, new(*int64), &seven},
			{"i", (*int64)(nil), new(*int64), (*int64)(nil)},
			{"i", sql.NullInt64{Int64: 3, Valid: true}, new(sql.NullInt64), sql.NullInt64{Int64: 3, Valid: true}},
			{"i", now, new(time.Time), now.UTC()},
			{"i", now, new(int64), meta.Micros(now)},
			{"i", time.Time{}, new(time.Time), time.Time{}},
			{"i", time.Time{}, new(*int64), (*int64)(nil)},
			{"i", meta.NullMicros(now), new(sql.NullInt64), sql.NullInt64{Int64: meta.Micros(now), Valid: true}},
			{"i", meta.NullMicros(time.Time{}), new(sql.NullInt64), sql.NullInt64{}},
			{"f", 0.1, new(float64), 0.1},
			{"f", 3, new(float64), 3.0},
			{"f", math.SmallestNonzeroFloat64, new(float64), math.SmallestNonzeroFloat64},
			{"b", []byte{0, 255, 1}, new([]byte), []byte{0, 255, 1}},
			{"b", []byte("text"), new([]byte), []byte("text")},
			{"b", []byte("12"), new([]byte), []byte("12")},
			{"b", []byte{}, new([]byte), []byte{}},
			{"b", []byte(nil), new([]byte), []byte(nil)},
			{"b", json.RawMessage(`{}`), new(json.RawMessage), json.RawMessage(`{}`)},
		} {
			id++
			exec(t, db, `INSERT INTO kinds (id, `+c.column+`) VALUES ($1, $2)`, id, c.in)
			err := db.QueryRow(t.Context(), `SELECT `+c.column+` FROM kinds WHERE id = $1`, id).Scan(c.out)
			if got := reflect.ValueOf(c.out).Elem().Interface(); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%T %v: got %T %v, %v; want %T %v", c.in, c.in, got, got, err, c.want, c.want)
			}
		}
		exec(t, db, `INSERT INTO kinds (id, b, t) VALUES (1000, $1, $2)`, []byte{}, "")
		if n := number(t, db, `SELECT count(*) FROM kinds WHERE id = 1000 AND b IS NOT NULL AND t IS NOT NULL AND length(b) = 0`); n != 1 {
			t.Error("no bytes and no text became NULL")
		}
	})
}

func TestValuesThatOneOfThemWouldNotKeepAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		for name, v := range map[string]any{
			"NUL in text": "a\x00b", "not UTF-8": "a\xffb", "not a number": math.NaN(), "infinite": math.Inf(1),
			"too large": uint64(math.MaxUint64), "a struct": struct{}{}, "a list": []string{"a"},
		} {
			if _, err := db.Exec(t.Context(), `INSERT INTO kinds (id, t) VALUES (1, $1)`, v); err == nil {
				t.Errorf("%s: %v was not refused", name, v)
			}
		}
		_, err := db.Exec(t.Context(), `INSERT INTO kinds (id, t) VALUES (1, $1)`, "\x00")
		wantKind(t, err, fault.Invalid)

		exec(t, db, `INSERT INTO kinds (id, t, i, f, b) VALUES (1, 'x', 300, 0.5, $1)`, []byte("y"))
		for query, out := range map[string]any{
			`SELECT t FROM kinds`:                     new(int64),
			`SELECT t FROM kinds WHERE id = 1`:        new([]byte),
			`SELECT i FROM kinds`:                     new(string),
			`SELECT i FROM kinds WHERE id = 1`:        new(int8),
			`SELECT i FROM kinds LIMIT 1`:             new(bool),
			`SELECT f FROM kinds`:                     new(int64),
			`SELECT b FROM kinds`:                     new(string),
			`SELECT CAST(NULL AS TEXT) FROM kinds`:    new(string),
			`SELECT CAST(NULL AS BIGINT) FROM kinds`:  new(int64),
			`SELECT id, t FROM kinds`:                 new(int64),
			`SELECT max(i) FROM kinds WHERE id > 100`: new(int64),
		} {
			if err := db.QueryRow(t.Context(), query).Scan(out); err == nil {
				t.Errorf("%s into a %T was not refused", query, out)
			}
		}
	})
}

// What people expect of the SQL that both speak.
func TestBothSpeakTheSameSQL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *meta.DB) {
		ctx := t.Context()
		for i, s := range []string{"b", "A", "_", "ä", "a", "Z", "-a"} {
			exec(t, db, insertCounter, s, i)
		}
		rows, err := db.Query(ctx, `SELECT name FROM counters ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if want := []string{"-a", "A", "Z", "_", "a", "b", "ä"}; !slices.Equal(got, want) {
			t.Errorf("order: got %q, want %q", got, want)
		}
		if n := number(t, db, `SELECT count(*) FROM counters WHERE name LIKE 'a%'`); n != 1 {
			t.Errorf("LIKE: got %d rows, want 1", n)
		}
		if n := number(t, db, `SELECT sum(n) FROM counters`); n != 21 {
			t.Errorf("sum: got %d, want 21", n)
		}
		var mean float64
		if err := db.QueryRow(ctx, `SELECT avg(n) FROM counters WHERE n < 2`).Scan(&mean); err != nil || mean != 0.5 {
			t.Errorf("avg: got %v, %v; want 0.5", mean, err)
		}
		var exists bool
		if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM counters WHERE name = $1)`, "a").Scan(&exists); err != nil || !exists {
			t.Errorf("EXISTS: got %v, %v; want true", exists, err)
		}
		if n := number(t, db, `SELECT n FROM counters WHERE n > $2 AND name = $1 AND name = $1`, "Z", 0); n != 5 {
			t.Errorf("parameters out of order: got %d, want 5", n)
		}
		if n := number(t, db, `INSERT INTO counters (name, n) VALUES ('a', 9)
			ON CONFLICT (name) DO UPDATE SET n = counters.n + excluded.n RETURNING n`); n != 13 {
			t.Errorf("upsert: got %d, want 13", n)
		}
		n, err := db.Exec(ctx, `WITH old AS (SELECT name FROM counters WHERE n < 2) DELETE FROM counters WHERE name IN (SELECT name FROM old)`)
		if err != nil || n != 2 {
			t.Errorf("delete: got %d, %v; want 2", n, err)
		}
		if n, err := db.Exec(ctx, `UPDATE counters SET n = 0 WHERE name = 'nobody'`); err != nil || n != 0 {
			t.Errorf("update of nothing: got %d, %v; want 0", n, err)
		}
		big := bytes.Repeat([]byte("x"), 3<<20)
		exec(t, db, `INSERT INTO kinds (id, b) VALUES (1, $1)`, big)
		var back []byte
		if err := db.QueryRow(ctx, `SELECT b FROM kinds`).Scan(&back); err != nil || !bytes.Equal(back, big) {
			t.Errorf("3 MiB: got %d bytes, %v", len(back), err)
		}
		for _, q := range []string{
			"", "BEGIN", "COMMIT", "SET x = 1", "PRAGMA foreign_keys = 0", "ATTACH 'x' AS y", "COPY counters TO STDOUT",
			"DROP TABLE counters", "SELECT 1; DROP TABLE counters", "SELECT 'a", "VACUUM", `SELECT "nothing" FROM counters`,
		} {
			if _, err := db.Exec(ctx, q); err == nil {
				t.Errorf("%q was not refused", q)
			}
		}
	})
}

func TestWhatIsFoundOutAboutAQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		sqlite string
		writes bool
		tables string
	}{
		`SELECT a FROM notes WHERE b = $1`:                              {`SELECT a FROM notes WHERE b = ?1`, false, "notes"},
		`select a from only Notes n join "users" u on u.id = $12`:       {`select a from only Notes n join "users" u on u.id = ?12`, false, "notes users"},
		`SELECT a FROM t, notes`:                                        {`SELECT a FROM t, notes`, false, "notes"},
		`SELECT a FROM main.notes`:                                      {`SELECT a FROM main.notes`, false, "notes"},
		"SELECT a FROM/* x */notes -- , users":                          {"SELECT a FROM/* x */notes -- , users", false, "notes"},
		`SELECT 'FROM notes $1', users FROM t WHERE notes = 'it''s $2'`: {`SELECT 'FROM notes $1', users FROM t WHERE notes = 'it''s $2'`, false, "users"},
		`INSERT INTO notes (users) VALUES ($1) ON CONFLICT DO NOTHING`:  {`INSERT INTO notes (users) VALUES (?1) ON CONFLICT DO NOTHING`, true, "notes"},
		`UPDATE notes SET a = 1`:                                        {`UPDATE notes SET a = 1`, true, "notes"},
		`DELETE FROM t`:                                                 {`DELETE FROM t`, true, ""},
		`WITH x AS (SELECT 1) SELECT * FROM x`:                          {`WITH x AS (SELECT 1) SELECT * FROM x`, false, ""},
		`WITH x AS (DELETE FROM notes RETURNING id) SELECT * FROM x`:    {`WITH x AS (DELETE FROM notes RETURNING id) SELECT * FROM x`, true, "notes"},
		`SELECT 1;  -- done`:                                            {`SELECT 1;  -- done`, false, ""},
	} {
		sqlite, writes, tables, err := meta.Parse(query, "notes", "users")
		if got := strings.Join(tables, " "); err != nil || sqlite != want.sqlite || writes != want.writes || got != want.tables {
			t.Errorf("%s: got %q, writes %v, tables %q, %v; want %q, %v, %q", query, sqlite, writes, got, err, want.sqlite, want.writes, want.tables)
		}
	}
}
