package account

import (
	"net/netip"
	"strings"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
)

// Who comes in by the issuer alone gets no password by a mail, but by the host.
func TestNoMailGivesStaffAFirstPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		there := w.issued(t, ada)
		u, err := w.UnscopedCreateUser(ctx, staff, "", NewUser{Email: "ada@provider.example", Role: policy.SystemAdmin})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(mails int) []string {
			t.Helper()
			if _, err := w.AskReset(ctx, u.Email, away); err != nil {
				t.Fatal(err)
			}
			return w.letters(t, u.Email, mails)
		}
		ask(0)
		if _, _, err := w.come(t, there, ada.Subject); err != nil {
			t.Fatal(err)
		}
		ask(0)
		var token string
		if err := w.DB.Transact(ctx, func(tx *meta.DB) (err error) { // as it was mailed by a version before
			_, token, err = w.makeReset(ctx, tx, u, "anonymous", true)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "a mailed link", w.Reset(ctx, token, own, away), fault.Conflict)
		if _, _, err := w.signIn(t, u.Email, own); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("its password: got %v", err)
		}
		token, _, err = w.ResetLink(ctx, u.Email)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(ctx, token, own, home); err != nil {
			t.Errorf("a link from the host: %v", err)
		}
		ask(1) // there is a password to forget now
	})
}

// Who has an account at several tenants hears of each.
func TestAForgottenPasswordReachesEveryAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const email = "kim@partner.example"
		slugs := []string{"acme", "bolt", "crux", "dune"}
		for _, slug := range slugs {
			_, _, scope := w.owned(t, slug)
			if _, err := w.CreateUser(ctx, scope, NewUser{Email: email, Role: policy.TenantUser, Password: password}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.AskReset(ctx, email, away); err != nil {
			t.Fatal(err)
		}
		texts := strings.Join(w.letters(t, email, len(slugs)), "\n")
		for _, slug := range slugs {
			if !strings.Contains(texts, slug+".kim") {
				t.Errorf("no mail names %s.kim", slug)
			}
		}
	})
}

// One holder of a /48 cannot use up what is for all.
func TestOneRegionDoesNotShutOthersOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.issued(t, ada)
		from := func(n int) netip.Addr { // another network of one region each
			return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, byte(n >> 8), byte(n), 15: 1})
		}
		elsewhere := netip.MustParseAddr("2001:db8:2::1")
		for n := range asksOfRegion {
			if _, err := w.AskReset(ctx, "somebody", from(n)); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
		}
		_, err := w.AskReset(ctx, "somebody", from(asksOfRegion))
		wantKind(t, "a password asked for too often", err, fault.Throttled)
		if _, err := w.AskReset(ctx, "somebody", elsewhere); err != nil {
			t.Errorf("from another region: %v", err)
		}
		for n := range oidcOfRegion {
			if _, _, _, err := w.BeginOIDC(ctx, from(n)); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
		}
		_, _, _, err = w.BeginOIDC(ctx, from(oidcOfRegion))
		wantKind(t, "too many begun", err, fault.Throttled)
		if _, _, _, err := w.BeginOIDC(ctx, elsewhere); err != nil {
			t.Errorf("from another region: %v", err)
		}
	})
}
