package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
)

// resetsOfUser is how many links to set a password with are mailed to one user in an hour.
const resetsOfUser = 3

// resetsOfEmail is to how many accounts that have one email such links are mailed at once.
const resetsOfEmail = 20

// AskReset has a link to set a password with mailed to who has the login or email, if
// anybody does. It says nothing of that, and takes as long.
func (a *Accounts) AskReset(ctx context.Context, login string, addr netip.Addr) (expires time.Time, err error) {
	q, err := a.put(ctx, resetAsk, login, addr, resetLife)
	return q.expires, err
}

// mailReset answers who asked for a new password.
func (a *Accounts) mailReset(ctx context.Context, tx *meta.DB, q ask) error {
	found, err := a.candidatesIn(ctx, tx, q.question.Typed, resetsOfEmail)
	if err != nil {
		return err
	}
	for _, u := range found { // of an email that several accounts have each is told its login
		if err := a.mailResetOf(ctx, tx, u, q.question.Address); err != nil {
			return err
		}
	}
	return nil
}

func (a *Accounts) mailResetOf(ctx context.Context, tx *meta.DB, u User, address string) error {
	if ok, err := a.resets(ctx, tx, u, true); err != nil || !ok {
		return err
	}
	var lately int64
	if err := tx.RowsOf(u.Tenant).QueryRow(ctx, `SELECT count(*) FROM account_links WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND created_at > $4`,
		string(u.Tenant), u.ID, string(resetLink), meta.Micros(a.Clock.Now().Add(-time.Hour))).Scan(&lately); err != nil {
		return fmt.Errorf("count links: %w", err)
	}
	if lately >= resetsOfUser {
		return nil
	}
	l, token, err := a.makeReset(ctx, tx, u, "anonymous", true)
	if err != nil {
		return err
	}
	if err := a.tell(ctx, tx, notify.Notice{Kind: notify.PasswordReset, Tenant: u.Tenant, User: u.ID, Subject: u.ID, To: u.Email, Secret: token, Until: words(l.expires), Detail: u.Login()}); err != nil {
		return err
	}
	return a.Audit.Append(ctx, tx, audit.Entry{Tenant: u.Tenant, Actor: "anonymous", Verb: "password-reset.ask", Subject: u.ID, Outcome: "ok", Details: map[string]any{"address": address}})
}

// resets reports whether a user may set a password by a link. Of an account that the
// provider made nobody can, once the tenant has taken over: the provider chose its address.
// One of the provider's people without a password comes in by the issuer and in no other
// way, so that no mail gives them one.
func (a *Accounts) resets(ctx context.Context, db *meta.DB, u User, mailed bool) (bool, error) {
	if u.Tenant == "" || u.State != UserActive {
		return u.State == UserActive && (u.HasPassword || !mailed), nil
	}
	t, err := a.Control.UnscopedTenantIn(ctx, db, u.Tenant)
	if err != nil {
		return false, fmt.Errorf("find tenant of account %s: %w", u.ID, err)
	}
	if u.ProviderMade && t.ClaimedAt != nil {
		return false, nil
	}
	return t.State == control.Active || t.State == control.Suspended || t.State == control.Offboarding && u.Role == policy.TenantAdmin, nil
}

// makeReset makes a link in place of all that the user has.
func (a *Accounts) makeReset(ctx context.Context, tx *meta.DB, u User, by string, mailed bool) (link, string, error) {
	if err := a.endLinks(ctx, tx, u, resetLink); err != nil {
		return link{}, "", err
	}
	return a.insertLink(ctx, tx, link{id: a.Clock.ID("rst"), tenant: u.Tenant, user: u.ID, kind: resetLink, mailed: mailed, createdBy: by}, resetLife)
}

