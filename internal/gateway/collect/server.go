// Package collect takes events over HTTP from the clients that people already have:
// it speaks their protocols to the letter, and leaves whose events they are, and
// whether they are kept, to package events. It has a listener of its own, and so an
// origin without cookies, which any page may send to.
package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"tributary/internal/account"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
)

// Config is what collecting needs; all fields but Log, Meter, Tracers and Address are
// required.
type Config struct {
	Events intake
	Audit  recorder
	Clock  clock.Clock
	Log    *slog.Logger
	Meter  metric.Meter
	// Tracers makes spans of requests.
	Tracers trace.TracerProvider
	// Address finds who sends; nil: it is the connection's.
	Address func(*http.Request) netip.Addr
	// HTTPS says that clients reach us by https, since a proxy before us ends TLS.
	HTTPS bool
}

const (
	mostBatch   = 20 << 20 // bytes of a request with many events, packed or unpacked
	mostOne     = 2 << 20  // of a request with one
	mostMembers = 1_000    // of what holds events, and of what is changed in one
	mostMemory  = 512 << 20
	mostGrown   = 64 << 10 // bytes that a request has memory for before they come
	weight      = 3        // how often the bytes of a body are in memory: itself, its events, what is made of them
	// soon is what clients are told to wait when nothing better is known.
	soon = 5 * time.Second
)

// server is the gateway with its routes.
type server struct {
	Config
	mux       *http.ServeMux
	budget    budget
	strangers *strangers
	counted   counters
	options   sync.Map // of metrics, by answered
	said      said
	refusals  audit.Refusals
	tracer    trace.Tracer
}

// call is one request.
type call struct {
	*http.Request
	w      http.ResponseWriter
	now    time.Time
	body   []byte
	source *events.Source // once its key is known
}

// delivery is what a request brings: the key, which says whose it is, and the events.
type delivery struct {
	key   string
	batch events.Batch
	pixel bool // the key is that of a link, which says itself what its event is
}

// New makes the handler. It fails if a route is not registered wholly.
func New(cfg Config) (http.Handler, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Meter == nil {
		cfg.Meter = noop.NewMeterProvider().Meter("")
	}
	if cfg.Tracers == nil {
		cfg.Tracers = tracenoop.NewTracerProvider()
	}
	if cfg.Address == nil {
		cfg.Address = connection
	}
	s := &server{Config: cfg, tracer: cfg.Tracers.Tracer("tributary/collect"), mux: http.NewServeMux(), strangers: newStrangers(cfg.Clock)}
	if err := s.count(); err != nil {
		return nil, err
	}
	routes := s.routes()
	if err := checkRoutes(routes); err != nil {
		return nil, err
	}
	for _, r := range routes {
		for _, path := range r.paths {
			s.mux.HandleFunc(r.method+" "+path, func(w http.ResponseWriter, q *http.Request) { s.serve(r, w, q) })
		}
	}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions { // a browser asks whether it may send
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, http.StatusNotFound, "application/json", `{"error":"not_found","detail":"Nothing is collected here."}`)
	})
	return s.recovered(anybody(s.mux)), nil
}

