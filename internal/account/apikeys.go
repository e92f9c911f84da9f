package account

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

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// APIKey is a credential for programs. An admin makes it with a role; it ends
// when it is revoked or expires, or with the key that it was made with.
type APIKey struct {
	ID           string
	Tenant       tenant.ID
	Role         policy.Role
	Name         string
	Hint         string // the secret's last characters
	IPAllow      []netip.Prefix
	ProviderMade bool
	CreatedAt    time.Time
	CreatedBy    string
	ExpiresAt    *time.Time
	UsedAt       *time.Time
	RevokedAt    *time.Time

	hash []byte
}

// NewAPIKey asks for an API key.
type NewAPIKey struct {
	Role      policy.Role
	Name      string
	IPAllow   []netip.Prefix
	ExpiresAt *time.Time
}

const apiKeyColumns = `id, tenant, role, name, secret_hash, hint, ip_allow, provider_made, created_at, created_by, expires_at, used_at, revoked_at, mac`

func (a *Accounts) scanAPIKey(row scanner) (APIKey, error) {
	var k APIKey
	var allow string
	var made, created int64
	var expires, used, revoked sql.NullInt64
	var mac []byte
	if err := row.Scan(&k.ID, &k.Tenant, &k.Role, &k.Name, &k.hash, &k.Hint, &allow, &made, &created, &k.CreatedBy, &expires, &used, &revoked, &mac); err != nil {
		return k, err
	}
	k.ProviderMade, k.CreatedAt, k.ExpiresAt, k.UsedAt, k.RevokedAt = made != 0, meta.Time(created), meta.Moment(expires), meta.Moment(used), meta.Moment(revoked)
	if err := json.Unmarshal([]byte(allow), &k.IPAllow); err != nil {
		return k, fmt.Errorf("API key %s: address list: %w", k.ID, err)
	}
	if err := a.Keys.CheckMAC(mac, "api key", k.fields()...); err != nil {
		return k, fmt.Errorf("API key %s: %w", k.ID, err)
	}
	return k, nil
}

// fields are what the row's MAC covers: all that grants power.
func (k APIKey) fields() []any {
	return []any{k.ID, string(k.Tenant), string(k.Role), k.hash, control.EncodePrefixes(k.IPAllow), k.ProviderMade, k.CreatedBy, meta.MomentMicros(k.ExpiresAt), meta.MomentMicros(k.RevokedAt)}
}

// CreateAPIKey makes a key of the scope's tenant and returns its secret, which
// is not kept.
func (a *Accounts) CreateAPIKey(ctx context.Context, scope tenant.Scope, n NewAPIKey) (APIKey, string, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
		return APIKey{}, "", err
	}
	return a.createAPIKey(ctx, a.DB, scope.Actor(), scope.Tenant(), false, n)
}

// UnscopedCreateAPIKey makes a key of the provider (for ""), or of a tenant that
// is not claimed yet; that of a claimed one is a Conflict.
func (a *Accounts) UnscopedCreateAPIKey(ctx context.Context, by string, id tenant.ID, n NewAPIKey) (APIKey, string, error) {
	return a.createAPIKey(ctx, a.DB, by, id, id != "", n)
}

