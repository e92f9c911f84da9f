package warehouse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// Ask is a SELECT and the limits of its answer.
type Ask struct {
	SQL     string
	Rows    int           // at most; 0: 1,000
	Timeout time.Duration // 0: 30 seconds
	// Since leaves out of a tenant's facts what had happened before it; zero: nothing. Of what
	// takes its time, such as sessions, it leaves out what had ended.
	Since time.Time
}

// The bounds of an Ask.
const (
	MaxSQL         = 100_000 // bytes
	MaxRows        = 1_000_000
	MaxBytes       = 256 << 20
	MaxTimeout     = 5 * time.Minute
	defaultRows    = 1_000
	defaultTimeout = 30 * time.Second
)

// Ended is how an answer ended.
type Ended struct {
	Rows      int64
	Truncated bool // there are more rows than were asked for
}

// Column is a column of an answer.
type Column = query.AnswerColumn

// Into takes an answer.
type Into = query.Into

func (a *Ask) check() error {
	if a.Rows == 0 {
		a.Rows = defaultRows
	}
	if a.Timeout == 0 {
		a.Timeout = defaultTimeout
	}
	switch {
	case len(a.SQL) > MaxSQL:
		return fault.New(fault.TooLarge, "The SQL has %d bytes; the limit is %d.", len(a.SQL), MaxSQL)
	case a.Rows < 0 || a.Rows > MaxRows:
		return fault.New(fault.Invalid, "An answer has 1 to %d rows.", MaxRows)
	case a.Timeout < 0 || a.Timeout > MaxTimeout:
		return fault.New(fault.Invalid, "A SELECT takes at most %s.", MaxTimeout)
	}
	return nil
}

// UnscopedAsk does a SELECT over all tenants for somebody of the provider, and hands over
// its answer. Each is an entry of the audit log, with the SQL's hash and what came of it, before the answer is whole.
func (w *Warehouse) UnscopedAsk(ctx context.Context, by string, a Ask, into Into) (Ended, error) {
	if err := a.check(); err != nil {
		return Ended{}, err
	}
	return w.ask(ctx, question{by: by, timeout: a.Timeout, Select: query.Select{Statement: query.Statement{SQL: a.SQL}, Tables: Tables, Rows: a.Rows, Bytes: MaxBytes}}, into)
}

// question is what the warehouse's child is asked.
type question struct {
	query.Select
	by      string
	tenant  tenant.ID // who asks; empty: the provider
	acts    bool      // a tenant's acts and sign-ins too
	timeout time.Duration
	note    map[string]any // for the audit log, beside what all questions have
}

// ask has the child do a SELECT, and writes the entry of the audit log.
func (w *Warehouse) ask(ctx context.Context, q question, into Into) (Ended, error) {
	select {
	case w.asks <- struct{}{}:
		defer func() { <-w.asks }()
	default:
		return Ended{}, fault.New(fault.Throttled, "%d queries are running already. Try again when one has ended.", askers)
	}
	return w.answer(ctx, q, into, func(ctx context.Context, into Into) (query.Ending, error) {
		return w.do(ctx, query.Request{Select: &q.Select}, into)
	})
}

// answer has do answer a question within its time, and writes the entry of the audit log.
func (w *Warehouse) answer(ctx context.Context, q question, into Into, do func(context.Context, Into) (query.Ending, error)) (Ended, error) {
	began := w.cfg.Clock.Now()
	running, u, over := w.begin(ctx, q)
	defer over()
	limited, cancel := context.WithTimeout(running, q.timeout)
	defer cancel()
	var bytes int64
	end, err := do(limited, Into{Columns: into.Columns, Row: func(row [][]byte) error {
		u.rows.Add(1)
		for _, v := range row {
			bytes += int64(len(v))
		}
		return into.Row(row)
	}})
	switch {
	case err != nil && errors.Is(context.Cause(running), errCancelled):
		err = errCancelled
	case fault.Is(err, fault.TimedOut) && ctx.Err() == nil:
		err = fault.Wrap(fault.TooLarge, err, "The SELECT took longer than the %s that it may take. Ask for less at once.", q.timeout)
	}
	told := w.tell(ctx, q, err, map[string]any{"rows": end.Rows, "bytes": bytes, "milliseconds": w.cfg.Clock.Now().Sub(began).Milliseconds(), "truncated": end.Truncated})
	if err != nil {
		return Ended{}, err
	}
	return Ended{end.Rows, end.Truncated}, told
}

// tell writes the entry of the audit log for a question that was answered, or was not.
// The connection may be gone; the entry is written all the same.
func (w *Warehouse) tell(ctx context.Context, q question, err error, came map[string]any) error {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	came["sql_sha256"], came["sql_bytes"] = fmt.Sprintf("%x", sha256.Sum256([]byte(q.SQL))), len(q.SQL)
	maps.Copy(came, q.note)
	return w.cfg.Audit.Record(context.WithoutCancel(ctx), audit.Entry{Tenant: q.tenant, Actor: q.by, Verb: "warehouse.query", Subject: "warehouse", Outcome: outcome, Details: came})
}
