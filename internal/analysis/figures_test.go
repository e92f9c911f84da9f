package analysis_test

import (
	"fmt"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/meta"
	"tributary/internal/span"
)

func TestRunsAreCountedAndTimed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml"))
		begun := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
		add := func(n int, state analysis.RunState, day int, took time.Duration) {
			t.Helper()
			at := begun.AddDate(0, 0, day)
			var started, finished *int64
			if took > 0 {
				from, to := meta.Micros(at), meta.Micros(at.Add(took))
				started, finished = &from, &to
			}
			_, err := b.DB.Exec(t.Context(), `INSERT INTO runs (id, analysis, version, date, state, job, started_by, created_at, started_at, finished_at) VALUES ($1, 'cross-participant-mean', 1, '2026-03-01', $2, 'job', 'usr_1', $3, $4, $5)`,
				fmt.Sprint("run_", n), string(state), meta.Micros(at), started, finished)
			check(t, err)
		}
		for n := 1; n <= 20; n++ {
			add(n, analysis.RunSucceeded, 0, time.Duration(n)*time.Second)
		}
		add(21, analysis.RunFailed, 1, time.Minute)
		add(22, analysis.RunQueued, 1, 0)
		add(23, analysis.RunSucceeded, 9, time.Hour) // later than what is asked for
		s, err := span.Resolve(begun.AddDate(0, 0, 20), span.Query{From: "2026-03-08", To: "2026-03-09"})
		check(t, err)
		found, err := b.UnscopedExecuted(t.Context(), s, "")
		check(t, err)
		got := ""
		for _, e := range found {
			got += fmt.Sprintf("%d: %d runs %v %s %s %s; ", e.Bucket, e.Runs, e.Outcomes, e.P50, e.P95, e.Max)
		}
		if want := "0: 20 runs map[succeeded:20] 10s 19s 20s; 1: 2 runs map[failed:1 queued:1] 1m0s 1m0s 1m0s; -1: 22 runs map[failed:1 queued:1 succeeded:20] 11s 20s 1m0s; "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if none, err := b.UnscopedExecuted(t.Context(), s, "another"); err != nil || len(none) != 0 {
			t.Errorf("of another analysis: got %v, %v", none, err)
		}
	})
}
