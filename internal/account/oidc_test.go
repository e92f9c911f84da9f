package account

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/oidc"
	"tributary/internal/oidc/oidctest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

var (
	ada = oidctest.Person{Subject: "ada-1", Email: "Ada@provider.example"}
	bob = oidctest.Person{Subject: "bob-2", Email: "bob@provider.example"}
)

// issued is a world with an issuer that knows some people.
func (w *world) issued(t *testing.T, people ...oidctest.Person) *oidctest.Issuer {
	t.Helper()
	there := oidctest.New(t, people...)
	there.Now = w.hands.Now
	var err error
	w.Issuer, err = oidc.New(oidc.Config{Issuer: there.URL, ClientID: oidctest.ClientID, Secret: oidctest.Secret, Name: "Login", PublicURL: "https://data.provider.example", Clock: w.Clock})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// away is where a browser is until it comes back.
func (w *world) away(t *testing.T, there *oidctest.Issuer, subject string) Returned {
	t.Helper()
	address, browser, _, err := w.BeginOIDC(t.Context(), home)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	back := there.Through(t, address, subject)
	return Returned{Browser: browser, State: back.Get("state"), Code: back.Get("code"), Refusal: back.Get("error"), Address: home, Agent: "test"}
}

// come signs somebody in with the issuer.
func (w *world) come(t *testing.T, there *oidctest.Issuer, subject string) (string, Session, error) {
	t.Helper()
	return w.FinishOIDC(t.Context(), w.away(t, there, subject))
}

// last is the newest entry of the provider's chain.
func (w *world) last(t *testing.T) audit.Full {
	t.Helper()
	var provider tenant.ID
	list, _, err := w.Audit.UnscopedEntries(t.Context(), audit.Filter{Tenant: &provider}, meta.Page{Limit: 1})
	if err != nil || len(list) == 0 {
		t.Fatalf("read the audit log: %d entries, %v", len(list), err)
	}
	return list[0]
}

func (w *world) strange(t *testing.T, what string, err error, reason string) {
	t.Helper()
	if got := fault.Message(err); got != fault.Message(errStranger) {
		t.Errorf("%s: got %q, want %q", what, got, fault.Message(errStranger))
	}
	e := w.last(t)
	if got, _ := e.Details["reason"].(string); e.Outcome != "refused" || e.Details["method"] != "oidc" || !strings.Contains(got, reason) {
		t.Errorf("%s: got the entry %+v, want refused because of %q", what, e, reason)
	}
}

func TestStaffSignInWithAnIssuer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		there := w.issued(t, ada, bob)
		u := w.member(t, "", "ada@provider.example", policy.Auditor)
		w.member(t, "", "bob@provider.example", policy.SystemAdmin)
		token, s, err := w.come(t, there, ada.Subject)
		if err != nil {
			t.Fatal(err)
		}
		if p := w.authenticate(t, token); p.User != u.ID || p.Role != policy.Auditor || p.Tenant != "" || p.Kind != policy.Session {
			t.Errorf("got %+v, want the auditor %s", p, u.ID)
		}
		if e := w.last(t); e.Verb != "session.create" || e.Actor != u.ID || e.Subject != s.ID || e.Outcome != "ok" || e.Details["method"] != "oidc" {
			t.Errorf("got the entry %+v, want a sign-in with oidc", e)
		}
		i, linked, err := w.UnscopedIdentity(ctx, u.ID)
		if err != nil || !linked || i.Subject != ada.Subject || i.Issuer != there.URL {
			t.Errorf("identity: got %+v, %v, %v", i, linked, err)
		}
		// From now on only issuer and subject count.
		there.People[0].Email, there.People[0].Unverified = "somebody@else.example", true
		if _, s, err := w.come(t, there, ada.Subject); err != nil || s.User != u.ID {
			t.Errorf("with another email: got %+v, %v", s, err)
		}
		there.People[1].Email = ada.Email
		_, _, err = w.come(t, there, bob.Subject)
		w.strange(t, "another with that email", err, "another identity")
		// A second factor is the issuer's, as the password is.
		w.factor(t, u)
		if _, _, err := w.come(t, there, ada.Subject); err != nil {
			t.Errorf("with a second factor here: %v", err)
		}
		if _, _, err := w.signIn(t, u.Email, password); err == nil {
			t.Error("the password alone is good where there is a second factor")
		}
	})
}

