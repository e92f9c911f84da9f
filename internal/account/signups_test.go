package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// approved makes a tenant whose admin has approved a domain that the provider vouches for.
func (w *world) approved(t *testing.T, slug, domain string) tenant.Scope {
	t.Helper()
	_, _, scope := w.owned(t, slug)
	_, err := w.UnscopedVouch(t.Context(), staff, scope.Tenant(), domain)
	_, after := w.ApproveDomain(t.Context(), scope, domain)
	if err := errors.Join(err, after); err != nil {
		t.Fatal(err)
	}
	return scope
}

func (w *world) asksSignUp(t *testing.T, email string) (id, code string) {
	t.Helper()
	id, _, err := w.AskSignUp(t.Context(), email, away)
	if err != nil {
		t.Fatal(err)
	}
	return id, secretOf(t, codeIn, w.letters(t, strings.ToLower(email), 1))
}

func TestPeopleOfAnApprovedDomainSignUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		scope := w.approved(t, "acme", "acme.example")
		id, code := w.asksSignUp(t, "Carol@acme.example")
		s, err := w.Prove(ctx, id, code)
		if err != nil || s.Tenant != "acme" || s.Email != "carol@acme.example" {
			t.Fatalf("prove: got %+v, %v", s, err)
		}
		_, err = w.Prove(ctx, id, code)
		wantKind(t, "the code once more", err, fault.Denied)
		_, err = w.FinishSignUp(ctx, s.Ticket, NewMember{Password: "short"}, away, "test")
		wantKind(t, "a short password", err, fault.Invalid)
		_, err = w.FinishSignUp(ctx, s.Ticket+"0", NewMember{Password: own}, away, "test")
		wantKind(t, "another ticket", err, fault.Conflict)
		var mu sync.Mutex
		var in []Joined
		var racers sync.WaitGroup
		for range 3 {
			racers.Go(func() {
				j, err := w.FinishSignUp(ctx, s.Ticket, NewMember{Name: "Carol", Password: own}, away, "test")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in = append(in, j)
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		racers.Wait()
		if len(in) != 1 || in[0].User.Tenant != scope.Tenant() || in[0].User.Role != policy.TenantUser || in[0].User.Login() != "acme.carol" || in[0].Token == "" {
			t.Fatalf("three at once: got %+v, want one user of acme who is signed in", in)
		}
		if _, _, err := w.signIn(t, "acme.carol", own); err != nil {
			t.Error(err)
		}
		w.AskSignUp(ctx, "carol@acme.example", away)
		if texts := w.letters(t, "carol@acme.example", 1); !strings.Contains(texts[0], "invitation to one: acme.carol") {
			t.Errorf("who is known: got %s", texts)
		}
		w.AskSignUp(ctx, "x@sub.acme.example", away)
		w.letters(t, "x@sub.acme.example", 0)
	})
}

func TestCodesEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		scope := w.approved(t, "acme", "acme.example")
		wrong := func(code string) string {
			if code == "000000" {
				return "000001"
			}
			return "000000"
		}
		id, code := w.asksSignUp(t, "a@acme.example")
		for range codeTries {
			_, err := w.Prove(ctx, id, wrong(code))
			wantKind(t, "a wrong code", err, fault.Denied)
		}
		_, err := w.Prove(ctx, id, code)
		wantKind(t, "the right one after five wrong", err, fault.Denied)

		id, code = w.asksSignUp(t, "b@acme.example")
		w.hands.Pass(codeLife)
		_, err = w.Prove(ctx, id, code)
		wantKind(t, "after ten minutes", err, fault.Denied)

		id, code = w.asksSignUp(t, "c@acme.example")
		other, _ := w.asksSignUp(t, "d@acme.example")
		_, err = w.Prove(ctx, other, code)
		wantKind(t, "another's code", err, fault.Denied)
		s, err := w.Prove(ctx, id, code)
		if err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(ticketLife)
		_, err = w.FinishSignUp(ctx, s.Ticket, NewMember{Password: own}, away, "test")
		wantKind(t, "an old ticket", err, fault.Conflict)

		id, code = w.asksSignUp(t, "e@acme.example")
		if s, err = w.Prove(ctx, id, code); err != nil {
			t.Fatal(err)
		}
		list, err := w.UnscopedDomains(ctx, scope.Tenant())
		if err != nil || len(list) != 1 {
			t.Fatalf("domains: got %+v, %v", list, err)
		}
		if err := w.UnscopedRemoveDomain(ctx, staff, list[0].ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.FinishSignUp(ctx, s.Ticket, NewMember{Password: own}, away, "test")
		wantKind(t, "a domain that was removed since", err, fault.Conflict)
		w.AskSignUp(ctx, "f@acme.example", away)
		w.letters(t, "f@acme.example", 0)
	})
}

func TestDomainsBelongToWhoProvesThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, admin, scope := w.owned(t, "acme")
		_, _, other := w.owned(t, "bolt")
		approve := func(what string, s tenant.Scope, domain string, want fault.Kind) {
			t.Helper()
			_, err := w.ApproveDomain(ctx, s, domain)
			if want == "" && err != nil {
				t.Errorf("%s: got %v", what, err)
			} else if want != "" {
				wantKind(t, what, err, want)
			}
		}
		for _, domain := range []string{"gmail.com", "mail.gmail.com", "GMX.de", "example", "192.0.2.1", "-a.example", "a b.example", "exämple.com", ""} {
			approve(domain, scope, domain, fault.Invalid)
		}
		approve("an address that nothing proves", scope, "acme.example", fault.Denied)
		if err := w.Reset(ctx, w.forget(t, admin.Login()), own, away); err != nil {
			t.Fatal(err)
		}
		token, _, err := w.SignInFrom(t, admin.Login(), own)
		if err != nil {
			t.Fatal(err)
		}
		scope = w.scope(t, token)
		approve("an organisation that nobody verified", scope, "acme.example", fault.Denied)
		if _, err := w.Control.UnscopedVerifyOrganisation(ctx, staff, acme.Organisation, "register"); err != nil {
			t.Fatal(err)
		}
		approve("a domain of nobody", scope, "other.example", fault.Denied)
		approve("by a proven address", scope, "@ACME.example", "")
		approve("once more", scope, "acme.example", "")
		approve("another tenant's", other, "acme.example", fault.Conflict)
		_, err = w.UnscopedVouch(ctx, staff, other.Tenant(), "acme.example")
		wantKind(t, "vouched for another", err, fault.Conflict)
		list, err := w.Domains(ctx, scope)
		if err != nil || len(list) != 1 || list[0].Proof != admin.ID || list[0].ApprovedAt == nil {
			t.Fatalf("domains: got %+v, %v", list, err)
		}
		wantKind(t, "removed by another", w.RemoveDomain(ctx, other, list[0].ID), fault.NotFound)
		if list, err := w.Domains(ctx, other); err != nil || len(list) != 0 {
			t.Errorf("another's domains: got %+v, %v", list, err)
		}

		// What the provider vouches for lets nobody in by itself.
		if _, err := w.UnscopedVouch(ctx, staff, other.Tenant(), "bolt.example"); err != nil {
			t.Fatal(err)
		}
		w.AskSignUp(ctx, "x@bolt.example", away)
		w.letters(t, "x@bolt.example", 0)
		approve("what is vouched for", other, "bolt.example", "")
		w.asksSignUp(t, "y@bolt.example")
	})
}

// Whole tenants sign up only where the provider lets them, as nobody that is known.
func TestTenantsSignUpWhereTheyMay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.owned(t, "acme")
		w.AskSignUp(ctx, "dan@new.example", away)
		w.letters(t, "dan@new.example", 0)
		w.SignUp = true
		id, code := w.asksSignUp(t, "dan@new.example")
		s, err := w.Prove(ctx, id, code)
		if err != nil || s.Tenant != "" {
			t.Fatalf("prove: got %+v, %v, want no tenant", s, err)
		}
		_, err = w.FinishSignUp(ctx, s.Ticket, NewMember{Password: own}, away, "test")
		wantKind(t, "without a name", err, fault.Invalid)
		j, err := w.FinishSignUp(ctx, s.Ticket, NewMember{Password: own, Organisation: "acme"}, away, "test")
		if err != nil || j.User.Role != policy.TenantAdmin || j.Token == "" || !strings.HasPrefix(j.User.Login(), "acme-") {
			t.Fatalf("got %+v, %v, want an admin of another acme", j, err)
		}
		o, err := w.Control.UnscopedOrganisationOf(ctx, w.DB, j.User.Tenant)
		if err != nil || !o.SignedUp || o.VerifiedAt != nil || o.Counts() || !strings.HasPrefix(o.Name, "acme (acme-") {
			t.Errorf("its organisation: got %+v, %v", o, err)
		}
		wantKind(t, "the provider makes credentials", onlyErr(w.UnscopedCreateUser(ctx, staff, j.User.Tenant, NewUser{Email: "x@provider.example", Role: policy.TenantAdmin})), fault.Conflict)
		w.tamper(t, `UPDATE organisations SET signed_up = 0 WHERE id = $1`, o.ID)
		_, err = w.Control.UnscopedOrganisation(ctx, o.ID)
		wantKind(t, "a sign-up that was hidden", err, fault.Damaged)
	})
}

func onlyErr[T any](_ T, err error) error { return err }

// What is asked is written before anybody looks whether it is known: the same statements
// for all.
func TestAskingTakesTheSameWork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.approved(t, "acme", "acme.example")
		took := map[string]time.Duration{}
		for range 15 {
			for _, email := range []string{"admin@acme.example", "nobody@unknown.example"} {
				w.hands.Pass(time.Hour)
				begun := time.Now()
				if _, err := w.AskReset(context.Background(), email, away); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(begun); took[email] == 0 || d < took[email] {
					took[email] = d
				}
			}
		}
		if a, b := took["admin@acme.example"], took["nobody@unknown.example"]; a > 5*b || b > 5*a {
			t.Errorf("the quickest of 15: %s for who is known, %s for who is not", a, b)
		}
	})
}
