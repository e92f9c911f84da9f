package control_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

func TestTenantsAreUpdated(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.onboard(t, "acme")
		w.onboard(t, "other-one")
		w.hands.Pass(time.Hour)
		name, tier, kind, industry := "Acme AG", tenant.Premium, "POC", "retail"
		revenue, employees := int64(5_000_000), int64(42)
		ids, allow := []string{"z", "acme-x"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		if _, err := w.UnscopedUpdate(ctx, second, "acme", control.Patch{Name: &name, Tier: &tier, Type: &kind, Industry: &industry,
			Revenue: &revenue, Employees: &employees, ExternalIDs: &ids, IPAllow: &allow}); err != nil {
			t.Fatal(err)
		}
		got, err := w.UnscopedTenant(ctx, "acme")
		if err != nil || got.Name != name || got.Tier != tier || got.Type != kind || got.Industry != industry || *got.Revenue != revenue ||
			*got.Employees != employees || !slices.Equal(got.ExternalIDs, ids) || !slices.Equal(got.IPAllow, allow) {
			t.Errorf("got %+v, %v, want every field changed", got, err)
		}
		if got.ModifiedBy != second || !got.ModifiedAt.Equal(w.hands.Now()) || got.TimesModified != 1 || got.CreatedBy != admin || !got.CreatedAt.Equal(acme.CreatedAt) {
			t.Errorf("made: got %+v, want it changed once, now, by the second admin", got.Made)
		}
		for _, chain := range []string{"", string(acme.ID)} {
			if n := w.count(t, "audit_entries", "verb = 'tenant.update' AND tenant = $1 AND actor = $2", chain, second); n != 1 {
				t.Errorf("entries tenant.update in chain %q: got %d, want 1", chain, n)
			}
		}

		badTier, badType, noName, less, taken := tenant.Tier("gold"), "DEMO", "", int64(-1), []string{"mine", "other-one-x"}
		for _, c := range []struct {
			what string
			p    control.Patch
			want fault.Kind
		}{
			{"tier", control.Patch{Tier: &badTier}, fault.Invalid},
			{"type", control.Patch{Type: &badType}, fault.Invalid},
			{"name", control.Patch{Name: &noName}, fault.Invalid},
			{"revenue", control.Patch{Revenue: &less}, fault.Invalid},
			{"employees", control.Patch{Employees: &less}, fault.Invalid},
			{"external id of another tenant", control.Patch{ExternalIDs: &taken}, fault.Conflict},
		} {
			_, err := w.UnscopedUpdate(ctx, second, "acme", c.p)
			wantKind(t, c.what, err, c.want)
		}
		after, err := w.UnscopedTenant(ctx, "acme")
		if err != nil || after.TimesModified != 1 || !slices.Equal(after.ExternalIDs, ids) {
			t.Errorf("after what was refused: got %+v, %v, want nothing changed", after, err)
		}
		_, err = w.UnscopedUpdate(ctx, second, "missing", control.Patch{Name: &name})
		wantKind(t, "a missing tenant", err, fault.NotFound)
	})
}

func TestSuspensionEndsScopesAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.onboard(t, "acme"), w.onboard(t, "other-one")
		scope, apart := w.scope(t, acme.ID), w.scope(t, other.ID)
		_, err := w.UnscopedActivate(ctx, admin, "acme")
		wantKind(t, "activate an active tenant", err, fault.Conflict)
		if _, err := w.UnscopedSuspend(ctx, admin, "acme", "unpaid"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "an open scope", scope.Check(ctx, tenant.Read, tenant.VaultInput), fault.Denied)
		wantKind(t, "another tenant's scope", apart.Check(ctx, tenant.Read, tenant.VaultInput), "")
		_, err = w.UnscopedSuspend(ctx, admin, "acme", "again")
		wantKind(t, "suspend again", err, fault.Conflict)
		got, err := w.UnscopedTenant(ctx, "acme")
		if err != nil || got.State != control.Suspended || got.StateReason != "unpaid" {
			t.Errorf("got %q for %q, %v, want suspended for unpaid", got.State, got.StateReason, err)
		}

		n := w.restart(t)
		if _, err := n.policy.Scope(ctx, principal(acme.ID, n)); !fault.Is(err, fault.Denied) {
			t.Errorf("a new scope after a restart: got %v, want denied", err)
		}
		if _, err := n.UnscopedActivate(ctx, admin, "acme"); err != nil {
			t.Fatal(err)
		}
		n.scope(t, acme.ID)
		wantKind(t, "the scope from before, in the process that suspended", scope.Check(ctx, tenant.Read, tenant.VaultInput), fault.Denied)
		got, err = n.UnscopedTenant(ctx, "acme")
		if err != nil || got.State != control.Active || got.StateReason != "" {
			t.Errorf("got %q for %q, %v, want active without a reason", got.State, got.StateReason, err)
		}
	})
}

func TestTenantsAreListedInPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var organisation string
		for i, slug := range []string{"t-one", "t-two", "t-three", "other", "t-five"} {
			n := request(slug)
			if i == 4 {
				n.Name = "100% CoTtOn_"
			}
			got, err := w.UnscopedOnboard(ctx, admin, "", n)
			if err != nil {
				t.Fatal(err)
			}
			if i != 1 { // two that were made in the same moment
				w.hands.Pass(time.Second)
			}
			organisation = got.Organisation
		}
		if _, err := w.UnscopedSuspend(ctx, admin, "t-two", ""); err != nil {
			t.Fatal(err)
		}
		list := func(f control.Filter, limit int) []string {
			var got []string
			page := meta.Page{Limit: limit}
			for {
				part, next, err := w.UnscopedTenants(ctx, f, page)
				if err != nil {
					t.Fatal(err)
				}
				if len(part) > limit {
					t.Fatalf("page: got %d tenants, want at most %d", len(part), limit)
				}
				for _, x := range part {
					got = append(got, x.Slug)
					if len(x.ExternalIDs) != 2 {
						t.Errorf("%s: got external ids %v, want 2", x.Slug, x.ExternalIDs)
					}
				}
				if next == "" {
					return got
				}
				page.After = next
			}
		}
		for _, limit := range []int{1, 2, 3, 10} {
			got := list(control.Filter{}, limit)
			sorted := slices.Sorted(slices.Values(got))
			if want := []string{"other", "t-five", "t-one", "t-three", "t-two"}; !slices.Equal(sorted, want) || got[0] != "t-five" || got[1] != "other" || got[4] != "t-one" {
				t.Errorf("pages of %d: got %v, want each of %v once, the newest first", limit, got, want)
			}
		}
		for _, c := range []struct {
			f    control.Filter
			want string
		}{
			{control.Filter{State: control.Suspended}, "t-two"},
			{control.Filter{Organisation: organisation}, "t-five"},
		} {
			if got := strings.Join(list(c.f, 10), " "); got != c.want {
				t.Errorf("%+v: got %q, want %q", c.f, got, c.want)
			}
		}
		for _, c := range []struct {
			view meta.View
			want string
		}{
			{meta.View{Search: "COTTON"}, "t-five"},
			{meta.View{Search: "%"}, "t-five"},
			{meta.View{Search: "_"}, "t-five"},
			{meta.View{Search: "OTHE"}, "other"},
			{meta.View{Search: "nothing"}, ""},
			{meta.View{Filters: []string{"state:is:suspended"}}, "t-two"},
			{meta.View{Filters: []string{"slug:contains:t-t", "state:not:suspended"}}, "t-three"},
			{meta.View{Sort: "slug"}, "other t-five t-one t-three t-two"},
			{meta.View{Sort: "-slug"}, "t-two t-three t-one t-five other"},
			{meta.View{Sort: "created_at", Filters: []string{"slug:is:t-five", "slug:is:t-one"}}, "t-one t-five"},
		} {
			found, _, err := w.UnscopedTenants(ctx, control.Filter{}, meta.Page{View: c.view})
			var got []string
			for _, x := range found {
				got = append(got, x.Slug)
			}
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("%+v: got %q (%v), want %q", c.view, got, err, c.want)
			}
		}
		_, _, err := w.UnscopedTenants(ctx, control.Filter{}, meta.Page{After: "rubbish"})
		wantKind(t, "a cursor that no list returned", err, fault.Invalid)
	})
}

func TestATenantIsClaimedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		acme := w.onboard(t, "acme")
		claim := func() time.Time {
			t.Helper()
			if err := w.db.Transact(t.Context(), func(tx *meta.DB) error { return w.Claim(t.Context(), tx, acme.ID) }); err != nil {
				t.Fatal(err)
			}
			got, err := w.UnscopedTenant(t.Context(), "acme")
			if err != nil || got.ClaimedAt == nil {
				t.Fatalf("got %v, %v, want the time of the claim", got.ClaimedAt, err)
			}
			return *got.ClaimedAt
		}
		first := claim()
		w.hands.Pass(time.Hour)
		if again := claim(); !again.Equal(first) {
			t.Errorf("claimed again: got %v, want %v", again, first)
		}
		if n := w.count(t, "audit_entries", "verb = 'tenant.claim' AND tenant = $1", string(acme.ID)); n != 1 {
			t.Errorf("entries tenant.claim: got %d, want 1", n)
		}
	})
}

// A tenant reads its own row and external ids, whatever it asks for.
func TestATenantSeesItselfAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.onboard(t, "acme"), w.onboard(t, "other-one")
		for _, x := range []control.Tenant{acme, other} {
			s := w.scope(t, x.ID)
			got, err := w.Profile(ctx, s)
			if err != nil || got.ID != x.ID {
				t.Errorf("profile: got %q, %v, want %q", got.ID, err, x.ID)
			}
			ids, err := w.ExternalIDs(ctx, s)
			if want := fmt.Sprint([]string{x.Slug + "-x", x.Slug + "-y"}); err != nil || fmt.Sprint(ids) != want {
				t.Errorf("external ids: got %v, %v, want %s", ids, err, want)
			}
		}
		_, err := w.Profile(ctx, tenant.Scope{})
		wantKind(t, "profile without a scope", err, fault.Denied)
		_, err = w.ExternalIDs(ctx, tenant.Scope{})
		wantKind(t, "external ids without a scope", err, fault.Denied)
		owners, err := w.UnscopedOrganisationsOf(ctx, []tenant.ID{acme.ID, other.ID})
		if err != nil || owners[acme.ID].ID != acme.Organisation || owners[other.ID].ID != other.Organisation {
			t.Errorf("organisations: got %v, %v, want each tenant's own", owners, err)
		}
	})
}
