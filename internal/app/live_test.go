package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/live"
)

// seen gathers what somebody is told.
type seen struct {
	mu   sync.Mutex
	list []client.Change
	more chan struct{}
}

func (s *seen) add(c client.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, c)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

func (s *seen) has(want func(client.Change) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, want)
}

// until waits until something was told.
func (s *seen) until(t *testing.T, what string, want func(client.Change) bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for !s.has(want) {
		select {
		case <-s.more:
		case <-limit:
			t.Fatalf("not told of %s; told of %+v", what, s.list)
		}
	}
}

// A file of one tenant and a run over two: everybody is told of their own, the
// provider of all, and the log comes line by line to its end.
func TestPeopleAreToldWhatHasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, example(t, "dataset.yaml")))(t)
	must(admin.ApplyAnalysis(ctx, example(t, "analysis.yaml")))(t)
	var parties []*client.Client
	for n := 1; n <= 2; n++ {
		p, _ := w.party(admin, fmt.Sprintf("tenant-%d", n), fmt.Sprintf("%06d", n))
		must(p.AcceptAnalysis(ctx, "cross-participant-mean", 0))(t)
		parties = append(parties, p)
	}
	var watching sync.WaitGroup
	watch := func(c *client.Client) *seen {
		s := &seen{more: make(chan struct{}, 1)}
		watching.Go(func() {
			if err := c.WatchChanges(ctx, s.add); !errors.Is(err, context.Canceled) {
				t.Errorf("watching: %v", err)
			}
		})
		for !s.has(func(c client.Change) bool { return c.Kind == "dataset" }) { // that it listens, this shows
			w.stores.changes.Tell(live.Change{Kind: live.Dataset, Common: true})
			select {
			case <-s.more:
			case <-time.After(20 * time.Millisecond):
			}
		}
		return s
	}
	provider, one, two := watch(admin), watch(parties[0]), watch(parties[1])
	told := func(kind, id string) func(client.Change) bool {
		return func(c client.Change) bool { return c.Kind == kind && (id == "" || c.ID == id) }
	}
	var subs []client.Submission
	for n, p := range parties {
		name := fmt.Sprintf("input-2022-09-23-%06d-000001.csv", n+1)
		sent := must(p.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: "2022-09-23", Name: name, Body: bytes.NewReader(example(t, name))}))(t)
		subs = append(subs, must(p.WaitSubmission(ctx, sent.ID))(t))
	}
	runs := must(admin.StartRuns(ctx, []string{"cross-participant-mean"}, "2022-09-23"))(t)
	var lines, again []int64
	ended := must(admin.FollowRun(ctx, runs.Items[0].ID, 0, func(l client.LogLine) error { lines = append(lines, l.Seq); return nil }, nil))(t)
	if log := must(admin.RunLog(ctx, runs.Items[0].ID, 0))(t); ended.State != "succeeded" || len(lines) != len(log.Items) {
		t.Errorf("following: got %s after %d lines, want succeeded after %d", ended.State, len(lines), len(log.Items))
	}
	for n, seq := range lines {
		if seq != int64(n+1) {
			t.Errorf("lines: got %v, want them in order, none left out and none twice", lines)
			break
		}
	}
	must(admin.FollowRun(ctx, runs.Items[0].ID, 2, func(l client.LogLine) error { again = append(again, l.Seq); return nil }, nil))(t)
	if !slices.Equal(again, lines[2:]) {
		t.Errorf("from after line 2: got %v, want %v", again, lines[2:])
	}
	for n, s := range []*seen{one, two} {
		s.until(t, "its submission", told("submission", subs[n].ID))
		s.until(t, "its result", told("result", ""))
		if s.has(told("submission", subs[1-n].ID)) || s.has(told("run", "")) {
			t.Errorf("tenant %d: told of the other's, or of the provider's: %+v", n+1, s.list)
		}
	}
	provider.until(t, "the run", told("run", runs.Items[0].ID))
	provider.until(t, "a result", told("result", ""))
	for _, sub := range subs {
		provider.until(t, "the submission "+sub.ID, told("submission", sub.ID))
	}
	cancel()
	watching.Wait()
	w.figures(admin)
	result := must(parties[0].Results(t.Context(), client.ResultFilter{}))(t).Items[0]
	for _, want := range []string{"result", ""} { // what is read again has not changed, or who reads at a change would read for ever
		told := ""
		watch := w.stores.changes.UnscopedWatch("")
		must(parties[0].ResultContent(t.Context(), result.ID, "csv", io.Discard, nil))(t)
		list, _, _ := watch.Next()
		for _, c := range list {
			told += string(c.Kind)
		}
		if told != want {
			t.Errorf("reading a result told of %q, want %q", told, want)
		}
	}
}

// figures wants the reports and the health of tenants to say what was done.
func (w *world) figures(admin *client.Client) {
	w.t.Helper()
	ctx := w.t.Context()
	page := must(admin.Tenants(ctx, client.TenantFilter{Health: true}))(w.t)
	for _, t := range page.Items {
		if h := t.Health; h == nil || h.LastSubmission == nil || h.ResultsWaiting != 1 || h.StoredBytes == 0 || h.Users != 0 || h.Rejected != 0 {
			w.t.Errorf("health of %s: got %+v", t.Slug, h)
		}
	}
	if plain := must(admin.Tenant(ctx, "tenant-1"))(w.t); plain.Health != nil {
		w.t.Error("a tenant's health was told without being asked for")
	}
	received := must(admin.ReceivedReport(ctx, client.ReportQuery{}, "tenant", ""))(w.t)
	if n := len(received.Items); n != 2 || received.Items[0].Accepted != 1 || received.Items[0].TenantSlug == "" || !received.Buckets[received.Items[0].Bucket].Partial {
		w.t.Errorf("files that came: got %+v", received.Items)
	}
	runs := must(admin.RunsReport(ctx, client.ReportQuery{}, ""))(w.t)
	if len(runs.Totals) != 1 || runs.Totals[0].Outcomes["succeeded"] != 1 || runs.Totals[0].MaxSeconds == 0 {
		w.t.Errorf("runs: got %+v", runs.Totals)
	}
}

// A server stops although people watch, and does not wait for them.
func TestAServerThatIsWatchedStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	s := &seen{more: make(chan struct{}, 1)}
	var watching sync.WaitGroup
	admin := w.as(token)
	watching.Go(func() { _ = admin.WatchChanges(ctx, s.add) }) // its end is not the server's
	for !s.has(func(client.Change) bool { return true }) {
		w.stores.changes.Tell(live.Change{Kind: live.Dataset, Common: true})
		select {
		case <-s.more:
		case <-time.After(20 * time.Millisecond):
		}
	}
	begun := time.Now()
	w.stop()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
	cancel()
	watching.Wait()
}
