package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"tributary/internal/fault"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

var (
	errCancelRequested = fault.New(fault.Cancelled, "It was cancelled.")
	errTimedOut        = fault.New(fault.TimedOut, "It took longer than it may and was stopped.")
	errShutdown        = errors.New("the server is shutting down")
	errLeaseLost       = errors.New("another worker has the job")
)

// pause is how long postponed jobs wait before one of them is looked at again.
const pause = 15 * time.Second

// Postpone makes an error that ends an attempt without counting it: for now
// nothing of the job's kind can be done for its tenant. All that the tenant has
// queued of the kind waits for a pause.
func Postpone(cause error) error { return &postponed{cause} }

type postponed struct{ error }

func (p *postponed) Unwrap() error { return p.error }

// Job is one attempt at a piece of work. The queue makes it, a handler has it
// for as long as Do runs, and its lease names it in the database.
type Job struct {
	ID      string
	Kind    string
	Tenant  tenant.ID
	Subject string
	Attempt int64 // 1 for the first

	maxAttempts int64
	payload     []byte
	lease       string
	queue       *Queue
	cancelled   bool            // its cancellation was requested when it was loaded
	ctx         context.Context //nolint:containedctx // the attempt's, from its registration to its end
	stop        context.CancelCauseFunc
	finished    bool

	mu      sync.Mutex
	written time.Time // when progress was last written
}

// Decode decodes the payload into v.
func (j *Job) Decode(v any) error {
	if err := json.Unmarshal(j.payload, v); err != nil {
		return fmt.Errorf("decode payload of job %s: %w", j.ID, err)
	}
	return nil
}

// Progress records what the job is doing and how far it is; total 0 means that
// the end is not known. It writes at most twice a second, so call it freely.
func (j *Job) Progress(ctx context.Context, stage string, done, total int64) {
	now := j.queue.cfg.Clock.Now()
	j.mu.Lock()
	due := now.Sub(j.written) >= 500*time.Millisecond
	if due {
		j.written = now
	}
	j.mu.Unlock()
	if !due {
		return
	}
	if _, err := j.queue.db.Unscoped().Exec(ctx, `UPDATE jobs SET stage = $1, done = $2, total = $3 WHERE id = $4 AND lease = $5`,
		stage, done, total, j.ID, j.lease); err != nil && ctx.Err() == nil {
		j.queue.log.WarnContext(ctx, "job progress not written", "job", j.ID, "error", err)
	}
	j.Tell()
}

// Tell tells who watches that what the job is for is not as it was.
func (j *Job) Tell() {
	j.queue.mu.Lock()
	kind := j.queue.handlers[j.Kind].Tells
	j.queue.mu.Unlock()
	if kind != "" {
		j.queue.cfg.Changes.Tell(live.Change{Kind: kind, ID: j.Subject, Tenant: j.Tenant, By: "tributary"})
	}
}

// Finish commits the job's results and its success in one transaction, or
// neither: if another worker has taken the job over, or its cancellation was
// requested, nothing is written.
func (j *Job) Finish(ctx context.Context, results func(tx *meta.DB) error) error {
	err := j.queue.db.Transact(ctx, func(tx *meta.DB) error {
		n, err := tx.Unscoped().Exec(ctx, `
			UPDATE jobs SET state = $1, finished_at = $2, lease = '', lease_until = NULL, done = total
			WHERE id = $3 AND lease = $4 AND state = $5 AND cancel_requested = 0`,
			string(Succeeded), meta.Micros(j.queue.cfg.Clock.Now()), j.ID, j.lease, string(Running))
		if err != nil {
			return fmt.Errorf("finish job %s: %w", j.ID, err)
		}
		if n != 1 {
			return j.refused(ctx, tx)
		}
		return results(tx)
	})
	if err == nil {
		j.finished = true
	}
	return err
}

// refused says why the job may not finish.
func (j *Job) refused(ctx context.Context, tx *meta.DB) error {
	current, state, err := j.queue.load(ctx, tx, j.ID)
	switch {
	case err != nil:
		return err
	case current.cancelled && current.lease == j.lease && state == Running:
		return errCancelRequested
	}
	return errLeaseLost
}

// Run hands out jobs until ctx ends, then waits for those that run, at most for
// Config.Drain, and puts the rest back.
func (q *Queue) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	// Jobs outlive ctx by the drain time; what they wrote is then complete.
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	slots := make(chan struct{}, q.cfg.Workers)
	poll := time.NewTicker(q.cfg.Poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case slots <- struct{}{}:
		}
		j, err := q.next(ctx)
		if err != nil && ctx.Err() == nil {
			q.log.ErrorContext(ctx, "job queue not readable", "error", err)
		}
		if j != nil {
			q.register(work, j)
			workers.Go(func() {
				defer func() { <-slots; q.Wake() }()
				q.do(j)
			})
			continue
		}
		<-slots
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-poll.C:
		}
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	grace := time.NewTimer(q.cfg.Drain)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		stop(errShutdown)
		<-done
	}
	return nil
}

