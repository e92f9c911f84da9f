package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

const (
	day = 24 * time.Hour
	// bethink is how long after a contract was applied its retention begins to
	// delete, so that a mistake can be seen and taken back.
	bethink = day
	// retentionBatch is how many things are looked up at a time, and retentionRound how
	// many one round deletes; the next goes on.
	retentionBatch = 500
	retentionRound = 20_000
)

// Who deleted bytes.
const (
	byTenant    = "tenant"
	byRetention = "retention"
)

// gone is what is said of bytes that were deleted.
func gone(what, id string, at *time.Time, by string) error {
	switch {
	case at == nil: // before deletions were dated
		return fault.New(fault.NotFound, "The bytes of %s %q were deleted.", what, id)
	case by == byRetention:
		return fault.New(fault.NotFound, "The bytes of %s %q were deleted on %s, when the time that they are kept was over.", what, id, at.UTC().Format(time.DateOnly))
	}
	return fault.New(fault.NotFound, "The bytes of %s %q were deleted on %s.", what, id, at.UTC().Format(time.DateOnly))
}

// goes is when a file of the dataset goes that was received at a time for a date; nil:
// it stays. What may still count in a run stays until a day after its cut-off.
func (d Dataset) goes(received time.Time, date string) *time.Time {
	if d.Contract.Retention == nil {
		return nil
	}
	at := later(received.Add(time.Duration(d.Contract.Retention.Days)*day), d.CreatedAt.Add(bethink))
	if business, err := contract.ParseDate(date); err == nil {
		if cutOff, ok := d.Contract.CutOff(business); ok {
			at = later(at, cutOff.Add(day))
		}
	}
	return &at
}

// goneBy is the latest time of receipt of files that go by a moment, unless goes says
// later for their date; false: none does.
func (d Dataset) goneBy(moment time.Time) (time.Time, bool) {
	if d.Contract.Retention == nil || moment.Before(d.CreatedAt.Add(bethink)) {
		return time.Time{}, false
	}
	return moment.Add(-time.Duration(d.Contract.Retention.Days) * day), true
}

// foresee says of submissions whether they were late, and when their bytes go. It
// is not for use within a transaction.
func (x *Exchange) foresee(ctx context.Context, list ...*Submission) error {
	if err := x.judge(ctx, list...); err != nil {
		return err
	}
	current := map[string]Dataset{}
	h := x.holds(x.DB)
	for _, s := range list {
		if s.object == "" {
			continue
		}
		d, known := current[s.Dataset]
		if !known {
			var err error
			if d, err = x.Dataset(ctx, s.Dataset, 0); err != nil {
				return err
			}
			current[s.Dataset] = d
		}
		err := h.file(ctx, s.Tenant, s.Dataset)
		if err != nil && !held(err) {
			return err
		}
		if s.Held = err != nil; !s.Held {
			s.DeletesAt = d.goes(s.ReceivedAt, s.Date)
		}
	}
	return nil
}

// foreseeResults says of results when their bytes go. It is not for use within a
// transaction.
func (x *Exchange) foreseeResults(ctx context.Context, list ...*Result) error {
	h := x.holds(x.DB)
	for _, r := range list {
		if r.DeletedAt != nil || r.DeletesAt == nil {
			r.DeletesAt = nil
			continue
		}
		err := h.result(ctx, r.Tenant, r.Run)
		if err != nil && !held(err) {
			return err
		}
		if r.Held = err != nil; r.Held {
			r.DeletesAt = nil
		}
	}
	return nil
}

// held reports whether an error is that of a legal hold that stands, or of one whose
// row is damaged, which holds too.
func held(err error) bool { return fault.Is(err, fault.Conflict) || fault.Is(err, fault.Damaged) }

// holds remembers, for one look at many things, which are held.
type holds struct {
	*Exchange
	db    *meta.DB
	known map[[2]string]error
}

func (x *Exchange) holds(db *meta.DB) *holds {
	return &holds{Exchange: x, db: db, known: map[[2]string]error{}}
}

// none reports whether nothing at all of a tenant is held, as with most.
func (h *holds) none(ctx context.Context, id tenant.ID) bool {
	return h.once(string(id), "", func() error { return h.Tenants.UnscopedHeld(ctx, h.db, id) }) == nil
}

