package warehouse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// fresh returns what is said of a thing.
func (w *world) fresh(kind, name string, id tenant.ID) warehouse.Freshness {
	w.t.Helper()
	list, err := w.UnscopedFreshness(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range list {
		if f.Kind == kind && f.Name == name && f.Tenant == id {
			return f
		}
	}
	w.t.Fatalf("nothing is said of %s %s of %q: %+v", kind, name, id, list)
	return warehouse.Freshness{}
}

// told lists what the audit log says of freshness.
func (w *world) told() string {
	w.t.Helper()
	if err := w.TellDue(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	var said []string
	for _, verb := range []string{"freshness.late", "freshness.back"} {
		entries, _, err := w.audit.UnscopedEntries(w.t.Context(), audit.Filter{Verb: verb}, meta.Page{Limit: 100})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			said = append(said, fmt.Sprint(strings.TrimPrefix(verb, "freshness."), " ", e.Subject, " ", e.Outcome))
		}
	}
	return strings.Join(said, ", ")
}

// A source that sends by day and not by night is late when it is silent by day, and says so once.
func TestLateIsWhatIsLateForWhoeverSends(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		w.declared = cadences{{Source: "src_1", Tenant: a}, {Source: "src_2", Tenant: a}}
		send := func() {
			now := w.hands.Now()
			w.send(stream.Events, a, event(now.String(), "buy", now))
			w.load()
		}
		if got := w.fresh("source", "src_2", a).State; got != warehouse.Never {
			t.Errorf("got %s of what never came", got)
		}
		for range 5 { // days of 8 hours, and nights of 17
			for range 8 {
				send()
				w.hands.Pass(time.Hour)
			}
			w.hands.Pass(16 * time.Hour)
		}
		send()
		if got := w.fresh("source", "src_1", a); got.State != warehouse.Fresh || got.Expected != 17*time.Hour*5/4 || got.Declared {
			t.Errorf("got %+v, want that it may be silent for a night and a quarter", got)
		}
		w.hands.Pass(17 * time.Hour)
		if got := w.told(); got != "" {
			t.Errorf("got %q after a night", got)
		}
		w.hands.Pass(5 * time.Hour)
		if got := w.fresh("source", "src_1", a); got.State != warehouse.Late || got.Lag != 22*time.Hour {
			t.Errorf("got %+v, want that it is late", got)
		}
		w.told()
		w.hands.Pass(5 * 24 * time.Hour)
		if got := w.fresh("source", "src_1", a).State; got != warehouse.Silent {
			t.Errorf("got %s, want that it is silent", got)
		}
		if got := w.told(); got != "late src_1 late" {
			t.Errorf("got %q, want that it was told once", got)
		}
		send()
		if got := w.told() + "; " + w.told(); got != "late src_1 late, back src_1 ok; late src_1 late, back src_1 ok" {
			t.Errorf("got %q, want that it is back", got)
		}
		entries, _, err := w.audit.UnscopedEntries(t.Context(), audit.Filter{Verb: "freshness.late"}, meta.Page{Limit: 10})
		if err != nil || len(entries) != 1 || entries[0].Tenant != a {
			t.Errorf("got %+v, %v; want an entry of the tenant's", entries, err)
		}
	})
}

func TestWhatIsDeclaredIsExpected(t *testing.T) {
	t.Parallel()
	inEach(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		w.declared = cadences{{Source: "src_1", Tenant: a, Every: 5 * time.Minute}}
		w.send(stream.Events, a, event("1", "buy", w.hands.Now()))
		w.load()
		w.hands.Pass(6 * time.Minute)
		if got := w.fresh("source", "src_1", a); got.State != warehouse.Late || !got.Declared {
			t.Errorf("got %+v, want that it is late", got)
		}
		if got := w.told(); got != "late src_1 late" {
			t.Errorf("got %q", got)
		}
		w.declared = nil // revoked
		if got := w.told(); got != "late src_1 late" {
			t.Errorf("got %q, want no more", got)
		}
		list, err := w.UnscopedFreshness(t.Context(), a)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, f := range list {
			if f.Kind == "source" || f.Tenant != a {
				t.Errorf("got %+v of a source that was revoked", f)
			}
		}
	})
}

// A provider's source writes for many tenants: it is late by itself, and for each.
func TestSourcesOfTheProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.declared = cadences{{Source: "src_1", Every: time.Hour}}
	w.send(stream.Events, a, event("1", "buy", w.hands.Now()))
	w.hands.Pass(2 * time.Hour)
	w.send(stream.Events, b, event("1", "buy", w.hands.Now()))
	w.load()
	if got := w.fresh("source", "src_1", ""); got.State != warehouse.Fresh || !got.Declared || got.Lag != 0 {
		t.Errorf("got %+v of all", got)
	}
	if got := w.fresh("source", "src_1", a); got.Lag != 2*time.Hour || got.Declared {
		t.Errorf("got %+v of one", got)
	}
}

// How new a tenant's facts are is when they came, whenever it was that they happened.
func TestFactsAreAsFreshAsWhatCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	for i := range 10 { // a day's events, in one batch a day
		var list []events.Event
		for hour := range 24 {
			list = append(list, event(fmt.Sprint(i, " ", hour), "buy", w.hands.Now().Add(-time.Duration(hour)*time.Hour)))
		}
		w.send(stream.Events, a, list...)
		w.load()
		w.hands.Pass(24 * time.Hour)
	}
	if got := w.fresh("fact", "fact_event", a); got.State != warehouse.Fresh || got.Lag != 24*time.Hour || got.Expected != 30*time.Hour {
		t.Errorf("got %+v, want a day and a quarter to be expected", got)
	}
	w.send(stream.Events, a, event("old", "buy", noon.AddDate(-1, 0, 0)))
	w.load()
	if got := w.fresh("fact", "fact_event", a); got.Lag != 0 {
		t.Errorf("got %+v, want that what is old has come now", got)
	}
}

func TestStreamsAndModelsAreAsFreshAsTheirLoads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	w.send(stream.Events, a, event("1", "buy", w.hands.Now()))
	w.load()
	if got := w.fresh("stream", "events", ""); got.State != warehouse.Fresh || !got.Complete.Equal(w.hands.Now().Truncate(time.Hour)) {
		t.Errorf("got %+v", got)
	}
	if got := w.fresh("stream", "jobs", ""); got.State != warehouse.Never || got.Complete.IsZero() {
		t.Errorf("got %+v of a stream with nothing", got)
	}
	if got := w.fresh("fact", "fact_event", a); got.State != warehouse.Fresh || got.Last.After(w.hands.Now()) {
		t.Errorf("got %+v", got)
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.send(stream.Events, a, event("2", "buy", w.hands.Now()))
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.hands.Pass(time.Hour)
	if got := w.fresh("model", "fact_usage", ""); got.State != warehouse.Late || got.Lag != time.Hour {
		t.Errorf("got %+v, want that it is late", got)
	}
	w.load()
	if got := w.fresh("model", "fact_usage", ""); got.State != warehouse.Fresh || got.Lag != 0 {
		t.Errorf("got %+v, want that it is fresh", got)
	}
	own, err := w.UnscopedFreshness(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, f := range own {
		kinds[f.Kind]++
	}
	if fmt.Sprint(kinds) != "map[fact:1 model:6]" {
		t.Errorf("got %v of a tenant", kinds)
	}
}
