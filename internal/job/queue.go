// Package job is the durable queue of batch work: it decides whose job runs
// next, keeps leases, retries, cancels and records progress. What a job does
// is left to the handlers that other capabilities register.
//
// The queue is a table in the control database, so a job is added in the same
// transaction as what it is for, and finished in the same transaction as its
// result.
package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// State is where a job is in its life:
//
//	queued -> running -> succeeded
//	   ^         |-----> failed      (no attempts left, or retrying cannot help)
//	   |---------|       (lease lost, a fault that may pass, or postponed)
//	queued or running -> cancelled
type State string

// The states.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Done reports whether a job in this state has ended.
func (s State) Done() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Config is what a Queue needs. DB is required.
type Config struct {
	DB    *meta.DB
	Clock clock.Clock
	// Workers is how many jobs run at once; 0 means 3. The last that is free is
	// kept for tenants that have none, and for kinds that do not yield.
	Workers int
	// Lease is how long a job may go without a sign of life before another
	// worker takes it; 0 means 30 s.
	Lease time.Duration
	// Poll is how often an idle queue looks for jobs that nobody announced
	// through Wake; 0 means 250 ms.
	Poll time.Duration
	// Drain is how long Run waits for running jobs after its context ended,
	// before it stops them and puts them back; 0 means 20 s.
	Drain time.Duration
	Log   *slog.Logger
	// Tracers gets a span for each attempt; nil: there are none.
	Tracers trace.TracerProvider
	// Changes is told when a job begins, moves on or is put back; nil: nobody is.
	Changes *live.Hub
}

// Queue hands out jobs, the tenant that waited longest first.
type Queue struct {
	cfg  Config
	db   *meta.DB
	log  *slog.Logger
	wake chan struct{}

	tracer trace.Tracer

	mu       sync.Mutex
	handlers map[string]Handler
	running  map[string]*Job // by job id
}

// Handler does the jobs of one kind.
type Handler struct {
	// Timeout ends an attempt; 0 means 10 minutes. A timed-out job fails.
	Timeout time.Duration
	// Concurrency is how many jobs of this kind run at once; 0 means no limit
	// but the queue's.
	Concurrency int
	// Yields keeps the kind from taking the last free worker while it has one,
	// as no tenant does.
	Yields bool
	// Tells is what the kind's subjects are, to whoever watches; empty: nothing is told.
	Tells live.Kind
	// Do does the job. It ends with Job.Finish, or with an error: faults that
	// may pass (throttled, internal) are tried again, and with Postpone or Away, or
	// if a store is unavailable or full, as often as it takes.
	Do func(ctx context.Context, j *Job) error
	// Failed records the end of a job that will not be tried again, in the
	// transaction that ends it. It may be called for a job that never ran.
	Failed func(ctx context.Context, tx *meta.DB, j *Job, cause error) error
}

