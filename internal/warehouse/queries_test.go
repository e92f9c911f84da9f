package warehouse_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// product is what a product and Tributary told of three customers until 2026-03-31; the answers
// in this file were worked out by hand from it.
func (w *world) product() (acme, birch, cedar tenant.ID) {
	w.t.Helper()
	acme, birch, cedar = w.tenant("acme"), w.tenant("birch"), w.tenant("cedar")
	n := 0
	said := func(at, kind, user, data string) events.Event {
		n++
		when, err := time.Parse("2006-01-02 15:04", at)
		if err != nil {
			w.t.Fatal(err)
		}
		return events.Event{ID: fmt.Sprint(n), Source: "src_1", Type: kind, User: user, Time: when, Received: when, Data: []byte(data)}
	}
	for i, x := range []struct {
		id             tenant.ID
		slug, industry string
	}{{acme, "acme", ""}, {birch, "birch", ""}, {cedar, "cedar", "energy"}} {
		at := time.Date(2026, 1, 5+i, 9, 0, 0, 0, time.UTC)
		w.send(stream.Tenants, "", act(10+i, "tenant.create", string(x.id),
			`{"actor":"usr_1","outcome":"ok","entry":1,"slug":"`+x.slug+`","tier":"basic","state":"active","organisation":"org_1","industry":"`+x.industry+`"}`, at))
	}
	w.send(stream.Events, acme,
		said("2026-01-04 08:00", "accountCreated", "", `{"companyName":"Acme","industry":"retail","revenue":5000,"employees":12,"monthlyFee":100.5,"totalFee":201}`),
		said("2026-02-01 08:00", "accountUpdated", "", `{"industry":"finance","totalFee":301.5}`),
		said("2026-01-20 08:00", "userAdded", "ann", `{"userID":"bob"}`),
		said("2026-01-20 08:01", "userAdded", "ann", `{"userID":"cid"}`),
		said("2026-03-02 08:00", "userDeleted", "ann", `{"userID":"cid"}`),
		said("2026-01-10 10:00", "jobSubmitted", "ann", `{"nbJobs":7,"dataSize":70}`), // 80 days before the 31st
		// On the 30th Ann signs in, works, submits two batches and cancels a job; then signs in and leaves.
		said("2026-03-30 09:00", "userLogin", "ann", `{}`),
		said("2026-03-30 09:05", "tableOpened", "ann", `{}`),
		said("2026-03-30 09:10", "jobSubmitted", "ann", `{"nbJobs":3,"dataSize":12.5,"servers":2}`),
		said("2026-03-30 09:20", "jobSubmitted", "ann", `{"dataSize":2.5,"servers":1}`),
		said("2026-03-30 09:30", "jobCancelled", "ann", `{}`),
		said("2026-03-30 09:40", "jobTerminated", "ann", `{"nbJobs":3}`),
		said("2026-03-30 15:00", "userLogin", "ann", `{}`),
		said("2026-03-30 15:30", "userLogoff", "ann", `{}`))
	w.send(stream.Events, birch,
		said("2026-01-06 08:00", "accountCreated", "", `{"companyName":"Birch","industry":"finance","monthlyFee":300,"totalFee":300}`),
		// On the 31st Dee submits before she works, and Eve only signs in.
		said("2026-03-31 07:00", "userLogin", "dee", `{}`),
		said("2026-03-31 07:10", "jobSubmitted", "dee", `{"nbJobs":5,"dataSize":40}`),
		said("2026-03-31 07:20", "tableOpened", "dee", `{}`),
		said("2026-03-31 08:00", "userLogin", "eve", `{}`),
		said("2026-03-31 09:00", "sessionTimeout", "eve", `{}`))
	w.send(stream.Jobs, cedar,
		act(20, "submission.receive", "sub_1", `{"actor":"usr_2","outcome":"ok","entry":20,"dataset":"prices","date":"2026-02-01","state":"received","bytes":1000,"channel":"api"}`, time.Date(2026, 2, 10, 9, 0, 0, 0, time.UTC)),
		act(21, "submission.receive", "sub_2", `{"actor":"usr_2","outcome":"ok","entry":21,"dataset":"prices","date":"2026-03-01","state":"received","bytes":500,"channel":"api"}`, time.Date(2026, 3, 30, 9, 0, 0, 0, time.UTC)))
	w.send(stream.Users, cedar, act(22, "session.create", "ses_1", `{"actor":"usr_2","outcome":"ok","entry":22}`, time.Date(2026, 3, 30, 8, 0, 0, 0, time.UTC)))
	w.send(stream.Events, "", said("2026-03-30 09:00", "userLogin", "provider-canary", `{}`)) // the provider's own, which is nobody's
	w.load()
	return acme, birch, cedar
}

