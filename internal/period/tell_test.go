package period_test

import (
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/period"
)

// Each tenant is told once that a file is due tomorrow, and once that it is overdue,
// however often the round runs and after a restart; who has sent it is not.
func TestEachIsToldOnceOfWhatIsDue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-02-01T00:00:00Z")
		b.dataset(t, "sales", monthly)
		b.analysis(t, "means", "sales")
		b.join(t, 3)
		b.decide(t, "means", analysis.Accepted, 0, 1)
		b.came(t, 1, "sales", "2026-02-01", due.Add(-48*time.Hour), exchange.Accepted)
		for _, c := range []struct {
			now           time.Time
			dues, overdue int
		}{
			{due.Add(-25 * time.Hour), 0, 0},
			{due.Add(-24 * time.Hour), 1, 0},
			{due.Add(-time.Hour), 1, 0},
			{due, 1, 0},
			{due.Add(time.Minute), 1, 1},
			{cutOff.Add(time.Minute), 1, 1},
			{cutOff.Add(30 * time.Hour), 1, 1},
		} {
			b.now = c.now
			for range 2 {
				check(t, period.New(b.Config).TellDue(t.Context()))
			}
			count := map[notify.Kind]int{}
			list, _, err := b.Notices.UnscopedOutbox(t.Context(), nil, notify.MailFilter{}, meta.Page{})
			check(t, err)
			for _, m := range list {
				count[m.Kind]++
				if m.Tenant != b.tenants[0].ID {
					t.Errorf("%s: told %s of %s", c.now, m.Tenant, m.Kind)
				}
			}
			if count[notify.SubmissionDue] != c.dues || count[notify.SubmissionOverdue] != c.overdue {
				t.Errorf("%s: told %v, want %d that it is due and %d that it is overdue", c.now, count, c.dues, c.overdue)
			}
		}
	})
}
