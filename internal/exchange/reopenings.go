package exchange

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Reopening is a system admin's act that lets one tenant's files for one period
// of a dataset count as in time until a moment after the cut-off. It ends by
// itself, or early when it is closed.
type Reopening struct {
	ID        string
	Tenant    tenant.ID
	Dataset   string
	Date      string    // first day of the period, YYYY-MM-DD
	Reason    string    // in those that are shown to people; not in what runs and schedules use
	Until     time.Time // when it was closed, if that was earlier than said at first
	CreatedAt time.Time
	CreatedBy string
	ClosedAt  *time.Time // when it was closed early
	ClosedBy  string

	reason []byte // sealed
}

// fields are what the row's MAC covers.
func (r Reopening) fields() []any {
	return []any{r.ID, string(r.Tenant), r.Dataset, r.Date, r.reason, meta.Micros(r.Until), meta.Micros(r.CreatedAt), r.CreatedBy, meta.MomentMicros(r.ClosedAt), r.ClosedBy}
}

func reasonContext(id string) []byte { return []byte("reopening reason " + id) }

// Bounds of a reopening.
const (
	maxReason = 1_000                // bytes
	maxReopen = 366 * 24 * time.Hour // from now to the end
)

// NewReopening is what a system admin asks for.
type NewReopening struct {
	Tenant  tenant.ID
	Dataset string
	Date    string // any day of the period, YYYY-MM-DD
	Reason  string // which the tenant reads too
	Until   time.Time
}

