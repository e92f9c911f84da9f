package account

import (
	"context"
	"fmt"

	"tributary/internal/tenant"
)

// UnscopedVerify checks the MAC of every user, second factor, session, link, domain, identity, API key and SSH key. An
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
		{"account_links", `SELECT ` + linkColumns + ` FROM account_links ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { l, err := a.scanLink(r); return l.tenant, l.id, err }},
		{"account_asks", `SELECT ` + askColumns + ` FROM account_asks ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { q, err := a.scanAsk(r); return "", q.id, err }},
		{"tenant_domains", `SELECT ` + domainColumns + ` FROM tenant_domains ORDER BY id`,
			func(r scanner) (tenant.ID, string, error) { d, err := a.scanDomain(r); return d.Tenant, d.ID, err }},
		{"staff_identities", `SELECT ` + identityColumns + ` FROM staff_identities ORDER BY user_id`,
			func(r scanner) (tenant.ID, string, error) { i, err := a.scanIdentity(r); return "", i.user, err }},
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
