package account

import (
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
)

// The provider makes credentials for a tenant until it is claimed; those are
// marked, and end when the tenant's first admin signs in with a new password.
func TestTheProvidersCredentialsEndAtTheFirstSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		boss := w.member(t, acme.ID, "boss@acme.example", policy.TenantAdmin)
		worker := w.member(t, acme.ID, "worker@acme.example", policy.TenantUser)
		key, secret, err := w.UnscopedCreateAPIKey(ctx, staff, acme.ID, NewAPIKey{Role: policy.TenantAdmin})
		if err != nil {
			t.Fatal(err)
		}
		ssh, err := w.UnscopedAddSSHKey(ctx, staff, worker.ID, NewSSHKey{Name: "laptop", PublicKey: ed25519Line(t)})
		if err != nil {
			t.Fatal(err)
		}
		if !boss.ProviderMade || !worker.ProviderMade || !key.ProviderMade || !ssh.ProviderMade {
			t.Errorf("marked: got %v %v %v %v, want all", boss.ProviderMade, worker.ProviderMade, key.ProviderMade, ssh.ProviderMade)
		}
		wantKind(t, "reset a password before the claim", w.UnscopedSetPassword(ctx, staff, boss.ID, "another password"), "")
		wantKind(t, "and set it back", w.UnscopedSetPassword(ctx, staff, boss.ID, password), "")
		byWorker, _, err := w.signIn(t, worker.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		live := w.scope(t, secret)

		_, _, err = w.signIn(t, boss.Login(), password)
		wantKind(t, "the admin without a new password", err, fault.Conflict)
		_, _, _, err = w.SignIn(ctx, Attempt{Login: boss.Login(), Password: password, Next: password, Address: home})
		wantKind(t, "the admin with the same password", err, fault.Invalid)
		_, _, _, err = w.SignIn(ctx, Attempt{Login: boss.Login(), Password: password, Next: "short", Address: home})
		wantKind(t, "the admin with a short password", err, fault.Invalid)
		w.authenticate(t, secret) // nothing has ended yet
		token, _, _, err := w.SignIn(ctx, Attempt{Login: boss.Login(), Password: password, Next: changed, Address: home})
		if err != nil {
			t.Fatal(err)
		}
		w.refused(t, "the provider's key", secret)
		w.refused(t, "a session with the provider's password", byWorker)
		wantKind(t, "a scope of the provider's key", live.Check(ctx, "read", "vault/input"), fault.Unauthenticated)
		_, _, err = w.signIn(t, worker.Login(), password)
		wantKind(t, "the worker's password from the provider", err, fault.Unauthenticated)
		_, _, err = w.signIn(t, boss.Login(), password)
		wantKind(t, "the admin's password from the provider", err, fault.Unauthenticated)
		admin := w.scope(t, token)
		if list, err := w.SSHKeys(ctx, admin, worker.ID); err != nil || len(list) != 1 || list[0].RevokedAt == nil {
			t.Errorf("the provider's SSH key: got %+v, %v, want it revoked", list, err)
		}
		if got, err := w.Control.UnscopedTenant(ctx, "acme"); err != nil || got.ClaimedAt == nil {
			t.Errorf("claimed: got %v, %v, want when", got.ClaimedAt, err)
		}
		if err := w.SetPassword(ctx, admin, worker.ID, changed); err != nil {
			t.Fatal(err)
		}
		again, _, err := w.signIn(t, worker.Login(), changed)
		if err != nil {
			t.Fatalf("the worker with a password from its own admin: %v", err)
		}
		w.scope(t, again)
	})
}

func TestAfterTheClaimTheProviderMakesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		u := w.member(t, acme.ID, "a@acme.example", policy.TenantUser)
		if err := w.DB.Transact(ctx, func(tx *meta.DB) error { return w.Control.Claim(ctx, tx, acme.ID) }); err != nil {
			t.Fatal(err)
		}
		_, err := w.UnscopedCreateUser(ctx, staff, acme.ID, NewUser{Email: "b@acme.example", Role: policy.TenantAdmin})
		wantKind(t, "user", err, fault.Conflict)
		_, _, err = w.UnscopedCreateAPIKey(ctx, staff, acme.ID, NewAPIKey{Role: policy.TenantUser})
		wantKind(t, "API key", err, fault.Conflict)
		_, err = w.UnscopedAddSSHKey(ctx, staff, u.ID, NewSSHKey{Name: "a", PublicKey: ed25519Line(t)})
		wantKind(t, "SSH key", err, fault.Conflict)
		wantKind(t, "password", w.UnscopedSetPassword(ctx, staff, u.ID, changed), fault.Conflict)
		admin, on := policy.TenantAdmin, UserActive
		for _, p := range []UserPatch{{Role: &admin}, {State: &on}, {}} {
			_, err = w.UnscopedUpdateUser(ctx, staff, u.ID, p)
			wantKind(t, "change of a user", err, fault.Conflict)
		}
		off := UserDisabled
		if _, err := w.UnscopedUpdateUser(ctx, staff, u.ID, UserPatch{State: &off}); err != nil {
			t.Errorf("disabling, which takes power away: %v", err)
		}
	})
}

// What a credential from the provider makes is the provider's as well, or a key
// made in good time would be a way in for ever.
func TestWhatAProvidersKeyMakesEndsToo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.tenant(t, "acme")
		boss := w.member(t, acme.ID, "boss@acme.example", policy.TenantAdmin)
		worker := w.member(t, acme.ID, "worker@acme.example", policy.TenantUser)
		_, secret, err := w.UnscopedCreateAPIKey(ctx, staff, acme.ID, NewAPIKey{Role: policy.TenantAdmin})
		if err != nil {
			t.Fatal(err)
		}
		scope := w.scope(t, secret)
		_, made, err := w.CreateAPIKey(ctx, scope, NewAPIKey{Role: policy.TenantAdmin})
		if err != nil {
			t.Fatal(err)
		}
		u, err := w.CreateUser(ctx, scope, NewUser{Email: "late@acme.example", Role: policy.TenantAdmin, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.AddSSHKey(ctx, scope, u.ID, NewSSHKey{Name: "a", PublicKey: ed25519Line(t)}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetPassword(ctx, scope, boss.ID, "one more password"); err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, worker.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ChangePassword(ctx, w.authenticate(t, token), password, changed); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.signIn(t, worker.Login(), changed); err != nil {
			t.Fatal(err)
		}

		_, _, err = w.signIn(t, boss.Login(), "one more password")
		wantKind(t, "the admin without a new password", err, fault.Conflict)
		if _, _, _, err := w.SignIn(ctx, Attempt{Login: boss.Login(), Password: "one more password", Next: changed, Address: home}); err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a key that the provider's key made", made)
		_, _, err = w.signIn(t, u.Login(), password)
		wantKind(t, "a user that the provider's key made", err, fault.Unauthenticated)
		_, _, err = w.signIn(t, worker.Login(), changed)
		wantKind(t, "a password that followed the provider's", err, fault.Unauthenticated)
		if list, err := w.UnscopedSSHKeys(ctx, u.ID); err != nil || len(list) != 1 || list[0].RevokedAt == nil {
			t.Errorf("an SSH key that the provider's key made: got %+v, %v, want it revoked", list, err)
		}
	})
}
