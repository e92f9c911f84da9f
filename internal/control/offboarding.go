package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Leaving is a tenant's offboarding: asked for by one admin, final when the
// grace has passed or a second admin has shortened it to nothing.
type Leaving struct {
	Tenant      tenant.ID
	RequestedAt time.Time
	RequestedBy string // the person
	EraseAfter  time.Time
	HastenedBy  string // the person
	ExportedAt  *time.Time
	FinishedAt  *time.Time
	Receipt     []byte // the signed statement: canonical JSON, see Receipt
	Signature   []byte
}

// Receipt is the statement that erasure leaves: what was erased, where and how.
type Receipt struct {
	Statement string        `json:"statement"` // always "tributary erasure v1"
	Tenant    tenant.ID     `json:"tenant"`
	Slug      string        `json:"slug"`
	Requested time.Time     `json:"requested_at"`
	Erased    time.Time     `json:"erased_at"`
	Stores    []ErasedStore `json:"stores"`
}

// ErasedStore says what went from one store.
type ErasedStore struct {
	Store  string `json:"store"`
	Method string `json:"method"`
	Count  int64  `json:"count"`
}

// Admin is a system admin who acts: by which credential, for the audit log, and
// the person behind it, who may have several.
type Admin struct {
	Actor  string // the user's or key's id
	Person string // the user's id
}

// UnscopedOffboard begins a tenant's end: it can only read and export from now
// on, and is erased when the grace has passed. confirm must be its slug.
func (c *Control) UnscopedOffboard(ctx context.Context, by Admin, idOrSlug, confirm string) (Leaving, error) {
	now := c.Clock.Now()
	t, err := c.change(ctx, by.Actor, idOrSlug, "tenant.offboard", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
		if confirm != t.Slug {
			return nil, fault.New(fault.Invalid, "To confirm, give the tenant's slug, %q.", t.Slug)
		}
		if t.State != Active && t.State != Suspended {
			return nil, fault.New(fault.Conflict, "The tenant is %s, so it cannot be offboarded.", t.State)
		}
		t.State, t.StateReason = Offboarding, ""
		after := now.Add(c.Grace)
		_, err := tx.For(t.ID).Exec(ctx, `INSERT INTO offboardings (tenant, requested_at, requested_by, erase_after) VALUES ($1, $2, $3, $4)`,
			string(t.ID), meta.Micros(now), by.Person, meta.Micros(after))
		if err != nil {
			return nil, fmt.Errorf("record offboarding: %w", err)
		}
		return map[string]any{"erase_after": after.Format(time.RFC3339)}, nil
	})
	if err != nil {
		return Leaving{}, err
	}
	c.Policy.EndScopes(t.ID)
	c.Policy.UnblockTenant(t.ID) // it may have been suspended, and must be able to export
	return c.UnscopedLeaving(ctx, string(t.ID))
}

// UnscopedHasten shortens the grace to nothing. It takes another person than the
// one who asked for the offboarding.
func (c *Control) UnscopedHasten(ctx context.Context, by Admin, idOrSlug string) (Leaving, error) {
	_, err := c.change(ctx, by.Actor, idOrSlug, "tenant.offboard.hasten", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
		l, err := c.leaving(ctx, tx, *t)
		if err != nil {
			return nil, err
		}
		if l.RequestedBy == by.Person {
			return nil, fault.New(fault.Denied, "Another person than the one who asked for the offboarding has to shorten its grace; an API key counts as who made it.")
		}
		now := c.Clock.Now()
		_, err = tx.For(t.ID).Exec(ctx, `UPDATE offboardings SET erase_after = $1, hastened_by = $2 WHERE tenant = $3 AND finished_at IS NULL`,
			meta.Micros(now), by.Person, string(t.ID))
		return nil, err
	})
	if err != nil {
		return Leaving{}, err
	}
	return c.UnscopedLeaving(ctx, idOrSlug)
}

