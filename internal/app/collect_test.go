package app

import (
	"net/http"
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