// named returns a named query's answer as text, with ids as slugs.
func (w *world) named(name string, values map[string]string, of ...tenant.Scope) (string, warehouse.Ran, error) {
	var b bytes.Buffer
	r := warehouse.NamedRun{Name: name, Values: values}
	var ran warehouse.Ran
	var err error
	if len(of) > 0 {
		ran, err = w.RunNamed(w.t.Context(), of[0], r, lines(&b))
	} else {
		ran, err = w.UnscopedRunNamed(w.t.Context(), "usr_staff", r, lines(&b))
	}
	return b.String(), ran, err
}

func (w *world) wantNamed(name string, values map[string]string, want string, ids ...string) {
	w.t.Helper()
	got, _, err := w.named(name, values)
	got = strings.NewReplacer(ids...).Replace(got)
	if err != nil || got != want {
		w.t.Errorf("%s %v:\ngot\n%s%v\nwant\n%s", name, values, got, err, want)
	}
}

// until is the last day of what product tells.
func until(more ...string) map[string]string {
	values := map[string]string{"until": "2026-03-31"}
	for i := 0; i+1 < len(more); i += 2 {
		values[more[i]] = more[i+1]
	}
	return values
}

func TestBuiltInQueriesAnswerAsByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, birch, cedar := w.product()
	ids := []string{string(acme), "A", string(birch), "B", string(cedar), "C"}
	for _, c := range []struct {
		name   string
		values map[string]string
		want   string
	}{
		// period | tenants | registrations | logins | work | files | jobs | signed in | then worked | then submitted
		{"activity", until("days", "2"), "2026-03-30|2|0|3|1|1|2|2|1|1\n2026-03-31|1|0|2|1|0|1|2|1|0\n"},
		{"activity", until("each", "month", "days", "90"), "2026-01-01|3|3|0|0|0|1|0|0|0\n2026-02-01|2|0|0|0|1|0|0|0|0\n2026-03-01|3|0|5|2|1|3|4|2|1\n"},
		{"activity", until("days", "2", "tenant", "birch"), "2026-03-31|1|0|2|1|0|1|2|1|0\n"},
		{"activity", until("days", "2", "tenant", "nobody"), ""},
		// tenant | slug | person | visits | little | percent | events each | last login
		{"little-after-login", until(), "B|birch|eve|1|1|100.0|0.0|2026-03-31T08:00:00.000000Z\nA|acme|ann|2|1|50.0|2.5|2026-03-30T15:00:00.000000Z\n"},
		{"little-after-login", until("few", "2"), "B|birch|dee|1|1|100.0|2.0|2026-03-31T07:00:00.000000Z\nB|birch|eve|1|1|100.0|0.0|2026-03-31T08:00:00.000000Z\nA|acme|ann|2|1|50.0|2.5|2026-03-30T15:00:00.000000Z\n"},
		// period | tenant | slug | data of jobs | files | bytes | bytes of all files
		{"data-size", until(), "2026-01-01|A|acme|70.0|0|0|0\n2026-02-01|C|cedar|0.0|1|1000|1000\n2026-03-01|A|acme|15.0|0|0|0\n2026-03-01|B|birch|40.0|0|0|0\n2026-03-01|C|cedar|0.0|1|500|1500\n"},
		{"data-size", until("days", "1"), "2026-03-01|A|acme|15.0|0|0|0\n2026-03-01|B|birch|40.0|0|0|0\n2026-03-01|C|cedar|0.0|1|500|1500\n"},
		// day | tenant | slug | batches | jobs | users | data
		{"batches", until(), "2026-03-30|A|acme|2|4|1|15.0\n2026-03-31|B|birch|1|5|1|40.0\n"},
		{"batches", until("days", "1"), "2026-03-31|B|birch|1|5|1|40.0\n"},
		// tenant | slug | person | events | jobs | last event
		{"least-active", until("n", "1"), "A|acme|bob|0|0|\nB|birch|eve|2|0|2026-03-31T09:00:00.000000Z\n"},
		{"least-active", until("tenant", "acme"), "A|acme|bob|0|0|\nA|acme|ann|9|2|2026-03-30T15:30:00.000000Z\n"},
		{"least-active", map[string]string{"until": "2026-03-01", "tenant": "acme"}, "A|acme|bob|0|0|\nA|acme|cid|0|0|\nA|acme|ann|0|0|2026-01-20T08:01:00.000000Z\n"},
		// tenant | slug | tier | state | users | active users
		{"tenants", until(), "A|acme|basic|active|2|1\nB|birch|basic|active|2|2\nC|cedar|basic|active|0|0\n"},
		// day | tenant | slug | person | events | logins | jobs | kinds | last event
		{"user-activity", until("days", "1"), "2026-03-31|B|birch|dee|3|1|1|3|2026-03-31T07:20:00.000000Z\n2026-03-31|B|birch|eve|2|1|0|2|2026-03-31T09:00:00.000000Z\n"},
		{"user-activity", until("tenant", string(acme), "each", "week", "days", "2"), "2026-03-30|A|acme|ann|8|2|2|6|2026-03-30T15:30:00.000000Z\n"},
		// day | tenant | slug | submitted | ended | cancelled
		{"jobs", until(), "2026-03-30|A|acme|4|3|1\n2026-03-31|B|birch|5|0|0\n"},
		{"jobs", until("days", "90", "each", "month", "tenant", "acme"), "2026-01-01|A|acme|7|0|0\n2026-03-01|A|acme|4|3|1\n"},
		// tenant | slug | state | login | job | file | any | days ago
		{"last-activity", until(), "C|cedar|active|2026-03-30T08:00:00.000000Z||2026-03-30T09:00:00.000000Z|2026-03-30T09:00:00.000000Z|1\n" +
			"A|acme|active|2026-03-30T15:00:00.000000Z|2026-03-30T09:20:00.000000Z||2026-03-30T15:30:00.000000Z|1\n" +
			"B|birch|active|2026-03-31T08:00:00.000000Z|2026-03-31T07:10:00.000000Z||2026-03-31T09:00:00.000000Z|0\n"},
		// tenant | slug | job30 | place | job90 | place
		{"fewest-jobs", until(), "C|cedar|0|1|0|1\nA|acme|4|2|11|3\nB|birch|5|3|5|2\n"},
		{"fewest-jobs", until("n", "2"), "C|cedar|0|1|0|1\nA|acme|4|2|11|3\nB|birch|5|3|5|2\n"},
		{"fewest-jobs", until("n", "1"), "C|cedar|0|1|0|1\n"},
		{"fewest-jobs", map[string]string{"until": "2026-04-10"}, "C|cedar|0|1|0|1\nA|acme|4|2|4|2\nB|birch|5|3|5|3\n"}, // January is over
		// day | jobs | servers | data | average | largest
		{"job-data", until(), "2026-03-30|4|3|15.0|7.5|12.5\n2026-03-31|5|0|40.0|40.0|40.0\n"},
		// industry | customers | active | monthly fees
		{"industries", until(), "finance|2|2|400.50\nenergy|1|1|0.00\n"},
		{"industries", map[string]string{"until": "2026-01-06"}, "finance|1|1|300.00\nretail|1|1|100.50\n"},
		// tenant | slug | tier | industry | monthly fee | total | percent
		{"revenue", until(), "B|birch|basic|finance|300.00|300.00|74.9\nA|acme|basic|finance|100.50|301.50|25.1\n"},
		// tenant | slug | name | industry | revenue | employees | job30 | job90 | monthly fee | total
		{"companies", until(), "A|acme|Acme|finance|5000.0|12|4|11|100.50|301.50\nB|birch|Birch|finance|||5|5|300.00|300.00\nC|cedar||energy|||0|0||\n"},
	} {
		w.wantNamed(c.name, c.values, c.want, ids...)
	}
}

