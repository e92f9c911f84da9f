package control

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Hold is a legal hold: while it stands, nothing that it covers is deleted, by the
// tenant, by retention or by the tenant's erasure. A system admin sets it with a
// reason, which the tenant reads, and ends it by another act.
type Hold struct {
	ID         string
	Tenant     tenant.ID
	Dataset    string // empty: everything of the tenant
	Reason     string // empty once the tenant's keys are destroyed
	SetAt      time.Time
	SetBy      string
	ReleasedAt *time.Time
	ReleasedBy string

	sealed []byte // the reason
}

// fields are what the row's MAC covers: all that decides what may be deleted.
func (h Hold) fields() []any {
	return []any{h.ID, string(h.Tenant), h.Dataset, h.sealed, meta.Micros(h.SetAt), h.SetBy, meta.MomentMicros(h.ReleasedAt), h.ReleasedBy}
}

const holdColumns = `id, tenant, dataset, reason, set_at, set_by, released_at, released_by, mac`

func reasonContext(hold string) []byte { return []byte("hold reason " + hold) }

// scanHold reads a row. One that is not what was written is Damaged, and counts as
// a hold that stands.
func (c *Control) scanHold(ctx context.Context, row scanner) (Hold, error) {
	var h Hold
	var set int64
	var released sql.NullInt64
	var mac []byte
	if err := row.Scan(&h.ID, &h.Tenant, &h.Dataset, &h.sealed, &set, &h.SetBy, &released, &h.ReleasedBy, &mac); err != nil {
		return h, err
	}
	h.SetAt, h.ReleasedAt = meta.Time(set), meta.Moment(released)
	if err := c.ring.CheckMAC(mac, "hold", h.fields()...); err != nil {
		return h, fmt.Errorf("hold %s: %w", h.ID, err)
	}
	plain, err := c.ring.Decrypt(ctx, h.Tenant, keys.Pool, h.sealed, reasonContext(h.ID))
	if err != nil && !fault.Is(err, fault.NotFound) { // the keys are gone: an erasure is under way
		return h, fmt.Errorf("open reason of hold %s: %w", h.ID, err)
	}
	h.Reason = string(plain)
	return h, nil
}

// UnscopedSetHold sets a legal hold on everything of a tenant, or on what it has of
// one dataset and the results that were made from it. What is being erased already
// cannot be held.
func (c *Control) UnscopedSetHold(ctx context.Context, by, idOrSlug, dataset, reason string) (Hold, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return Hold{}, fault.New(fault.Invalid, "Say why: a legal hold needs a reason.")
	}
	h := Hold{ID: c.Clock.ID("hld"), Dataset: dataset, Reason: reason, SetAt: c.Clock.Now(), SetBy: by}
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		t, err := c.tenant(ctx, tx, idOrSlug)
		if err != nil {
			return err
		}
		if err := c.checkHeldThing(ctx, tx, t, dataset); err != nil {
			return err
		}
		h.Tenant = t.ID
		if h.sealed, err = c.ring.Encrypt(ctx, t.ID, keys.Pool, []byte(reason), reasonContext(h.ID)); err != nil {
			return fmt.Errorf("seal reason of hold: %w", err)
		}
		if _, err := tx.For(t.ID).Exec(ctx, `INSERT INTO holds (`+holdColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			h.ID, string(h.Tenant), h.Dataset, h.sealed, meta.Micros(h.SetAt), h.SetBy, h.ReleasedAt, h.ReleasedBy, c.ring.MAC("hold", h.fields()...)); err != nil {
			return fmt.Errorf("set hold: %w", err)
		}
		return c.auditHold(ctx, tx, by, "hold.set", h)
	})
	return h, err
}