// New makes a queue. Handle registers what it can do; Run does it.
func New(cfg Config) *Queue {
	if cfg.Workers == 0 {
		cfg.Workers = 3
	}
	if cfg.Lease == 0 {
		cfg.Lease = 30 * time.Second
	}
	if cfg.Poll == 0 {
		cfg.Poll = 250 * time.Millisecond
	}
	if cfg.Drain == 0 {
		cfg.Drain = 20 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Tracers == nil {
		cfg.Tracers = noop.NewTracerProvider()
	}
	return &Queue{
		cfg:      cfg,
		db:       cfg.DB,
		log:      cfg.Log,
		tracer:   cfg.Tracers.Tracer("tributary/internal/job"),
		wake:     make(chan struct{}, 1),
		handlers: map[string]Handler{},
		running:  map[string]*Job{},
	}
}

// Handle registers the handler of a kind. All kinds are registered before Run.
func (q *Queue) Handle(kind string, h Handler) {
	if h.Timeout == 0 {
		h.Timeout = 10 * time.Minute
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.handlers[kind] = h
}

// Work describes a job to add.
type Work struct {
	Kind    string
	Tenant  tenant.ID // whose turn it takes; empty for the provider's
	Subject string    // what it is for: a submission's or run's id
	Payload any       // encoded as JSON
	// MaxAttempts counts the first; 0 means 3.
	MaxAttempts int
	// NotBefore is when the first attempt may be made; zero: at once.
	NotBefore time.Time
	// AlarmAt is when somebody is to be told if the job then waits for something that
	// is away; zero: when it has waited for a quarter of an hour.
	AlarmAt time.Time
}

// Add puts a job in the queue when tx commits and returns its id. Call Wake
// after the commit, so that it does not wait for the next poll.
func (q *Queue) Add(ctx context.Context, tx *meta.DB, w Work) (string, error) {
	payload, err := json.Marshal(w.Payload)
	if err != nil {
		return "", fmt.Errorf("encode payload of %s job: %w", w.Kind, err)
	}
	if w.MaxAttempts == 0 {
		w.MaxAttempts = 3
	}
	id := q.cfg.Clock.ID("job")
	now := meta.Micros(q.cfg.Clock.Now())
	from := now
	if w.NotBefore.After(meta.Time(now)) {
		from = meta.Micros(w.NotBefore)
	}
	_, err = tx.Unscoped().Exec(ctx, `
		INSERT INTO jobs (id, kind, tenant, subject, payload, state, max_attempts, run_after, created_at, alarm_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, w.Kind, string(w.Tenant), w.Subject, payload, string(Queued), int64(w.MaxAttempts), from, now, w.AlarmAt)
	if err != nil {
		return "", fmt.Errorf("add %s job for %s: %w", w.Kind, w.Subject, err)
	}
	return id, nil
}

// Wake tells the queue that jobs were added.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// Status is what is known of a job.
type Status struct {
	ID          string
	Kind        string
	Subject     string
	State       State
	Stage       string // what it is doing, in words
	Done, Total int64  // progress within the stage; Total 0: unknown
	Attempts    int64
	ErrorKind   fault.Kind
	Error       string // for the operator
	CreatedAt   time.Time
	StartedAt   time.Time // zero before the first attempt
	FinishedAt  time.Time // zero before the end
}

// UnscopedStatus returns a job's status.
func (q *Queue) UnscopedStatus(ctx context.Context, id string) (Status, error) {
	s := Status{ID: id}
	var created int64
	var started, finished sql.NullInt64
	err := q.db.Unscoped().QueryRow(ctx, `
		SELECT kind, subject, state, stage, done, total, attempts, error_kind, error, created_at, started_at, finished_at
		FROM jobs WHERE id = $1`, id).
		Scan(&s.Kind, &s.Subject, &s.State, &s.Stage, &s.Done, &s.Total, &s.Attempts, &s.ErrorKind, &s.Error, &created, &started, &finished)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fault.New(fault.NotFound, "There is no job %q.", id)
	}
	if err != nil {
		return s, fmt.Errorf("read job %s: %w", id, err)
	}
	s.CreatedAt = meta.Time(created)
	if started.Valid {
		s.StartedAt = meta.Time(started.Int64)
	}
	if finished.Valid {
		s.FinishedAt = meta.Time(finished.Int64)
	}
	return s, nil
}

// Cancel ends a job: at once if it is queued, and as soon as its handler lets
// go if it runs. Cancelling a job that has ended is a Conflict. The caller calls
// Interrupt after its commit.
func (q *Queue) Cancel(ctx context.Context, tx *meta.DB, id string) error {
	j, state, err := q.load(ctx, tx, id)
	if err != nil {
		return err
	}
	switch {
	case state.Done():
		return fault.New(fault.Conflict, "It has already ended (%s), so there is nothing to cancel.", state)
	case state == Queued:
		return q.end(ctx, tx, j, Cancelled, fault.New(fault.Cancelled, "It was cancelled before it started."))
	}
	_, err = tx.Unscoped().Exec(ctx, `UPDATE jobs SET cancel_requested = 1 WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("request cancellation of job %s: %w", id, err)
	}
	return nil
}

// Interrupt stops the job if it runs in this process and its cancellation was
// requested; it is how a cancellation acts at once instead of at the next beat.
func (q *Queue) Interrupt(id string) {
	q.mu.Lock()
	j := q.running[id]
	q.mu.Unlock()
	if j != nil {
		j.stop(errCancelRequested)
	}
}

func (q *Queue) load(ctx context.Context, tx *meta.DB, id string) (*Job, State, error) {
	j := &Job{ID: id, queue: q}
	var state State
	var cancelled int64
	err := tx.Unscoped().QueryRow(ctx, `SELECT kind, tenant, subject, payload, attempts, max_attempts, lease, state, cancel_requested FROM jobs WHERE id = $1`, id).
		Scan(&j.Kind, &j.Tenant, &j.Subject, &j.payload, &j.Attempt, &j.maxAttempts, &j.lease, &state, &cancelled)
	j.cancelled = cancelled != 0
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", fault.New(fault.NotFound, "There is no job %q.", id)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read job %s: %w", id, err)
	}
	return j, state, nil
}

// end records that a job will not run again and tells its handler.
func (q *Queue) end(ctx context.Context, tx *meta.DB, j *Job, s State, cause error) error {
	_, err := tx.Unscoped().Exec(ctx, `
		UPDATE jobs SET state = $1, error_kind = $2, error = $3, finished_at = $4, lease = '', lease_until = NULL WHERE id = $5`,
		string(s), string(fault.KindOf(cause)), cause.Error(), meta.Micros(q.cfg.Clock.Now()), j.ID)
	if err != nil {
		return fmt.Errorf("end job %s: %w", j.ID, err)
	}
	q.mu.Lock()
	h := q.handlers[j.Kind]
	q.mu.Unlock()
	if h.Failed == nil {
		return nil
	}
	return h.Failed(ctx, tx, j, cause)
}
