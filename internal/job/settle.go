package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
)

// settle decides whether a failed attempt is tried again, and records it. A job
// whose cancellation was requested is not, whatever ended the attempt.
func (q *Queue) settle(ctx context.Context, tx *meta.DB, j *Job, cause error, now time.Time) error {
	if j.cancelled {
		cause = errCancelRequested
	}
	kind := fault.KindOf(cause)
	if later := (*postponed)(nil); errors.As(cause, &later) {
		return q.postpone(ctx, tx, j, cause, now)
	}
	if gone := (*awayError)(nil); errors.As(cause, &gone) || kind == fault.Unavailable || kind == fault.StorageFull { // not the job's failure
		return q.putOff(ctx, tx, j, cause, now)
	}
	shutdown := errors.Is(cause, errShutdown)
	again := shutdown
	switch kind {
	case fault.Throttled, fault.Internal:
		again = shutdown || j.Attempt < j.maxAttempts
	case fault.Cancelled:
		return q.end(ctx, tx, j, Cancelled, cause)
	}
	if !again {
		return q.end(ctx, tx, j, Failed, cause)
	}
	after, attempts := now, j.Attempt
	if shutdown {
		attempts-- // being put back is not its failure
	} else {
		after = now.Add(time.Second << (2 * min(j.Attempt-1, 6))) // 1 s, 4 s, 16 s, …
	}
	_, err := tx.Unscoped().Exec(ctx, `
		UPDATE jobs SET state = $1, attempts = $2, run_after = $3, lease = '', lease_until = NULL, error_kind = $4, error = $5,
		waits_for = '', waits_since = NULL, alarmed_at = NULL WHERE id = $6`,
		string(Queued), attempts, meta.Micros(after), string(fault.KindOf(cause)), cause.Error(), j.ID)
	if err != nil {
		return fmt.Errorf("put job %s back: %w", j.ID, err)
	}
	return nil
}

// postpone puts a job back, the attempt not counted, and lets the tenant's others
// of its kind wait as long: one look at a time is enough to see whether it is over.
func (q *Queue) postpone(ctx context.Context, tx *meta.DB, j *Job, cause error, now time.Time) error {
	after := meta.Micros(now.Add(pause))
	if err := q.wait(ctx, tx, j, cause, after+1); err != nil { // behind the others
		return err
	}
	if _, err := tx.Unscoped().Exec(ctx, `UPDATE jobs SET run_after = $1 WHERE state = 'queued' AND tenant = $2 AND kind = $3 AND run_after < $1`,
		after, string(j.Tenant), j.Kind); err != nil {
		return fmt.Errorf("postpone jobs of %s: %w", j.Tenant, err)
	}
	return nil
}

// putOff puts a job back while a store that it needs is full or away, the attempt
// not counted: for a second at first, and the longer the older the job is, since
// what lasted for an hour will hardly be over in a second.
func (q *Queue) putOff(ctx context.Context, tx *meta.DB, j *Job, cause error, now time.Time) error {
	var created int64
	if err := tx.Unscoped().QueryRow(ctx, `SELECT created_at FROM jobs WHERE id = $1`, j.ID).Scan(&created); err != nil {
		return fmt.Errorf("put off job %s: %w", j.ID, err)
	}
	after := now.Add(min(max(now.Sub(meta.Time(created))/4, time.Second), maxPutOff))
	return q.wait(ctx, tx, j, cause, meta.Micros(after))
}

// maxPutOff is the longest that a job waits for a store before it looks again.
const maxPutOff = 5 * time.Minute

// wait puts a job back without counting the attempt, and says what it waits for.
func (q *Queue) wait(ctx context.Context, tx *meta.DB, j *Job, cause error, after int64) error {
	stage, what := "waits: "+fault.Message(cause), ""
	if gone := (*awayError)(nil); errors.As(cause, &gone) {
		what = gone.what
		stage = "waits: " + what + " cannot be reached"
	}
	_, err := tx.Unscoped().Exec(ctx, `
		UPDATE jobs SET state = $1, attempts = $2, run_after = $3, lease = '', lease_until = NULL, error_kind = $4, error = $5, stage = $6,
		waits_since = CASE WHEN $7 = '' THEN NULL WHEN waits_for = $7 THEN waits_since ELSE $8 END,
		alarmed_at = CASE WHEN waits_for = $7 THEN alarmed_at END, waits_for = $7 WHERE id = $9`,
		string(Queued), j.Attempt-1, after, string(fault.KindOf(cause)), cause.Error(), stage, what, q.cfg.Clock.Now(), j.ID)
	if err != nil {
		return fmt.Errorf("put job %s back: %w", j.ID, err)
	}
	return nil
}
