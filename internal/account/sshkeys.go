package account

import (
	"context"
	"crypto/rsa"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// SSHKey is a public key that signs a user in over SFTP.
type SSHKey struct {
	ID           string
	Tenant       tenant.ID
	User         string
	Name         string
	PublicKey    string // authorized_keys form without comment
	Fingerprint  string // SHA256:…
	IPAllow      []netip.Prefix
	ProviderMade bool
	CreatedAt    time.Time
	CreatedBy    string
	ExpiresAt    *time.Time
	UsedAt       *time.Time
	RevokedAt    *time.Time
}

// NewSSHKey asks for an SSH key.
type NewSSHKey struct {
	Name      string
	PublicKey string // a line of authorized_keys
	IPAllow   []netip.Prefix
	ExpiresAt *time.Time

	line, fingerprint string // set by check
}

// check parses the line: one key, of a kind that is strong today, no options.
func (n *NewSSHKey) check(now time.Time) error {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(n.PublicKey))
	if err != nil || len(options) > 0 || len(strings.TrimSpace(string(rest))) > 0 {
		return fault.New(fault.Invalid, "The SSH key is not one line of a public key file, such as ~/.ssh/id_ed25519.pub.")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
	case ssh.KeyAlgoRSA:
		public, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return fault.New(fault.Invalid, "The SSH key is not readable.")
		}
		if r, ok := public.CryptoPublicKey().(*rsa.PublicKey); !ok || r.N.BitLen() < 3072 {
			return fault.New(fault.Invalid, "The RSA key is shorter than 3072 bits. Make one with ssh-keygen -t ed25519.")
		}
	default:
		return fault.New(fault.Invalid, "SSH keys of type %s are not accepted. Make one with ssh-keygen -t ed25519.", key.Type())
	}
	if n.Name == "" || len(n.Name) > 100 {
		return fault.New(fault.Invalid, "The SSH key needs a name of 1 to 100 bytes.")
	}
	if n.ExpiresAt != nil && !n.ExpiresAt.After(now) {
		return fault.New(fault.Invalid, "The key would expire in the past.")
	}
	n.line = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	n.fingerprint = ssh.FingerprintSHA256(key)
	return nil
}

const sshKeyQuery = `SELECT k.id, k.tenant, k.user_id, k.name, k.public_key, k.fingerprint, k.ip_allow, k.provider_made, k.created_at, k.created_by,
	k.expires_at, k.used_at, k.revoked_at, k.mac FROM ssh_keys k `

func (a *Accounts) scanSSHKey(row scanner) (SSHKey, error) {
	var k SSHKey
	var allow string
	var made, created int64
	var expires, used, revoked sql.NullInt64
	var mac []byte
	if err := row.Scan(&k.ID, &k.Tenant, &k.User, &k.Name, &k.PublicKey, &k.Fingerprint, &allow, &made, &created, &k.CreatedBy, &expires, &used, &revoked, &mac); err != nil {
		return k, err
	}
	k.ProviderMade, k.CreatedAt, k.ExpiresAt, k.UsedAt, k.RevokedAt = made != 0, meta.Time(created), meta.Moment(expires), meta.Moment(used), meta.Moment(revoked)
	if err := json.Unmarshal([]byte(allow), &k.IPAllow); err != nil {
		return k, fmt.Errorf("SSH key %s: address list: %w", k.ID, err)
	}
	if err := a.Keys.CheckMAC(mac, "ssh key", k.fields()...); err != nil {
		return k, fmt.Errorf("SSH key %s: %w", k.ID, err)
	}
	return k, nil
}

// fields are what the row's MAC covers: all that grants power.
func (k SSHKey) fields() []any {
	return []any{k.ID, string(k.Tenant), k.User, k.PublicKey, control.EncodePrefixes(k.IPAllow), k.ProviderMade, meta.MomentMicros(k.ExpiresAt), meta.MomentMicros(k.RevokedAt)}
}

