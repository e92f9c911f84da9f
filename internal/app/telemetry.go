package app

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// telemetry is metrics for /metrics, and spans to an OTLP endpoint if there is
// one in the environment (OTEL_EXPORTER_OTLP_ENDPOINT).
type telemetry struct {
	metrics http.Handler
	meter   metric.Meter
	tracers trace.TracerProvider
	stops   []func(context.Context) error
}

// ours keeps of what HTTP is measured by what we choose. The server's name is what
// the client sends as Host, and each would be a series of its own.
var ours = sdkmetric.NewView(sdkmetric.Instrument{Name: "http.server.*"}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter(
	semconv.HTTPRequestMethodKey, semconv.HTTPResponseStatusCodeKey, semconv.HTTPRouteKey, semconv.URLSchemeKey)})

func newTelemetry(ctx context.Context, c Config) (*telemetry, error) {
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("tributary"), semconv.ServiceVersion(c.Version)))
	if err != nil {
		return nil, fmt.Errorf("describe telemetry: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("export metrics: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(about), sdkmetric.WithView(ours))
	t := &telemetry{metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), meter: meters.Meter("tributary"), tracers: noop.NewTracerProvider(), stops: []func(context.Context) error{meters.Shutdown}}
	otel.SetMeterProvider(meters)
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return t, nil
	}
	spans, err := otlptracehttp.New(ctx) // not through egress: the operator's collector is often on this host
	if err != nil {
		return nil, fmt.Errorf("export spans: %w", err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
	t.tracers = tracers
	t.stops = append(t.stops, tracers.Shutdown)
	return t, nil
}

func (t *telemetry) shutdown(ctx context.Context) error {
	var first error
	for _, stop := range t.stops {
		if err := stop(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}
