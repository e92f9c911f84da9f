package test

import (
	"net/http"
	"strings"
	"testing"

	"tributary/client"
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
			r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1"+path, nil))(t)
			r.Header.Set("Authorization", "Bearer "+b.key)
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
	if got := must(a.Users(t.Context(), client.TenantPage{}))(t).Items; len(got) != 0 {
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
	admin := s.as(s.token)
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
	a.accepted(t, inputName(1, date), date, values(1, date, "x,y,1"))
	for name, way := range ways {
		if err := way(); !client.Is(err, client.Conflict) {
			t.Errorf("%s after the first submission: got %v, want a conflict", name, err)
		}
	}
	if _, err := a.CreateUser(ctx, client.NewUser{Email: "three@example.com", Role: "tenant_user"}); err != nil {
		t.Errorf("user made by the tenant itself: got %v, want it made", err)
	}
	out, errs, code := s.try(s.token, "apikey", "create", "--tenant", a.Slug, "--role", "tenant_admin")
	if code != 5 || len(out) != 0 {
		t.Errorf("apikey create: got exit code %d, %q, %q, want 5 and no key", code, out, errs)
	}
}
