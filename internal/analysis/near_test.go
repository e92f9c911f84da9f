package analysis_test

import (
	"context"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/meta"
)

// scheduled starts a run as a schedule does, and waits for its end.
func (b *bench) scheduled(t *testing.T, want analysis.RunState) analysis.Run {
	t.Helper()
	v, err := b.Analysis(t.Context(), "cross-participant-mean", 0)
	check(t, err)
	var r analysis.Run
	check(t, b.DB.Transact(t.Context(), func(tx *meta.DB) (err error) {
		r, err = b.UnscopedStartIn(context.WithoutCancel(t.Context()), tx, "schedule:monthly", v, date, nil)
		return err
	}))
	b.Jobs.Wake()
	b.turn(t, b.idle(t))
	return b.want(t, r.ID, want)
}

// A schedule releases a date again only if the difference to what it released shows
// no organisation's value.
func TestAScheduleReleasesNothingThatShowsOneOrganisation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, read(t, "dataset.yaml"), strings.NewReplacer("min_contributors: 2", "min_contributors: 3", "quorum: 2", "quorum: 3").Replace(read(t, "analysis.yaml")))
		for n := range 7 {
			b.join(t, "Org "+string(rune('A'+n)))
			b.decide(t, analysis.Accepted, n)
		}
		add := func(tenants ...int) {
			for _, n := range tenants {
				b.send(t, n, rows(n, "a,b,100.00"))
			}
			b.turn(t, b.idle(t))
		}
		refused := func(differ string) {
			t.Helper()
			r := b.scheduled(t, analysis.RunWithheld)
			if r.Release != "" || !strings.Contains(r.Reason, differ+" organisations; a value needs 3") {
				t.Errorf("withheld: %+v", r)
			}
		}
		add(0, 1, 2)
		first := b.scheduled(t, analysis.RunSucceeded)
		add(3)
		refused("1")
		add(4)
		refused("2")
		add(5)
		b.scheduled(t, analysis.RunSucceeded)
		if same := b.scheduled(t, analysis.RunSucceeded); same.Release == first.Release {
			t.Errorf("the same inputs: %+v", same)
		}
		add(0) // another file in the place of the first
		refused("1")
		_, err := b.UnscopedRecall(t.Context(), "usr_admin", first.ID, "wrong")
		check(t, err)
		b.decide(t, analysis.Declined, 5)
		refused("2") // of the second release; of what was recalled it is more
		if n := b.releases(t); n != 2 {
			t.Errorf("%d releases, want 2", n)
		}
		// By hand somebody decides.
		b.run(t, analysis.RunSucceeded)
	})
}