// checkHeldThing refuses a hold on what is not there or is going already.
func (c *Control) checkHeldThing(ctx context.Context, tx *meta.DB, t Tenant, dataset string) error {
	var begun, known int64
	if err := tx.Unscoped().QueryRow(ctx, `SELECT count(*) FROM sagas WHERE tenant = $1 AND kind = 'offboard'`, string(t.ID)).Scan(&begun); err != nil {
		return fmt.Errorf("find erasure: %w", err)
	}
	if begun > 0 || t.State == Erased {
		return fault.New(fault.Conflict, "The erasure of %q has begun and cannot be taken back, so nothing of it can be held.", t.Slug)
	}
	if dataset == "" {
		return nil
	}
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM datasets WHERE id = $1`, dataset).Scan(&known); err != nil {
		return fmt.Errorf("find dataset: %w", err)
	}
	if known == 0 {
		return fault.New(fault.NotFound, "There is no dataset %q.", dataset)
	}
	return nil
}

// auditHold records an act about a hold in both chains: in the provider's, which is
// not sealed with the tenant's key, without the reason.
func (c *Control) auditHold(ctx context.Context, tx *meta.DB, by, verb string, h Hold) error {
	entry := audit.Entry{Actor: by, Verb: verb, Subject: h.ID, Outcome: "ok", Details: map[string]any{"tenant": string(h.Tenant), "dataset": h.Dataset}}
	if err := c.Audit.Append(ctx, tx, entry); err != nil {
		return err
	}
	entry.Tenant, entry.Details = h.Tenant, map[string]any{"dataset": h.Dataset, "reason": h.Reason}
	return c.Audit.Append(ctx, tx, entry)
}

// UnscopedReleaseHold ends a hold. What was to be deleted meanwhile goes in the next
// rounds.
func (c *Control) UnscopedReleaseHold(ctx context.Context, by, id string) (Hold, error) {
	var h Hold
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		h, err = c.scanHold(ctx, tx.Unscoped().QueryRow(ctx, `SELECT `+holdColumns+` FROM holds WHERE id = $1`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "There is no hold %q.", id)
		}
		if err != nil {
			return fmt.Errorf("find hold: %w", err)
		}
		if h.ReleasedAt != nil {
			return fault.New(fault.Conflict, "The hold %q was released already.", id)
		}
		now := c.Clock.Now()
		h.ReleasedAt, h.ReleasedBy = &now, by
		if _, err := tx.For(h.Tenant).Exec(ctx, `UPDATE holds SET released_at = $1, released_by = $2, mac = $3 WHERE id = $4 AND tenant = $5`,
			meta.Micros(now), by, c.ring.MAC("hold", h.fields()...), id, string(h.Tenant)); err != nil {
			return fmt.Errorf("release hold %s: %w", id, err)
		}
		return c.auditHold(ctx, tx, by, "hold.release", h)
	})
	return h, err
}

// UnscopedHolds lists holds of all tenants or of one, the newest first; ended also
// those that were released.
func (c *Control) UnscopedHolds(ctx context.Context, id tenant.ID, ended bool, page meta.Page) ([]Hold, string, error) {
	return c.listHolds(ctx, c.DB.Unscoped(), id, ended, page)
}

// Holds lists the holds on what the scope's tenant has, the newest first.
func (c *Control) Holds(ctx context.Context, scope tenant.Scope, ended bool, page meta.Page) ([]Hold, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.TenantProfile); err != nil {
		return nil, "", err
	}
	return c.listHolds(ctx, c.DB.For(scope.Tenant()), scope.Tenant(), ended, page)
}

func (c *Control) listHolds(ctx context.Context, db *meta.DB, id tenant.ID, ended bool, page meta.Page) ([]Hold, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := db.Query(ctx, `SELECT `+holdColumns+` FROM holds
		WHERE ($1 = '' OR tenant = $1) AND ($2 = 1 OR released_at IS NULL) AND (set_at < $3 OR (set_at = $3 AND id < $4))
		ORDER BY set_at DESC, id DESC LIMIT $5`, string(id), ended, pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list holds: %w", err)
	}
	var list []Hold
	for rows.Next() {
		h, err := c.scanHold(ctx, rows)
		if err != nil {
			return nil, "", fmt.Errorf("list holds: %w", err)
		}
		list = append(list, h)
	}
	list, next := meta.Cut(list, page, func(h Hold) meta.Position { return meta.Position{At: meta.Micros(h.SetAt), ID: h.ID} })
	return list, next, nil
}

// UnscopedHeld returns a Conflict that says why while a legal hold stands on the
// tenant or on one of its datasets named; with none named, on anything of it. A row
// that is not what was written is Damaged, and what it covers stays too.
func (c *Control) UnscopedHeld(ctx context.Context, db *meta.DB, id tenant.ID, datasets ...string) error {
	rows, err := db.For(id).Query(ctx, `SELECT `+holdColumns+` FROM holds WHERE tenant = $1 ORDER BY set_at, id`, string(id))
	if err != nil {
		return fmt.Errorf("look for holds on %s: %w", id, err)
	}
	for rows.Next() {
		h, err := c.scanHold(ctx, rows)
		if err != nil {
			return fmt.Errorf("look for holds on %s: %w", id, err)
		}
		if h.ReleasedAt == nil && (h.Dataset == "" || len(datasets) == 0 || slices.Contains(datasets, h.Dataset)) {
			return fault.New(fault.Conflict, "A legal hold is set since %s, so this is not deleted until it is released. Its reason: %s", h.SetAt.UTC().Format(time.DateOnly), h.Reason)
		}
	}
	return nil
}
