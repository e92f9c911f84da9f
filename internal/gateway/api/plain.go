package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/web"
)

// plainRoutes are those that are not the JSON API: health, metrics, and the
// API's own description. They give nothing of any tenant, and need no credential
// but for metrics from afar.
func (s *server) plainRoutes() error {
	document, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return err
	}
	docs, err := s.docsPage()
	if err != nil {
		return err
	}
	portal, err := newPortal(web.Files())
	if err != nil {
		return err
	}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(docs))
	})
	if s.Metrics != nil {
		s.mux.HandleFunc("GET /metrics", s.metrics)
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if portal.serve(w, r) {
			return
		}
		if allowed := s.methods(r.URL.Path); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			p := problemOf(fault.New(fault.Invalid, "%s does not work here; these do: %s.", r.Method, strings.Join(allowed, ", ")), noteOf(r.Context()).id)
			p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
			writeProblem(w, p)
			return
		}
		s.refuse(w, r, fault.New(fault.NotFound, "There is nothing at %s. The API is described at /docs.", r.URL.Path))
	})
	return nil
}

// methods lists the methods that a path of the API takes.
func (s *server) methods(path string) []string {
	rest, ok := strings.CutPrefix(path, "/api/v1")
	if !ok {
		return nil
	}
	parts := strings.Split(rest, "/")
	var found []string
	for _, r := range s.routes {
		pattern := strings.Split(r.path, "/")
		if len(pattern) != len(parts) {
			continue
		}
		fits := true
		for i, p := range pattern {
			fits = fits && (strings.HasPrefix(p, "{") || p == parts[i])
		}
		if fits && !slices.Contains(found, r.method) {
			found = append(found, r.method)
		}
	}
	return found
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// readiness remembers for a second whether the server is ready, because finding
// out writes to the disk and anybody may ask.
type readiness struct {
	mu       sync.Mutex // held while one finds out for all who ask
	at       time.Time
	err      error
	warnings []string
}

// ready tells the truth: it tries the database and the object store. What an
// operator should see to is said too, and changes nothing of being ready.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	warnings, err := s.tryReady(context.WithoutCancel(r.Context()))
	if err != nil {
		text(w, http.StatusServiceUnavailable, "not ready: "+fault.Message(err)+"\n")
		return
	}
	body := "ready\n"
	for _, warning := range warnings {
		body += "warning: " + warning + "\n"
	}
	text(w, http.StatusOK, body)
}

func (s *server) tryReady(ctx context.Context) ([]string, error) {
	known := &s.readiness
	known.mu.Lock()
	defer known.mu.Unlock()
	if now := s.Clock.Now(); known.at.IsZero() || now.Sub(known.at) >= time.Second || now.Before(known.at) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		known.err, known.warnings = s.Ready(ctx), nil
		if known.err == nil && s.Warnings != nil {
			known.warnings = s.Warnings(ctx)
		}
		known.at = s.Clock.Now()
		if known.err != nil {
			s.Log.WarnContext(ctx, "not ready", "error", known.err)
		}
	}
	return known.warnings, known.err
}

// metrics are for who is on this machine, and for the provider's people who may
// read the audit log.
func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	if ctx := r.Context(); !onThisMachine(r) {
		err := s.limits.address(ctx, w, addressOf(ctx), false)
		if err == nil {
			err = s.authenticate(ctx, w, &call{server: s, request: r}, route{thing: "metrics", action: policy.AuditRead, audience: staff, audit: "metrics.read"})
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	s.Metrics.ServeHTTP(w, r)
}

// onThisMachine reports whether a request comes from this machine itself: over
// loopback, and not passed on by a proxy that runs here. What a proxy says of where
// it comes from is its client's word as well, and opens nothing.
func onThisMachine(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip" || name == "Via" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}
