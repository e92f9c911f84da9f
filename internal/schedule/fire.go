package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/live"
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

// readable lists schedules by their next times, and what is wrong with those that
// cannot be read: they must not keep the others from firing.
func (s *Schedules) readable(ctx context.Context) (list []Schedule, broken []error, err error) {
	rows, err := s.DB.Query(ctx, `SELECT `+columns+` FROM schedules ORDER BY next_at, id`)
	if err != nil {
		return nil, nil, fmt.Errorf("list schedules: %w", err)
	}
	for rows.Next() {
		found, err := scan(s.Keys, rows)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		list = append(list, found)
	}
	return list, broken, nil
}

// active lists the active schedules, once those are set back that were too early.
func (s *Schedules) active(ctx context.Context) ([]Schedule, error) {
	all, broken, err := s.readable(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range broken {
		s.Log.ErrorContext(ctx, "a schedule cannot be read and does not fire", "error", b)
	}
	back, err := s.comeBack(ctx, all)
	if err != nil {
		s.Log.ErrorContext(ctx, "schedules that were too early are not set back; it is tried again", "error", err)
	}
	if back {
		if all, _, err = s.readable(ctx); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(n Schedule) bool { return n.State != Active }), nil
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
	written, err := tx.Exec(ctx, `
		INSERT INTO schedule_firings (schedule, nominal_at, cause, fired_at, note) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (schedule, nominal_at, cause) DO UPDATE SET fired_at = excluded.fired_at, note = excluded.note, early = 0 WHERE schedule_firings.early = 1`,
		n.Name, at, cause, now, note)
	if err != nil {
		return fmt.Errorf("record firing of %s: %w", n.Name, err)
	}
	if written == 0 {
		return fmt.Errorf("record firing of %s: it fired for %s already", n.Name, at)
	}
	tx.AfterCommit(func() { s.Changes.Tell(live.Change{Kind: live.Schedule, By: "tributary"}) })
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
	list, err := s.closed(ctx, tx, n, v, c, now)
	if err != nil {
		return 0, "", err
	}
	if len(list) > maxRuns {
		note = fmt.Sprintf("%s: %d dates wait for the next time.", name, len(list)-maxRuns)
		list = list[:maxRuns]
	}
	for _, p := range list {
		through := c.cutOff(p.date)
		e := entry{at: at, cause: byCron, reason: whenClosed, now: now, from: p.covers.Start.String(), to: p.covers.End.String()}
		if _, err := s.start(ctx, tx, n, v, p.date, &through, e); err != nil {
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
	from, to      string // what of the calendar the run stands for; empty: not asked for
	run           string // if there is one already
}

// start queues a run and writes it into the ledger, which refuses a second one of
// the same date for the same reason, unless the first was early.
func (s *Schedules) start(ctx context.Context, tx *meta.DB, n Schedule, v analysis.Analysis, date contract.Date, through *time.Time, e entry) (string, error) {
	if e.run == "" {
		r, err := s.Analyses.UnscopedStartIn(ctx, tx, "schedule:"+n.Name, v, date.String(), through)
		if err != nil {
			return "", err
		}
		e.run = r.ID
	}
	written, err := tx.Exec(ctx, `
		INSERT INTO schedule_runs (schedule, analysis, date, reason, nominal_at, cause, fired_at, run, covers_from, covers_to) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (schedule, analysis, date, reason) DO UPDATE
		SET nominal_at = excluded.nominal_at, cause = excluded.cause, fired_at = excluded.fired_at, run = excluded.run, covers_from = excluded.covers_from, covers_to = excluded.covers_to, early = 0
		WHERE schedule_runs.early = 1`,
		n.Name, v.Name, date.String(), e.reason, e.at, e.cause, e.now, e.run, e.from, e.to)
	if err != nil {
		return "", fmt.Errorf("record run of %s for %s: %w", v.Name, date, err)
	}
	if written == 0 {
		return "", fmt.Errorf("record run of %s for %s: it was run for that already", v.Name, date)
	}
	return e.run, nil
}
