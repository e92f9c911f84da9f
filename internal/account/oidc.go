package account

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/oidc"
	"tributary/internal/policy"
)

// How long a sign-in at the issuer may take, and how many may be under way.
const (
	oidcLife      = 10 * time.Minute
	oidcOfAddress = 60    // of one network
	oidcOfRegion  = 600   // of one region
	oidcOpen      = 10000 // of all
)

var (
	errNoIssuer = fault.New(fault.Conflict, "This server knows no issuer to sign in with. Sign in with a password.")
	// errStranger says nothing about which part was wrong; the audit log does.
	errStranger = fault.New(fault.Denied, "There is no account for you here. Ask an administrator.")
)

// Identity is who one of the provider's people is at the issuer: the first sign-in
// there links it, by a verified email, and from then on only issuer and subject count.
// It ends when somebody unlinks it.
type Identity struct {
	Issuer, Subject string
	Email           string // as the issuer said at the first sign-in
	LinkedAt        time.Time

	user string
}

const identityColumns = `user_id, issuer, subject, email, linked_at, mac`

func (a *Accounts) scanIdentity(row scanner) (Identity, error) {
	var i Identity
	var linked int64
	var mac []byte
	if err := row.Scan(&i.user, &i.Issuer, &i.Subject, &i.Email, &linked, &mac); err != nil {
		return i, err
	}
	i.LinkedAt = meta.Time(linked)
	if err := a.Keys.CheckMAC(mac, "staff identity", i.fields()...); err != nil {
		return i, fmt.Errorf("identity of %s: %w", i.user, err)
	}
	return i, nil
}

// fields are what the row's MAC covers: all.
func (i Identity) fields() []any {
	return []any{i.user, i.Issuer, i.Subject, i.Email, meta.Micros(i.LinkedAt)}
}

// attemptOf makes what ties a sign-in together, from what the browser keeps and what
// comes back by way of the issuer. Nothing of it is stored but hashes.
func (a *Accounts) attemptOf(browser, state string) oidc.Attempt {
	part := func(label string) string {
		return base64.RawURLEncoding.EncodeToString(a.Keys.MAC(label, browser, state))
	}
	return oidc.Attempt{State: state, Nonce: part("oidc nonce"), Verifier: part("oidc verifier")}
}