func (a *Accounts) createAPIKey(ctx context.Context, db *meta.DB, by string, id tenant.ID, provider bool, n NewAPIKey) (APIKey, string, error) {
	now := a.Clock.Now()
	switch {
	case !n.Role.Valid() || n.Role.Staff() != (id == ""):
		return APIKey{}, "", fault.New(fault.Invalid, "The role %q is not one that this key can have: a tenant's are tenant_admin and tenant_user, the provider's system_admin, auditor and analyst.", n.Role)
	case len(n.Name) > 100:
		return APIKey{}, "", fault.New(fault.Invalid, "The key's name is longer than 100 bytes.")
	case n.ExpiresAt != nil && !n.ExpiresAt.After(now):
		return APIKey{}, "", fault.New(fault.Invalid, "The key would expire in the past.")
	}
	if n.Name == "" {
		n.Name = "key of " + now.Format(time.DateOnly)
	}
	secret := "trk_" + a.Clock.Secret(32)
	k := APIKey{ID: a.Clock.ID("key"), Tenant: id, Role: n.Role, Name: n.Name, Hint: secret[len(secret)-4:], IPAllow: n.IPAllow,
		CreatedAt: now, CreatedBy: by, hash: digest(secret)}
	if n.ExpiresAt != nil {
		t := n.ExpiresAt.UTC().Truncate(time.Microsecond)
		k.ExpiresAt = &t
	}
	err := db.Transact(ctx, func(tx *meta.DB) error {
		if provider {
			if _, err := a.unclaimed(ctx, tx, id); err != nil {
				return err
			}
		}
		made, err := a.derived(ctx, tx, id, by)
		if err != nil {
			return fmt.Errorf("look for maker of API key: %w", err)
		}
		k.ProviderMade = provider || made
		if err := a.inherit(ctx, tx, id, by, &k.ExpiresAt, &k.IPAllow); err != nil {
			return err
		}
		if _, err := tx.RowsOf(id).Exec(ctx, `
			INSERT INTO api_keys (id, tenant, role, name, secret_hash, hint, ip_allow, provider_made, created_at, created_by, expires_at, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			k.ID, string(k.Tenant), string(k.Role), k.Name, k.hash, k.Hint, control.EncodePrefixes(k.IPAllow), k.ProviderMade,
			meta.Micros(now), by, k.ExpiresAt, a.Keys.MAC("api key", k.fields()...)); err != nil {
			return fmt.Errorf("insert API key: %w", err)
		}
		if err := a.tellAPIKey(ctx, tx, k); err != nil {
			return err
		}
		return a.record(ctx, tx, id, provider, audit.Entry{Actor: by, Verb: "apikey.create", Subject: k.ID, Outcome: "ok",
			Details: map[string]any{"role": k.Role, "name": k.Name}})
	})
	if err != nil {
		return APIKey{}, "", err
	}
	return k, secret, nil
}

// maker returns the key with which somebody acts, and nil for a person. A person or
// key that has been stopped since the request began makes nothing any more.
func (a *Accounts) maker(ctx context.Context, tx *meta.DB, by string) (*APIKey, error) {
	var k *APIKey
	var stopped bool
	var err error
	switch {
	case clock.ValidID("usr", by):
		var u User
		u, err = a.scanUser(tx.Unscoped().QueryRow(ctx, `SELECT `+userColumns+userTables+`WHERE u.id = $1`, by))
		stopped = u.State != UserActive || !u.Role.Admin()
	case clock.ValidID("key", by):
		var found APIKey
		found, err = a.scanAPIKey(tx.Unscoped().QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1`, by))
		k, stopped = &found, found.RevokedAt != nil
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && stopped {
		return nil, errNotSignedIn
	}
	if err != nil {
		return nil, fmt.Errorf("find the maker %s: %w", by, err)
	}
	return k, nil
}

// inherit sees to it that what a key makes is no wider than the key: it ends with
// it at the latest, and is good from no more addresses. What the provider makes for
// a tenant is bounded by the take-over instead.
func (a *Accounts) inherit(ctx context.Context, tx *meta.DB, id tenant.ID, by string, expires **time.Time, allow *[]netip.Prefix) error {
	k, err := a.maker(ctx, tx, by)
	if err != nil || k == nil || k.Tenant != id {
		return err
	}
	if k.ExpiresAt != nil && (*expires == nil || (*expires).After(*k.ExpiresAt)) {
		*expires = k.ExpiresAt
	}
	if len(*allow) == 0 {
		*allow = k.IPAllow
	}
	for _, p := range *allow {
		if len(k.IPAllow) > 0 && !slices.ContainsFunc(k.IPAllow, func(of netip.Prefix) bool { return of.Bits() <= p.Bits() && of.Contains(p.Addr()) }) {
			return fault.New(fault.Invalid, "The key that this is made with is not good from all of %s.", p)
		}
	}
	return nil
}

// peer refuses a key that expires or is bound to addresses the making of people
// with its own role, or it would be rid of its bounds.
func (a *Accounts) peer(ctx context.Context, tx *meta.DB, id tenant.ID, by string, role policy.Role) error {
	k, err := a.maker(ctx, tx, by)
	if err != nil || k == nil {
		return err
	}
	if k.Tenant == id && k.Role == role && (k.ExpiresAt != nil || len(k.IPAllow) > 0) {
		return fault.New(fault.Denied, "This key expires or is bound to addresses, so it gives nobody a way in as %s. Sign in, or use a key without bounds.", role)
	}
	return nil
}

// keyOf finds the key of a secret, if it may be used now.
func (a *Accounts) keyOf(ctx context.Context, secret string) (APIKey, error) {
	k, err := a.scanAPIKey(a.DB.Unscoped().QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE secret_hash = $1`, digest(secret)))
	if errors.Is(err, sql.ErrNoRows) {
		return k, errNotSignedIn
	}
	if err != nil {
		return k, fmt.Errorf("find API key: %w", err)
	}
	now := a.Clock.Now()
	if ended(now, k.RevokedAt, k.ExpiresAt) {
		return k, errNotSignedIn
	}
	if k.UsedAt == nil || now.Sub(*k.UsedAt) >= noteUse {
		_, err := a.DB.RowsOf(k.Tenant).Exec(ctx, `UPDATE api_keys SET used_at = $1 WHERE id = $2 AND tenant = $3`, meta.Micros(now), k.ID, string(k.Tenant))
		a.noted(ctx, k.ID, err)
	}
	return k, nil
}

// APIKeys lists the keys of the scope's tenant, those that ended too.
func (a *Accounts) APIKeys(ctx context.Context, scope tenant.Scope, page meta.Page) ([]APIKey, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return nil, "", err
	}
	return a.listAPIKeys(ctx, a.DB.RowsOf(scope.Tenant()), scope.Tenant(), page)
}

// UnscopedAPIKeys lists the keys of a tenant, or the provider's for "".
func (a *Accounts) UnscopedAPIKeys(ctx context.Context, id tenant.ID, page meta.Page) ([]APIKey, string, error) {
	return a.listAPIKeys(ctx, a.DB.Unscoped(), id, page)
}

func (a *Accounts) listAPIKeys(ctx context.Context, db *meta.DB, id tenant.ID, page meta.Page) ([]APIKey, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	list, err := collect(ctx, db, a.scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys
		WHERE tenant = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) ORDER BY created_at DESC, id DESC LIMIT $4`,
		string(id), pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list API keys: %w", err)
	}
	list, next := meta.Cut(list, page, func(k APIKey) meta.Position { return meta.Position{At: meta.Micros(k.CreatedAt), ID: k.ID} })
	return list, next, nil
}

// RevokeAPIKey ends a key of the scope's tenant at once, with the API and SSH keys
// that were made with it. The people whom it made stay.
func (a *Accounts) RevokeAPIKey(ctx context.Context, scope tenant.Scope, id string) error {
	return a.revokeAPIKey(ctx, scope.Actor(), id, scope.Tenant(), func() error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedRevokeAPIKey ends any key at once, and what was made with it: taking power
// away is always allowed.
func (a *Accounts) UnscopedRevokeAPIKey(ctx context.Context, by, id string) error {
	return a.revokeAPIKey(ctx, by, id, "", func() error { return nil })
}

func (a *Accounts) revokeAPIKey(ctx context.Context, by, id string, only tenant.ID, check func() error) error {
	return a.revoke(ctx, by, "apikey.revoke", id, only == "", func(tx *meta.DB) (tenant.ID, []string, error) {
		k, err := a.scanAPIKey(tx.Unscoped().QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1 AND ($2 = '' OR tenant = $2)`, id, string(only)))
		if errors.Is(err, sql.ErrNoRows) || err == nil && k.RevokedAt != nil {
			return "", nil, fault.New(fault.NotFound, "There is no API key %q.", id)
		}
		if err != nil {
			return "", nil, fmt.Errorf("find API key: %w", err)
		}
		if err := check(); err != nil {
			return "", nil, err
		}
		if err := a.endAPIKey(ctx, tx, by, &k); err != nil {
			return "", nil, err
		}
		made, err := a.endKeysMadeBy(ctx, tx, by, k.ID, k.Tenant, only == "")
		return k.Tenant, made, err
	})
}

// revoke ends a key at once: end finds it, ends it, and says whose it was and which
// others ended with it.
func (a *Accounts) revoke(ctx context.Context, by, verb, id string, provider bool, end func(tx *meta.DB) (tenant.ID, []string, error)) error {
	var made []string
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		var owner tenant.ID
		var err error
		if owner, made, err = end(tx); err != nil {
			return err
		}
		return a.record(ctx, tx, owner, provider, audit.Entry{Actor: by, Verb: verb, Subject: id, Outcome: "ok"})
	})
	if err == nil {
		a.revoked(append(made, id))
	}
	return err
}

func (a *Accounts) endAPIKey(ctx context.Context, tx *meta.DB, by string, k *APIKey) error {
	now := a.Clock.Now()
	k.RevokedAt = &now
	_, err := tx.RowsOf(k.Tenant).Exec(ctx, `UPDATE api_keys SET revoked_at = $1, revoked_by = $2, mac = $3 WHERE id = $4 AND tenant = $5`,
		meta.Micros(now), by, a.Keys.MAC("api key", k.fields()...), k.ID, string(k.Tenant))
	if err != nil {
		return fmt.Errorf("end API key %s: %w", k.ID, err)
	}
	return nil
}

// endKeysMadeBy ends the API keys that a user or key made, and the API and SSH keys
// that were made with them, with keys that have ended already too. SSH keys that a
// user added itself stay: they are other people's. The provider's people and keys
// may have made some for tenants.
func (a *Accounts) endKeysMadeBy(ctx context.Context, tx *meta.DB, by, maker string, id tenant.ID, provider bool) ([]string, error) {
	var ended []string
	end := func(owner tenant.ID, verb, key string) error {
		ended = append(ended, key)
		return a.record(ctx, tx, owner, provider, audit.Entry{Actor: by, Verb: verb, Subject: key, Outcome: "ok"})
	}
	for makers := []string{maker}; len(makers) > 0; makers = makers[1:] {
		keys, err := collect(ctx, tx.Unscoped(), a.scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE created_by = $1 AND ($2 = '' OR tenant = $2)`, makers[0], string(id))
		if err != nil {
			return nil, fmt.Errorf("list API keys made by %s: %w", makers[0], err)
		}
		for _, k := range keys {
			makers = append(makers, k.ID)
			if k.RevokedAt != nil {
				continue
			}
			if err := a.endAPIKey(ctx, tx, by, &k); err != nil {
				return nil, err
			}
			if err := end(k.Tenant, "apikey.revoke", k.ID); err != nil {
				return nil, err
			}
		}
		if !clock.ValidID("key", makers[0]) {
			continue
		}
		ssh, err := collect(ctx, tx.Unscoped(), a.scanSSHKey, sshKeyQuery+`WHERE k.created_by = $1 AND ($2 = '' OR k.tenant = $2) AND k.revoked_at IS NULL`, makers[0], string(id))
		if err != nil {
			return nil, fmt.Errorf("list SSH keys made by %s: %w", makers[0], err)
		}
		for _, k := range ssh {
			if err := a.endSSHKey(ctx, tx, by, &k); err != nil {
				return nil, err
			}
			if err := end(k.Tenant, "sshkey.revoke", k.ID); err != nil {
				return nil, err
			}
		}
	}
	return ended, nil
}

// endProviderMade ends what the provider made for a tenant when its first admin
// signs in: keys, and the other people's passwords and sessions. The people stay,
// so that the admin can give them passwords of its own.
func (a *Accounts) endProviderMade(ctx context.Context, tx *meta.DB, admin User) ([]string, error) {
	var ended []string
	keys, err := collect(ctx, tx.RowsOf(admin.Tenant), a.scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE tenant = $1 AND provider_made = 1 AND revoked_at IS NULL`, string(admin.Tenant))
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	for _, k := range keys {
		if err := a.endAPIKey(ctx, tx, admin.ID, &k); err != nil {
			return nil, err
		}
		ended = append(ended, k.ID)
	}
	ssh, err := collect(ctx, tx.RowsOf(admin.Tenant), a.scanSSHKey, sshKeyQuery+`WHERE k.tenant = $1 AND k.provider_made = 1 AND k.revoked_at IS NULL`, string(admin.Tenant))
	if err != nil {
		return nil, fmt.Errorf("list SSH keys: %w", err)
	}
	for _, k := range ssh {
		if err := a.endSSHKey(ctx, tx, admin.ID, &k); err != nil {
			return nil, err
		}
		ended = append(ended, k.ID)
	}
	users, err := collect(ctx, tx.RowsOf(admin.Tenant), a.scanUser, `SELECT `+userColumns+userTables+`WHERE u.tenant = $1 AND u.provider_made = 1 AND u.id <> $2`, string(admin.Tenant), admin.ID)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	for _, u := range users {
		if err := a.endLinks(ctx, tx, u, ""); err != nil {
			return nil, err
		}
		if u.State == UserInvited {
			if err := a.removeInvited(ctx, tx, u); err != nil {
				return nil, err
			}
			continue
		}
		u.password, u.secondFactor = "", "" // whoever knew the password may have turned it on
		if err := a.saveUser(ctx, tx, admin.ID, &u); err != nil {
			return nil, err
		}
		if err := a.dropFactors(ctx, tx, u, ""); err != nil {
			return nil, err
		}
		sessions, err := a.endSessions(ctx, tx, u)
		if err != nil {
			return nil, err
		}
		ended = append(ended, sessions...)
	}
	return ended, nil
}

// FirstAdmin makes the first system admin, with a password, and an API key for
// it. It is a Conflict when there is one.
func (a *Accounts) FirstAdmin(ctx context.Context, email, password string) (u User, secret string, err error) {
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := noAdmin(ctx, tx); err != nil {
			return err
		}
		if u, err = a.createUser(ctx, tx, "setup", "", false, NewUser{Email: strings.TrimSpace(email), Role: policy.SystemAdmin, Password: password}); err != nil {
			return err
		}
		_, secret, err = a.createAPIKey(ctx, tx, u.ID, "", false, NewAPIKey{Role: policy.SystemAdmin, Name: "setup"})
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return u, secret, nil
}

// noAdmin is a Conflict when there is a system admin.
func noAdmin(ctx context.Context, tx *meta.DB) error {
	var admins int64
	if err := tx.Unscoped().QueryRow(ctx, `SELECT count(*) FROM users WHERE tenant = '' AND role = $1`, string(policy.SystemAdmin)).Scan(&admins); err != nil {
		return fmt.Errorf("count system admins: %w", err)
	}
	if admins > 0 {
		return fault.New(fault.Conflict, "There is a system admin already; sign in, or ask one to make another.")
	}
	return nil
}

// SetupLink makes a single-use token with which the first system admin can be
// made within 15 minutes. It is a Conflict when there is one.
func (a *Accounts) SetupLink(ctx context.Context) (token string, expires time.Time, err error) {
	token, expires = "tru_"+a.Clock.Secret(32), a.Clock.Now().Add(15*time.Minute)
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := noAdmin(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM setup_links`); err != nil {
			return fmt.Errorf("drop earlier setup links: %w", err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO setup_links (token_hash, expires_at) VALUES ($1, $2)`, a.linkMAC(token, meta.Micros(expires)), meta.Micros(expires))
		return err
	})
	return token, expires, err
}

// linkMAC is what is kept of a setup link. Unlike a hash, it cannot be made by who
// can write the database.
func (a *Accounts) linkMAC(token string, expires int64) []byte {
	return a.Keys.MAC("setup link", digest(token), expires)
}

// ClaimSetup uses a setup link. The token is spent even if the rest fails, and
// setup-link makes another.
func (a *Accounts) ClaimSetup(ctx context.Context, token, email, password string) (User, string, error) {
	if err := checkPassword(password); err != nil {
		return User{}, "", err
	}
	var used int64
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		used = 0
		now := meta.Micros(a.Clock.Now())
		links, err := collect(ctx, tx, func(row scanner) (expires int64, err error) { return expires, row.Scan(&expires) },
			`SELECT expires_at FROM setup_links WHERE used_at IS NULL AND expires_at > $1`, now)
		if err != nil {
			return err
		}
		for _, expires := range links {
			n, err := tx.Exec(ctx, `UPDATE setup_links SET used_at = $1 WHERE token_hash = $2 AND expires_at = $3`, now, a.linkMAC(token, expires), expires)
			if err != nil {
				return err
			}
			used += n
		}
		return nil
	})
	if err != nil {
		return User{}, "", fmt.Errorf("use setup link: %w", err)
	}
	if used == 0 {
		return User{}, "", fault.New(fault.Unauthenticated, "The setup link is used, expired or wrong. Run `tributary setup-link` on the server for a new one.")
	}
	return a.FirstAdmin(ctx, email, password)
}
