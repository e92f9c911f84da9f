package warehouse_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// rebuild does a rebuild to its end.
func (w *world) rebuild(r warehouse.Rebuild) warehouse.Rebuilding {
	w.t.Helper()
	if _, err := w.UnscopedRebuild(w.t.Context(), "usr_staff", r); err != nil {
		w.t.Fatal(err)
	}
	return w.ended()
}

// ended waits until a rebuild has ended.
func (w *world) ended() warehouse.Rebuilding {
	w.t.Helper()
	for {
		s, err := w.UnscopedStatus(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if s.Rebuild.State != "running" {
			return *s.Rebuild
		}
	}
}

func (w *world) harm(sql string) {
	w.t.Helper()
	if err := w.Harm(w.t.Context(), sql); err != nil {
		w.t.Fatal(err)
	}
}

func TestFactsAreRebuiltFromTheStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	for _, id := range []tenant.ID{a, b} {
		for i := range 6 {
			w.send(stream.Events, id, event(fmt.Sprint(i), "buy", noon.Add(time.Duration(i)*time.Hour)))
		}
	}
	w.send(stream.Events, a, event("0", "buy", noon)) // again, which is there once
	w.send(stream.Tenants, "", act(1, "tenant.create", string(a), `{"slug":"acme"}`, noon))
	w.load()
	const all = "SELECT count(*), count(DISTINCT key), sum(bytes)::BIGINT, count(*) FILTER (type = 'buy') FROM fact_event"
	w.want(all, "12|12|180|12\n")

	// Rows are wrong, and rows are lost.
	w.harm("UPDATE fact_event SET type = 'wrong', bytes = 0 WHERE id = '2'")
	w.harm("DELETE FROM fact_event WHERE id = '3'")
	w.harm("UPDATE load_interval SET rows = rows - 1 WHERE epoch_us(start) = " + fmt.Sprint(noon.Add(3*time.Hour).UnixMicro()))
	if got := w.rebuild(warehouse.Rebuild{Table: "fact_event", Tenant: a, From: noon.Add(time.Hour), To: noon.Add(4 * time.Hour)}); got.State != "done" || got.Rows != 3 || got.Problem != "" {
		t.Errorf("got %+v, want 3 rows", got)
	}
	w.want("SELECT id, type FROM fact_event WHERE tenant = '"+string(a)+"' ORDER BY id", "0|buy\n1|buy\n2|buy\n3|buy\n4|buy\n5|buy\n")
	w.want("SELECT id, type FROM fact_event WHERE tenant = '"+string(b)+"' ORDER BY id", "0|buy\n1|buy\n2|wrong\n4|buy\n5|buy\n") // which was not asked for
	w.rebuild(warehouse.Rebuild{})
	w.want(all, "12|12|180|12\n")
	w.want("SELECT sum(rows)::BIGINT, max(rows) FROM load_interval WHERE model = 'fact_event'", "12|1\n")
	w.want("SELECT sum(quantity)::BIGINT FROM fact_usage WHERE metric = 'event_bytes'", "180\n")
	w.want("SELECT count(*) FROM dim_tenant", "1\n")

	// What was written by a rebuild is known for ever too.
	w.send(stream.Events, a, event("3", "buy", noon))
	w.load()
	w.want(all, "12|12|180|12\n")
}

// archived are events that a stream had.
type archived map[stream.Name][]events.Event

func (a archived) UnscopedHas(_ context.Context, n stream.Name) (bool, error) {
	return len(a[n]) > 0, nil
}

func (a archived) UnscopedSince(_ context.Context, id tenant.ID, n stream.Name, at time.Time, each func([]events.Event) error) (unread []string, err error) {
	for _, e := range a[n] {
		if (id == "" || e.Tenant == id) && !e.Received.Before(at.Truncate(24*time.Hour)) {
			if err := each([]events.Event{e}); err != nil {
				return nil, err
			}
		}
	}
	return []string{"arc_damaged_" + string(n)}, nil
}

