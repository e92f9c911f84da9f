package app

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// TestTheCollectorHasAnOriginOfItsOwn asks each listener for what the other has.
func TestTheCollectorHasAnOriginOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Collect = "127.0.0.1:0"
	w.start()
	ask := func(method, url string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{"batch":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s sets a cookie", method, url)
		}
		return answer.StatusCode
	}
	for _, c := range []struct {
		method, url string
		want        int
	}{
		{http.MethodGet, w.Collect() + "/healthz", 200},
		{http.MethodPost, w.Collect() + "/v1/batch", 401},
		{http.MethodGet, w.Collect() + "/api/v1/me", 404},
		{http.MethodGet, w.Collect() + "/", 404},
		{http.MethodPost, w.URL() + "/v1/batch", 404},
	} {
		if got := ask(c.method, c.url); got != c.want {
			t.Errorf("%s %s: got %d, want %d", c.method, c.url, got, c.want)
		}
	}
}

// TestTheCollectorKnowsWhoIsBehindAProxy has somebody try keys through a proxy until
// it is too much, which holds up nobody else there, and says who they are themselves.
func TestTheCollectorKnowsWhoIsBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Collect, w.cfg.BehindProxy = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w.start()
	ask := func(key, forwarded string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Collect()+"/v1/t", strings.NewReader(`{"writeKey":"trw_`+key+`","event":"E"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", forwarded)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	tried := 0
	for ; tried < 1000 && ask(strconv.Itoa(tried), fmt.Sprintf("198.51.100.%d, 203.0.113.5", tried%250)) == 401; tried++ {
	}
	if got := ask("x", "203.0.113.5"); got != 503 || tried < 100 || tried == 1000 {
		t.Errorf("who tried %d keys: got %d, want 503", tried, got)
	}
	if got := ask("x", "203.0.113.5, 203.0.113.6"); got != 401 {
		t.Errorf("somebody else: got %d, want 401", got)
	}
}
