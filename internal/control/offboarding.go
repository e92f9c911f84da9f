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
// grace has passed or a second admin has shortened it to nothing. The erasure waits
// while a legal hold stands on anything of the tenant.
type Leaving struct {
	Tenant      tenant.ID
	RequestedAt time.Time
	RequestedBy string // the person
	EraseAfter  time.Time
	HastenedBy  string // the person
	ExportedAt  *time.Time
	FinishedAt  *time.Time
	Held        string // why the erasure waits, in words; empty: it does not
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
	_, err := c.changeState(ctx, by.Actor, idOrSlug, "tenant.offboard", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
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
	}, func(id tenant.ID) {
		c.Policy.EndScopes(id)
		c.Policy.UnblockTenant(id) // it may have been suspended, and must be able to export
	})
	if err != nil {
		return Leaving{}, err
	}
	return c.UnscopedLeaving(ctx, idOrSlug)
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
		if err := c.UnscopedHeld(ctx, tx, t.ID); err != nil {
			return nil, err
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
	return c.changeState(ctx, by, idOrSlug, "tenant.offboard.cancel", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
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
	}, c.Policy.BlockTenant)
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
	if l.FinishedAt == nil {
		switch err := c.UnscopedHeld(ctx, db, t.ID); fault.KindOf(err) {
		case "":
		case fault.Conflict, fault.Damaged:
			l.Held = fault.Message(err)
		default:
			return l, err
		}
	}
	return l, nil
}

