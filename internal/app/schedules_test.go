package app

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/client"
)

// TestTheGoldenCaseAtTheCutOff lets the day pass on which the example's files are
// due: by the clock that the running server looks at, which is set forward twice.
func TestTheGoldenCaseAtTheCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	token := must(Init(ctx, w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	admin := w.as(token)
	must(admin.ApplyDataset(ctx, bytes.Replace(example(t, "dataset.yaml"), []byte("zone: UTC}"), []byte("zone: UTC, grace: 6h}"), 1)))(t)
	must(admin.ApplyAnalysis(ctx, example(t, "analysis.yaml")))(t)
	now := w.cfg.Clock.Now()
	today := now.Format(time.DateOnly)
	cutOff := time.Date(now.Year(), now.Month(), now.Day()+1, 18, 0, 0, 0, time.UTC)
	as := func(name string) []byte { // the example's files, of today
		text := bytes.ReplaceAll(example(t, name), []byte("20220923"), []byte(now.Format("20060102")))
		return bytes.ReplaceAll(text, []byte("2022-09-23"), []byte(today))
	}
	var parties []*client.Client
	for n := range 2 {
		id := fmt.Sprintf("%06d", n+1)
		p, _ := w.party(admin, "tenant-"+id, id)
		parties = append(parties, p)
		must(p.AcceptAnalysis(ctx, "cross-participant-mean", 0))(t)
		sent := must(p.Submit(ctx, client.Upload{Dataset: "tagged-values", Date: today, Name: "input-" + today + "-" + id + "-000001.csv",
			Body: bytes.NewReader(as("input-2022-09-23-" + id + "-000001.csv"))}))(t)
		if got := must(p.WaitSubmission(ctx, sent.ID))(t); got.State != "accepted" {
			t.Fatalf("submission: %+v", got)
		}
	}
	made := must(admin.CreateSchedule(ctx, client.NewSchedule{ID: "evening", Analyses: []string{"cross-participant-mean"}, Cron: "0 18 * * *"}))(t)
	pass := func(to time.Time, firings int) []client.Firing {
		t.Helper()
		w.late.Store(int64(time.Until(to)))
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(time.Minute); ; <-tick.C {
			list := must(admin.Firings(ctx, client.FiringFilter{Schedule: "evening"}))(t).Items
			ended := len(list) == firings
			if ended { // a run begins a minute after its cut-off
				w.late.Store(int64(time.Until(to.Add(time.Minute))))
			}
			for _, f := range list {
				for _, r := range f.Runs {
					ended = ended && r.State != "queued" && r.State != "running"
				}
			}
			if ended {
				return list
			}
			if time.Now().After(end) {
				t.Fatalf("at %s: %+v, want %d firings whose runs have ended", to, list, firings)
			}
		}
	}
	before := 0 // today's six o'clock may have passed already
	if made.Next[0].At.Before(cutOff.Add(-time.Hour)) {
		before = 1
		yesterday := pass(made.Next[0].At, 1)
		if r := yesterday[0].Runs; len(r) != 1 || r[0].State != "skipped" || r[0].Date != now.AddDate(0, 0, -1).Format(time.DateOnly) {
			t.Errorf("the day before, for which nothing was sent: %+v", r)
		}
	}
	list := pass(cutOff, before+1)
	fired := list[0]
	if late := fired.FiredAt.Sub(fired.At); !fired.At.Equal(cutOff) || late < 0 || late > 3*time.Second || len(fired.Runs) == 0 {
		t.Fatalf("at the cut-off: %+v", fired)
	}
	last := fired.Runs[len(fired.Runs)-1]
	if last.Date != today || last.State != "succeeded" {
		t.Errorf("the day's run: %+v", last)
	}
	if r := must(admin.Run(ctx, last.ID))(t); r.Through == nil || !r.Through.Equal(cutOff) {
		t.Errorf("through: %v, want %s", r.Through, cutOff)
	}
	for n, p := range parties {
		results := must(p.Results(ctx, client.ResultFilter{}))(t).Items
		if len(results) != 1 {
			t.Fatalf("%d results, want 1", len(results))
		}
		var got bytes.Buffer
		must(p.ResultContent(ctx, results[0].ID, "csv", &got, nil))(t)
		if want := as(fmt.Sprintf("output-2022-09-23-%06d-000001.csv", n+1)); got.String() != string(want) {
			t.Errorf("result: got %q, want %q", got.String(), want)
		}
	}
	if strings.Contains(w.log.String(), "schedules not fired") {
		t.Error("a round failed")
	}
}