// once does the next job, if there is one, and reports whether there was.
func (q *Queue) once(ctx context.Context) (bool, error) {
	j, err := q.next(ctx)
	if j == nil || err != nil {
		return false, err
	}
	q.register(ctx, j)
	q.do(j)
	return true, nil
}

// next takes the next job: of the tenant that was served longest ago, its
// oldest. It returns nil if there is none that may run now.
func (q *Queue) next(ctx context.Context) (*Job, error) {
	kinds, full := q.free()
	if len(kinds) == 0 {
		return nil, nil
	}
	now := q.cfg.Clock.Now()
	var waiting int64
	err := q.db.Unscoped().QueryRow(ctx, `
		SELECT count(*) FROM (SELECT 1 AS one FROM jobs
		WHERE (state = 'queued' AND run_after <= $1) OR (state = 'running' AND lease_until < $1) LIMIT 1) AS waiting`,
		meta.Micros(now)).Scan(&waiting)
	if err != nil || waiting == 0 {
		return nil, err
	}
	if err := q.reclaim(ctx, now); err != nil {
		return nil, err
	}
	var taken *Job
	err = q.db.Transact(ctx, func(tx *meta.DB) error {
		taken = nil
		args := []any{meta.Micros(now)}
		for _, k := range kinds {
			args = append(args, k)
		}
		others := ""
		if len(full) > 0 {
			others = ` AND j.tenant NOT IN (` + meta.Placeholders(len(args)+1, len(full)) + `)`
			for _, t := range full {
				args = append(args, string(t))
			}
		}
		var id string
		err := tx.Unscoped().QueryRow(ctx, `
			SELECT j.id FROM jobs j LEFT JOIN job_turns t ON t.tenant = j.tenant
			WHERE j.state = 'queued' AND j.run_after <= $1 AND j.kind IN (`+meta.Placeholders(2, len(kinds))+`)`+others+`
			ORDER BY COALESCE(t.served_at, 0), j.run_after, j.created_at, j.id LIMIT 1`, args...).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find next job: %w", err)
		}
		j, _, err := q.load(ctx, tx, id)
		if err != nil {
			return err
		}
		j.Attempt++
		j.lease = q.cfg.Clock.ID("lse")
		if _, err := tx.Unscoped().Exec(ctx, `
			UPDATE jobs SET state = $1, attempts = $2, lease = $3, lease_until = $4, started_at = COALESCE(started_at, $5), stage = '', done = 0, total = 0
			WHERE id = $6`,
			string(Running), j.Attempt, j.lease, meta.Micros(now.Add(q.cfg.Lease)), meta.Micros(now), id); err != nil {
			return fmt.Errorf("take job %s: %w", id, err)
		}
		if _, err := tx.Unscoped().Exec(ctx, `
			INSERT INTO job_turns (tenant, served_at) VALUES ($1, $2)
			ON CONFLICT (tenant) DO UPDATE SET served_at = excluded.served_at`, string(j.Tenant), meta.Micros(now)); err != nil {
			return fmt.Errorf("record turn of %s: %w", j.Tenant, err)
		}
		taken = j
		return nil
	})
	if err != nil || taken == nil {
		return nil, err
	}
	taken.Tell()
	return taken, nil
}

// free lists the kinds that may run one more job, and the tenants that may not:
// the last free worker is for those that have none.
func (q *Queue) free() (kinds []string, full []tenant.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	busy, has := map[string]int{}, map[tenant.ID]bool{}
	for _, j := range q.running {
		busy[j.Kind]++
		has[j.Tenant] = true
	}
	last := len(q.running) >= q.cfg.Workers-1
	for kind, h := range q.handlers {
		if (h.Concurrency == 0 || busy[kind] < h.Concurrency) && !(last && h.Yields && busy[kind] > 0) {
			kinds = append(kinds, kind)
		}
	}
	delete(has, "") // the provider yields by kind
	if last {
		full = slices.Collect(maps.Keys(has))
	}
	return kinds, full
}