// file returns why what a tenant has of a dataset is held; nil if it is not.
func (h *holds) file(ctx context.Context, id tenant.ID, dataset string) error {
	if h.none(ctx, id) {
		return nil
	}
	return h.once(string(id), dataset, func() error { return h.Tenants.UnscopedHeld(ctx, h.db, id, dataset) })
}

// result returns why a tenant's result of a run is held: it, or a dataset that the
// tenant took part with.
func (h *holds) result(ctx context.Context, id tenant.ID, run string) error {
	if h.none(ctx, id) {
		return nil
	}
	return h.once(string(id), run, func() error {
		rows, err := h.db.For(id).Query(ctx, `SELECT dataset FROM run_inputs WHERE run = $1 AND tenant = $2`, run, string(id))
		if err != nil {
			return fmt.Errorf("find datasets of %s: %w", run, err)
		}
		var datasets []string
		for rows.Next() {
			var d string
			if err := rows.Scan(&d); err != nil {
				return fmt.Errorf("find datasets of %s: %w", run, err)
			}
			datasets = append(datasets, d)
		}
		return h.Tenants.UnscopedHeld(ctx, h.db, id, datasets...)
	})
}

func (h *holds) once(id, of string, find func() error) error {
	key := [2]string{id, of}
	err, known := h.known[key]
	if !known {
		err = find()
		h.known[key] = err
	}
	return err
}

// due is something whose time has come.
type due struct {
	id     string
	tenant tenant.ID
	of     string // the date, or the run
	at     int64  // what the list is in order of
}

