package warehouse_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// asTenant does a tenant's own SELECT.
func (w *world) asTenant(s tenant.Scope, a warehouse.Ask) (string, error) {
	var b bytes.Buffer
	_, err := w.Ask(w.t.Context(), s, a, lines(&b))
	return b.String(), err
}

// admin is scope for who may also read the tenant's streams.
func adminScope(id tenant.ID) tenant.Scope {
	return tenant.Mint(tenant.Terms{Tenant: id, Actor: "usr_admin", Alive: func(context.Context) error { return nil },
		Permissions: []tenant.Permission{{Verb: tenant.Read, Resource: tenant.Warehouse}, {Verb: tenant.Read, Resource: tenant.Streams}}})
}

func TestATenantsSelectSeesItsOwnRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, birch, cedar := w.product()
	if err := w.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sql, want string }{
		{"SELECT type, count(*) FROM fact_event GROUP BY ALL ORDER BY ALL", "accountCreated|1\njobSubmitted|1\nsessionTimeout|1\ntableOpened|1\nuserLogin|2\n"},
		{"SELECT user_id, time, data->>'nbJobs', flags IS NULL, bytes FROM main.fact_event WHERE type = 'jobSubmitted';", "dee|2026-03-31T07:10:00.000000Z|5|true|26\n"},
		{"SELECT slug, valid_from, valid_to, is_current FROM dim_tenant", "birch|2026-01-06T09:00:00.000000Z||true\n"},
		{"SELECT d.weekday, count(*) FROM fact_event e JOIN dim_date d ON d.date = e.time::DATE GROUP BY 1 ORDER BY 1", "2|6\n"},
		{"SELECT user_id, kind, events FROM dim_user ORDER BY ALL", "dee|product|3\neve|product|2\n"},
		{"WITH x AS (FROM fact_usage) SELECT count(*) > 0, count(DISTINCT tenant) FROM x", "true|1\n"},
		{"SELECT count(*) FROM (DESCRIBE fact_session)", "7\n"},
		{"SELECT 1 + 1", "2\n"},
		{"SELECT count(*) FROM fact_submission", "0\n"},
	} {
		if got, err := w.asTenant(scope(birch), warehouse.Ask{SQL: c.sql}); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.sql, got, err, c.want)
		}
	}
	if got, err := w.asTenant(scope(acme), warehouse.Ask{SQL: "SELECT count(*) FROM fact_event", Since: time.Date(2026, 3, 30, 9, 30, 0, 0, time.UTC)}); err != nil || got != "4\n" {
		t.Errorf("since: got %q, %v; want 4", got, err)
	}
	// What takes its time is there where it had not ended.
	for table, want := range map[string]string{"fact_usage": "07\n08\n09\n", "fact_session": "08\n09\n", "fact_activity": "00\n", "fact_event": "08\n09\n", "dim_user": "07\n08\n"} {
		at := map[string]string{"fact_session": "started", "fact_event": "time", "dim_user": "first_seen"}[table]
		if at == "" {
			at = "start"
		}
		got, err := w.asTenant(scope(birch), warehouse.Ask{SQL: "SELECT DISTINCT strftime(" + at + ", '%H') FROM " + table + " ORDER BY 1", Since: time.Date(2026, 3, 31, 7, 59, 0, 0, time.UTC)})
		if err != nil || got != want {
			t.Errorf("%s since: got %q, %v; want %q", table, got, err, want)
		}
	}
	// Acts are for who may read the streams.
	const acts = "SELECT verb, subject FROM fact_act ORDER BY time"
	if got, err := w.asTenant(scope(cedar), warehouse.Ask{SQL: acts}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a user: got %q, %v; want that there is no such table", got, err)
	}
	if got, err := w.asTenant(adminScope(cedar), warehouse.Ask{SQL: acts}); err != nil || got != "submission.receive|sub_1\nsession.create|ses_1\nsubmission.receive|sub_2\n" {
		t.Errorf("an admin: got %q, %v", got, err)
	}
	const accounts = "SELECT user_id FROM dim_user WHERE kind = 'account'"
	if got, err := w.asTenant(scope(cedar), warehouse.Ask{SQL: accounts}); err != nil || got != "" {
		t.Errorf("a user: got %q, %v; want nobody who is known by acts", got, err)
	}
	if got, err := w.asTenant(adminScope(cedar), warehouse.Ask{SQL: accounts}); err != nil || got != "usr_2\n" {
		t.Errorf("an admin: got %q, %v", got, err)
	}
	none := tenant.Mint(tenant.Terms{Tenant: birch, Actor: "usr_b", Alive: func(context.Context) error { return nil }})
	if _, err := w.asTenant(none, warehouse.Ask{SQL: "SELECT 1"}); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want that the scope does not allow it", err)
	}
	entries, _, err := w.audit.UnscopedEntries(t.Context(), audit.Filter{Tenant: &birch, Verb: "warehouse.query"}, meta.Page{Limit: 100})
	if err != nil || len(entries) != 14 {
		t.Errorf("got %d entries, %v; want 14", len(entries), err)
	}
}

