package account

import (
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
