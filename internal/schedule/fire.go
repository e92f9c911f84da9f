package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

const (
	// catchUp is how many of the times that were missed are made up for where each
	// has a business date of its own.
	catchUp = 24
	// maxRuns is how many runs of one analysis a firing starts; more periods than
	// that wait for the next one.
	maxRuns = 1_000
	// glance is how long a change of the system's clock can go unnoticed.
	glance = time.Second
	// again is how long a schedule that could not be fired waits.
	again = 5 * time.Second
	// lookout is how often ended reopenings are looked for.
	lookout = 15 * time.Second
	// overlap is by how much they are looked for again: one that is closed early ends
	// before that is recorded.
	overlap = time.Hour
)

// What is written as a firing's cause, and as a run's reason.
const (
	byCron     = "cron"
	whenClosed = "closed"
)

// Wake says that a schedule has changed.
func (s *Schedules) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// Run fires schedules until ctx ends. It wakes when the next one is due, and sees
// within a second that the system's clock was set.
func (s *Schedules) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		next, err := s.once(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "schedules not fired; they are tried again", "error", err)
		}
		s.rest(ctx, next)
	}
	return nil
}

// rest waits until a moment by the clock, or a wake-up.
func (s *Schedules) rest(ctx context.Context, until time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for begun := s.Clock.Now(); ; {
		now := s.Clock.Now()
		left := until.Sub(now)
		if left <= 0 || now.Before(begun) { // or the clock was set back
			return
		}
		timer.Reset(min(left, glance))
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			return
		case <-timer.C:
		}
	}
}

// once fires what is due, and returns when to look again.
func (s *Schedules) once(ctx context.Context) (time.Time, error) {
	now := s.Clock.Now()
	active, err := s.active(ctx)
	if err != nil {
		return now.Add(again), err
	}
	next := now.Add(lookout)
	var failed []error
	for _, n := range active {
		if n.NextAt == nil {
			continue
		}
		at := s.notBefore(n)
		if !at.After(now) {
			if at, err = s.fire(ctx, n.Name); err != nil {
				failed = append(failed, fmt.Errorf("fire schedule %s: %w", n.Name, err))
				at = now.Add(again)
			}
			s.putOff(n.Name, err, at)
		}
		if at.Before(next) {
			next = at
		}
	}
	if err := s.lookForReopenings(ctx, active, now); err != nil {
		failed = append(failed, err)
	}
	return next, errors.Join(failed...)
}

