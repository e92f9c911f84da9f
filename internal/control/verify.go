package control

import (
	"context"
	"fmt"

	"tributary/internal/keys"
	"tributary/internal/tenant"
)

// Finding is a row that is not what was written.
type Finding struct {
	Table   string
	Tenant  tenant.ID
	ID      string
	Problem string
}

// UnscopedVerify checks the MAC of every organisation, tenant, external id,
// legal hold and wrapped key, and that both keys of each tenant open. An error means that it
// could not look.
func (c *Control) UnscopedVerify(ctx context.Context, report func(Finding)) error {
	rows, err := c.DB.Query(ctx, `SELECT `+organisationColumns+` FROM organisations ORDER BY id`)
	if err != nil {
		return fmt.Errorf("list organisations: %w", err)
	}
	for rows.Next() {
		if o, err := c.scanOrganisation(rows); err != nil {
			report(Finding{Table: "organisations", ID: o.ID, Problem: err.Error()})
		}
	}
	rows, err = c.DB.Query(ctx, `SELECT `+tenantColumns+tenantTables+`ORDER BY t.id`)
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	for rows.Next() {
		t, err := c.scanTenant(rows)
		if err != nil {
			report(Finding{Table: "tenants", Tenant: t.ID, Problem: err.Error()})
			continue
		}
		if _, err := c.externalIDs(ctx, c.DB, t.ID); err != nil {
			report(Finding{Table: "external_ids", Tenant: t.ID, Problem: err.Error()})
		}
		if t.State != Active && t.State != Suspended {
			continue
		}
		for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
			if _, err := c.ring.Encrypt(ctx, t.ID, p, nil, []byte("verify")); err != nil {
				report(Finding{Table: "tenant_keys", Tenant: t.ID, ID: string(p), Problem: err.Error()})
			}
		}
	}
	rows, err = c.DB.Unscoped().Query(ctx, `SELECT `+holdColumns+` FROM holds ORDER BY id`)
	if err != nil {
		return fmt.Errorf("list holds: %w", err)
	}
	for rows.Next() {
		if h, err := c.scanHold(ctx, rows); err != nil {
			report(Finding{Table: "holds", Tenant: h.Tenant, ID: h.ID, Problem: err.Error()})
		}
	}
	return ctx.Err()
}