// BeginOIDC begins a sign-in with the issuer: it returns where the browser goes, and a
// secret that the same browser brings back with what the issuer sends it with.
func (a *Accounts) BeginOIDC(ctx context.Context, addr netip.Addr) (address, browser string, expires time.Time, err error) {
	if a.Issuer == nil {
		return "", "", expires, errNoIssuer
	}
	browser, state := a.Clock.Secret(32), a.Clock.Secret(32)
	if address, err = a.Issuer.Begin(ctx, a.attemptOf(browser, state)); err != nil {
		return "", "", expires, err
	}
	now, network, around := a.Clock.Now(), a.Keys.MAC("oidc address", Network(addr)), a.Keys.MAC("oidc region", region(addr))
	expires = now.Add(oidcLife)
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		var all, near, his int64
		if err := tx.QueryRow(ctx, `
			SELECT count(*), COALESCE(SUM(CASE WHEN region = $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN address = $2 THEN 1 ELSE 0 END), 0)
			FROM oidc_attempts WHERE expires_at > $3`, around, network, meta.Micros(now)).Scan(&all, &near, &his); err != nil {
			return fmt.Errorf("count sign-ins under way: %w", err)
		}
		if his >= oidcOfAddress || near >= oidcOfRegion || all >= oidcOpen {
			return fault.New(fault.Throttled, "Too many sign-ins were begun from here. Try again in ten minutes.")
		}
		// Without a MAC: it opens nothing without what the issuer signs.
		if _, err := tx.Exec(ctx, `INSERT INTO oidc_attempts (state, browser, address, region, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			digest(state), digest(browser), network, around, meta.Micros(expires)); err != nil {
			return fmt.Errorf("insert sign-in under way: %w", err)
		}
		return nil
	})
	return address, browser, expires, err
}

// Returned is what a browser comes back from the issuer with.
type Returned struct {
	Browser string // what it kept
	State   string
	Code    string
	Refusal string // the issuer's error; empty: none
	Address netip.Addr
	Agent   string
}

// FinishOIDC exchanges what a browser came back with for a session of one of the
// provider's people. It makes no users, and takes the place of password and second
// factor: those are the issuer's. Whoever has no account is told that in the same words,
// whatever the reason.
func (a *Accounts) FinishOIDC(ctx context.Context, r Returned) (string, Session, error) {
	if a.Issuer == nil {
		return "", Session{}, errNoIssuer
	}
	e := audit.Entry{Actor: "anonymous", Verb: "session.create", Outcome: "refused", Details: map[string]any{"method": "oidc", "address": r.Address.String()}}
	refuse := func(reason string, err error) (string, Session, error) {
		e.Details["reason"] = reason
		return "", Session{}, cmp.Or(a.Audit.Record(ctx, e), err)
	}
	if err := a.spendAttempt(ctx, r); err != nil {
		if fault.Is(err, fault.Unauthenticated) && a.knocked("oidc "+Network(r.Address)) {
			return refuse("no sign-in of this browser is under way", err)
		}
		return "", Session{}, err
	}
	if r.Refusal != "" {
		return refuse("the issuer's error: "+strings.ToValidUTF8(r.Refusal, ""), a.Issuer.Refusal(r.Refusal))
	}
	who, err := a.Issuer.Finish(ctx, a.attemptOf(r.Browser, r.State), r.Code)
	if err != nil {
		return refuse(err.Error(), err)
	}
	e.Details["issuer"], e.Details["subject"] = who.Issuer, who.Subject
	if len(who.Email) <= 254 {
		e.Details["email"] = strings.ToValidUTF8(who.Email, "")
	}
	u, reason, err := a.staffOf(ctx, who)
	if err != nil {
		return "", Session{}, err
	}
	e.Subject = u.ID
	if reason != "" {
		return refuse(reason, errStranger)
	}
	token, s, err := a.openSession(ctx, u, "", Attempt{Address: r.Address, Agent: r.Agent, identity: &who})
	if errors.Is(err, errNoSignIn) {
		return refuse("the account changed meanwhile", errStranger)
	}
	return token, s, err
}

// spendAttempt ends an attempt, which is good once, within its time and in the browser
// that began it.
func (a *Accounts) spendAttempt(ctx context.Context, r Returned) error {
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		n, err := tx.Exec(ctx, `DELETE FROM oidc_attempts WHERE state = $1 AND browser = $2 AND expires_at > $3`, digest(r.State), digest(r.Browser), meta.Micros(a.Clock.Now()))
		if err != nil {
			return fmt.Errorf("end sign-in under way: %w", err)
		}
		if n == 0 {
			return fault.New(fault.Unauthenticated, "This sign-in was begun in another browser or more than ten minutes ago, or was finished already. Begin again at %s/login.", strings.TrimRight(a.Issuer.PublicURL, "/"))
		}
		return nil
	})
}

// staffOf finds the provider's user that an identity is, or the reason why it is nobody.
func (a *Accounts) staffOf(ctx context.Context, who oidc.Identity) (u User, reason string, err error) {
	linked, err := a.scanIdentity(a.DB.QueryRow(ctx, `SELECT `+identityColumns+` FROM staff_identities WHERE issuer = $1 AND subject = $2`, who.Issuer, who.Subject))
	switch {
	case err == nil:
		if u, err = a.user(ctx, a.DB, "", linked.user); err != nil {
			return u, "", err
		}
	case !errors.Is(err, sql.ErrNoRows):
		return u, "", fmt.Errorf("find identity: %w", err)
	case who.Email == "" || !who.EmailVerified:
		return u, "nobody is linked, and the issuer does not say that the email is verified", nil
	default:
		found, err := collect(ctx, a.DB.Provider(), a.scanUser, `SELECT `+userColumns+userTables+`WHERE u.tenant = '' AND u.email = $1 LIMIT 2`, lower(who.Email))
		if err != nil {
			return u, "", fmt.Errorf("find user by email: %w", err)
		}
		if len(found) != 1 {
			return u, "nobody is linked, and none of the provider's people has the email", nil
		}
		u = found[0]
		if _, err := a.identity(ctx, a.DB, u.ID); !fault.Is(err, fault.NotFound) {
			return u, "the user is linked to another identity", err
		}
	}
	if u.State != UserActive {
		reason = "the user is " + string(u.State)
	}
	return u, reason, nil
}

// lower makes an email what users have, where that changes letters of ASCII alone: others
// have lower cases that are another letter's.
func lower(email string) string {
	if len(email) != utf8.RuneCountInString(email) {
		return email
	}
	return strings.ToLower(email)
}

// link makes sure, in the transaction that opens the session, that an identity is the
// user's: it is linked if neither has another.
func (a *Accounts) link(ctx context.Context, tx *meta.DB, u User, who oidc.Identity) error {
	found, err := a.identity(ctx, tx, u.ID)
	if err == nil && (found.Issuer != who.Issuer || found.Subject != who.Subject) {
		return errNoSignIn
	}
	if err == nil || !fault.Is(err, fault.NotFound) {
		return err
	}
	var others int64
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM staff_identities WHERE issuer = $1 AND subject = $2`, who.Issuer, who.Subject).Scan(&others); err != nil {
		return fmt.Errorf("look for identity: %w", err)
	}
	// What it was linked to may have been taken away since it was looked for: then only
	// the email speaks for it, as for any other.
	if others > 0 || u.Tenant != "" || !who.EmailVerified || lower(who.Email) != u.Email {
		return errNoSignIn
	}
	i := Identity{Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, LinkedAt: a.Clock.Now(), user: u.ID}
	if _, err := tx.Exec(ctx, `INSERT INTO staff_identities (`+identityColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		i.user, i.Issuer, i.Subject, i.Email, meta.Micros(i.LinkedAt), a.Keys.MAC("staff identity", i.fields()...)); err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	if err := a.tellCredential(ctx, tx, u, "signing in with "+a.Issuer.Name); err != nil {
		return err
	}
	return a.Audit.Append(ctx, tx, audit.Entry{Actor: u.ID, Verb: "identity.link", Subject: u.ID, Outcome: "ok",
		Details: map[string]any{"issuer": i.Issuer, "subject": i.Subject, "email": i.Email}})
}

