package control_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const grace = 30 * 24 * time.Hour

// one is an admin with a session.
func one(user string) control.Admin { return control.Admin{Actor: user, Person: user} }

// lived is a tenant with a person, a key and a file.
func (w *world) lived(t *testing.T, slug string) control.Tenant {
	t.Helper()
	ctx := t.Context()
	got := w.onboard(t, slug)
	if _, err := w.accounts.UnscopedCreateUser(ctx, admin, got.ID, account.NewUser{Email: "a@example.com", Role: policy.TenantAdmin}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.accounts.UnscopedCreateAPIKey(ctx, admin, got.ID, account.NewAPIKey{Role: policy.TenantUser}); err != nil {
		t.Fatal(err)
	}
	scope := w.scope(t, got.ID)
	f, err := w.vault.Create(ctx, scope, vault.Input, vault.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("canary")); err != nil {
		t.Fatal(err)
	}
	o, err := f.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Transact(ctx, func(tx *meta.DB) error { return w.vault.Insert(ctx, tx, scope, o) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// wantErased checks that only the tombstone is left, and the receipt.
func (w *world) wantErased(t *testing.T, before control.Tenant) control.Receipt {
	t.Helper()
	ctx := t.Context()
	got, err := w.UnscopedTenant(ctx, string(before.ID))
	if err != nil || got.State != control.Erased || got.Name != "" || got.Industry != "" || len(got.ExternalIDs) != 0 || strings.Contains(got.Slug, before.Slug) {
		t.Errorf("tombstone: got %+v, %v, want an erased row with nothing in it", got, err)
	}
	for _, table := range []string{"users", "api_keys", "sessions", "ssh_keys", "vault_objects", "external_ids"} {
		if n := w.count(t, table, "tenant = $1", string(before.ID)); n != 0 {
			t.Errorf("rows left in %s: got %d, want 0", table, n)
		}
	}
	if n := w.count(t, "tenant_keys", "tenant = $1 AND wrapped IS NOT NULL", string(before.ID)); n != 0 {
		t.Errorf("wrapped keys left: got %d, want 0", n)
	}
	for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
		_, err := w.ring.Encrypt(ctx, before.ID, p, []byte("a"), nil)
		wantKind(t, "encrypt with the "+string(p)+" key", err, fault.NotFound)
	}
	if _, err := w.policy.Scope(ctx, principal(before.ID, w)); !fault.Is(err, fault.Denied) {
		t.Errorf("a scope: got %v, want denied", err)
	}
	l, err := w.UnscopedLeaving(ctx, string(before.ID))
	if err != nil || l.FinishedAt == nil {
		t.Fatalf("got %+v, %v, want it finished", l, err)
	}
	if !ed25519.Verify(w.ring.PublicKey(), l.Receipt, l.Signature) {
		t.Errorf("the receipt's signature does not verify: %s", l.Receipt)
	}
	var r control.Receipt
	if err := json.Unmarshal(l.Receipt, &r); err != nil {
		t.Fatal(err)
	}
	if r.Statement != "tributary erasure v1" || r.Tenant != before.ID || r.Slug != before.Slug || !r.Requested.Equal(l.RequestedAt) || !r.Erased.Equal(*l.FinishedAt) {
		t.Errorf("receipt: got %+v, want what was erased and when", r)
	}
	if n := w.count(t, "audit_entries", "verb = 'tenant.erase' AND tenant = '' AND subject = $1", string(before.ID)); n != 1 {
		t.Errorf("entries tenant.erase: got %d, want 1", n)
	}
	return r
}

func TestOffboardingErasesAfterTheGrace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.lived(t, "acme"), w.lived(t, "other-one")
		scope := w.scope(t, acme.ID)
		_, err := w.UnscopedLeaving(ctx, "acme")
		wantKind(t, "offboarding that nobody asked for", err, fault.NotFound)
		_, err = w.UnscopedOffboard(ctx, one(admin), "acme", "Acme")
		wantKind(t, "a wrong confirmation", err, fault.Invalid)
		wantKind(t, "a scope after a wrong confirmation", scope.Check(ctx, tenant.Read, tenant.VaultInput), "")

		l, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme")
		if err != nil || !l.EraseAfter.Equal(w.hands.Now().Add(grace)) || l.RequestedBy != admin {
			t.Fatalf("got %+v, %v, want 30 days of grace", l, err)
		}
		wantKind(t, "a scope from before", scope.Check(ctx, tenant.Read, tenant.VaultInput), fault.Unauthenticated)
		_, err = w.UnscopedOffboard(ctx, one(admin), "acme", "acme")
		wantKind(t, "offboard again", err, fault.Conflict)
		_, err = w.UnscopedActivate(ctx, admin, "acme")
		wantKind(t, "activate", err, fault.Conflict)
		if err := w.Exported(ctx, w.scope(t, acme.ID)); err != nil {
			t.Errorf("export: %v", err)
		}
		if l, err = w.UnscopedLeaving(ctx, "acme"); err != nil || l.ExportedAt == nil {
			t.Errorf("exported: got %v, %v, want when", l.ExportedAt, err)
		}

		w.hands.Pass(grace - time.Second)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := w.UnscopedTenant(ctx, "acme"); err != nil || got.State != control.Offboarding {
			t.Fatalf("before the grace has passed: got %q, %v, want offboarding", got.State, err)
		}
		w.hands.Pass(time.Second)
		for range 2 {
			if err := w.EraseDue(ctx); err != nil {
				t.Fatal(err)
			}
		}
		r := w.wantErased(t, acme)
		var stores []string
		for _, s := range r.Stores {
			stores = append(stores, fmt.Sprint(s.Store, " ", s.Count))
			if s.Method == "" {
				t.Errorf("%s: the receipt does not say how it was erased", s.Store)
			}
		}
		if got, want := strings.Join(stores, ", "), "keys 2, vault 1, accounts 2"; !strings.HasPrefix(got, want) || len(stores) != 6 || stores[4] != "tenant 3" || stores[5] != "database 0" {
			t.Errorf("stores: got %v, want %s, audit, tenant 3 and database", stores, want)
		}

		_, err = w.UnscopedTenant(ctx, "acme")
		wantKind(t, "the freed slug", err, fault.NotFound)
		again := w.onboard(t, "acme")
		if again.ID == acme.ID {
			t.Errorf("the slug's next tenant has the id of the erased one")
		}
		if n := w.count(t, "vault_objects", "tenant = $1", string(other.ID)); n != 1 {
			t.Errorf("another tenant's objects: got %d, want 1", n)
		}
		_, err = w.UnscopedUpdate(ctx, admin, string(acme.ID), control.Patch{})
		wantKind(t, "change the erased tenant", err, fault.Conflict)
		_, err = w.UnscopedKeep(ctx, admin, string(acme.ID))
		wantKind(t, "keep the erased tenant", err, fault.Conflict)
	})
}

