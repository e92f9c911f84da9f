package events_test

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

func TestSourcesAreTheirOwners(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		mine, key := w.source(w.admin(a.ID), events.NewSource{Name: " shop ", Strict: true})
		if mine.Name != "shop" || !mine.Strict || mine.Tenant != a.ID || !strings.HasSuffix(key, mine.Hint) || mine.Hint == "" {
			t.Errorf("got %+v, want a strict source shop of acme's", mine)
		}
		theirs, _ := w.source(provider, events.NewSource{TenantField: "subject"})
		for name, o := range map[string]tenant.Owner{"bolt": w.admin(b.ID), "the provider": provider} {
			_, err := w.ShowSource(ctx, o, mine.ID)
			wantKind(t, name+" shows acme's", err, fault.NotFound)
			_, err = w.RevokeSource(ctx, o, mine.ID)
			wantKind(t, name+" revokes acme's", err, fault.NotFound)
			list, _, err := w.Sources(ctx, o, page)
			if err != nil || len(list) > 0 && list[0].ID == mine.ID {
				t.Errorf("%s: got %+v, %v, want no source of acme's", name, list, err)
			}
		}
		_, err := w.ShowSource(ctx, w.admin(a.ID), theirs.ID)
		wantKind(t, "acme shows the provider's", err, fault.NotFound)
		_, _, err = w.CreateSource(ctx, tenant.OwnerOf(w.scope(a.ID, policy.TenantUser)), events.NewSource{Name: "x"})
		wantKind(t, "a tenant user", err, fault.Denied)
		_, _, err = w.CreateSource(ctx, tenant.Owner{}, events.NewSource{Name: "x"})
		wantKind(t, "nobody", err, fault.Denied)
		for _, n := range []events.NewSource{{}, {Name: strings.Repeat("a", 101)}, {Name: "x", TenantField: "subject"}} {
			_, _, err = w.CreateSource(ctx, w.admin(a.ID), n)
			wantKind(t, "a bad one", err, fault.Invalid)
		}
		for _, field := range []string{"", "tenant", "data", "context.", "data..a", "context.a\nb", "id"} {
			_, _, err = w.CreateSource(ctx, provider, events.NewSource{Name: "x", TenantField: field})
			wantKind(t, "the field "+field, err, fault.Invalid)
		}
	})
}

func TestKeysEndAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, key := w.source(w.admin(a.ID), events.NewSource{})
		for _, bad := range []string{"", "trw_", "trw_" + strings.Repeat("0", 52), key + "0", "trk_" + key[4:], strings.ToUpper(key), "trw_" + strings.Repeat("x", 1000)} {
			_, err := w.Source(ctx, bad)
			wantKind(t, "the key "+bad, err, fault.Unauthenticated)
			if source, owner := events.Refused(err); source+string(owner) != "" {
				t.Errorf("the key %s: got %q of %q, want nobody's", bad, source, owner)
			}
		}
		if _, err := w.RevokeSource(ctx, w.admin(a.ID), s.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.Source(ctx, key)
		wantKind(t, "a revoked key", err, fault.Unauthenticated)
		if source, owner := events.Refused(err); source != s.ID || owner != a.ID {
			t.Errorf("a revoked key: got %q of %q, want it known whose it was", source, owner)
		}
		_, err = w.Take(ctx, s, events.Batch{Received: []events.Incoming{{Event: login("1")}}})
		wantKind(t, "a request under way", err, fault.Unauthenticated)
		if again, err := w.RevokeSource(ctx, w.admin(a.ID), s.ID); err != nil || again.RevokedAt == nil {
			t.Errorf("revoking twice: got %+v, %v", again, err)
		}
		w.again()
		_, err = w.Source(ctx, key)
		wantKind(t, "a revoked key after a restart", err, fault.Unauthenticated)
	})
}

func TestSourcesEndWithTheKeyThatMadeThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		id := clock.Clock{}.ID("key")
		scope, err := w.Policy.Scope(ctx, policy.Principal{Credential: id, Kind: policy.APIKey, Tenant: a.ID, Role: policy.TenantAdmin, VerifiedAt: w.hands.Now()})
		if err != nil {
			t.Fatal(err)
		}
		_, key := w.source(tenant.OwnerOf(scope), events.NewSource{})
		w.made.mu.Lock()
		w.made.ended[id] = true
		w.made.mu.Unlock()
		w.hands.Pass(time.Second)
		_, err = w.Source(ctx, key)
		wantKind(t, "a source whose maker has ended", err, fault.Unauthenticated)
	})
}

func TestBlockedTenantsSendNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, key := w.source(w.admin(a.ID), events.NewSource{})
		if _, err := w.control.UnscopedSuspend(ctx, "usr_staff", string(a.ID), "unpaid"); err != nil {
			t.Fatal(err)
		}
		_, err := w.Take(ctx, s, events.Batch{Received: []events.Incoming{{Event: login("1")}}})
		wantKind(t, "a request under way", err, fault.Denied)
		w.hands.Pass(time.Second)
		_, err = w.Source(ctx, key)
		wantKind(t, "its key", err, fault.Denied)
	})
}

// A row that somebody else wrote grants nothing.
func TestForgedSourcesGrantNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		s, key := w.source(w.admin(a.ID), events.NewSource{Strict: true})
		for what, set := range map[string]string{"its tenant": `tenant = '` + string(b.ID) + `'`, "its strictness": `strict = 0`, "its field": `tenant_field = 'subject'`} {
			err := w.DB.Transact(ctx, func(tx *meta.DB) error {
				if _, err := tx.Unscoped().Exec(ctx, `UPDATE event_sources SET `+set+` WHERE id = $1`, s.ID); err != nil {
					return err
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			w.hands.Pass(time.Second)
			_, err = w.Source(ctx, key)
			wantKind(t, what, err, fault.Damaged)
			if _, err := w.DB.Unscoped().Exec(ctx, `UPDATE event_sources SET tenant = $1, strict = 1, tenant_field = '' WHERE id = $2`, string(a.ID), s.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.hands.Pass(time.Second)
		if _, err := w.Source(ctx, key); err != nil {
			t.Errorf("got %v, want the source as it was", err)
		}
	})
}

func TestErasureLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		s, _ := w.source(w.admin(a.ID), events.NewSource{Strict: true})
		of, _ := w.source(provider, events.NewSource{TenantField: "subject", Strict: true})
		kept, _ := w.source(w.admin(b.ID), events.NewSource{})
		e := login("1")
		e.Subject = "acme"
		w.take(s, login("1"))
		w.take(of, e)
		w.take(kept, login("1"))
		if err := w.Sequencer.Save(ctx); err != nil {
			t.Fatal(err)
		}
		_, n, err := w.EraseTenant(ctx, a.ID)
		if err != nil || n != 3 { // the source, and two events: of a strict source, without a plan
			t.Errorf("got %d rows, %v, want 3", n, err)
		}
		held, _, err := w.Quarantine(ctx, provider, events.HeldFilter{}, page)
		if err != nil || len(held) != 0 {
			t.Errorf("got %+v, %v, want nothing of acme's in the provider's quarantine", held, err)
		}
		if list, _, err := w.Sources(ctx, w.admin(b.ID), page); err != nil || len(list) != 1 {
			t.Errorf("got %d sources of bolt's, %v, want 1", len(list), err)
		}
		if _, _, err := w.EraseTenant(ctx, tenant.ID("")); err == nil {
			t.Error("got the provider erased, want an error")
		}
	})
}
