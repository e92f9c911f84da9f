package events_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// world is events with the real parts around them.
type world struct {
	*events.Events
	t       testing.TB
	hands   *clocktest.Hands
	ring    *keys.Ring
	control *control.Control
	streams *stream.Streams
	made    *made
	config  events.Config
}

// made are the API keys that have ended.
type made struct {
	mu    sync.Mutex
	ended map[string]bool
}

func (m *made) UnscopedKeyEnded(_ context.Context, _ tenant.ID, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended[key], nil
}

// each runs f in parallel on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func newWorld(t testing.TB, db *meta.DB) *world {
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
	dir := t.TempDir()
	streams, err := stream.Open(t.Context(), stream.Config{Dir: dir, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = streams.Close() })
	w := &world{t: t, hands: h, ring: ring, control: ctl, streams: streams, made: &made{ended: map[string]bool{}}}
	w.config = events.Config{DB: db, Streams: streams, Tenants: ctl, Makers: w.made, Policy: engine, Audit: log, Keys: ring, Clock: c}
	w.again()
	return w
}

// again makes the events anew on the same stores, as a restart does.
func (w *world) again() {
	w.t.Helper()
	var err error
	if w.Events, err = events.New(w.config); err != nil {
		w.t.Fatal(err)
	}
	if err := w.LoadPlan(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tenant(slug string, external ...string) control.Tenant {
	w.t.Helper()
	got, err := w.control.UnscopedOnboard(context.Background(), "usr_staff", "", control.NewTenant{Slug: slug, Name: slug, Organisation: slug, ExternalIDs: external})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// scope is that of somebody of a tenant's.
func (w *world) scope(id tenant.ID, role policy.Role) tenant.Scope {
	w.t.Helper()
	s, err := w.Policy.Scope(context.Background(), policy.Principal{Credential: "ses_1", Kind: policy.Session, User: "usr_1", Tenant: id, Role: role, VerifiedAt: w.hands.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) admin(id tenant.ID) tenant.Owner {
	return tenant.OwnerOf(w.scope(id, policy.TenantAdmin))
}

var provider = tenant.UnscopedProvider("usr_staff")

// source makes a source and returns it as its key finds it.
func (w *world) source(owner tenant.Owner, n events.NewSource) (*events.Source, string) {
	w.t.Helper()
	if n.Name == "" {
		n.Name = "shop"
	}
	_, key, err := w.CreateSource(context.Background(), owner, n)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.Source(context.Background(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, key
}

// take takes in events and returns the verdicts.
func (w *world) take(s *events.Source, list ...events.Event) []events.Verdict {
	w.t.Helper()
	b := events.Batch{Channel: "api"}
	for _, e := range list {
		b.Received = append(b.Received, events.Incoming{Event: e})
	}
	v, err := w.Take(context.Background(), s, b)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// kept opens all that is on the stream of events, of one tenant's or of all, and sees
// that the chains are whole.
func (w *world) kept(id tenant.ID) []events.Event {
	w.t.Helper()
	list, err := w.streams.Read(context.Background(), stream.Events, 0, id, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	ends := map[tenant.ID]events.Place{}
	var all []events.Event
	for _, m := range list {
		h, got, err := w.Blocks.Open(context.Background(), m.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		if h.Tenant != m.Tenant {
			w.t.Fatalf("got a block of %s under the subject of %s", h.Tenant, m.Tenant)
		}
		if err := ends[h.Tenant].Follows(h); err != nil {
			w.t.Fatal(err)
		}
		ends[h.Tenant] = events.PlaceOf(h, m.Data)
		all = append(all, got...)
	}
	return all
}

func results(list []events.Verdict) string {
	text := ""
	for n, v := range list {
		if n > 0 {
			text += " "
		}
		text += string(v.Result)
	}
	return text
}

// login is an event as a client sends it.
func login(id string) events.Event {
	return events.Event{ID: id, Type: "login", Time: time.Date(2026, 3, 1, 11, 59, 59, 0, time.UTC), User: "u1"}
}

var page = meta.Page{Limit: 500}
