package warehouse_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/query/duckdb"
	"tributary/internal/sandbox"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

func TestMain(m *testing.M) {
	sandbox.Main(sandbox.Program{Name: query.SliceProgram, Main: func(ctx context.Context, c sandbox.Child) error {
		return duckdb.SliceMain(ctx, c.Args, c.Stream, c.Output)
	}},
		sandbox.Program{Name: query.WarehouseProgram, Main: func(ctx context.Context, c sandbox.Child) error {
			return duckdb.WarehouseMain(ctx, c.Args, c.Dir, c.Serve)
		}})
	os.Exit(m.Run())
}

// world is a warehouse with the real parts around it.
type world struct {
	*warehouse.Warehouse
	t         testing.TB
	hands     *clocktest.Hands
	ring      *keys.Ring
	control   *control.Control
	streams   *stream.Streams
	sequencer *events.Sequencer
	audit     *audit.Log
	erased    *events.Erased
	config    warehouse.Config
	declared  cadences
}

// cadences are what sources say of themselves.
type cadences []events.Cadence

func (c *cadences) UnscopedCadences(context.Context) ([]events.Cadence, error) { return *c, nil }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, metatest.Open(t, metatest.SQLite(t)))
}

// inEach does a test with each control database.
func inEach(t *testing.T, do func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) { do(t, newWorldOn(t, db)) })
}