// scope is what the tenant's people have.
func scope(id tenant.ID) tenant.Scope {
	return tenant.Mint(tenant.Terms{Tenant: id, Actor: "usr_" + string(id), Alive: func(context.Context) error { return nil },
		Permissions: []tenant.Permission{{Verb: tenant.Read, Resource: tenant.Warehouse}}})
}

// A tenant's answer has its own rows alone, whatever the query and the parameters name.
func TestTenantsRunNamedQueriesOnTheirOwnRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, birch, cedar := w.product()
	list, err := w.Queries(t.Context(), true)
	if err != nil || len(list) < 10 {
		t.Fatalf("got %d queries, %v", len(list), err)
	}
	save := func(name, sql string) {
		t.Helper()
		if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", name, "-- for tenants\n"+sql); err != nil {
			t.Fatal(err)
		}
		list = append(list, warehouse.Named{Name: name})
	}
	save("all-events", "SELECT tenant, type, user_id, data FROM fact_event")
	save("shadowed", "WITH fact_login AS (SELECT tenant, user_id, data FROM fact_event) SELECT * FROM fact_login")
	save("named-as-itself", "WITH fact_event AS (SELECT * FROM fact_event) SELECT tenant, type, user_id FROM fact_event")
	save("named-elsewhere", "SELECT l.* FROM (WITH fact_event AS (SELECT 1) SELECT 1) x, fact_event l")
	save("all-else", "SELECT (SELECT list(tenant) FROM fact_event), (SELECT list(x) FROM dim_tenant x), (SELECT list(x) FROM dim_user x), (SELECT list(x) FROM fact_act x), (SELECT list(x) FROM dim_source x), (SELECT list(x) FROM fact_session x), (SELECT list(x) FROM fact_submission x), (SELECT list(x) FROM fact_login x)")
	for _, q := range list {
		for _, values := range []map[string]string{until(), until("tenant", string(acme)), until("tenant", "acme")} {
			for name := range values {
				if n, err := w.Named(t.Context(), q.Name, 0); err != nil || !strings.Contains(n.Source, "parameter "+name+" ") {
					delete(values, name)
				}
			}
			got, _, err := w.named(q.Name, values, scope(birch))
			if err != nil {
				t.Fatalf("%s: %v", q.Name, err)
			}
			for _, foreign := range []string{string(acme), string(cedar), "acme", "cedar", `"ann"`, "|ann|", "provider-canary", "Acme"} {
				if strings.Contains(got, foreign) {
					t.Errorf("%s as birch has %q:\n%s", q.Name, foreign, got)
				}
			}
		}
	}
	if got, _, err := w.named("all-events", nil, scope(birch)); err != nil || strings.Count(got, "\n") != 6 {
		t.Errorf("birch's own: got %v\n%s", err, got)
	}
	for _, sql := range []string{
		"SELECT * FROM main.fact_event", `SELECT * FROM "main"."fact_event"`, "SELECT * FROM memory.main.fact_event", "SELECT * FROM warehouse.fact_event",
		"SELECT * FROM (SUMMARIZE fact_event)", "SELECT * FROM (DESCRIBE fact_event)", "SELECT * FROM load_position", "SELECT * FROM fact_job",
		"SELECT * FROM query_table('fact_event')", "SELECT * FROM query('SELECT * FROM fact_event')", "SELECT 1) AS q(a)) SELECT * FROM main.fact_event --",
		"SELECT l.* FROM (WITH session_day AS (SELECT 1) SELECT 1) x, session_day l", "WITH session_day AS (FROM session_day) FROM session_day", "SELECT l.* FROM (WITH fact_job AS (SELECT 1) SELECT 1) x, fact_job l",
	} {
		if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "bad", "-- for tenants\n"+sql); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want that it cannot be saved for tenants", sql, err)
		}
	}
	for _, name := range []string{"revenue", "nothing"} { // a query that is not for tenants is as none
		if _, _, err := w.named(name, until(), scope(birch)); !fault.Is(err, fault.NotFound) || fault.Message(err) != fmt.Sprintf("There is no query called %q.", name) {
			t.Errorf("%s: got %v, want that there is none", name, err)
		}
	}
	// Acts are for who may read the streams, and an answer with them is not given to others.
	if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "acts", "-- for tenants\nSELECT (SELECT count(*) FROM fact_act), (SELECT count(*) FROM fact_login), (SELECT count(*) FROM dim_user WHERE kind = 'account')"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, _, err := w.named("acts", nil, adminScope(cedar)); err != nil || got != "3|1|1\n" {
			t.Errorf("an admin: got %q, %v", got, err)
		}
		if got, _, err := w.named("acts", nil, scope(cedar)); err != nil || got != "0|0|0\n" {
			t.Errorf("a user: got %q, %v; want no acts", got, err)
		}
	}
	none := tenant.Mint(tenant.Terms{Tenant: birch, Actor: "usr_b", Alive: func(context.Context) error { return nil }})
	if _, _, err := w.named("jobs", until(), none); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want that the scope does not allow it", err)
	}
}