// AddSSHKey adds a key to a user of the scope's tenant.
func (a *Accounts) AddSSHKey(ctx context.Context, scope tenant.Scope, user string, n NewSSHKey) (SSHKey, error) {
	return a.addSSHKey(ctx, scope.Actor(), scope.Tenant(), user, false, n,
		func() error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(user)) })
}

// UnscopedAddSSHKey adds a key to a user of a tenant that is not claimed yet.
func (a *Accounts) UnscopedAddSSHKey(ctx context.Context, by, user string, n NewSSHKey) (SSHKey, error) {
	u, err := a.UnscopedUser(ctx, user)
	if err != nil {
		return SSHKey{}, err
	}
	if u.Tenant == "" {
		return SSHKey{}, errStaffSSH
	}
	return a.addSSHKey(ctx, by, u.Tenant, user, true, n, func() error { return nil })
}

// AddOwnSSHKey adds a key to oneself. It takes the password: what outlives a session is not
// made by who merely found one open.
func (a *Accounts) AddOwnSSHKey(ctx context.Context, p policy.Principal, password string, n NewSSHKey) (SSHKey, error) {
	if p.Tenant == "" {
		return SSHKey{}, errStaffSSH
	}
	if _, err := a.prove(ctx, p, password); err != nil {
		return SSHKey{}, err
	}
	return a.addSSHKey(ctx, p.User, p.Tenant, p.User, false, n, func() error { return nil })
}

var errStaffSSH = fault.New(fault.Invalid, "SSH keys are for tenants' people: only they have files to exchange.")

func (a *Accounts) addSSHKey(ctx context.Context, by string, id tenant.ID, user string, provider bool, n NewSSHKey, check func() error) (SSHKey, error) {
	if err := n.check(a.Clock.Now()); err != nil {
		return SSHKey{}, err
	}
	var k SSHKey
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		u, err := a.user(ctx, tx, id, user)
		if err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		if provider {
			if _, err := a.unclaimed(ctx, tx, id); err != nil {
				return err
			}
		}
		k, err = a.insertSSHKey(ctx, tx, by, u, provider, n)
		return err
	})
	return k, err
}