func TestASecondAdminShortensTheGrace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.onboard(t, "acme")
		_, err := w.UnscopedHasten(ctx, one(second), "acme")
		wantKind(t, "hasten what nobody asked for", err, fault.NotFound)
		if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
			t.Fatal(err)
		}
		_, err = w.UnscopedHasten(ctx, one(admin), "acme")
		wantKind(t, "hasten by who asked for it", err, fault.Denied)
		_, err = w.UnscopedHasten(ctx, control.Admin{Actor: "key_of_admin", Person: admin}, "acme")
		wantKind(t, "hasten by an API key of who asked for it", err, fault.Denied)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, "sagas", "kind = 'offboard'"); n != 0 {
			t.Fatalf("erasures begun: got %d, want 0", n)
		}
		l, err := w.UnscopedHasten(ctx, one(second), "acme")
		if err != nil || !l.EraseAfter.Equal(w.hands.Now()) || l.HastenedBy != second {
			t.Fatalf("got %+v, %v, want it due now", l, err)
		}
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		w.wantErased(t, acme)
	})
}

func TestAnOffboardingIsTakenBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.onboard(t, "acme")
		_, err := w.UnscopedKeep(ctx, admin, "acme")
		wantKind(t, "keep an active tenant", err, fault.Conflict)
		// A suspended tenant has to be let in for its export.
		if _, err := w.UnscopedSuspend(ctx, admin, "acme", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
			t.Fatal(err)
		}
		scope := w.scope(t, acme.ID)
		got, err := w.UnscopedKeep(ctx, admin, "acme")
		if err != nil || got.State != control.Suspended {
			t.Fatalf("got %q, %v, want suspended", got.State, err)
		}
		wantKind(t, "a scope from the grace", scope.Check(ctx, tenant.Read, tenant.VaultInput), fault.Denied)
		if _, err := w.UnscopedActivate(ctx, admin, "acme"); err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(2 * grace)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := w.UnscopedTenant(ctx, "acme"); err != nil || got.State != control.Active {
			t.Errorf("after the grace: got %q, %v, want active", got.State, err)
		}
		if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
			t.Errorf("offboard again, later: %v", err)
		}
	})
}

// Erasure is never taken back: whatever stops it, it goes on from there.
func TestAStoppedErasureGoesOn(t *testing.T) {
	t.Parallel()
	for step, cause := range map[string]error{
		"keys": control.ErrCrash, "vault": control.ErrCrash, "accounts": errBroken, "audit": control.ErrCrash, "tenant": control.ErrCrash,
		"compact": control.ErrCrash, "receipt": errBroken,
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				ctx := t.Context()
				acme := w.lived(t, "acme")
				if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
					t.Fatal(err)
				}
				w.hands.Pass(grace)
				w.FailAt(step, cause)
				if err := w.EraseDue(ctx); !errors.Is(err, cause) {
					t.Fatalf("erase: got %v, want %v", err, cause)
				}
				_, err := w.UnscopedKeep(ctx, admin, string(acme.ID))
				wantKind(t, "keep what is half erased", err, fault.Conflict)
				n := w.restart(t)
				if err := n.EraseDue(ctx); err != nil { // leaves it to ResumeDue
					t.Fatal(err)
				}
				for range 2 {
					if err := n.ResumeDue(ctx); err != nil {
						t.Fatalf("resume: %v", err)
					}
				}
				n.wantErased(t, acme)
				if n := n.count(t, "sagas", "kind = 'offboard' AND state = 'done'"); n != 1 {
					t.Errorf("erasures done: got %d, want 1", n)
				}
			})
		})
	}
}