// EraseDue erases the tenants whose grace has passed and that no legal hold keeps.
// It is a round; an erasure
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
	var failed []error
	for _, id := range ids {
		if err := c.erase(ctx, id); err != nil {
			failed = append(failed, fmt.Errorf("erase %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

// farewell is the request of an offboarding saga: what the receipt says of the
// tenant, whose row has gone by then.
type farewell struct {
	Slug string `json:"slug"`
}

func (c *Control) erase(ctx context.Context, id tenant.ID) error {
	s := &saga{id: c.Clock.ID("sag"), kind: "offboard", tenant: id, actor: "tributary"}
	c.own(s.id)
	defer c.disown(s.id)
	due := false
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		t, err := c.tenant(ctx, tx, string(id))
		if err != nil {
			return err
		}
		// Those that were listed before may have been kept while others were erased.
		if due, err = c.eraseDue(ctx, tx, t); err != nil || !due {
			return err
		}
		if s.request, err = json.Marshal(farewell{t.Slug}); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		return c.begin(ctx, tx, s, nil)
	})
	if err != nil || !due {
		return err
	}
	return c.advance(ctx, s, c.offboardSteps(), false)
}

// eraseDue reports whether a tenant is to be erased now, and nobody does it yet.
func (c *Control) eraseDue(ctx context.Context, tx *meta.DB, t Tenant) (bool, error) {
	if t.State != Offboarding {
		return false, nil
	}
	var due, begun int64
	if err := tx.For(t.ID).QueryRow(ctx, `SELECT count(*) FROM offboardings WHERE tenant = $1 AND finished_at IS NULL AND erase_after <= $2`,
		string(t.ID), meta.Micros(c.Clock.Now())).Scan(&due); err != nil {
		return false, fmt.Errorf("look whether the erasure is due: %w", err)
	}
	if err := tx.Unscoped().QueryRow(ctx, `SELECT count(*) FROM sagas WHERE tenant = $1 AND kind = 'offboard'`, string(t.ID)).Scan(&begun); err != nil {
		return false, fmt.Errorf("find erasure: %w", err)
	}
	if due != 1 || begun != 0 {
		return false, nil
	}
	switch err := c.UnscopedHeld(ctx, tx, t.ID); {
	case fault.Is(err, fault.Conflict):
		return false, nil // until the hold is released
	case err != nil:
		return false, err
	}
	return true, nil
}

// offboardSteps are the steps of a tenant's end. The keys go first: from then on
// every sealed byte is unreadable wherever a copy of it lies. The receipt comes
// last, when nothing of what it says is still to be done.
func (c *Control) offboardSteps() []step {
	steps := []step{{
		name: "keys", do: c.destroyKeys,
		after: func(s *saga) {
			c.telling.Lock() // whoever changed its state before has told policy
			defer c.telling.Unlock()
			c.Policy.BlockTenant(s.tenant)
			c.ring.Forget(s.tenant)
		},
	}}
	for _, e := range c.erasers {
		steps = append(steps, step{name: e.Store, outside: func(ctx context.Context, s *saga) (string, error) {
			method, count, err := e.Eraser.EraseTenant(ctx, s.tenant)
			if err != nil {
				return "", err
			}
			return detail(ErasedStore{Store: e.Store, Method: method, Count: count})
		}})
	}
	return append(steps,
		step{name: "tenant", do: c.eraseRow},
		step{name: "compact", outside: func(ctx context.Context, _ *saga) (string, error) {
			if err := c.DB.Compact(ctx); err != nil {
				return "", err
			}
			return detail(ErasedStore{Store: "database", Method: "compacted: what its files still held of deleted and overwritten rows is gone"})
		}},
		step{name: "receipt", do: c.signReceipt})
}

// detail is how a step records what it erased.
func detail(e ErasedStore) (string, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode step: %w", err)
	}
	return string(raw), nil
}

func (c *Control) destroyKeys(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	n, err := tx.For(s.tenant).Exec(ctx, `UPDATE tenant_keys SET wrapped = NULL, destroyed_at = $1 WHERE tenant = $2 AND wrapped IS NOT NULL`,
		meta.Micros(c.Clock.Now()), string(s.tenant))
	if err != nil {
		return "", fmt.Errorf("destroy keys: %w", err)
	}
	return detail(ErasedStore{Store: "keys", Method: "wrapped vault and pool keys overwritten", Count: n})
}

// eraseRow turns the tenant's row into a tombstone, frees its slug and external
// ids, and blanks what its onboarding was asked with.
func (c *Control) eraseRow(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	t, err := c.tenant(ctx, tx, string(s.tenant))
	if err != nil {
		return "", err
	}
	n, err := tx.For(t.ID).Exec(ctx, `DELETE FROM external_ids WHERE tenant = $1`, string(t.ID))
	if err != nil {
		return "", fmt.Errorf("erase external ids: %w", err)
	}
	if _, err := tx.For(t.ID).Exec(ctx, `DELETE FROM holds WHERE tenant = $1`, string(t.ID)); err != nil {
		return "", fmt.Errorf("erase released holds: %w", err)
	}
	if _, err := tx.Unscoped().Exec(ctx, `UPDATE sagas SET request = $1, error = '', idempotency_key = NULL WHERE tenant = $2 AND id <> $3`,
		[]byte("{}"), string(t.ID), s.id); err != nil {
		return "", fmt.Errorf("erase the request of the onboarding: %w", err)
	}
	t.Slug, t.Name, t.State, t.StateReason = "erased-"+string(t.ID), "", Erased, ""
	t.Industry, t.Revenue, t.Employees, t.IPAllow = "", nil, nil, nil
	if err := c.save(ctx, tx, "tributary", &t); err != nil {
		return "", err
	}
	return detail(ErasedStore{Store: "tenant", Method: "row reduced to its id; slug, name, figures, external ids and the request that made it erased", Count: n + 1})
}

// signReceipt ends the offboarding with a signed statement of what the steps did.
func (c *Control) signReceipt(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	t, err := c.tenant(ctx, tx, string(s.tenant))
	if err != nil {
		return "", err
	}
	l, err := c.leaving(ctx, tx, t)
	if err != nil {
		return "", err
	}
	var was farewell
	if err := json.Unmarshal(s.request, &was); err != nil {
		return "", fmt.Errorf("decode request: %w", err)
	}
	stores, err := c.erasedStores(ctx, tx, s)
	if err != nil {
		return "", err
	}
	now := c.Clock.Now()
	body, err := json.Marshal(Receipt{Statement: "tributary erasure v1", Tenant: t.ID, Slug: was.Slug, Requested: l.RequestedAt, Erased: now, Stores: stores})
	if err != nil {
		return "", fmt.Errorf("encode receipt: %w", err)
	}
	if _, err := tx.For(t.ID).Exec(ctx, `UPDATE offboardings SET finished_at = $1, receipt = $2, signature = $3 WHERE tenant = $4`,
		meta.Micros(now), body, c.ring.Sign(body), string(t.ID)); err != nil {
		return "", fmt.Errorf("store receipt: %w", err)
	}
	return "", c.Audit.Append(ctx, tx, audit.Entry{Actor: "tributary", Verb: "tenant.erase", Subject: string(t.ID), Outcome: "ok"})
}

// erasedStores returns what the steps of an erasure recorded.
func (c *Control) erasedStores(ctx context.Context, tx *meta.DB, s *saga) ([]ErasedStore, error) {
	rows, err := tx.Unscoped().Query(ctx, `SELECT detail FROM saga_steps WHERE saga = $1 ORDER BY ord`, s.id)
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	defer rows.Close()
	var stores []ErasedStore
	for rows.Next() {
		var raw string
		var e ErasedStore
		err := rows.Scan(&raw)
		if err == nil {
			err = json.Unmarshal([]byte(raw), &e)
		}
		if err != nil {
			return nil, fmt.Errorf("read steps: %w", err)
		}
		stores = append(stores, e)
	}
	return stores, rows.Err()
}
