package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/sandbox"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

const (
	validateKind    = "validate"
	validateTimeout = 6 * time.Hour // the most; the child's own limits grow with the file and end it sooner
)

type validatePayload struct {
	Submission string `json:"submission"`
}

// validate decides one submission, or puts it off while its tenant is suspended or
// keys cannot be reached.
func (x *Exchange) validate(ctx context.Context, j *job.Job) error {
	err := x.validateNow(ctx, j)
	if keys.Unreachable(err) {
		return job.Away("keys", err)
	}
	return err
}

func (x *Exchange) validateNow(ctx context.Context, j *job.Job) error {
	var p validatePayload
	if err := j.Decode(&p); err != nil {
		return err
	}
	s, err := x.UnscopedSubmission(ctx, p.Submission)
	if err != nil {
		return err
	}
	if s.State != Received && s.State != Validating {
		return nil // withdrawn before its turn
	}
	err = x.validateOne(ctx, j, s)
	switch fault.KindOf(err) {
	case fault.Denied, fault.Unauthenticated:
		// The tenant is suspended, or was for a moment. What it sent was
		// acknowledged, so it waits.
		if _, waitErr := x.DB.For(s.Tenant).Exec(ctx, `UPDATE submissions SET state = $1 WHERE id = $2 AND state = $3 AND tenant = $4`,
			string(Received), s.ID, string(Validating), string(s.Tenant)); waitErr != nil {
			return fmt.Errorf("mark submission %s: %w", s.ID, waitErr)
		}
		j.Tell()
		return job.Postpone(err)
	}
	return err
}

// validateOne decides one submission: a sandboxed child that sees this one file
// and nothing else parses it, and the records it sends are checked here.
func (x *Exchange) validateOne(ctx context.Context, j *job.Job, s Submission) error {
	d, err := x.Dataset(ctx, s.Dataset, s.DatasetVersion)
	if err != nil {
		return err
	}
	scope, err := x.Policy.WorkScope(policy.Work{
		Template: policy.Validation, Tenant: s.Tenant, Actor: s.ID, For: validateTimeout,
		Permissions: []tenant.Permission{
			{Verb: tenant.Read, Resource: tenant.VaultInput.One(s.object)},
			{Verb: tenant.Write, Resource: tenant.VaultInput},
			{Verb: tenant.Read, Resource: tenant.TenantProfile},
		},
	})
	if err != nil {
		return err
	}
	if _, err := x.DB.For(s.Tenant).Exec(ctx, `UPDATE submissions SET state = $1 WHERE id = $2 AND state = $3 AND tenant = $4`,
		string(Validating), s.ID, string(Received), string(s.Tenant)); err != nil {
		return fmt.Errorf("mark submission %s: %w", s.ID, err)
	}
	j.Tell()
	verdict, accepted, err := x.parse(ctx, j, scope, s, d)
	if err != nil {
		return err
	}
	return j.Finish(ctx, func(tx *meta.DB) error {
		return x.decide(ctx, tx, scope, s, verdict, accepted)
	})
}

