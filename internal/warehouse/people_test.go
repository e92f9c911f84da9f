package warehouse_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// by is an event of somebody.
func by(id, user, anonymous string, at time.Time) events.Event {
	e := event(id, "buy", at)
	e.User, e.Anonymous = user, anonymous
	return e
}

// erase erases a person as the archive does, and returns how many rows went.
func (w *world) erase(id tenant.ID, name string) (int64, events.Person) {
	w.t.Helper()
	ctx := w.t.Context()
	p, err := w.UnscopedPerson(ctx, id, name, true)
	if err != nil {
		w.t.Fatal(err)
	}
	r := events.Erasure{ID: w.config.Clock.ID("era"), Tenant: id, Names: p.Names, Begun: true, Through: w.hands.Now(), By: "usr_1"}
	if err := w.config.DB.Transact(ctx, func(tx *meta.DB) error { return w.erased.Add(ctx, tx, r) }); err != nil {
		w.t.Fatal(err)
	}
	if err := w.erased.Begin(ctx, r, func(*meta.DB) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	n, err := w.UnscopedErase(ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.UnscopedRemake(ctx, id); err != nil {
		w.t.Fatal(err)
	}
	return n, p
}

// A person goes from the facts and from what is made of them, and nobody else does; no
// rebuild and no restore brings anybody back.
func TestAPersonIsErasedForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	list := []events.Event{by("1", "ann", "", noon), by("2", "ann", "phone", noon), by("3", "", "phone", noon.Add(-24*time.Hour)), by("4", "bob", "phone", noon.Add(time.Hour)),
		by("5", "bob", "", noon.Add(2*time.Hour)), by("6", "", "tablet", noon), by("7", "ann", "pad", noon), by("8", "", "pad", noon)}
	w.send(stream.Events, a, list...)
	w.send(stream.Events, b, by("1", "ann", "", noon), by("2", "", "phone", noon))
	w.load()
	if n, p := w.erase(a, "ann"); n != 4 || !slices.Equal(p.Names, []string{"ann", "pad"}) || !slices.Equal(p.Events, []int64{3, 1}) || !slices.Equal(p.Shared, []string{"phone"}) {
		t.Errorf("%d events of %+v are erased, want ann's and those of her pad", n, p)
	}
	left := func() {
		t.Helper()
		for sql, want := range map[string]string{
			"SELECT id, user_id, anonymous_id FROM fact_event WHERE tenant = '" + string(a) + "' ORDER BY id":                        "3||phone\n4|bob|phone\n5|bob|\n6||tablet\n",
			"SELECT person, events FROM fact_activity WHERE tenant = '" + string(a) + "' ORDER BY 1":                                 "bob|2\nphone|1\ntablet|1\n",
			"SELECT user_id FROM dim_user WHERE kind = 'product' AND tenant = '" + string(a) + "' ORDER BY 1":                        "bob\ntablet\n",
			"SELECT alias, user_id FROM dim_identity WHERE tenant = '" + string(a) + "'":                                             "phone|bob\n",
			"SELECT sum(events)::BIGINT FROM fact_session WHERE tenant = '" + string(a) + "'":                                        "4\n",
			"SELECT sum(quantity)::BIGINT FROM fact_usage WHERE metric = 'events' AND tenant = '" + string(a) + "'":                  "4\n",
			"SELECT sum(events)::BIGINT FROM dim_source WHERE tenant = '" + string(a) + "'":                                          "4\n",
			"SELECT sum(rows)::BIGINT FROM load_interval WHERE model = 'fact_event' AND tenant = '" + string(a) + "'":                "4\n",
			"SELECT count(*) FROM fact_event WHERE tenant = '" + string(b) + "'":                                                     "2\n",
			"SELECT string_agg(user_id, ',' ORDER BY user_id) FROM dim_user WHERE kind = 'product' AND tenant = '" + string(b) + "'": "ann,phone\n",
			"SELECT count(*) FROM load_problem": "0\n",
		} {
			w.want(sql, want)
		}
	}
	left()
	w.rebuild(warehouse.Rebuild{})
	left()
	for i := range list {
		list[i].Tenant, list[i].Received = a, noon
	}
	if err := w.UnscopedRestore(t.Context(), stream.Events, list); err != nil {
		t.Fatal(err)
	}
	if err := w.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	left()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.config.Dir = t.TempDir()
	w.again()
	w.load()
	left()
	w.hands.Pass(time.Second)
	w.send(stream.Events, a, by("9", "ann", "", noon)) // somebody new of that name
	w.load()
	w.want("SELECT count(*) FROM fact_event WHERE user_id = 'ann' AND tenant = '"+string(a)+"'", "1\n")
}

// Nobody is taken along who is somebody of their own, whatever those who send events say;
// nobody is called ""; and without being asked to, nobody is but who was named.
func TestOnlyWhoIsNobodyElseIsTakenAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	alias := by("3", "ann", "", noon)
	alias.Type, alias.Data = "$create_alias", []byte(`{"alias":"","previousId":""}`)
	claim := by("5", "mallory", "", noon)
	claim.Type, claim.Data = "$create_alias", []byte(`{"previousId":"bob"}`)
	w.send(stream.Events, a, by("1", "ann", "pad", noon), by("2", "bob", "", noon), alias, by("4", "mallory", "bob", noon), claim, by("6", "", "", noon))
	w.send(stream.Events, b, by("1", "ann", "other", noon))
	for _, c := range []struct {
		name   string
		linked bool
		want   string
	}{
		{"ann", false, "{[ann] [2] []}"},
		{"ann", true, "{[ann pad] [2 0] []}"},
		{"mallory", true, "{[mallory] [2] [bob]}"},
		{"pad", true, "{[pad] [0] []}"},
		{"nobody", true, "{[nobody] [0] []}"},
	} {
		p, err := w.UnscopedPerson(t.Context(), a, c.name, c.linked)
		if got := fmt.Sprint(p); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	w.want("SELECT count(*) FROM dim_identity WHERE alias = ''", "0\n")
	w.erase(a, "ann")
	w.want("SELECT string_agg(id, ' ' ORDER BY id) FROM fact_event WHERE tenant = '"+string(a)+"'", "2 4 5 6\n")

	var list []events.Event
	for n := range events.MostNames {
		list = append(list, by(fmt.Sprint("many", n), "many", fmt.Sprint("id", n), noon))
	}
	w.send(stream.Events, a, list...)
	if _, err := w.UnscopedPerson(t.Context(), a, "many", true); !fault.Is(err, fault.TooLarge) {
		t.Errorf("with a thousand ids: %v", err)
	}
	if p, err := w.UnscopedPerson(t.Context(), a, "many", false); err != nil || p.Events[0] != events.MostNames {
		t.Errorf("the name alone: %v, %v", p.Events, err)
	}
}

// As long as the past is not loaded nothing tells who somebody is: asking would note how far
// the streams are loaded, and the past never be.
func TestNobodyIsLookedUpBeforeThePastIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.tenant("acme")
	old := by("1", "ann", "pad", noon)
	old.Tenant, old.Received = a, noon
	past := archived{stream.Events: {old}}
	w.SetPast(past)
	w.send(stream.Events, a, by("2", "ann", "", noon))
	if _, err := w.UnscopedPerson(t.Context(), a, "ann", true); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before: %v", err)
	}
	if err := w.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := w.UnscopedPerson(t.Context(), a, "ann", true); err != nil || fmt.Sprint(p.Events) != "[2 0]" {
		t.Errorf("after: %+v, %v", p, err)
	}
}

