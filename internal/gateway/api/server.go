// Package api is the JSON API that people's portals, the command line and
// customers' programs use: it authenticates, decodes, calls one capability and
// encodes. The words of the API are in package client.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	notraces "go.opentelemetry.io/otel/trace/noop"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/analysis"
	"tributary/internal/archive"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/exchange"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/period"
	"tributary/internal/policy"
	"tributary/internal/schedule"
	"tributary/internal/warehouse"
)

// Config is what the API needs; all fields but Log, Meter, Metrics, Tracers
// and BehindProxy are required.
type Config struct {
	Accounts  *account.Accounts
	Control   *control.Control
	Exchange  *exchange.Exchange
	Analyses  *analysis.Analyses
	Schedules *schedule.Schedules
	Periods   *period.Calendar
	Notices   *notify.Notices
	Events    *events.Events
	Archive   *archive.Archive
	Warehouse *warehouse.Warehouse
	Audit     *audit.Log
	Streams   *events.Reader
	Policy    *policy.Engine
	Keys      *keys.Ring
	DB        *meta.DB
	Clock     clock.Clock
	// Changes are what the live routes tell of.
	Changes *live.Hub
	Log     *slog.Logger
	// Ready returns nil while the server can do its work; /readyz asks it.
	Ready func(context.Context) error
	// SFTP says where the SFTP server is.
	SFTP func() client.SFTP
	// Collect says where events are collected; empty: nowhere.
	Collect func() string
	// Warnings are what an operator should see to while the server works, a sentence
	// each; /readyz says them. Nil: there are none.
	Warnings func(context.Context) []string
	// Metrics serves /metrics; nil: there is none.
	Metrics http.Handler
	Meter   metric.Meter
	// Tracers gets a span for each request; nil: there are none.
	Tracers trace.TracerProvider
	// BehindProxy lists the proxies whose X-Forwarded-For is believed.
	BehindProxy []netip.Prefix
	// Version is the server's.
	Version string
}

// server is the API with its routes.
type server struct {
	Config
	api     huma.API
	mux     *http.ServeMux
	routes  []route
	limits  limiter
	tus     *tus
	counted counters

	refusals  audit.Refusals
	readiness readiness
	late      unsettled
	watching  watchers
}

// counters are what the API counts.
type counters struct {
	foreign  metric.Int64Counter // requests that named a tenant they may not name
	refused  metric.Int64Counter // requests over a rate limit
	denied   metric.Int64Counter // requests that policy denied
	uploaded metric.Int64Counter // bytes of accepted uploads
}

// New makes the API's handler. It fails if a route is not registered wholly.
func New(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	return s.handler(), nil
}

func newServer(cfg Config) (*server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Meter == nil {
		cfg.Meter = noop.NewMeterProvider().Meter("")
	}
	if cfg.Tracers == nil {
		cfg.Tracers = notraces.NewTracerProvider()
	}
	if cfg.Changes == nil {
		cfg.Changes = live.New(cfg.Clock)
	}
	ownProblems()
	s := &server{Config: cfg, mux: http.NewServeMux(), limits: newLimiter(cfg.Clock)}
	if err := s.count(); err != nil {
		return nil, err
	}
	h := huma.DefaultConfig("Tributary", cfg.Version)
	h.Info.Description = description
	h.OpenAPIPath, h.DocsPath, h.SchemasPath = "", "", "" // served by us, under /api and without scripts
	h.CreateHooks = nil                                   // no $schema links in bodies: they would point at pages we do not serve
	h.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "An API key (trk_…) or a session's token (trs_…)."},
	}
	var err error
	if s.tus, err = newTus(cfg.Exchange, func(ctx context.Context, n int64) { s.counted.uploaded.Add(ctx, n) }); err != nil {
		return nil, err
	}
	s.api = humago.New(s.mux, h)
	s.accountRoutes()
	s.faceRoutes()
	s.identityRoutes()
	s.tenantRoutes()
	s.exchangeRoutes()
	s.periodRoutes()
	s.uploadRoutes()
	s.analysisRoutes()
	s.scheduleRoutes()
	s.retentionRoutes()
	s.noticeRoutes()
	s.eventRoutes()
	s.auditRoutes()
	s.streamRoutes()
	s.archiveRoutes()
	s.queryRoutes()
	s.warehouseRoutes()
	s.liveRoutes()
	s.reportRoutes()
	if err := checkRoutes(s.routes, s.api.OpenAPI()); err != nil {
		return nil, err
	}
	if err := s.plainRoutes(); err != nil {
		return nil, err
	}
	return s, nil
}

const description = `Everything that Tributary's command line and portals do. Send an API key or a session's token as "Authorization: Bearer …". Errors are application/problem+json (RFC 9457) with a stable type. Lists are pages: pass next as after. POST takes an Idempotency-Key. A tenant's credential fixes its tenant: one named in a request is ignored, and another tenant's things answer 404.`

func (s *server) count() (err error) {
	for _, c := range []struct {
		to          *metric.Int64Counter
		name, about string
	}{
		{&s.counted.foreign, "tributary.requests.foreign_tenant", "Requests that named a tenant although their credential fixes one"},
		{&s.counted.refused, "tributary.requests.throttled", "Requests over a rate limit"},
		{&s.counted.denied, "tributary.requests.denied", "Requests that policy denied"},
		{&s.counted.uploaded, "tributary.uploads.bytes", "Bytes of files received"},
	} {
		if *c.to, err = s.Meter.Int64Counter(c.name, metric.WithDescription(c.about)); err != nil {
			return err
		}
	}
	return nil
}

// handler wraps the routes in what every request gets.
func (s *server) handler() http.Handler {
	var h http.Handler = s.mux
	h = routed(h)
	h = s.recovered(h)
	h = s.logged(h)
	h = headers(h)
	h = timely(h)
	h = s.identified(h)
	return otelhttp.NewHandler(h, "http", otelhttp.WithTracerProvider(s.Tracers), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool { return !probe(r) && !endless(r) }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }))
}
