package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// lookForReopenings has the schedules run periods once more that were reopened for
// a tenant, when that has ended.
func (s *Schedules) lookForReopenings(ctx context.Context, active []Schedule, now time.Time) error {
	s.mu.Lock()
	due := !s.look.After(now) || s.look.Sub(now) > lookout // or the clock was set back
	s.mu.Unlock()
	if !due || len(active) == 0 {
		return nil
	}
	since := now
	for _, n := range active {
		if n.reopenedTo.Before(since) {
			since = n.reopenedTo
		}
	}
	ended, err := s.Exchange.UnscopedEndedReopenings(ctx, since.Add(-overlap), now)
	if err != nil {
		return fmt.Errorf("look for ended reopenings: %w", err)
	}
	var failed []error
	for _, n := range active {
		if len(ended) == 0 {
			break
		}
		if err := s.afterReopenings(ctx, n.Name, ended, now); err != nil {
			failed = append(failed, fmt.Errorf("run what was reopened, by schedule %s: %w", n.Name, err))
		}
	}
	if failed != nil {
		return errors.Join(failed...)
	}
	s.mu.Lock()
	s.look = now.Add(lookout)
	s.mu.Unlock()
	return nil
}

// afterReopenings has a schedule run once more what it ran before the reopenings
// ended.
func (s *Schedules) afterReopenings(ctx context.Context, name string, ended []exchange.Reopening, now time.Time) error {
	started := 0
	err := s.DB.Transact(ctx, func(tx *meta.DB) error {
		started = 0
		n, err := s.find(ctx, tx, name)
		if fault.Is(err, fault.NotFound) || err == nil && n.State != Active {
			return nil
		}
		if err != nil {
			return err
		}
		runs := map[string]string{} // by analysis and date: several reopenings end with one run
		to := n.reopenedTo
		for _, r := range ended {
			if r.Until.Before(n.reopenedTo.Add(-overlap)) {
				continue
			}
			count, err := s.afterReopening(ctx, tx, n, r, now, runs)
			if err != nil {
				return err
			}
			started += count
			if r.Until.After(to) {
				to = r.Until
			}
		}
		if to.Equal(n.reopenedTo) {
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE schedules SET reopened_to = $1 WHERE id = $2`, to, name); err != nil {
			return fmt.Errorf("remember reopenings: %w", err)
		}
		return nil
	})
	if err == nil && started > 0 {
		s.Analyses.Jobs.Wake()
	}
	return err
}

func (s *Schedules) afterReopening(ctx context.Context, tx *meta.DB, n Schedule, r exchange.Reopening, now time.Time, runs map[string]string) (int, error) {
	var done int64
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM schedule_firings WHERE schedule = $1 AND nominal_at = $2 AND cause = $3 AND early = 0`, n.Name, r.Until, r.ID).Scan(&done); err != nil {
		return 0, fmt.Errorf("look for firing: %w", err)
	}
	if done > 0 {
		return 0, nil
	}
	started := 0
	for _, name := range n.Analyses {
		v, err := s.Analyses.AnalysisIn(ctx, tx, name, 0)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Damaged) {
			continue // its firings say so
		}
		if err != nil {
			return 0, err
		}
		dates, c, err := s.reopened(ctx, tx, n, v, r)
		if err != nil {
			return 0, err
		}
		for _, date := range dates {
			var through *time.Time
			if at := c.cutOff(date); n.DateOffset == nil && !at.IsZero() {
				through = &at
			}
			key := v.Name + " " + date.String()
			if runs[key], err = s.start(ctx, tx, n, v, date, through, entry{at: r.Until, cause: r.ID, reason: r.ID, now: now, run: runs[key]}); err != nil {
				return 0, err
			}
			started++
		}
	}
	if started == 0 {
		return 0, nil
	}
	return started, s.log(ctx, tx, n, r.Until, r.ID, now, "")
}

// reopened lists the dates of a reopened period for which an analysis is to run
// once more: none if the schedule has not run it before the reopening's end, since
// its run has then what was sent.
func (s *Schedules) reopened(ctx context.Context, tx *meta.DB, n Schedule, v analysis.Analysis, r exchange.Reopening) ([]contract.Date, calendar, error) {
	c, err := s.calendar(ctx, tx, v)
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
		return nil, c, nil
	}
	if err != nil {
		return nil, c, err
	}
	for _, d := range c.due {
		if d.Name != r.Dataset {
			continue
		}
		first, err := contract.ParseDate(r.Date)
		if err != nil {
			return nil, c, fmt.Errorf("date of reopening %s: %w", r.ID, err)
		}
		p := d.Cadence.Period(first)
		var before int64
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM schedule_runs WHERE schedule = $1 AND analysis = $2 AND date >= $3 AND date <= $4 AND fired_at < $5 AND early = 0`,
			n.Name, v.Name, p.Start.String(), p.End.String(), r.Until).Scan(&before); err != nil {
			return nil, c, fmt.Errorf("look for earlier runs: %w", err)
		}
		if before == 0 {
			return nil, c, nil
		}
		if c.participants, err = s.Analyses.UnscopedParticipants(ctx, tx, v); err != nil {
			return nil, c, err
		}
		dates, err := s.of(ctx, tx, c, p, nil)
		return dates, c, err
	}
	return nil, c, nil
}