func (a *Accounts) insertSSHKey(ctx context.Context, tx *meta.DB, by string, u User, provider bool, n NewSSHKey) (SSHKey, error) {
	if u.State == UserInvited {
		return SSHKey{}, errInvited
	}
	made, err := a.derived(ctx, tx, u.Tenant, by)
	if err != nil {
		return SSHKey{}, fmt.Errorf("look for maker of SSH key: %w", err)
	}
	now := a.Clock.Now()
	k := SSHKey{ID: a.Clock.ID("ssh"), Tenant: u.Tenant, User: u.ID, Name: n.Name, PublicKey: n.line, Fingerprint: n.fingerprint,
		IPAllow: n.IPAllow, ProviderMade: provider || made, CreatedAt: now, CreatedBy: by}
	if n.ExpiresAt != nil {
		t := n.ExpiresAt.UTC().Truncate(time.Microsecond)
		k.ExpiresAt = &t
	}
	if by == u.ID { // people make their own
		if u.State != UserActive {
			return k, errNotSignedIn
		}
	} else if err := a.inherit(ctx, tx, u.Tenant, by, &k.ExpiresAt, &k.IPAllow); err != nil {
		return k, err
	}
	// A key that was revoked may be added again; its old row gives way.
	if _, err := tx.RowsOf(u.Tenant).Exec(ctx, `DELETE FROM ssh_keys WHERE user_id = $1 AND fingerprint = $2 AND revoked_at IS NOT NULL AND tenant = $3`, u.ID, k.Fingerprint, string(u.Tenant)); err != nil {
		return k, fmt.Errorf("replace SSH key: %w", err)
	}
	_, err = tx.RowsOf(u.Tenant).Exec(ctx, `
		INSERT INTO ssh_keys (id, tenant, user_id, name, public_key, fingerprint, ip_allow, provider_made, created_at, created_by, expires_at, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		k.ID, string(k.Tenant), k.User, k.Name, k.PublicKey, k.Fingerprint, control.EncodePrefixes(k.IPAllow), k.ProviderMade,
		meta.Micros(now), by, k.ExpiresAt, a.Keys.MAC("ssh key", k.fields()...))
	if meta.IsUnique(err) {
		return k, fault.New(fault.Conflict, "The user has this SSH key (%s) already.", k.Fingerprint)
	}
	if err != nil {
		return k, fmt.Errorf("insert SSH key: %w", err)
	}
	if err := a.tellSSHKey(ctx, tx, k); err != nil {
		return k, err
	}
	return k, a.record(ctx, tx, u.Tenant, provider, audit.Entry{Actor: by, Verb: "sshkey.create", Subject: k.ID, Outcome: "ok",
		Details: map[string]any{"user": u.ID, "fingerprint": k.Fingerprint, "name": k.Name}})
}

// SSHKeys lists the keys of a user of the scope's tenant.
func (a *Accounts) SSHKeys(ctx context.Context, scope tenant.Scope, user string) ([]SSHKey, error) {
	if _, err := a.User(ctx, scope, user); err != nil {
		return nil, err
	}
	return a.sshKeys(ctx, scope.Tenant(), user)
}

// UnscopedSSHKeys lists the keys of any user.
func (a *Accounts) UnscopedSSHKeys(ctx context.Context, user string) ([]SSHKey, error) {
	u, err := a.UnscopedUser(ctx, user)
	if err != nil {
		return nil, err
	}
	return a.sshKeys(ctx, u.Tenant, user)
}

// OwnSSHKeys lists one's own keys.
func (a *Accounts) OwnSSHKeys(ctx context.Context, p policy.Principal) ([]SSHKey, error) {
	return a.sshKeys(ctx, p.Tenant, p.User)
}

func (a *Accounts) sshKeys(ctx context.Context, id tenant.ID, user string) ([]SSHKey, error) {
	list, err := collect(ctx, a.DB.RowsOf(id), a.scanSSHKey, sshKeyQuery+`WHERE k.user_id = $1 AND k.tenant = $2 ORDER BY k.created_at DESC, k.id`, user, string(id))
	if err != nil {
		return nil, fmt.Errorf("list SSH keys: %w", err)
	}
	return list, nil
}

// RevokeSSHKey ends a key of the scope's tenant at once.
func (a *Accounts) RevokeSSHKey(ctx context.Context, scope tenant.Scope, id string) error {
	return a.revokeSSHKey(ctx, scope.Actor(), id, scope.Tenant(), func(SSHKey) error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// RevokeOwnSSHKey ends a key of one's own at once.
func (a *Accounts) RevokeOwnSSHKey(ctx context.Context, p policy.Principal, id string) error {
	return a.revokeSSHKey(ctx, p.User, id, p.Tenant, func(k SSHKey) error {
		if k.User != p.User {
			return noSSHKey(id)
		}
		return nil
	})
}

func noSSHKey(id string) error { return fault.New(fault.NotFound, "There is no SSH key %q.", id) }

// UnscopedRevokeSSHKey ends any key at once.
func (a *Accounts) UnscopedRevokeSSHKey(ctx context.Context, by, id string) error {
	return a.revokeSSHKey(ctx, by, id, "", func(SSHKey) error { return nil })
}

func (a *Accounts) revokeSSHKey(ctx context.Context, by, id string, only tenant.ID, check func(SSHKey) error) error {
	return a.revoke(ctx, by, "sshkey.revoke", id, only == "", func(tx *meta.DB) (tenant.ID, []string, error) {
		k, err := a.scanSSHKey(tx.Unscoped().QueryRow(ctx, sshKeyQuery+`WHERE k.id = $1 AND ($2 = '' OR k.tenant = $2)`, id, string(only)))
		if errors.Is(err, sql.ErrNoRows) || err == nil && k.RevokedAt != nil {
			return "", nil, noSSHKey(id)
		}
		if err != nil {
			return "", nil, fmt.Errorf("find SSH key: %w", err)
		}
		if err := check(k); err != nil {
			return "", nil, err
		}
		return k.Tenant, nil, a.endSSHKey(ctx, tx, by, &k)
	})
}

func (a *Accounts) endSSHKey(ctx context.Context, tx *meta.DB, by string, k *SSHKey) error {
	now := a.Clock.Now()
	k.RevokedAt = &now
	_, err := tx.RowsOf(k.Tenant).Exec(ctx, `UPDATE ssh_keys SET revoked_at = $1, revoked_by = $2, mac = $3 WHERE id = $4 AND tenant = $5`,
		meta.Micros(now), by, a.Keys.MAC("ssh key", k.fields()...), k.ID, string(k.Tenant))
	if err != nil {
		return fmt.Errorf("end SSH key %s: %w", k.ID, err)
	}
	return nil
}

func (a *Accounts) endSSHKeys(ctx context.Context, tx *meta.DB, by string, u User) ([]string, error) {
	list, err := collect(ctx, tx.RowsOf(u.Tenant), a.scanSSHKey, sshKeyQuery+`WHERE k.user_id = $1 AND k.tenant = $2 AND k.revoked_at IS NULL`, u.ID, string(u.Tenant))
	if err != nil {
		return nil, fmt.Errorf("list SSH keys of %s: %w", u.ID, err)
	}
	var ended []string
	for _, k := range list {
		if err := a.endSSHKey(ctx, tx, by, &k); err != nil {
			return nil, err
		}
		ended = append(ended, k.ID)
	}
	return ended, nil
}

// AuthenticateKey finds who an SFTP login with a public key is. The login is
// SLUG.USER; the connection must have proven that it holds the key.
func (a *Accounts) AuthenticateKey(ctx context.Context, login string, key ssh.PublicKey, addr netip.Addr) (policy.Principal, error) {
	p, k, err := a.offered(ctx, login, key, addr)
	if err != nil {
		return p, err
	}
	if k.UsedAt == nil || p.VerifiedAt.Sub(*k.UsedAt) >= noteUse {
		_, err := a.DB.RowsOf(p.Tenant).Exec(ctx, `UPDATE ssh_keys SET used_at = $1 WHERE id = $2 AND tenant = $3`, meta.Micros(p.VerifiedAt), k.ID, string(p.Tenant))
		a.noted(ctx, k.ID, err)
	}
	return p, nil
}

// OfferKey returns nil if AuthenticateKey would take the key from a connection that
// proves that it holds it. It changes nothing.
func (a *Accounts) OfferKey(ctx context.Context, login string, key ssh.PublicKey, addr netip.Addr) error {
	_, _, err := a.offered(ctx, login, key, addr)
	return err
}

func (a *Accounts) offered(ctx context.Context, login string, key ssh.PublicKey, addr netip.Addr) (policy.Principal, SSHKey, error) {
	var p policy.Principal
	users, err := a.candidates(ctx, login)
	if err != nil {
		return p, SSHKey{}, err
	}
	var u User // nobody; the key is looked for all the same, so that it takes as long as with an account
	if len(users) == 1 && users[0].Tenant != "" && !strings.Contains(login, "@") && users[0].State == UserActive {
		u = users[0]
	}
	k, err := a.scanSSHKey(a.DB.RowsOf(u.Tenant).QueryRow(ctx, sshKeyQuery+`WHERE k.user_id = $1 AND k.fingerprint = $2 AND k.tenant = $3`, u.ID, ssh.FingerprintSHA256(key), string(u.Tenant)))
	if errors.Is(err, sql.ErrNoRows) || err == nil && u.ID == "" {
		return p, k, errNotSignedIn
	}
	if err != nil {
		return p, k, fmt.Errorf("find SSH key: %w", err)
	}
	now := a.Clock.Now()
	if k.PublicKey != strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) || ended(now, k.RevokedAt, k.ExpiresAt) {
		return p, k, errNotSignedIn
	}
	p, err = a.admit(ctx, policy.Principal{Credential: k.ID, Kind: policy.SSHKey, User: u.ID, Tenant: u.Tenant, Role: u.Role, Address: addr, VerifiedAt: now}, k.IPAllow)
	return p, k, err
}
