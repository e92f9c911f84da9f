package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

func testServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer(Config{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenAPIDocumentIsFresh(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(testServer(t).api.OpenAPI(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const file = "../../../docs/openapi.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/openapi.json is not what the routes say; to write it anew: go test ./internal/gateway/api -run OpenAPI -update")
	}
}

func TestRoutesThatSayTooLittleDoNotStart(t *testing.T) {
	t.Parallel()
	whole := route{method: http.MethodPost, path: "/x", id: "x", summary: "X", action: "x:do", audience: anyone, audit: "x.do"}
	for name, spoil := range map[string]func(*route){
		"no id":                   func(r *route) { r.id = "" },
		"no summary":              func(r *route) { r.summary = "" },
		"no audience":             func(r *route) { r.audience = "" },
		"no action":               func(r *route) { r.action = "" },
		"public with an action":   func(r *route) { r.audience = public },
		"changes without audit":   func(r *route) { r.audit = "" },
		"another form of audit":   func(r *route) { r.audit = "x:do" },
		"the name of another one": func(r *route) { r.id = "me" },
	} {
		s := testServer(t)
		bad := whole
		spoil(&bad)
		if err := checkRoutes(append(s.routes, bad), s.api.OpenAPI()); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	s := testServer(t)
	if err := checkRoutes(append(s.routes, whole), s.api.OpenAPI()); err != nil {
		t.Errorf("a whole route: got %v", err)
	}
	if err := checkRoutes(s.routes[1:], s.api.OpenAPI()); err == nil {
		t.Error("an operation that is no route: got no error")
	}
}

func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds {
		if statuses[k] == 0 {
			t.Errorf("kind %s has no status", k)
		}
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	t.Parallel()
	h := testServer(t).handler()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/nothing", http.StatusNotFound},
		{http.MethodPut, "/api/v1/tenants", http.StatusMethodNotAllowed},
		{http.MethodGet, "/api/v1/tenants", http.StatusUnauthorized},
		{http.MethodGet, "/healthz", http.StatusOK},
		{http.MethodGet, "/docs", http.StatusOK},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: got %s", c.method, c.path, w.Header().Get("Content-Type"))
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Request-Id") == "" {
			t.Errorf("%s %s: headers %v", c.method, c.path, w.Header())
		}
	}
}

func TestDocumentationHasEveryRouteAndNoScript(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	page, err := s.docsPage()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.routes {
		if !strings.Contains(page, `id="`+r.id+`"`) {
			t.Errorf("route %s is not in the documentation", r.id)
		}
	}
	if strings.Contains(page, "<script") {
		t.Error("the documentation has a script")
	}
}

func TestAddressBehindProxies(t *testing.T) {
	t.Parallel()
	s := &server{Config: Config{BehindProxy: mustPrefixes(t, "10.0.0.0/8")}}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1"},                // no proxy of ours: what it says is not believed
		{"10.0.0.1:5", "198.51.100.7", "198.51.100.7"},              // our proxy says so
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"}, // the left part was typed by the client
		{"10.0.0.1:5", "198.51.100.7, 10.0.0.2", "198.51.100.7"},    // two proxies of ours
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := s.address(r).String(); got != c.want {
			t.Errorf("%s via %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestRatesLimitAndSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &server{}
	s.Clock.NowFunc = func() time.Time { return now }
	l := newLimiter(s.Clock)
	addr := mustPrefixes(t, "192.0.2.1/32")[0].Addr()
	refused := 0
	var last *httptest.ResponseRecorder
	for range 3*int(publicRate) + 5 {
		last = httptest.NewRecorder()
		if fault.Is(l.address(t.Context(), last, addr, true), fault.Throttled) {
			refused++
		}
	}
	if refused != 5 || last.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d refused and Retry-After %q, want 5 and 1", refused, last.Header().Get("Retry-After"))
	}
	now = now.Add(time.Second)
	if err := l.address(t.Context(), httptest.NewRecorder(), addr, true); err != nil {
		t.Errorf("a second later: got %v", err)
	}
}

func mustPrefixes(t *testing.T, list ...string) []netip.Prefix {
	t.Helper()
	p, err := prefixes(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
