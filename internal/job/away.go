package job

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Away makes an error of something that a job cannot do without and that cannot be
// reached for now, such as its keys. The attempt does not count: the job waits, says
// so, and is tried again as often as it takes. If that lasts until the time that
// Work.AlarmAt says, Alarms has it.
func Away(what string, cause error) error { return &awayError{cause, what} }

type awayError struct {
	error
	what string
}

func (e *awayError) Unwrap() error { return e.error }

// patience is how long a job waits before somebody is told, where nothing was said.
const patience = 15 * time.Minute

// Alarm is a job that has waited too long for something that is away.
type Alarm struct {
	Job     string
	Kind    string
	Tenant  tenant.ID
	Subject string
	For     string // what is away
	Since   time.Time
}

// Alarms returns the jobs that have waited too long, each once for as long as it
// waits. They are remembered when what tell did with them, in the same transaction,
// is committed; without any it is not called.
func (q *Queue) Alarms(ctx context.Context, tell func(tx *meta.DB, alarms []Alarm) error) ([]Alarm, error) {
	var list []Alarm
	err := q.db.Transact(ctx, func(tx *meta.DB) error {
		found, err := q.alarms(ctx, tx)
		if err == nil && len(found) > 0 {
			err = tell(tx, found)
		}
		list = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (q *Queue) alarms(ctx context.Context, tx *meta.DB) ([]Alarm, error) {
	now := q.cfg.Clock.Now()
	rows, err := tx.Unscoped().Query(ctx, `
		UPDATE jobs SET alarmed_at = $1
		WHERE waits_for <> '' AND state IN ('queued', 'running') AND alarmed_at IS NULL AND COALESCE(alarm_at, waits_since + $2) <= $1
		RETURNING id, kind, tenant, subject, waits_for, waits_since`, now, patience.Microseconds())
	if err != nil {
		return nil, fmt.Errorf("find jobs that wait too long: %w", err)
	}
	defer rows.Close()
	var list []Alarm
	for rows.Next() {
		var a Alarm
		if err := rows.Scan(&a.Job, &a.Kind, &a.Tenant, &a.Subject, &a.For, &a.Since); err != nil {
			return nil, fmt.Errorf("find jobs that wait too long: %w", err)
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// Waiting is how many jobs of a kind wait for something that is away.
type Waiting struct {
	Kind  string
	For   string
	Count int64
	Since time.Time // the longest
}

// UnscopedWaiting counts the jobs that wait for something that is away.
func (q *Queue) UnscopedWaiting(ctx context.Context) ([]Waiting, error) {
	rows, err := q.db.Unscoped().Query(ctx, `
		SELECT kind, waits_for, count(*), MIN(waits_since) FROM jobs WHERE waits_for <> '' AND state IN ('queued', 'running')
		GROUP BY kind, waits_for ORDER BY kind, waits_for`)
	if err != nil {
		return nil, fmt.Errorf("count jobs that wait: %w", err)
	}
	defer rows.Close()
	var list []Waiting
	for rows.Next() {
		var w Waiting
		if err := rows.Scan(&w.Kind, &w.For, &w.Count, &w.Since); err != nil {
			return nil, fmt.Errorf("count jobs that wait: %w", err)
		}
		list = append(list, w)
	}
	return list, rows.Err()
}
