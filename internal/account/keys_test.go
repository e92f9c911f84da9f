package account

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

func line(t *testing.T, public any) string {
	t.Helper()
	k, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(k))
}

func ed25519Line(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return line(t, public)
}

func TestKindsOfSSHKeys(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// Only its length is looked at, and a real one of this length takes seconds.
	long := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 3071), E: 65537}
	good := ed25519Line(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	past := now
	for _, c := range []struct {
		what string
		n    NewSSHKey
		ok   bool
	}{
		{"ed25519", NewSSHKey{Name: "a", PublicKey: good}, true},
		{"with a comment", NewSSHKey{Name: "a", PublicKey: strings.TrimSpace(good) + " me@laptop\n"}, true},
		{"ecdsa", NewSSHKey{Name: "a", PublicKey: line(t, &curve.PublicKey)}, true},
		{"rsa of 3072 bits", NewSSHKey{Name: "a", PublicKey: line(t, long)}, true},
		{"rsa of 2048 bits", NewSSHKey{Name: "a", PublicKey: line(t, &short.PublicKey)}, false},
		{"dsa", NewSSHKey{Name: "a", PublicKey: "ssh-dss AAAAB3NzaC1kc3MAAAABAQ=="}, false},
		{"with options", NewSSHKey{Name: "a", PublicKey: `command="sh" ` + good}, false},
		{"two keys", NewSSHKey{Name: "a", PublicKey: good + ed25519Line(t)}, false},
		{"nonsense", NewSSHKey{Name: "a", PublicKey: "ssh-ed25519 AAAA"}, false},
		{"empty", NewSSHKey{Name: "a"}, false},
		{"without a name", NewSSHKey{PublicKey: good}, false},
		{"expired", NewSSHKey{Name: "a", PublicKey: good, ExpiresAt: &past}, false},
	} {
		want := fault.Invalid
		if c.ok {
			want = ""
		}
		wantKind(t, c.what, c.n.check(now), want)
	}
}

func TestSSHKeysSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, boss, admin := w.owned(t, "acme")
		text := ed25519Line(t)
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		u, err := w.CreateUser(ctx, admin, NewUser{Email: "b@acme.example", Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		expires := w.hands.Now().Add(time.Hour)
		n := NewSSHKey{Name: "laptop", PublicKey: text, ExpiresAt: &expires, IPAllow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
		k, err := w.AddSSHKey(ctx, admin, u.ID, n)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.AddSSHKey(ctx, admin, u.ID, n)
		wantKind(t, "the same key again", err, fault.Conflict)
		if p, err := w.AuthenticateKey(ctx, u.Login(), key, home); err != nil || p.User != u.ID || p.Kind != policy.SSHKey || p.Role != policy.TenantUser {
			t.Errorf("got %+v, %v, want the user by its SSH key", p, err)
		}
		other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ed25519Line(t)))
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what, login string, key ssh.PublicKey, addr string) {
			t.Helper()
			_, err := w.AuthenticateKey(ctx, login, key, netip.MustParseAddr(addr))
			wantKind(t, what, err, fault.Unauthenticated)
		}
		refused("another key", u.Login(), other, "192.0.2.7")
		refused("another user", boss.Login(), key, "192.0.2.7")
		refused("an email", u.Email, key, "192.0.2.7")
		refused("another network", u.Login(), key, "198.51.100.1")
		w.hands.Pass(time.Hour)
		refused("an expired key", u.Login(), key, "192.0.2.7")

		n.ExpiresAt = nil
		if err := w.UnscopedRevokeSSHKey(ctx, staff, k.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.UnscopedAddSSHKey(ctx, staff, u.ID, n); !fault.Is(err, fault.Conflict) {
			t.Errorf("the provider adds one: got %v, want a conflict", err)
		}
	})
}

// TestRefusedSSHKeysAreWritten, and no more of them than a log can bear.
func TestRefusedSSHKeysAreWritten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ten, u, scope := w.owned(t, "acme")
		other := w.member(t, w.tenant(t, "beta").ID, "b@beta.example", policy.TenantUser)
		refuse := func(login string, n int, address string) {
			t.Helper()
			addr := netip.MustParseAddr(address)
			for range n {
				if err := w.KeysRefused(ctx, login, []string{"SHA256:x"}, addr); err != nil {
					t.Fatal(err)
				}
				addr = addr.Next()
			}
		}
		written := func(what string, id tenant.ID, subject string, want int) {
			t.Helper()
			n := 0
			for _, e := range w.entries(t, id, "session.create") {
				if e.Outcome == "refused" && e.Subject == subject {
					n++
				}
			}
			if n != want {
				t.Errorf("%s: got %d entries, want %d", what, n, want)
			}
		}
		refuse(strings.ToUpper(u.Login()), 50, "198.51.100.1") // each from another address
		written("of an account", ten.ID, u.ID, refusedBurst)
		refuse("acme.nobody", 50, "198.51.100.100")
		refuse("nobody", 50, "198.51.100.150")
		written("of nobody's", "", "", refusedBurst)
		w.hands.Pass(refusedEvery)
		refuse(u.Login(), 2, "203.0.113.1")
		written("a minute later", ten.ID, u.ID, refusedBurst+1)
		list, _, err := w.Audit.Entries(ctx, scope, audit.Filter{Verb: "session.create", Subject: u.ID}, meta.Page{})
		if err != nil || len(list) == 0 || fmt.Sprint(list[0].Details) != "map[address:203.0.113.1 agent:SFTP keys:[SHA256:x] unrecorded_before:45]" {
			t.Errorf("the newest: got %+v, %v, want how many were not written before", list, err)
		}
		w.hands.Pass(time.Hour)
		for range refusedBurst + 2 { // one address, whoever it says it is
			refuse(u.Login(), 1, home.String())
			refuse(other.Login(), 1, home.String())
		}
		written("of one address", ten.ID, u.ID, refusedBurst+1+3)
		written("of one address, another account", other.Tenant, other.ID, 2)
	})
}

