package job

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"tributary/internal/fault"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

func TestEachAttemptHasASpan(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Tracers: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))})
	var answer error
	b.Handle("work", Handler{Do: func(context.Context, *Job) error { return answer }})
	for i, c := range []struct {
		tenant  tenant.ID
		answer  error
		outcome string
		kind    string
		status  codes.Code
	}{
		{"ten_a", nil, "succeeded", "", codes.Unset},
		{"", nil, "succeeded", "", codes.Unset},
		{"ten_a", fault.New(fault.Invalid, "The file is wrong."), "failed", "invalid", codes.Error},
		{"ten_a", errors.New("a secret of the operator"), "failed", "internal", codes.Error},
		{"ten_b", Postpone(errors.New("suspended")), "postponed", "internal", codes.Unset},
		{"ten_c", fault.New(fault.StorageFull, "Full."), "postponed", "storage-full", codes.Unset},
		{"ten_d", errCancelRequested, "cancelled", "cancelled", codes.Unset},
	} {
		answer = c.answer
		id := b.add(t, Work{Tenant: c.tenant, Subject: fmt.Sprintf("sub_%d", i)})
		b.do1(t, true)
		ended := spans.Ended()
		if len(ended) != i+1 {
			t.Fatalf("spans after %d jobs: got %d", i+1, len(ended))
		}
		span := ended[i]
		want := map[attribute.Key]string{"job.id": id, "job.kind": "work", "job.subject": fmt.Sprintf("sub_%d", i), "job.attempt": "1", "job.outcome": c.outcome}
		if c.kind != "" {
			want["error.type"] = c.kind
		}
		if c.tenant != "" {
			want["tenant.id"] = string(c.tenant)
		}
		got := map[attribute.Key]string{}
		for _, a := range span.Attributes() {
			got[a.Key] = a.Value.String()
		}
		if span.Name() != "job work" || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("span: got %s %v, want job work %v", span.Name(), got, want)
		}
		if s := span.Status(); s.Code != c.status || s.Description != "" || len(span.Events()) > 0 {
			t.Errorf("status of %s: got %v %v, want %v and no words", c.outcome, s, span.Events(), c.status)
		}
	}
}
