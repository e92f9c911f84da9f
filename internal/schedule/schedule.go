// Package schedule starts runs by the clock: which analyses, when, and for which
// business dates. It keeps a ledger of what fired and which run that started, so
// that neither a crash nor a change of the clock loses or doubles one. What a run
// does, and whether enough take part, is left to package analysis.
package schedule

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// State is whether a schedule fires.
type State string

// The states.
const (
	Active State = "active"
	Paused State = "paused" // what it misses meanwhile does not fire later
)

// Schedule is what a system admin makes so that analyses run by themselves. It
// fires at the times of its timing until it is paused or deleted. Which version of
// an analysis runs is decided when it fires: the current one.
type Schedule struct {
	Name     string
	Analyses []string
	Timing
	// DateOffset says that a firing is for the day on which it falls in the
	// timing's zone, less so many days. Without it a firing is for each period
	// whose cut-off has passed and that this schedule has not run yet.
	DateOffset *int64
	State      State
	NextAt     *time.Time // nil: paused, or it never comes again
	LastAt     *time.Time // the last time that was dealt with

	CreatedAt     time.Time
	CreatedBy     string
	ModifiedAt    time.Time
	ModifiedBy    string
	TimesModified int64

	reopenedTo time.Time
	countsFrom *time.Time // a period that closed by then is not made up for
}

// fields are what the row's MAC covers: all that people decide. How far the schedule
// has got is not among them.
func (s Schedule) fields() []any {
	offset := int64(-1)
	if s.DateOffset != nil {
		offset = *s.DateOffset
	}
	return []any{s.Name, kept(s.Analyses), s.Cron, s.Zone, offset, string(s.State), meta.MomentMicros(s.countsFrom),
		meta.Micros(s.CreatedAt), s.CreatedBy, meta.Micros(s.ModifiedAt), s.ModifiedBy, s.TimesModified}
}

// Upcoming returns the next times at which the schedule fires, in UTC.
func (s Schedule) Upcoming(n int) []time.Time {
	if s.NextAt == nil || n == 0 {
		return nil
	}
	return append([]time.Time{*s.NextAt}, s.From(*s.NextAt, n-1)...)
}

// Config is what Schedules needs; all fields but Log are required.
type Config struct {
	DB       *meta.DB
	Analyses *analysis.Analyses
	Exchange *exchange.Exchange
	Audit    *audit.Log
	Keys     *keys.Ring
	Clock    clock.Clock
	Log      *slog.Logger
	// Changes is told of each firing; nil: nobody is.
	Changes *live.Hub
}

// Schedules keeps schedules and fires them.
type Schedules struct {
	Config
	wake chan struct{}

	mu    sync.Mutex
	retry map[string]time.Time // by schedule that could not be fired: when to try again
	look  time.Time            // when to look for reopenings that have ended
}

// New makes Schedules. Run fires them.
func New(cfg Config) *Schedules {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Schedules{Config: cfg, wake: make(chan struct{}, 1), retry: map[string]time.Time{}}
}