// What streams have no longer is rebuilt from the archive: of a table, a tenant, an interval.
func TestFactsAreRebuiltFromTheArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	past := archived{}
	for _, id := range []tenant.ID{a, b} {
		for i := range 6 {
			e := event(fmt.Sprint(i), "buy", noon.Add(time.Duration(i)*time.Hour))
			e.Tenant, e.Received = id, e.Time.Add(-time.Hour) // by a clock that is an hour ahead
			past[stream.Events] = append(past[stream.Events], e)
		}
		w.send(stream.Events, id, event("6", "buy", noon.Add(6*time.Hour)))
	}
	e := act(1, "tenant.create", string(a), `{"slug":"acme"}`, noon)
	e.Received = noon
	past[stream.Tenants] = append(past[stream.Tenants], e)
	w.SetPast(past)
	if err := w.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.load()
	const all = "SELECT count(*), count(DISTINCT key), sum(bytes)::BIGINT, count(*) FILTER (type = 'buy'), (SELECT count(*) FROM dim_tenant) FROM fact_event"
	w.want(all, "14|14|210|14|1\n")

	w.harm("UPDATE fact_event SET type = 'wrong', bytes = 0 WHERE id IN ('0', '2', '6')")
	w.harm("DELETE FROM fact_event WHERE id = '3'")
	w.harm("UPDATE load_interval SET rows = rows - 1 WHERE epoch_us(start) = " + fmt.Sprint(noon.Add(3*time.Hour).UnixMicro()))
	w.harm("DELETE FROM fact_act")
	if got := w.rebuild(warehouse.Rebuild{Table: "fact_event", Tenant: a, From: noon, To: noon.Add(4 * time.Hour)}); got.State != "done" || got.Rows != 4 || got.Archived != 6 || !slices.Equal(got.Unread, []string{"arc_damaged_events"}) {
		t.Errorf("got %+v, want 4 rows of 6", got)
	}
	w.want("SELECT id, type FROM fact_event WHERE tenant = '"+string(a)+"' ORDER BY id", "0|buy\n1|buy\n2|buy\n3|buy\n4|buy\n5|buy\n6|wrong\n")
	w.want("SELECT id, type FROM fact_event WHERE tenant = '"+string(b)+"' ORDER BY id", "0|wrong\n1|buy\n2|wrong\n4|buy\n5|buy\n6|wrong\n")
	w.rebuild(warehouse.Rebuild{})
	w.want(all, "14|14|210|14|1\n")
	w.want("SELECT sum(rows)::BIGINT, max(rows) FROM load_interval WHERE model = 'fact_event'", "14|1\n")
	w.want("SELECT sum(quantity)::BIGINT FROM fact_usage WHERE metric = 'event_bytes'", "210\n")
}

func TestModelsAreRebuiltFromTheFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "buy", noon), event("2", "buy", noon.Add(48*time.Hour)))
	w.load()
	w.harm("UPDATE session_day SET events = 7")
	w.harm("UPDATE fact_usage SET quantity = 7")
	if got := w.rebuild(warehouse.Rebuild{Table: "fact_session", From: noon.Add(24 * time.Hour)}); got.Intervals != 1 || got.Rows != 0 {
		t.Errorf("got %+v, want one interval", got)
	}
	w.want("SELECT events FROM fact_session ORDER BY started", "7\n1\n")
	w.want("SELECT DISTINCT quantity FROM fact_usage", "7\n")
}

func TestRebuildsAreOneAtATimeAndEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []warehouse.Rebuild{{Table: "dim_date"}, {Table: "nothing"}, {From: noon, To: noon}} {
		if _, err := w.UnscopedRebuild(t.Context(), "usr_staff", r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: got %v, want that it is refused", r, err)
		}
	}
	if _, err := w.UnscopedCancelRebuild(t.Context(), "usr_staff"); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want that there is none", err)
	}
	a := w.tenant("acme")
	for i := range 50 {
		w.send(stream.Events, a, event(fmt.Sprint(i), "buy", noon))
	}
	w.load()
	if _, err := w.UnscopedRebuild(t.Context(), "usr_staff", warehouse.Rebuild{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UnscopedRebuild(t.Context(), "usr_staff", warehouse.Rebuild{}); err != nil && !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want that one is running", err)
	}
	if got, err := w.UnscopedCancelRebuild(t.Context(), "usr_staff"); !fault.Is(err, fault.NotFound) && (err != nil || got.State == "running" || got.Ended.IsZero()) {
		t.Errorf("got %+v, %v; want that it has ended", got, err)
	}
	w.ended()
	w.load()
	w.want("SELECT count(*), count(DISTINCT key) FROM fact_event", "50|50\n")
}

// A stream that has lost its newest, or is another, is said so once, and what comes is loaded.
func TestAStreamThatIsAnotherIsFoundOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for i := range 3 {
		w.send(stream.Events, a, event(fmt.Sprint(i), "buy", noon))
	}
	w.load()
	other := newWorld(t)
	b := other.tenant("acme")
	other.send(stream.Events, b, event("1", "buy", noon))
	other.config.Dir = w.config.Dir
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.again()
	for range 3 {
		other.load()
	}
	other.want("SELECT count(*) FROM fact_event", "4\n")
	other.want("SELECT problem FROM load_problem", "The stream events ends at 1, and was read to 3 before: its newest messages are lost.\n")
	other.send(stream.Events, b, event("2", "buy", noon))
	other.load()
	other.want("SELECT count(*), (SELECT count(*) FROM load_problem), (SELECT max(sequence) FROM load_position WHERE stream = 'events') FROM fact_event", "5|1|2\n")
}
