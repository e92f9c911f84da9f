package analysis_test

import (
	"strings"
	"testing"

	"tributary/internal/analysis"
)

// TestARunWaitsForFilesThatCameInTime starts a run at the cut-off, while files are
// still being validated. That of a suspended tenant, which takes no part, is not
// waited for, nor is one that came later.
func TestARunWaitsForFilesThatCameInTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.golden(t)
		b.join(t, "Org 3")
		b.decide(t, analysis.Accepted, 0, 1, 2)
		b.send(t, 0, rows(0, "a,b,1"))
		b.turn(t, b.idle(t))
		b.send(t, 2, rows(2, "a,b,3"))
		_, err := b.Control.UnscopedSuspend(ctx, "usr_admin", "tenant-3", "unpaid")
		check(t, err)
		late := b.send(t, 1, rows(1, "a,b,2"))
		_, err = b.DB.Unscoped().Exec(ctx, `UPDATE jobs SET run_after = $1 WHERE state = 'queued'`, int64(1)<<60)
		check(t, err)
		runs, err := b.UnscopedStart(ctx, "usr_admin", []string{"cross-participant-mean"}, date, &late.ReceivedAt)
		check(t, err)
		stage := func() string {
			r, err := b.UnscopedRun(ctx, runs[0].ID)
			check(t, err)
			if r.State.Done() {
				t.Fatalf("the run is %s: %s", r.State, r.Reason)
			}
			return r.Progress.Stage
		}
		b.turn(t, func() bool { return strings.HasPrefix(stage(), "waits: files that came by the cut-off") })
		_, err = b.DB.Unscoped().Exec(ctx, `UPDATE jobs SET run_after = 0 WHERE state = 'queued' AND tenant <> $1`, string(b.tenants[2].ID))
		check(t, err)
		b.turn(t, func() bool {
			r, err := b.UnscopedRun(ctx, runs[0].ID)
			check(t, err)
			return r.State.Done()
		})
		if r := b.want(t, runs[0].ID, analysis.RunSucceeded); r.Participants != 2 {
			t.Errorf("%d participants, want 2", r.Participants)
		}
	})
}
