package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// State is where a tenant is in its life:
//
//	onboarding -> active <-> suspended
//	active or suspended -> offboarding -> erased
//	offboarding -> suspended   (taken back within the grace)
type State string

// The states.
const (
	Onboarding  State = "onboarding"
	Active      State = "active"
	Suspended   State = "suspended"
	Offboarding State = "offboarding"
	Erased      State = "erased"
)

// Tenant is a customer of the provider. Onboarding makes it, a system admin
// changes, suspends and offboards it, and erasure leaves only its row.
type Tenant struct {
	ID               tenant.ID
	Slug             string
	Name             string
	Organisation     string // its id
	OrganisationName string
	ExternalIDs      []string // how the provider's data names it, the main one first
	Tier             tenant.Tier
	Type             string // PRODUCTION, POC, TESTING
	Industry         string
	Revenue          *int64 // a year, in whole units of the provider's currency
	Employees        *int64
	State            State
	StateReason      string
	IPAllow          []netip.Prefix // empty: all
	ClaimedAt        *time.Time     // since when only its own admins make its credentials
	Made
}

// Types lists the types of tenants.
var Types = [...]string{"PRODUCTION", "POC", "TESTING"}

const tenantColumns = `t.id, t.slug, t.name, t.organisation, o.name, t.tier, t.type, t.industry, t.revenue, t.employees, t.state, t.state_reason,
	t.ip_allow, t.claimed_at, t.created_at, t.created_by, t.modified_at, t.modified_by, t.times_modified, t.mac`

const tenantTables = ` FROM tenants t JOIN organisations o ON o.id = t.organisation `

func (c *Control) scanTenant(row scanner) (Tenant, error) {
	var t Tenant
	var revenue, employees, claimed sql.NullInt64
	var created, modified int64
	var allow string
	var mac []byte
	if err := row.Scan(&t.ID, &t.Slug, &t.Name, &t.Organisation, &t.OrganisationName, &t.Tier, &t.Type, &t.Industry, &revenue, &employees,
		&t.State, &t.StateReason, &allow, &claimed, &created, &t.CreatedBy, &modified, &t.ModifiedBy, &t.TimesModified, &mac); err != nil {
		return t, err
	}
	if revenue.Valid {
		t.Revenue = &revenue.Int64
	}
	if employees.Valid {
		t.Employees = &employees.Int64
	}
	t.ClaimedAt, t.CreatedAt, t.ModifiedAt = meta.Moment(claimed), meta.Time(created), meta.Time(modified)
	if err := json.Unmarshal([]byte(allow), &t.IPAllow); err != nil {
		return t, fmt.Errorf("tenant %s: address list: %w", t.ID, err)
	}
	if err := c.ring.CheckMAC(mac, "tenant", t.fields()...); err != nil {
		return t, fmt.Errorf("tenant %s: %w", t.ID, err)
	}
	return t, nil
}

// fields are what the row's MAC covers: all that grants power.
func (t Tenant) fields() []any {
	return []any{string(t.ID), t.Slug, t.Organisation, string(t.Tier), t.Type, string(t.State), EncodePrefixes(t.IPAllow), meta.MomentMicros(t.ClaimedAt)}
}

// EncodePrefixes is how a list of addresses that are allowed is kept, and MAC'd.
func EncodePrefixes(list []netip.Prefix) string {
	if len(list) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic("control: prefixes: " + err.Error())
	}
	return string(raw)
}

// UnscopedTenant finds a tenant by its id or slug.
func (c *Control) UnscopedTenant(ctx context.Context, idOrSlug string) (Tenant, error) {
	return c.tenant(ctx, c.DB, idOrSlug)
}

// UnscopedTenantIn is UnscopedTenant within a transaction, by id.
func (c *Control) UnscopedTenantIn(ctx context.Context, tx *meta.DB, id tenant.ID) (Tenant, error) {
	return c.tenant(ctx, tx, string(id))
}

