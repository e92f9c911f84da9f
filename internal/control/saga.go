package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// A saga is a sequence of steps, each recorded in the transaction that does it,
// so that a crash between two resumes after the last one done:
//
//	running -> done
//	running -> compensating -> compensated   (onboarding only: a step failed)
//
// Steps may be repeated after a crash and must stand that.
type saga struct {
	id, kind string
	tenant   tenant.ID
	request  []byte
	actor    string
	state    string
	err      string
	done     map[string]string // step -> state
	created  time.Time
}

type step struct {
	name string
	// outside does what is not in the database, or takes too long for a
	// transaction, before do; nil for nothing. It says what it did.
	outside func(ctx context.Context, s *saga) (detail string, err error)
	// do does the step in the transaction that records it; nil for nothing.
	do func(ctx context.Context, tx *meta.DB, s *saga) (detail string, err error)
	// undo takes it back; nil where there is nothing to take back.
	undo func(ctx context.Context, tx *meta.DB, s *saga) error
	// after runs when the step has committed, and again in a process that carries on
	// from there; nil for none.
	after func(s *saga)
}

const (
	sagaRunning      = "running"
	sagaDone         = "done"
	sagaCompensating = "compensating"
	sagaCompensated  = "compensated"
)

// begin records a new saga. Its first step may join the same transaction.
func (c *Control) begin(ctx context.Context, tx *meta.DB, s *saga, key any) error {
	s.state, s.created, s.done = sagaRunning, c.Clock.Now(), map[string]string{}
	_, err := tx.Unscoped().Exec(ctx, `
		INSERT INTO sagas (id, kind, tenant, idempotency_key, request, state, actor, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.id, s.kind, string(s.tenant), key, s.request, s.state, s.actor, meta.Micros(s.created))
	if err != nil {
		return fmt.Errorf("record %s saga: %w", s.kind, err)
	}
	return nil
}

// own marks a saga as being worked on by this process; it reports false if it
// is already.
func (c *Control) own(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[id] {
		return false
	}
	c.active[id] = true
	return true
}

func (c *Control) disown(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.active, id)
}

// advance does the steps that are not done yet. If one fails and the saga can be
// taken back, it takes the done ones back in reverse order and returns the
// step's error.
func (c *Control) advance(ctx context.Context, s *saga, steps []step, compensate bool) error {
	if s.state == sagaCompensating {
		return c.compensate(ctx, s, steps)
	}
	for i, st := range steps {
		if s.done[st.name] != "" {
			if st.after != nil { // it was for the process that did the step
				st.after(s)
			}
			continue
		}
		err := c.fail(s.kind, st.name)
		var detail string
		if err == nil && st.outside != nil {
			detail, err = st.outside(ctx, s)
		}
		if err == nil {
			err = c.DB.Transact(ctx, func(tx *meta.DB) error { return c.doStep(ctx, tx, s, i, st, detail, i == len(steps)-1) })
		}
		if err != nil {
			if errors.Is(err, errCrash) || !compensate {
				return err
			}
			return c.giveUp(ctx, s, steps, err)
		}
		s.done[st.name] = sagaDone
		if st.after != nil {
			st.after(s)
		}
	}
	s.state = sagaDone
	return nil
}

// errCrash stands for the end of the process, in tests.
var errCrash = errors.New("crash")

func (c *Control) doStep(ctx context.Context, tx *meta.DB, s *saga, i int, st step, detail string, last bool) error {
	if st.do != nil {
		var err error
		if detail, err = st.do(ctx, tx, s); err != nil {
			return err
		}
	}
	if err := c.recordStep(ctx, tx, s, i, st.name, sagaDone, detail); err != nil {
		return err
	}
	if !last {
		return nil
	}
	_, err := tx.Unscoped().Exec(ctx, `UPDATE sagas SET state = $1, finished_at = $2 WHERE id = $3`, sagaDone, meta.Micros(c.Clock.Now()), s.id)
	if err != nil {
		return fmt.Errorf("finish saga %s: %w", s.id, err)
	}
	return nil
}

func (c *Control) recordStep(ctx context.Context, tx *meta.DB, s *saga, ord int, name, state, detail string) error {
	_, err := tx.Unscoped().Exec(ctx, `
		INSERT INTO saga_steps (saga, tenant, ord, step, state, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (saga, ord) DO UPDATE SET state = excluded.state, detail = excluded.detail, at = excluded.at`,
		s.id, string(s.tenant), int64(ord), name, state, detail, meta.Micros(c.Clock.Now()))
	if err != nil {
		return fmt.Errorf("record step %s of saga %s: %w", name, s.id, err)
	}
	return nil
}

// giveUp turns a failed saga around.
func (c *Control) giveUp(ctx context.Context, s *saga, steps []step, cause error) error {
	s.state, s.err = sagaCompensating, fault.Message(cause)
	c.Log.WarnContext(ctx, "saga failed and is taken back", "saga", s.id, "kind", s.kind, "tenant.id", string(s.tenant), "error", cause)
	if _, err := c.DB.Unscoped().Exec(ctx, `UPDATE sagas SET state = $1, error = $2 WHERE id = $3`, s.state, s.err, s.id); err != nil {
		return errors.Join(cause, fmt.Errorf("record failure of saga %s: %w", s.id, err))
	}
	if err := c.compensate(ctx, s, steps); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

func (c *Control) compensate(ctx context.Context, s *saga, steps []step) error {
	for i := len(steps) - 1; i >= 0; i-- {
		st := steps[i]
		if s.done[st.name] != sagaDone {
			continue
		}
		if err := c.fail(s.kind, "undo "+st.name); err != nil {
			return err
		}
		err := c.DB.Transact(ctx, func(tx *meta.DB) error {
			if st.undo != nil {
				if err := st.undo(ctx, tx, s); err != nil {
					return err
				}
			}
			return c.recordStep(ctx, tx, s, i, st.name, sagaCompensated, "")
		})
		if err != nil {
			return fmt.Errorf("take back step %s of saga %s: %w", st.name, s.id, err)
		}
		s.done[st.name] = sagaCompensated
	}
	s.state = sagaCompensated
	_, err := c.DB.Unscoped().Exec(ctx, `UPDATE sagas SET state = $1, finished_at = $2, idempotency_key = NULL WHERE id = $3`,
		s.state, meta.Micros(c.Clock.Now()), s.id)
	if err != nil {
		return fmt.Errorf("finish saga %s: %w", s.id, err)
	}
	return nil
}

func (c *Control) loadSaga(ctx context.Context, db *meta.DB, where string, arg any) (*saga, error) {
	s := &saga{done: map[string]string{}}
	var created int64
	err := db.Unscoped().QueryRow(ctx, `SELECT id, kind, tenant, request, actor, state, error, created_at FROM sagas WHERE `+where, arg).
		Scan(&s.id, &s.kind, &s.tenant, &s.request, &s.actor, &s.state, &s.err, &created)
	if err != nil {
		return nil, err
	}
	s.created = meta.Time(created)
	rows, err := db.Unscoped().Query(ctx, `SELECT step, state FROM saga_steps WHERE saga = $1`, s.id)
	if err != nil {
		return nil, fmt.Errorf("read steps of saga %s: %w", s.id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, state string
		if err := rows.Scan(&name, &state); err != nil {
			return nil, fmt.Errorf("read steps of saga %s: %w", s.id, err)
		}
		s.done[name] = state
	}
	return s, rows.Err()
}

// ResumeDue carries on with sagas that a crash or a failure left unfinished. It
// is a round, and runs once at start.
func (c *Control) ResumeDue(ctx context.Context) error {
	rows, err := c.DB.Unscoped().Query(ctx, `SELECT id FROM sagas WHERE state IN ($1, $2) ORDER BY created_at`, sagaRunning, sagaCompensating)
	if err != nil {
		return fmt.Errorf("list unfinished sagas: %w", err)
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return fmt.Errorf("list unfinished sagas: %w", err)
		}
		ids = append(ids, id)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list unfinished sagas: %w", err)
	}
	var failed []error
	for _, id := range ids {
		if err := c.resume(ctx, id); err != nil {
			failed = append(failed, fmt.Errorf("resume saga %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

func (c *Control) resume(ctx context.Context, id string) error {
	if !c.own(id) {
		return nil
	}
	defer c.disown(id)
	s, err := c.loadSaga(ctx, c.DB, "id = $1", id)
	if err != nil {
		return err
	}
	switch {
	case s.state == sagaDone || s.state == sagaCompensated:
		return nil
	case s.kind == "offboard":
		return c.advance(ctx, s, c.offboardSteps(), false)
	}
	var n NewTenant
	if err := json.Unmarshal(s.request, &n); err != nil {
		return fmt.Errorf("decode request: %w", err)
	}
	return c.advance(ctx, s, c.onboardSteps(n), true)
}

// Progress is what a saga has done so far.
type Progress struct {
	ID, Kind, State, Error string
	Steps                  []StepDone
	CreatedAt              time.Time
	FinishedAt             *time.Time
}

// StepDone is a recorded step.
type StepDone struct {
	Step, State, Detail string
	At                  time.Time
}

// UnscopedSaga returns a tenant's onboarding or offboarding ("onboard",
// "offboard") with its steps.
func (c *Control) UnscopedSaga(ctx context.Context, idOrSlug, kind string) (Progress, error) {
	var p Progress
	t, err := c.UnscopedTenant(ctx, idOrSlug)
	if err != nil {
		return p, err
	}
	var created int64
	var finished sql.NullInt64
	err = c.DB.Unscoped().QueryRow(ctx, `
		SELECT id, kind, state, error, created_at, finished_at FROM sagas WHERE tenant = $1 AND kind = $2 ORDER BY created_at DESC LIMIT 1`,
		string(t.ID), kind).Scan(&p.ID, &p.Kind, &p.State, &p.Error, &created, &finished)
	if errors.Is(err, sql.ErrNoRows) {
		return p, fault.New(fault.NotFound, "There is no %sing of %q.", kind, idOrSlug)
	}
	if err != nil {
		return p, fmt.Errorf("find saga: %w", err)
	}
	p.CreatedAt, p.FinishedAt = meta.Time(created), meta.Moment(finished)
	rows, err := c.DB.Unscoped().Query(ctx, `SELECT step, state, detail, at FROM saga_steps WHERE saga = $1 ORDER BY ord`, p.ID)
	if err != nil {
		return p, fmt.Errorf("read steps of saga %s: %w", p.ID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var d StepDone
		var at int64
		if err := rows.Scan(&d.Step, &d.State, &d.Detail, &at); err != nil {
			return p, fmt.Errorf("read steps of saga %s: %w", p.ID, err)
		}
		d.At = meta.Time(at)
		p.Steps = append(p.Steps, d)
	}
	return p, rows.Err()
}