// Whatever a tenant asks, no other tenant's row and none of the provider's reaches it.
func TestNoSelectOfATenantsFindsAnothersRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, birch, cedar := w.product()
	if err := w.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := []string{string(acme), string(cedar), `"acme"`, "cedar", "|ann|", `"ann"`, "provider-canary", "Acme", "usr_staff", "org_1\n"}
	for answered, list := range map[bool][]string{true: {
		"SELECT * FROM fact_event", "SELECT * FROM fact_event WHERE tenant <> '" + string(birch) + "' OR tenant IS NULL OR true",
		"SELECT list(x) FROM fact_event x", "SUMMARIZE fact_event", "SELECT * FROM (SUMMARIZE fact_event)", "FROM fact_event UNION ALL BY NAME FROM dim_user",
		"SELECT * FROM dim_tenant", "SELECT * FROM dim_user", "SELECT * FROM dim_source", "SELECT * FROM fact_session", "SELECT * FROM fact_usage", "SELECT * FROM fact_activity",
		"SELECT * FROM fact_submission", "SELECT * FROM fact_act", "SELECT * FROM fact_login", "SELECT * FROM dim_identity", "SELECT count(*) FROM dim_date",
	}, false: {
		"SELECT * FROM fact_job", "SELECT * FROM dim_job", "SELECT * FROM load_interval", "SELECT * FROM load_chain", "SELECT * FROM load_problem", "SELECT * FROM model_interval", "SELECT * FROM schema_version",
		"SELECT * FROM warehouse.main.fact_event", "SELECT * FROM memory.main.fact_event", "SELECT * FROM temp.piece", "SELECT * FROM piece",
		"SELECT * FROM duckdb_tables()", "SELECT * FROM information_schema.tables", "SELECT * FROM pg_catalog.pg_tables", "SELECT * FROM sqlite_master", "PRAGMA database_list", "SHOW ALL TABLES",
		"SELECT * FROM query('FROM fact_event')", "SELECT * FROM query_table('fact_event')", "SELECT * FROM read_text('/proc/self/environ')", "SELECT * FROM read_blob('/proc/self/fd/3')",
		"SELECT * FROM '/proc/self/cmdline'", "SELECT * FROM glob('/**')", "SELECT getenv('HOME')", "ATTACH 'warehouse.duckdb' AS w", "COPY fact_event TO '/proc/self/fd/4'", "EXPORT DATABASE '/tmp/x'",
		"INSTALL httpfs", "LOAD json", "SET memory_limit = '10GB'", "CREATE TABLE x AS FROM fact_event", "DROP TABLE fact_event; SELECT 1", "SELECT 1; SELECT * FROM fact_event", "CALL enable_logging()",
		"SELECT 1) AS q(a)) SELECT * FROM fact_event --", "INSERT INTO fact_event SELECT * FROM fact_event RETURNING *", "DELETE FROM fact_event RETURNING *",
	}} {
		for _, sql := range list {
			got, err := w.asTenant(adminScope(birch), warehouse.Ask{SQL: sql})
			if answered && err != nil || !answered && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: got %v, want that it is answered: %v", sql, err, answered)
			}
			for _, what := range foreign {
				if strings.Contains(got, what) || err != nil && strings.Contains(fault.Message(err), what) {
					t.Errorf("%s: got %q, which has %q, %v", sql, got, what, err)
				}
			}
		}
	}
}

func TestSlicesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.send(stream.Events, a, event("1", "login", noon))
	w.load()
	const forever = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"
	if _, err := w.asTenant(scope(a), warehouse.Ask{SQL: forever, Timeout: 300 * time.Millisecond}); !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "300ms") {
		t.Errorf("got %v, want that it takes too long", err)
	}
	if _, err := w.asTenant(scope(a), warehouse.Ask{SQL: "SELECT string_agg(repeat('x', 1000000), '') FROM range(5000)"}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v, want that it takes too much", err)
	}
	if got, err := w.asTenant(scope(a), warehouse.Ask{SQL: "FROM range(100)", Rows: 3}); err != nil || got != "0\n1\n2\n" {
		t.Errorf("got %q, %v; want three rows", got, err)
	}
	// One tenant's queries leave room for another's.
	ctx, cancel := context.WithCancel(t.Context())
	ended, begun := make(chan error, 2), make(chan struct{}, 2)
	for range 2 {
		go func() {
			told := false
			_, err := w.Ask(ctx, scope(a), warehouse.Ask{SQL: "FROM range(1000000)", Rows: warehouse.MaxRows}, warehouse.Into{Row: func([][]byte) error {
				if !told {
					begun <- struct{}{}
					told = true
					<-ctx.Done()
				}
				return nil
			}})
			ended <- err
		}()
	}
	<-begun
	<-begun
	if _, err := w.asTenant(scope(a), warehouse.Ask{SQL: "SELECT 1"}); !fault.Is(err, fault.Throttled) {
		t.Errorf("got %v, want that two are enough", err)
	}
	if got, err := w.asTenant(scope(b), warehouse.Ask{SQL: "SELECT count(*) FROM fact_event"}); err != nil || got != "0\n" {
		t.Errorf("got %q, %v; want that another tenant is answered", got, err)
	}
	cancel()
	for range 2 {
		if err := <-ended; !fault.Is(err, fault.Cancelled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	}
	if got, err := w.asTenant(scope(a), warehouse.Ask{SQL: "SELECT count(*) FROM fact_event"}); err != nil || got != "1\n" {
		t.Errorf("got %q, %v; want that there is room again", got, err)
	}
}

func TestAllTypesSurviveTheWayIntoASlice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	e := event("1", "odd", time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC))
	e.User, e.Flags = "", nil
	e.Data = []byte(`{"a":"\u0000'\"\n|","b":[1.5,null],"c":""}`)
	e.Context = []byte(`"` + strings.Repeat("é", 5000) + `"`)
	w.send(stream.Events, a, e)
	w.load()
	const sql = "SELECT time, user_id IS NULL, origin, data, length(context::VARCHAR), key > 0, bytes, typeof(time), typeof(key), typeof(data) FROM fact_event"
	want, err := w.ask(sql)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.asTenant(scope(a), warehouse.Ask{SQL: sql}); err != nil || got != want || !strings.HasPrefix(got, "1969-12-31T23:59:59.999999Z|true|") {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := w.asTenant(scope(a), warehouse.Ask{SQL: fmt.Sprintf("SELECT tenant = '%s' FROM fact_event", a)}); err != nil || got != "true\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
