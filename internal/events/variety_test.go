package events_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// What is new beyond a day's bounds is held; what there was already goes on, of the
// same tenant and of others, and the next day begins anew.
func TestVarietyIsBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 2}
		w.again()
		a, b := w.tenant("acme"), w.tenant("bolt")
		for _, c := range []struct {
			name   string
			most   int
			change func(e *events.Event, n int)
		}{
			{"types", 2000, func(e *events.Event, n int) { e.Type = fmt.Sprint("type ", n) }},
			{"users", 2000, func(e *events.Event, n int) { e.User = fmt.Sprint("user ", n) }},
			{"anonymous ids", 2000, func(e *events.Event, n int) { e.User, e.Anonymous = "", fmt.Sprint("a", n) }},
			{"names", 10_000, func(e *events.Event, n int) {
				e.Data = jsontext.Value(fmt.Sprintf(`{"inner":{"x%d":1},"name %d":1}`, n, n))
			}},
		} {
			w.hands.Pass(24 * time.Hour)
			of := func(id tenant.ID, from, to int) []events.Verdict {
				t.Helper()
				s, err := w.Own(t.Context(), w.scope(id, policy.TenantAdmin), tenant.Basic)
				if err != nil {
					t.Fatal(err)
				}
				var all []events.Verdict
				for from < to {
					var list []events.Event
					for ; from < to && len(list) < 5000; from++ {
						e := login(fmt.Sprint(c.name, from, len(all), w.hands.Now().Unix()))
						e.Time = w.hands.Now()
						c.change(&e, from)
						list = append(list, e)
					}
					w.hands.Pass(10 * time.Second) // for the rate
					all = append(all, w.take(s, list...)...)
				}
				return all
			}
			all := of(a.ID, 0, c.most-2)
			if last := all[len(all)-1]; last.Result != events.OK {
				t.Fatalf("%s: got %+v, want it kept", c.name, last)
			}
			if got := of(a.ID, c.most, c.most+3); got[2].Result != events.Drop || got[2].Details == "" {
				t.Errorf("%s: got %+v, want it held", c.name, got[2])
			}
			if got := of(a.ID, 7, 8); got[0].Result != events.OK {
				t.Errorf("%s, one that is known: got %+v, want it kept", c.name, got[0])
			}
			if got := of(b.ID, c.most+2, c.most+3); got[0].Result != events.OK {
				t.Errorf("%s, of another tenant: got %+v, want it kept", c.name, got[0])
			}
			f := events.HeldFilter{For: events.TooMany}
			if held, _, err := w.Quarantine(t.Context(), w.admin(a.ID), f, page); err != nil || len(held) == 0 {
				t.Errorf("%s: got %d in quarantine, %v", c.name, len(held), err)
			}
			w.hands.Pass(24 * time.Hour)
			if done, err := w.Replay(t.Context(), w.admin(a.ID), f); err != nil || done.Kept == 0 || done.Left != 0 {
				t.Errorf("%s, the next day: got %+v, %v, want all kept", c.name, done, err)
			}
		}
	})
}

// One tenant of whom a source of the provider's sends too much is told to wait, and
// the others of the same request are kept.
func TestWhatTheProviderSendsIsBoundedForEachTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.config.Rates = map[tenant.Tier]int{tenant.Basic: 10}
		w.again()
		a, b := w.tenant("acme"), w.tenant("bolt")
		s, _ := w.source(provider, events.NewSource{TenantField: "subject"})
		own, _ := w.source(w.admin(a.ID), events.NewSource{})
		of := func(slug string, from, n int) (list []events.Event) {
			for i := range n {
				e := login(fmt.Sprint(slug, from+i))
				e.Subject = slug
				list = append(list, e)
			}
			return list
		}
		if err := events.Again(w.take(s, of("acme", 0, 100)...)); err != nil {
			t.Fatalf("got %v for as much as a burst, want nil", err)
		}
		got := w.take(s, append(of("acme", 100, 20), of("bolt", 0, 2)...)...)
		if got[0].Result != events.Retry || got[0].Wait != 2*time.Second || got[19].Result != events.Retry || results(got[20:]) != "ok ok" {
			t.Errorf("got %+v, want acme's again in 2 s, and bolt's kept", got)
		}
		if err := events.Again(got); !fault.Is(err, fault.Throttled) || events.RetryAfter(err) != 2*time.Second {
			t.Errorf("got %v, want Throttled for 2 s", err)
		}
		if got := results(w.take(own, login("own"))); got != "ok" {
			t.Errorf("its own: got %s, want ok: it has a rate of its own", got)
		}
		w.hands.Pass(2 * time.Second)
		if got := results(w.take(s, append(of("acme", 100, 2), of("bolt", 0, 2)...)...)); got != "ok ok duplicate duplicate" {
			t.Errorf("again: got %s, want ok ok duplicate duplicate", got)
		}
		if x, y := len(w.kept(a.ID)), len(w.kept(b.ID)); x != 103 || y != 2 {
			t.Errorf("got %d of acme's and %d of bolt's, want 103 and 2", x, y)
		}
	})
}