func TestAPIKeysExpire(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		expires, past := w.hands.Now().Add(time.Hour), w.hands.Now()
		for what, n := range map[string]NewAPIKey{
			"a tenant's role": {Role: policy.TenantAdmin}, "no role": {}, "a role of no credential": {Role: policy.Departing},
			"the past": {Role: policy.Auditor, ExpiresAt: &past}, "a long name": {Role: policy.Auditor, Name: strings.Repeat("x", 101)},
		} {
			_, _, err := w.UnscopedCreateAPIKey(ctx, staff, "", n)
			wantKind(t, what, err, fault.Invalid)
		}
		k, secret, err := w.UnscopedCreateAPIKey(ctx, staff, "", NewAPIKey{Role: policy.Auditor, ExpiresAt: &expires})
		if err != nil || !strings.HasSuffix(secret, k.Hint) || len(k.Hint) != 4 {
			t.Fatalf("got hint %q of %q, %v, want its last characters", k.Hint, secret, err)
		}
		w.hands.Pass(time.Hour - time.Second)
		if p := w.authenticate(t, secret); p.Role != policy.Auditor || p.Kind != policy.APIKey || p.Credential != k.ID {
			t.Errorf("got %+v, want the auditor's key", p)
		}
		list, _, err := w.UnscopedAPIKeys(ctx, "", meta.Page{})
		if err != nil || len(list) != 1 || list[0].UsedAt == nil || !list[0].UsedAt.Equal(w.hands.Now()) {
			t.Errorf("last use: got %+v, %v, want now", list, err)
		}
		w.hands.Pass(time.Second)
		w.refused(t, "the expired key", secret)
		w.refused(t, "another secret", secret[:len(secret)-1])
	})
}

func TestAddressLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, boss, admin := w.owned(t, "acme")
		office, desk := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}
		_, wide, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser})
		if err != nil {
			t.Fatal(err)
		}
		_, narrow, err := w.CreateAPIKey(ctx, admin, NewAPIKey{Role: policy.TenantUser, IPAllow: desk})
		if err != nil {
			t.Fatal(err)
		}
		at := func(secret, addr string, want fault.Kind) {
			t.Helper()
			_, _, err := w.Authenticate(ctx, secret, netip.MustParseAddr(addr))
			wantKind(t, "key from "+addr, err, want)
		}
		at(narrow, "192.0.2.7", "")
		at(narrow, "::ffff:192.0.2.7", "")
		at(narrow, "192.0.2.8", fault.Unauthenticated)
		at(wide, "198.51.100.1", "")
		if _, err := w.Control.UnscopedUpdate(ctx, staff, string(acme.ID), patchAllow(office)); err != nil {
			t.Fatal(err)
		}
		at(wide, "198.51.100.1", fault.Unauthenticated)
		at(wide, "192.0.2.8", "")
		at(narrow, "192.0.2.8", fault.Unauthenticated)
		_, _, _, err = w.SignIn(ctx, Attempt{Login: boss.Login(), Password: changed, Address: netip.MustParseAddr("198.51.100.1")})
		wantKind(t, "the right password from elsewhere", err, fault.Unauthenticated)
	})
}

// One person with a session and keys is one person.
func TestThePersonBehindACredential(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		first, secret, err := w.FirstAdmin(ctx, "a@example.com", password)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.signIn(t, "a@example.com", password)
		if err != nil {
			t.Fatal(err)
		}
		key := func(by string) string {
			t.Helper()
			_, secret, err := w.UnscopedCreateAPIKey(ctx, by, "", NewAPIKey{Role: policy.SystemAdmin})
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		made := key(w.authenticate(t, secret).Actor())
		other := w.member(t, "", "b@example.com", policy.SystemAdmin)
		for what, c := range map[string]struct{ token, want string }{
			"a session":             {token, first.ID},
			"the key of the setup":  {secret, first.ID},
			"a key made with a key": {made, first.ID},
			"and one made with it":  {key(w.authenticate(t, made).Actor()), first.ID},
			"another's key":         {key(other.ID), other.ID},
		} {
			if got, err := w.Person(ctx, w.authenticate(t, c.token)); err != nil || got != c.want {
				t.Errorf("behind %s: got %q, %v, want %q", what, got, err, c.want)
			}
		}
		lost := policy.Principal{Credential: w.Clock.ID("key"), Kind: policy.APIKey, Role: policy.SystemAdmin}
		if got, err := w.Person(ctx, lost); err == nil {
			t.Errorf("behind a key that is not there: got %q, want an error", got)
		}
	})
}
