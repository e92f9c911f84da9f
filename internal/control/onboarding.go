package control

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// NewTenant asks for a tenant. Empty tier and type mean basic and PRODUCTION.
type NewTenant struct {
	Slug         string         `json:"slug"`
	Name         string         `json:"name"`
	Organisation string         `json:"organisation"` // id or name; a new name makes one
	ExternalIDs  []string       `json:"external_ids"`
	Tier         tenant.Tier    `json:"tier"`
	Type         string         `json:"type"`
	Industry     string         `json:"industry"`
	Revenue      *int64         `json:"revenue"`
	Employees    *int64         `json:"employees"`
	IPAllow      []netip.Prefix `json:"ip_allow"`
	SignedUp     bool           `json:"signed_up,omitempty"` // by itself, with an organisation of its own
}

func (n *NewTenant) check() error {
	if !tenant.ValidSlug(n.Slug) {
		return fault.New(fault.Invalid, "The slug %q must be 3 to 40 lower-case letters, digits and hyphens, start with a letter and not end with a hyphen.", n.Slug)
	}
	var err error
	if n.Name, err = cleanName("tenant", n.Name, 200); err != nil {
		return err
	}
	if n.Organisation, err = cleanName("organisation", n.Organisation, 200); err != nil {
		return err
	}
	if n.Tier == "" {
		n.Tier = tenant.Basic
	}
	if n.Type == "" {
		n.Type = "PRODUCTION"
	}
	if !n.Tier.Valid() {
		return badTier(n.Tier)
	}
	if !slices.Contains(Types[:], n.Type) {
		return badType(n.Type)
	}
	return checkFigures(n.Revenue, n.Employees)
}

// UnscopedOnboard makes a tenant: organisation, row, keys, activation. The same
// idempotency key returns the tenant that it made before, and is a Conflict with
// another request; an empty key makes a tenant each time. It goes on if the
// caller gives up, and after a crash; if a step fails everything is taken back.
func (c *Control) UnscopedOnboard(ctx context.Context, by, idempotencyKey string, n NewTenant) (Tenant, error) {
	if err := n.check(); err != nil {
		return Tenant{}, err
	}
	request, err := json.Marshal(n)
	if err != nil {
		return Tenant{}, fmt.Errorf("encode request: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	key := any(nil)
	if idempotencyKey != "" {
		key = by + " " + idempotencyKey
		if t, found, err := c.onboarded(ctx, key, request); found || err != nil {
			return t, err
		}
	}
	s := &saga{id: c.Clock.ID("sag"), kind: "onboard", tenant: tenant.ID(c.Clock.ID("ten")), request: request, actor: by}
	c.own(s.id)
	defer c.disown(s.id)
	steps := c.onboardSteps(n)
	err = c.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := c.fail(s.kind, "begin"); err != nil {
			return err
		}
		if err := c.begin(ctx, tx, s, key); err != nil {
			return err
		}
		return c.doStep(ctx, tx, s, 0, steps[0], "", false)
	})
	if meta.IsUnique(err) && key != nil { // the same request, at the same moment
		t, found, err := c.onboarded(ctx, key, request)
		if found || err != nil {
			return t, err
		}
		return t, fault.New(fault.Conflict, "A request with this idempotency key has just failed; send it again.")
	}
	if err != nil {
		return Tenant{}, err
	}
	s.done[steps[0].name] = sagaDone
	if err := c.advance(ctx, s, steps, true); err != nil {
		return Tenant{}, err
	}
	return c.UnscopedTenant(ctx, string(s.tenant))
}

// UnscopedSignUp makes the tenant of somebody who signs up, with an organisation of its own
// that nobody has verified. More than most in a day are Throttled.
func (c *Control) UnscopedSignUp(ctx context.Context, by string, n NewTenant, most int64) (Tenant, error) {
	var today int64
	if err := c.DB.QueryRow(ctx, `SELECT count(*) FROM organisations WHERE signed_up = 1 AND created_at > $1`, meta.Micros(c.Clock.Now().AddDate(0, 0, -1))).Scan(&today); err != nil {
		return Tenant{}, fmt.Errorf("count sign-ups: %w", err)
	}
	if today >= most {
		return Tenant{}, fault.New(fault.Throttled, "Too many organisations have signed up today. Try again tomorrow, or ask the provider.")
	}
	n.SignedUp = true
	return c.UnscopedOnboard(ctx, by, "", n)
}