// parse runs the child and the checks. A file that cannot be read is a verdict;
// an error is ours. The accepted form is nil unless the verdict is a yes.
func (x *Exchange) parse(ctx context.Context, j *job.Job, scope tenant.Scope, s Submission, d Dataset) (parse.Verdict, *vault.Object, error) {
	ids, err := x.Tenants.ExternalIDs(ctx, scope)
	if err != nil {
		return parse.Verdict{}, nil, err
	}
	file, _, err := x.Vault.Open(ctx, scope, s.object)
	if err != nil {
		return parse.Verdict{}, nil, err
	}
	defer file.Close()
	w, err := x.Vault.Create(ctx, scope, vault.Input, vault.Accepted)
	if err != nil {
		return parse.Verdict{}, nil, err
	}
	finished := false
	defer func() {
		if !finished {
			w.Abort()
		}
	}()
	args, err := parse.Args(d.Contract)
	if err != nil {
		return parse.Verdict{}, nil, err
	}
	date, err := contract.ParseDate(s.Date)
	if err != nil {
		return parse.Verdict{}, nil, fmt.Errorf("date of submission %s: %w", s.ID, err)
	}
	if err := d.Contract.CheckFileName(s.Name, date, ids); err != nil {
		return fileVerdict("file-name", err), nil, nil
	}
	var verdict parse.Verdict
	in := &meter{r: file, report: func(n int64) { j.Progress(ctx, "reading the file", n, s.Size) }}
	out := &kept{w: w}
	work := sandbox.Job{Program: parse.ProgramName, Args: args, Limits: parse.Limits(d.Contract, s.Size)}
	release, err := hand(&work, d.Contract, file, in)
	if err != nil {
		return verdict, nil, fmt.Errorf("parse submission %s: %w", s.ID, err)
	}
	defer release()
	err = x.Sandbox.Run(ctx, work, func(frames io.Reader) error {
		verdict, err = parse.Check(d.Contract, parse.Facts{BusinessDate: date, Participants: ids}, frames, out)
		return err
	})
	switch ours := cmp.Or(in.err, out.err, ctx.Err()); {
	case err != nil && ours == nil && unreadable(err):
		return fileVerdict(codeOf(err), err), nil, nil
	case err != nil && ours == nil && fault.Is(err, fault.Internal):
		return verdict, nil, &stoppedError{fmt.Errorf("parse submission %s: %w", s.ID, err)}
	case err != nil:
		return verdict, nil, fmt.Errorf("parse submission %s: %w", s.ID, err)
	case !verdict.Accepted:
		return verdict, nil, nil
	}
	object, err := w.Finish(ctx)
	if err != nil {
		return verdict, nil, err
	}
	finished = true
	return verdict, &object, nil
}

// hand gives a child its file, read through in: as its stream, or in a memory file.
// What the file is, the child finds out.
func hand(work *sandbox.Job, d *contract.Dataset, file *vault.Reader, in io.Reader) (release func(), err error) {
	var start [8]byte
	n, err := file.ReadAt(start[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !parse.InMemory(d, start[:n], file.Size()) {
		work.Stream = in
		return func() {}, nil
	}
	return inMemory(work, in)
}

// inMemory gives a child a file in memory.
func inMemory(work *sandbox.Job, in io.Reader) (release func(), err error) {
	m, err := sandbox.NewMemory("submission")
	if err != nil {
		return nil, err
	}
	work.Inputs = []*sandbox.Memory{m}
	work.Fill = func(context.Context) error {
		if _, err := io.Copy(m, in); err != nil {
			return err
		}
		return m.Seal()
	}
	return func() { _ = m.Close() }, nil // it has no place that could fail
}

// stoppedError is a child that crashed or sent what none of ours sends: the file
// may be to blame.
type stoppedError struct{ error }

func (e *stoppedError) Unwrap() error { return e.error }

// meter reports how many bytes were read through it, and keeps what ended it.
type meter struct {
	r      io.Reader
	n      int64
	report func(int64)
	err    error // but the end
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.report(m.n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// kept keeps the first error of writing.
type kept struct {
	w   io.Writer
	err error
}

func (k *kept) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	if k.err == nil {
		k.err = err
	}
	return n, err
}

// unreadable tells a fault of the file from one of ours.
func unreadable(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.TooLarge, fault.TimedOut:
		return true
	}
	return false
}

func codeOf(err error) string {
	if fault.Is(err, fault.Invalid) {
		return "file"
	}
	return "limit"
}

func fileVerdict(code string, cause error) parse.Verdict {
	return parse.Verdict{ErrorCount: 1, Errors: []parse.Problem{{Code: code, Message: fault.Message(cause)}}}
}

// decide records the verdict. Of several accepted files for one dataset and date
// the highest revision stands, whichever is validated first.
func (x *Exchange) decide(ctx context.Context, tx *meta.DB, scope tenant.Scope, s Submission, v parse.Verdict, accepted *vault.Object) error {
	problems, err := json.Marshal(v.Errors)
	if err != nil {
		return fmt.Errorf("encode verdict of %s: %w", s.ID, err)
	}
	sealed, err := x.Keys.Encrypt(ctx, s.Tenant, keys.Vault, problems, verdictContext(s.ID))
	if err != nil {
		return fmt.Errorf("seal verdict of %s: %w", s.ID, err)
	}
	now := x.Clock.Now()
	state, object, closed := Rejected, "", any(nil)
	if accepted != nil {
		state, object = Accepted, accepted.ID
		if err := x.Vault.Insert(ctx, tx, scope, *accepted); err != nil {
			return err
		}
		var later int64
		if err := tx.For(s.Tenant).QueryRow(ctx, `
			SELECT count(*) FROM submissions WHERE tenant = $1 AND dataset = $2 AND date = $3 AND revision > $4 AND state = $5`,
			string(s.Tenant), s.Dataset, s.Date, s.Revision, string(Accepted)).Scan(&later); err != nil {
			return fmt.Errorf("look for later submissions: %w", err)
		}
		if later > 0 {
			state, closed = Superseded, meta.Micros(now)
		} else if _, err := tx.For(s.Tenant).Exec(ctx, `
			UPDATE submissions SET state = $1, closed_at = $2 WHERE tenant = $3 AND dataset = $4 AND date = $5 AND state = $6 AND id <> $7`,
			string(Superseded), meta.Micros(now), string(s.Tenant), s.Dataset, s.Date, string(Accepted), s.ID); err != nil {
			return fmt.Errorf("supersede earlier submissions: %w", err)
		}
	}
	n, err := tx.For(s.Tenant).Exec(ctx, `
		UPDATE submissions SET state = $1, row_count = $2, column_count = $3, error_count = $4, verdict = $5, accepted_object = $6, validated_at = $7, closed_at = $8
		WHERE id = $9 AND state = $10 AND tenant = $11`,
		string(state), v.Rows, v.Columns, v.ErrorCount, sealed, object, meta.Micros(now), closed, s.ID, string(Validating), string(s.Tenant))
	if err != nil {
		return fmt.Errorf("record verdict of %s: %w", s.ID, err)
	}
	if n == 0 {
		return errWithdrawnMeanwhile
	}
	if kind := told[state]; kind != "" {
		if err := x.notice(ctx, tx, notify.Notice{Kind: kind, Tenant: s.Tenant, Subject: s.ID, Dataset: s.Dataset, Date: s.Date}); err != nil {
			return err
		}
	}
	return x.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: "tributary", Verb: "submission.validate", Subject: s.ID, Outcome: string(state),
		Details: map[string]any{"rows": v.Rows, "columns": v.Columns, "errors": v.ErrorCount}})
}

