package account

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

func TestPasswordsAreArgon2id(t *testing.T) {
	t.Parallel()
	a := New(Config{})
	h, err := a.hash(t.Context(), password)
	if err != nil || !strings.HasPrefix(h, "$argon2id$v=19$m=65536,t=2,p=1$") {
		t.Fatalf("hash: got %q, %v, want Argon2id of 64 MiB in 2 passes", h, err)
	}
	for p, want := range map[string]bool{password: true, password + " ": false, "": false} {
		if got, err := a.matches(t.Context(), p, h); err != nil || got != want {
			t.Errorf("matches %q: got %v, %v, want %v", p, got, err, want)
		}
	}
}

// An account that is not there has to take as long as one that is.
func TestTheDecoyCostsAsMuchAndNeverMatches(t *testing.T) {
	t.Parallel()
	params, _, key, err := argon2id.DecodeHash(decoy)
	if err != nil {
		t.Fatalf("decode the decoy: %v", err)
	}
	if params.Memory != hashParams.Memory || params.Iterations != hashParams.Iterations || params.Parallelism != hashParams.Parallelism || len(key) != int(hashParams.KeyLength) {
		t.Errorf("decoy: got %+v, want the cost of %+v", params, hashParams)
	}
	a := New(Config{})
	for _, p := range []string{"", password} {
		if ok, err := a.matches(t.Context(), p, ""); err != nil || ok {
			t.Errorf("password %q of an account without one: got %v, %v, want no match", p, ok, err)
		}
	}
}

func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	a := New(Config{Hashers: 1})
	for range cap(a.waiting) {
		a.waiting <- struct{}{}
	}
	_, err := a.hash(t.Context(), password)
	wantKind(t, "one more than may wait", err, fault.Throttled)
}

func TestSignInAnswersAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, _, scope := w.owned(t, "acme")
		u, err := w.CreateUser(t.Context(), scope, NewUser{Email: "Bo.B@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil || u.Login() != "acme.bo-b" || u.Email != "bo.b@acme.example" {
			t.Fatalf("got %q with %q, %v, want acme.bo-b", u.Login(), u.Email, err)
		}
		for _, login := range []string{"acme.bo-b", " ACME.Bo-B ", "bo.b@acme.example"} {
			if _, s, err := w.signIn(t, login, password); err != nil || s.User != u.ID {
				t.Errorf("sign in as %q: got %q, %v, want %q", login, s.User, err, u.ID)
			}
		}
		off := UserDisabled
		gone, err := w.CreateUser(t.Context(), scope, NewUser{Email: "gone@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.UpdateUser(t.Context(), scope, gone.ID, UserPatch{State: &off}); err != nil {
			t.Fatal(err)
		}
		words := map[string]bool{}
		for _, c := range [][2]string{{"acme.bo-b", "wrong password"}, {"acme.nobody", password}, {"acme.gone", password}, {"acme.bo-b", ""}} {
			_, _, err := w.signIn(t, c[0], c[1])
			wantKind(t, c[0], err, fault.Unauthenticated)
			words[fault.Message(err)] = true
		}
		if len(words) != 1 {
			t.Errorf("refusals: got %d different ones, want 1: %v", len(words), words)
		}
	})
}

func TestLockout(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.member(t, "", "a@example.com", policy.SystemAdmin)
		w.member(t, "", "b@example.com", policy.SystemAdmin)
		try := func(login, p string, addr netip.Addr) error {
			_, _, _, err := w.SignIn(ctx, Attempt{Login: login, Password: p, Address: addr})
			return err
		}
		away := netip.MustParseAddr("198.51.100.9")
		for i := range freeFailures {
			wantKind(t, "a wrong password", try("a@example.com", "wrong", home), fault.Unauthenticated)
			if i == 1 { // a right one forgives
				wantKind(t, "a right password", try("a@example.com", password, home), "")
				for range 2 {
					wantKind(t, "a wrong password", try("a@example.com", "wrong", home), fault.Unauthenticated)
				}
			}
		}
		wantKind(t, "the account, locked", try("a@example.com", password, home), fault.Throttled)
		wantKind(t, "the account, from elsewhere", try("a@example.com", password, away), fault.Throttled)
		wantKind(t, "another account", try("b@example.com", password, home), "")
		w.hands.Pass(lockBase)
		wantKind(t, "a wrong password after the lock", try("a@example.com", "wrong", home), fault.Unauthenticated)
		w.hands.Pass(lockBase)
		wantKind(t, "the second lock, twice as long", try("a@example.com", password, home), fault.Throttled)
		w.hands.Pass(lockBase)
		wantKind(t, "after the second lock", try("a@example.com", password, home), "")
		w.hands.Pass(24*time.Hour + time.Second)

		// Many accounts from one network: the address is locked, whoever asks. The
		// failures are counted as by sign-ins, without their hashes.
		for range 4 * freeFailures {
			if err := w.failed(ctx, w.Clock.ID("who"), netip.MustParseAddr("2001:db8::1")); err != nil {
				t.Fatal(err)
			}
		}
		wantKind(t, "the network, locked", try("a@example.com", password, netip.MustParseAddr("2001:db8::2")), fault.Throttled)
		wantKind(t, "another network", try("a@example.com", password, netip.MustParseAddr("2001:db8:0:1::1")), "")
	})
}

