package warehouse_test

import (
	"testing"
	"time"

	"tributary/internal/events"
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
func (w *world) erase(id tenant.ID, name string) (int64, []string) {
	w.t.Helper()
	ctx := w.t.Context()
	names, err := w.UnscopedNames(ctx, id, name)
	if err != nil {
		w.t.Fatal(err)
	}
	r := events.Erasure{ID: w.config.Clock.ID("era"), Tenant: id, Names: names, Whole: true, Through: w.hands.Now(), By: "usr_1"}
	if err := w.config.DB.Transact(ctx, func(tx *meta.DB) error { return w.erased.Add(ctx, tx, r) }); err != nil {
		w.t.Fatal(err)
	}
	if err := w.erased.Name(ctx, r); err != nil {
		w.t.Fatal(err)
	}
	n, err := w.UnscopedErase(ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return n, names
}

// A person goes from the facts and from what is made of them, and nobody else does; no
// rebuild and no restore brings anybody back.
func TestAPersonIsErasedForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.tenant("acme"), w.tenant("birch")
	list := []events.Event{by("1", "ann", "", noon), by("2", "ann", "phone", noon), by("3", "", "phone", noon.Add(-24*time.Hour)), by("4", "bob", "phone", noon.Add(time.Hour)),
		by("5", "bob", "", noon.Add(2*time.Hour)), by("6", "", "tablet", noon)}
	w.send(stream.Events, a, list...)
	w.send(stream.Events, b, by("1", "ann", "", noon), by("2", "", "phone", noon))
	if n, names := w.erase(a, "phone"); n != 3 || len(names) != 2 {
		t.Errorf("%d events of %q are erased, want 3 of two names", n, names)
	}
	left := func() {
		t.Helper()
		for sql, want := range map[string]string{
			"SELECT id, user_id, anonymous_id FROM fact_event WHERE tenant = '" + string(a) + "' ORDER BY id":                        "4|bob|phone\n5|bob|\n6||tablet\n",
			"SELECT person, events FROM fact_activity WHERE tenant = '" + string(a) + "' ORDER BY 1":                                 "bob|2\ntablet|1\n",
			"SELECT user_id FROM dim_user WHERE kind = 'product' AND tenant = '" + string(a) + "' ORDER BY 1":                        "bob\ntablet\n",
			"SELECT alias, user_id FROM dim_identity WHERE tenant = '" + string(a) + "'":                                             "phone|bob\n",
			"SELECT sum(events)::BIGINT FROM fact_session WHERE tenant = '" + string(a) + "'":                                        "3\n",
			"SELECT sum(quantity)::BIGINT FROM fact_usage WHERE metric = 'events' AND tenant = '" + string(a) + "'":                  "3\n",
			"SELECT sum(events)::BIGINT FROM dim_source WHERE tenant = '" + string(a) + "'":                                          "3\n",
			"SELECT sum(rows)::BIGINT FROM load_interval WHERE model = 'fact_event' AND tenant = '" + string(a) + "'":                "3\n",
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
	w.send(stream.Events, a, by("7", "ann", "", noon)) // somebody new of that name
	w.load()
	w.want("SELECT count(*) FROM fact_event WHERE user_id = 'ann' AND tenant = '"+string(a)+"'", "1\n")
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
