package account

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// entries returns what the chain of a tenant, or the provider's, says of a verb.
func (w *world) entries(t *testing.T, id tenant.ID, verb string) []audit.Full {
	t.Helper()
	list, _, err := w.Audit.UnscopedEntries(t.Context(), audit.Filter{Tenant: &id, Verb: verb}, meta.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A user whom the provider's key makes an admin takes over like any other admin:
// it cannot shed the mark of the provider and leave the tenant unclaimed.
func TestAUserWhomTheProviderPromotesTakesOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		u := w.member(t, acme.ID, "u@acme.example", policy.TenantUser)
		_, secret, err := w.UnscopedCreateAPIKey(ctx, staff, acme.ID, NewAPIKey{Role: policy.TenantAdmin})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.signIn(t, u.Login(), password); err != nil {
			t.Fatal(err)
		}
		admin := policy.TenantAdmin
		if _, err := w.UpdateUser(ctx, w.scope(t, secret), u.ID, UserPatch{Role: &admin}); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := w.SignIn(ctx, Attempt{Login: u.Login(), Password: password, Next: changed, Address: home}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Control.UnscopedTenant(ctx, "acme"); err != nil || got.ClaimedAt == nil {
			t.Errorf("claimed: got %v, %v, want when", got.ClaimedAt, err)
		}
		w.refused(t, "the provider's key", secret)
	})
}

// A password takes long to check. What happens to the account meanwhile holds.
func TestASignInUndoesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, _, admin := w.owned(t, "acme")
		off, lower := UserDisabled, policy.TenantUser
		for name, change := range map[string]func(u User) error{
			"disabled": func(u User) error { _, err := w.UpdateUser(ctx, admin, u.ID, UserPatch{State: &off}); return err },
			"demoted":  func(u User) error { _, err := w.UpdateUser(ctx, admin, u.ID, UserPatch{Role: &lower}); return err },
			"reset":    func(u User) error { return w.SetPassword(ctx, admin, u.ID, "yet another password") },
		} {
			u, err := w.CreateUser(ctx, admin, NewUser{Email: name + "@acme.example", Role: policy.TenantAdmin, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			if err := change(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want, err := w.UnscopedUser(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = w.openSession(ctx, u, "", Attempt{Address: home})
			wantKind(t, name, err, fault.Unauthenticated)
			if got, err := w.UnscopedUser(ctx, u.ID); err != nil || got.State != want.State || got.Role != want.Role || got.password != want.password {
				t.Errorf("%s: the user is %+v, %v, want %+v", name, got, err, want)
			}
		}
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Control.UnscopedSuspend(ctx, staff, string(acme.ID), "test"); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.openSession(ctx, u, "", Attempt{Address: home})
		wantKind(t, "the tenant was suspended", err, fault.Unauthenticated)

		// Two admins with passwords from the provider: the first takes over, and the other's ends.
		other := w.tenant(t, "other")
		one, two := w.member(t, other.ID, "a@other.example", policy.TenantAdmin), w.member(t, other.ID, "b@other.example", policy.TenantAdmin)
		own, err := w.hash(ctx, changed)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.openSession(ctx, one, own, Attempt{Address: home, Agent: ""}); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.openSession(ctx, two, own, Attempt{Address: home, Agent: ""})
		wantKind(t, "the second admin of the provider's", err, fault.Unauthenticated)
	})
}

// A change of password that an admin's reset overtakes does not win.
func TestAResetIsNotUndone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, admin := w.owned(t, "acme")
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetPassword(ctx, admin, u.ID, "yet another password"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "a change begun before", w.replacePassword(ctx, u, changed), fault.Unauthenticated)
		if _, _, err := w.signIn(t, u.Login(), "yet another password"); err != nil {
			t.Errorf("the password that the admin set: %v", err)
		}
	})
}

// Whoever finds a session open cannot set its user's password.
func TestOnesOwnPasswordTakesThePresentOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, admin := w.owned(t, "acme")
		wantKind(t, "an admin's own", w.SetPassword(ctx, admin, boss.ID, password), fault.Denied)
		root := w.member(t, "", "root@example.com", policy.SystemAdmin)
		wantKind(t, "a system admin's own", w.UnscopedSetPassword(ctx, root.ID, root.ID, changed), fault.Denied)
		wantKind(t, "another's", w.UnscopedSetPassword(ctx, staff, root.ID, changed), "")
	})
}