// told are the verdicts that are told. One that came too late for a later file is not.
var told = map[State]notify.Kind{Accepted: notify.SubmissionAccepted, Rejected: notify.SubmissionRejected}

var errWithdrawnMeanwhile = fault.New(fault.Cancelled, "The submission was withdrawn while it was validated.")

// validationFailed records the end of a validation that will not be tried again,
// so that no submission waits for ever.
func (x *Exchange) validationFailed(ctx context.Context, tx *meta.DB, j *job.Job, cause error) error {
	s, err := x.scan(ctx, tx.Unscoped().QueryRow(ctx, `SELECT `+submissionColumns+` FROM submissions WHERE id = $1`, j.Subject))
	if err != nil {
		return fmt.Errorf("find submission %s: %w", j.Subject, err)
	}
	if s.State != Received && s.State != Validating {
		return nil
	}
	x.Log.ErrorContext(ctx, "validation failed", "submission", s.ID, "tenant.id", string(s.Tenant), "error", cause)
	if _, err := tx.For(s.Tenant).Exec(ctx, `UPDATE submissions SET state = $1 WHERE id = $2 AND tenant = $3`, string(Validating), s.ID, string(s.Tenant)); err != nil {
		return fmt.Errorf("mark submission %s: %w", s.ID, err)
	}
	return x.decide(ctx, tx, tenant.Scope{}, s, blame(cause), nil)
}

// blame is the verdict of a validation that came to no other: crashes and limits
// are put down to the file, and nothing else is.
func blame(cause error) parse.Verdict {
	var stopped *stoppedError
	if fault.Is(cause, fault.TimedOut) {
		return fileVerdict("limit", cause)
	}
	p := parse.Problem{Code: "unchecked", Message: "The file could not be checked, for a reason that is not in it. Send it again; " +
		"if that does not help, ask the provider and tell it the submission's id."}
	if errors.As(cause, &stopped) {
		p = parse.Problem{Code: "unreadable", Message: "The file could not be read: the process that parses it stopped each time. " +
			"Check that it is what the dataset asks for, and send it again; if it stops again, tell the provider the submission's id."}
	}
	return parse.Verdict{ErrorCount: 1, Errors: []parse.Problem{p}}
}