// What the engine says of a query that fails on data may quote others' rows. It is for the
// provider alone.
func TestTenantsAreNotToldWhatAQueryFailedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log strings.Builder
	w.config.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.again()
	a, b := w.tenant("acme"), w.tenant("birch")
	mine, other := event("1", "click", noon), event("2", "click", noon)
	mine.User, other.User = "1", "canary-7f"
	mine.Anonymous, other.Anonymous = "11", "canary-8f"
	w.send(stream.Events, a, mine)
	w.send(stream.Events, b, other)
	w.load()
	for i, sql := range []string{
		"SELECT alias FROM dim_identity WHERE alias::BIGINT > 0", "SELECT user_id FROM dim_user WHERE user_id::BIGINT > 0",
		"SELECT e.user_id FROM fact_event e JOIN dim_user u ON e.user_id::BIGINT = u.user_id::BIGINT", "SELECT error('own canary: ' || user_id) FROM fact_event",
	} {
		name := fmt.Sprint("fails", i)
		if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", name, "-- for tenants\n"+sql); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.named(name, nil, scope(a)); err != nil && (!fault.Is(err, fault.Invalid) || fault.Message(err) != "The query failed on this data; the provider can see why.") {
			t.Errorf("%s: got %v, %q", sql, fault.KindOf(err), fault.Message(err))
		}
		if _, _, err := w.named(name, nil); !strings.Contains(fault.Message(err), "canary") {
			t.Errorf("%s: staff got %v, want what it failed on", sql, err)
		}
	}
	if !strings.Contains(log.String(), "own canary: 1") {
		t.Errorf("the log has not why:\n%s", &log)
	}
}

