package analysis_test

import (
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/control"
	"tributary/internal/fault"
)

func TestAcceptance(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		standing := func(n int) analysis.Standing {
			v, err := b.Analysis(t.Context(), "cross-participant-mean", 0)
			check(t, err)
			s, err := b.Standing(t.Context(), b.scope(t, n), v)
			check(t, err)
			return s
		}
		if s := standing(0); s.Covers() || s.Decision != "" {
			t.Errorf("before: %+v", s)
		}
		b.decide(t, analysis.Accepted, 0, 1)
		if s := standing(0); !s.Covers() {
			t.Errorf("after a yes: %+v", s)
		}
		text := read(t, "analysis.yaml")
		narrowed := strings.Replace(text, "quorum: 2", "quorum: 3", 1)
		b.apply(t, read(t, "dataset.yaml"), narrowed)
		if s := standing(0); !s.Covers() || s.For != 1 {
			t.Errorf("narrowed: %+v", s)
		}
		widened := strings.Replace(text, "recipients:", "  - {name: Total, function: sum, column: Value, decimals: 1}\nrecipients:", 1)
		b.apply(t, read(t, "dataset.yaml"), widened)
		if s := standing(0); s.Covers() || len(s.Widened) == 0 {
			t.Errorf("widened: %+v", s)
		}
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		b.run(t, analysis.RunSkipped) // nobody has accepted the wider one
		b.decide(t, analysis.Accepted, 0)
		if !standing(0).Covers() || standing(1).Covers() {
			t.Error("a new yes is the tenant's own")
		}
		_, err := b.DB.Unscoped().Exec(t.Context(), `UPDATE acceptances SET decision = 'accepted', version = 3 WHERE tenant = $1`, string(b.tenants[1].ID))
		check(t, err)
		if _, err := b.UnscopedStands(t.Context(), "cross-participant-mean"); !fault.Is(err, fault.Damaged) {
			t.Errorf("a yes that was edited in: %v", err)
		}
		r := b.start(t)
		b.turn(t, b.idle(t))
		b.want(t, r.ID, analysis.RunFailed)
	})
}

func TestCancelledAndRecovered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))

		queued := b.start(t)
		_, err := b.UnscopedCancel(t.Context(), "usr_admin", queued.ID)
		check(t, err)
		b.want(t, queued.ID, analysis.RunCancelled)
		if _, err := b.UnscopedCancel(t.Context(), "usr_admin", queued.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancel again: %v", err)
		}

		// Stopped in the middle, once the snapshot is fixed; a new process does the
		// rest. Another run of the same inputs is under way at the same time.
		r := b.start(t)
		b.turn(t, func() bool {
			now, err := b.UnscopedRun(t.Context(), r.ID)
			check(t, err)
			return now.Snapshot != nil
		})
		b = b.restarted(t)
		other := b.start(t)
		b.turn(t, b.idle(t))
		one, two := b.want(t, r.ID, analysis.RunSucceeded), b.want(t, other.ID, analysis.RunSucceeded)
		if one.Release != two.Release || b.releases(t) != 1 || len(b.received(t, 0)) != 1 {
			t.Errorf("releases %s and %s, %d in all, want one", one.Release, two.Release, b.releases(t))
		}
	})
}

// An organisation that signed itself up is no contributor until it is verified: not in a
// quorum, not in a cell, and not among those of whom a tenant is told.
func TestWhoSignedUpDoesNotCount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml"))
		b.join(t, "Org 1")
		made, err := b.Control.UnscopedSignUp(t.Context(), "ask_1", control.NewTenant{Slug: "sybil-1", Name: "Sybil", Organisation: "Sybil (sybil-1)", ExternalIDs: []string{"000002"}}, 10)
		check(t, err)
		b.tenants = append(b.tenants, made)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,1"))
		b.send(t, 1, rows(1, "a,b,2"))
		b.turn(t, b.idle(t))
		counts := func(want, verified int64) {
			t.Helper()
			n, v, err := b.UnscopedCounts(t.Context(), "cross-participant-mean")
			check(t, err)
			if n != want || v != verified {
				t.Errorf("counts: got %d and %d verified, want %d and %d", n, v, want, verified)
			}
		}
		counts(1, 0)
		b.run(t, analysis.RunSkipped) // one and a sybil are no two
		if got := len(b.received(t, 0)) + len(b.received(t, 1)); got != 0 {
			t.Errorf("results: got %d, want none", got)
		}
		_, err = b.Control.UnscopedVerifyOrganisation(t.Context(), "usr_admin", made.Organisation, "the register")
		check(t, err)
		counts(2, 1)
		b.run(t, analysis.RunSucceeded)
	})
}
