package analysis

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// RunState is where a run is in its life:
//
//	queued -> running -> succeeded
//	                 \-> withheld   (the gate refused every cell, or it is too near to another release)
//	                 \-> skipped    (no quorum)
//	                 \-> failed
//	queued or running -> cancelled
type RunState string

// The states.
const (
	RunQueued    RunState = "queued"
	RunRunning   RunState = "running"
	RunSucceeded RunState = "succeeded"
	RunWithheld  RunState = "withheld"
	RunSkipped   RunState = "skipped"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
)

// Done reports whether a run in this state has ended.
func (s RunState) Done() bool { return s != RunQueued && s != RunRunning }

// Run is one execution of a version of an analysis over a snapshot for a
// business date. A system admin starts it; it never changes once it has ended.
type Run struct {
	ID           string
	Analysis     string
	Version      int64
	Date         string
	Through      *time.Time // the cut-off: only what was received by then counts; nil: all that is accepted
	State        RunState
	Reason       string // why it ended as it did, in words
	Job          string
	StartedBy    string
	Snapshot     []byte
	Release      string // empty: none
	Participants int64
	CreatedAt    time.Time
	StartedAt    *time.Time
	FinishedAt   *time.Time
	RecalledAt   *time.Time // when its release was recalled
	RecallReason string
	Results      int64      // of a single run: that its release has
	Recalled     int64      // of them, those that were recalled
	Progress     job.Status // while it runs
	Inputs       []RunInput // of a single run: its snapshot

	mac []byte
}

// fields are what the row's MAC covers: what the run reads, and who decided on it.
func (r Run) fields() []any {
	return []any{r.ID, r.Analysis, r.Version, r.Date, meta.MomentMicros(r.Through), r.StartedBy, meta.Micros(r.CreatedAt), r.Snapshot}
}

// genuine returns Damaged if the run's row is not what was written.
func (r Run) genuine(ring *keys.Ring) error {
	if err := ring.CheckMAC(r.mac, "run", r.fields()...); err != nil {
		return fault.Wrap(fault.Damaged, err, "The stored run %q was changed, or was started by an earlier version. Start a new one.", r.ID)
	}
	return nil
}

// RunInput is a submission in a snapshot.
type RunInput struct {
	Tenant       tenant.ID
	Organisation string
	Dataset      string
	Submission   string
	Contract     int64 // the version of the dataset's contract that it was accepted under
	Object       string
	Commitment   []byte
}

const runColumns = `r.id, r.analysis, r.version, r.date, r.through, r.state, r.reason, r.job, r.started_by, r.snapshot, r.release_id, r.participants, r.created_at, r.started_at, r.finished_at, r.mac,
	l.recalled_at, COALESCE(l.recall_reason, '')`

const runTables = ` FROM runs r LEFT JOIN releases l ON l.id = r.release_id `

const runQuery = `SELECT ` + runColumns + runTables

func scanRun(row scanner) (Run, error) {
	var r Run
	var created int64
	var through, started, finished, recalled sql.NullInt64
	err := row.Scan(&r.ID, &r.Analysis, &r.Version, &r.Date, &through, &r.State, &r.Reason, &r.Job, &r.StartedBy, &r.Snapshot, &r.Release, &r.Participants,
		&created, &started, &finished, &r.mac, &recalled, &r.RecallReason)
	r.Through, r.CreatedAt, r.StartedAt, r.FinishedAt, r.RecalledAt = meta.Moment(through), meta.Time(created), meta.Moment(started), meta.Moment(finished), meta.Moment(recalled)
	return r, err
}

// UnscopedStart queues a run of the current version of each analysis named, for
// a business date: all of them, or none. With through only what was received by
// then counts, as exchange.UnscopedAccepted says.
func (a *Analyses) UnscopedStart(ctx context.Context, by string, names []string, date string, through *time.Time) ([]Run, error) {
	if _, err := contract.ParseDate(date); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fault.New(fault.Invalid, "Name at least one analysis.")
	}
	var runs []Run
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		runs = nil
		for _, name := range names {
			v, err := a.AnalysisIn(ctx, tx, name, 0)
			if err != nil {
				return err
			}
			r, err := a.queue(ctx, tx, by, v.Name, v.Version, date, through)
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		return nil
	})
	if err == nil {
		a.Jobs.Wake()
	}
	return runs, err
}

// settling is how long after its cut-off a run begins at the earliest. A file has its
// time before its row is committed, and one that was in time must not be missed because
// the commit took longer.
const settling = time.Minute