// Bounds of a schedule.
const (
	maxAnalyses = 100
	maxOffset   = 3_660 // days
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// NewSchedule is what a system admin asks for.
type NewSchedule struct {
	Name       string
	Analyses   []string
	Cron, Zone string
	DateOffset *int64
}

// Change is what a system admin wants to be otherwise; what is nil stays.
type Change struct {
	Analyses   []string
	Cron, Zone *string
	DateOffset *int64
	Closed     bool // no offset any more
}

const columns = `id, analyses, cron, zone, date_offset, state, next_at, last_at, reopened_to, counts_from, created_at, created_by, modified_at, modified_by, times_modified, mac`

// scan reads a row. One that is not what somebody made is Damaged, and says its name.
func scan(ring *keys.Ring, row interface{ Scan(...any) error }) (Schedule, error) {
	var s Schedule
	var mac []byte
	var analyses, expression, zone string
	var offset, next, last, counts sql.NullInt64
	damaged := func(err error) (Schedule, error) {
		return Schedule{Name: s.Name, Analyses: s.Analyses, State: s.State, CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy},
			fault.Wrap(fault.Damaged, err, "The stored schedule %q is damaged, so it does not fire and cannot be changed. Delete it and create it again.", s.Name)
	}
	if err := row.Scan(&s.Name, &analyses, &expression, &zone, &offset, &s.State, &next, &last, &s.reopenedTo, &counts,
		&s.CreatedAt, &s.CreatedBy, &s.ModifiedAt, &s.ModifiedBy, &s.TimesModified, &mac); err != nil {
		return damaged(err)
	}
	s.NextAt, s.LastAt, s.countsFrom = meta.Moment(next), meta.Moment(last), meta.Moment(counts)
	if offset.Valid {
		s.DateOffset = &offset.Int64
	}
	if err := json.Unmarshal([]byte(analyses), &s.Analyses); err != nil {
		return damaged(err)
	}
	var err error
	if s.Timing, err = ParseTiming(expression, zone); err != nil {
		return damaged(err)
	}
	if err := ring.CheckMAC(mac, "schedule", s.fields()...); err != nil {
		return damaged(err)
	}
	return s, nil
}

// UnscopedVerify checks that every schedule is what somebody made. An error means that
// it could not look.
func UnscopedVerify(ctx context.Context, db *meta.DB, ring *keys.Ring, report func(table string, id tenant.ID, row, problem string)) error {
	rows, err := db.Query(ctx, `SELECT `+columns+` FROM schedules ORDER BY id`)
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	for rows.Next() {
		if n, err := scan(ring, rows); err != nil {
			report("schedules", "", n.Name, err.Error())
		}
	}
	return nil
}

// Schedule finds a schedule by its name.
func (s *Schedules) Schedule(ctx context.Context, name string) (Schedule, error) {
	return s.find(ctx, s.DB, name)
}

func (s *Schedules) find(ctx context.Context, db *meta.DB, name string) (Schedule, error) {
	rows, err := db.Query(ctx, `SELECT `+columns+` FROM schedules WHERE id = $1`, name)
	if err != nil {
		return Schedule{}, fmt.Errorf("find schedule %s: %w", name, err)
	}
	if !rows.Next() {
		return Schedule{}, fault.New(fault.NotFound, "There is no schedule %q.", name)
	}
	return scan(s.Keys, rows)
}

// Schedules lists schedules by name.
func (s *Schedules) Schedules(ctx context.Context, page meta.Page) ([]Schedule, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	list, err := s.list(ctx, s.DB, `WHERE id > $1 ORDER BY id LIMIT $2`, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, func(s Schedule) meta.Position { return meta.Position{ID: s.Name} })
	return list, next, nil
}

func (s *Schedules) list(ctx context.Context, db *meta.DB, where string, args ...any) ([]Schedule, error) {
	rows, err := db.Query(ctx, `SELECT `+columns+` FROM schedules `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	var list []Schedule
	for rows.Next() {
		found, err := scan(s.Keys, rows)
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		list = append(list, found)
	}
	return list, nil
}

// Create makes a schedule, which is active at once. Its first time is the next one
// of its timing.
func (s *Schedules) Create(ctx context.Context, by string, n NewSchedule) (Schedule, error) {
	now := s.Clock.Now()
	made := Schedule{Name: n.Name, Analyses: n.Analyses, DateOffset: n.DateOffset, State: Active, reopenedTo: now,
		CreatedAt: now, CreatedBy: by, ModifiedAt: now, ModifiedBy: by}
	if !nameForm.MatchString(n.Name) {
		return made, fault.New(fault.Invalid, "%.64q cannot be a schedule's name. It has 1 to 63 lower-case letters, digits, - and _, and begins with a letter or digit.", n.Name)
	}
	var err error
	if made.Timing, err = ParseTiming(n.Cron, n.Zone); err != nil {
		return made, err
	}
	made.NextAt = upcoming(made, now)
	err = s.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := s.check(ctx, tx, made); err != nil {
			return err
		}
		inserted, err := tx.Exec(ctx, `
			INSERT INTO schedules (id, analyses, cron, zone, date_offset, state, next_at, reopened_to, created_at, created_by, modified_at, modified_by, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $10, $11) ON CONFLICT (id) DO NOTHING`,
			made.Name, kept(made.Analyses), made.Cron, made.Zone, made.DateOffset, string(made.State), made.NextAt, made.reopenedTo, now, by, s.mac(made))
		if err != nil {
			return fmt.Errorf("make schedule %s: %w", made.Name, err)
		}
		if inserted == 0 {
			return fault.New(fault.Conflict, "There is a schedule %q already.", made.Name)
		}
		return s.record(ctx, tx, by, "schedule.create", made)
	})
	if err == nil {
		s.Wake()
	}
	return made, err
}

// upcoming is when a schedule fires next: after now, and after all that was dealt
// with, should the clock have been ahead.
func upcoming(s Schedule, now time.Time) *time.Time {
	if s.LastAt != nil && s.LastAt.After(now) {
		now = *s.LastAt
	}
	if at := s.Next(now); !at.IsZero() {
		return &at
	}
	return nil
}