// factor turns a user's second factor on.
func (w *world) factor(t *testing.T, u User) {
	t.Helper()
	token, _, err := w.signIn(t, u.Login(), password)
	if err != nil {
		t.Fatal(err)
	}
	p := w.authenticate(t, token)
	secret, _, err := w.StartSecondFactor(t.Context(), p, password)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base32Plain.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ConfirmSecondFactor(t.Context(), p, w.code(raw, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		kelvin := oidctest.Person{Subject: "k-3", Email: "\u212aarl@provider.example"} // the sign of the unit, whose lower case is k
		there := w.issued(t, ada, bob, kelvin, oidctest.Person{Subject: "t-4", Email: "admin@acme.example"}, oidctest.Person{Subject: "n-5"})
		w.owned(t, "acme")
		w.member(t, "", "karl@provider.example", policy.SystemAdmin)
		u := w.member(t, "", "bob@provider.example", policy.Auditor)
		for subject, reason := range map[string]string{ada.Subject: "none of the provider's people", kelvin.Subject: "none of the provider's people", "t-4": "none of the provider's people", "n-5": "does not say"} {
			_, _, err := w.come(t, there, subject)
			w.strange(t, subject, err, reason)
		}
		there.People[1].Unverified = true
		_, _, err := w.come(t, there, bob.Subject)
		w.strange(t, "an email that is not verified", err, "does not say")
		there.People[1].Unverified = false
		disabled, active := UserDisabled, UserActive
		set := func(state *UserState) {
			if _, err := w.UnscopedUpdateUser(ctx, staff, u.ID, UserPatch{State: state}); err != nil {
				t.Fatal(err)
			}
		}
		set(&disabled)
		_, _, err = w.come(t, there, bob.Subject)
		w.strange(t, "a disabled user", err, "disabled")
		if _, linked, err := w.UnscopedIdentity(ctx, u.ID); err != nil || linked {
			t.Errorf("a disabled user is linked: %v, %v", linked, err)
		}
		set(&active)
		token, _, err := w.come(t, there, bob.Subject)
		if err != nil {
			t.Fatal(err)
		}
		set(&disabled)
		w.refused(t, "a session of a user that was disabled", token)
		_, _, err = w.come(t, there, bob.Subject)
		w.strange(t, "a linked user that is disabled", err, "disabled")
		if _, err := w.UnscopedInvite(ctx, staff, "", NewUser{Email: "ada@provider.example", Role: policy.SystemAdmin}); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.come(t, there, ada.Subject)
		w.strange(t, "somebody who was invited and has not come", err, "invited")
	})
}

func TestASignInIsGoodOnceAndInOneBrowser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		there := w.issued(t, ada)
		w.member(t, "", "ada@provider.example", policy.Auditor)
		r, other := w.away(t, there, ada.Subject), w.away(t, there, ada.Subject)
		refused := func(what string, r Returned) {
			t.Helper()
			asked := there.Asked("/token")
			_, _, err := w.FinishOIDC(ctx, r)
			wantKind(t, what, err, fault.Unauthenticated)
			if there.Asked("/token") != asked {
				t.Errorf("%s: the issuer is asked all the same", what)
			}
		}
		with := func(change func(*Returned)) Returned { x := r; change(&x); return x }
		refused("another state", with(func(r *Returned) { r.State = other.State }))
		if e := w.last(t); e.Verb != "session.create" || e.Outcome != "refused" {
			t.Errorf("got the entry %+v, want a refusal", e)
		}
		refused("a state of nobody's", with(func(r *Returned) { r.State = "nonsense" }))
		refused("no state", with(func(r *Returned) { r.State = "" }))
		refused("another browser", with(func(r *Returned) { r.Browser = other.Browser }))
		refused("a browser without a cookie", with(func(r *Returned) { r.Browser = "" }))
		if _, _, err := w.FinishOIDC(ctx, r); err != nil {
			t.Errorf("the right one, after all that: %v", err)
		}
		refused("a second time", r)
		_, _, err := w.FinishOIDC(ctx, with(func(r *Returned) { r.State, r.Browser = other.State, other.Browser }))
		wantKind(t, "another's code", err, fault.Denied)
		r = w.away(t, there, ada.Subject)
		w.hands.Pass(oidcLife)
		refused("too late", r)

		r = w.away(t, there, "")
		_, _, err = w.FinishOIDC(ctx, r)
		wantKind(t, "who cancels", err, fault.Denied)
		if e := w.last(t); !strings.Contains(e.Details["reason"].(string), "access_denied") {
			t.Errorf("got the entry %+v, want the issuer's error", e)
		}
		refused("after it was cancelled", r)

		there.Forge = func(c map[string]any) { c["nonce"] = "another" }
		_, _, err = w.come(t, there, ada.Subject)
		wantKind(t, "another nonce", err, fault.Denied)
		if e := w.last(t); !strings.Contains(e.Details["reason"].(string), "nonce") {
			t.Errorf("got the entry %+v, want the reason", e)
		}
		if err := w.ForgetDue(ctx); err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(oidcLife + time.Second)
		if err := w.ForgetDue(ctx); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := w.DB.QueryRow(ctx, `SELECT count(*) FROM oidc_attempts`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d attempts are left, %v", left, err)
		}
	})
}

