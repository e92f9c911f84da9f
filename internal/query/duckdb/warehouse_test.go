package duckdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"golang.org/x/sys/unix"

	"tributary/internal/fault"
	"tributary/internal/query"
)

var steps = []string{`
CREATE TABLE fact (tenant VARCHAR NOT NULL, key UHUGEINT NOT NULL, happened TIMESTAMP NOT NULL, amount DOUBLE, n BIGINT, good BOOLEAN, data JSON);
CREATE TABLE position (stream VARCHAR NOT NULL, sequence BIGINT NOT NULL);
INSERT INTO position VALUES ('events', 0)`}

var factColumns = []query.Column{
	{Name: "tenant", Type: query.Text}, {Name: "key", Type: query.Key}, {Name: "happened", Type: query.Timestamp},
	{Name: "amount", Type: query.Float}, {Name: "n", Type: query.Integer}, {Name: "good", Type: query.Boolean}, {Name: "data", Type: query.Text},
}

func openTest(t testing.TB, dir string, steps []string) *Warehouse {
	t.Helper()
	w, err := OpenWarehouse(t.Context(), query.Warehouse{Migrations: steps, Memory: 256 << 20, Threads: 2}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// do does a request as it comes over the wire, and returns the answer as text.
func do(ctx context.Context, w *Warehouse, r query.Request) (string, query.Ending, error) {
	wire, err := query.EncodeRequest(r)
	if err != nil {
		return "", query.Ending{}, err
	}
	if r, err = query.DecodeRequest(wire); err != nil {
		return "", query.Ending{}, err
	}
	var out bytes.Buffer
	if err := w.Do(ctx, r, &out); err != nil {
		return "", query.Ending{}, err
	}
	var b strings.Builder
	end, err := query.ReadAnswer(&out, 1<<20, query.Into{Columns: func(columns []query.AnswerColumn) error {
		for _, c := range columns {
			fmt.Fprintf(&b, "%s:%s|", c.Name, c.Kind)
		}
		return nil
	}, Row: func(row [][]byte) error {
		b.WriteByte('\n')
		for _, v := range row {
			if v == nil {
				b.WriteString("NULL|")
			} else {
				fmt.Fprintf(&b, "%s|", v)
			}
		}
		return nil
	}})
	return b.String(), end, err
}

func ask(ctx context.Context, w *Warehouse, sql string) (string, error) {
	got, _, err := do(ctx, w, query.Request{Select: &query.Select{Statement: query.Statement{SQL: sql}, Tables: []string{"fact", "position"}, Rows: 100, Bytes: 1 << 20}})
	return got, err
}

// rows makes n rows of a tenant, from the key first.
func factRows(tenant string, first, n int) *query.Rows {
	r := &query.Rows{Table: "stage", Columns: factColumns, Unique: &query.Unique{Table: "fact", Column: "key"}}
	for i := first; i < first+n; i++ {
		key := sha256.Sum256(fmt.Appendf(nil, "%s %d", tenant, i))
		r.Text(tenant)
		r.Key([16]byte(key[:16]))
		r.Time(time.Date(2026, 1, 1, 0, 0, i, 123456000, time.UTC))
		r.Float(float64(i) / 4)
		if i%3 == 0 {
			r.Null()
		} else {
			r.Integer(int64(-i))
		}
		r.Boolean(i%2 == 0)
		r.Text(fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("é", i%40)))
	}
	return r
}

func load(ctx context.Context, w *Warehouse, from, to int, rows *query.Rows) (string, error) {
	got, _, err := do(ctx, w, query.Request{Transact: &query.Transact{Rows: []*query.Rows{rows}, Statements: []query.Statement{
		{SQL: "UPDATE position SET sequence = $2::BIGINT WHERE stream = 'events' AND sequence = $1::BIGINT", Arguments: []string{fmt.Sprint(from), fmt.Sprint(to)}},
		{SQL: "INSERT INTO fact SELECT * FROM stage"},
		{SQL: "SELECT count(*)::VARCHAR AS n FROM fact"},
	}}})
	return got, err
}

func TestRowsAreLoadedAndAskedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openTest(t, dir, steps)
	if got, err := load(t.Context(), w, 0, 1, factRows("acme", 0, 5000)); err != nil || got != "n:text|\n5000|" {
		t.Fatalf("got %q, %v", got, err)
	}
	// Loading the same once more adds nothing.
	if got, err := load(t.Context(), w, 1, 2, factRows("acme", 4000, 2000)); err != nil || got != "n:text|\n6000|" {
		t.Fatalf("got %q, %v", got, err)
	}
	w.Close()
	w = openTest(t, dir, append(steps, "ALTER TABLE fact ADD COLUMN more VARCHAR DEFAULT 'x'"))
	defer w.Close()
	for sql, want := range map[string]string{
		"SELECT tenant, happened, amount, n, good, data, more FROM fact ORDER BY happened LIMIT 2; ": "tenant:text|happened:timestamp|amount:number|n:integer|good:boolean|data:json|more:text|\n" +
			`acme|2026-01-01T00:00:00.123456Z|0.0|NULL|true|{"text":""}|x|` + "\n" + `acme|2026-01-01T00:00:01.123456Z|0.25|-1|false|{"text":"é"}|x|`,
		"SELECT count(*), count(n), sum(n), max(length(data->>'text')) FROM fact":                           "count_star():integer|count(n):integer|sum(n):integer|max(length((\"data\" ->> 'text'))):integer|\n6000|4000|-12000000|39|",
		"select 1 as a, 2 as a, [1,2] as l, {'x': null} as s, 1.50 as d, date '2026-02-03' as e, null as z": "a:integer|a_1:integer|l:json|s:json|d:decimal|e:date|z:integer|\n1|2|[1,2]|{\"x\":null}|1.50|2026-02-03|NULL|",
		"SELECT 'a' AS x -- a comment":                                                            "x:text|\na|",
		"select blob 'a\\x00' b, 'nan'::double n, 'infinity'::timestamp t":                        "b:text|n:number|t:timestamp|\nYQA=|nan|infinity|",
		"with f as (select n from fact where n is not null) select min(n) from f":                 "min(n):integer|\n-5999|",
		"from (describe position)":                                                                "column_name:text|column_type:text|null:text|key:text|default:text|extra:text|\nstream|VARCHAR|NO|NULL|NULL|NULL|\nsequence|BIGINT|NO|NULL|NULL|NULL|",
		"with position as (select 7 as n) from position, (with fact as (select 1) select 2 as m)": "n:integer|m:integer|\n7|2|",
		"from position": "stream:text|sequence:integer|\nevents|2|",
	} {
		if got, err := ask(t.Context(), w, sql); err != nil || got != want {
			t.Errorf("%s:\ngot  %q, %v\nwant %q", sql, got, err, want)
		}
	}
	got, end, err := do(t.Context(), w, query.Request{Select: &query.Select{Statement: query.Statement{SQL: "SELECT n FROM fact ORDER BY happened DESC"}, Rows: 3, Bytes: 1 << 20}})
	if err != nil || !end.Truncated || end.Rows != 3 || got != "n:integer|\n-5999|\n-5998|\nNULL|" {
		t.Errorf("got %q, %+v, %v; want three rows and that there are more", got, end, err)
	}
	if _, end, err := do(t.Context(), w, query.Request{Select: &query.Select{Statement: query.Statement{SQL: "SELECT data FROM fact WHERE tenant = $1", Arguments: []string{"acme"}}, Rows: 1e6, Bytes: 1000}}); err != nil || !end.Truncated || end.Rows > 100 {
		t.Errorf("got %+v, %v; want an answer cut at its bytes", end, err)
	}
}