// A disk that is full stops what writes, and reading does not. Here the context ends
// between the look at the credential and the note of its use.
func TestACredentialIsGoodWhenItsUseCannotBeNoted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, _, admin := w.owned(t, "acme")
		u, err := w.CreateUser(t.Context(), admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := w.CreateAPIKey(t.Context(), admin, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, u.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{noteUse, sessionTurn} {
			w.hands.Pass(after)
			for what, try := range map[string]func(context.Context, *Accounts) error{
				"the API key": func(ctx context.Context, a *Accounts) error { _, err := a.keyOf(ctx, secret); return err },
				"the session": func(ctx context.Context, a *Accounts) error {
					_, renewed, err := a.session(ctx, token)
					if renewed != "" {
						return errors.New("a token that was not stored")
					}
					return err
				},
			} {
				ctx, cancel := context.WithCancel(t.Context())
				cfg := w.Config
				cfg.Clock = clock.Clock{NowFunc: func() time.Time { cancel(); return w.hands.Now() }}
				if err := try(ctx, New(cfg)); err != nil || ctx.Err() == nil {
					t.Errorf("%s after %s: %v", what, after, err)
				}
			}
			w.authenticate(t, secret)
		}
		if p := w.authenticate(t, token); p.User != u.ID {
			t.Errorf("the session: got %+v, want %s", p, u.ID)
		}
	})
}

// A request that was allowed before its maker was stopped makes nothing after.
func TestWhoIsStoppedMakesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, boss, owner := w.owned(t, "acme")
		off, lower := UserDisabled, policy.TenantUser
		stop := map[string]func(u User, k APIKey) (string, error){
			"disabled": func(u User, _ APIKey) (string, error) {
				_, err := w.UpdateUser(ctx, owner, u.ID, UserPatch{State: &off})
				return u.ID, err
			},
			"demoted": func(u User, _ APIKey) (string, error) {
				_, err := w.UpdateUser(ctx, owner, u.ID, UserPatch{Role: &lower})
				return u.ID, err
			},
			"revoked": func(_ User, k APIKey) (string, error) { return k.ID, w.RevokeAPIKey(ctx, owner, k.ID) },
		}
		for name, stop := range stop {
			u, err := w.CreateUser(ctx, owner, NewUser{Email: name + "@acme.example", Role: policy.TenantAdmin, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			k, _, err := w.CreateAPIKey(ctx, owner, NewAPIKey{Role: policy.TenantAdmin})
			if err != nil {
				t.Fatal(err)
			}
			by, err := stop(u, k)
			if err != nil {
				t.Fatal(err)
			}
			good := func(*meta.DB) error { return nil }
			_, _, err = w.createAPIKey(ctx, w.DB, by, acme.ID, false, NewAPIKey{Role: policy.TenantUser})
			wantKind(t, name+": an API key", err, fault.Unauthenticated)
			_, err = w.addSSHKey(ctx, by, acme.ID, boss.ID, false, NewSSHKey{Name: "k", PublicKey: ed25519Line(t)}, func() error { return nil })
			wantKind(t, name+": an SSH key", err, fault.Unauthenticated)
			_, err = w.createUser(ctx, w.DB, by, acme.ID, false, NewUser{Email: "late@acme.example", Role: policy.TenantUser})
			wantKind(t, name+": a user", err, fault.Unauthenticated)
			wantKind(t, name+": a password", w.setPassword(ctx, by, acme.ID, boss.ID, "yet another password", false, good), fault.Unauthenticated)
			if by == u.ID {
				_, err = w.changeUser(ctx, by, acme.ID, by, "user.update", false, good, func(_ *meta.DB, u *User) error {
					u.Role, u.State = policy.TenantAdmin, UserActive
					return nil
				})
				wantKind(t, name+": itself", err, fault.Unauthenticated)
			}
		}
	})
}

// Who can write the database, but has no keys, makes no system admin.
func TestASetupLinkCannotBeWritten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		at := meta.Micros(w.hands.Now().Add(time.Minute))
		if _, err := w.DB.Exec(ctx, `INSERT INTO setup_links (token_hash, expires_at) VALUES ($1, $2)`, digest("tru_forged"), at); err != nil {
			t.Fatal(err)
		}
		_, _, err := w.ClaimSetup(ctx, "tru_forged", "a@example.com", password)
		wantKind(t, "a link that was written", err, fault.Unauthenticated)
		token, _, err := w.SetupLink(ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.tamper(t, `UPDATE setup_links SET expires_at = expires_at + 1000000000000`)
		w.hands.Pass(time.Hour)
		_, _, err = w.ClaimSetup(ctx, token, "a@example.com", password)
		wantKind(t, "a link whose end was moved", err, fault.Unauthenticated)
	})
}

