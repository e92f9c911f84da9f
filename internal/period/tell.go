package period

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/meta"
	"tributary/internal/notify"
)

// How long before a file is due its tenant is told, and for how long after: a server
// that was away for longer does not begin with what is old.
const (
	tellBefore = 24 * time.Hour
	tellAfter  = 7 * 24 * time.Hour
)

// TellDue tells the people of tenants whose file is due within a day, or was due and
// is not there. Each is told of a period once, and whom that fails for keeps it from
// nobody else. It is a round.
func (c *Calendar) TellDue(ctx context.Context) error {
	if c.Notices == nil {
		return nil
	}
	var failed []error
	page := meta.Page{Limit: 500}
	for {
		list, next, err := c.list(ctx, Filter{}, page)
		if err != nil {
			return errors.Join(append(failed, fmt.Errorf("look who is due: %w", err))...)
		}
		for _, s := range list {
			kind := s.tells(c.Clock.Now())
			if kind == "" {
				continue
			}
			x := notify.Notice{Kind: kind, Tenant: s.Tenant, Dataset: s.Dataset, Date: s.Date, Detail: s.DueAt.UTC().Format("2006-01-02 15:04") + " UTC"}
			if err := c.DB.Transact(ctx, func(tx *meta.DB) error { return c.Notices.AddOnce(ctx, tx, x) }); err != nil {
				failed = append(failed, fmt.Errorf("tell %s that %s of %s is due: %w", s.Tenant, s.Dataset, s.Date, err))
			}
		}
		if next == "" {
			return errors.Join(failed...)
		}
		page.After = next
	}
}

// tells is what a tenant that stands so is told, and empty if nothing.
func (s Status) tells(now time.Time) notify.Kind {
	if s.DueAt == nil {
		return ""
	}
	switch s.State {
	case Due, Rejected, Overdue, Missing:
	default:
		return ""
	}
	switch wait := s.DueAt.Sub(now); {
	case wait >= 0 && wait <= tellBefore:
		return notify.SubmissionDue
	case wait < 0 && -wait <= tellAfter:
		return notify.SubmissionOverdue
	}
	return ""
}
