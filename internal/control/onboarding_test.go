package control_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/keys"
)

func steps(p control.Progress) string {
	var s []string
	for _, d := range p.Steps {
		s = append(s, d.Step+" "+d.State)
	}
	return p.State + ": " + strings.Join(s, ", ")
}

const wantSteps = "done: register done, keys done, activate done"

func (w *world) wantOnboarded(t *testing.T, slug string) control.Tenant {
	t.Helper()
	got, err := w.UnscopedTenant(t.Context(), slug)
	if err != nil {
		t.Fatalf("find %s: %v", slug, err)
	}
	if got.State != control.Active || !slices.Equal(got.ExternalIDs, []string{slug + "-x", slug + "-y"}) || got.OrganisationName != "Organisation of "+slug {
		t.Errorf("got %+v, want it active with its external ids in order and its organisation", got)
	}
	for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
		if _, err := w.ring.Encrypt(t.Context(), got.ID, p, []byte("a"), nil); err != nil {
			t.Errorf("%s key of %s: %v", p, slug, err)
		}
	}
	p, err := w.UnscopedSaga(t.Context(), slug, "onboard")
	if err != nil || steps(p) != wantSteps || p.FinishedAt == nil {
		t.Errorf("saga: got %s, %v, finished %v; want %s", steps(p), err, p.FinishedAt, wantSteps)
	}
	for _, chain := range []string{"", string(got.ID)} {
		if n := w.count(t, "audit_entries", "verb = 'tenant.create' AND tenant = $1 AND subject = $2", chain, string(got.ID)); n != 1 {
			t.Errorf("entries tenant.create in chain %q: got %d, want 1", chain, n)
		}
	}
	return got
}

// wantNothing checks that no row is left that a tenant's onboarding made, but the
// saga's own record and the audit log's.
func (w *world) wantNothing(t *testing.T) {
	t.Helper()
	for _, table := range []string{"tenants", "organisations", "external_ids", "tenant_keys"} {
		if n := w.count(t, table, "1 = 1"); n != 0 {
			t.Errorf("rows left in %s: got %d, want 0", table, n)
		}
	}
	if n := w.count(t, "audit_entries", "verb = 'tenant.create'"); n != 0 {
		t.Errorf("entries tenant.create: got %d, want 0", n)
	}
}

func TestOnboardingRecordsEveryStep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.onboard(t, "acme")
		got := w.wantOnboarded(t, "acme")
		if got.Tier != "basic" || got.Type != "PRODUCTION" || got.CreatedBy != admin || got.TimesModified != 0 || got.ClaimedAt != nil {
			t.Errorf("got %+v, want the defaults, made by %s, not changed, not claimed", got, admin)
		}
		byID, err := w.UnscopedTenant(t.Context(), string(got.ID))
		if err != nil || byID.Slug != "acme" {
			t.Errorf("by id: got %q, %v, want acme", byID.Slug, err)
		}
		again, err := w.UnscopedOnboard(t.Context(), admin, "", control.NewTenant{Slug: "acme-two", Name: "Two", Organisation: got.Organisation})
		if err != nil || again.Organisation != got.Organisation {
			t.Errorf("a second tenant of the organisation: got %q, %v, want %q", again.Organisation, err, got.Organisation)
		}
	})
}

func TestOnboardingRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	less := int64(-1)
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			what   string
			change func(*control.NewTenant)
		}{
			{"short slug", func(n *control.NewTenant) { n.Slug = "ab" }},
			{"slug with a dot", func(n *control.NewTenant) { n.Slug = "ac.me" }},
			{"no name", func(n *control.NewTenant) { n.Name = " " }},
			{"no organisation", func(n *control.NewTenant) { n.Organisation = "" }},
			{"control character", func(n *control.NewTenant) { n.Name = "a\x00b" }},
			{"tier", func(n *control.NewTenant) { n.Tier = "gold" }},
			{"type", func(n *control.NewTenant) { n.Type = "production" }},
			{"revenue", func(n *control.NewTenant) { n.Revenue = &less }},
			{"employees", func(n *control.NewTenant) { n.Employees = &less }},
			{"external id with spaces", func(n *control.NewTenant) { n.ExternalIDs = []string{" x"} }},
			{"empty external id", func(n *control.NewTenant) { n.ExternalIDs = []string{""} }},
		} {
			n := request("acme")
			c.change(&n)
			_, err := w.UnscopedOnboard(t.Context(), admin, "", n)
			wantKind(t, c.what, err, fault.Invalid)
		}
		w.wantNothing(t)

		w.onboard(t, "acme")
		taken := request("acme")
		taken.ExternalIDs, taken.Organisation = nil, "Somebody new"
		_, err := w.UnscopedOnboard(t.Context(), admin, "", taken)
		wantKind(t, "taken slug", err, fault.Conflict)
		taken = request("acme-two")
		taken.ExternalIDs, taken.Organisation = []string{"new", "acme-y"}, "Somebody new"
		_, err = w.UnscopedOnboard(t.Context(), admin, "", taken)
		wantKind(t, "taken external id", err, fault.Conflict)
		if n := w.count(t, "organisations", "name = 'Somebody new'"); n != 0 {
			t.Errorf("organisations of refused tenants: got %d, want 0", n)
		}
		_, err = w.UnscopedTenant(t.Context(), "acme-two")
		wantKind(t, "the refused tenant", err, fault.NotFound)
	})
}

