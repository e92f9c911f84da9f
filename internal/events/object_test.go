package events_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// A text of nothing but escapes is gone through once: searching to its end from each of
// them would take half an hour here.
func TestEscapesAreGoneThroughOnce(t *testing.T) {
	t.Parallel()
	for _, escape := range []string{`\n`, `\"`, `\\`, `\u000a`} {
		v := jsontext.Value(`{"a":"` + strings.Repeat(escape, 4<<20) + `","b":1}`)
		if got := events.Lookup(v, "b"); string(got) != "1" {
			t.Errorf("%s: got %s, want 1", escape, got)
		}
		e := events.Event{ID: "1", Type: "t", Data: v}
		if got := events.Wrong(&e, true); got != "" || !bytes.Equal(e.Data, v) {
			t.Errorf("%s: got %q", escape, got)
		}
	}
}

// What waits to be committed is in memory about once. It runs alone, since it measures
// what is in memory.
func TestWhatWaitsIsInMemoryOnce(t *testing.T) { //nolint:paralleltest // see above
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	w.config.Rates = map[tenant.Tier]int{tenant.Basic: 1_000_000}
	w.again()
	s, err := w.Own(t.Context(), w.scope(w.tenant("acme").ID, policy.TenantAdmin), tenant.Basic)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	var list []events.Event
	data := jsontext.Value(`{"a":"` + strings.Repeat("x", 1700) + `"}`)
	for n := range 4000 {
		e := login(fmt.Sprint(n))
		e.Data = data
		list, size = append(list, e), size+len(data)
	}
	memory := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, during := memory(), 0
	events.Within(w.Events, func() error {
		during = memory()
		return nil
	})
	w.take(s, list...)
	if took := during - before; took > 2*size+8<<20 {
		t.Errorf("%d bytes of events take %d bytes while they wait", size, took)
	}
}

// Who leaves while what cannot be read is put in quarantine races with nobody.
func TestWhoLeavesRacesWithNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	s, err := w.Own(t.Context(), w.scope(w.tenant("acme").ID, policy.TenantAdmin), tenant.Basic)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	events.WithinQuarantine(w.Events, func() error {
		leave()
		return nil
	})
	b := events.Batch{Channel: "api"}
	for range 3000 {
		b.Received = append(b.Received, events.Incoming{Raw: jsontext.Value(`{}`), Err: fault.New(fault.Invalid, "It is nothing.")})
	}
	if _, err := w.Take(ctx, s, b); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
