package analysis_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
)

func TestARunThroughACutOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		inTime := b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		correction := b.send(t, 1, rows(1, "a,b,4"))
		b.turn(t, b.idle(t))
		through := func(at time.Time, want analysis.RunState) analysis.Run {
			t.Helper()
			runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"cross-participant-mean"}, date, &at)
			check(t, err)
			b.late.Add(int64(time.Minute)) // it does not begin before
			b.turn(t, b.idle(t))
			r := b.want(t, runs[0].ID, want)
			if r.Through == nil || !r.Through.Equal(at) {
				t.Errorf("the run is through %v, want %v", r.Through, at)
			}
			return r
		}
		skipped := through(inTime.ReceivedAt.Add(-time.Microsecond), analysis.RunSkipped)
		again, err := b.UnscopedRetry(t.Context(), "usr_admin", skipped.ID)
		check(t, err)
		b.turn(t, b.idle(t))
		b.want(t, again.ID, analysis.RunSkipped) // a retry keeps to the same cut-off

		r := through(inTime.ReceivedAt, analysis.RunSucceeded)
		m := manifest(t, b, r)
		if m.Through == nil || !m.Through.Equal(inTime.ReceivedAt) || !reads(m, inTime.ID) || reads(m, correction.ID) {
			t.Errorf("manifest: %+v", m)
		}
		log, err := b.UnscopedLog(t.Context(), r.ID, 0)
		check(t, err)
		if !strings.Contains(log[0].Message, inTime.ReceivedAt.Format(time.RFC3339)) {
			t.Errorf("the log does not say what counts: %+v", log)
		}
		// By hand: all that is accepted, and nothing said of a cut-off.
		m = manifest(t, b, b.run(t, analysis.RunSucceeded))
		if m.Through != nil || !reads(m, correction.ID) || reads(m, inTime.ID) {
			t.Errorf("manifest: %+v", m)
		}
		// The same inputs have one release, whichever cut-off they were found by.
		if same := through(correction.ReceivedAt, analysis.RunSucceeded); same.Release != m.Release {
			t.Errorf("release %s, want %s", same.Release, m.Release)
		}
	})
}

func manifest(t *testing.T, b *bench, r analysis.Run) (m analysis.Manifest) {
	t.Helper()
	body, _, err := b.UnscopedManifest(t.Context(), r.ID)
	check(t, err)
	check(t, json.Unmarshal(body, &m))
	if strings.Contains(string(body), "through") != (m.Through != nil) {
		t.Errorf("manifest: %s", body)
	}
	return m
}

func reads(m analysis.Manifest, submission string) bool {
	for _, i := range m.Inputs {
		if i.Submission == submission {
			return true
		}
	}
	return false
}

func TestARunWaitsForVerdictsOnWhatCameInTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		outsider := b.join(t, "Org 3")
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.turn(t, b.idle(t))
		in := b.send(t, 1, rows(1, "a,b,2"))
		b.send(t, outsider, rows(outsider, "a,b,2"))
		// None of the two is validated for now.
		_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET run_after = run_after + 3600000000 WHERE state = 'queued'`)
		check(t, err)
		begin := func(through time.Time) string {
			t.Helper()
			runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"cross-participant-mean"}, date, &through)
			check(t, err)
			return runs[0].ID
		}
		before, since := begin(in.ReceivedAt.Add(-time.Microsecond)), begin(in.ReceivedAt)
		b.late.Add(int64(time.Minute))
		b.turn(t, func() bool {
			r, err := b.UnscopedRun(t.Context(), before)
			check(t, err)
			s, err := b.UnscopedRun(t.Context(), since)
			check(t, err)
			return r.State.Done() && strings.Contains(s.Progress.Stage, "still being validated")
		})
		b.want(t, before, analysis.RunSkipped) // for which nobody waits
		_, err = b.DB.Unscoped().Exec(t.Context(), `UPDATE jobs SET run_after = 0 WHERE tenant <> $1`, string(b.tenants[outsider].ID))
		check(t, err)
		b.turn(t, func() bool {
			r, err := b.UnscopedRun(t.Context(), since)
			check(t, err)
			return r.State.Done()
		})
		b.want(t, since, analysis.RunSucceeded)
	})
}

// A file gets its time when its row is written, and its row may be committed a little
// later: a run at the cut-off waits for that too.
func TestARunDoesNotBeginAtItsCutOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.turn(t, b.idle(t))
		cutOff := b.Clock.Now()
		runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"cross-participant-mean"}, date, &cutOff)
		check(t, err)
		in := b.send(t, 1, rows(1, "a,b,2")) // which took until now
		_, err = b.DB.Unscoped().Exec(t.Context(), `UPDATE submissions SET received_at = $1 WHERE id = $2`, cutOff, in.ID)
		check(t, err)
		validated := func() bool {
			s, err := b.exchange.UnscopedSubmission(t.Context(), in.ID)
			check(t, err)
			return s.State == exchange.Accepted
		}
		b.turn(t, validated)
		b.want(t, runs[0].ID, analysis.RunQueued)
		b.late.Add(int64(time.Minute))
		b.turn(t, b.idle(t))
		if r := b.want(t, runs[0].ID, analysis.RunSucceeded); r.Participants != 2 {
			t.Errorf("%d participants, want 2", r.Participants)
		}
	})
}
