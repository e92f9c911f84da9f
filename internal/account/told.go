package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
)

// UnscopedPeople lists the active people of a tenant, or of the provider for "", as
// package notify tells them. One whose row was tampered with is not told.
func (a *Accounts) UnscopedPeople(ctx context.Context, tx *meta.DB, id tenant.ID) ([]notify.Person, error) {
	all, err := collect(ctx, tx.RowsOf(id), func(row scanner) (User, error) {
		u, err := a.scanUser(row)
		if fault.Is(err, fault.Damaged) {
			a.Log.ErrorContext(ctx, "a user is not told", "user", u.ID, "tenant.id", string(id), "error", err)
			return User{}, nil
		}
		return u, err
	}, `SELECT `+userColumns+userTables+`WHERE u.tenant = $1 AND u.state = $2 ORDER BY u.id`, string(id), string(UserActive))
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	var list []notify.Person
	for _, u := range all {
		if u.ID != "" {
			list = append(list, notify.Person{ID: u.ID, Email: u.Email, Role: u.Role})
		}
	}
	return list, nil
}

func (a *Accounts) tell(ctx context.Context, tx *meta.DB, x notify.Notice) error {
	if a.Notices == nil {
		return nil
	}
	return a.Notices.Add(ctx, tx, x)
}

// tellAPIKey tells all admins: a key is nobody's in particular.
func (a *Accounts) tellAPIKey(ctx context.Context, tx *meta.DB, k APIKey) error {
	return a.tell(ctx, tx, notify.Notice{Kind: notify.NewCredential, Tenant: k.Tenant, Subject: k.ID, Detail: "an API key with the role " + string(k.Role)})
}

func (a *Accounts) tellSSHKey(ctx context.Context, tx *meta.DB, k SSHKey) error {
	return a.tell(ctx, tx, notify.Notice{Kind: notify.NewCredential, Tenant: k.Tenant, User: k.User, Subject: k.ID, Detail: "an SSH key for your account"})
}

// tellPassword tells a user that somebody else set its password.
func (a *Accounts) tellPassword(ctx context.Context, tx *meta.DB, u User) error {
	return a.tellCredential(ctx, tx, u, "a password for your account, set by an administrator")
}

// tellCredential tells a user of a credential of its own, that it made or somebody with
// its session.
func (a *Accounts) tellCredential(ctx context.Context, tx *meta.DB, u User, what string) error {
	return a.tell(ctx, tx, notify.Notice{Kind: notify.NewCredential, Tenant: u.Tenant, User: u.ID, Subject: u.ID, Detail: what})
}

// tellFactorOff tells a user that its second factor is off.
func (a *Accounts) tellFactorOff(ctx context.Context, tx *meta.DB, u User, how string) error {
	return a.tell(ctx, tx, notify.Notice{Kind: notify.SecondFactorOff, Tenant: u.Tenant, User: u.ID, Subject: u.ID, Detail: how})
}

// knownFor is how long it is remembered from where a user signed in.
const knownFor = 180 * 24 * time.Hour

// tellSignIn tells a user of a sign-in from a network, or with a program, that was
// not seen at its account before.
func (a *Accounts) tellSignIn(ctx context.Context, tx *meta.DB, s Session, addr netip.Addr) error {
	known := true
	for _, place := range []string{"network " + Network(addr), "agent " + product(s.Agent)} {
		digest := a.Keys.MAC("sign-in place", s.User, place)
		var seen int64
		err := tx.RowsOf(s.Tenant).QueryRow(ctx, `SELECT seen_at FROM known_sign_ins WHERE tenant = $1 AND user_id = $2 AND place = $3`,
			string(s.Tenant), s.User, digest).Scan(&seen)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for earlier sign-ins: %w", err)
		}
		known = known && err == nil
		if _, err := tx.RowsOf(s.Tenant).Exec(ctx, `
			INSERT INTO known_sign_ins (tenant, user_id, place, seen_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant, user_id, place) DO UPDATE SET seen_at = excluded.seen_at`, string(s.Tenant), s.User, digest, meta.Micros(s.CreatedAt)); err != nil {
			return fmt.Errorf("remember sign-in: %w", err)
		}
	}
	if known {
		return nil
	}
	with := s.Agent
	if with == "" {
		with = "a program that does not say its name"
	}
	return a.tell(ctx, tx, notify.Notice{Kind: notify.NewSignIn, Tenant: s.Tenant, User: s.User, Subject: s.ID, Detail: s.Address + ", with " + with})
}

// product is what stays of a program's name from one version to the next.
func product(agent string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '.' || r == '_' {
			return -1
		}
		return r
	}, agent)
}