var errBroken = fault.New(fault.Unavailable, "The key service does not answer.")

func TestAFailedOnboardingIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"begin", "keys", "activate"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				w.FailAt(step, errBroken)
				_, err := w.UnscopedOnboard(t.Context(), admin, "key 1", request("acme"))
				wantKind(t, "onboard", err, fault.Unavailable)
				w.wantNothing(t)
				if step != "begin" {
					if n := w.count(t, "sagas", "state = 'compensated' AND error = $1 AND finished_at IS NOT NULL", fault.Message(errBroken)); n != 1 {
						t.Errorf("sagas compensated with the reason: got %d, want 1", n)
					}
					if n := w.count(t, "saga_steps", "state = 'done'"); n != 0 {
						t.Errorf("steps still done: got %d, want 0", n)
					}
					if n := w.count(t, "audit_entries", "verb = 'organisation.create' AND outcome = 'taken back'"); n != 1 {
						t.Errorf("organisation taken back: got %d audit entries, want 1", n)
					}
				}
				w.FailAt("none", nil)
				if _, err := w.UnscopedOnboard(t.Context(), admin, "key 1", request("acme")); err != nil {
					t.Errorf("the same request again: %v", err)
				}
				w.wantOnboarded(t, "acme")
			})
		})
	}
}

// An organisation that was there before, or that somebody else uses by now, stays.
func TestTakingBackLeavesOthersOrganisations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		first := w.onboard(t, "acme")
		w.FailAt("activate", errBroken)
		n := control.NewTenant{Slug: "acme-two", Name: "Two", Organisation: first.OrganisationName}
		_, err := w.UnscopedOnboard(t.Context(), admin, "", n)
		wantKind(t, "onboard", err, fault.Unavailable)
		if _, err := w.UnscopedOrganisation(t.Context(), first.Organisation); err != nil {
			t.Errorf("the organisation from before: %v", err)
		}

		w.FailAt("keys", control.ErrCrash)
		n.Organisation, n.Slug = "Fresh", "fresh-one"
		if _, err := w.UnscopedOnboard(t.Context(), admin, "", n); !errors.Is(err, control.ErrCrash) {
			t.Fatalf("onboard: got %v, want the crash", err)
		}
		w = w.restart(t)
		n.Slug = "fresh-two"
		if _, err := w.UnscopedOnboard(t.Context(), admin, "", n); err != nil {
			t.Fatal(err)
		}
		w.FailAt("keys", errBroken)
		if err := w.ResumeDue(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("resume: got %v, want the reason that it was taken back", err)
		}
		got, err := w.UnscopedTenant(t.Context(), "fresh-two")
		if err != nil || got.OrganisationName != "Fresh" {
			t.Errorf("the other tenant: got %q, %v, want its organisation kept", got.OrganisationName, err)
		}
		_, err = w.UnscopedTenant(t.Context(), "fresh-one")
		wantKind(t, "the one taken back", err, fault.NotFound)
	})
}

func TestACrashedOnboardingGoesOn(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"keys", "activate"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				w.FailAt(step, control.ErrCrash)
				if _, err := w.UnscopedOnboard(t.Context(), admin, "key 1", request("acme")); !errors.Is(err, control.ErrCrash) {
					t.Fatalf("onboard: got %v, want the crash", err)
				}
				got, err := w.UnscopedTenant(t.Context(), "acme")
				if err != nil || got.State != control.Onboarding {
					t.Fatalf("before it goes on: got %q, %v, want onboarding", got.State, err)
				}
				n := w.restart(t)
				for range 2 {
					if err := n.ResumeDue(t.Context()); err != nil {
						t.Fatalf("resume: %v", err)
					}
				}
				n.wantOnboarded(t, "acme")
				again, err := n.UnscopedOnboard(t.Context(), admin, "key 1", request("acme"))
				if err != nil || again.ID != got.ID {
					t.Errorf("the same request: got %q, %v, want %q", again.ID, err, got.ID)
				}
			})
		})
	}
}