func TestSessionTokensTurn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.member(t, "", "a@example.com", policy.SystemAdmin)
		first, _, err := w.signIn(t, "a@example.com", password)
		if err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(sessionTurn - time.Second)
		if _, renewed, err := w.Authenticate(ctx, first, home); err != nil || renewed != "" {
			t.Errorf("before its time: got %q, %v, want the token kept", renewed, err)
		}
		w.hands.Pass(time.Second)
		p, next, err := w.Authenticate(ctx, first, home)
		if err != nil || next == "" || next == first {
			t.Fatalf("at its time: got %q, %v, want a new token", next, err)
		}
		w.authenticate(t, next)
		w.hands.Pass(sessionOverlap - time.Second)
		if _, renewed, err := w.Authenticate(ctx, first, home); err != nil || renewed != "" {
			t.Errorf("the old token in the overlap: got %q, %v, want it to be good and not renewed", renewed, err)
		}
		w.authenticate(t, next)

		w.hands.Pass(time.Second)
		w.refused(t, "the old token after the overlap", first)
		w.refused(t, "the new token after the old one's reuse", next)
		wantKind(t, "the live principal", w.Policy.Allow(ctx, p, "tenant:read", policy.Resource{Type: "tenant"}), fault.Unauthenticated)
		if list, err := w.Sessions(ctx, p); err != nil || len(list) != 0 {
			t.Errorf("open sessions: got %d, %v, want 0", len(list), err)
		}
	})
}

// A page that was left while it asked, or a connection that broke, loses the answer with
// the new token. That is no theft.
func TestALostAnswerEndsNoSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.member(t, "", "a@example.com", policy.SystemAdmin)
		token, _, err := w.signIn(t, "a@example.com", password)
		if err != nil {
			t.Fatal(err)
		}
		renew := func(what string, want bool) string {
			t.Helper()
			_, renewed, err := w.Authenticate(ctx, token, home)
			if err != nil || (renewed != "") != want {
				t.Fatalf("%s: got %q, %v, want a new token: %v", what, renewed, err, want)
			}
			return renewed
		}
		w.hands.Pass(sessionTurn)
		older := renew("at its time", true)
		renew("at once after it", false)
		w.hands.Pass(sessionOverlap - time.Second)
		renew("a little later", false)
		w.hands.Pass(time.Second)
		renew("a minute later", true)
		w.hands.Pass(sessionIdle - time.Second)
		next := renew("after a long while", true)
		w.refused(t, "the first that was lost, which is forgotten", older)
		p := w.authenticate(t, next)
		w.authenticate(t, token) // which was on its way
		w.hands.Pass(sessionTurn)
		token = next
		next = renew("at its next time", true)
		w.authenticate(t, next)
		if err := w.UnscopedVerify(ctx, func(table string, _ tenant.ID, row, problem string) { t.Errorf("%s %s: %s", table, row, problem) }); err != nil {
			t.Fatal(err)
		}

		// One that was given out, replaced and comes all the same was not lost.
		token = next
		w.hands.Pass(sessionTurn)
		lost := renew("at its time", true)
		w.hands.Pass(sessionOverlap)
		next = renew("a minute later", true)
		w.refused(t, "what was replaced", lost)
		w.refused(t, "what replaced it", next)
		w.refused(t, "the token of both", token)
		if e := w.last(t); e.Verb != "session.reuse" || e.Subject != p.Credential {
			t.Errorf("got the entry %+v, want a session.reuse", e)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.member(t, "", "a@example.com", policy.SystemAdmin)
		open := func() (string, Session) {
			t.Helper()
			token, s, err := w.signIn(t, "a@example.com", password)
			if err != nil {
				t.Fatal(err)
			}
			return token, s
		}
		idle, _ := open()
		w.hands.Pass(sessionIdle)
		w.refused(t, "a session idle for an hour", idle)

		// In use all the time, it ends after twelve hours.
		token, _ := open()
		for since := time.Duration(0); since+30*time.Minute < sessionMost; since += 30 * time.Minute {
			w.hands.Pass(30 * time.Minute)
			_, renewed, err := w.Authenticate(ctx, token, home)
			if err != nil {
				t.Fatalf("after %s: %v", since, err)
			}
			if renewed != "" {
				token = renewed
			}
		}
		w.hands.Pass(30 * time.Minute)
		w.refused(t, "a session after twelve hours", token)

		one, s := open()
		two, _ := open()
		p := w.authenticate(t, two)
		if err := w.EndSession(ctx, p, s.ID); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a session that was ended", one)
		wantKind(t, "end it again", w.EndSession(ctx, p, s.ID), fault.NotFound)
		if err := w.ChangePassword(ctx, p, "not the password", changed); !fault.Is(err, fault.Denied) {
			t.Errorf("change with a wrong password: got %v, want denied", err)
		}
		if err := w.ChangePassword(ctx, p, password, changed); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a session after the password changed", two)
		if _, _, err := w.signIn(t, "a@example.com", changed); err != nil {
			t.Errorf("the new password: %v", err)
		}
		w.refused(t, "a token of no kind", "rubbish")
		w.refused(t, "a session that never was", "trs_rubbish")
	})
}

func TestRevocationEndsALiveScope(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, admin := w.owned(t, "acme")
		k, secret, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "b@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, u.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		byKey, bySession := w.scope(t, secret), w.scope(t, token)
		if err := w.RevokeAPIKey(ctx, admin, k.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the key's scope", byKey.Check(ctx, tenant.Read, tenant.VaultInput), fault.Unauthenticated)
		w.refused(t, "the key", secret)
		wantKind(t, "revoke it again", w.RevokeAPIKey(ctx, admin, k.ID), fault.NotFound)
		wantKind(t, "the user's scope", bySession.Check(ctx, tenant.Read, tenant.VaultInput), "")
		off := UserDisabled
		if _, err := w.UpdateUser(ctx, admin, u.ID, UserPatch{State: &off}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the disabled user's scope", bySession.Check(ctx, tenant.Read, tenant.VaultInput), fault.Unauthenticated)
		w.refused(t, "the disabled user's session", token)
	})
}
