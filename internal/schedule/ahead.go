package schedule

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
)

// tooEarly is the note of a firing that does not count.
const tooEarly = "The clock was ahead when this fired, so it does not count: what it ran is run again at its time."

// comeBack sets those schedules back that did something by a clock that was ahead,
// and reports whether there were any. It has to be done before that time comes, when
// nothing shows any more what was too early.
func (s *Schedules) comeBack(ctx context.Context, all []Schedule) (back bool, err error) {
	now := s.Clock.Now()
	fired, err := s.firedAfter(ctx, now)
	if err != nil {
		return false, err
	}
	var failed []error
	for _, n := range all {
		if fired[n.Name].IsZero() && !n.ahead(now) {
			continue
		}
		moved := false
		if err := s.DB.Transact(ctx, func(tx *meta.DB) error {
			n, err := s.find(ctx, tx, n.Name)
			if err == nil {
				moved, err = s.setBack(ctx, tx, &n, s.Clock.Now())
			}
			return err
		}); err != nil && !fault.Is(err, fault.NotFound) {
			failed = append(failed, fmt.Errorf("set schedule %s back: %w", n.Name, err))
			continue
		}
		if moved {
			back = true
			s.Log.WarnContext(ctx, "a schedule fired by a clock that was ahead; that does not count and is done again at its time", "schedule", n.Name)
		}
	}
	return back, errors.Join(failed...)
}

// firedAfter returns, by schedule, the last moment after another at which one fired.
func (s *Schedules) firedAfter(ctx context.Context, now time.Time) (map[string]time.Time, error) {
	rows, err := s.DB.Query(ctx, `SELECT schedule, MAX(fired_at) FROM schedule_firings WHERE fired_at > $1 GROUP BY schedule ORDER BY schedule`, now)
	if err != nil {
		return nil, fmt.Errorf("look for firings in the future: %w", err)
	}
	fired := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at time.Time
		if err := rows.Scan(&name, &at); err != nil {
			return nil, fmt.Errorf("look for firings in the future: %w", err)
		}
		fired[name] = at
	}
	return fired, nil
}

// ahead reports whether a schedule has a time that only a later clock than now can
// have given it.
func (s Schedule) ahead(now time.Time) bool {
	next := s.Next(now)
	return after(s.LastAt, now) || after(s.countsFrom, now) || s.reopenedTo.After(now) || !next.IsZero() && after(s.NextAt, next)
}

func after(at *time.Time, other time.Time) bool { return at != nil && at.After(other) }

// setBack puts a schedule back to where it was before it did things by a clock that
// was ahead of now, and reports whether there were any. What holds then:
//
//   - Nothing is lost. What it fired after now does not count, so each period and
//     each time comes again when the clock gets there, and those that the clock has
//     passed meanwhile come at once.
//   - Nothing counts twice. The second firing takes the first one's rows over. Its run
//     is another one only if its inputs are: if nothing was sent since, it ends with the
//     release of the first. If something was, the first was of inputs that are outdated,
//     and the gate judges, as with every scheduled run, whether both may be out.
//   - What the clock did not come back from in time cannot be told from what was right:
//     firings whose wrong time has passed when a server first sees the clock again
//     stay. So does a pause that ended in that time end when the clock came back.
//   - It takes a clock that is behind for one that was ahead, and then fires again what
//     it had fired; by the second rule that changes nothing. It is not asked before the
//     schedule was made: that clock is wrong whatever happened, and is so at the start of
//     a machine that has forgotten the time.
//
// now must have been read after the transaction's first statement: what it finds in
// the future is then not another's firing just now.
func (s *Schedules) setBack(ctx context.Context, tx *meta.DB, n *Schedule, now time.Time) (bool, error) {
	if n.CreatedAt.After(now) {
		return false, nil
	}
	marked, err := tx.Exec(ctx, `UPDATE schedule_firings SET early = 1, note = $1 WHERE schedule = $2 AND early = 0 AND fired_at > $3`, tooEarly, n.Name, now)
	if err != nil {
		return false, fmt.Errorf("mark early firings: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE schedule_runs SET early = 1 WHERE schedule = $1 AND early = 0 AND fired_at > $2`, n.Name, now); err != nil {
		return false, fmt.Errorf("mark early runs: %w", err)
	}
	if marked == 0 && !n.ahead(now) {
		return false, nil
	}
	var last, reopened sql.NullInt64
	if err := tx.QueryRow(ctx, `
		SELECT MAX(CASE WHEN early = 0 AND cause = $1 THEN nominal_at END), MIN(CASE WHEN early = 1 AND cause <> $1 AND fired_at > $2 THEN nominal_at END)
		FROM schedule_firings WHERE schedule = $3`, byCron, now, n.Name).Scan(&last, &reopened); err != nil {
		return false, fmt.Errorf("find what counts: %w", err)
	}
	n.LastAt = meta.Moment(last)
	if n.reopenedTo.After(now) {
		n.reopenedTo = now
	}
	if again := meta.Moment(reopened); again != nil && again.Before(n.reopenedTo) {
		n.reopenedTo = *again
	}
	from := now
	if after(n.countsFrom, now) { // it was resumed by that clock
		n.countsFrom = &now
	} else {
		from = n.dealtWith(now)
	}
	if n.State == Active {
		n.NextAt = nil
		if at := n.Next(from); !at.IsZero() {
			n.NextAt = &at
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE schedules SET next_at = $1, last_at = $2, reopened_to = $3, counts_from = $4, mac = $5 WHERE id = $6`,
		n.NextAt, n.LastAt, n.reopenedTo, n.countsFrom, s.mac(*n), n.Name); err != nil {
		return false, fmt.Errorf("move schedule back: %w", err)
	}
	return true, nil
}

// dealtWith is a moment by which the schedule has done all that was due: the last
// time that it fired for, or when it was made or changed.
func (s Schedule) dealtWith(now time.Time) time.Time {
	from := s.CreatedAt
	if after(s.LastAt, from) {
		from = *s.LastAt
	}
	if s.ModifiedAt.After(from) && !s.ModifiedAt.After(now) {
		from = s.ModifiedAt
	}
	return from
}

// Warnings says, a sentence for each schedule, what an operator should see to.
func (s *Schedules) Warnings(ctx context.Context) []string {
	now := s.Clock.Now()
	all, broken, err := s.readable(ctx)
	if err != nil { // for Ready to find
		return nil
	}
	fired, err := s.firedAfter(ctx, now)
	if err != nil {
		return nil
	}
	var list []string
	for _, b := range broken {
		list = append(list, fault.Message(b))
	}
	for _, n := range all {
		switch at := fired[n.Name]; {
		case n.CreatedAt.After(now):
			list = append(list, fmt.Sprintf("the schedule %q was made at %s, which is in the future, so it does not fire until then: set the clock of this server right, or, if it is right, delete the schedule and create it again",
				n.Name, n.CreatedAt.Format(time.RFC3339)))
		case !at.IsZero() || after(n.LastAt, now):
			if at.IsZero() {
				at = *n.LastAt
			}
			list = append(list, fmt.Sprintf("the schedule %q fired up to %s, which is in the future. If the clock of this server is behind, set it right. If it was ahead, what was fired then is run again at its time: see which runs those were (tributary schedule firings %s), and recall what was released too early (tributary run recall RUN)",
				n.Name, at.Format(time.RFC3339), n.Name))
		}
	}
	return list
}