// An object that was opened before a tenant's key was destroyed is not loaded afterwards,
// nor is what the provider's own chain says of an erased tenant; that it was erased is.
func TestNothingOfAnErasedTenantComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	w.send(stream.Events, a, event("1", "buy", noon))
	acts := []events.Event{act(1, "tenant.create", string(a), `{"slug":"acme","state":"active"}`, noon), act(2, "tenant.create", string(b), `{"slug":"birch","state":"active"}`, noon), act(3, "tenant.erase", string(a), `{}`, noon)}
	w.send(stream.Tenants, "", acts...)
	w.load()
	w.want("SELECT count(*) FROM fact_act", "3\n")
	opened := event("0", "buy", noon)
	opened.Tenant, opened.Received = a, noon
	if _, err := w.config.DB.For(a).Exec(t.Context(), `UPDATE tenant_keys SET wrapped = NULL WHERE tenant = $1`, string(a)); err != nil {
		t.Fatal(err)
	}
	w.ring.Forget(a)
	if _, _, err := w.EraseTenant(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := w.UnscopedRestore(t.Context(), stream.Events, []events.Event{opened}); err != nil {
		t.Fatal(err)
	}
	for i := range acts {
		acts[i].Received = noon
	}
	if err := w.UnscopedRestore(t.Context(), stream.Tenants, acts); err != nil {
		t.Fatal(err)
	}
	w.rebuild(warehouse.Rebuild{})
	w.want("SELECT count(*) FROM fact_event", "0\n")
	w.want("SELECT verb, subject = '"+string(a)+"' FROM fact_act ORDER BY 1", "tenant.create|false\ntenant.erase|true\n")
	w.want("SELECT slug FROM dim_tenant", "birch\n")
}