// DeleteDue deletes the bytes of files and results whose time is over, unless they
// are held or a run under way reads them: the rows first, the bytes in the vault's
// own round. It is a round; what it does not come to, or a crash cuts off, the next
// one does.
func (x *Exchange) DeleteDue(ctx context.Context) error {
	now, left := x.Clock.Now(), retentionRound
	h := x.holds(x.DB)
	var failed []error
	page := meta.Page{Limit: retentionBatch}
	for {
		datasets, next, err := x.Datasets(ctx, page)
		if err != nil {
			return err
		}
		for _, d := range datasets {
			latest, some := d.goneBy(now)
			if !some {
				continue
			}
			list := func(after due) ([]due, error) { return x.dueFiles(ctx, d.Name, latest, after) }
			one := func(f due) error {
				if d.goes(meta.Time(f.at), f.of).After(now) {
					return errStays
				}
				if err := h.file(ctx, f.tenant, d.Name); err != nil {
					return err
				}
				return x.expireFile(ctx, f)
			}
			if err := x.expire(ctx, &left, list, one); err != nil {
				failed = append(failed, fmt.Errorf("delete files of dataset %s: %w", d.Name, err))
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	list := func(after due) ([]due, error) { return x.dueResults(ctx, now, after) }
	one := func(r due) error {
		if err := h.result(ctx, r.tenant, r.of); err != nil {
			return err
		}
		return x.expireResult(ctx, r, now)
	}
	if err := x.expire(ctx, &left, list, one); err != nil {
		failed = append(failed, fmt.Errorf("delete results: %w", err))
	}
	return errors.Join(failed...)
}

// errStays says of something due that it is still needed.
var errStays = fault.New(fault.Conflict, "It is still needed.")

// expire goes through what is due, some at a time, until left is used up, by what is
// deleted. What is held is passed over, however much it is, and one that fails keeps
// no other back.
func (x *Exchange) expire(ctx context.Context, left *int, list func(after due) ([]due, error), one func(due) error) error {
	var failed []error
	var after due
	for *left > 0 {
		found, err := list(after)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, d := range found {
			if err := ctx.Err(); err != nil {
				return err
			}
			switch err := one(d); {
			case err == nil:
				*left--
			case fault.Is(err, fault.Conflict), fault.Is(err, fault.NotFound): // held, needed, or being erased
			case len(failed) < 10:
				failed = append(failed, fmt.Errorf("%s of %s: %w", d.id, d.tenant, err))
			}
			after = d
		}
		if len(found) < retentionBatch {
			break
		}
	}
	return errors.Join(failed...)
}

func scanDue(rows *meta.Rows, err error) ([]due, error) {
	if err != nil {
		return nil, err
	}
	var list []due
	for rows.Next() {
		var d due
		if err := rows.Scan(&d.id, &d.tenant, &d.of, &d.at); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func (x *Exchange) dueFiles(ctx context.Context, dataset string, latest time.Time, after due) ([]due, error) {
	return scanDue(x.DB.Unscoped().Query(ctx, `
		SELECT id, tenant, date, received_at FROM submissions
		WHERE dataset = $1 AND deleted_at IS NULL AND received_at <= $2 AND object <> '' AND state NOT IN ('received', 'validating')
		AND (received_at > $3 OR (received_at = $3 AND id > $4)) ORDER BY received_at, id LIMIT $5`,
		dataset, meta.Micros(latest), after.at, after.id, int64(retentionBatch)))
}

func (x *Exchange) dueResults(ctx context.Context, now time.Time, after due) ([]due, error) {
	return scanDue(x.DB.Unscoped().Query(ctx, `
		SELECT r.id, r.tenant, l.run, r.deletes_at FROM results r JOIN releases l ON l.id = r.release_id
		WHERE r.deletes_at <= $1 AND r.deleted_at IS NULL AND (r.deletes_at > $2 OR (r.deletes_at = $2 AND r.id > $3))
		ORDER BY r.deletes_at, r.id LIMIT $4`, meta.Micros(now), after.at, after.id, int64(retentionBatch)))
}

// expireFile deletes a file and its accepted form, unless since it was listed
// something has begun that keeps it.
func (x *Exchange) expireFile(ctx context.Context, f due) error {
	return x.DB.Transact(ctx, func(tx *meta.DB) error {
		s, err := x.find(ctx, tx, f.tenant, f.id)
		if err != nil || s.object == "" || s.State == Received || s.State == Validating {
			return err
		}
		if err := x.Tenants.UnscopedHeld(ctx, tx, s.Tenant, s.Dataset); err != nil {
			return err
		}
		var needed int64 // also by a run that has not taken its snapshot yet
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM runs WHERE date = $1 AND state IN ('queued', 'running')`, s.Date).Scan(&needed); err != nil {
			return fmt.Errorf("look for runs: %w", err)
		}
		if needed > 0 {
			return errStays // the next round finds them ended
		}
		objects := []tenant.Resource{tenant.VaultInput.One(s.object)}
		if s.accepted != "" {
			objects = append(objects, tenant.VaultInput.One(s.accepted))
		}
		scope, err := x.retention(s.Tenant, s.ID, objects...)
		if err != nil {
			return err
		}
		if err := x.removeBytes(ctx, tx, scope, s, byRetention); err != nil {
			return err
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: "tributary", Verb: "submission.expire", Subject: s.ID, Outcome: "ok",
			Details: map[string]any{"dataset": s.Dataset, "date": s.Date, "name": s.Name}})
	})
}

// expireResult deletes a result's bytes, unless since it was listed something has
// begun that keeps it.
func (x *Exchange) expireResult(ctx context.Context, d due, now time.Time) error {
	return x.DB.Transact(ctx, func(tx *meta.DB) error {
		r, err := x.oneResult(ctx, tx.For(d.tenant).QueryRow(ctx, resultQuery+`WHERE r.id = $1 AND r.tenant = $2`, d.id, string(d.tenant)), d.id)
		if err != nil || r.DeletedAt != nil {
			return err
		}
		if err := x.holds(tx).result(ctx, r.Tenant, r.Run); err != nil {
			return err
		}
		scope, err := x.retention(r.Tenant, r.ID, tenant.VaultOutput.One(r.object))
		if err != nil {
			return err
		}
		if err := x.Vault.Remove(ctx, tx, scope, r.object); err != nil {
			return err
		}
		if _, err := tx.For(r.Tenant).Exec(ctx, `UPDATE results SET object = '', deleted_at = $1 WHERE id = $2 AND tenant = $3`,
			meta.Micros(now), r.ID, string(r.Tenant)); err != nil {
			return fmt.Errorf("delete bytes of %s: %w", r.ID, err)
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: "tributary", Verb: "result.expire", Subject: r.ID, Outcome: "ok",
			Details: map[string]any{"analysis": r.Analysis, "date": r.Date, "name": r.Name}})
	})
}

// retention mints the scope to delete one thing's objects, also of a tenant that is
// suspended.
func (x *Exchange) retention(id tenant.ID, thing string, objects ...tenant.Resource) (tenant.Scope, error) {
	w := policy.Work{Template: policy.Retention, Tenant: id, Actor: thing, For: time.Minute}
	for _, o := range objects {
		w.Permissions = append(w.Permissions, tenant.Permission{Verb: tenant.Delete, Resource: o})
	}
	return x.Policy.WorkScope(w)
}