// However an account is named, it has one budget; an email of several accounts is
// no login, costs the same and is no tenant's to read.
func TestALoginMeansOneAccount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, _, admin := w.owned(t, "acme")
		beta, _, second := w.owned(t, "beta")
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@shared.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		for _, login := range []string{u.Login(), u.Email, u.Login(), u.Email, u.Email} {
			_, _, err := w.signIn(t, login, "wrong")
			wantKind(t, "a wrong password for "+login, err, fault.Unauthenticated)
		}
		for _, login := range []string{u.Login(), u.Email} {
			for range 3 {
				_, _, err := w.signIn(t, login, password)
				wantKind(t, login+", locked", err, fault.Throttled)
			}
		}
		locked := 0
		for _, e := range w.entries(t, acme.ID, "session.create") {
			if e.Outcome == "locked" && e.Subject == u.ID {
				locked++
			}
		}
		if locked != 1 {
			t.Errorf("attempts at the locked account: got %d in the tenant's chain, want 1 a minute", locked)
		}
		w.hands.Pass(lockBase)
		if _, _, err := w.signIn(t, u.Email, password); err != nil {
			t.Fatalf("the email of one account: %v", err)
		}

		if _, err := w.CreateUser(ctx, second, NewUser{Email: u.Email, Role: policy.TenantUser, Password: password}); err != nil {
			t.Fatal(err)
		}
		before := [3]int{len(w.entries(t, acme.ID, "session.create")), len(w.entries(t, beta.ID, "session.create")), len(w.entries(t, "", "session.create"))}
		_, _, err = w.signIn(t, u.Email, password)
		wantKind(t, "the email of two", err, fault.Unauthenticated)
		_, _, unknown := w.signIn(t, "nobody@shared.example", password)
		if fault.Message(err) != fault.Message(unknown) {
			t.Errorf("got %q, want the same as for nobody: %q", fault.Message(err), fault.Message(unknown))
		}
		after := [3]int{len(w.entries(t, acme.ID, "session.create")), len(w.entries(t, beta.ID, "session.create")), len(w.entries(t, "", "session.create"))}
		if want := [3]int{before[0], before[1], before[2] + 2}; after != want {
			t.Errorf("entries of acme, beta and the provider: got %v, want %v", after, want)
		}
		if _, _, err := w.signIn(t, u.Login(), password); err != nil {
			t.Errorf("SLUG.USER: %v", err)
		}
		root := w.member(t, "", "root@example.com", policy.SystemAdmin)
		if _, err := w.CreateUser(ctx, second, NewUser{Email: root.Email, Role: policy.TenantUser, Password: changed}); err != nil {
			t.Fatal(err)
		}
		if _, s, err := w.signIn(t, root.Email, password); err != nil || s.User != root.ID {
			t.Errorf("one of the provider's people, whose email a tenant uses: %v", err)
		}
	})
}

// What the provider does to a tenant's person is in its own chain too, without
// saying who that is.
func TestTheProvidersActsOnPeopleAreInBothChains(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		w.member(t, acme.ID, "boss@acme.example", policy.TenantAdmin)
		u := w.member(t, acme.ID, "u@acme.example", policy.TenantUser)
		if err := w.UnscopedSetPassword(ctx, staff, u.ID, changed); err != nil {
			t.Fatal(err)
		}
		off := UserDisabled
		if _, err := w.UnscopedUpdateUser(ctx, staff, u.ID, UserPatch{State: &off}); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"user.create", "user.password", "user.update"} {
			for _, id := range []tenant.ID{"", acme.ID} {
				found := 0
				for _, e := range w.entries(t, id, verb) {
					if e.Subject == u.ID && e.Actor == staff {
						found++
					}
					if id == "" && len(e.Details) > 0 {
						t.Errorf("%s in the provider's chain says %v", verb, e.Details)
					}
				}
				if found != 1 {
					t.Errorf("%s in the chain of %q: got %d, want 1", verb, id, found)
				}
			}
		}
	})
}

// Why a tenant is suspended, its people read.
func TestASuspensionSaysWhy(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, _, admin := w.owned(t, "acme")
		_, secret, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		p := w.authenticate(t, secret)
		transfer, err := w.Policy.TransferScope(ctx, p, w.Reverify)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Control.UnscopedSuspend(ctx, staff, string(acme.ID), "the invoice of March"); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.Authenticate(ctx, secret, home)
		wantKind(t, "a request", err, fault.Denied)
		if !strings.Contains(fault.Message(err), "the invoice of March") {
			t.Errorf("got %q, want the reason", fault.Message(err))
		}
		err = transfer.Check(ctx, tenant.Write, tenant.VaultInput)
		wantKind(t, "a transfer under way", err, fault.Denied)
	})
}
