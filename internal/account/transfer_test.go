package account

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// A scope of a transfer goes on while its credential is good, whatever happens to
// others, and not when it has ended in the store, as another process may see to.
func TestTransfersOutlastTheirScope(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, admin := w.owned(t, "acme")
		user, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password, SSHPublicKey: ed25519Line(t)})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := w.SSHKeys(ctx, admin, user.ID)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%d SSH keys, %v", len(keys), err)
		}
		token, _, err := w.signIn(t, user.Login(), password)
		if err != nil {
			t.Fatal(err)
		}
		// By another's hour, so that each credential has a story of its own. The transfers
		// begin late enough that the session's end comes before LongestTransfer.
		const signedIn = 55 * time.Minute
		expires := w.hands.Now().Add(signedIn + 5*time.Hour)
		_, secret, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser, Name: "k", ExpiresAt: &expires})
		if err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(signedIn)
		session, key := w.authenticate(t, token), w.authenticate(t, secret)
		byKey := session
		byKey.Credential, byKey.Kind = keys[0].ID, policy.SSHKey
		scopes := map[policy.Kind]tenant.Scope{}
		for _, p := range []policy.Principal{session, key, byKey} {
			if scopes[p.Kind], err = w.Policy.TransferScope(ctx, p, w.Reverify); err != nil {
				t.Fatal(err)
			}
		}
		plain, err := w.Policy.Scope(ctx, session)
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string, want map[policy.Kind]fault.Kind) {
			t.Helper()
			for kind, s := range scopes {
				wantKind(t, when+", by "+string(kind), s.Check(ctx, tenant.Write, tenant.VaultInput), want[kind])
			}
		}
		for range 4*4 + 2 { // past the session's idle time: its transfer is its use
			w.hands.Pass(policy.Life)
			check("all are good", nil)
		}
		wantKind(t, "a scope for anything else", plain.Check(ctx, tenant.Write, tenant.VaultInput), fault.Unauthenticated)
		w.hands.Pass(time.Hour)
		check("the API key has expired", map[policy.Kind]fault.Kind{policy.APIKey: fault.Unauthenticated})
		delete(scopes, policy.APIKey)

		// In the store alone, as after a restart: nothing has told policy.
		k := keys[0]
		if err := w.endSSHKey(ctx, w.DB, "test", &k); err != nil {
			t.Fatal(err)
		}
		check("the SSH key is revoked, in its life", nil)
		w.hands.Pass(policy.Life)
		check("the SSH key is revoked", map[policy.Kind]fault.Kind{policy.SSHKey: fault.Unauthenticated})
		delete(scopes, policy.SSHKey)

		w.hands.Pass(sessionMost - signedIn - 18*policy.Life - time.Hour - policy.Life - time.Microsecond)
		check("a moment before the session's end", nil)
		w.hands.Pass(policy.Life)
		check("the session's end", map[policy.Kind]fault.Kind{policy.Session: fault.Unauthenticated})
	})
}