// check checks what the schedule names.
func (s *Schedules) check(ctx context.Context, tx *meta.DB, n Schedule) error {
	if len(n.Analyses) == 0 || len(n.Analyses) > maxAnalyses {
		return fault.New(fault.Invalid, "Name 1 to %d analyses.", maxAnalyses)
	}
	if n.DateOffset != nil && (*n.DateOffset < 0 || *n.DateOffset > maxOffset) {
		return fault.New(fault.Invalid, "The business date can be 0 to %d days before the day of the firing.", maxOffset)
	}
	for i, name := range n.Analyses {
		if slices.Contains(n.Analyses[:i], name) {
			return fault.New(fault.Invalid, "The analysis %q is named twice.", name)
		}
		v, err := s.Analyses.AnalysisIn(ctx, tx, name, 0)
		if err == nil && n.DateOffset == nil {
			_, err = s.calendar(ctx, tx, v)
		}
		if fault.Is(err, fault.NotFound) {
			return fault.New(fault.Invalid, "%s", fault.Message(err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Schedules) mac(n Schedule) []byte { return s.Keys.MAC("schedule", n.fields()...) }

// kept is a list of names as the database keeps it.
func kept(names []string) string {
	text, err := json.Marshal(names)
	if err != nil {
		panic("schedule: names are not JSON: " + err.Error())
	}
	return string(text)
}

// record writes what a schedule is now into the audit log.
func (s *Schedules) record(ctx context.Context, tx *meta.DB, by, verb string, n Schedule) error {
	details := map[string]any{"analyses": n.Analyses, "cron": n.Cron, "zone": n.Zone, "state": n.State}
	if n.DateOffset != nil {
		details["date_offset_days"] = *n.DateOffset
	}
	return s.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: verb, Subject: n.Name, Outcome: "ok", Details: details})
}

// Update changes a schedule. With another timing its next time is the next one of
// that; what was dealt with before does not come again.
func (s *Schedules) Update(ctx context.Context, by, name string, c Change) (Schedule, error) {
	if c.Closed && c.DateOffset != nil {
		return Schedule{}, fault.New(fault.Invalid, "Say either how many days the business date lies back, or that it is of the periods that have closed.")
	}
	return s.change(ctx, by, name, "schedule.update", func(tx *meta.DB, n *Schedule, now time.Time) error {
		if c.Analyses != nil {
			n.Analyses = c.Analyses
		}
		if c.DateOffset != nil || c.Closed {
			n.DateOffset = c.DateOffset
		}
		if err := s.check(ctx, tx, *n); err != nil {
			return err
		}
		if c.Cron == nil && c.Zone == nil {
			return nil
		}
		expression, zone := n.Cron, n.Zone
		if c.Cron != nil {
			expression = *c.Cron
		}
		if c.Zone != nil {
			zone = *c.Zone
		}
		var err error
		if n.Timing, err = ParseTiming(expression, zone); err != nil {
			return err
		}
		if n.State == Active {
			n.NextAt = upcoming(*n, now)
		}
		return nil
	})
}

// Pause keeps a schedule from firing; one that is paused is a Conflict.
func (s *Schedules) Pause(ctx context.Context, by, name string) (Schedule, error) {
	return s.change(ctx, by, name, "schedule.pause", func(_ *meta.DB, n *Schedule, _ time.Time) error {
		if n.State == Paused {
			return fault.New(fault.Conflict, "The schedule %q is paused already.", n.Name)
		}
		n.State, n.NextAt = Paused, nil
		return nil
	})
}

// Resume lets a paused schedule fire again, at the next time of its timing; one
// that is active is a Conflict.
func (s *Schedules) Resume(ctx context.Context, by, name string) (Schedule, error) {
	return s.change(ctx, by, name, "schedule.resume", func(_ *meta.DB, n *Schedule, now time.Time) error {
		if n.State == Active {
			return fault.New(fault.Conflict, "The schedule %q is active already.", n.Name)
		}
		n.State, n.NextAt, n.countsFrom = Active, upcoming(*n, now), &now
		return nil
	})
}

func (s *Schedules) change(ctx context.Context, by, name, verb string, how func(tx *meta.DB, n *Schedule, now time.Time) error) (Schedule, error) {
	var n Schedule
	err := s.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if n, err = s.find(ctx, tx, name); err != nil {
			return err
		}
		now := s.Clock.Now()
		if _, err := s.setBack(ctx, tx, &n, now); err != nil {
			return err
		}
		if err := how(tx, &n, now); err != nil {
			return err
		}
		n.ModifiedAt, n.ModifiedBy, n.TimesModified = now, by, n.TimesModified+1
		if _, err := tx.Exec(ctx, `
			UPDATE schedules SET analyses = $1, cron = $2, zone = $3, date_offset = $4, state = $5, next_at = $6, counts_from = $7, modified_at = $8, modified_by = $9, times_modified = $10, mac = $11
			WHERE id = $12`,
			kept(n.Analyses), n.Cron, n.Zone, n.DateOffset, string(n.State), n.NextAt, n.countsFrom, now, by, n.TimesModified, s.mac(n), n.Name); err != nil {
			return fmt.Errorf("change schedule %s: %w", name, err)
		}
		return s.record(ctx, tx, by, verb, n)
	})
	if err == nil {
		s.Wake()
	}
	return n, err
}

// Delete removes a schedule with its history, also one that cannot be read. Runs that it started go on and stay.
func (s *Schedules) Delete(ctx context.Context, by, name string) (Schedule, error) {
	var n Schedule
	err := s.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if n, err = s.find(ctx, tx, name); err != nil && !fault.Is(err, fault.Damaged) {
			return err
		}
		for _, q := range []string{`DELETE FROM schedule_runs WHERE schedule = $1`, `DELETE FROM schedule_firings WHERE schedule = $1`, `DELETE FROM schedules WHERE id = $1`} {
			if _, err := tx.Exec(ctx, q, name); err != nil {
				return fmt.Errorf("delete schedule %s: %w", name, err)
			}
		}
		return s.record(ctx, tx, by, "schedule.delete", n)
	})
	return n, err
}
