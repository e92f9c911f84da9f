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

// byIDs runs a query that ends in IN for the ids, some at a time, and visits its
// rows. what names them in errors.
func byIDs[T ~string](ctx context.Context, db *meta.DB, what, query string, ids []T, visit func(scanner) error) error {
	for some := range slices.Chunk(ids, many) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = string(id)
		}
		rows, err := db.Query(ctx, query+` (`+meta.Placeholders(1, len(args))+`)`, args...)
		if err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
		for rows.Next() {
			if err := visit(rows); err != nil {
				return fmt.Errorf("read %s: %w", what, err)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	return nil
}

// UnscopedTenantsIn finds those of the tenants, named by id, that there are, within
// a transaction and without their external ids.
func (c *Control) UnscopedTenantsIn(ctx context.Context, tx *meta.DB, ids []tenant.ID) (map[tenant.ID]Tenant, error) {
	found := make(map[tenant.ID]Tenant, len(ids))
	err := byIDs(ctx, tx, "tenants", `SELECT `+tenantColumns+tenantTables+`WHERE t.id IN`, ids, func(row scanner) error {
		t, err := c.scanTenant(row)
		found[t.ID] = t
		return err
	})
	return found, err
}

// UnscopedFirstExternalIDs returns, by tenant, how the provider's data names each
// of them first: results say so to their recipients. A tenant without is left out.
func (c *Control) UnscopedFirstExternalIDs(ctx context.Context, tenants []tenant.ID) (map[tenant.ID]string, error) {
	first := make(map[tenant.ID]string, len(tenants))
	err := byIDs(ctx, c.DB.Unscoped(), "external ids", `SELECT tenant, external_id, mac FROM external_ids WHERE position = 0 AND tenant IN`, tenants, func(row scanner) error {
		var id tenant.ID
		var e string
		var mac []byte
		if err := row.Scan(&id, &e, &mac); err != nil {
			return err
		}
		if err := c.ring.CheckMAC(mac, "external id", e, string(id)); err != nil {
			return fmt.Errorf("of %s: %w", id, err)
		}
		first[id] = e
		return nil
	})
	return first, err
}

// UnscopedVerified counts those of the organisations, named by id, that a system
// admin has verified.
func (c *Control) UnscopedVerified(ctx context.Context, ids []string) (n int64, err error) {
	err = byIDs(ctx, c.DB, "organisations", `SELECT `+organisationColumns+` FROM organisations WHERE id IN`, ids, func(row scanner) error {
		o, err := c.scanOrganisation(row)
		if o.VerifiedAt != nil {
			n++
		}
		return err
	})
	return n, err
}

// UnscopedCounting returns those of the organisations, named by id, whose tenants take
// part in runs.
func (c *Control) UnscopedCounting(ctx context.Context, tx *meta.DB, ids []string) (map[string]bool, error) {
	counting := map[string]bool{}
	err := byIDs(ctx, tx, "organisations", `SELECT `+organisationColumns+` FROM organisations WHERE id IN`, ids, func(row scanner) error {
		o, err := c.scanOrganisation(row)
		if err == nil && o.Counts() {
			counting[o.ID] = true
		}
		return err
	})
	return counting, err
}
