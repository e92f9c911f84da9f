package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// eraser is a store of which erasing is watched.
type eraser func(ctx context.Context, id tenant.ID) error

func (e eraser) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	return "watched", 0, e(ctx, id)
}

func TestATenantThatIsKeptWhileAnotherIsErasedStays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		two := []control.Tenant{w.lived(t, "acme"), w.lived(t, "other-one")}
		for _, v := range two {
			if _, err := w.UnscopedOffboard(ctx, one(admin), v.Slug, v.Slug); err != nil {
				t.Fatal(err)
			}
		}
		w.hands.Pass(grace)
		var erased []tenant.ID
		w.SetErasers(control.NamedEraser{Store: "watched", Eraser: eraser(func(ctx context.Context, id tenant.ID) error {
			if erased = append(erased, id); len(erased) > 1 {
				return nil
			}
			for _, v := range two {
				if v.ID != id {
					_, err := w.UnscopedKeep(ctx, admin, v.Slug)
					return err
				}
			}
			return nil
		})})
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		if len(erased) != 1 {
			t.Fatalf("erased: got %v, want one", erased)
		}
		for _, v := range two {
			if v.ID == erased[0] {
				continue
			}
			if n := w.count(t, "tenant_keys", "tenant = $1 AND wrapped IS NOT NULL", string(v.ID)); n != 2 {
				t.Errorf("wrapped keys of the kept tenant: got %d, want 2", n)
			}
			if _, err := w.UnscopedActivate(ctx, admin, v.Slug); err != nil {
				t.Errorf("activate the kept tenant: %v", err)
			}
		}
	})
}

func TestOneErasureThatFailsKeepsNoOtherBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, slug := range []string{"acme", "other-one"} {
			w.onboard(t, slug)
			if _, err := w.UnscopedOffboard(ctx, one(admin), slug, slug); err != nil {
				t.Fatal(err)
			}
		}
		w.hands.Pass(grace)
		broken := fault.New(fault.Unavailable, "The store is away.")
		seen := 0
		w.SetErasers(control.NamedEraser{Store: "watched", Eraser: eraser(func(context.Context, tenant.ID) error {
			if seen++; seen == 1 {
				return broken
			}
			return nil
		})})
		if err := w.EraseDue(ctx); !errors.Is(err, broken) {
			t.Errorf("erase: got %v, want %v", err, broken)
		}
		if n := w.count(t, "offboardings", "finished_at IS NOT NULL"); n != 1 {
			t.Errorf("finished: got %d, want the one whose stores work", n)
		}
	})
}

// A receipt says that the bytes are gone, so they have to be.
func TestTheReceiptComesAfterTheDatabaseIsCompacted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.lived(t, "acme")
		if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(grace)
		busy := fault.New(fault.Unavailable, "The control database is being read.")
		w.FailAt("compact", busy)
		if err := w.EraseDue(ctx); !errors.Is(err, busy) {
			t.Fatalf("erase: got %v, want %v", err, busy)
		}
		if n := w.count(t, "tenant_keys", "tenant = $1 AND wrapped IS NOT NULL", string(acme.ID)); n != 0 {
			t.Errorf("wrapped keys: got %d, want 0", n)
		}
		for range 2 { // as often as it takes
			l, err := w.UnscopedLeaving(ctx, string(acme.ID))
			if err != nil || l.FinishedAt != nil || l.Receipt != nil || l.Signature != nil {
				t.Errorf("before the database is compacted: got %+v, %v, want no receipt", l, err)
			}
			if err := w.ResumeDue(ctx); !errors.Is(err, busy) {
				t.Errorf("resume: got %v, want %v", err, busy)
			}
		}
		n := w.restart(t)
		if err := n.ResumeDue(ctx); err != nil {
			t.Fatal(err)
		}
		r := n.wantErased(t, acme)
		if got := fmt.Sprint(r.Stores); !bytes.Contains([]byte(got), []byte("database")) {
			t.Errorf("stores: got %s, want the database among them", got)
		}
	})
}

func TestErasureLeavesNothingReadableOfATenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		revenue, employees := int64(987654321), int64(7654321)
		n := request("acme")
		n.Industry, n.Revenue = "Tanneries", &revenue
		acme, err := w.UnscopedOnboard(ctx, admin, "onboard acme", n)
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{"acme-z"}
		if _, err := w.UnscopedUpdate(ctx, admin, "acme", control.Patch{ExternalIDs: &ids, Employees: &employees}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UnscopedSuspend(ctx, admin, "acme", "Acme does not pay"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.accounts.UnscopedCreateUser(ctx, admin, acme.ID, account.NewUser{Email: "somebody@example.com", Name: "Some Body", Role: policy.TenantAdmin}); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"tenant.create", "tenant.update"} { // what its own admins can read
			found, _, err := w.Audit.Entries(ctx, w.activated(t, acme), audit.Filter{Verb: verb}, meta.Page{})
			if err != nil || len(found) != 1 || len(found[0].Details) == 0 {
				t.Errorf("%s in the tenant's chain: got %+v, %v, want one with details", verb, found, err)
			}
		}
		if _, err := w.UnscopedOffboard(ctx, one(admin), "acme", "acme"); err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(grace)
		if err := w.EraseDue(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, "sagas", "idempotency_key LIKE '%acme%'"); n != 0 {
			t.Errorf("idempotency keys: got %d that name the tenant, want 0", n)
		}
		for what, query := range map[string]string{
			"sagas":                `SELECT request FROM sagas WHERE kind = 'onboard'`,
			"the provider's chain": `SELECT details FROM audit_entries WHERE tenant = '' AND verb NOT LIKE 'organisation.%'`,
		} {
			rows, err := w.db.Unscoped().Query(ctx, query)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var raw []byte
				if err := rows.Scan(&raw); err != nil {
					t.Fatal(err)
				}
				for _, word := range []string{"acme", "Acme", "Tanneries", "987654321", "7654321", "somebody", "Some Body"} {
					if bytes.Contains(raw, []byte(word)) {
						t.Errorf("%s: got %q, want nothing of %q in it", what, raw, word)
					}
				}
			}
			rows.Close()
		}
	})
}

// activated activates a suspended tenant and returns a scope of its admin.
func (w *world) activated(t *testing.T, v control.Tenant) tenant.Scope {
	t.Helper()
	if got, err := w.UnscopedTenant(t.Context(), string(v.ID)); err != nil || got.State != control.Suspended {
		return w.scope(t, v.ID)
	}
	if _, err := w.UnscopedActivate(t.Context(), admin, v.Slug); err != nil {
		t.Fatal(err)
	}
	return w.scope(t, v.ID)
}

func TestPolicyLearnsOfStatesInTheOrderOfTheirCommits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.onboard(t, "acme")
		activated := make(chan error, 1)
		err := w.SuspendAnd(ctx, "acme", func() {
			go func() {
				_, err := w.UnscopedActivate(ctx, admin, "acme")
				activated <- err
			}()
			select { // it must not get through now; if it does, it is waited for
			case err := <-activated:
				activated <- err
			case <-time.After(300 * time.Millisecond):
			}
		})
		if err := errors.Join(err, <-activated); err != nil {
			t.Fatal(err)
		}
		got, err := w.UnscopedTenant(ctx, "acme")
		if err != nil || got.State != control.Active {
			t.Fatalf("the tenant: got %q, %v, want active", got.State, err)
		}
		if _, err := w.policy.Scope(ctx, principal(acme.ID, w)); err != nil {
			t.Errorf("a scope of an active tenant: got %v, want one", err)
		}
	})
}