func (a *Analyses) queue(ctx context.Context, tx *meta.DB, by, name string, version int64, date string, through *time.Time) (Run, error) {
	r := Run{ID: a.Clock.ID("run"), Analysis: name, Version: version, Date: date, Through: through, State: RunQueued, StartedBy: by, CreatedAt: a.Clock.Now()}
	var err error
	work := job.Work{Kind: runKind, Subject: r.ID, Payload: runPayload{r.ID}}
	if through != nil {
		work.AlarmAt, work.NotBefore = *through, through.Add(settling)
	}
	if r.Job, err = a.Jobs.Add(ctx, tx, work); err != nil {
		return r, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO runs (id, analysis, version, date, through, state, job, started_by, created_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.ID, r.Analysis, r.Version, r.Date, through, string(r.State), r.Job, by, meta.Micros(r.CreatedAt), a.Keys.MAC("run", r.fields()...)); err != nil {
		return r, fmt.Errorf("queue run of %s: %w", name, err)
	}
	details := map[string]any{"analysis": name, "version": version, "date": date}
	if through != nil {
		details["through"] = *through
	}
	return r, a.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "run.start", Subject: r.ID, Outcome: "ok", Details: details})
}

// UnscopedRun returns a run with its snapshot and progress.
func (a *Analyses) UnscopedRun(ctx context.Context, id string) (Run, error) {
	r, err := a.run(ctx, a.DB, id)
	if err != nil {
		return r, err
	}
	if r.Inputs, err = a.inputs(ctx, a.DB, id); err != nil {
		return r, err
	}
	if r.Release != "" {
		if r.Results, r.Recalled, err = a.Exchange.UnscopedRecalled(ctx, r.Release); err != nil {
			return r, err
		}
	}
	if !r.State.Done() {
		r.Progress, err = a.Jobs.UnscopedStatus(ctx, r.Job)
	}
	return r, err
}

// UnscopedProgress returns a run with its progress, and without its snapshot.
func (a *Analyses) UnscopedProgress(ctx context.Context, id string) (Run, error) {
	r, err := a.run(ctx, a.DB, id)
	if err == nil && !r.State.Done() {
		r.Progress, err = a.Jobs.UnscopedStatus(ctx, r.Job)
	}
	return r, err
}

