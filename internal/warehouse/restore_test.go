package warehouse_test

import (
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/stream"
)

// What a stream has no longer is restored beside what is there, once, and the stream goes
// on where it was.
func TestRestoredEventsAreThereOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, at := w.tenant("acme"), w.hands.Now()
	w.send(stream.Events, a, event("2", "order", at))
	w.send(stream.Jobs, a, act(2, "run.start", "run_1", `{"entry":2,"actor":"usr_1","outcome":"ok"}`, at))
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	restored := func(list ...events.Event) []events.Event {
		for n := range list {
			list[n].Tenant, list[n].Received = a, at
		}
		return list
	}
	for range 2 {
		if err := w.UnscopedRestore(t.Context(), stream.Events, restored(event("1", "order", at.Add(-9*24*time.Hour)), event("2", "order", at))); err != nil {
			t.Fatal(err)
		}
		if err := w.UnscopedRestore(t.Context(), stream.Jobs, restored(act(1, "run.start", "run_0", `{"entry":1,"actor":"usr_1","outcome":"ok"}`, at))); err != nil {
			t.Fatal(err)
		}
	}
	w.send(stream.Events, a, event("3", "order", at))
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"SELECT string_agg(id, ',' ORDER BY id) FROM fact_event":         "1,2,3\n",
		"SELECT string_agg(subject, ',' ORDER BY subject) FROM fact_act": "run_0,run_1\n",
		"SELECT count(*) FROM load_problem":                              "0\n",
	} {
		if got, err := w.ask(sql); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", sql, got, err, want)
		}
	}
}