// ResetLink makes a link to set a password with, for who has the host in hands: for one
// of the provider's people, or of a tenant that is not claimed yet.
func (a *Accounts) ResetLink(ctx context.Context, login string) (token string, expires time.Time, err error) {
	u, _, err := a.meant(ctx, login)
	if err != nil {
		return "", expires, err
	}
	if u.ID == "" {
		return "", expires, fault.New(fault.NotFound, "There is no account %q. Give SLUG.USER, or the email of one of the provider's people.", login)
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		if u.Tenant != "" {
			if _, err := a.unclaimed(ctx, tx, u.Tenant); err != nil {
				return err
			}
		}
		ok, err := a.resets(ctx, tx, u, false)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Conflict, "The account %q is not active.", login)
		}
		l, secret, err := a.makeReset(ctx, tx, u, "host", false)
		if err != nil {
			return err
		}
		token, expires = secret, l.expires
		return a.record(ctx, tx, u.Tenant, u.Tenant != "", audit.Entry{Actor: "host", Verb: "password-reset.link", Subject: u.ID, Outcome: "ok"})
	})
	return token, expires, err
}

// LookReset shows whose password a link sets, to who has its token.
func (a *Accounts) LookReset(ctx context.Context, token string) (login string, state LinkState, expires time.Time, err error) {
	l, err := a.findLink(ctx, a.DB, resetLink, token)
	if err != nil {
		return "", "", expires, err
	}
	u, err := a.user(ctx, a.DB, l.tenant, l.user)
	if fault.Is(err, fault.NotFound) {
		return "", LinkEnded, l.expires, nil
	}
	return u.Login(), l.state(a.Clock.Now()), l.expires, err
}

// Reset sets a password by a link. All sessions of the user end; a second factor stays.
func (a *Accounts) Reset(ctx context.Context, token, password string, addr netip.Addr) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	if _, _, err := a.resetting(ctx, a.DB, token); err != nil { // before the costly hash, and again inside
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	var ended []string
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		ended = nil
		l, u, err := a.resetting(ctx, tx, token)
		if err != nil {
			return err
		}
		over, err := a.applyReset(ctx, tx, l, u, hash)
		if err != nil {
			return err
		}
		ended = over
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: u.Tenant, Actor: u.ID, Verb: "password-reset.use", Subject: l.id, Outcome: "ok", Details: map[string]any{"address": addr.String()}})
	})
	if err == nil {
		a.revoked(ended)
	}
	return err
}

func (a *Accounts) applyReset(ctx context.Context, tx *meta.DB, l link, u User, hash string) (ended []string, err error) {
	u.password = hash
	takes := l.mailed && u.ProviderMade && u.Role == policy.TenantAdmin
	if !l.mailed && u.Tenant != "" { // whoever has the host in hands may know it
		u.ProviderMade = true
	}
	if takes { // as by the first sign-in with a password that the provider does not know
		u.ProviderMade = false
	}
	if err := a.saveUser(ctx, tx, u.ID, &u); err != nil {
		return nil, err
	}
	if err := a.useLink(ctx, tx, l); err != nil {
		return nil, err
	}
	if ended, err = a.endSessions(ctx, tx, u); err != nil {
		return nil, err
	}
	if takes {
		more, err := a.takeOver(ctx, tx, u)
		if err != nil {
			return nil, err
		}
		ended = append(ended, more...)
	}
	if l.mailed {
		if err := a.proveEmail(ctx, tx, u); err != nil {
			return nil, err
		}
	}
	if err := a.forgive(ctx, tx, u.ID); err != nil {
		return nil, err
	}
	detail := "a password for your account, set with a link that was mailed to you"
	if !l.mailed {
		detail = "a password for your account, set with a link that was made on the server's host"
	}
	return ended, a.tell(ctx, tx, notify.Notice{Kind: notify.NewCredential, Tenant: u.Tenant, User: u.ID, Subject: u.ID, Detail: detail})
}

// resetting finds the open link of a token, and whose password it sets.
func (a *Accounts) resetting(ctx context.Context, db *meta.DB, token string) (link, User, error) {
	l, err := a.findLink(ctx, db, resetLink, token)
	if err != nil {
		return l, User{}, err
	}
	if err := l.closed(a.Clock.Now()); err != nil {
		return l, User{}, err
	}
	u, err := a.user(ctx, db, l.tenant, l.user)
	if err != nil {
		return l, u, err
	}
	if !l.mailed && u.Tenant != "" {
		if _, err := a.unclaimed(ctx, db, u.Tenant); err != nil {
			return l, u, err
		}
	}
	ok, err := a.resets(ctx, db, u, l.mailed)
	if err == nil && !ok {
		err = fault.New(fault.Conflict, "This account cannot set a password now. Ask an administrator.")
	}
	return l, u, err
}