// serve decodes a request as its route says, has its events taken, and answers.
func (s *server) serve(r route, w http.ResponseWriter, q *http.Request) {
	c := &call{Request: q, w: w, now: s.Clock.Now()}
	if r.read == nil { // what clients ask before they send
		r.answer(c, nil)
		return
	}
	ctx, span := s.tracer.Start(traced(q), q.Pattern, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	c.Request = q.WithContext(ctx)
	if q.URL.Query().Get("tenant") != "" || q.Header.Get("X-Tenant") != "" || q.Header.Get("X-Tenant-Id") != "" {
		s.counted.foreign.Add(ctx, 1)
	}
	verdicts, err := s.received(ctx, r, c)
	status := http.StatusOK
	if err != nil {
		status = s.refuse(r, c, err)
	} else {
		r.answer(c, verdicts)
	}
	s.measure(ctx, r, c, status)
}

// received reads a request and has its events taken. A key that a header has is looked
// at before the body, which is then of its source's share of memory.
func (s *server) received(ctx context.Context, r route, c *call) ([]events.Verdict, error) {
	who := account.Network(s.Address(c.Request))
	if key := bearer(c.Request); r.header && key != "" {
		if err := s.identify(ctx, r, c, &delivery{key: key}); err != nil {
			return nil, err
		}
		who = c.source.ID
	}
	body, err := s.read(c.Request, who, r.body)
	defer body.release()
	if err != nil {
		return nil, err
	}
	c.body = body.kept.Bytes()
	return s.take(ctx, r, c)
}

func (s *server) take(ctx context.Context, r route, c *call) ([]events.Verdict, error) {
	d, err := r.read(c)
	if err != nil {
		return nil, err
	}
	if d.key == "" {
		return nil, fault.New(fault.Unauthenticated, "The request has no write key.")
	}
	if c.source == nil {
		if err := s.identify(ctx, r, c, &d); err != nil {
			return nil, err
		}
	}
	source := c.source
	if len(d.batch.Received) == 0 {
		return nil, nil
	}
	d.batch.Channel = r.protocol.name
	verdicts, err := s.Events.Take(ctx, source, d.batch)
	if err != nil {
		return nil, err
	}
	if len(verdicts) != len(d.batch.Received) {
		return nil, fmt.Errorf("%d verdicts for %d events", len(verdicts), len(d.batch.Received))
	}
	if r.protocol.each == nil || !r.protocol.each(c) {
		return verdicts, events.Again(verdicts)
	}
	return verdicts, nil
}

// identify finds whose a request is. What does not open as a link costs nothing to
// find out, and so is not held against those who share an address with who tries it.
func (s *server) identify(ctx context.Context, r route, c *call, d *delivery) error {
	from := s.Address(c.Request)
	if !d.pixel {
		if err := s.strangers.admit(from, d.key); err != nil {
			return err
		}
	}
	source, err := s.source(ctx, c, d)
	if !d.pixel {
		s.strangers.learn(from, d.key, err)
	}
	if err != nil {
		return s.denied(ctx, r, from, err)
	}
	c.source = source
	return nil
}

// source finds whose a key is.
func (s *server) source(ctx context.Context, c *call, d *delivery) (*events.Source, error) {
	if !d.pixel {
		return s.Events.Source(ctx, d.key)
	}
	source, e, err := s.Events.Pixel(ctx, d.key)
	if err != nil {
		return nil, err
	}
	e.Time = c.now
	in := events.Incoming{Event: e}
	in.Event.Context, in.Err = with(nil, member{"userAgent", quoted(clip(c.UserAgent()))})
	d.batch.Received = []events.Incoming{in}
	return source, nil
}

// statuses is the one table from kinds of faults to HTTP statuses. A full disk is 503
// here: it is what every client tries again.
var statuses = map[fault.Kind]int{
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.SecondFactor:    http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Throttled:       http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.StorageFull:     http.StatusServiceUnavailable,
	fault.Cancelled:       499, // nobody reads it
	fault.TimedOut:        http.StatusServiceUnavailable,
	fault.Damaged:         http.StatusInternalServerError,
	fault.Internal:        http.StatusInternalServerError,
}

// refuse answers with an error in the client's own form.
func (s *server) refuse(r route, c *call, err error) (status int) {
	kind := fault.KindOf(err)
	status = statuses[kind]
	if status >= 500 {
		s.log(c, kind, err)
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", seconds(retryAfter(err)))
	}
	r.protocol.refuse(c, status, err)
	return status
}

// recovered answers 500 when a handler panics, and logs where.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.log(&call{Request: r}, fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			answer(w, http.StatusInternalServerError, "application/json", `{"error":"internal"}`)
		}()
		next.ServeHTTP(w, r)
	})
}
