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

// A person who goes takes the API keys along that it made, and those made with them.
func TestTheKeysThatAPersonMadeEndWithIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		off, lower := UserDisabled, policy.Auditor
		w.member(t, "", "stays@example.com", policy.SystemAdmin)
		kept, stays, err := w.UnscopedCreateAPIKey(ctx, staff, "", NewAPIKey{Role: policy.Auditor})
		if err != nil {
			t.Fatal(err)
		}
		acme := w.tenant(t, "acme")
		for name, patch := range map[string]UserPatch{"disabled": {State: &off}, "demoted": {Role: &lower}} {
			u := w.member(t, "", name+"@example.com", policy.SystemAdmin)
			first, one, err := w.UnscopedCreateAPIKey(ctx, u.ID, "", NewAPIKey{Role: policy.SystemAdmin})
			if err != nil {
				t.Fatal(err)
			}
			second, _, err := w.UnscopedCreateAPIKey(ctx, first.ID, "", NewAPIKey{Role: policy.SystemAdmin})
			if err != nil {
				t.Fatal(err)
			}
			_, third, err := w.UnscopedCreateAPIKey(ctx, second.ID, "", NewAPIKey{Role: policy.SystemAdmin})
			if err != nil {
				t.Fatal(err)
			}
			_, tenants, err := w.UnscopedCreateAPIKey(ctx, second.ID, acme.ID, NewAPIKey{Role: policy.TenantAdmin})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.endAPIKey(ctx, w.DB, "test", &second); err != nil { // alone: what follows it ends all the same
				t.Fatal(err)
			}
			live := w.authenticate(t, third)
			if _, err := w.UnscopedUpdateUser(ctx, staff, u.ID, patch); err != nil {
				t.Fatal(err)
			}
			w.refused(t, name+": its key", one)
			w.refused(t, name+": a key of its key's key", third)
			w.refused(t, name+": its key's key for a tenant", tenants)
			wantKind(t, name+": a live principal", w.Policy.Allow(ctx, live, policy.TenantRead, policy.Resource{Type: "tenant"}), fault.Unauthenticated)
		}
		if p := w.authenticate(t, stays); p.Credential != kept.ID {
			t.Errorf("another's key: got %q, want %q", p.Credential, kept.ID)
		}
	})
}

// A key that is revoked takes along what was made with it, in turn, and nothing else.
func TestTheKeysThatAKeyMadeEndWithIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, boss, owner := w.owned(t, "acme")
		_, other, err := w.CreateAPIKey(ctx, owner, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		byHand, err := w.AddSSHKey(ctx, owner, boss.ID, NewSSHKey{Name: "by hand", PublicKey: ed25519Line(t)})
		if err != nil {
			t.Fatal(err)
		}
		// Each revokes the first of three keys, the middle one of which has gone before.
		for name, revoke := range map[string]func(id string) error{
			"the tenant":   func(id string) error { return w.RevokeAPIKey(ctx, owner, id) },
			"the provider": func(id string) error { return w.UnscopedRevokeAPIKey(ctx, staff, id) },
		} {
			first, one, err := w.CreateAPIKey(ctx, owner, NewAPIKey{Role: policy.TenantAdmin})
			if err != nil {
				t.Fatal(err)
			}
			middle, two, err := w.CreateAPIKey(ctx, w.scope(t, one), NewAPIKey{Role: policy.TenantAdmin})
			if err != nil {
				t.Fatal(err)
			}
			_, three, err := w.CreateAPIKey(ctx, w.scope(t, two), NewAPIKey{Role: policy.TenantAdmin})
			if err != nil {
				t.Fatal(err)
			}
			live := w.scope(t, three)
			text := ed25519Line(t)
			if _, err := w.AddSSHKey(ctx, live, boss.ID, NewSSHKey{Name: name, PublicKey: text}); err != nil {
				t.Fatal(err)
			}
			public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.AuthenticateKey(ctx, boss.Login(), public, home)
			if err != nil {
				t.Fatalf("the SSH key before: %v", err)
			}
			u, err := w.CreateUser(ctx, w.scope(t, one), NewUser{Email: first.ID + "@acme.example", Role: policy.TenantUser, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			// As an earlier server left it: the middle one alone.
			if err := w.endAPIKey(ctx, w.DB, "test", &middle); err != nil {
				t.Fatal(err)
			}
			apis, sshs, told := len(w.entries(t, acme.ID, "apikey.revoke")), len(w.entries(t, acme.ID, "sshkey.revoke")), len(w.entries(t, "", "sshkey.revoke"))
			if err := revoke(first.ID); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			w.refused(t, name+": the key", one)
			w.refused(t, name+": a key of its key", three)
			wantKind(t, name+": a scope of that", live.Check(ctx, tenant.Read, tenant.Credentials), fault.Unauthenticated)
			_, err = w.AuthenticateKey(ctx, boss.Login(), public, home)
			wantKind(t, name+": the SSH key that it added", err, fault.Unauthenticated)
			_, err = w.Policy.Scope(ctx, p)
			wantKind(t, name+": a live principal of the SSH key", err, fault.Unauthenticated)
			apis, sshs, told = len(w.entries(t, acme.ID, "apikey.revoke"))-apis, len(w.entries(t, acme.ID, "sshkey.revoke"))-sshs, len(w.entries(t, "", "sshkey.revoke"))-told
			if want := map[string]int{"the provider": 1}[name]; apis != 2 || sshs != 1 || told != want {
				t.Errorf("%s: got %d and %d entries of API and SSH keys, and %d of the latter in the provider's chain, want 2, 1 and %d", name, apis, sshs, told, want)
			}
			if _, _, err := w.signIn(t, u.Login(), password); err != nil {
				t.Errorf("%s: the person whom it made: %v, want that it stays", name, err)
			}
		}
		w.authenticate(t, other)
		list, err := w.SSHKeys(ctx, owner, boss.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			if (k.RevokedAt == nil) != (k.ID == byHand.ID) {
				t.Errorf("the SSH key %q: revoked %v", k.Name, k.RevokedAt)
			}
		}
	})
}