// onboarded looks for what an idempotency key has made.
func (c *Control) onboarded(ctx context.Context, key any, request []byte) (t Tenant, found bool, err error) {
	s, err := c.loadSaga(ctx, c.DB, "idempotency_key = $1", key)
	if errors.Is(err, sql.ErrNoRows) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("find saga by idempotency key: %w", err)
	}
	if !bytes.Equal(s.request, request) {
		return t, true, fault.New(fault.Conflict, "This idempotency key was used for another request.")
	}
	if s.state != sagaDone {
		if err := c.resume(ctx, s.id); err != nil {
			return t, true, err
		}
		if s, err = c.loadSaga(ctx, c.DB, "id = $1", s.id); err != nil {
			return t, true, fmt.Errorf("find saga: %w", err)
		}
		if s.state != sagaDone {
			return t, true, fault.New(fault.Conflict, "The first request with this idempotency key is still under way; ask again in a moment.")
		}
	}
	t, err = c.UnscopedTenant(ctx, string(s.tenant))
	return t, true, err
}

// onboardSteps are the steps of a tenant's beginning. The first joins the
// transaction that records the saga.
func (c *Control) onboardSteps(n NewTenant) []step {
	return []step{
		{
			name: "register",
			do:   func(ctx context.Context, tx *meta.DB, s *saga) (string, error) { return c.register(ctx, tx, s, n) },
			undo: c.unregister,
		},
		{name: "keys", do: c.makeKeys, undo: c.dropKeys},
		{name: "activate", do: c.activateNew, undo: nil},
	}
}

func (c *Control) register(ctx context.Context, tx *meta.DB, s *saga, n NewTenant) (string, error) {
	o, err := c.organisation(ctx, tx, n.Organisation)
	detail := ""
	if err == nil && n.SignedUp { // whoever that is, it is somebody else
		return "", fault.New(fault.Conflict, "There is an organisation %q already.", n.Organisation)
	}
	if fault.Is(err, fault.NotFound) {
		o, err = c.createOrganisation(ctx, tx, s.actor, n.Organisation, n.SignedUp)
		detail = o.ID // made here, so taken back with the rest
	}
	if err != nil {
		return "", err
	}
	now := c.Clock.Now()
	t := Tenant{ID: s.tenant, Slug: n.Slug, Organisation: o.ID, Tier: n.Tier, Type: n.Type, State: Onboarding, IPAllow: n.IPAllow}
	_, err = tx.Exec(ctx, `
		INSERT INTO tenants (id, slug, name, organisation, tier, type, industry, revenue, employees, state, ip_allow, created_at, created_by, modified_at, modified_by, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12, $13, $14)`,
		string(t.ID), t.Slug, n.Name, t.Organisation, string(t.Tier), t.Type, n.Industry, n.Revenue, n.Employees, string(t.State),
		EncodePrefixes(t.IPAllow), meta.Micros(now), s.actor, c.ring.MAC("tenant", t.fields()...))
	if meta.IsUnique(err) {
		return "", fault.New(fault.Conflict, "There is a tenant with the slug %q already.", n.Slug)
	}
	if err != nil {
		return "", fmt.Errorf("insert tenant: %w", err)
	}
	return detail, c.insertExternalIDs(ctx, tx, t.ID, n.ExternalIDs)
}