// Reverify asks all that Authenticate asks but the secret.
func TestReverifySeesWhatHasChanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, c := range map[string]struct {
			change func(id tenant.ID, admin tenant.Scope, u User, k APIKey) error
			key    fault.Kind
			user   fault.Kind
			role   policy.Role // of the user, where it is good
		}{
			"nothing": {func(tenant.ID, tenant.Scope, User, APIKey) error { return nil }, "", "", policy.TenantUser},
			"the user is an admin now": {func(_ tenant.ID, admin tenant.Scope, u User, _ APIKey) error {
				u.Role = policy.TenantAdmin
				return w.saveUser(ctx, w.DB, "test", &u)
			}, "", "", policy.TenantAdmin},
			"the user is disabled": {func(_ tenant.ID, _ tenant.Scope, u User, _ APIKey) error {
				u.State = UserDisabled
				return w.saveUser(ctx, w.DB, "test", &u)
			}, "", fault.Unauthenticated, ""},
			"the key is revoked": {func(_ tenant.ID, admin tenant.Scope, _ User, k APIKey) error {
				return w.RevokeAPIKey(ctx, admin, k.ID)
			}, fault.Unauthenticated, "", policy.TenantUser},
			"the tenant is suspended": {func(id tenant.ID, _ tenant.Scope, _ User, _ APIKey) error {
				_, err := w.Control.UnscopedSuspend(ctx, staff, string(id), "test")
				return err
			}, fault.Denied, fault.Denied, ""},
			"the row was tampered with": {func(_ tenant.ID, _ tenant.Scope, u User, k APIKey) error {
				w.tamper(t, `UPDATE users SET role = 'tenant_admin' WHERE id = $1`, u.ID)
				w.tamper(t, `UPDATE api_keys SET role = 'tenant_admin' WHERE id = $1`, k.ID)
				return nil
			}, fault.Damaged, fault.Damaged, ""},
		} {
			slug := "acme-" + w.Clock.ID("x")[2:12]
			acme, _, admin := w.owned(t, slug)
			u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@" + slug + ".example", Role: policy.TenantUser, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := w.signIn(t, u.Login(), password)
			if err != nil {
				t.Fatal(err)
			}
			k, secret, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser, IPAllow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
			if err != nil {
				t.Fatal(err)
			}
			session, key := w.authenticate(t, token), w.authenticate(t, secret)
			if err := c.change(acme.ID, admin, u, k); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := w.Reverify(ctx, session)
			wantKind(t, name+", the session", err, c.user)
			if err == nil && got.Role != c.role {
				t.Errorf("%s: the session's role is %s, want %s", name, got.Role, c.role)
			}
			_, err = w.Reverify(ctx, key)
			wantKind(t, name+", the key", err, c.key)
			key.Address = netip.MustParseAddr("198.51.100.1")
			if _, err = w.Reverify(ctx, key); err == nil {
				t.Errorf("%s: the key is good from an address that it is not for", name)
			}
			key.Kind = policy.SSHKey
			if _, err = w.Reverify(ctx, key); err == nil {
				t.Errorf("%s: an API key is good as an SSH key", name)
			}
		}
	})
}

// A role that changes ends the user's sessions, and what its SSH key has under
// way; the key goes on with the new role. Nobody else's work ends.
func TestAChangedRoleEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, _, admin := w.owned(t, "acme")
		line := ed25519Line(t)
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "u@acme.example", Role: policy.TenantAdmin, Password: password, SSHPublicKey: line})
		if err != nil {
			t.Fatal(err)
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		byKey := func() tenant.Scope {
			t.Helper()
			p, err := w.AuthenticateKey(ctx, u.Login(), public, home)
			if err != nil {
				t.Fatal(err)
			}
			s, err := w.Policy.TransferScope(ctx, p, w.Reverify)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		before := byKey()
		wantKind(t, "an admin's key deletes", before.Check(ctx, tenant.Delete, tenant.VaultInput), "")
		name := "U"
		if _, err := w.UpdateUser(ctx, admin, u.ID, UserPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "after a new name", before.Check(ctx, tenant.Delete, tenant.VaultInput), "")
		role := policy.TenantUser
		if _, err := w.UpdateUser(ctx, admin, u.ID, UserPatch{Role: &role}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "after the change of role", before.Check(ctx, tenant.Read, tenant.VaultInput), fault.Unauthenticated)
		after := byKey()
		wantKind(t, "a user's key reads", after.Check(ctx, tenant.Read, tenant.VaultInput), "")
		wantKind(t, "a user's key deletes", after.Check(ctx, tenant.Delete, tenant.VaultInput), fault.Denied)
		wantKind(t, "the admin who did it", admin.Check(ctx, tenant.Write, tenant.Credentials), "")
		if got, err := w.UnscopedUser(ctx, u.ID); err != nil || got.Tenant != acme.ID || got.Role != role {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
