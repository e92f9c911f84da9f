package collect

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// recorder is the part of audit.Log that collecting needs.
type recorder interface {
	Record(ctx context.Context, e audit.Entry) error
}

type counters struct {
	requests metric.Int64Counter     // by protocol, status and the tenant's tier
	duration metric.Float64Histogram // the same
	foreign  metric.Int64Counter     // requests that named a tenant
	denied   metric.Int64Counter     // keys that were refused
}

func (s *server) count() (err error) {
	for _, c := range []struct {
		to          *metric.Int64Counter
		name, about string
	}{
		{&s.counted.requests, "tributary.collect.requests", "Requests with events, by protocol and status"},
		{&s.counted.foreign, "tributary.collect.foreign_tenant", "Requests that named a tenant although their key fixes one"},
		{&s.counted.denied, "tributary.collect.denied", "Requests whose write key was refused"},
	} {
		if *c.to, err = s.Meter.Int64Counter(c.name, metric.WithDescription(c.about)); err != nil {
			return err
		}
	}
	s.counted.duration, err = s.Meter.Float64Histogram("tributary.collect.duration", metric.WithUnit("s"), metric.WithDescription("How long requests with events took, by protocol and status"))
	return err
}

// traced is the context of a request, in which its sender's span is known.
func traced(r *http.Request) context.Context {
	return propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
}

// answered is what requests are counted by.
type answered struct {
	protocol string
	status   int
	tier     tenant.Tier
}

func (a answered) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("protocol", a.protocol), attribute.Int("status", a.status), attribute.String("tenant.tier", string(a.tier))}
}

// option returns the attributes as metrics take them, made once.
func (s *server) option(a answered) metric.MeasurementOption {
	made, ok := s.options.Load(a)
	if !ok {
		made, _ = s.options.LoadOrStore(a, metric.WithAttributeSet(attribute.NewSet(a.attributes()...)))
	}
	return made.(metric.MeasurementOption)
}

// measure counts a request that was answered, and tells its span what it was.
func (s *server) measure(ctx context.Context, r route, c *call, status int) {
	about := answered{r.protocol.name, status, c.tier()}
	set := s.option(about)
	s.counted.requests.Add(ctx, 1, set)
	s.counted.duration.Record(ctx, s.Clock.Now().Sub(c.now).Seconds(), set)
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	_, path, _ := strings.Cut(c.Pattern, " ")
	span.SetAttributes(append(about.attributes(), semconv.HTTPRequestMethodKey.String(c.Method), semconv.HTTPRoute(path), semconv.HTTPResponseStatusCode(status))...)
	if c.source != nil {
		span.SetAttributes(attribute.String("tenant.id", string(c.source.Tenant)), attribute.String("source", c.source.ID))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// tier is that of the tenant whose key it is; empty: of nobody, or of the provider.
func (c *call) tier() tenant.Tier {
	if c.source == nil {
		return ""
	}
	return c.source.Tier()
}

// How many refused keys are written to the audit log one by one. The next entry says
// how many were not. A key that was revoked may be in pages that go on sending for years.
const (
	refusedBurst  = 10
	refusedEvery  = 10 * time.Minute // of each source
	strangerBurst = 30
	strangerEvery = time.Minute // of all keys that are nobody's
)

// denied writes a refused key to the audit log of whose it was, or of the provider if
// it is nobody's, and returns the error to answer with.
func (s *server) denied(ctx context.Context, r route, from netip.Addr, err error) error {
	if !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Denied) {
		return err
	}
	s.counted.denied.Add(ctx, 1)
	source, owner := events.Refused(err)
	lane := audit.Lane{Of: source, Every: refusedEvery, Burst: refusedBurst}
	e := audit.Entry{Tenant: owner, Actor: source, Verb: "event.send", Subject: source, Outcome: "denied", Details: map[string]any{"address": from.String(), "protocol": r.protocol.name}}
	if source == "" {
		e.Actor, lane.Every, lane.Burst = "anonymous", strangerEvery, strangerBurst
	}
	if auditErr := s.refusals.Record(ctx, s.Clock.Now(), lane, e, s.Audit.Record); auditErr != nil {
		return auditErr
	}
	return err
}

// said bounds how often an error is logged: a full disk is one for every request.
type said struct {
	mu      sync.Mutex
	last    map[fault.Kind]time.Time
	skipped map[fault.Kind]int
}

func (s *server) log(c *call, kind fault.Kind, err error) {
	now := s.Clock.Now()
	s.said.mu.Lock()
	if now.Sub(s.said.last[kind]) < time.Second {
		s.said.skipped[kind]++
		s.said.mu.Unlock()
		return
	}
	if s.said.last == nil {
		s.said.last, s.said.skipped = map[fault.Kind]time.Time{}, map[fault.Kind]int{}
	}
	skipped := s.said.skipped[kind]
	s.said.last[kind], s.said.skipped[kind] = now, 0
	s.said.mu.Unlock()
	id := ""
	if c.source != nil {
		id = string(c.source.Tenant)
	}
	s.Log.ErrorContext(c.Context(), "events not taken", "fault", string(kind), "tenant.id", id, "tenant.tier", string(c.tier()), "not_logged_before", skipped, "error", err)
}
