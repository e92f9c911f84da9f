package events_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// gone has a tenant's events of some names left out from now on.
func (w *world) gone(id tenant.ID, names ...string) events.Erasure {
	w.t.Helper()
	r := events.Erasure{ID: w.Clock.ID("era"), Tenant: id, Names: names[:1], Through: w.hands.Now(), By: "usr_1"}
	if err := w.DB.Transact(w.t.Context(), func(tx *meta.DB) error { return w.Erased.Add(w.t.Context(), tx, r) }); err != nil {
		w.t.Fatal(err)
	}
	r.Names, r.Begun = names, true
	if err := w.Erased.Begin(w.t.Context(), r, func(*meta.DB) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// What was erased and is sent again, after a restart too, is a duplicate as it was before.
func TestWhatWasErasedIsKnownAsSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		s, key := w.source(w.admin(a), events.NewSource{})
		w.take(s, login("1"))
		w.gone(a, "u1")
		w.again()
		if err := w.Remember(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := w.Source(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if got := results(w.take(s, login("1"), login("2"))); got != "duplicate ok" {
			t.Errorf("sent again: %s", got)
		}
		w.hands.Pass(time.Second)
		if got := w.kept(a); len(got) != 0 {
			t.Errorf("got %+v, want what came in the same moment left out too", got)
		}
	})
}

// Nobody is called "": events of nobody stay, and so do a tenant's own acts, which go on being
// published after a restart.
func TestNobodyIsErasedWithoutAName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		s, _ := w.source(w.admin(a), events.NewSource{})
		bare := login("2")
		bare.User = ""
		w.take(s, login("1"), bare)
		w.act(a, "session.create")
		publish := func() {
			t.Helper()
			if err := w.outbox(&failing{}).PublishDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		publish()
		w.hands.Pass(time.Second)
		w.gone(a, "u1", "")
		if got := w.kept(a); len(got) != 1 || got[0].ID != "2" {
			t.Errorf("got %+v, want the one of nobody", got)
		}
		w.act(a, "session.create")
		publish()
		if got := read(t, view(t, events.NewReader(w.streams, w.Blocks, w.ring, nil), stream.Users, a), 100); len(got) < 2 {
			t.Errorf("the tenant's acts: %+v", got)
		}
	})
}

// What is in quarantine goes by who did it, or where it cannot be read by a name in quotes.
func TestQuarantineIsErased(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		s, _ := w.source(w.admin(a), events.NewSource{})
		for _, raw := range []string{`{"by":"ann","id":`, `{"by":"anne","id":`, `{"by":"","id":`} {
			if _, err := w.Take(t.Context(), s, events.Batch{Channel: "api", Received: []events.Incoming{{Raw: []byte(raw), Err: errors.New("broken")}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.UnscopedErase(t.Context(), w.gone(a, "ann", "")); err != nil {
			t.Fatal(err)
		}
		list, _, err := w.Quarantine(t.Context(), w.admin(a), events.HeldFilter{}, page)
		if err != nil || len(list) != 2 || strings.Contains(list[0].Raw, `"ann"`) || strings.Contains(list[1].Raw, `"ann"`) {
			t.Errorf("got %+v, %v, want those of others", list, err)
		}
	})
}
