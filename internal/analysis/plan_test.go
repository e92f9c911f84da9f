package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/fault"
)

// A plan says what a run then does, and leaves nothing behind.
func TestAPlanIsWhatTheRunThenDoes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.golden(t)
		b.join(t, "Org 3")
		b.join(t, "Org 4")
		b.decide(t, analysis.Accepted, 0, 1, 2)
		b.decide(t, analysis.Declined, 3)
		plan := func() analysis.Plan {
			t.Helper()
			found, err := b.UnscopedPlan(ctx, []string{"cross-participant-mean"}, date)
			check(t, err)
			return found[0]
		}
		said := func(p analysis.Plan) string {
			var lacks []string
			for _, m := range p.Missing {
				lacks = append(lacks, m.Slug+" "+m.Dataset+" "+m.Reason)
			}
			return fmt.Sprintf("%d in, %d declined, quorum %t: %s; %s", len(p.Participants), p.Declined, p.Enough, strings.Join(lacks, " "), p.Outcome)
		}
		nothing := "tagged-values It has sent nothing for this date."
		want := "0 in, 1 declined, quorum false: tenant-1 " + nothing + " tenant-2 " + nothing + " tenant-3 " + nothing + "; Skipped: there are 0 participants, and the quorum is 2."
		if got := said(plan()); got != want {
			t.Errorf("before any file: got %s, want %s", got, want)
		}
		for n := range 2 {
			b.send(t, n, read(t, fmt.Sprintf("input-2022-09-23-%06d-000001.csv", n+1)))
		}
		b.turn(t, b.idle(t))
		p := plan()
		want = "2 in, 1 declined, quorum true: tenant-3 " + nothing + "; Run: the gate then decides what may be shown."
		if got := said(p); got != want || p.Rows == 0 || p.Bytes == 0 || p.Organisations != 2 {
			t.Errorf("with files: got %s, %d rows, %d bytes, %d organisations, want %s", got, p.Rows, p.Bytes, p.Organisations, want)
		}
		var left int64
		check(t, b.DB.Unscoped().QueryRow(ctx, `SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM run_log) + (SELECT count(*) FROM run_inputs)`).Scan(&left))
		if left != 0 {
			t.Errorf("the plans left %d rows", left)
		}
		r := b.run(t, analysis.RunSucceeded)
		if r.Participants != int64(len(p.Participants)) {
			t.Errorf("the run: got %s with %d participants, want what was planned", r.State, r.Participants)
		}
		if p = plan(); p.Release != r.ID {
			t.Errorf("after the run: got %q, want that the release of %s stands", p.Outcome, r.ID)
		}
		if _, err := b.UnscopedPlan(ctx, []string{"nothing"}, date); !fault.Is(err, fault.NotFound) {
			t.Errorf("an analysis that is not there: got %v", err)
		}
	})
}
