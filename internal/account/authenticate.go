package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

var errNotSignedIn = fault.New(fault.Unauthenticated, "The credential is not valid: it may have expired or been revoked. Sign in again, or use another key.")

// ended reports whether a credential is over: revoked, or past its time.
func ended(now time.Time, revoked, expires *time.Time) bool {
	return revoked != nil || expires != nil && !now.Before(*expires)
}

// Authenticate finds who a bearer token belongs to. A renewed token, if there is
// one, replaces it. Everything wrong with it is Unauthenticated in the same words.
func (a *Accounts) Authenticate(ctx context.Context, token string, addr netip.Addr) (p policy.Principal, renewed string, err error) {
	var allow []netip.Prefix
	switch {
	case strings.HasPrefix(token, "trs_"):
		var s Session
		if s, renewed, err = a.session(ctx, token); err != nil {
			return p, "", err
		}
		u, err := a.activeUser(ctx, s.Tenant, s.User)
		if err != nil {
			return p, "", err
		}
		p = policy.Principal{Credential: s.ID, Kind: policy.Session, User: u.ID, Tenant: u.Tenant, Role: u.Role, Address: addr, VerifiedAt: a.Clock.Now()}
	case strings.HasPrefix(token, "trk_"):
		k, err := a.keyOf(ctx, token)
		if err != nil {
			return p, "", err
		}
		allow = k.IPAllow
		p = policy.Principal{Credential: k.ID, Kind: policy.APIKey, Tenant: k.Tenant, Role: k.Role, Address: addr, VerifiedAt: a.Clock.Now()}
	default:
		return p, "", errNotSignedIn
	}
	p, err = a.admit(ctx, p, allow)
	return p, renewed, err
}

// Reverify looks up again the credential that a principal came with, for a transfer
// that outlasts its scope; it is a policy.Verifier. Everything that Authenticate
// asks is asked again but the secret, which is not kept, and the last use of a
// session: its transfer is one.
func (a *Accounts) Reverify(ctx context.Context, p policy.Principal) (policy.Principal, error) {
	now, db := a.Clock.Now(), a.DB.RowsOf(p.Tenant)
	var allow []netip.Prefix
	var over bool
	var err error
	switch p.Kind {
	case policy.Session:
		var s Session
		s, err = a.scanSession(db.QueryRow(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND tenant = $2`, p.Credential, string(p.Tenant)))
		over = s.User != p.User || ended(now, s.revoked, &s.AbsoluteUntil)
	case policy.APIKey:
		var k APIKey
		k, err = a.scanAPIKey(db.QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1 AND tenant = $2`, p.Credential, string(p.Tenant)))
		over, allow, p.Role = ended(now, k.RevokedAt, k.ExpiresAt), k.IPAllow, k.Role
	case policy.SSHKey:
		var k SSHKey
		k, err = a.scanSSHKey(db.QueryRow(ctx, sshKeyQuery+`WHERE k.id = $1 AND k.tenant = $2`, p.Credential, string(p.Tenant)))
		over, allow = k.User != p.User || ended(now, k.RevokedAt, k.ExpiresAt), k.IPAllow
	default:
		return p, errNotSignedIn
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && over {
		return p, errNotSignedIn
	}
	if err != nil {
		return p, fmt.Errorf("look the credential %s up again: %w", p.Credential, err)
	}
	if p.User != "" {
		u, err := a.activeUser(ctx, p.Tenant, p.User)
		if err != nil {
			return p, err
		}
		p.Role = u.Role
	}
	p.VerifiedAt = now
	return a.admit(ctx, p, allow)
}

// Person returns the id of the user behind a credential. Behind an API key it is
// who made it, be it with another key.
func (a *Accounts) Person(ctx context.Context, p policy.Principal) (string, error) {
	id := p.Actor()
	for clock.ValidID("key", id) {
		k, err := a.scanAPIKey(a.DB.RowsOf(p.Tenant).QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1 AND tenant = $2`, id, string(p.Tenant)))
		if err != nil {
			return "", fmt.Errorf("find who is behind %s: %w", p.Actor(), err)
		}
		id = k.CreatedBy
	}
	return id, nil
}

// UnscopedKeyEnded reports whether an API key of a tenant's, or of the provider's for
// "", is revoked or expired, or not there at all: what it made ends with it.
func (a *Accounts) UnscopedKeyEnded(ctx context.Context, id tenant.ID, key string) (bool, error) {
	k, err := a.scanAPIKey(a.DB.RowsOf(id).QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1 AND tenant = $2`, key, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("find API key: %w", err)
	}
	return ended(a.Clock.Now(), k.RevokedAt, k.ExpiresAt), nil
}

func (a *Accounts) activeUser(ctx context.Context, id tenant.ID, user string) (User, error) {
	u, err := a.user(ctx, a.DB, id, user)
	if fault.Is(err, fault.NotFound) || err == nil && u.State != UserActive {
		return u, errNotSignedIn
	}
	return u, err
}

// admit checks what can change without the credential: the tenant's state and
// the addresses it allows.
func (a *Accounts) admit(ctx context.Context, p policy.Principal, allow []netip.Prefix) (policy.Principal, error) {
	if !allowed(allow, p.Address) {
		return p, errNotSignedIn
	}
	if p.Tenant == "" {
		return p, nil
	}
	t, err := a.Control.UnscopedTenant(ctx, string(p.Tenant))
	if err != nil {
		return p, fmt.Errorf("find tenant of credential: %w", err)
	}
	role, ok := admitted(t, p.Role)
	if !ok && t.State == control.Suspended {
		if t.StateReason != "" {
			return p, fault.New(fault.Denied, "This tenant is suspended: %s. Ask the provider.", strings.TrimRight(t.StateReason, ". "))
		}
		return p, fault.New(fault.Denied, "This tenant is suspended. Ask the provider.")
	}
	if !ok || !allowed(t.IPAllow, p.Address) {
		return p, errNotSignedIn
	}
	p.Role, p.Tier = role, t.Tier
	return p, nil
}