func (c *Control) unregister(ctx context.Context, tx *meta.DB, s *saga) error {
	var made string
	if err := tx.Unscoped().QueryRow(ctx, `SELECT detail FROM saga_steps WHERE saga = $1 AND step = 'register'`, s.id).Scan(&made); err != nil {
		return fmt.Errorf("read step: %w", err)
	}
	for _, q := range []string{`DELETE FROM external_ids WHERE tenant = $1`, `DELETE FROM tenants WHERE id = $1`} {
		if _, err := tx.For(s.tenant).Exec(ctx, q, string(s.tenant)); err != nil {
			return fmt.Errorf("take back registration: %w", err)
		}
	}
	if made == "" {
		return nil
	}
	var others int64
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM tenants WHERE organisation = $1`, made).Scan(&others); err != nil {
		return fmt.Errorf("count tenants of %s: %w", made, err)
	}
	if others > 0 { // somebody has used it meanwhile
		return nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM organisations WHERE id = $1`, made); err != nil {
		return fmt.Errorf("take back organisation: %w", err)
	}
	return c.Audit.Append(ctx, tx, audit.Entry{Actor: s.actor, Verb: "organisation.create", Subject: made, Outcome: "taken back"})
}

func (c *Control) makeKeys(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	now := meta.Micros(c.Clock.Now())
	for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
		wrapped, err := c.ring.Generate(ctx, s.tenant, p)
		if err != nil {
			return "", fmt.Errorf("make %s key: %w", p, err)
		}
		if _, err := tx.For(s.tenant).Exec(ctx, `INSERT INTO tenant_keys (tenant, purpose, wrapped, created_at, mac) VALUES ($1, $2, $3, $4, $5)`,
			string(s.tenant), string(p), wrapped, now, c.ring.MAC("tenant key", string(s.tenant), string(p), wrapped)); err != nil {
			return "", fmt.Errorf("store %s key: %w", p, err)
		}
	}
	return "", nil
}

func (c *Control) dropKeys(ctx context.Context, tx *meta.DB, s *saga) error {
	if _, err := tx.For(s.tenant).Exec(ctx, `DELETE FROM tenant_keys WHERE tenant = $1`, string(s.tenant)); err != nil {
		return fmt.Errorf("take back keys: %w", err)
	}
	c.ring.Forget(s.tenant)
	return nil
}

func (c *Control) activateNew(ctx context.Context, tx *meta.DB, s *saga) (string, error) {
	t, err := c.tenant(ctx, tx, string(s.tenant))
	if err != nil {
		return "", err
	}
	t.State = Active
	if _, err := tx.Exec(ctx, `UPDATE tenants SET state = $1, mac = $2 WHERE id = $3`, string(t.State), c.ring.MAC("tenant", t.fields()...), string(t.ID)); err != nil {
		return "", fmt.Errorf("activate tenant: %w", err)
	}
	details := map[string]any{"slug": t.Slug, "name": t.Name, "organisation": t.Organisation, "tier": t.Tier, "type": t.Type, "external_ids": t.ExternalIDs}
	made := audit.Entry{Tenant: t.ID, Actor: s.actor, Verb: "tenant.create", Subject: string(t.ID), Outcome: "ok", Details: details}
	if err := c.Audit.Append(ctx, tx, made); err != nil {
		return "", err
	}
	made.Tenant, made.Details = "", t.lasting(details)
	return "", c.Audit.Append(ctx, tx, made)
}

// WrappedKey implements keys.Store: it returns a tenant's wrapped key if the row
// is what was written. A destroyed key is NotFound.
func (c *Control) WrappedKey(ctx context.Context, id tenant.ID, p keys.Purpose) ([]byte, error) {
	var wrapped, mac []byte
	err := c.DB.For(id).QueryRow(ctx, `SELECT wrapped, mac FROM tenant_keys WHERE tenant = $1 AND purpose = $2`, string(id), string(p)).Scan(&wrapped, &mac)
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(wrapped) == 0 {
		return nil, fault.New(fault.NotFound, "The tenant's %s key does not exist or was destroyed.", p)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s key of %s: %w", p, id, err)
	}
	if err := c.ring.CheckMAC(mac, "tenant key", string(id), string(p), wrapped); err != nil {
		return nil, fmt.Errorf("%s key of %s: %w", p, id, err)
	}
	return wrapped, nil
}
