package test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestTenantNamedByTenantIsIgnored has B name A in every place where a request
// could name a tenant: it is answered for B.
func TestTenantNamedByTenantIsIgnored(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.party(1), s.party(2)
	for name, spoof := range map[string]func(*http.Request){
		"query":  func(r *http.Request) { r.URL.RawQuery = "tenant=" + a.Slug },
		"id":     func(r *http.Request) { r.URL.RawQuery = "tenant=" + a.ID + "&tenant_id=" + a.ID },
		"header": func(r *http.Request) { r.Header.Set("X-Tenant", a.ID); r.Header.Set("X-Tenant-Id", a.Slug) },
		"host":   func(r *http.Request) { r.Host = a.Slug + ".example.com" },
		"cookie": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "tenant", Value: a.ID}) },
	} {
		for _, path := range []string{"/me", "/tenant", "/users", "/api-keys", "/submissions", "/results", "/audit", "/audit/raw", "/audit/checkpoints"} {
			r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1"+path, nil))(t)
			r.Header.Set("Authorization", "Bearer "+b.Key)
			spoof(r)
			status, body := fetch(t, r)
			if status != http.StatusOK || strings.Contains(body, a.ID) || strings.Contains(body, a.Slug) {
				t.Errorf("GET %s with A in %s: got %d %s, want 200 without A", path, name, status, body)
			}
			if (path == "/me" || path == "/tenant" || path == "/api-keys") && !strings.Contains(body, b.ID) {
				t.Errorf("GET %s with A in %s: got %s, want what is B's, %s", path, name, body, b.ID)
			}
		}
	}
	user := must(b.CreateUser(t.Context(), client.NewUser{Tenant: a.Slug, Email: "b@example.com", Role: "tenant_user"}))(t)
	key := must(b.CreateAPIKey(t.Context(), client.NewAPIKey{Tenant: a.ID, Role: "tenant_user"}))(t)
	if user.Tenant != b.ID || key.Tenant != b.ID {
		t.Errorf("made by B with A in the body: got a user of %s and a key of %s, want both of %s", user.Tenant, key.Tenant, b.ID)
	}
	if got := must(a.Users(t.Context(), client.UserFilter{}))(t).Items; len(got) != 0 {
		t.Errorf("A's users: got %+v, want none", got)
	}
}

// TestProviderMakesNoCredentialAfterFirstSubmission is promise 1: from the first
// submission on, no route gives the provider a way into a tenant.
func TestProviderMakesNoCredentialAfterFirstSubmission(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := started(t, "")
	a, _ := s.exchange()
	admin := s.As(s.Token)
	user := must(admin.CreateUser(ctx, client.NewUser{Tenant: a.Slug, Email: "one@example.com", Role: "tenant_admin"}))(t)
	ways := map[string]func() error{
		"user": func() error {
			_, err := admin.CreateUser(ctx, client.NewUser{Tenant: a.Slug, Email: "two@example.com", Role: "tenant_user"})
			return err
		},
		"key": func() error {
			_, err := admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: a.Slug, Role: "tenant_user"})
			return err
		},
		"ssh key": func() error {
			_, err := admin.AddSSHKey(ctx, user.ID, client.NewSSHKey{Name: "k", PublicKey: publicKey(t)})
			return err
		},
		"password": func() error { return admin.SetPassword(ctx, user.ID, "a long enough password") },
	}
	for name, way := range ways {
		if err := way(); err != nil {
			t.Errorf("%s before the first submission: got %v, want it made", name, err)
		}
	}
	a.Accepted(t, date, servertest.Values(1, date, "x,y,1"))
	for name, way := range ways {
		if err := way(); !client.Is(err, client.Conflict) {
			t.Errorf("%s after the first submission: got %v, want a conflict", name, err)
		}
	}
	if _, err := a.CreateUser(ctx, client.NewUser{Email: "three@example.com", Role: "tenant_user"}); err != nil {
		t.Errorf("user made by the tenant itself: got %v, want it made", err)
	}
	out, errs, code := s.Try(s.Token, "apikey", "create", "--tenant", a.Slug, "--role", "tenant_admin")
	if code != 5 || len(out) != 0 {
		t.Errorf("apikey create: got exit code %d, %q, %q, want 5 and no key", code, out, errs)
	}
}

// TestRoutesRefuseStaleCredentials asks every route with credentials that are
// good for nothing: they are refused before anything of the request is looked at,
// and all that are not valid in the same words.
func TestRoutesRefuseStaleCredentials(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	stale := s.stale()
	words := map[int]string{}
	for _, op := range s.operations() {
		p := routes[op.id]
		if p.open {
			continue
		}
		for name, c := range stale {
			// Each from an address of its own: one that sends many bad credentials is told to wait.
			got := s.askFrom(fmt.Sprintf("127.7.%d.%d", len(words)/250+1, len(words)%250+1), op.method, op.path, c.authorization)
			words[len(words)] = got.body
			if got.status != c.status {
				t.Errorf("%s %s with %s: got %d %s, want %d", op.method, op.path, name, got.status, got.body, c.status)
			}
			if want := "The credential is not valid: it may have expired or been revoked."; c.known && c.status == http.StatusUnauthorized && op.method != http.MethodHead && !strings.Contains(got.body, want) {
				t.Errorf("%s %s with %s: got %s, want it to say %q", op.method, op.path, name, got.body, want)
			}
		}
	}
	if len(words) < 500 {
		t.Errorf("asked %d times, want every route with every credential", len(words))
	}
}

// credential is an Authorization header that must be refused.
type credential struct {
	authorization string
	status        int  // what every route answers
	known         bool // it has the form of a credential
}

