package collect

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// anybody lets pages of every origin send here, as the clients in browsers must.
// There are no cookies and nothing to read, so nothing is given away by it.
func anybody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			if r.Method == http.MethodOptions {
				preflight(h, r)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(h http.Header, r *http.Request) {
	headers := r.Header.Get("Access-Control-Request-Headers")
	if headers == "" {
		headers = "authorization, content-type, x-retry-count"
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Max-Age", "86400")
}

func answer(w http.ResponseWriter, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may be gone
}

// answerJSON answers with a value of ours, which can be encoded, as JSON of a sort that
// was set before.
func answerJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	answer(w, status, first(w.Header().Get("Content-Type"), "application/json"), string(body))
}

// retryAfter is how long a client is to wait after an error.
func retryAfter(err error) time.Duration {
	if after := events.RetryAfter(err); after > 0 {
		return after
	}
	if fault.Is(err, fault.Throttled) {
		return time.Second
	}
	return soon
}

func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }

// bearer returns the key of an Authorization header: a bearer's token, or the user of
// Basic, which is how Segment's clients write it.
func bearer(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok {
		return user
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
