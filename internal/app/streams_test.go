package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/stream"
)

// tailed gathers the events of a stream as they come.
type tailed struct {
	mu   sync.Mutex
	list []client.StreamEvent
	more chan struct{}
}

func (s *tailed) add(e client.StreamEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, e)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

func (s *tailed) all() []client.StreamEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// until waits for an event, and returns what its data says.
func (s *tailed) until(t *testing.T, kind, subject string) map[string]any {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		for _, e := range s.all() {
			if e.Type == "tributary."+kind && e.Subject == subject && e.SpecVersion == "1.0" {
				var data map[string]any
				if err := json.Unmarshal(e.Data, &data); err != nil {
					t.Fatal(err)
				}
				return data
			}
		}
		select {
		case <-s.more:
		case <-limit:
			t.Fatalf("no %s of %s came; %+v did", kind, subject, s.all())
		}
	}
}

// Two tenants send files, and a run is started: each reads its own on the stream, live
// and afterwards, also of a server that was stopped; the provider reads all.
func TestWhatIsDoneIsOnTheStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, example(t, "dataset.yaml")))(t)
	must(admin.ApplyAnalysis(ctx, example(t, "analysis.yaml")))(t)
	var tailing sync.WaitGroup
	tail := func(c *client.Client) *tailed {
		s := &tailed{more: make(chan struct{}, 1)}
		tailing.Go(func() {
			if err := c.TailStream(ctx, "jobs", "", "0", s.add, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("tailing: %v", err)
			}
		})
		return s
	}
	all := tail(admin)
	var subs []client.Submission
	var parties []*client.Client
	var keys []string
	for n := 1; n <= 2; n++ {
		p, key := w.party(admin, fmt.Sprintf("tenant-%d", n), fmt.Sprintf("%06d", n))
		parties, keys = append(parties, p), append(keys, key.Key)
		own := tail(p)
		name := fmt.Sprintf("input-2022-09-23-%06d-000001.csv", n)
		sent := must(p.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: name, Body: bytes.NewReader(example(t, name))}))(t)
		subs = append(subs, must(p.WaitSubmission(ctx, sent.ID))(t))
		for _, s := range []*tailed{own, all} {
			got := s.until(t, "submission.validate", sent.ID)
			if got["dataset"] != "tagged-values" || got["date"] != "2022-09-23" || got["state"] != "accepted" || got["outcome"] != "accepted" && got["outcome"] != "ok" || got["rows"] == nil {
				t.Errorf("a verdict says %v", got)
			}
		}
		for _, e := range own.all() {
			if e.Tenant != subs[n-1].Tenant || e.Subject == subs[0].ID && n == 2 {
				t.Errorf("tenant %d reads %+v", n, e)
			}
		}
	}
	for _, p := range parties {
		must(p.AcceptAnalysis(ctx, "cross-participant-mean", 0))(t)
	}
	run := must(admin.StartRuns(ctx, []string{"cross-participant-mean"}, "2022-09-23"))(t).Items[0].ID
	must(admin.WaitRun(ctx, run, nil))(t)
	if got := all.until(t, "run.end", run); got["analysis"] != "cross-participant-mean" || got["state"] != "succeeded" || got["participants"] != 2.0 {
		t.Errorf("the end of a run says %v", got)
	}
	cancel()
	tailing.Wait()
	w.stop()
	w.start()
	for n, key := range keys {
		seen := map[string]bool{}
		for e, err := range client.All(t.Context(), w.as(key).EveryStreamEvent("jobs"), client.StreamFilter{TenantPage: client.TenantPage{Tenant: "tenant-1"}}) {
			if err != nil || e.Tenant != subs[n].Tenant || seen[e.ID] {
				t.Fatalf("tenant %d reads %+v, %v", n+1, e, err)
			}
			seen[e.ID] = true
		}
		if len(seen) < 4 {
			t.Errorf("tenant %d reads %d events", n+1, len(seen))
		}
		for _, s := range must(w.as(key).Streams(t.Context()))(t).Items {
			if s.First != 0 || s.Last != 0 || s.Messages != 0 || s.Bytes != 0 || s.Days != 7 {
				t.Errorf("a tenant is told of others: %+v", s)
			}
		}
	}
	first := must(w.as(token).StreamEvents(t.Context(), "jobs", client.StreamFilter{TenantPage: client.TenantPage{Page: client.Page{Limit: 1}, Tenant: "tenant-2"}}))(t)
	if len(first.Items) != 1 || first.Next == "" || first.Items[0].Tenant != subs[1].Tenant {
		t.Errorf("the first of one tenant: %+v", first)
	}
}

func TestStreamsAreKeptForDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, days := range []map[string]int{{"events": 0}, {"events": 366}, {"others": 7}} {
		w.cfg.StreamDays = days
		if err := w.cfg.checkStreams(); err == nil {
			t.Errorf("%v is taken", days)
		}
	}
	w.cfg.StreamDays = map[string]int{"events": 365, "users": 1, "basic:tenants": 3}
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	got := map[string]float64{}
	for _, s := range must(w.as(token).Streams(t.Context()))(t).Items {
		got[s.ID] = s.Days
	}
	p, _ := w.party(w.as(token), "acme", "000001")
	for _, s := range must(p.Streams(t.Context()))(t).Items {
		if s.ID == "tenants" && s.Days != 3 {
			t.Errorf("a tenant of a tier is told that its events are kept %v days, want 3", s.Days)
		}
	}
	if got["events"] != 365 || got["users"] != 1 || got["jobs"] != 7 || got["tenants"] != 7 {
		t.Errorf("streams are kept %v days", got)
	}
}

// The provider's live tail says which messages are missing, and why.
func TestATailSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	for n := range 3 {
		must(w.App.streams.Publish(t.Context(), stream.Events, []stream.Message{{Data: fmt.Append(nil, n)}}))(t)
	}
	must(w.App.streams.Expire(t.Context(), stream.Events, 2))(t)
	enough := errors.New("enough")
	var got client.StreamMissing
	if err := w.as(token).TailStream(t.Context(), "events", "", "1", func(client.StreamEvent) error { return nil }, func(m client.StreamMissing) error {
		got = m
		return enough
	}); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if want := (client.StreamMissing{From: 2, To: 2, Message: "The messages 2 to 2 of the stream events are kept no longer. The oldest is 3."}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