func TestPasswordsWorkWithoutTheIssuer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.member(t, "", "ada@provider.example", policy.Auditor)
		_, _, _, err := w.BeginOIDC(ctx, home)
		wantKind(t, "where there is no issuer", err, fault.Conflict)
		_, _, err = w.FinishOIDC(ctx, Returned{State: "a", Browser: "b"})
		wantKind(t, "where there is no issuer", err, fault.Conflict)
		there := w.issued(t, ada)
		there.People = nil
		w.Issuer.Config.Issuer = there.URL + "/away"
		_, _, _, err = w.BeginOIDC(ctx, home)
		wantKind(t, "an issuer that is away", err, fault.Unavailable)
		if _, _, err := w.signIn(t, u.Email, password); err != nil {
			t.Errorf("with a password: %v", err)
		}
	})
}

func TestSignInsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.issued(t, ada)
		for n := range oidcOfAddress {
			if _, _, _, err := w.BeginOIDC(t.Context(), home); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
		}
		_, _, _, err := w.BeginOIDC(t.Context(), home)
		wantKind(t, "one too many", err, fault.Throttled)
		if _, _, _, err := w.BeginOIDC(t.Context(), netip.MustParseAddr("198.51.100.9")); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		w.hands.Pass(oidcLife)
		if _, _, _, err := w.BeginOIDC(t.Context(), home); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

func TestIdentitiesAreUnlinked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		there := w.issued(t, ada, oidctest.Person{Subject: "ada-again", Email: ada.Email})
		u := w.member(t, "", "ada@provider.example", policy.Auditor)
		admin := w.member(t, "", "root@provider.example", policy.SystemAdmin)
		rootToken, _, err := w.signIn(t, admin.Email, password)
		if err != nil {
			t.Fatal(err)
		}
		root := w.authenticate(t, rootToken)
		wantKind(t, "what is not linked", w.UnscopedUnlink(ctx, root, u.ID), fault.Conflict)
		wantKind(t, "nobody", w.UnscopedUnlink(ctx, root, "usr_nobody"), fault.NotFound)
		first, _, err := w.come(t, there, ada.Subject)
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := w.come(t, there, ada.Subject)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.UnscopedUnlink(ctx, w.authenticate(t, second), u.ID); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "another session", first)
		w.authenticate(t, second) // that of who asked goes on
		if e := w.last(t); e.Verb != "identity.unlink" || e.Actor != u.ID || e.Subject != u.ID {
			t.Errorf("got the entry %+v", e)
		}
		// Who is another at the issuer now takes its place.
		third, s, err := w.come(t, there, "ada-again")
		if err != nil || s.User != u.ID {
			t.Fatalf("got %+v, %v", s, err)
		}
		_, _, err = w.come(t, there, ada.Subject)
		w.strange(t, "who it was before", err, "another identity")
		if err := w.UnscopedUnlink(ctx, root, u.ID); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a session, by an admin", third)
	})
}

func TestIdentitiesAreNotForged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		there := w.issued(t, ada)
		u := w.member(t, "", "ada@provider.example", policy.Auditor)
		admin := w.member(t, "", "root@provider.example", policy.SystemAdmin)
		if _, _, err := w.come(t, there, ada.Subject); err != nil {
			t.Fatal(err)
		}
		w.tamper(t, `UPDATE staff_identities SET user_id = $1`, admin.ID)
		_, _, err := w.come(t, there, ada.Subject)
		wantKind(t, "an identity made an admin's", err, fault.Damaged)
		var found []string
		if err := w.UnscopedVerify(ctx, func(table string, _ tenant.ID, row, _ string) { found = append(found, table+" "+row) }); err != nil || len(found) != 1 || found[0] != "staff_identities "+admin.ID {
			t.Errorf("found %v, %v", found, err)
		}
		p := policy.Principal{Kind: policy.Session, User: u.ID, Credential: "ses_none"}
		if err := w.UnscopedUnlink(ctx, p, admin.ID); err != nil {
			t.Errorf("get rid of it: %v", err)
		}
		if _, s, err := w.come(t, there, ada.Subject); err != nil || s.User != u.ID {
			t.Errorf("link again: got %+v, %v", s, err)
		}
	})
}