// The caller may be faster than the round.
func TestARepeatedRequestCarriesOnAfterACrash(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.FailAt("keys", control.ErrCrash)
		if _, err := w.UnscopedOnboard(t.Context(), admin, "key 1", request("acme")); !errors.Is(err, control.ErrCrash) {
			t.Fatalf("onboard: got %v, want the crash", err)
		}
		n := w.restart(t)
		if _, err := n.UnscopedOnboard(t.Context(), admin, "key 1", request("acme")); err != nil {
			t.Fatal(err)
		}
		n.wantOnboarded(t, "acme")
	})
}

func TestACrashWhileTakingBackGoesOnTakingBack(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"undo keys", "undo register"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				w.FailAt("activate", control.ErrCrash)
				if _, err := w.UnscopedOnboard(t.Context(), admin, "", request("acme")); !errors.Is(err, control.ErrCrash) {
					t.Fatalf("onboard: got %v, want the crash", err)
				}
				w = w.restart(t)
				w.FailAt("activate", errBroken, step, control.ErrCrash)
				if err := w.ResumeDue(t.Context()); !errors.Is(err, control.ErrCrash) {
					t.Fatalf("resume: got %v, want the crash", err)
				}
				if n := w.count(t, "sagas", "state = 'compensating'"); n != 1 {
					t.Fatalf("sagas being taken back: got %d, want 1", n)
				}
				w = w.restart(t)
				if err := w.ResumeDue(t.Context()); err != nil {
					t.Fatalf("resume: %v", err)
				}
				w.wantNothing(t)
			})
		})
	}
}

func TestAnIdempotencyKeyMakesOneTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		first, err := w.UnscopedOnboard(ctx, admin, "key 1", request("acme"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.UnscopedOnboard(ctx, admin, "key 1", request("acme"))
		if err != nil || again.ID != first.ID {
			t.Errorf("the same request: got %q, %v, want %q", again.ID, err, first.ID)
		}
		_, err = w.UnscopedOnboard(ctx, admin, "key 1", request("other-one"))
		wantKind(t, "another request", err, fault.Conflict)
		if _, err := w.UnscopedOnboard(ctx, second, "key 1", request("other-one")); err != nil {
			t.Errorf("another admin's key of the same name: %v", err)
		}
	})
}

func TestOnboardingAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const concurrency = 8
		at := func(f func(i int) error) (errs []error) {
			var all sync.WaitGroup
			errs = make([]error, concurrency)
			for i := range concurrency {
				all.Go(func() { errs[i] = f(i) })
			}
			all.Wait()
			return errs
		}
		// Different tenants of one organisation, which the first of them makes.
		for i, err := range at(func(i int) error {
			n := request(fmt.Sprintf("tenant-%d", i))
			n.Organisation = "One for all"
			_, err := w.UnscopedOnboard(t.Context(), admin, "", n)
			return err
		}) {
			if err != nil {
				t.Errorf("tenant %d: %v", i, err)
			}
		}
		if n := w.count(t, "organisations", "1 = 1"); n != 1 {
			t.Errorf("organisations: got %d, want 1", n)
		}
		if n := w.count(t, "tenants", "state = 'active'"); n != concurrency {
			t.Errorf("active tenants: got %d, want %d", n, concurrency)
		}
		// One request, sent by all of them: one makes it, the others get it or are told
		// to ask again.
		for i, err := range at(func(int) error {
			_, err := w.UnscopedOnboard(t.Context(), admin, "key 1", request("acme"))
			return err
		}) {
			if err != nil && !fault.Is(err, fault.Conflict) {
				t.Errorf("request %d: %v", i, err)
			}
		}
		w.wantOnboarded(t, "acme")
		if n := w.count(t, "sagas", "state <> 'done'"); n != 0 {
			t.Errorf("unfinished sagas: got %d, want 0", n)
		}
	})
}

func TestAddressListsAreKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := request("acme")
		n.IPAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
		got, err := w.UnscopedOnboard(t.Context(), admin, "", n)
		if err != nil || !slices.Equal(got.IPAllow, n.IPAllow) {
			t.Errorf("got %v, %v, want %v", got.IPAllow, err, n.IPAllow)
		}
	})
}
