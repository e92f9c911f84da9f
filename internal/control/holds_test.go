package control_test

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// hold sets a hold that has to succeed.
func (w *world) hold(t *testing.T, slug, dataset string) control.Hold {
	t.Helper()
	h, err := w.UnscopedSetHold(t.Context(), admin, slug, dataset, "case 7 of the court")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestALegalHoldKeepsATenantFromBeingErased(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.lived(t, "acme"), w.lived(t, "other-one")
		h := w.hold(t, "acme", "")
		for _, c := range []control.Tenant{acme, other} {
			if _, err := w.UnscopedOffboard(ctx, one(admin), c.Slug, c.Slug); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.UnscopedHasten(ctx, one(second), "acme")
		wantKind(t, "hasten", err, fault.Conflict)
		w.hands.Pass(grace + time.Minute)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		w.wantErased(t, other)
		l, err := w.UnscopedLeaving(ctx, "acme")
		if err != nil || l.FinishedAt != nil || !strings.Contains(l.Held, "case 7") {
			t.Errorf("the offboarding: %+v, %v, want it to wait and say why", l, err)
		}
		if n := w.count(t, "tenant_keys", "tenant = $1 AND wrapped IS NOT NULL", string(acme.ID)); n != 2 {
			t.Errorf("keys: %d are left, want 2", n)
		}
		// What somebody wrote into the row does not end it.
		w.tamper(t, `UPDATE holds SET released_at = $1 WHERE id = $2`, meta.Micros(w.hands.Now()), h.ID)
		wantKind(t, "erase after the row was changed", w.EraseDue(ctx), fault.Damaged)
		if l, err := w.UnscopedLeaving(ctx, "acme"); err != nil || l.FinishedAt != nil || l.Held == "" {
			t.Errorf("the offboarding after the row was changed: %+v, %v", l, err)
		}
		var named []string
		if err := w.UnscopedVerify(ctx, func(f control.Finding) { named = append(named, f.Table+" "+f.ID) }); err != nil || len(named) != 1 || named[0] != "holds "+h.ID {
			t.Errorf("verify: %v, %v, want the hold", named, err)
		}
		w.tamper(t, `UPDATE holds SET released_at = NULL WHERE id = $1`, h.ID)
		if _, err := w.UnscopedReleaseHold(ctx, second, h.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.UnscopedReleaseHold(ctx, second, h.ID)
		wantKind(t, "release again", err, fault.Conflict)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		w.wantErased(t, acme)
		if n := w.count(t, "holds", "tenant = $1", string(acme.ID)); n != 0 {
			t.Errorf("holds left: %d", n)
		}
		_, err = w.UnscopedSetHold(ctx, admin, string(acme.ID), "", "too late")
		wantKind(t, "hold what is erased", err, fault.Conflict)
	})
}

func TestAHoldIsOfOneTenantAndItsDataset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.onboard(t, "acme"), w.onboard(t, "other-one")
		if _, err := w.db.Exec(ctx, `INSERT INTO datasets (id, version, created_at, created_by) VALUES ('sales', 1, 0, 'x')`); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			slug, dataset, reason string
			want                  fault.Kind
		}{
			"no tenant":  {"nobody", "", "why", fault.NotFound},
			"no dataset": {"acme", "sails", "why", fault.NotFound},
			"no reason":  {"acme", "sales", "  ", fault.Invalid},
		} {
			_, err := w.UnscopedSetHold(ctx, admin, c.slug, c.dataset, c.reason)
			wantKind(t, name, err, c.want)
		}
		h := w.hold(t, "acme", "sales")
		for what, c := range map[string]struct {
			id       tenant.ID
			datasets []string
			want     fault.Kind
		}{
			"its dataset":      {acme.ID, []string{"other", "sales"}, fault.Conflict},
			"anything of it":   {acme.ID, nil, fault.Conflict},
			"another dataset":  {acme.ID, []string{"other"}, ""},
			"another tenant's": {other.ID, []string{"sales"}, ""},
		} {
			wantKind(t, what, w.UnscopedHeld(ctx, w.db, c.id, c.datasets...), c.want)
		}
		var stored []byte
		if err := w.db.Unscoped().QueryRow(ctx, `SELECT reason FROM holds WHERE id = $1`, h.ID).Scan(&stored); err != nil || strings.Contains(string(stored), "court") {
			t.Errorf("the stored reason: %q, %v, want it sealed", stored, err)
		}
		own, _, err := w.Holds(ctx, w.scope(t, acme.ID), false, meta.Page{})
		if err != nil || len(own) != 1 || own[0].Reason != "case 7 of the court" || own[0].Dataset != "sales" {
			t.Errorf("to its tenant: %+v, %v", own, err)
		}
		if theirs, _, err := w.Holds(ctx, w.scope(t, other.ID), true, meta.Page{}); err != nil || len(theirs) != 0 {
			t.Errorf("to another tenant: %+v, %v", theirs, err)
		}
		if _, err := w.UnscopedReleaseHold(ctx, admin, h.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "after the release", w.UnscopedHeld(ctx, w.db, acme.ID), "")
		standing, _, err := w.UnscopedHolds(ctx, "", false, meta.Page{})
		if err != nil || len(standing) != 0 {
			t.Errorf("holds that stand: %+v, %v", standing, err)
		}
		all, _, err := w.UnscopedHolds(ctx, acme.ID, true, meta.Page{})
		if err != nil || len(all) != 1 || all[0].ReleasedBy != admin {
			t.Errorf("all holds: %+v, %v", all, err)
		}
		_, err = w.UnscopedReleaseHold(ctx, admin, "hld_0")
		wantKind(t, "release what is not there", err, fault.NotFound)
		// Both chains have both acts; the reason is in the tenant's own alone.
		for _, verb := range []string{"hold.set", "hold.release"} {
			for _, chain := range []tenant.ID{"", acme.ID} {
				if n := w.count(t, "audit_entries", "verb = $1 AND tenant = $2 AND subject = $3", verb, string(chain), h.ID); n != 1 {
					t.Errorf("%s in chain %q: %d entries, want 1", verb, chain, n)
				}
			}
		}
		provider := tenant.ID("")
		entries, _, err := w.Audit.UnscopedEntries(ctx, audit.Filter{Tenant: &provider, Verb: "hold.set"}, meta.Page{})
		if err != nil || len(entries) != 1 || entries[0].Details["reason"] != nil || entries[0].Details["dataset"] != "sales" {
			t.Errorf("the provider's entry: %+v, %v", entries, err)
		}
	})
}
