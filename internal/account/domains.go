package account

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Domain is one whose people may sign up to a tenant by themselves, once an admin of the
// tenant has approved it. It belongs to one tenant only. That it is the tenant's is proven by
// an address in it that one of its users has shown to be theirs, or vouched for by the
// provider; which alone lets nobody in. It ends when an admin, or the provider, removes it.
type Domain struct {
	ID         string
	Tenant     tenant.ID
	Domain     string
	VouchedAt  *time.Time // nil: the provider has not said that it is the tenant's
	VouchedBy  string
	ApprovedAt *time.Time // nil: nobody can sign up with it yet
	ApprovedBy string
	Proof      string // of the approval: the user whose address it was, or "provider"
	CreatedAt  time.Time
}

const domainColumns = `id, tenant, domain, vouched_at, vouched_by, approved_at, approved_by, proof, created_at, mac`

func (a *Accounts) scanDomain(row scanner) (Domain, error) {
	var d Domain
	var vouched, approved sql.NullInt64
	var created int64
	var mac []byte
	if err := row.Scan(&d.ID, &d.Tenant, &d.Domain, &vouched, &d.VouchedBy, &approved, &d.ApprovedBy, &d.Proof, &created, &mac); err != nil {
		return d, err
	}
	d.VouchedAt, d.ApprovedAt, d.CreatedAt = meta.Moment(vouched), meta.Moment(approved), meta.Time(created)
	if err := a.Keys.CheckMAC(mac, "tenant domain", d.fields()...); err != nil {
		return d, fmt.Errorf("domain %s: %w", d.ID, err)
	}
	return d, nil
}

// fields are what the row's MAC covers: all that grants power.
func (d Domain) fields() []any {
	return []any{d.ID, string(d.Tenant), d.Domain, meta.MomentMicros(d.VouchedAt), d.VouchedBy, meta.MomentMicros(d.ApprovedAt), d.ApprovedBy, d.Proof}
}

//go:embed publicmail.txt
var publicMailText string

// publicMail are domains where anybody can have an address.
var publicMail = strings.Fields(publicMailText)

var domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)

func checkDomain(domain string) (string, error) {
	domain = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(domain), "@"))
	if len(domain) > 253 || !domainForm.MatchString(domain) {
		return "", fault.New(fault.Invalid, "%q is not a domain such as example.com. Write one with other letters than a to z in its xn-- form.", domain)
	}
	for rest := domain; strings.Contains(rest, "."); _, rest, _ = strings.Cut(rest, ".") {
		if slices.Contains(publicMail, rest) {
			return "", fault.New(fault.Invalid, "Anybody can have an address at %s, so it says nothing of who belongs to you.", domain)
		}
	}
	return domain, nil
}

// Domains lists the domains of the scope's tenant, by name.
func (a *Accounts) Domains(ctx context.Context, scope tenant.Scope) ([]Domain, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return nil, err
	}
	return a.UnscopedDomains(ctx, scope.Tenant())
}

// UnscopedDomains lists the domains of a tenant, by name.
func (a *Accounts) UnscopedDomains(ctx context.Context, id tenant.ID) ([]Domain, error) {
	list, err := collect(ctx, a.DB.RowsOf(id), a.scanDomain, `SELECT `+domainColumns+` FROM tenant_domains WHERE tenant = $1 ORDER BY domain`, string(id))
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	return list, nil
}

// mostDomains is how many a tenant may have.
const mostDomains = 100

var errTaken = fault.New(fault.Conflict, "This domain belongs to another tenant already. Ask the provider.")

