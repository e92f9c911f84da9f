package control

import (
	"context"
	"fmt"
	"slices"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// many is how many rows are asked for by id at once.
const many = 500

// UnscopedTenantsIn finds those of the tenants, named by id, that there are, within
// a transaction and without their external ids.
func (c *Control) UnscopedTenantsIn(ctx context.Context, tx *meta.DB, ids []tenant.ID) (map[tenant.ID]Tenant, error) {
	found := make(map[tenant.ID]Tenant, len(ids))
	for some := range slices.Chunk(ids, many) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = string(id)
		}
		rows, err := tx.Query(ctx, `SELECT `+tenantColumns+tenantTables+`WHERE t.id IN (`+meta.Placeholders(1, len(args))+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("find tenants: %w", err)
		}
		for rows.Next() {
			t, err := c.scanTenant(rows)
			if err != nil {
				return nil, fmt.Errorf("find tenants: %w", err)
			}
			found[t.ID] = t
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("find tenants: %w", err)
		}
	}
	return found, nil
}

// UnscopedFirstExternalIDs returns, by tenant, how the provider's data names each
// of them first: results say so to their recipients. A tenant without is left out.
func (c *Control) UnscopedFirstExternalIDs(ctx context.Context, tenants []tenant.ID) (map[tenant.ID]string, error) {
	first := make(map[tenant.ID]string, len(tenants))
	for some := range slices.Chunk(tenants, many) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = string(id)
		}
		rows, err := c.DB.Unscoped().Query(ctx, `
			SELECT tenant, external_id, mac FROM external_ids
			WHERE position = 0 AND tenant IN (`+meta.Placeholders(1, len(args))+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("read external ids: %w", err)
		}
		for rows.Next() {
			var id tenant.ID
			var e string
			var mac []byte
			if err := rows.Scan(&id, &e, &mac); err != nil {
				return nil, fmt.Errorf("read external ids: %w", err)
			}
			if err := c.ring.CheckMAC(mac, "external id", e, string(id)); err != nil {
				return nil, fmt.Errorf("external id of %s: %w", id, err)
			}
			first[id] = e
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("read external ids: %w", err)
		}
	}
	return first, nil
}

// UnscopedVerified counts those of the organisations, named by id, that a system
// admin has verified.
func (c *Control) UnscopedVerified(ctx context.Context, ids []string) (int64, error) {
	var n int64
	for some := range slices.Chunk(ids, many) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		rows, err := c.DB.Query(ctx, `SELECT `+organisationColumns+` FROM organisations WHERE id IN (`+meta.Placeholders(1, len(args))+`)`, args...)
		if err != nil {
			return 0, fmt.Errorf("read organisations: %w", err)
		}
		for rows.Next() {
			o, err := c.scanOrganisation(rows)
			if err != nil {
				return 0, fmt.Errorf("read organisations: %w", err)
			}
			if o.VerifiedAt != nil {
				n++
			}
		}
		if err := rows.Err(); err != nil {
			return 0, fmt.Errorf("read organisations: %w", err)
		}
	}
	return n, nil
}