// A statement that fails leaves nothing of its transaction.
func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	_, _, err := do(t.Context(), w, query.Request{Transact: &query.Transact{Rows: []*query.Rows{factRows("acme", 0, 10)}, Statements: []query.Statement{
		{SQL: "INSERT INTO fact SELECT * FROM stage"}, {SQL: "UPDATE position SET sequence = 9"}, {SQL: "SELECT error('stop')"},
	}}})
	if err == nil {
		t.Fatal("no error")
	}
	for sql, want := range map[string]string{"select count(*) n from fact": "n:integer|\n0|", "select sequence from position": "sequence:integer|\n0|"} {
		if got, err := ask(t.Context(), w, sql); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", sql, got, err, want)
		}
	}
	if got, err := load(t.Context(), w, 0, 1, factRows("acme", 0, 10)); err != nil || got != "n:text|\n10|" {
		t.Errorf("got %q, %v after a failure", got, err)
	}
	broken := factRows("acme", 0, 10)
	broken.Null() // a row that is not whole
	if _, err := load(t.Context(), w, 1, 2, broken); !errors.Is(err, errRows) {
		t.Errorf("got %v, want that rows cannot be read", err)
	}
}

// What somebody else's SELECT cannot do, each with the reason that they are told.
func TestOnlyASelectOfTheTablesPasses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openTest(t, dir, steps)
	defer w.Close()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := ask(t.Context(), w, "select * from position")
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"", ";", "select", "drop table fact", "drop table fact; select 1", "select 1; drop table fact", "select 1; select 2",
		"insert into position values ('x', 1)", "update position set sequence = 1", "delete from position", "truncate position",
		"create table x (a int)", "create temp table x as select 1", "alter table fact add column x int", "begin", "commit", "checkpoint", "vacuum", "set threads = 1", "reset all",
		"pragma database_list", "pragma enable_profiling", "call enable_logging()", "call pragma_version()", "explain analyze select 1", "pivot fact on tenant",
		"attach '" + dir + "/x.db' as x", "detach warehouse", "use memory", "load json", "install httpfs", "copy fact to '" + dir + "/out.csv'", "export database '" + dir + "'", "prepare x as select 1", "execute x",
		"select * from '" + secret + "'", "select * from read_csv('" + secret + "')", "select * from read_text('" + secret + "')", "select * from read_blob('*')", "select * from glob('*')",
		"select * from parquet_scan('x')", "select * from query('drop table fact')", "select * from query_table('fact')", "select * from duckdb_settings()", "select * from duckdb_secrets()",
		"select * from json_execute_serialized_sql('x')", "select * from force_checkpoint()", "select * from enable_logging()", "select * from pragma_table_info('fact')",
		"select * from schema_version", "select * from duckdb_tables", "select * from pg_class", "select * from pg_catalog.pg_class", "select * from information_schema.tables", "select * from sqlite_master",
		"select * from warehouse.main.schema_version", "select * from temp.stage", "select * from main.schema_version", "show tables", "show databases", "select * from (show tables)",
		"select current_setting('threads')", "select getenv('PATH')", "select getvariable('x')", "select write_log('x')", "select nextval('s')", "select pg_sleep(1)", "select sleep_ms(1)", "select PG_SLEEP(1)", "select main.pg_sleep(1)",
		"select 1) as q, (select * from schema_version", "select 1) as q; drop table fact; select * from (select 1",
		"select (select max(version) from schema_version)", "select * from fact where exists (from schema_version)", "with x as (from schema_version) from x", "select * from fact union all by name from schema_version",
		"select 1 /*", "select '", `select "`, "select 1 -- \n) as q, (from schema_version",
		"select * from fact, lateral (select * from schema_version)", "select list_transform([1], x -> (select max(version) from schema_version))",
		"select * from (with schema_version as (select 1) select 1), schema_version", "with schema_version as (from schema_version) from schema_version", "with Schema_Version as (select 1) from schema_version",
		"select * from (with duckdb_tables as (select 1) select 1), duckdb_tables", "select * from (with pg_class as (select 1) select 1), pg_class", "select * from (with sqlite_master as (select 1) select 1), sqlite_master",
		"select * from (with \"" + secret + "\" as (select 1) select 1), \"" + secret + "\"",
		"summarize schema_version", "from (describe schema_version)", "select columns(lambda c: c) from schema_version",
	} {
		got, err := ask(t.Context(), w, sql)
		if !fault.Is(err, fault.Invalid) || fault.Message(err) == "" {
			t.Errorf("%s: got %q, %v; want that it is refused", sql, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret\n") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if after, err := ask(t.Context(), w, "select * from position"); err != nil || after != before {
		t.Errorf("got %q, %v after all that; want %q", after, err, before)
	}
	names, _ := filepath.Glob(dir + "/*")
	if len(names) > 3 {
		t.Errorf("files were made: %v", names)
	}
}

func TestASelectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := ask(ctx, w, "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Errorf("got %v after %s, want its deadline", err, time.Since(began))
	}
	if _, err := ask(t.Context(), w, "select count(*) from range(300000000) t(a) group by a"); !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v, want that it takes too much memory", err)
	}
	if got, err := ask(t.Context(), w, "select 1 as a"); err != nil || got != "a:integer|\n1|" {
		t.Errorf("got %q, %v after that", got, err)
	}
}