func newWorldOn(t testing.TB, db *meta.DB) *world {
	t.Helper()
	h := new(clocktest.Hands)
	c := clock.Clock{NowFunc: h.Now}
	kek, secrets := keystest.New(t, c)
	engine, err := policy.New(policy.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	ctl := control.New(control.Config{DB: db, Policy: engine, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: ctl, Clock: c, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	ctl.SetKeys(ring)
	ctl.SetAudit(log)
	streams, err := stream.Open(t.Context(), stream.Config{Dir: t.TempDir(), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = streams.Close() })
	w := &world{t: t, hands: h, ring: ring, control: ctl, streams: streams, audit: log, erased: events.NewErased(db, ring)}
	blocks, err := events.NewBlocks(ring, w.erased)
	if err != nil {
		t.Fatal(err)
	}
	level, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	w.sequencer = events.NewSequencer(db, streams, blocks, c)
	w.config = warehouse.Config{Sandbox: box, Dir: t.TempDir(), DB: db, Sources: &w.declared, Streams: streams, Blocks: blocks, Audit: log, Clock: c, Memory: 256 << 20}
	w.again()
	t.Cleanup(func() { _ = w.Close(context.Background()) })
	return w
}

// again makes the warehouse anew on the same file, as a restart does.
func (w *world) again() {
	w.t.Helper()
	if w.Warehouse != nil {
		if err := w.Close(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if w.Warehouse, err = warehouse.New(w.config); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tenant(slug string) tenant.ID {
	w.t.Helper()
	got, err := w.control.UnscopedOnboard(context.Background(), "usr_staff", "", control.NewTenant{Slug: slug, Name: slug, Organisation: slug})
	if err != nil {
		w.t.Fatal(err)
	}
	return got.ID
}

// send puts events on a stream.
func (w *world) send(n stream.Name, id tenant.ID, list ...events.Event) {
	w.t.Helper()
	for i := range list {
		list[i].Tenant = id
		if list[i].Received.IsZero() {
			list[i].Received = w.hands.Now()
		}
	}
	if err := w.sequencer.Append(w.t.Context(), n, id, list); err != nil {
		w.t.Fatal(err)
	}
}

func event(id, kind string, at time.Time) events.Event {
	return events.Event{ID: id, Source: "src_1", Origin: "/shop", Type: kind, Time: at, User: "u1", Data: []byte(`{"amount":12.5}`), Flags: []string{"late", "skewed"}}
}

func act(n int, verb, subject, data string, at time.Time) events.Event {
	return events.Event{ID: fmt.Sprintf("%d-0a1b", n), Source: "tributary", Type: "tributary." + verb, Subject: subject, Time: at, Data: []byte(data)}
}

// lines writes an answer's rows as text.
func lines(b *bytes.Buffer) warehouse.Into {
	return warehouse.Into{Columns: func([]warehouse.Column) error { return nil }, Row: func(row [][]byte) error {
		b.Write(bytes.Join(row, []byte("|")))
		b.WriteByte('\n')
		return nil
	}}
}

// ask returns an answer as text.
func (w *world) ask(sql string) (string, error) {
	var b bytes.Buffer
	_, err := w.UnscopedAsk(w.t.Context(), "usr_staff", warehouse.Ask{SQL: sql}, lines(&b))
	return b.String(), err
}

func (w *world) want(sql, want string) {
	w.t.Helper()
	if got, err := w.ask(sql); err != nil || got != want {
		w.t.Errorf("%s:\ngot  %q, %v\nwant %q", sql, got, err, want)
	}
}

// load loads what there is, and makes what is made of it.
func (w *world) load() {
	w.t.Helper()
	if err := w.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Make(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestEventsAreLoadedOnceForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.send(stream.Events, a, event("1", "login", noon), event("2", "buy", noon.Add(time.Minute)))
	w.send(stream.Events, b, event("1", "login", noon))
	w.send(stream.Events, "", event("1", "start", noon))
	w.load()
	w.load()
	const all = "SELECT coalesce(tenant, '-') = '%s', count(*) FROM fact_event GROUP BY 1 ORDER BY 1"
	w.want(fmt.Sprintf(all, a), "false|2\ntrue|2\n")
	w.want("SELECT source, origin, id, type, time, user_id, data->>'amount', flags FROM fact_event WHERE type = 'buy'",
		"src_1|/shop|2|buy|2026-03-01T12:01:00.000000Z|u1|12.5|late,skewed\n")

	// The same again, months later and in another block, after a restart; and one that is new.
	w.again()
	again := event("2", "buy", noon.Add(time.Minute))
	again.Received = noon.AddDate(0, 3, 0)
	w.send(stream.Events, a, again, event("3", "logout", noon.Add(2*time.Hour)))
	w.send(stream.Events, a, event("3", "logout", noon.Add(2*time.Hour)))
	w.load()
	w.want("SELECT count(*), count(DISTINCT key) FROM fact_event", "5|5\n")
	w.want("SELECT sequence FROM load_position WHERE stream = 'events'", "5\n")
	w.want("SELECT count(*) FROM load_problem", "0\n")
	w.want(fmt.Sprintf("SELECT start, rows, reopened FROM load_interval WHERE tenant = '%s' AND model = 'fact_event' ORDER BY start", a),
		"2026-03-01T12:00:00.000000Z|2|0\n2026-03-01T14:00:00.000000Z|1|0\n")
	w.want("SELECT sum(rows) FROM load_interval WHERE model = 'fact_event'", "5\n")
}

// What comes for an hour that was over opens it again, and is counted.
func TestLateEventsOpenTheirHourAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "login", w.hands.Now()))
	w.load()
	old := w.hands.Now()
	w.hands.Pass(3 * time.Hour)
	w.send(stream.Events, a, event("2", "login", w.hands.Now()))
	w.load()
	w.send(stream.Events, a, event("3", "login", old))
	w.load()
	w.want("SELECT rows, reopened, last_loaded > first_loaded FROM load_interval WHERE model = 'fact_event' ORDER BY start", "2|1|true\n1|0|false\n")
}

// A commit that was not answered is looked up, whether it was made or not.
func TestAChildThatIsKilledLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for i := range 6 {
		w.send(stream.Events, a, event(fmt.Sprint(i), "login", noon))
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*4*time.Millisecond)
		_ = w.Load(ctx)
		cancel()
	}
	w.load()
	w.want("SELECT count(*), count(DISTINCT id) FROM fact_event", "6|6\n")
	w.want("SELECT sum(rows)::BIGINT FROM load_interval WHERE model = 'fact_event'", "6\n")
}

func TestActsBecomeDimensionsAndFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Tenants, "",
		act(1, "tenant.create", string(a), `{"actor":"usr_1","outcome":"ok","entry":1,"slug":"acme","tier":"basic","state":"onboarding","organisation":"org_1","industry":"retail"}`, noon),
		act(2, "tenant.activate", string(a), `{"actor":"usr_1","outcome":"ok","entry":2,"slug":"acme","tier":"basic","state":"active","organisation":"org_1","industry":"retail"}`, noon.Add(time.Hour)),
		act(3, "tenant.note", string(a), `{"actor":"usr_1","outcome":"ok","entry":3,"slug":"acme","tier":"basic","state":"active","organisation":"org_1","industry":"retail"}`, noon.Add(2*time.Hour)),
		act(4, "tenant.update", string(a), `{"actor":"usr_1","outcome":"ok","entry":4,"slug":"acme","tier":"premium","state":"active","organisation":"org_1","industry":"retail"}`, noon.Add(3*time.Hour)))
	w.send(stream.Users, a, act(7, "session.create", "ses_1", `{"actor":"usr_2","outcome":"ok","entry":7}`, noon))
	w.send(stream.Jobs, a,
		act(8, "submission.receive", "sub_1", `{"actor":"usr_2","outcome":"ok","entry":8,"dataset":"prices","date":"2026-03-01","state":"received","bytes":100,"channel":"api"}`, noon),
		act(9, "submission.validate", "sub_1", `{"actor":"tributary","outcome":"accepted","entry":9,"dataset":"prices","date":"2026-03-01","state":"accepted","bytes":100,"rows":12,"channel":"api"}`, noon.Add(time.Second)))
	w.send(stream.Jobs, "",
		act(10, "run.start", "run_1", `{"actor":"usr_1","outcome":"ok","entry":10,"analysis":"mean","version":2,"date":"2026-03-01","state":"queued"}`, noon),
		act(11, "run.end", "run_1", `{"actor":"tributary","outcome":"ok","entry":11,"analysis":"mean","version":2,"date":"2026-03-01","state":"succeeded","participants":6}`, noon.Add(time.Minute)))
	w.load()
	w.want("SELECT slug, tier, state, strftime(valid_from, '%H'), strftime(valid_to, '%H'), is_current FROM dim_tenant ORDER BY valid_from",
		"acme|basic|onboarding|12|13|false\nacme|basic|active|13|15|false\nacme|premium|active|15||true\n")
	w.want("SELECT user_id, verb, outcome FROM fact_login", "usr_2|session.create|ok\n")
	w.want("SELECT submission, dataset, date, state, bytes, rows, epoch(last_act - received) FROM fact_submission", "sub_1|prices|2026-03-01|accepted|100|12|1.0\n")
	w.want("SELECT run, analysis, version, state, participants FROM fact_job", "run_1|mean|2|succeeded|6\n")
	w.want("SELECT date, weekday, weekend FROM dim_date WHERE date = '2026-03-01'", "2026-03-01|7|true\n")
}

