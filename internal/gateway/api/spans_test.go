package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"tributary/internal/account"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
)

// TestSpansNameTheRouteAndTheTenant asks in all ways, and reads the spans.
func TestSpansNameTheRouteAndTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	spans := tracetest.NewSpanRecorder()
	w.Tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	var log bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&log, nil))
	id, _, key := w.tenant(t, "acme")
	seen := 0
	for _, c := range []struct {
		method, path, token string
		status              int
		name, route         string // of the span; none if the name is empty
		tenant              bool
	}{
		{http.MethodGet, "/api/v1/tenants/acme", w.admin, http.StatusOK, "GET /api/v1/tenants/{id}", "/api/v1/tenants/{id}", false},
		{http.MethodGet, "/api/v1/users", key, http.StatusOK, "GET /api/v1/users", "/api/v1/users", true},
		{http.MethodGet, "/api/v1/users/usr_none", key, http.StatusNotFound, "GET /api/v1/users/{id}", "/api/v1/users/{id}", true},
		{http.MethodGet, "/api/v1/users", "trk_wrong", http.StatusUnauthorized, "GET /api/v1/users", "/api/v1/users", false},
		{http.MethodGet, "/api/v1/nothing/of/that/kind", key, http.StatusNotFound, "GET", "", false},
		{http.MethodGet, "/docs", "", http.StatusOK, "GET /docs", "/docs", false},
		{http.MethodGet, "/healthz", "", http.StatusOK, "", "", false},
		{http.MethodGet, "/readyz", "", http.StatusOK, "", "", false},
		{http.MethodGet, "/metrics", w.admin, http.StatusOK, "", "", false},
	} {
		log.Reset()
		wantStatus(t, c.path, w.ask(c.method, c.path, from, c.token, "", ""), c.status)
		if logged := log.Len() > 0; logged != (c.name != "") {
			t.Errorf("%s: logged %q, want a line: %v", c.path, log.String(), c.name != "")
		}
		ended := spans.Ended()
		if c.name == "" {
			if len(ended) != seen {
				t.Errorf("%s: got the span %v, want none", c.path, ended[len(ended)-1].Name())
			}
			seen = len(ended)
			continue
		}
		if seen++; len(ended) != seen {
			t.Fatalf("%s: got %d spans, want %d", c.path, len(ended), seen)
		}
		span := ended[seen-1]
		got := map[attribute.Key]string{}
		for _, a := range span.Attributes() {
			got[a.Key] = a.Value.String()
		}
		if span.Name() != c.name || got["http.route"] != c.route {
			t.Errorf("%s: got the span %q with the route %q, want %q and %q", c.path, span.Name(), got["http.route"], c.name, c.route)
		}
		_, hasTenant := got["tenant.id"]
		_, hasTier := got["tenant.tier"]
		if hasTenant != c.tenant || hasTier != c.tenant || c.tenant && (got["tenant.id"] != string(id) || got["tenant.tier"] != "basic") {
			t.Errorf("%s: got tenant.id %q, tenant.tier %q, want those of a tenant: %v", c.path, got["tenant.id"], got["tenant.tier"], c.tenant)
		}
		if text := log.String(); strings.Contains(text, "tenant.id="+string(id)) != c.tenant || strings.Contains(text, "tenant.tier=basic") != c.tenant {
			t.Errorf("%s: logged %q, want the tenant in it: %v", c.path, text, c.tenant)
		}
	}
}

// TestALinksTokenIsInNoSpan opens an invitation's link as a browser does.
func TestALinksTokenIsInNoSpan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	spans := tracetest.NewSpanRecorder()
	w.Tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	made, err := w.Accounts.UnscopedInvite(t.Context(), "usr_admin", "", account.NewUser{Email: "new@example.com", Role: policy.Auditor})
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(invitationWord(made).Path)
	if err != nil || made.Token == "" || !strings.Contains(link.String(), made.Token) {
		t.Fatalf("the link is %q, %v, want the token %q in it", link, err, made.Token)
	}
	w.ask(http.MethodGet, link.RequestURI(), from, "", "", "")
	wantStatus(t, "its page looks", w.ask(http.MethodPost, "/api/v1/invitations/look", from, "", "", `{"token":"`+made.Token+`"}`), http.StatusOK)
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("got %d spans, want 2", len(ended))
	}
	for _, span := range ended {
		for _, a := range span.Attributes() {
			if strings.Contains(a.Value.String(), made.Token) {
				t.Errorf("%s: %s is %q, which has the link's token", span.Name(), a.Key, a.Value.String())
			}
		}
	}
}