// reclaim puts jobs back whose worker gave no sign of life, or ends those that
// have no attempt left. Each is a transaction of its own, so that one whose end
// cannot be recorded does not hold up the others.
func (q *Queue) reclaim(ctx context.Context, now time.Time) error {
	rows, err := q.db.Unscoped().Query(ctx, `SELECT id, lease FROM jobs WHERE state = 'running' AND lease_until < $1`, meta.Micros(now))
	if err != nil {
		return fmt.Errorf("find lost jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, lease string
		if err := rows.Scan(&id, &lease); err != nil {
			return fmt.Errorf("find lost jobs: %w", err)
		}
		if err := q.db.Transact(ctx, func(tx *meta.DB) error {
			j, state, err := q.load(ctx, tx, id)
			if err != nil || state != Running || j.lease != lease {
				return err
			}
			return q.settle(ctx, tx, j, fault.New(fault.Internal, "The worker that had it stopped without a result."), now)
		}); err != nil {
			q.log.ErrorContext(ctx, "lost job not put back; it is tried again", "job", id, "error", err)
		}
	}
	return rows.Err()
}

// Recover puts back every job that a previous process of this server was
// running. It is called once at start, while no other server can be active.
func (q *Queue) Recover(ctx context.Context) error {
	_, err := q.db.Unscoped().Exec(ctx, `UPDATE jobs SET lease_until = 0 WHERE state = 'running'`)
	if err != nil {
		return fmt.Errorf("recover jobs: %w", err)
	}
	return nil
}

// register counts a job that was taken as running, so that it can be stopped and
// the next look for a job sees that its kind has one more.
func (q *Queue) register(ctx context.Context, j *Job) {
	j.ctx, j.stop = context.WithCancelCause(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[j.ID] = j
}

// do runs one attempt of a registered job and records how it ended.
func (q *Queue) do(j *Job) {
	q.mu.Lock()
	h := q.handlers[j.Kind]
	q.mu.Unlock()
	ctx, stop := j.ctx, j.stop
	defer func() {
		q.mu.Lock()
		delete(q.running, j.ID)
		q.mu.Unlock()
		stop(nil)
	}()
	timer := time.AfterFunc(h.Timeout, func() { stop(errTimedOut) })
	defer timer.Stop()
	beating := make(chan struct{})
	go func() { defer close(beating); q.beat(ctx, j) }()

	spanned, span := q.tracer.Start(ctx, "job "+j.Kind, trace.WithNewRoot(), trace.WithAttributes(about(j)...))
	err := attempt(spanned, h, j)
	if err == nil && !j.finished {
		err = j.Finish(spanned, func(*meta.DB) error { return nil })
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // why it was stopped says more than what the stop broke
	}
	outcome(span, j, err)
	span.End()
	stop(nil)
	<-beating
	if err == nil || errors.Is(err, errLeaseLost) || j.finished {
		return
	}
	gone := (*awayError)(nil)
	log := q.log.With("job", j.ID, "kind", j.Kind, "subject", j.Subject, "tenant.id", string(j.Tenant), "attempt", j.Attempt, "error", err)
	if later := (*postponed)(nil); errors.As(err, &later) {
		log.InfoContext(ctx, "job postponed")
	} else if errors.As(err, &gone) {
		log.InfoContext(ctx, "job waits for what cannot be reached", "for", gone.what)
	} else {
		log.WarnContext(ctx, "job attempt failed")
	}
	record := context.WithoutCancel(ctx)
	if err := q.db.Transact(record, func(tx *meta.DB) error {
		current, state, loadErr := q.load(record, tx, j.ID)
		if loadErr != nil {
			return loadErr
		}
		if current.lease != j.lease || state != Running {
			return nil
		}
		return q.settle(record, tx, current, err, q.cfg.Clock.Now())
	}); err != nil {
		q.log.ErrorContext(record, "job outcome not recorded; it is tried again when its lease ends", "job", j.ID, "error", err)
	}
	j.Tell()
}

// about is what an attempt's span says from the start.
func about(j *Job) []attribute.KeyValue {
	known := []attribute.KeyValue{attribute.String("job.id", j.ID), attribute.String("job.kind", j.Kind),
		attribute.String("job.subject", j.Subject), attribute.Int64("job.attempt", j.Attempt)}
	if j.Tenant != "" {
		known = append(known, attribute.String("tenant.id", string(j.Tenant)))
	}
	return known
}

// outcome says on its span how an attempt ended. An error's words stay out: they
// are the operator's, and may name what is sealed.
func outcome(span trace.Span, j *Job, err error) {
	later, gone := (*postponed)(nil), (*awayError)(nil)
	how := "failed"
	switch {
	case err == nil || j.finished:
		how = "succeeded"
	case errors.Is(err, errLeaseLost):
		how = "lost"
	case errors.Is(err, errShutdown):
		how = "put back"
	case errors.As(err, &later), errors.As(err, &gone), fault.Is(err, fault.Unavailable), fault.Is(err, fault.StorageFull):
		how = "postponed"
	case fault.Is(err, fault.Cancelled):
		how = "cancelled"
	default:
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attribute.String("job.outcome", how))
	if how != "succeeded" {
		span.SetAttributes(attribute.String("error.type", string(fault.KindOf(err))))
	}
}

// attempt calls the handler; a panic in it is an error of this job alone.
func attempt(ctx context.Context, h Handler, j *Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler of %s panicked: %v\n%s", j.Kind, p, debug.Stack())
		}
	}()
	return h.Do(ctx, j)
}

// beat extends the lease until ctx ends and notices a cancellation that another
// process requested.
func (q *Queue) beat(ctx context.Context, j *Job) {
	tick := time.NewTicker(q.cfg.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := q.cfg.Clock.Now()
		n, err := q.db.Unscoped().Exec(ctx, `UPDATE jobs SET lease_until = $1 WHERE id = $2 AND lease = $3 AND state = 'running'`,
			meta.Micros(now.Add(q.cfg.Lease)), j.ID, j.lease)
		if err != nil {
			continue // the lease outlasts three more beats
		}
		var cancel int64
		if n == 0 {
			j.stop(errLeaseLost)
		} else if err := q.db.Unscoped().QueryRow(ctx, `SELECT cancel_requested FROM jobs WHERE id = $1`, j.ID).Scan(&cancel); err == nil && cancel == 1 {
			j.stop(errCancelRequested)
		}
	}
}