// UnscopedKeep takes an offboarding back within its grace. The tenant is then
// suspended, and can be activated.
func (c *Control) UnscopedKeep(ctx context.Context, by, idOrSlug string) (Tenant, error) {
	t, err := c.change(ctx, by, idOrSlug, "tenant.offboard.cancel", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
		if t.State != Offboarding {
			return nil, fault.New(fault.Conflict, "The tenant is %s, not offboarding.", t.State)
		}
		var begun int64
		if err := tx.Unscoped().QueryRow(ctx, `SELECT count(*) FROM sagas WHERE tenant = $1 AND kind = 'offboard'`, string(t.ID)).Scan(&begun); err != nil {
			return nil, fmt.Errorf("find erasure: %w", err)
		}
		if begun > 0 {
			return nil, fault.New(fault.Conflict, "The erasure has begun and cannot be taken back.")
		}
		t.State = Suspended
		_, err := tx.For(t.ID).Exec(ctx, `DELETE FROM offboardings WHERE tenant = $1`, string(t.ID))
		return nil, err
	})
	if err == nil {
		c.Policy.BlockTenant(t.ID)
	}
	return t, err
}

// Exported records that the tenant took its export.
func (c *Control) Exported(ctx context.Context, scope tenant.Scope) error {
	if err := scope.Check(ctx, tenant.Read, tenant.TenantProfile); err != nil {
		return err
	}
	id := scope.Tenant()
	return c.DB.Transact(ctx, func(tx *meta.DB) error {
		if _, err := tx.For(id).Exec(ctx, `UPDATE offboardings SET exported_at = $1 WHERE tenant = $2`, meta.Micros(c.Clock.Now()), string(id)); err != nil {
			return fmt.Errorf("record export: %w", err)
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Tenant: id, Actor: scope.Actor(), Verb: "tenant.export", Subject: string(id), Outcome: "ok"})
	})
}

// UnscopedLeaving returns a tenant's offboarding.
func (c *Control) UnscopedLeaving(ctx context.Context, idOrSlug string) (Leaving, error) {
	t, err := c.UnscopedTenant(ctx, idOrSlug)
	if err != nil {
		return Leaving{}, err
	}
	return c.leaving(ctx, c.DB, t)
}

func (c *Control) leaving(ctx context.Context, db *meta.DB, t Tenant) (Leaving, error) {
	l := Leaving{Tenant: t.ID}
	var requested, after int64
	var exported, finished sql.NullInt64
	err := db.For(t.ID).QueryRow(ctx, `
		SELECT requested_at, requested_by, erase_after, hastened_by, exported_at, finished_at, receipt, signature FROM offboardings WHERE tenant = $1`,
		string(t.ID)).Scan(&requested, &l.RequestedBy, &after, &l.HastenedBy, &exported, &finished, &l.Receipt, &l.Signature)
	if errors.Is(err, sql.ErrNoRows) {
		return l, fault.New(fault.NotFound, "The tenant %q is not being offboarded.", t.Slug)
	}
	if err != nil {
		return l, fmt.Errorf("read offboarding of %s: %w", t.ID, err)
	}
	l.RequestedAt, l.EraseAfter, l.ExportedAt, l.FinishedAt = meta.Time(requested), meta.Time(after), meta.Moment(exported), meta.Moment(finished)
	return l, nil
}

// EraseDue erases the tenants whose grace has passed. It is a round; an erasure
// that a crash interrupts is carried on by ResumeDue.
func (c *Control) EraseDue(ctx context.Context) error {
	rows, err := c.DB.Unscoped().Query(ctx, `
		SELECT tenant FROM offboardings WHERE finished_at IS NULL AND erase_after <= $1
		AND NOT EXISTS (SELECT 1 FROM sagas s WHERE s.tenant = offboardings.tenant AND s.kind = 'offboard')`, meta.Micros(c.Clock.Now()))
	if err != nil {
		return fmt.Errorf("list due erasures: %w", err)
	}
	var ids []tenant.ID
	for rows.Next() {
		var id tenant.ID
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return fmt.Errorf("list due erasures: %w", err)
		}
		ids = append(ids, id)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list due erasures: %w", err)
	}
	for _, id := range ids {
		if err := c.erase(ctx, id); err != nil {
			return fmt.Errorf("erase %s: %w", id, err)
		}
	}
	return nil
}

func (c *Control) erase(ctx context.Context, id tenant.ID) error {
	s := &saga{id: c.Clock.ID("sag"), kind: "offboard", tenant: id, request: []byte("{}"), actor: "tributary"}
	c.own(s.id)
	defer c.disown(s.id)
	if err := c.DB.Transact(ctx, func(tx *meta.DB) error { return c.begin(ctx, tx, s, nil) }); err != nil {
		return err
	}
	return c.advance(ctx, s, c.offboardSteps(), false)
}