// UnscopedNamed finds the tenant that the provider's data names: by its slug, or by one
// of its external ids. It comes without them.
func (c *Control) UnscopedNamed(ctx context.Context, name string) (Tenant, error) {
	query := `SELECT ` + tenantColumns + tenantTables
	t, err := c.scanTenant(c.DB.Unscoped().QueryRow(ctx, query+`WHERE t.slug = $1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		var id string
		var mac []byte
		err = c.DB.Unscoped().QueryRow(ctx, `SELECT tenant, mac FROM external_ids WHERE external_id = $1`, name).Scan(&id, &mac)
		if err == nil {
			if err = c.ring.CheckMAC(mac, "external id", name, id); err == nil {
				t, err = c.scanTenant(c.DB.Unscoped().QueryRow(ctx, query+`WHERE t.id = $1`, id))
			}
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return t, fault.New(fault.NotFound, "There is no tenant %q.", name)
	}
	if err != nil {
		return t, fmt.Errorf("find the tenant that data names: %w", err)
	}
	return t, nil
}

func (c *Control) tenant(ctx context.Context, db *meta.DB, idOrSlug string) (Tenant, error) {
	column := "slug"
	if tenant.ID(idOrSlug).Valid() {
		column = "id"
	}
	t, err := c.scanTenant(db.QueryRow(ctx, `SELECT `+tenantColumns+tenantTables+`WHERE t.`+column+` = $1`, idOrSlug))
	if errors.Is(err, sql.ErrNoRows) {
		return t, fault.New(fault.NotFound, "There is no tenant %q.", idOrSlug)
	}
	if err != nil {
		return t, fmt.Errorf("find tenant: %w", err)
	}
	t.ExternalIDs, err = c.externalIDs(ctx, db, t.ID)
	return t, err
}

func (c *Control) externalIDs(ctx context.Context, db *meta.DB, id tenant.ID) ([]string, error) {
	rows, err := db.For(id).Query(ctx, `SELECT external_id, mac FROM external_ids WHERE tenant = $1 ORDER BY position`, string(id))
	if err != nil {
		return nil, fmt.Errorf("read external ids of %s: %w", id, err)
	}
	defer rows.Close()
	list := []string{}
	for rows.Next() {
		var e string
		var mac []byte
		if err := rows.Scan(&e, &mac); err != nil {
			return nil, fmt.Errorf("read external ids of %s: %w", id, err)
		}
		if err := c.ring.CheckMAC(mac, "external id", e, string(id)); err != nil {
			return nil, fmt.Errorf("external id of %s: %w", id, err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// ExternalIDs returns how the provider's data names the scope's tenant.
func (c *Control) ExternalIDs(ctx context.Context, scope tenant.Scope) ([]string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.TenantProfile); err != nil {
		return nil, err
	}
	return c.externalIDs(ctx, c.DB, scope.Tenant())
}

// Profile returns the scope's own tenant.
func (c *Control) Profile(ctx context.Context, scope tenant.Scope) (Tenant, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.TenantProfile); err != nil {
		return Tenant{}, err
	}
	return c.UnscopedTenant(ctx, string(scope.Tenant()))
}

// Filter narrows a list of tenants; empty fields do not.
type Filter struct {
	State        State
	Organisation string // its id
}

// TenantList is how tenants are searched, filtered and sorted.
var TenantList = meta.List[Tenant]{
	Select: tenantColumns, From: tenantTables, Order: "-created_at", Key: []meta.Key{{SQL: "t.id", Kind: meta.Text}},
	Columns: []meta.Column[Tenant]{
		{Name: "id", Kind: meta.Ident, SQL: "t.id", Search: true},
		{Name: "slug", Kind: meta.Text, SQL: "t.slug", Search: true, Sort: true},
		{Name: "name", Kind: meta.Text, SQL: "t.name", Search: true, Sort: true},
		{Name: "organisation", Kind: meta.Text, SQL: "o.name", Search: true},
		{Name: "tier", Kind: meta.Choice, SQL: "t.tier", Values: []string{string(tenant.Basic), string(tenant.Standard), string(tenant.Premium), string(tenant.Platinum)}},
		{Name: "type", Kind: meta.Choice, SQL: "t.type", Values: []string{"PRODUCTION", "POC", "TESTING"}},
		{Name: "industry", Kind: meta.Text, SQL: "t.industry"},
		{Name: "state", Kind: meta.Choice, SQL: "t.state", Values: []string{string(Onboarding), string(Active), string(Suspended), string(Offboarding), string(Erased)}},
		{Name: "created_at", Kind: meta.Instant, SQL: "t.created_at", Sort: true},
	},
}

// UnscopedTenants lists tenants, the newest first if the page's view says nothing else.
func (c *Control) UnscopedTenants(ctx context.Context, f Filter, page meta.Page) ([]Tenant, string, error) {
	var where meta.Where
	where.AndIs("t.state", string(f.State))
	where.AndIs("t.organisation", f.Organisation)
	list, next, err := TenantList.Read(ctx, c.DB, &where, page, func(row meta.Scanner) (Tenant, error) { return c.scanTenant(row) })
	if err != nil {
		return nil, "", fmt.Errorf("list tenants: %w", err)
	}
	for i := range list {
		if list[i].ExternalIDs, err = c.externalIDs(ctx, c.DB, list[i].ID); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// UnscopedOfTier lists the tenants of a tier that have not been erased.
func (c *Control) UnscopedOfTier(ctx context.Context, t tenant.Tier) ([]tenant.ID, error) {
	rows, err := c.DB.Unscoped().Query(ctx, `SELECT id FROM tenants WHERE tier = $1 AND state <> $2 ORDER BY id`, string(t), string(Erased))
	if err != nil {
		return nil, fmt.Errorf("list the tenants of a tier: %w", err)
	}
	var list []tenant.ID
	for rows.Next() {
		var id tenant.ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list the tenants of a tier: %w", err)
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// save writes what may change of a tenant, with a fresh MAC.
func (c *Control) save(ctx context.Context, tx *meta.DB, by string, t *Tenant) error {
	t.ModifiedAt, t.ModifiedBy, t.TimesModified = c.Clock.Now(), by, t.TimesModified+1
	_, err := tx.Exec(ctx, `
		UPDATE tenants SET slug = $1, name = $2, tier = $3, type = $4, industry = $5, revenue = $6, employees = $7, state = $8, state_reason = $9,
			ip_allow = $10, claimed_at = $11, modified_at = $12, modified_by = $13, times_modified = $14, mac = $15 WHERE id = $16`,
		t.Slug, t.Name, string(t.Tier), t.Type, t.Industry, t.Revenue, t.Employees, string(t.State), t.StateReason,
		EncodePrefixes(t.IPAllow), t.ClaimedAt, meta.Micros(t.ModifiedAt), by, t.TimesModified, c.ring.MAC("tenant", t.fields()...), string(t.ID))
	if err != nil {
		return fmt.Errorf("save tenant %s: %w", t.ID, err)
	}
	return nil
}

// Patch changes what is not nil.
type Patch struct {
	Name        *string
	ExternalIDs *[]string
	Tier        *tenant.Tier
	Type        *string
	Industry    *string
	Revenue     *int64
	Employees   *int64
	IPAllow     *[]netip.Prefix
}

// UnscopedUpdate changes a tenant.
func (c *Control) UnscopedUpdate(ctx context.Context, by, idOrSlug string, p Patch) (Tenant, error) {
	return c.change(ctx, by, idOrSlug, "tenant.update", func(tx *meta.DB, t *Tenant) (map[string]any, error) {
		changed := map[string]any{}
		if p.Name != nil {
			name, err := cleanName("tenant", *p.Name, 200)
			if err != nil {
				return nil, err
			}
			t.Name, changed["name"] = name, name
		}
		if p.Tier != nil {
			if !p.Tier.Valid() {
				return nil, badTier(*p.Tier)
			}
			t.Tier, changed["tier"] = *p.Tier, *p.Tier
		}
		if p.Type != nil {
			if !slices.Contains(Types[:], *p.Type) {
				return nil, badType(*p.Type)
			}
			t.Type, changed["type"] = *p.Type, *p.Type
		}
		if p.Industry != nil {
			t.Industry, changed["industry"] = *p.Industry, *p.Industry
		}
		if err := checkFigures(p.Revenue, p.Employees); err != nil {
			return nil, err
		}
		if p.Revenue != nil {
			t.Revenue, changed["revenue"] = p.Revenue, *p.Revenue
		}
		if p.Employees != nil {
			t.Employees, changed["employees"] = p.Employees, *p.Employees
		}
		if p.IPAllow != nil {
			t.IPAllow, changed["ip_allow"] = *p.IPAllow, EncodePrefixes(*p.IPAllow)
		}
		if p.ExternalIDs != nil {
			if _, err := tx.For(t.ID).Exec(ctx, `DELETE FROM external_ids WHERE tenant = $1`, string(t.ID)); err != nil {
				return nil, fmt.Errorf("replace external ids of %s: %w", t.ID, err)
			}
			if err := c.insertExternalIDs(ctx, tx, t.ID, *p.ExternalIDs); err != nil {
				return nil, err
			}
			t.ExternalIDs, changed["external_ids"] = *p.ExternalIDs, *p.ExternalIDs
		}
		return changed, nil
	})
}

// checkFigures refuses what nothing can have.
func checkFigures(revenue, employees *int64) error {
	if revenue != nil && *revenue < 0 || employees != nil && *employees < 0 {
		return fault.New(fault.Invalid, "Revenue and employees are 0 or more.")
	}
	return nil
}

func badTier(t tenant.Tier) error {
	return fault.New(fault.Invalid, "There is no tier %q; the tiers are basic, standard, premium and platinum.", t)
}

func badType(t string) error {
	return fault.New(fault.Invalid, "There is no type %q; the types are PRODUCTION, POC and TESTING.", t)
}

func (c *Control) insertExternalIDs(ctx context.Context, tx *meta.DB, id tenant.ID, list []string) error {
	for i, e := range list {
		if e == "" || len(e) > 100 || strings.TrimSpace(e) != e || strings.ContainsFunc(e, unicode.IsControl) {
			return fault.New(fault.Invalid, "The external id %q is empty, longer than 100 bytes, or has spaces around it or control characters in it.", e)
		}
		_, err := tx.For(id).Exec(ctx, `INSERT INTO external_ids (external_id, tenant, position, mac) VALUES ($1, $2, $3, $4)`,
			e, string(id), int64(i), c.ring.MAC("external id", e, string(id)))
		if meta.IsUnique(err) {
			return fault.New(fault.Conflict, "The external id %q names a tenant already.", e)
		}
		if err != nil {
			return fmt.Errorf("insert external id: %w", err)
		}
	}
	return nil
}

// change loads a tenant, lets f change it and saves it with an audit entry in
// the tenant's chain, and one in the provider's with what may outlive the tenant.
func (c *Control) change(ctx context.Context, by, idOrSlug, verb string, f func(*meta.DB, *Tenant) (map[string]any, error)) (Tenant, error) {
	var t Tenant
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if t, err = c.tenant(ctx, tx, idOrSlug); err != nil {
			return err
		}
		if t.State == Erased {
			return fault.New(fault.Conflict, "The tenant %q was erased; nothing of it can change.", idOrSlug)
		}
		details, err := f(tx, &t)
		if err != nil {
			return err
		}
		if err := c.save(ctx, tx, by, &t); err != nil {
			return err
		}
		if err := c.Audit.Append(ctx, tx, audit.Entry{Tenant: t.ID, Actor: by, Verb: verb, Subject: string(t.ID), Outcome: "ok", Details: details}); err != nil {
			return err
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: verb, Subject: string(t.ID), Outcome: "ok", Details: t.lasting(details)})
	})
	return t, err
}

// changeState is change for what policy remembers of tenants: it is told in the
// order of the commits, or two that change a tenant at once could leave it with
// the state that the database has not.
func (c *Control) changeState(ctx context.Context, by, idOrSlug, verb string, f func(*meta.DB, *Tenant) (map[string]any, error), tell func(tenant.ID)) (Tenant, error) {
	c.telling.Lock()
	defer c.telling.Unlock()
	t, err := c.change(ctx, by, idOrSlug, verb, f)
	if err == nil {
		tell(t.ID)
	}
	return t, err
}

// lasting is what the provider's chain, which is not sealed with the tenant's key,
// keeps of an act's details, and of the tenant after it: opaque ids and fixed words. Of
// the rest it says only which fields there were; what they were is in the tenant's own chain.
func (t *Tenant) lasting(details map[string]any) map[string]any {
	kept := map[string]any{audit.Now: map[string]any{"tier": t.Tier, "type": t.Type, "state": t.State, "organisation": t.Organisation}}
	if len(details) == 0 {
		return kept
	}
	fields := []string{}
	for name, value := range details {
		switch name {
		case "tier", "type", "erase_after", "organisation":
			kept[name] = value
		}
		fields = append(fields, name)
	}
	slices.Sort(fields)
	kept["fields"] = fields
	return kept
}

// UnscopedSuspend blocks a tenant's use at once: open sessions, uploads and
// downloads end. Its data stays.
func (c *Control) UnscopedSuspend(ctx context.Context, by, idOrSlug, reason string) (Tenant, error) {
	return c.changeState(ctx, by, idOrSlug, "tenant.suspend", func(_ *meta.DB, t *Tenant) (map[string]any, error) {
		if t.State != Active {
			return nil, fault.New(fault.Conflict, "The tenant is %s, so it cannot be suspended.", t.State)
		}
		t.State, t.StateReason = Suspended, reason
		return map[string]any{"reason": reason}, nil
	}, c.Policy.BlockTenant)
}

// UnscopedActivate lets a suspended tenant be used again.
func (c *Control) UnscopedActivate(ctx context.Context, by, idOrSlug string) (Tenant, error) {
	return c.changeState(ctx, by, idOrSlug, "tenant.activate", func(_ *meta.DB, t *Tenant) (map[string]any, error) {
		if t.State != Suspended {
			return nil, fault.New(fault.Conflict, "The tenant is %s, so it cannot be activated.", t.State)
		}
		t.State, t.StateReason = Active, ""
		return nil, nil
	}, c.Policy.UnblockTenant)
}

// Claim records, once, that the tenant's data or its own administration has
// begun: from then on the provider makes no credentials for it.
func (c *Control) Claim(ctx context.Context, tx *meta.DB, id tenant.ID) error {
	t, err := c.tenant(ctx, tx, string(id))
	if err != nil || t.ClaimedAt != nil {
		return err
	}
	now := c.Clock.Now()
	t.ClaimedAt = &now
	if err := c.save(ctx, tx, "tributary", &t); err != nil {
		return err
	}
	return c.Audit.Append(ctx, tx, audit.Entry{Tenant: id, Actor: "tributary", Verb: "tenant.claim", Subject: string(id), Outcome: "ok"})
}

// LoadBlocked tells policy which tenants are not active. It is called once at
// start.
func (c *Control) LoadBlocked(ctx context.Context) error {
	rows, err := c.DB.Query(ctx, `SELECT id FROM tenants WHERE state IN ('suspended', 'erased')`)
	if err != nil {
		return fmt.Errorf("list suspended tenants: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id tenant.ID
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("list suspended tenants: %w", err)
		}
		c.Policy.BlockTenant(id)
	}
	return rows.Err()
}
