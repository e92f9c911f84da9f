package collect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/events"
)

// TestSpansAndMeasuresTellWhoseRequestsWere sends in all ways, and reads what is
// measured of it.
func TestSpansAndMeasuresTellWhoseRequestsWere(t *testing.T) {
	t.Parallel()
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	f := &taker{source: events.Source{ID: "src_1", Tenant: "ten_1"}}
	h, err := New(Config{Events: f, Audit: f, Clock: clock.Clock{NowFunc: func() time.Time { return noon }},
		Tracers: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("")})
	if err != nil {
		t.Fatal(err)
	}
	for n, way := range ways {
		ask(h, way.method, way.target, way.body, way.key, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		ended := spans.Ended()
		if len(ended) != n+1 {
			t.Fatalf("%s: got %d spans, want %d", way.name, len(ended), n+1)
		}
		span := ended[n]
		has := map[attribute.Key]string{}
		for _, a := range span.Attributes() {
			has[a.Key] = a.Value.String()
		}
		if has["tenant.id"] != "ten_1" || has["source"] != "src_1" || has["protocol"] == "" || has["status"] != "200" || !strings.HasPrefix(span.Name(), way.method+" /") ||
			strings.Contains(span.Name(), goodKey) || span.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s: got the span %q with %v", way.name, span.Name(), has)
		}
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(all); !strings.Contains(got, "tributary.collect.duration") || !strings.Contains(got, "tributary.collect.requests") || strings.Contains(got, "ten_1") {
		t.Errorf("got %s, want requests and durations, and no tenant's id: there may be thousands", got)
	}
}

// TestRefusedKeysAreAudited knocks with keys that are nobody's, and with one that was
// somebody's, more often than there are entries for.
func TestRefusedKeysAreAudited(t *testing.T) {
	t.Parallel()
	f, hands := &taker{}, new(clocktest.Hands)
	proxy := netip.MustParseAddr("192.0.2.9")
	h, err := New(Config{Events: f, Audit: f, Clock: clock.Clock{NowFunc: hands.Now}, Address: func(*http.Request) netip.Addr { return proxy }})
	if err != nil {
		t.Fatal(err)
	}
	for range strangerBurst + 5 {
		if w := ask(h, "POST", "/v1/t", `{"writeKey":"twk_bad","event":"E"}`); w.Code != 401 {
			t.Fatalf("got %d, want 401", w.Code)
		}
	}
	want := audit.Entry{Actor: "anonymous", Verb: "event.send", Outcome: "denied", Details: map[string]any{"address": "192.0.2.9", "protocol": "segment"}}
	if len(f.told) != strangerBurst || fmt.Sprint(f.told[0]) != fmt.Sprint(want) {
		t.Fatalf("got %d entries, the first %+v, want %d like %+v", len(f.told), f.told[0], strangerBurst, want)
	}
	hands.Pass(strangerEvery)
	ask(h, "GET", "/pixel/twk_bad/E.gif", "")
	if got := f.told[len(f.told)-1]; got.Details["unrecorded_before"] != int64(5) || got.Details["protocol"] != "pixel" {
		t.Errorf("a minute later: got %+v, want one that counts 5 before", got)
	}
	ask(h, "POST", "/v1/t", `{"event":"E"}`)
	if len(f.told) != strangerBurst+1 {
		t.Errorf("without a key: got %d entries, want none more", len(f.told)-strangerBurst-1)
	}
}

// A refusal that cannot be written is no answer: it is tried again.
func TestARefusalThatCannotBeAuditedIsNotGiven(t *testing.T) {
	t.Parallel()
	h, err := New(Config{Events: &taker{}, Audit: full{}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/pixel/twk_bad/E.gif", nil))
	if w.Code != 500 {
		t.Errorf("got %d, want 500", w.Code)
	}
}

type full struct{}

func (full) Record(context.Context, audit.Entry) error { return errors.New("no room") }