// Blocks that are damaged or missing are named, and what comes after them is loaded.
func TestWhatCannotBeLoadedIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "login", noon))
	w.send(stream.Events, a, event("2", "login", noon))
	w.send(stream.Events, a, event("3", "login", noon))
	w.config.Streams = &bent{Streams: w.streams, bend: func(m *stream.Stored) bool {
		if m.Sequence == 2 {
			m.Data = append([]byte(nil), m.Data...)
			m.Data[len(m.Data)-1] ^= 1
		}
		return true
	}}
	w.again()
	w.load()
	w.want("SELECT id FROM fact_event ORDER BY id", "1\n3\n")
	got, err := w.ask("SELECT sequence, problem FROM load_problem ORDER BY sequence")
	if err != nil || !strings.Contains(got, "2|The block 2 of "+string(a)+" on stream events is damaged.") || !strings.Contains(got, "3|Block 2 is missing before the block 3") {
		t.Errorf("got %q, %v", got, err)
	}
	// A failure that may pass is no reason to skip anything.
	w.send(stream.Events, a, event("4", "login", noon))
	w.config.Streams = &bent{Streams: w.streams, fail: errors.New("no answer")}
	w.again()
	if err := w.Load(t.Context()); err == nil {
		t.Error("no error")
	}
	w.config.Streams = w.streams
	w.again()
	w.load()
	w.want("SELECT id FROM fact_event ORDER BY id", "1\n3\n4\n")
}

// bent are streams whose messages are not what they were.
type bent struct {
	*stream.Streams
	bend func(*stream.Stored) bool
	fail error
}

func (b *bent) Read(ctx context.Context, n stream.Name, after uint64, id tenant.ID, most int) ([]stream.Stored, error) {
	if b.fail != nil {
		return nil, b.fail
	}
	list, err := b.Streams.Read(ctx, n, after, id, most)
	for i := range list {
		b.bend(&list[i])
	}
	return list, err
}

func TestAnErasedTenantIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.send(stream.Events, a, event("1", "login", noon), event("2", "login", noon))
	w.send(stream.Events, b, event("1", "login", noon))
	w.send(stream.Tenants, "", act(1, "tenant.create", string(a), `{"slug":"acme"}`, noon))
	w.load()
	method, count, err := w.EraseTenant(t.Context(), a)
	if err != nil || count != 3 || method == "" {
		t.Errorf("got %q, %d, %v; want 3 rows", method, count, err)
	}
	w.want("SELECT tenant = '"+string(b)+"', count(*) FROM fact_event GROUP BY 1", "true|1\n")
	w.want("SELECT count(*) FROM fact_act", "0\n")
	for _, table := range []string{"fact_usage", "fact_activity", "fact_session", "dim_user", "dim_source", "model_interval", "load_interval"} {
		w.want("SELECT count(*) FROM "+table+" WHERE tenant = '"+string(a)+"'", "0\n")
	}
}

// Every query is in the audit log, with its hash and not with its words.
func TestQueriesAreAuditedAndBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "login", noon))
	w.load()
	w.want("SELECT count(*) FROM fact_event", "1\n")
	for _, sql := range []string{"DROP TABLE fact_event", "SELECT * FROM schema_version", "SELECT * FROM load_chain", "SELECT * FROM read_text('/etc/passwd')", ""} {
		if _, err := w.ask(sql); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want that it is refused", sql, err)
		}
	}
	_, err := w.UnscopedAsk(t.Context(), "usr_staff", warehouse.Ask{SQL: "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7", Timeout: 50 * time.Millisecond}, lines(&bytes.Buffer{}))
	if !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), "50ms") {
		t.Errorf("got %v, want that it takes too long", err)
	}
	entries, _, err := w.audit.UnscopedEntries(t.Context(), audit.Filter{Verb: "warehouse.query"}, meta.Page{Limit: 100})
	if err != nil || len(entries) != 7 {
		t.Fatalf("got %d entries, %v; want 7", len(entries), err)
	}
	last := entries[len(entries)-1]
	if text := fmt.Sprint(last.Details); strings.Contains(text, "SELECT") || !strings.Contains(text, "sql_sha256") {
		t.Errorf("details %s", text)
	}
}

// The schema is read by people too: each table says what it is.
func TestTablesAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	var text []byte
	for _, name := range []string{"0001_star.sql", "0002_models.sql"} {
		part, err := os.ReadFile(filepath.Join("schema", name))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	for _, name := range warehouse.Tables {
		if !strings.Contains(string(text), "TABLE "+name+" ") && !strings.Contains(string(text), "VIEW "+name+" ") {
			t.Errorf("the schema has no %s", name)
		}
	}
}

// An engine that has given up, as one does whose COMMIT fails, leaves its place to another at once.
func TestTheWarehouseGoesOnWithAnotherEngine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "buy", noon))
	w.load()
	for n := range 3 {
		if err := w.Harm(t.Context(), "COMMIT"); err == nil || !strings.Contains(err.Error(), "no transaction is active") { // the one that follows has nothing to commit
			t.Errorf("got %v, want that there is no transaction", err)
		}
		w.want("SELECT count(*) FROM fact_event", fmt.Sprintf("%d\n", n+1))
		w.send(stream.Events, a, event(fmt.Sprint(n+2), "buy", noon))
		w.load()
	}
	w.want("SELECT count(*), count(DISTINCT key) FROM fact_event", "4|4\n")
}

// Rows of the loader's own that are lost are there again after the next load.
func TestTheLoadersOwnRowsAreThereAfterALoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for n := range 3 {
		w.send(stream.Events, a, event(fmt.Sprint(n), "buy", noon))
		if err := w.Load(t.Context()); (err != nil) != (n == 2) { // the one that finds no position looks where it is
			t.Errorf("load %d: got %v", n, err)
		}
		w.load()
		w.harm("SELECT CASE WHEN count(*) <> 1 THEN error('the chain is lost') END FROM load_chain WHERE stream = 'events' AND sequence = " + fmt.Sprint(n+1))
		w.want("SELECT sequence FROM load_position WHERE stream = 'events'", fmt.Sprintf("%d\n", n+1))
		if n == 0 {
			w.harm("DELETE FROM load_chain")
		} else {
			w.harm("DELETE FROM load_position")
		}
	}
	w.want("SELECT count(*) FROM fact_event", "3\n")
}