// Who asks sees the warehouse of one moment, and holds up no load.
func TestSelectsAndLoadsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		for i := range 20 {
			if _, err := load(t.Context(), w, i, i+1, factRows("acme", i*100, 100)); err != nil {
				t.Errorf("load %d: %v", i, err)
			}
		}
	})
	for range 20 {
		got, err := ask(t.Context(), w, "select count(*) = 100 * max(p.sequence) as whole from fact, (select sequence from position) p having count(*) > 0")
		if err != nil || strings.Contains(got, "false") {
			t.Errorf("got %q, %v; want rows and their position together", got, err)
		}
	}
}

// Rows are left out whose key is there: from before the warehouse was opened, from another
// transaction, or from the same rows. A transaction that failed has added none.
func TestRowsAreUniqueForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openTest(t, dir, steps)
	for i, step := range []struct {
		first, n int
		want     string
	}{{0, 1000, "1000"}, {0, 1000, "1000"}, {500, 1000, "1500"}} {
		if got, err := load(t.Context(), w, i, i+1, factRows("acme", step.first, step.n)); err != nil || got != "n:text|\n"+step.want+"|" {
			t.Errorf("step %d: got %q, %v; want %s rows", i, got, err, step.want)
		}
	}
	failing := query.Request{Transact: &query.Transact{Rows: []*query.Rows{factRows("acme", 5000, 100)}, Statements: []query.Statement{{SQL: "SELECT error('stop')"}}}}
	if _, _, err := do(t.Context(), w, failing); err == nil {
		t.Fatal("no error")
	}
	w.Close()
	w = openTest(t, dir, steps)
	defer w.Close()
	for range 2 {
		if _, _, err := do(t.Context(), w, failing); err == nil {
			t.Fatal("no error")
		}
	}
	twice := factRows("acme", 1400, 300)
	rest := factRows("acme", 1600, 200)
	for data := rest.Data(); len(data) > 0; { // the same rows behind the others
		for i, size := range sizesOf(factColumns) {
			n, value, err := next(data, size)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case value == nil:
				twice.Null()
			case factColumns[i].Type == query.Text:
				twice.Text(string(value))
			case factColumns[i].Type == query.Key:
				twice.Key([16]byte(value))
			case factColumns[i].Type == query.Boolean:
				twice.Boolean(value[0] == 1)
			default:
				twice.Integer(int64(binary.LittleEndian.Uint64(value)))
			}
			data = data[n:]
		}
	}
	if got, err := load(t.Context(), w, 3, 4, twice); err != nil || got != "n:text|\n1800|" {
		t.Errorf("got %q, %v; want 1800 rows", got, err)
	}
	if got, err := load(t.Context(), w, 4, 5, factRows("acme", 5000, 100)); err != nil || got != "n:text|\n1900|" {
		t.Errorf("got %q, %v; want what failed before", got, err)
	}
	if got, err := ask(t.Context(), w, "select count(distinct key) n from fact"); err != nil || got != "n:integer|\n1900|" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A COMMIT that fails may have been made: another instance finds out.
func TestRowsAreUniqueAfterACommitThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openTest(t, dir, steps)
	if got, err := load(t.Context(), w, 0, 1, factRows("acme", 0, 10)); err != nil || got != "n:text|\n10|" {
		t.Fatalf("got %q, %v", got, err)
	}
	_, _, err := do(t.Context(), w, query.Request{Transact: &query.Transact{Rows: []*query.Rows{factRows("acme", 10, 10)}, Statements: []query.Statement{
		{SQL: "INSERT INTO fact SELECT * FROM stage"}, {SQL: "COMMIT"}, // the one that follows has nothing to commit
	}}})
	if f, ok := errors.AsType[*fatal](err); !ok || !f.Fatal() {
		t.Fatalf("got %v, want that it is fatal", err)
	}
	w.Close()
	w = openTest(t, dir, steps)
	defer w.Close()
	if got, err := load(t.Context(), w, 1, 2, factRows("acme", 0, 30)); err != nil || got != "n:text|\n30|" {
		t.Errorf("got %q, %v; want 30 rows, each once", got, err)
	}
}

// A filter knows what was added, and next to nothing else; it grows with the table.
func TestAFilterKnowsItsKeys(t *testing.T) {
	t.Parallel()
	f := newFilter(100_000)
	key := func(i int) [16]byte {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		return [16]byte(sum[:16])
	}
	for i := range 100_000 {
		f.add(key(i))
	}
	wrong := 0
	for i := range 100_000 {
		if !f.maybe(key(i)) {
			t.Fatalf("key %d is forgotten", i)
		}
		if f.maybe(key(i + 1_000_000)) {
			wrong++
		}
	}
	if wrong > 30 {
		t.Errorf("%d of 100000 unknown keys may be there, want at most 30", wrong)
	}
}

// Who waits for its turn and does not want it any more goes away.
func TestWaitingForATurnEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	for _, beside := range []bool{false, true} {
		held := w.writing
		if beside {
			held = w.aside
		}
		if err := held.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, _, err := do(ctx, w, query.Request{Transact: &query.Transact{Beside: beside, Statements: []query.Statement{{SQL: "SELECT 'x'"}}}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beside %v: got %v, want that it does not wait", beside, err)
		}
		cancel()
		held.give()
	}
}