// A tenant's named queries leave places for other tenants', and all tenants' one for the provider.
func TestTenantsNamedQueriesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "long", "-- for tenants\nSELECT * FROM range(1000000)"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var under sync.WaitGroup
	begin := func(id tenant.ID) {
		begun := make(chan struct{})
		var once sync.Once
		under.Go(func() {
			_, err := w.RunNamed(ctx, scope(id), warehouse.NamedRun{Name: "long", Rows: warehouse.MaxRows}, warehouse.Into{Columns: func([]warehouse.Column) error { return nil }, Row: func([][]byte) error {
				once.Do(func() { close(begun) })
				<-ctx.Done()
				return ctx.Err()
			}})
			if err == nil {
				t.Error("got an answer, want that it was cancelled")
			}
			once.Do(func() { close(begun) })
		})
		<-begun
	}
	begin(a)
	begin(a)
	if _, _, err := w.named("long", nil, scope(a)); !fault.Is(err, fault.Throttled) {
		t.Errorf("got %v, want that two of a tenant are enough", err)
	}
	begin(b)
	if _, _, err := w.named("long", nil, scope(b)); !fault.Is(err, fault.Throttled) {
		t.Errorf("got %v, want that three of tenants are enough", err)
	}
	if got, err := w.ask("SELECT 1"); err != nil || got != "1\n" {
		t.Errorf("the provider: got %q, %v", got, err)
	}
	cancel()
	under.Wait()
	if _, _, err := w.named("long", nil, scope(a)); err != nil {
		t.Errorf("got %v, want that there is room again", err)
	}
}

