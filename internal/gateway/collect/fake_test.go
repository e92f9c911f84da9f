package collect

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
)

// taker is an intake that keeps what it is given, and answers as a test wants.
type taker struct {
	mu     sync.Mutex
	keys   []string
	taken  []events.Batch
	err    error
	judge  func(events.Incoming) events.Verdict
	told   []audit.Entry
	source events.Source
}

func (f *taker) Record(_ context.Context, e audit.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, e)
	return nil
}

const goodKey = "twk_good"

func (f *taker) Source(_ context.Context, key string) (*events.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, key)
	if key != goodKey {
		return nil, fault.New(fault.Unauthenticated, "The write key is not valid.")
	}
	return &f.source, nil
}

// goodLink is the one that is good.
const goodLink = "trp_good"

func (f *taker) Pixel(_ context.Context, token string) (*events.Source, events.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, token)
	if token != goodLink {
		return nil, events.Event{}, fault.New(fault.Unauthenticated, "The link is not valid.")
	}
	return &f.source, events.Event{ID: "pix_1", Type: "mail.opened", User: "u1", Data: jsontext.Value(`{"campaign":"spring"}`)}, nil
}

func (f *taker) Take(_ context.Context, _ *events.Source, b events.Batch) ([]events.Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	f.taken = append(f.taken, b)
	var list []events.Verdict
	for _, in := range b.Received {
		switch {
		case f.judge != nil:
			list = append(list, f.judge(in))
		case in.Err != nil:
			list = append(list, events.Verdict{ID: in.Event.ID, Result: events.Drop, Details: fault.Message(in.Err)})
		default:
			list = append(list, events.Verdict{ID: in.Event.ID, Result: events.OK})
		}
	}
	return list, nil
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// gateway is the handler on an intake.
func gateway(t *testing.T, f *taker) http.Handler {
	t.Helper()
	h, err := New(Config{Events: f, Audit: f, Clock: clock.Clock{NowFunc: func() time.Time { return noon }}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends a request. Headers are "Name: value" lines.
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://collect.example.com"+target, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

// told is an event as a test reads it.
func told(in events.Incoming) string {
	e := in.Event
	var b strings.Builder
	for _, f := range []struct{ name, value string }{{"id", e.ID}, {"type", e.Type}, {"subject", e.Subject}, {"user", e.User}, {"anonymous", e.Anonymous},
		{"session", e.Session}, {"device", e.Device}, {"data", string(e.Data)}, {"context", string(e.Context)}} {
		if f.value != "" {
			b.WriteString(f.name + "=" + f.value + " ")
		}
	}
	if !e.Time.IsZero() {
		b.WriteString("at=" + e.Time.Format("2006-01-02T15:04:05.000") + " ")
	}
	if in.Err != nil {
		b.WriteString("error=" + fault.Message(in.Err))
	}
	return strings.TrimSpace(b.String())
}

// received is all that was taken, a line for each event, after what the batch says.
func (f *taker) received() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, b := range f.taken {
		head := b.Channel
		if !b.SentAt.IsZero() {
			head += " sent=" + b.SentAt.Format("15:04:05.000")
		}
		lines = append(lines, head)
		for _, in := range b.Received {
			lines = append(lines, told(in))
		}
	}
	return strings.Join(lines, "\n")
}