func (a *Analyses) run(ctx context.Context, db *meta.DB, id string) (Run, error) {
	r, err := scanRun(db.QueryRow(ctx, runQuery+`WHERE r.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "There is no run %q.", id)
	}
	if err != nil {
		return r, fmt.Errorf("find run %s: %w", id, err)
	}
	return r, nil
}

func (a *Analyses) inputs(ctx context.Context, db *meta.DB, run string) ([]RunInput, error) {
	rows, err := db.Unscoped().Query(ctx, `
		SELECT tenant, organisation, dataset, submission, contract, object, commitment FROM run_inputs WHERE run = $1 ORDER BY tenant, dataset`, run)
	if err != nil {
		return nil, fmt.Errorf("read snapshot of %s: %w", run, err)
	}
	var list []RunInput
	for rows.Next() {
		var i RunInput
		if err := rows.Scan(&i.Tenant, &i.Organisation, &i.Dataset, &i.Submission, &i.Contract, &i.Object, &i.Commitment); err != nil {
			return nil, fmt.Errorf("read snapshot of %s: %w", run, err)
		}
		list = append(list, i)
	}
	return list, nil
}

// RunFilter narrows a list; empty fields do not.
type RunFilter struct {
	Analysis, Date string
	State          RunState
}

// RunList is how runs are searched, filtered and sorted.
var RunList = meta.List[Run]{
	Select: runColumns, From: runTables, Order: "-created_at", Key: []meta.Key{{SQL: "r.id", Kind: meta.Text}},
	Columns: []meta.Column[Run]{
		{Name: "id", Kind: meta.Ident, SQL: "r.id", Search: true},
		{Name: "analysis", Kind: meta.Text, SQL: "r.analysis", Search: true, Sort: true},
		{Name: "date", Kind: meta.Text, SQL: "r.date", Search: true, Sort: true},
		{Name: "state", Kind: meta.Choice, SQL: "r.state", Values: []string{string(RunQueued), string(RunRunning), string(RunSucceeded), string(RunWithheld), string(RunSkipped), string(RunFailed), string(RunCancelled)}},
		{Name: "started_by", Kind: meta.Text, SQL: "r.started_by", Search: true},
		{Name: "reason", Kind: meta.Text, SQL: "r.reason"},
		{Name: "participants", Kind: meta.Number, SQL: "r.participants"},
		{Name: "finished_at", Kind: meta.Instant, SQL: "r.finished_at", Null: true, Sort: true},
		{Name: "created_at", Kind: meta.Instant, SQL: "r.created_at", Sort: true},
	},
}

// UnscopedRuns lists runs, the newest first if the page's view says nothing else.
func (a *Analyses) UnscopedRuns(ctx context.Context, f RunFilter, page meta.Page) ([]Run, string, error) {
	var where meta.Where
	where.AndIs("r.analysis", f.Analysis)
	where.AndIs("r.date", f.Date)
	where.AndIs("r.state", string(f.State))
	list, next, err := RunList.Read(ctx, a.DB, &where, page, func(row meta.Scanner) (Run, error) { return scanRun(row) })
	if err != nil {
		return nil, "", fmt.Errorf("list runs: %w", err)
	}
	return list, next, nil
}

// UnscopedCancel ends a run: at once if it is queued, and within a second if it
// runs. One that has ended is a Conflict.
func (a *Analyses) UnscopedCancel(ctx context.Context, by, id string) (Run, error) {
	var r Run
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if r, err = a.run(ctx, tx, id); err != nil {
			return err
		}
		if r.State.Done() {
			return fault.New(fault.Conflict, "The run has ended already (%s).", r.State)
		}
		if err := a.Jobs.Cancel(ctx, tx, r.Job); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "run.cancel", Subject: id, Outcome: "ok"})
	})
	if err != nil {
		return r, err
	}
	a.Jobs.Interrupt(r.Job)
	return a.UnscopedRun(ctx, id)
}

// UnscopedRetry queues the same version and date once more, as a new run with
// its own snapshot. One that has not ended, or has succeeded, is a Conflict.
func (a *Analyses) UnscopedRetry(ctx context.Context, by, id string) (Run, error) {
	var r Run
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		old, err := a.run(ctx, tx, id)
		if err != nil {
			return err
		}
		if !old.State.Done() || old.State == RunSucceeded {
			return fault.New(fault.Conflict, "The run is %s; only one that failed, was cancelled, skipped or withheld can be tried again.", old.State)
		}
		if err := old.genuine(a.Keys); err != nil {
			return err
		}
		r, err = a.queue(ctx, tx, by, old.Analysis, old.Version, old.Date, old.Through)
		return err
	})
	if err == nil {
		a.Jobs.Wake()
	}
	return r, err
}

// LogLine is a line of a run's log. It names no values and no cells.
type LogLine struct {
	Seq     int64
	At      time.Time
	Level   string // info, warning, error
	Message string
}

// UnscopedLog returns up to 1,000 lines of a run's log after one that was seen.
func (a *Analyses) UnscopedLog(ctx context.Context, id string, after int64) ([]LogLine, error) {
	if _, err := a.run(ctx, a.DB, id); err != nil {
		return nil, err
	}
	rows, err := a.DB.Query(ctx, `SELECT seq, at, level, message FROM run_log WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT 1000`, id, after)
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", id, err)
	}
	var list []LogLine
	for rows.Next() {
		var l LogLine
		var at int64
		if err := rows.Scan(&l.Seq, &at, &l.Level, &l.Message); err != nil {
			return nil, fmt.Errorf("read log of %s: %w", id, err)
		}
		l.At = meta.Time(at)
		list = append(list, l)
	}
	return list, nil
}

// note appends a line to a run's log.
func (a *Analyses) note(ctx context.Context, db *meta.DB, run, level, format string, args ...any) error {
	_, err := db.Exec(ctx, `
		INSERT INTO run_log (run, seq, at, level, message)
		SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4 FROM run_log WHERE run = $1`,
		run, meta.Micros(a.Clock.Now()), level, fmt.Sprintf(format, args...))
	if err != nil {
		return fmt.Errorf("write log of %s: %w", run, err)
	}
	db.AfterCommit(func() { a.Changes.Tell(live.Change{Kind: live.Run, ID: run, By: run}) })
	return nil
}

// runFailed records the end of a run that will not be tried again.
func (a *Analyses) runFailed(ctx context.Context, tx *meta.DB, j *job.Job, cause error) error {
	r, err := a.run(ctx, tx, j.Subject)
	if err != nil || r.State.Done() {
		return err
	}
	state := RunFailed
	if fault.Is(cause, fault.Cancelled) {
		state = RunCancelled
	}
	a.Log.WarnContext(ctx, "run ended without a release", "run", r.ID, "state", string(state), "error", cause)
	return a.conclude(ctx, tx, r, state, fault.Message(cause))
}

// conclude ends a run without a release of its own.
func (a *Analyses) conclude(ctx context.Context, tx *meta.DB, r Run, state RunState, reason string) error {
	if _, err := tx.Exec(ctx, `UPDATE runs SET state = $1, reason = $2, finished_at = $3 WHERE id = $4`,
		string(state), reason, meta.Micros(a.Clock.Now()), r.ID); err != nil {
		return fmt.Errorf("end run %s: %w", r.ID, err)
	}
	level := "info"
	if state == RunFailed {
		level = "error"
	}
	if err := a.note(ctx, tx, r.ID, level, "%s: %s", state, reason); err != nil {
		return err
	}
	return a.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "run.end", Subject: r.ID, Outcome: string(state), Details: map[string]any{"reason": reason}})
}

// UnscopedManifest returns the signed manifest of a run's release.
func (a *Analyses) UnscopedManifest(ctx context.Context, id string) (manifest, signature []byte, err error) {
	r, err := a.run(ctx, a.DB, id)
	if err != nil {
		return nil, nil, err
	}
	if r.Release == "" {
		return nil, nil, fault.New(fault.NotFound, "The run %q has no release, so it has no manifest.", id)
	}
	err = a.DB.QueryRow(ctx, `SELECT manifest, signature FROM releases WHERE id = $1`, r.Release).Scan(&manifest, &signature)
	if err != nil {
		return nil, nil, fmt.Errorf("read manifest of %s: %w", id, err)
	}
	return manifest, signature, nil
}
