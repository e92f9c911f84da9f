package account

import (
	"context"
	"fmt"

	"tributary/internal/tenant"
)

// UnscopedVerify checks the MAC of every user, second factor, session, API key and SSH key. An
// error means that it could not look.
func (a *Accounts) UnscopedVerify(ctx context.Context, report func(table string, id tenant.ID, row, problem string)) error {
	for _, t := range []struct {
		table, query string
		scan         func(scanner) (tenant.ID, string, error)
	}{
		{"users", `SELECT ` + userColumns + userTables + `ORDER BY u.id`,
			func(r scanner) (tenant.ID, string, error) { u, err := a.scanUser(r); return u.Tenant, u.ID, err }},
		{"second_factors", factorQuery + `ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { f, err := a.scanFactor(r); return f.tenant, f.id, err }},
		{"sessions", `SELECT ` + sessionColumns + ` FROM sessions ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { s, err := a.scanSession(r); return s.Tenant, s.ID, err }},
		{"api_keys", `SELECT ` + apiKeyColumns + ` FROM api_keys ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { k, err := a.scanAPIKey(r); return k.Tenant, k.ID, err }},
		{"ssh_keys", sshKeyQuery + `ORDER BY k.id`,
			func(r scanner) (tenant.ID, string, error) { k, err := a.scanSSHKey(r); return k.Tenant, k.ID, err }},
	} {
		rows, err := a.DB.Unscoped().Query(ctx, t.query)
		if err != nil {
			return fmt.Errorf("list %s: %w", t.table, err)
		}
		for rows.Next() {
			if id, row, err := t.scan(rows); err != nil {
				report(t.table, id, row, err.Error())
			}
		}
	}
	return ctx.Err()
}