// active lists the active schedules, without any that cannot be read: it must not keep
// the others from firing.
func (s *Schedules) active(ctx context.Context) ([]Schedule, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+columns+` FROM schedules WHERE state = 'active' ORDER BY next_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	defer rows.Close()
	var list []Schedule
	for rows.Next() {
		found, err := scan(rows)
		if fault.Is(err, fault.Damaged) {
			s.Log.ErrorContext(ctx, "a schedule cannot be read and does not fire; delete it and make it again", "schedule", found.Name, "error", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		list = append(list, found)
	}
	return list, rows.Err()
}

// notBefore is when a schedule is to be fired: when it is due, or later if that
// failed.
func (s *Schedules) notBefore(n Schedule) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.retry[n.Name]; at.After(*n.NextAt) {
		return at
	}
	return *n.NextAt
}

func (s *Schedules) putOff(name string, err error, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.retry, name)
	if err != nil {
		s.retry[name] = at
	}
}

// fire does all that a schedule has to do by now: the firings, the runs they start
// and the time that is next, in one transaction. It returns the latter.
func (s *Schedules) fire(ctx context.Context, name string) (next time.Time, err error) {
	var notes []string
	err = s.DB.Transact(ctx, func(tx *meta.DB) error {
		notes = nil
		n, err := s.find(ctx, tx, name)
		if fault.Is(err, fault.NotFound) {
			next = s.Clock.Now().Add(lookout)
			return nil
		}
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		if next = now.Add(lookout); n.NextAt == nil { // paused meanwhile
			return nil
		}
		if next = *n.NextAt; next.After(now) { // another round was here
			return nil
		}
		most := catchUp
		if n.DateOffset == nil {
			most = 1 // it does what all of them would have done
		}
		times, left := n.upTo(next, now, most)
		for i, at := range times {
			note := ""
			if left && i == 0 {
				note = missed(n, at)
			}
			if note, err = s.fireAt(ctx, tx, n, at, now, note); err != nil {
				return err
			}
			if note != "" {
				notes = append(notes, note)
			}
		}
		following := upcoming(n, now)
		if _, err := tx.Exec(ctx, `UPDATE schedules SET last_at = $1, next_at = $2 WHERE id = $3`, times[len(times)-1], following, name); err != nil {
			return fmt.Errorf("move schedule on: %w", err)
		}
		if next = now.Add(lookout); following != nil {
			next = *following
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	s.Analyses.Jobs.Wake()
	for _, note := range notes {
		s.Log.WarnContext(ctx, "schedule fired", "schedule", name, "note", note)
	}
	return next, nil
}

// missed says what became of the times before at.
func missed(n Schedule, at time.Time) string {
	from := n.NextAt.Format(time.RFC3339)
	if n.DateOffset == nil {
		return fmt.Sprintf("The times from %s on were missed; this one does what they would have done.", from)
	}
	return fmt.Sprintf("The times from %s to before %s were missed and are left out: no more than %d are made up for.", from, at.Format(time.RFC3339), catchUp)
}

// fireAt records one firing and starts its runs. It returns what it notes.
func (s *Schedules) fireAt(ctx context.Context, tx *meta.DB, n Schedule, at, now time.Time, note string) (string, error) {
	notes := []string{}
	if note != "" {
		notes = append(notes, note)
	}
	runs := 0
	for _, name := range n.Analyses {
		started, note, err := s.runsOf(ctx, tx, n, name, at, now)
		switch fault.KindOf(err) {
		case "":
		case fault.NotFound, fault.Invalid, fault.Conflict, fault.Damaged: // of this analysis; the others run
			note = fmt.Sprintf("%s: %s", name, fault.Message(err))
		default:
			return "", err
		}
		if note != "" {
			notes = append(notes, note)
		}
		runs += started
	}
	if runs == 0 && len(notes) == 0 {
		notes = append(notes, "No period has closed that was not run yet.")
		note = ""
	} else {
		note = strings.Join(notes, " ")
	}
	return note, s.log(ctx, tx, n, at, byCron, now, strings.Join(notes, " "))
}

func (s *Schedules) log(ctx context.Context, tx *meta.DB, n Schedule, at time.Time, cause string, now time.Time, note string) error {
	if _, err := tx.Exec(ctx, `INSERT INTO schedule_firings (schedule, nominal_at, cause, fired_at, note) VALUES ($1, $2, $3, $4, $5)`,
		n.Name, at, cause, now, note); err != nil {
		return fmt.Errorf("record firing of %s: %w", n.Name, err)
	}
	return nil
}

// runsOf starts the runs of one analysis that a firing is for.
func (s *Schedules) runsOf(ctx context.Context, tx *meta.DB, n Schedule, name string, at, now time.Time) (started int, note string, err error) {
	v, err := s.Analyses.AnalysisIn(ctx, tx, name, 0)
	if err != nil {
		return 0, "", err
	}
	if n.DateOffset != nil {
		date := contract.DateOf(n.Local(at)) - contract.Date(*n.DateOffset)
		_, err := s.start(ctx, tx, n, v, date, nil, entry{at: at, cause: byCron, reason: at.Format(time.RFC3339), now: now})
		return 1, "", err
	}
	c, err := s.calendar(ctx, tx, v)
	if err != nil {
		return 0, "", err
	}
	dates, err := s.closed(ctx, tx, n, v, c, now)
	if err != nil {
		return 0, "", err
	}
	if len(dates) > maxRuns {
		note = fmt.Sprintf("%s: %d dates wait for the next time.", name, len(dates)-maxRuns)
		dates = dates[:maxRuns]
	}
	for _, date := range dates {
		through := c.cutOff(date)
		if _, err := s.start(ctx, tx, n, v, date, &through, entry{at: at, cause: byCron, reason: whenClosed, now: now}); err != nil {
			return started, "", err
		}
		started++
	}
	return started, note, nil
}

// entry is what the ledger says of a run.
type entry struct {
	at            time.Time // with cause the firing
	cause, reason string
	now           time.Time
	run           string // if there is one already
}

// start queues a run and writes it into the ledger, which refuses a second one of
// the same date for the same reason.
func (s *Schedules) start(ctx context.Context, tx *meta.DB, n Schedule, v analysis.Analysis, date contract.Date, through *time.Time, e entry) (string, error) {
	if e.run == "" {
		r, err := s.Analyses.UnscopedStartIn(ctx, tx, "schedule:"+n.Name, v, date.String(), through)
		if err != nil {
			return "", err
		}
		e.run = r.ID
	}
	if _, err := tx.Exec(ctx, `INSERT INTO schedule_runs (schedule, analysis, date, reason, nominal_at, cause, fired_at, run) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		n.Name, v.Name, date.String(), e.reason, e.at, e.cause, e.now, e.run); err != nil {
		return "", fmt.Errorf("record run of %s for %s: %w", v.Name, date, err)
	}
	return e.run, nil
}

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
	for _, n := range active {
		if len(ended) == 0 {
			break
		}
		if err := s.afterReopenings(ctx, n.Name, ended, now); err != nil {
			return fmt.Errorf("run what was reopened, by schedule %s: %w", n.Name, err)
		}
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
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM schedule_firings WHERE schedule = $1 AND nominal_at = $2 AND cause = $3`, n.Name, r.Until, r.ID).Scan(&done); err != nil {
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
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM schedule_runs WHERE schedule = $1 AND analysis = $2 AND date >= $3 AND date <= $4 AND fired_at < $5`,
			n.Name, v.Name, p.Start.String(), p.End.String(), r.Until).Scan(&before); err != nil {
			return nil, c, fmt.Errorf("look for earlier runs: %w", err)
		}
		if before == 0 {
			return nil, c, nil
		}
		dates, err := s.of(ctx, tx, c, p)
		return dates, c, err
	}
	return nil, c, nil
}
