package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"tributary/internal/account"
	"tributary/internal/policy"
)

// Who is on this machine is seen at the connection, and a request that a proxy here
// passed on is its client's.
func TestMetricsFromAfarNeedACredential(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		_, _, key := w.tenant(t, "acme")
		_, auditor, err := w.Accounts.UnscopedCreateAPIKey(t.Context(), "usr_admin", "", account.NewAPIKey{Role: policy.Auditor})
		if err != nil {
			t.Fatal(err)
		}
		const here = "127.0.0.1:1"
		far, near := http.Header{"X-Forwarded-For": {"192.0.2.1"}}, http.Header{"X-Forwarded-For": {"127.0.0.1"}}
		for _, c := range []struct {
			what, address, token string
			proxies              string
			header               http.Header
			want                 int
		}{
			{"this machine", here, "", "", nil, http.StatusOK},
			{"this machine, by IPv6", "[::1]:1", "", "", nil, http.StatusOK},
			{"this machine, behind its proxy", here, "", "127.0.0.0/8", nil, http.StatusOK},
			{"afar", from, "", "", nil, http.StatusUnauthorized},
			{"afar, by a proxy here that is not named", here, "", "", far, http.StatusUnauthorized},
			{"afar, by such a proxy, which believes its client", here, "", "", near, http.StatusUnauthorized},
			{"afar, by one that says it the standard way", here, "", "", http.Header{"Forwarded": {"for=192.0.2.1"}}, http.StatusUnauthorized},
			{"afar, by one that says who it is alone", here, "", "", http.Header{"Via": {"1.1 proxy"}}, http.StatusUnauthorized},
			{"afar, by one that is named", here, "", "127.0.0.0/8", far, http.StatusUnauthorized},
			{"afar, by one that is named and believes its client", here, "", "127.0.0.0/8", near, http.StatusUnauthorized},
			{"a neighbour of the proxies", from, "", "192.0.2.0/24", near, http.StatusUnauthorized},
			{"a neighbour of the proxies, plainly", from, "", "192.0.2.0/24", nil, http.StatusUnauthorized},
			{"a tenant", from, key, "", nil, http.StatusForbidden},
			{"an auditor", from, auditor, "", nil, http.StatusOK},
			{"an auditor by a proxy", here, auditor, "127.0.0.0/8", far, http.StatusOK},
			{"an admin", from, w.admin, "", nil, http.StatusOK},
		} {
			w.BehindProxy = nil
			if c.proxies != "" {
				w.BehindProxy = mustPrefixes(t, c.proxies)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			r.RemoteAddr = c.address
			for name, values := range c.header {
				r.Header[name] = values
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			rec := httptest.NewRecorder()
			w.handler().ServeHTTP(rec, r)
			wantStatus(t, c.what, rec, c.want)
		}
	})
}
