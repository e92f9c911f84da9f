package analysis_test

import (
	"testing"

	"tributary/internal/analysis"
)

// TestARunWaitsForKeys has the keys away once before the snapshot, since grants are
// sealed into audit logs, and once when the inputs are opened; and also a file that
// is to be validated.
func TestARunWaitsForKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		last := b.send(t, 1, rows(1, "a,b,2"))
		leave := func() {
			b.kek.away.Store(true)
			for _, made := range b.tenants {
				b.Keys.Forget(made.ID)
			}
		}
		waits := func(kind string, count int64) func() bool {
			return func() bool {
				list, err := b.jobs.UnscopedWaiting(ctx)
				check(t, err)
				return len(list) == 1 && list[0].Kind == kind && list[0].For == "keys" && list[0].Count == count
			}
		}
		leave()
		b.turn(t, waits("validate", 2))
		s, err := b.exchange.UnscopedSubmission(ctx, last.ID)
		if err == nil {
			t.Errorf("a name that is sealed was read without keys: %q", s.Name)
		}
		b.kek.away.Store(false)
		b.turn(t, b.idle(t))

		leave()
		r := b.start(t)
		for range 3 {
			b.turn(t, waits("run", 1))
			b = b.restarted(t)
		}
		now, err := b.UnscopedRun(ctx, r.ID)
		check(t, err)
		if now.State.Done() || now.Progress.Stage != "waits: keys cannot be reached" {
			t.Errorf("the run is %s: %q", now.State, now.Progress.Stage)
		}
		b.kek.away.Store(false)
		b.turn(t, func() bool {
			now, err := b.UnscopedRun(ctx, r.ID)
			check(t, err)
			return now.Snapshot != nil
		})
		leave()
		b = b.restarted(t)
		b.turn(t, func() bool {
			now, err := b.UnscopedRun(ctx, r.ID)
			check(t, err)
			return now.State.Done() || waits("run", 1)()
		})
		b.kek.away.Store(false)
		b.turn(t, b.idle(t))
		b.want(t, r.ID, analysis.RunSucceeded)
		if len(b.received(t, 0)) != 1 {
			t.Error("there is no result")
		}
	})
}
