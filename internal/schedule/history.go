package schedule

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/meta"
)

// Firing is one time at which a schedule fired, or one reopening whose end it
// dealt with.
type Firing struct {
	At      time.Time // when it was to fire
	Cause   string    // cron, or the id of a reopening
	FiredAt time.Time
	Note    string // why there is no run, or what was left out
	Runs    []Started
}

// Started is a run that a firing started, as it is now.
type Started struct {
	Run      string
	Analysis string
	Date     string
	State    analysis.RunState // empty: there is no such run any more
	Reason   string
}

// Firings lists what a schedule did, the newest first.
func (s *Schedules) Firings(ctx context.Context, name string, page meta.Page) ([]Firing, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	if _, err := s.Schedule(ctx, name); err != nil {
		return nil, "", err
	}
	list, err := s.firings(ctx, name, pos, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, func(f Firing) meta.Position { return meta.Position{At: meta.Micros(f.At), ID: f.Cause} })
	for i := range list {
		if list[i].Runs, err = s.started(ctx, name, list[i]); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

func (s *Schedules) firings(ctx context.Context, name string, pos meta.Position, limit int) ([]Firing, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT nominal_at, cause, fired_at, note FROM schedule_firings
		WHERE schedule = $1 AND (nominal_at < $2 OR nominal_at = $2 AND cause < $3) ORDER BY nominal_at DESC, cause DESC LIMIT $4`,
		name, pos.At, pos.ID, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("list firings of %s: %w", name, err)
	}

	var list []Firing
	for rows.Next() {
		var f Firing
		if err := rows.Scan(&f.At, &f.Cause, &f.FiredAt, &f.Note); err != nil {
			return nil, fmt.Errorf("list firings of %s: %w", name, err)
		}
		list = append(list, f)
	}
	return list, nil
}

func (s *Schedules) started(ctx context.Context, name string, f Firing) ([]Started, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.run, l.analysis, l.date, COALESCE(r.state, ''), COALESCE(r.reason, '')
		FROM schedule_runs l LEFT JOIN runs r ON r.id = l.run
		WHERE l.schedule = $1 AND l.nominal_at = $2 AND l.cause = $3 AND l.fired_at = $4 ORDER BY l.analysis, l.date`,
		name, f.At, f.Cause, f.FiredAt)
	if err != nil {
		return nil, fmt.Errorf("list runs of %s: %w", name, err)
	}

	var list []Started
	for rows.Next() {
		var r Started
		if err := rows.Scan(&r.Run, &r.Analysis, &r.Date, &r.State, &r.Reason); err != nil {
			return nil, fmt.Errorf("list runs of %s: %w", name, err)
		}
		list = append(list, r)
	}
	return list, nil
}
