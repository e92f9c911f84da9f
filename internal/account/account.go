// Package account is people and their credentials: users, passwords, sessions,
// API keys and SSH keys, and who they turn out to be. What they may then do is
// decided in package policy.
//
// Who may make a tenant's credentials: the provider, only until the tenant is
// claimed, that is, until its first submission or the first sign-in of one of
// its admins. What the provider made is marked, and ends at that sign-in.
package account

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/oidc"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Config is what Accounts needs; all fields but Notices, Issuer, Log and Hashers are required.
type Config struct {
	DB      *meta.DB
	Keys    *keys.Ring
	Policy  *policy.Engine
	Audit   *audit.Log
	Control *control.Control
	Notices *notify.Notices // nil: nobody is told
	Clock   clock.Clock
	Log     *slog.Logger
	// Issuer is where the provider's people sign in with OIDC; nil: nowhere.
	Issuer *oidc.Issuer
	// SignUp lets whole tenants sign up, with an organisation that nobody has verified.
	SignUp bool
	// Hashers is how many passwords are hashed at once, at 64 MiB each; 0 means 2.
	Hashers int
}

// Accounts keeps users and credentials.
type Accounts struct {
	Config
	hashing chan struct{} // a place for each hash that runs
	waiting chan struct{} // a place for each that waits
	params  *argon2id.Params

	refusals refusals // of SSH keys

	mu     sync.Mutex
	knocks map[string]time.Time // when an attempt at what is locked was recorded last
}

// New makes Accounts.
func New(cfg Config) *Accounts {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Hashers == 0 {
		cfg.Hashers = 2
	}
	return &Accounts{Config: cfg, hashing: make(chan struct{}, cfg.Hashers), waiting: make(chan struct{}, 16*cfg.Hashers), params: hashParams, knocks: map[string]time.Time{}}
}

// Made says who made and last changed a row, and when.
type Made = control.Made

type scanner interface{ Scan(...any) error }

// collect reads all rows before anything is written, since one connection does
// one thing at a time.
func collect[T any](ctx context.Context, db *meta.DB, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// allowed reports whether an address is in a list; an empty list allows all.
func allowed(list []netip.Prefix, addr netip.Addr) bool {
	if len(list) == 0 {
		return true
	}
	addr = addr.Unmap()
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// unclaimed returns the tenant if the provider may still make credentials for
// it, and a Conflict if not.
func (a *Accounts) unclaimed(ctx context.Context, db *meta.DB, id tenant.ID) (control.Tenant, error) {
	t, err := a.Control.UnscopedTenantIn(ctx, db, id)
	if err != nil {
		return t, err
	}
	if t.ClaimedAt != nil {
		return t, fault.New(fault.Conflict, "The tenant %q has data or has signed in since %s, so only its own admins make its credentials.", t.Slug, t.ClaimedAt.Format(time.DateOnly))
	}
	if t.State != control.Active && t.State != control.Onboarding && t.State != control.Suspended {
		return t, fault.New(fault.Conflict, "The tenant %q is %s.", t.Slug, t.State)
	}
	return t, nil
}

// Unmanned reports whether there is no system admin yet.
func (a *Accounts) Unmanned(ctx context.Context) (bool, error) {
	err := noAdmin(ctx, a.DB)
	if fault.Is(err, fault.Conflict) {
		return false, nil
	}
	return err == nil, err
}

// derived reports whether who acts under a tenant's scope does so with a credential
// that the provider made. What it makes then counts as the provider's too, or a
// key made in good time would be a way in that outlives the take-over.
func (a *Accounts) derived(ctx context.Context, tx *meta.DB, id tenant.ID, actor string) (bool, error) {
	for _, table := range []string{"api_keys", "users"} {
		var n int64
		err := tx.RowsOf(id).QueryRow(ctx, `SELECT count(*) FROM `+table+` WHERE id = $1 AND tenant = $2 AND provider_made = 1`, actor, string(id)).Scan(&n)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// record appends an audit entry to the chain of the tenant concerned, and to the
// provider's as well if the provider acted on a tenant.
func (a *Accounts) record(ctx context.Context, tx *meta.DB, id tenant.ID, provider bool, e audit.Entry) error {
	e.Tenant = id
	if err := a.Audit.Append(ctx, tx, e); err != nil {
		return err
	}
	if !provider || id == "" {
		return nil
	}
	e.Tenant, e.Details = "", nil // they name people, and the provider's chain outlives the tenant
	return a.Audit.Append(ctx, tx, e)
}

// EraseTenant removes a tenant's people and credentials. It is safe to repeat.
func (a *Accounts) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase accounts: %q is no tenant", id)
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		count = 0
		for _, table := range []string{"sessions", "known_sign_ins", "second_factors", "account_links", "proven_emails", "tenant_domains", "ssh_keys", "api_keys", "preferences", "users"} {
			n, err := tx.RowsOf(id).Exec(ctx, `DELETE FROM `+table+` WHERE tenant = $1`, string(id))
			if err != nil {
				return fmt.Errorf("erase %s of %s: %w", table, id, err)
			}
			count += n
		}
		return nil
	})
	return "rows of users, preferences, second factors, sessions, known sign-ins, links, domains, API keys and SSH keys deleted and the database compacted", count, err
}