// identity returns the identity that is linked to one of the provider's people.
func (a *Accounts) identity(ctx context.Context, db *meta.DB, user string) (Identity, error) {
	i, err := a.scanIdentity(db.QueryRow(ctx, `SELECT `+identityColumns+` FROM staff_identities WHERE user_id = $1`, user))
	if errors.Is(err, sql.ErrNoRows) {
		return i, fault.New(fault.NotFound, "No identity is linked.")
	}
	if err != nil {
		return i, fmt.Errorf("find identity of %s: %w", user, err)
	}
	return i, nil
}

// UnscopedIdentity returns the identity that is linked to a user; linked is false where
// there is none.
func (a *Accounts) UnscopedIdentity(ctx context.Context, user string) (i Identity, linked bool, err error) {
	if _, err := a.UnscopedUser(ctx, user); err != nil {
		return i, false, err
	}
	i, err = a.identity(ctx, a.DB, user)
	if fault.Is(err, fault.NotFound) {
		return i, false, nil
	}
	return i, err == nil, err
}

// UnscopedUnlink ends a user's identity, and with it the user's sessions but that of who
// asks. The next sign-in with the user's verified email links again, so that it is no way
// to keep somebody out: disabling the user is.
func (a *Accounts) UnscopedUnlink(ctx context.Context, p policy.Principal, user string) error {
	u, err := a.UnscopedUser(ctx, user)
	if err != nil {
		return err
	}
	var ended []string
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		ended = nil
		i, err := a.identity(ctx, tx, u.ID)
		if fault.Is(err, fault.NotFound) {
			return fault.New(fault.Conflict, "The user has no identity of an issuer.")
		}
		if err != nil && !fault.Is(err, fault.Damaged) { // a damaged one is got rid of in this way
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM staff_identities WHERE user_id = $1`, u.ID); err != nil {
			return fmt.Errorf("unlink identity: %w", err)
		}
		if ended, err = a.endOthers(ctx, tx, u, p.Credential); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Actor: p.Actor(), Verb: "identity.unlink", Subject: u.ID, Outcome: "ok",
			Details: map[string]any{"issuer": i.Issuer, "subject": i.Subject}})
	})
	if err == nil {
		a.revoked(ended)
	}
	return err
}