// filled has what is written to a file of this process fail, as on a full disk.
func filled(t *testing.T, path string) {
	t.Helper()
	device, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if target, err := os.Readlink("/proc/self/fd/" + n.Name()); err == nil && target == path {
			fd, err := strconv.Atoi(n.Name())
			if err == nil {
				err = unix.Dup3(int(device.Fd()), fd, unix.O_CLOEXEC)
			}
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s is not open", path)
}

// An instance that has given up says so, with whatever it is asked: it has to be opened anew.
func TestAnInstanceThatHasGivenUpSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openTest(t, dir, steps)
	if _, err := load(t.Context(), w, 0, 1, factRows("acme", 0, 5000)); err != nil {
		t.Fatal(err)
	}
	filled(t, filepath.Join(dir, warehouseFile))
	failed := w.main.run(t.Context(), "CHECKPOINT")
	_, _, transaction := do(t.Context(), w, query.Request{Transact: &query.Transact{Statements: []query.Statement{{SQL: "SELECT 'x'"}}}})
	_, asked := ask(t.Context(), w, "SELECT 1")
	_, loaded := load(t.Context(), w, 1, 2, factRows("birch", 9000, 1))
	for what, err := range map[string]error{"what failed": failed, "a transaction": transaction, "a SELECT": asked, "rows": loaded} {
		if _, ok := errors.AsType[*fatal](err); !ok {
			t.Errorf("%s: got %v, want that it is fatal", what, err)
		}
	}
	w.Close()

	w = openTest(t, dir, steps)
	defer w.Close()
	if got, err := load(t.Context(), w, 1, 2, factRows("birch", 0, 5000)); err != nil || got != "n:text|\n10000|" {
		t.Errorf("got %q, %v of another instance", got, err)
	}
	// What somebody's SELECT makes the engine say is not the engine's own word.
	for _, kind := range []string{"FATAL", "INTERNAL"} {
		if _, err := ask(t.Context(), w, "SELECT error('"+kind+" Error: database has been invalidated')"); !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want that it is refused", err)
		}
		_, failed := w.main.query(t.Context(), "SELECT error('"+kind+" Error: database has been invalidated')")
		if _, ok := errors.AsType[*fatal](failed); ok || failed == nil {
			t.Errorf("got %v, want that it is not fatal", failed)
		}
	}
	internal := w.main.failure(t.Context(), bindings.ErrorTypeInternal, "INTERNAL Error: an assertion")
	if _, ok := errors.AsType[*fatal](internal); !ok {
		t.Errorf("got %v, want that it is fatal: it invalidates the database", internal)
	}
}

// Rows that go into a table at once are those that it has not, all or none, and the
// temporary table has the same with fewer columns.
func TestRowsGoIntoATableAtOnce(t *testing.T) {
	t.Parallel()
	w := openTest(t, t.TempDir(), steps)
	defer w.Close()
	into := func(first, n int, after string) (string, error) {
		r := factRows("a", first, n)
		r.Into, r.Keep = "fact", []string{"key", "n"}
		got, _, err := do(t.Context(), w, query.Request{Transact: &query.Transact{Rows: []*query.Rows{r}, Statements: []query.Statement{
			{SQL: after},
			{SQL: "SELECT (SELECT count(*) FROM fact)::VARCHAR AS facts, (SELECT count(*) FROM stage)::VARCHAR AS stage, (SELECT count(*) FROM stage s JOIN fact f ON s.key = f.key AND s.n IS NOT DISTINCT FROM f.n)::VARCHAR AS same"},
		}}})
		return got, err
	}
	if got, err := into(0, 3000, "SELECT 1"); err != nil || !strings.HasSuffix(got, "3000|3000|3000|") {
		t.Errorf("got %q, %v, want 3000", got, err)
	}
	if _, err := into(3000, 10, "SELECT error('no')"); err == nil {
		t.Error("got nothing wrong, want the error")
	}
	if got, err := into(2000, 3000, "SELECT 1"); err != nil || !strings.HasSuffix(got, "5000|2000|2000|") {
		t.Errorf("got %q, %v, want 2000 more", got, err)
	}
	got, _, err := do(t.Context(), w, query.Request{Select: &query.Select{Statement: query.Statement{SQL: `SELECT count(DISTINCT key), sum(amount), sum(n), count(*) FILTER (good), sum(length(data->>'text')), max(happened), typeof(any_value(data)) FROM fact`}, Rows: 1, Bytes: 1 << 20}})
	if err != nil || !strings.HasSuffix(got, "5000|3124375.0|-8331667|2500|97500|2026-01-01T01:23:19.123456Z|JSON|") {
		t.Errorf("got %q, %v, want the sums of 5000 rows", got, err)
	}
}