// offboardSteps are the steps of a tenant's end. The keys go first: from then on
// every sealed byte is unreadable wherever a copy of it lies.
func (c *Control) offboardSteps() []step {
	steps := []step{{
		name: "keys", do: c.destroyKeys,
		after: func(s *saga) { c.Policy.BlockTenant(s.tenant); c.ring.Forget(s.tenant) },
	}}
	for _, e := range c.erasers {
		steps = append(steps, step{name: e.Store, outside: func(ctx context.Context, s *saga) (string, error) {
			method, count, err := e.Eraser.EraseTenant(ctx, s.tenant)
			if err != nil {
				return "", err
			}
			raw, err := json.Marshal(ErasedStore{Store: e.Store, Method: method, Count: count})
			return string(raw), err
		}})
	}
	return append(steps, step{name: "tenant", do: c.eraseRow, after: func(s *saga) {
		if err := c.DB.Compact(context.Background()); err != nil {
			c.Log.Error("database not compacted after an erasure", "tenant.id", string(s.tenant), "error", err)
		}
	}})
}

func (c *Control) destroyKeys(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	n, err := tx.For(s.tenant).Exec(ctx, `UPDATE tenant_keys SET wrapped = NULL, destroyed_at = $1 WHERE tenant = $2 AND wrapped IS NOT NULL`,
		meta.Micros(c.Clock.Now()), string(s.tenant))
	if err != nil {
		return "", fmt.Errorf("destroy keys: %w", err)
	}
	raw, err := json.Marshal(ErasedStore{Store: "keys", Method: "wrapped vault and pool keys overwritten", Count: n})
	return string(raw), err
}

// eraseRow turns the tenant's row into a tombstone, frees its slug and external
// ids, and signs the receipt.
func (c *Control) eraseRow(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	t, err := c.tenant(ctx, tx, string(s.tenant))
	if err != nil {
		return "", err
	}
	l, err := c.leaving(ctx, tx, t)
	if err != nil {
		return "", err
	}
	now := c.Clock.Now()
	receipt := Receipt{Statement: "tributary erasure v1", Tenant: t.ID, Slug: t.Slug, Requested: l.RequestedAt, Erased: now}
	rows, err := tx.Unscoped().Query(ctx, `SELECT detail FROM saga_steps WHERE saga = $1 ORDER BY ord`, s.id)
	if err != nil {
		return "", fmt.Errorf("read steps: %w", err)
	}
	for rows.Next() {
		var detail string
		var e ErasedStore
		err := rows.Scan(&detail)
		if err == nil {
			err = json.Unmarshal([]byte(detail), &e)
		}
		if err != nil {
			rows.Close()
			return "", fmt.Errorf("read steps: %w", err)
		}
		receipt.Stores = append(receipt.Stores, e)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("read steps: %w", err)
	}
	n, err := tx.For(t.ID).Exec(ctx, `DELETE FROM external_ids WHERE tenant = $1`, string(t.ID))
	if err != nil {
		return "", fmt.Errorf("erase external ids: %w", err)
	}
	tombstone := ErasedStore{Store: "tenant", Method: "row reduced to its id; slug, name, figures and external ids erased", Count: n + 1}
	receipt.Stores = append(receipt.Stores, tombstone)
	body, err := json.Marshal(receipt)
	if err != nil {
		return "", fmt.Errorf("encode receipt: %w", err)
	}
	if _, err := tx.For(t.ID).Exec(ctx, `UPDATE offboardings SET finished_at = $1, receipt = $2, signature = $3 WHERE tenant = $4`,
		meta.Micros(now), body, c.ring.Sign(body), string(t.ID)); err != nil {
		return "", fmt.Errorf("store receipt: %w", err)
	}
	t.Slug, t.Name, t.State, t.StateReason = "erased-"+string(t.ID), "", Erased, ""
	t.Industry, t.Revenue, t.Employees, t.IPAllow = "", nil, nil, nil
	if err := c.save(ctx, tx, "tributary", &t); err != nil {
		return "", err
	}
	if err := c.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "tenant.erase", Subject: string(t.ID), Outcome: "ok"}); err != nil {
		return "", err
	}
	raw, err := json.Marshal(tombstone)
	return string(raw), err
}
