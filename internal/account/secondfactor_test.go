package account

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// protected makes a user of a tenant that is its own, with a second factor, and returns
// the secret, the recovery codes and who it is in the session that turned it on.
func (w *world) protected(t *testing.T, slug string) (u User, secret []byte, codes []string, p policy.Principal) {
	t.Helper()
	_, u, _ = w.owned(t, slug)
	token, _, err := w.signIn(t, u.Login(), changed)
	if err != nil {
		t.Fatal(err)
	}
	p = w.authenticate(t, token)
	text, _, err := w.StartSecondFactor(t.Context(), p, changed)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err = base32Plain.DecodeString(text); err != nil {
		t.Fatal(err)
	}
	if codes, err = w.ConfirmSecondFactor(t.Context(), p, w.code(secret, 0)); err != nil {
		t.Fatal(err)
	}
	return u, secret, codes, p
}

// code is what an authenticator shows that is some steps ahead.
func (w *world) code(secret []byte, ahead int64) string {
	return totpCode(secret, totpAt(w.Clock.Now())+ahead)
}

func (w *world) withCode(t *testing.T, u User, password, code string) (string, error) {
	t.Helper()
	token, _, _, err := w.SignIn(t.Context(), Attempt{Login: u.Login(), Password: password, Code: code, Address: home, Agent: "test"})
	return token, err
}

func TestSigningInTakesTheCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		u, secret, codes, _ := w.protected(t, "acme")
		_, err := w.withCode(t, u, changed, "")
		wantKind(t, "no code", err, fault.SecondFactor)
		_, err = w.withCode(t, u, "a wrong password", "")
		wantKind(t, "a wrong password without a code", err, fault.Unauthenticated)
		_, err = w.withCode(t, u, "a wrong password", w.code(secret, 1))
		wantKind(t, "a wrong password with a right code", err, fault.Unauthenticated)
		_, err = w.withCode(t, u, changed, w.code(secret, 0))
		wantKind(t, "the code that confirmed it", err, fault.SecondFactor)
		_, err = w.withCode(t, u, changed, w.code(secret, 2))
		wantKind(t, "a code two steps ahead", err, fault.SecondFactor)
		if _, err := w.withCode(t, u, changed, w.code(secret, 1)[:3]+" "+w.code(secret, 1)[3:]); err != nil {
			t.Errorf("a right code: got %v", err)
		}
		_, err = w.withCode(t, u, changed, w.code(secret, 1))
		wantKind(t, "the same code again", err, fault.SecondFactor)
		if _, err := w.withCode(t, u, changed, strings.ToUpper(codes[3])); err != nil {
			t.Errorf("a recovery code: got %v", err)
		}
		_, err = w.withCode(t, u, changed, codes[3])
		wantKind(t, "the same recovery code again", err, fault.SecondFactor)
		got, err := w.SecondFactor(t.Context(), policy.Principal{User: u.ID, Tenant: u.Tenant})
		if err != nil || got.Since == nil || got.CodesLeft != 9 {
			t.Errorf("got %+v, %v, want 9 recovery codes left", got, err)
		}
	})
}

func TestWrongCodesLockTheAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		u, secret, _, _ := w.protected(t, "acme")
		for range freeFailures {
			_, err := w.withCode(t, u, changed, "000000")
			wantKind(t, "a wrong code", err, fault.SecondFactor)
		}
		_, err := w.withCode(t, u, changed, w.code(secret, 1))
		wantKind(t, "a right code, locked", err, fault.Throttled)
		w.hands.Pass(lockBase + time.Second)
		if _, err := w.withCode(t, u, changed, w.code(secret, 0)); err != nil {
			t.Errorf("a right code, after the lock: got %v", err)
		}
	})
}

func TestConfirmingAndTurningOffCountWrongCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, secret, codes, p := w.protected(t, "acme")
		wantKind(t, "off, a wrong password", w.EndSecondFactor(ctx, p, "a wrong password", codes[0]), fault.Denied)
		for range freeFailures - 1 {
			wantKind(t, "off, a wrong code", w.EndSecondFactor(ctx, p, changed, "000000"), fault.Denied)
		}
		wantKind(t, "off, locked", w.EndSecondFactor(ctx, p, changed, codes[0]), fault.Throttled)
		w.hands.Pass(lockBase + lockWindow + time.Second)
		fresh, err := w.NewRecoveryCodes(ctx, p, changed, w.code(secret, 0))
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "off, a recovery code that was replaced", w.EndSecondFactor(ctx, p, changed, codes[0]), fault.Denied)
		if err := w.EndSecondFactor(ctx, p, changed, fresh[9]); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "off, twice", w.EndSecondFactor(ctx, p, changed, fresh[8]), fault.NotFound)
		if _, _, err := w.signIn(t, "acme.admin", changed); err != nil {
			t.Errorf("without a second factor: got %v", err)
		}
	})
}

