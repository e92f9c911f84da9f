package period_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/period"
	"tributary/internal/tenant"
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

// lost are people of whom a tenant's cannot be found.
type lost struct {
	admins
	of tenant.ID
}

func (l lost) UnscopedPeople(ctx context.Context, tx *meta.DB, id tenant.ID) ([]notify.Person, error) {
	if id == l.of {
		return nil, errors.New("the people are lost")
	}
	return l.admins.UnscopedPeople(ctx, tx, id)
}

// A tenant that cannot be told keeps nothing from the others, and is told when it can be.
func TestATenantThatCannotBeToldKeepsNothingFromOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.now = at("2026-02-01T00:00:00Z")
		b.dataset(t, "sales", monthly)
		b.analysis(t, "means", "sales")
		b.join(t, 3)
		b.decide(t, "means", analysis.Accepted, 0, 1, 2)
		b.now = due.Add(-time.Hour)
		bad := b.tenants[1].ID
		b.Notices.SetPeople(lost{of: bad})
		if err := b.TellDue(t.Context()); err == nil || !strings.Contains(err.Error(), string(bad)) {
			t.Errorf("got %v, want an error that names %s", err, bad)
		}
		told := func(want ...int) {
			t.Helper()
			for _, n := range want {
				list, _, err := b.Notices.UnscopedOutbox(t.Context(), &b.tenants[n].ID, notify.MailFilter{}, meta.Page{})
				check(t, err)
				if len(list) != 1 {
					t.Errorf("tenant %d has %d mails, want 1", n, len(list))
				}
			}
		}
		told(0, 2)
		b.Notices.SetPeople(admins{})
		check(t, b.TellDue(t.Context()))
		told(0, 1, 2)
	})
}