// ApproveDomain lets people with an address in the domain sign up to the scope's tenant,
// as users. The provider must have vouched for it, or a user of the tenant must have
// proven an address in it and the tenant's organisation be verified.
func (a *Accounts) ApproveDomain(ctx context.Context, scope tenant.Scope, domain string) (Domain, error) {
	domain, err := checkDomain(domain)
	if err != nil {
		return Domain{}, err
	}
	id := scope.Tenant()
	var d Domain
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := scope.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
			return err
		}
		if made, err := a.derived(ctx, tx, id, scope.Actor()); err != nil || made {
			return orElse(err, fault.New(fault.Denied, "The provider made this credential; a domain is approved by the tenant's own."))
		}
		found, err := a.domain(ctx, tx, id, domain)
		if err != nil {
			return err
		}
		if found.ApprovedAt != nil {
			d = found
			return nil
		}
		now := a.Clock.Now()
		found.ApprovedAt, found.ApprovedBy, found.Proof = &now, scope.Actor(), "provider"
		if found.VouchedAt == nil {
			if found.Proof, err = a.provesDomain(ctx, tx, id, domain); err != nil {
				return err
			}
		}
		if err := a.saveDomain(ctx, tx, &found); err != nil {
			return err
		}
		d = found
		return a.record(ctx, tx, id, false, audit.Entry{Actor: scope.Actor(), Verb: "domain.approve", Subject: found.ID, Outcome: "ok", Details: map[string]any{"domain": domain, "proof": found.Proof}})
	})
	return d, err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// UnscopedVouch notes that the provider knows a domain to be a tenant's. Its admins can
// approve it then; before they do nobody signs up with it.
func (a *Accounts) UnscopedVouch(ctx context.Context, by string, id tenant.ID, domain string) (Domain, error) {
	domain, err := checkDomain(domain)
	if err != nil {
		return Domain{}, err
	}
	var d Domain
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		t, err := a.Control.UnscopedTenantIn(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.State != control.Active && t.State != control.Suspended {
			return fault.New(fault.Conflict, "The tenant %q is %s.", t.Slug, t.State)
		}
		found, err := a.domain(ctx, tx, id, domain)
		if err != nil {
			return err
		}
		if found.VouchedAt != nil {
			d = found
			return nil
		}
		now := a.Clock.Now()
		found.VouchedAt, found.VouchedBy = &now, by
		if err := a.saveDomain(ctx, tx, &found); err != nil {
			return err
		}
		d = found
		return a.record(ctx, tx, id, true, audit.Entry{Actor: by, Verb: "domain.vouch", Subject: found.ID, Outcome: "ok", Details: map[string]any{"domain": domain}})
	})
	return d, err
}

// domain finds a tenant's domain, or begins one.
func (a *Accounts) domain(ctx context.Context, tx *meta.DB, id tenant.ID, domain string) (Domain, error) {
	d, err := a.scanDomain(tx.RowsOf(id).QueryRow(ctx, `SELECT `+domainColumns+` FROM tenant_domains WHERE tenant = $1 AND domain = $2`, string(id), domain))
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return d, err
	}
	var others, mine int64
	if err := tx.Unscoped().QueryRow(ctx, `SELECT COALESCE(SUM(CASE WHEN domain = $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN tenant = $2 THEN 1 ELSE 0 END), 0) FROM tenant_domains`,
		domain, string(id)).Scan(&others, &mine); err != nil {
		return d, fmt.Errorf("look for domain: %w", err)
	}
	if others > 0 {
		return d, errTaken
	}
	if mine >= mostDomains {
		return d, fault.New(fault.Conflict, "A tenant has %d domains at most.", mostDomains)
	}
	return Domain{ID: a.Clock.ID("dom"), Tenant: id, Domain: domain, CreatedAt: a.Clock.Now()}, nil
}