func TestTurningItOnTakesThePasswordAndEndsOtherSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, _ := w.owned(t, "acme")
		other, _, err := w.signIn(t, u.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, u.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		p := w.authenticate(t, token)
		_, _, err = w.StartSecondFactor(ctx, p, "a wrong password")
		wantKind(t, "start with a wrong password", err, fault.Denied)
		_, err = w.ConfirmSecondFactor(ctx, p, "123456")
		wantKind(t, "confirm what was not begun", err, fault.Conflict)
		stale, _, err := w.StartSecondFactor(ctx, p, changed)
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := w.StartSecondFactor(ctx, p, changed)
		if err != nil {
			t.Fatal(err)
		}
		old, _ := base32Plain.DecodeString(stale)
		secret, _ := base32Plain.DecodeString(text)
		_, err = w.ConfirmSecondFactor(ctx, p, w.code(old, 0))
		wantKind(t, "a code of a secret that was replaced", err, fault.Denied)
		if _, _, err := w.signIn(t, u.Login(), changed); err != nil {
			t.Errorf("signing in before it is confirmed: got %v", err)
		}
		if _, err := w.ConfirmSecondFactor(ctx, p, w.code(secret, 0)); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "another session", other)
		w.authenticate(t, token)
		_, _, err = w.StartSecondFactor(ctx, p, changed)
		wantKind(t, "start while it is on", err, fault.Conflict)
	})
}

func TestASecretWaitsAnHourForItsCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, _ := w.owned(t, "acme")
		token, _, err := w.signIn(t, u.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		p := w.authenticate(t, token)
		text, _, err := w.StartSecondFactor(ctx, p, changed)
		if err != nil {
			t.Fatal(err)
		}
		secret, _ := base32Plain.DecodeString(text)
		w.hands.Pass(confirmWithin + time.Second)
		_, err = w.ConfirmSecondFactor(ctx, p, w.code(secret, 0))
		wantKind(t, "a code after an hour", err, fault.Conflict)
		w.hands.Pass(24 * time.Hour)
		if err := w.ForgetDue(ctx); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := w.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM second_factors`).Scan(&left); err != nil || left != 0 {
			t.Errorf("got %d rows, %v, want none", left, err)
		}
	})
}

// Only who makes a tenant's credentials takes a second factor away.
func TestAdminsResetASecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u, secret, _, p := w.protected(t, "acme")
		scope, err := w.Policy.Scope(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		_, _, foreign := w.owned(t, "globex")
		wantKind(t, "one's own", w.ResetSecondFactor(ctx, scope, u.ID), fault.Denied)
		wantKind(t, "another tenant's", w.ResetSecondFactor(ctx, foreign, u.ID), fault.NotFound)
		wantKind(t, "the provider, of a claimed tenant", w.UnscopedResetSecondFactor(ctx, staff, u.ID), fault.Conflict)

		second, err := w.CreateUser(ctx, scope, NewUser{Email: "second@acme.example", Role: policy.TenantAdmin, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, second.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := w.withCode(t, u, changed, w.code(secret, 1))
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "one who has none", w.ResetSecondFactor(ctx, scope, second.ID), fault.Conflict)
		if err := w.ResetSecondFactor(ctx, w.scope(t, token), u.ID); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a session of before", mine)
		if _, _, err := w.signIn(t, u.Login(), changed); err != nil {
			t.Errorf("with the password alone: got %v", err)
		}
	})
}

func TestStaffsSecondFactors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ann := w.member(t, "", "ann@provider.example", policy.SystemAdmin)
		token, _, err := w.signIn(t, ann.Email, password)
		if err != nil {
			t.Fatal(err)
		}
		p := w.authenticate(t, token)
		text, _, err := w.StartSecondFactor(ctx, p, password)
		if err != nil {
			t.Fatal(err)
		}
		secret, _ := base32Plain.DecodeString(text)
		if _, err := w.ConfirmSecondFactor(ctx, p, w.code(secret, 0)); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "one's own", w.UnscopedResetSecondFactor(ctx, ann.ID, ann.ID), fault.Denied)
		_, err = w.withCode(t, ann, password, "")
		wantKind(t, "without a code", err, fault.SecondFactor)
		if err := w.UnscopedResetSecondFactor(ctx, staff, ann.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.withCode(t, ann, password, ""); err != nil {
			t.Errorf("after the reset: got %v", err)
		}
	})
}

// A way in that asks for no codes answers as to a wrong password, also by the lockout.
func TestAWayWithoutCodesIsNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		u, secret, _, _ := w.protected(t, "acme")
		for range freeFailures {
			_, _, _, err := w.SignIn(t.Context(), Attempt{Login: u.Login(), Password: changed, Code: w.code(secret, 1), Codeless: true, Address: home})
			if fault.Message(err) != fault.Message(errNoSignIn) {
				t.Fatalf("the right password: got %v, want %v", err, errNoSignIn)
			}
		}
		_, err := w.withCode(t, u, changed, w.code(secret, 1))
		wantKind(t, "locked", err, fault.Throttled)
	})
}

// Who can write the database can neither turn a second factor off nor use a code twice.
func TestSecondFactorsAreMarked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		u, secret, _, _ := w.protected(t, "acme")
		try := func(what string) {
			t.Helper()
			_, err := w.withCode(t, u, changed, w.code(secret, 1))
			wantKind(t, what, err, fault.Damaged)
			var found []string
			if err := w.UnscopedVerify(t.Context(), func(table string, _ tenant.ID, _, _ string) { found = append(found, table) }); err != nil || len(found) == 0 {
				t.Errorf("%s: fsck names %v, %v, want a row", what, found, err)
			}
		}
		w.tamper(t, `UPDATE users SET second_factor = '' WHERE id = $1`, u.ID)
		try("turned off in the user's row")
		w.tamper(t, `UPDATE users SET second_factor = (SELECT id FROM second_factors) WHERE id = $1`, u.ID)
		w.tamper(t, `UPDATE second_factors SET used_step = 0 WHERE user_id = $1`, u.ID)
		try("a used code made good again")
	})
}

func TestALostSecondFactorLetsNobodyIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		u, secret, _, _ := w.protected(t, "acme")
		w.tamper(t, `DELETE FROM second_factors WHERE user_id = $1`, u.ID)
		_, err := w.withCode(t, u, changed, w.code(secret, 1))
		wantKind(t, "its row is gone", err, fault.Damaged)
	})
}

func TestOtherSessionsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, _ := w.owned(t, "acme")
		_, stranger, _ := w.owned(t, "globex")
		var tokens []string
		for range 3 {
			token, _, err := w.signIn(t, u.Login(), changed)
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		foreign, _, err := w.signIn(t, stranger.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.EndOtherSessions(ctx, w.authenticate(t, tokens[1])); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "the first", tokens[0])
		w.refused(t, "the last", tokens[2])
		w.authenticate(t, tokens[1])
		w.authenticate(t, foreign)
		wantKind(t, "a key", w.EndOtherSessions(ctx, policy.Principal{Kind: policy.APIKey, Tenant: u.Tenant}), fault.Conflict)
	})
}

// A tenant's user adds keys to itself, with the password once more, and to nobody else.
func TestPeopleAddTheirOwnSSHKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, admin := w.owned(t, "acme")
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, u.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		p := w.authenticate(t, token)
		line := ed25519Line(t)
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.AddOwnSSHKey(ctx, p, "a wrong password", NewSSHKey{Name: "laptop", PublicKey: line})
		wantKind(t, "a wrong password", err, fault.Denied)
		k, err := w.AddOwnSSHKey(ctx, p, password, NewSSHKey{Name: "laptop", PublicKey: line})
		if err != nil {
			t.Fatal(err)
		}
		if k.User != u.ID || k.CreatedBy != u.ID || k.ProviderMade {
			t.Errorf("got %+v, want a key of its own", k)
		}
		if _, err := w.AuthenticateKey(ctx, u.Login(), key, home); err != nil {
			t.Errorf("signing in with it: got %v", err)
		}
		other, _, err := w.signIn(t, boss.Login(), changed)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "a colleague's", w.RevokeOwnSSHKey(ctx, w.authenticate(t, other), k.ID), fault.NotFound)
		if err := w.RevokeOwnSSHKey(ctx, p, k.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.AuthenticateKey(ctx, u.Login(), key, home)
		wantKind(t, "revoked", err, fault.Unauthenticated)
		list, err := w.OwnSSHKeys(ctx, p)
		if err != nil || len(list) != 1 || list[0].RevokedAt == nil || list[0].UsedAt == nil {
			t.Errorf("got %+v, %v, want the one, revoked, with its last use", list, err)
		}
		_, err = w.AddOwnSSHKey(ctx, policy.Principal{User: "usr_x"}, password, NewSSHKey{Name: "x", PublicKey: line})
		wantKind(t, "one of the provider's", err, fault.Invalid)
	})
}