// UnscopedReopen opens a period again for one tenant, or gives it longer: what the
// tenant has sent after the cut-off and sends until the end counts as in time in
// every scheduled run from now on. Before the cut-off it is a longer term.
func (x *Exchange) UnscopedReopen(ctx context.Context, by string, n NewReopening) (Reopening, error) {
	now := x.Clock.Now()
	r := Reopening{ID: x.Clock.ID("rop"), Tenant: n.Tenant, Dataset: n.Dataset, Reason: n.Reason, Until: n.Until.UTC().Truncate(time.Microsecond), CreatedAt: now, CreatedBy: by}
	switch {
	case strings.TrimSpace(n.Reason) == "":
		return r, fault.New(fault.Invalid, "Say why the period is reopened; the tenant reads it.")
	case len(n.Reason) > maxReason || !utf8.ValidString(n.Reason):
		return r, fault.New(fault.Invalid, "The reason must be a text of at most %d bytes.", maxReason)
	case !r.Until.After(now):
		return r, fault.New(fault.Invalid, "The end, %s, is not in the future.", r.Until.Format(time.RFC3339))
	case r.Until.Sub(now) > maxReopen:
		return r, fault.New(fault.Invalid, "The end, %s, is more than a year away.", r.Until.Format(time.RFC3339))
	}
	var err error
	if r.reason, err = x.Keys.Encrypt(ctx, r.Tenant, keys.Pool, []byte(r.Reason), reasonContext(r.ID)); err != nil {
		return r, fmt.Errorf("seal reason of %s: %w", r.ID, err)
	}
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		p, err := x.period(ctx, tx, n.Dataset, n.Date)
		if err != nil {
			return err
		}
		switch {
		case p.cutOff.IsZero():
			return fault.New(fault.Conflict, "Dataset %q has no due time, so nothing comes too late for it.", n.Dataset)
		case !r.Until.After(p.cutOff):
			return fault.New(fault.Conflict, "The cut-off, %s, is not before that end, so the period is open anyway.", p.cutOff.Format(time.RFC3339))
		}
		r.Date = p.start
		if _, err := tx.For(r.Tenant).Exec(ctx, `
			INSERT INTO reopenings (id, tenant, dataset, date, reason, until, created_at, created_by, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.ID, string(r.Tenant), r.Dataset, r.Date, r.reason, r.Until, r.CreatedAt, r.CreatedBy, x.Keys.MAC("reopening", r.fields()...)); err != nil {
			return fmt.Errorf("record reopening: %w", err)
		}
		return x.tell(ctx, tx, by, "period.reopen", r)
	})
	return r, err
}

// tell writes an entry about a reopening into the provider's chain and the tenant's.
func (x *Exchange) tell(ctx context.Context, tx *meta.DB, by, verb string, r Reopening) error {
	if err := x.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: verb, Subject: r.ID, Outcome: "ok",
		Details: map[string]any{"tenant": r.Tenant, "dataset": r.Dataset, "date": r.Date, "until": r.Until}}); err != nil {
		return err
	}
	details := map[string]any{"dataset": r.Dataset, "date": r.Date, "until": r.Until}
	if r.Reason != "" {
		details["reason"] = r.Reason
	}
	return x.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: by, Verb: verb, Subject: r.ID, Outcome: "ok", Details: details})
}

// UnscopedEndReopening ends a tenant's reopening of a period now. What arrived
// until now still counts. Without one that lasts it is a Conflict.
func (x *Exchange) UnscopedEndReopening(ctx context.Context, by string, id tenant.ID, dataset, date string) (Reopening, error) {
	var ended Reopening
	now := x.Clock.Now()
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		ended = Reopening{}
		p, err := x.period(ctx, tx, dataset, date)
		if err != nil {
			return err
		}
		list, err := x.reopenings(ctx, tx.For(id), `WHERE tenant = $1 AND dataset = $2 AND date = $3 AND until > $4`, string(id), dataset, p.start, now)
		if err != nil {
			return err
		}
		for _, r := range list {
			r.Until, r.ClosedAt, r.ClosedBy = now, &now, by
			if _, err := tx.For(id).Exec(ctx, `UPDATE reopenings SET until = $1, closed_at = $2, closed_by = $3, mac = $4 WHERE id = $5 AND tenant = $6`,
				r.Until, now, by, x.Keys.MAC("reopening", r.fields()...), r.ID, string(id)); err != nil {
				return fmt.Errorf("end reopening %s: %w", r.ID, err)
			}
			if err := x.tell(ctx, tx, by, "period.close", r); err != nil {
				return err
			}
			ended = r
		}
		if ended.ID == "" {
			return fault.New(fault.Conflict, "The period %s of %q is not reopened for that tenant.", p.start, dataset)
		}
		return nil
	})
	return ended, err
}

// period is a dataset's period by its current contract.
type period struct {
	start       string
	due, cutOff time.Time // zero: the contract has no due time
}

func (x *Exchange) period(ctx context.Context, db *meta.DB, dataset, date string) (period, error) {
	d, err := x.DatasetIn(ctx, db, dataset, 0)
	if err != nil {
		return period{}, err
	}
	day, err := contract.ParseDate(date)
	if err != nil {
		return period{}, err
	}
	p := period{start: d.Contract.Cadence.Period(day).Start.String()}
	p.due, _ = d.Contract.DueAt(day)
	p.cutOff, _ = d.Contract.CutOff(day)
	return p, nil
}

// UnscopedReopenedUntil is UnscopedReopenings without the reasons, in the order of
// the ends.
func (x *Exchange) UnscopedReopenedUntil(ctx context.Context, id tenant.ID, dataset, from, to string) ([]Reopening, error) {
	db, whose, args := x.of(id, dataset, from, to)
	return x.reopenings(ctx, db, `WHERE dataset = $1 AND date >= $2 AND date <= $3`+whose, args...)
}

// UnscopedReopenings lists the reopenings of a dataset's periods that begin on a
// date from one to another, both included, of all tenants or of one, with their
// reasons.
func (x *Exchange) UnscopedReopenings(ctx context.Context, id tenant.ID, dataset, from, to string) ([]Reopening, error) {
	list, err := x.UnscopedReopenedUntil(ctx, id, dataset, from, to)
	if err == nil {
		err = x.openReasons(ctx, list)
	}
	return list, err
}

// Reopenings lists all reopenings for the scope's tenant, in the order of their ends,
// with their reasons.
func (x *Exchange) Reopenings(ctx context.Context, scope tenant.Scope) ([]Reopening, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return nil, err
	}
	list, err := x.reopenings(ctx, x.DB.For(scope.Tenant()), `WHERE tenant = $1`, string(scope.Tenant()))
	if err == nil {
		err = x.openReasons(ctx, list)
	}
	return list, err
}

func (x *Exchange) openReasons(ctx context.Context, list []Reopening) error {
	for i, r := range list {
		reason, err := x.Keys.Decrypt(ctx, r.Tenant, keys.Pool, r.reason, reasonContext(r.ID))
		if fault.Is(err, fault.NotFound) { // its keys are destroyed, and its rows will be soon
			continue
		}
		if err != nil {
			return fmt.Errorf("open reason of %s: %w", r.ID, err)
		}
		list[i].Reason = string(reason)
	}
	return nil
}

// UnscopedEndedReopenings lists the reopenings that ended after one moment and not
// after another, in the order of their ends: after each a run for its period may
// find more than the last one did.
func (x *Exchange) UnscopedEndedReopenings(ctx context.Context, after, through time.Time) ([]Reopening, error) {
	return x.reopenings(ctx, x.DB.Unscoped(), `WHERE until > $1 AND until <= $2`, after, through)
}

const reopeningQuery = `SELECT id, tenant, dataset, date, reason, until, created_at, created_by, closed_at, closed_by, mac FROM reopenings `

// reopenings reads rows in the order of their ends, without opening the reasons,
// and fails at one that is not what an admin made.
func (x *Exchange) reopenings(ctx context.Context, db *meta.DB, where string, args ...any) ([]Reopening, error) {
	rows, err := db.Query(ctx, reopeningQuery+where+` ORDER BY until, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("list reopenings: %w", err)
	}
	var list []Reopening
	for rows.Next() {
		r, err := scanReopening(x.Keys, rows)
		if err != nil {
			return nil, fmt.Errorf("list reopenings: %w", err)
		}
		list = append(list, r)
	}
	return list, nil
}

func scanReopening(ring *keys.Ring, row scanner) (Reopening, error) {
	var r Reopening
	var until, created int64
	var closed sql.NullInt64
	var mac []byte
	if err := row.Scan(&r.ID, &r.Tenant, &r.Dataset, &r.Date, &r.reason, &until, &created, &r.CreatedBy, &closed, &r.ClosedBy, &mac); err != nil {
		return r, err
	}
	r.Until, r.CreatedAt, r.ClosedAt = meta.Time(until), meta.Time(created), meta.Moment(closed)
	if err := ring.CheckMAC(mac, "reopening", r.fields()...); err != nil {
		return r, fmt.Errorf("reopening %s of %s: %w", r.ID, r.Tenant, err)
	}
	return r, nil
}