// Values are bound: whatever they say is a value.
func TestParametersAreValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.product()
	const source = `-- Counts.
-- parameter kind text -- Of event
-- parameter since date = today-7
-- parameter at timestamp = 2026-01-01T00:00:00+01:00
-- parameter n integer = 5
-- parameter x number = 0.5
-- parameter yes boolean = true
SELECT $kind AS kind, $since AS since, $at AS at, $n + 1 AS n, $x AS x, $yes AS yes, '$kind' AS text, "$n" AS name, $$ $kind $$ AS dollars, E'\'$kind' AS escaped -- $nothing
FROM (SELECT 1 AS "$n") /* $kind /* $kind */ */ WHERE $n > 0`
	if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "values", source); err != nil {
		t.Fatal(err)
	}
	day := w.hands.Now().AddDate(0, 0, -7).Format(time.DateOnly)
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{map[string]string{"kind": "login"}, "login|" + day + "|2025-12-31T23:00:00.000000Z|6|0.5|true|$kind|1| $kind |'$kind\n"},
		{map[string]string{"kind": "'); DROP TABLE fact_event; --", "since": "2026-02-28", "n": "41", "x": "-2.5", "yes": "false"}, "'); DROP TABLE fact_event; --|2026-02-28|2025-12-31T23:00:00.000000Z|42|-2.5|false|$kind|1| $kind |'$kind\n"},
		{map[string]string{"kind": ""}, "|" + day + "|2025-12-31T23:00:00.000000Z|6|0.5|true|$kind|1| $kind |'$kind\n"},
	} {
		if got, _, err := w.named("values", c.values); err != nil || got != c.want {
			t.Errorf("%v: got %q, %v; want %q", c.values, got, err, c.want)
		}
	}
	for _, values := range []map[string]string{{}, {"kind": "a", "n": "1.5"}, {"kind": "a", "n": "1; SELECT 1"}, {"kind": "a", "since": "yesterday"}, {"kind": "a", "at": "2026-01-01"}, {"kind": "a", "yes": "1"}, {"kind": "a", "x": ""}, {"kind": "a", "other": "b"}} {
		if _, _, err := w.named("values", values); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: got %v, want that it is refused", values, err)
		}
	}
}

