package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"tributary/internal/fault"
	"tributary/internal/policy"
)

// note is what is learned of a request while it is answered.
type note struct {
	id        string
	address   netip.Addr
	principal policy.Principal
	fault     error
}

type noteKey struct{}

// noteOf returns the request's note; a fresh one outside of a request.
func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

func addressOf(ctx context.Context) netip.Addr { return noteOf(ctx).address }

// identified gives each request an id, which its answer and log line share, and
// finds its address.
func (s *server) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &note{id: s.Clock.ID("req"), address: s.address(r)}
		w.Header().Set("Request-Id", n.id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), noteKey{}, n)))
	})
}

func (s *server) address(r *http.Request) netip.Addr { return Address(r, s.BehindProxy) }

// Address is the client's: the connection's, or what a trusted proxy says, read from
// the right up to the first address that is not one of the proxies.
func Address(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !among(addr, proxies) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !among(addr, proxies) {
			break
		}
	}
	return addr
}

func among(addr netip.Addr, proxies []netip.Prefix) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// headers keeps answers out of caches and browsers from guessing.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// recovered answers 500 when a handler panics, and logs where.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && err == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(p)
			}
			s.refuse(w, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// routed tells the request's span and measurements which route it took, which the
// layers above learn too late: they hold an earlier copy of the request.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { // also after a panic
			_, route, ok := strings.Cut(r.Pattern, " ")
			if !ok { // the one for whatever has no route
				return
			}
			known := semconv.HTTPRoute(route)
			span := trace.SpanFromContext(r.Context())
			span.SetName(r.Pattern)
			span.SetAttributes(known)
			if labels, ok := otelhttp.LabelerFromContext(r.Context()); ok {
				labels.Add(known)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// probe reports whether a request is one of those that machines send all the time,
// which are neither logged nor traced.
func probe(r *http.Request) bool {
	return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics"
}

// endless reports whether a request is answered for as long as somebody listens, which
// would be the slowest of all.
func endless(r *http.Request) bool {
	return r.URL.Path == "/api/v1/changes" || strings.HasPrefix(r.URL.Path, "/api/v1/runs/") && strings.HasSuffix(r.URL.Path, "/follow")
}

// recorder learns the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logged writes one line for each request, without bodies, queries or secrets.
func (s *server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Clock.Now()
		rec := &recorder{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		if probe(r) {
			return
		}
		n := noteOf(r.Context())
		pattern := r.Pattern
		if pattern == "" {
			pattern = "none"
		}
		what := "request"
		if endless(r) {
			what = "stream"
		}
		s.Log.InfoContext(r.Context(), what, "request", n.id, //nolint:sloglint // one of the two above
			"method", r.Method, "route", pattern, "status", rec.status, "bytes", rec.bytes,
			"duration", s.Clock.Now().Sub(start).Round(time.Microsecond), "tenant.id", string(n.principal.Tenant), "tenant.tier", string(n.principal.Tier),
			"actor", n.principal.Actor(), "address", n.address.String(), "fault", string(fault.KindOf(n.fault)))
	})
}