// What a key makes is no wider than the key.
func TestAKeyMakesNothingWider(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, owner := w.owned(t, "acme")
		soon, later, sooner := w.hands.Now().Add(time.Hour), w.hands.Now().Add(2*time.Hour), w.hands.Now().Add(time.Minute)
		office, desk, world := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("192.0.2.0/23")
		_, secret, err := w.CreateAPIKey(ctx, owner, NewAPIKey{Role: policy.TenantAdmin, ExpiresAt: &soon, IPAllow: []netip.Prefix{office}})
		if err != nil {
			t.Fatal(err)
		}
		bound := w.scope(t, secret)
		for what, c := range map[string]struct {
			expires *time.Time
			allow   []netip.Prefix
			want    time.Time
			from    string
		}{
			"no bounds":     {nil, nil, soon, "192.0.2.0/24"},
			"a longer life": {&later, nil, soon, "192.0.2.0/24"},
			"narrower":      {&sooner, []netip.Prefix{desk}, sooner, "192.0.2.7/32"},
		} {
			k, _, err := w.CreateAPIKey(ctx, bound, NewAPIKey{Role: policy.TenantUser, ExpiresAt: c.expires, IPAllow: c.allow})
			if err != nil || k.ExpiresAt == nil || !k.ExpiresAt.Equal(c.want) || len(k.IPAllow) != 1 || k.IPAllow[0].String() != c.from {
				t.Errorf("an API key, %s: got %v from %v, %v, want %v from %s", what, k.ExpiresAt, k.IPAllow, err, c.want, c.from)
			}
			s, err := w.AddSSHKey(ctx, bound, boss.ID, NewSSHKey{Name: "k", PublicKey: ed25519Line(t), ExpiresAt: c.expires, IPAllow: c.allow})
			if err != nil || s.ExpiresAt == nil || !s.ExpiresAt.Equal(c.want) || len(s.IPAllow) != 1 || s.IPAllow[0].String() != c.from {
				t.Errorf("an SSH key, %s: got %v from %v, %v, want %v from %s", what, s.ExpiresAt, s.IPAllow, err, c.want, c.from)
			}
		}
		_, _, err = w.CreateAPIKey(ctx, bound, NewAPIKey{Role: policy.TenantUser, IPAllow: []netip.Prefix{world}})
		wantKind(t, "a wider network", err, fault.Invalid)

		_, err = w.CreateUser(ctx, bound, NewUser{Email: "peer@acme.example", Role: policy.TenantAdmin, Password: password})
		wantKind(t, "a user with the key's role", err, fault.Denied)
		wantKind(t, "the password of one", w.SetPassword(ctx, bound, boss.ID, password), fault.Denied)
		u, err := w.CreateUser(ctx, bound, NewUser{Email: "u@acme.example", Role: policy.TenantUser, Password: password})
		if err != nil {
			t.Fatalf("a user below the key: %v", err)
		}
		admin := policy.TenantAdmin
		_, err = w.UpdateUser(ctx, bound, u.ID, UserPatch{Role: &admin})
		wantKind(t, "who then gets its role", err, fault.Denied)
		if _, err := w.UpdateUser(ctx, owner, u.ID, UserPatch{Role: &admin}); err != nil {
			t.Errorf("an admin who is signed in: %v", err)
		}
	})
}