func (a *Accounts) saveDomain(ctx context.Context, tx *meta.DB, d *Domain) error {
	_, err := tx.RowsOf(d.Tenant).Exec(ctx, `
		INSERT INTO tenant_domains (`+domainColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET vouched_at = excluded.vouched_at, vouched_by = excluded.vouched_by, approved_at = excluded.approved_at, approved_by = excluded.approved_by, proof = excluded.proof, mac = excluded.mac`,
		d.ID, string(d.Tenant), d.Domain, d.VouchedAt, d.VouchedBy, d.ApprovedAt, d.ApprovedBy, d.Proof, meta.Micros(d.CreatedAt), a.Keys.MAC("tenant domain", d.fields()...))
	if meta.IsUnique(err) {
		return errTaken
	}
	if err != nil {
		return fmt.Errorf("save domain: %w", err)
	}
	return nil
}

// provesDomain returns the user whose address proves that a domain is the tenant's.
func (a *Accounts) provesDomain(ctx context.Context, tx *meta.DB, id tenant.ID, domain string) (string, error) {
	type proof struct{ user, email string }
	list, err := collect(ctx, tx.RowsOf(id), func(r scanner) (p proof, err error) {
		var at int64
		var mac []byte
		if err := r.Scan(&p.user, &p.email, &at, &mac); err != nil {
			return p, err
		}
		return p, a.Keys.CheckMAC(mac, "proven email", string(id), p.user, p.email, at)
	}, `SELECT p.user_id, p.email, p.proven_at, p.mac FROM proven_emails p JOIN users u ON u.id = p.user_id AND u.tenant = p.tenant AND u.email = p.email
		WHERE p.tenant = $1 AND u.state = $2 ORDER BY p.proven_at`, string(id), string(UserActive))
	if err != nil {
		return "", fmt.Errorf("list proven addresses: %w", err)
	}
	for _, p := range list {
		if _, at, _ := strings.Cut(p.email, "@"); at != domain {
			continue
		}
		owners, err := a.Control.UnscopedOrganisationOf(ctx, tx, id)
		if err != nil {
			return "", err
		}
		if owners.VerifiedAt == nil {
			return "", fault.New(fault.Denied, "Your organisation is not verified, so the provider has to vouch for the domain first. Ask it to.")
		}
		return p.user, nil
	}
	return "", fault.New(fault.Denied, "Nobody of you has proven an address at %s: an invitation, a code or a link to set a password that was mailed there and used. Do that, or ask the provider to vouch for the domain.", domain)
}

// RemoveDomain ends a domain of the scope's tenant. Who has signed up with it stays.
func (a *Accounts) RemoveDomain(ctx context.Context, scope tenant.Scope, id string) error {
	return a.removeDomain(ctx, scope.Actor(), scope.Tenant(), id, false, func() error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedRemoveDomain ends any tenant's domain, which takes power away.
func (a *Accounts) UnscopedRemoveDomain(ctx context.Context, by, id string) error {
	var home tenant.ID
	err := a.DB.Unscoped().QueryRow(ctx, `SELECT tenant FROM tenant_domains WHERE id = $1`, id).Scan(&home)
	if errors.Is(err, sql.ErrNoRows) {
		return noDomain(id)
	}
	if err != nil {
		return fmt.Errorf("find domain: %w", err)
	}
	return a.removeDomain(ctx, by, home, id, true, func() error { return nil })
}

func noDomain(id string) error { return fault.New(fault.NotFound, "There is no domain %q.", id) }

func (a *Accounts) removeDomain(ctx context.Context, by string, home tenant.ID, id string, provider bool, check func() error) error {
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		var domain string
		err := tx.RowsOf(home).QueryRow(ctx, `SELECT domain FROM tenant_domains WHERE id = $1 AND tenant = $2`, id, string(home)).Scan(&domain)
		if errors.Is(err, sql.ErrNoRows) {
			return noDomain(id)
		}
		if err != nil {
			return fmt.Errorf("find domain: %w", err)
		}
		if err := check(); err != nil {
			return err
		}
		if _, err := tx.RowsOf(home).Exec(ctx, `DELETE FROM tenant_domains WHERE id = $1 AND tenant = $2`, id, string(home)); err != nil {
			return fmt.Errorf("remove domain: %w", err)
		}
		return a.record(ctx, tx, home, provider, audit.Entry{Actor: by, Verb: "domain.remove", Subject: id, Outcome: "ok", Details: map[string]any{"domain": domain}})
	})
}

// signsUpTo finds the tenant that people with an address sign up to; "" is none.
func (a *Accounts) signsUpTo(ctx context.Context, db *meta.DB, email string) (tenant.ID, error) {
	_, domain, _ := strings.Cut(email, "@")
	d, err := a.scanDomain(db.Unscoped().QueryRow(ctx, `SELECT `+domainColumns+` FROM tenant_domains WHERE domain = $1 AND approved_at IS NOT NULL`, domain))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find domain: %w", err)
	}
	return d.Tenant, nil
}