func TestQueriesAreSavedInVersions(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, w *world) {
		for _, source := range []string{"", "-- only words", "SELECT $x", "-- parameter x blob\nSELECT $x", "-- parameter x integer = many\nSELECT $x", "-- parameter X text\nSELECT 1",
			"-- parameter x text\n-- parameter x text\nSELECT $x", "DROP TABLE fact_event", "SELECT nothing FROM fact_event", "SELECT * FROM load_chain", "SELECT 1; SELECT 2", "SELEC 1"} {
			if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "mine", source); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: got %v, want that it is refused", source, err)
			}
		}
		for _, name := range []string{"", "Mine", "my query", "a--b", "-a", "a/b", strings.Repeat("a", 65)} {
			if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", name, "SELECT 1"); !fault.Is(err, fault.Invalid) {
				t.Errorf("name %q: got %v, want that it is refused", name, err)
			}
		}
		if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "jobs", "SELECT 1"); !fault.Is(err, fault.Conflict) {
			t.Errorf("got %v, want that jobs is built in", err)
		}
		for i, c := range []struct {
			source  string
			version int64
			changed bool
		}{{"SELECT 1 AS a", 1, true}, {"SELECT 1 AS a", 1, false}, {"SELECT 2 AS a", 2, true}} {
			n, changed, err := w.UnscopedSave(t.Context(), "usr_staff", "mine", c.source)
			if err != nil || n.Version != c.version || changed != c.changed {
				t.Errorf("%d: got version %d, %v, %v; want %d, %v", i, n.Version, changed, err, c.version, c.changed)
			}
		}
		w.wantNamed("mine", nil, "2\n")
		if list, err := w.Versions(t.Context(), "mine"); err != nil || len(list) != 2 || list[1].Source != "SELECT 1 AS a" {
			t.Errorf("got %v, %v; want two versions", list, err)
		}
		if n, err := w.Named(t.Context(), "mine", 1); err != nil || n.Source != "SELECT 1 AS a" {
			t.Errorf("got %v, %v", n, err)
		}
		if err := w.UnscopedDelete(t.Context(), "usr_staff", "mine"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Named(t.Context(), "mine", 0); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v, want that it is gone", err)
		}
		if err := w.UnscopedDelete(t.Context(), "usr_staff", "mine"); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v, want that it is gone", err)
		}
		if n, _, err := w.UnscopedSave(t.Context(), "usr_staff", "mine", "SELECT 2 AS a"); err != nil || n.Version != 3 {
			t.Errorf("got version %d, %v; want 3", n.Version, err)
		}
		entries, _, err := w.audit.UnscopedEntries(t.Context(), audit.Filter{Verb: "query.save"}, meta.Page{Limit: 100})
		if err != nil || len(entries) != 3 {
			t.Errorf("got %d entries, %v; want 3", len(entries), err)
		}
	})
}

// An answer that is kept is given again until something that it was made of has changed,
// and only to whom it was given.
func TestKeptAnswersAreNeverOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, birch, _ := w.product()
	want := func(cached bool, name string, values map[string]string, of ...tenant.Scope) string {
		t.Helper()
		got, ran, err := w.named(name, values, of...)
		if err != nil || ran.Cached != cached {
			t.Errorf("%s %v: cached %v, %v; want %v", name, values, ran.Cached, err, cached)
		}
		return got
	}
	kept := w.Kept()
	first := want(false, "batches", until())
	if now := w.Kept(); now.Misses != kept.Misses+1 || now.Hits != kept.Hits || now.Bytes <= kept.Bytes {
		t.Errorf("got %+v, then %+v", kept, now)
	}
	if again := want(true, "batches", until()); again != first {
		t.Errorf("got %q, want %q", again, first)
	}
	want(true, "batches", until("days", "30")) // the default's value
	if now := w.Kept(); now.Misses != kept.Misses+1 || now.Hits != kept.Hits+2 {
		t.Errorf("got %+v, then %+v", kept, now)
	}
	want(false, "batches", until("days", "29"))
	want(false, "batches", until(), scope(acme))
	want(false, "batches", until(), scope(birch))
	want(true, "batches", until(), scope(acme))
	if _, _, err := w.UnscopedSave(t.Context(), "usr_staff", "when", "SELECT count(*) FROM fact_event WHERE time < now()"); err != nil {
		t.Fatal(err)
	}
	want(false, "when", nil)
	want(false, "when", nil)

	w.send(stream.Tenants, "", act(30, "warehouse.query", "warehouse", `{"actor":"usr_1","outcome":"ok","entry":30}`, noon)) // that it was asked changes nothing of it
	w.load()
	want(true, "batches", until())
	more := event("later", "jobSubmitted", time.Date(2026, 3, 31, 10, 0, 0, 0, time.UTC))
	w.send(stream.Events, birch, more)
	w.load()
	if now := want(false, "batches", until()); now == first {
		t.Error("the new batch is not there")
	}
	want(true, "batches", until(), scope(acme)) // nothing of Acme's has changed
	want(false, "batches", until(), scope(birch))
	if _, _, err := w.EraseTenant(t.Context(), birch); err != nil {
		t.Fatal(err)
	}
	if now := want(false, "batches", until()); strings.Contains(now, string(birch)) {
		t.Error("an erased tenant's rows are there")
	}
}