// stale makes one of each kind of credential that is good for nothing any more,
// or never was.
func (s *server) stale() map[string]credential {
	s.T.Helper()
	ctx, t, admin := s.T.Context(), s.T, s.As(s.Token)
	const password, next = "a long enough password", "another long password"
	c, suspended, leaving := s.party(3), s.party(4), s.party(5)
	soon := time.Now().Add(3 * time.Second) // what follows takes most of that
	key := func(p *client.Client, n client.NewAPIKey) client.APIKey { return must(p.CreateAPIKey(ctx, n))(t) }
	expired := key(c.Client, client.NewAPIKey{Role: "tenant_admin", ExpiresAt: &soon})
	expiredStaff := key(admin, client.NewAPIKey{Role: "system_admin", ExpiresAt: &soon})
	elsewhere := key(c.Client, client.NewAPIKey{Role: "tenant_admin", IPAllow: []string{"192.0.2.0/24"}})
	revoked, revokedStaff := key(c.Client, client.NewAPIKey{Role: "tenant_admin"}), key(admin, client.NewAPIKey{Role: "system_admin"})
	must(struct{}{}, c.RevokeAPIKey(ctx, revoked.ID))(t)
	must(struct{}{}, admin.RevokeAPIKey(ctx, revokedStaff.ID))(t)
	leaver := key(leaving.Client, client.NewAPIKey{Role: "tenant_user"})

	session := func(p party, email string) (client.User, client.Session) {
		u := must(p.CreateUser(ctx, client.NewUser{Email: email, Role: "tenant_user", Password: password}))(t)
		return u, must(s.As("").SignIn(ctx, client.SignIn{Login: u.Login, Password: password}))(t)
	}
	_, out := session(c, "out@example.com")
	must(struct{}{}, s.As(out.Token).SignOut(ctx))(t)
	fired, theirs := session(c, "fired@example.com")
	disabled := "disabled"
	must(c.UpdateUser(ctx, fired.ID, client.UserChange{State: &disabled}))(t)
	renewed, older := session(c, "renewed@example.com")
	must(struct{}{}, c.SetPassword(ctx, renewed.ID, next))(t)
	_, locked := session(suspended, "locked@example.com")
	must(admin.SuspendTenant(ctx, suspended.Slug, "a test"))(t)
	must(admin.OffboardTenant(ctx, leaving.Slug, leaving.Slug))(t)
	for time.Now().Before(soon) {
		time.Sleep(time.Until(soon))
	}
	const gone, denied = http.StatusUnauthorized, http.StatusForbidden
	return map[string]credential{
		"an expired key":                     {"Bearer " + expired.Key, gone, true},
		"an expired key of the provider":     {"Bearer " + expiredStaff.Key, gone, true},
		"a revoked key":                      {"Bearer " + revoked.Key, gone, true},
		"a revoked key of the provider":      {"Bearer " + revokedStaff.Key, gone, true},
		"a key for another address":          {"Bearer " + elsewhere.Key, gone, true},
		"a session that was ended":           {"Bearer " + out.Token, gone, true},
		"the session of a disabled user":     {"Bearer " + theirs.Token, gone, true},
		"a session from before a password":   {"Bearer " + older.Token, gone, true},
		"a key of a suspended tenant":        {"Bearer " + suspended.Key, denied, false},
		"a session of a suspended tenant":    {"Bearer " + locked.Token, denied, false},
		"a user's key of a tenant that left": {"Bearer " + leaver.Key, gone, true},
		"a key with a letter changed":        {"Bearer " + turned(c.Key), gone, true},
		"a key cut short":                    {"Bearer " + c.Key[:len(c.Key)-1], gone, true},
		"a key with something behind it":     {"Bearer " + c.Key + "0", gone, true},
		"a key in capitals":                  {"Bearer " + strings.ToUpper(c.Key), gone, true},
		"a key as if it were a session's":    {"Bearer trs_" + strings.TrimPrefix(c.Key, "trk_"), gone, true},
		"a session's as if it were a key":    {"Bearer trk_" + strings.TrimPrefix(out.Token, "trs_"), gone, true},
		"a setup link's token":               {"Bearer tru_" + strings.TrimPrefix(c.Key, "trk_"), gone, true},
		"a key's id":                         {"Bearer " + expired.ID, gone, true},
		"nothing but a prefix":               {"Bearer trk_", gone, true},
		"an empty one":                       {"Bearer ", gone, false},
		"the name and password of a user":    {"Basic " + base64.StdEncoding.EncodeToString([]byte(renewed.Login+":"+next)), gone, false},
		"a key with another scheme":          {"Token " + c.Key, gone, false},
		"a key without a scheme":             {c.Key, gone, false},
		"an SSH key":                         {"Bearer " + strings.TrimSpace(strings.TrimPrefix(publicKey(t), "ssh-ed25519 ")), gone, true},
	}
}

// turned is a key with its last letter changed.
func turned(key string) string {
	last := "0"
	if strings.HasSuffix(key, last) {
		last = "1"
	}
	return key[:len(key)-1] + last
}

// askFrom sends a request with nothing but a credential, from a loopback address.
func (s *server) askFrom(address, method, path, authorization string) answer {
	s.T.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c := &http.Client{Timeout: servertest.Patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	r := must(http.NewRequestWithContext(s.T.Context(), method, s.URL+path, nil))(s.T)
	r.Header.Set("Authorization", authorization)
	w := must(c.Do(r))(s.T)
	defer w.Body.Close()
	return answer{w.StatusCode, string(must(io.ReadAll(w.Body))(s.T))}
}
