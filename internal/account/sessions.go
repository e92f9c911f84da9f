package account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/oidc"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// Session life: it ends when it was not used for sessionIdle, and after
// sessionMost in any case. Every sessionTurn an answer has a new token. That one
// takes the place of the old at its first use, since the answer may be lost: then
// another is given out, at most one in sessionOverlap. The one before is good for
// sessionOverlap more, since requests may be on their way with it.
const (
	sessionIdle    = time.Hour
	sessionMost    = 12 * time.Hour
	sessionTurn    = 15 * time.Minute
	sessionOverlap = time.Minute
)

// noteUse is how exactly the last use of a credential is kept.
const noteUse = time.Minute

// Session is a signed-in user.
type Session struct {
	ID            string
	Tenant        tenant.ID
	User          string
	CreatedAt     time.Time
	UsedAt        time.Time
	IdleUntil     time.Time
	AbsoluteUntil time.Time
	Address       string
	Agent         string

	token, previous []byte // hashes
	rotated         time.Time
	next            []byte // hash of the token that was given out and is not used yet; nil: none
	offered         time.Time
	revoked         *time.Time
}

const sessionColumns = `id, tenant, user_id, token_hash, previous_hash, next_hash, created_at, rotated_at, offered_at, used_at, idle_until, absolute_until, revoked_at, address, agent, mac`

func (a *Accounts) scanSession(row scanner) (Session, error) {
	var s Session
	var created, rotated, offered, used, idle, absolute int64
	var revoked sql.NullInt64
	var mac []byte
	if err := row.Scan(&s.ID, &s.Tenant, &s.User, &s.token, &s.previous, &s.next, &created, &rotated, &offered, &used, &idle, &absolute, &revoked, &s.Address, &s.Agent, &mac); err != nil {
		return s, err
	}
	s.CreatedAt, s.rotated, s.UsedAt, s.IdleUntil, s.AbsoluteUntil = meta.Time(created), meta.Time(rotated), meta.Time(used), meta.Time(idle), meta.Time(absolute)
	s.offered, s.revoked = meta.Time(offered), meta.Moment(revoked)
	if err := a.Keys.CheckMAC(mac, "session", s.fields()...); err != nil {
		return s, fmt.Errorf("session %s: %w", s.ID, err)
	}
	return s, nil
}

// fields are what the row's MAC covers. The idle time is not in it: whoever can
// write the row can keep a session alive, but not make one or take one over. The next
// token is one more field, so that rows of before there was one keep their MAC.
func (s Session) fields() []any {
	list := []any{s.ID, string(s.Tenant), s.User, s.token, s.previous, meta.Micros(s.AbsoluteUntil), meta.MomentMicros(s.revoked)}
	if s.next != nil {
		list = append(list, s.next)
	}
	return list
}

func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// errNoSignIn says nothing about which part was wrong.
var errNoSignIn = fault.New(fault.Unauthenticated, "The login or the password is not right. An email that several accounts have is no login; use SLUG.USER.")

// Attempt is what somebody signs in with, and from where.
type Attempt struct {
	Login    string // SLUG.USER, or an email
	Password string
	Next     string // a new password in place of the provider's; otherwise empty
	Code     string // of the second factor, or a recovery code; empty: none yet
	// Codeless is for a way in that asks for no codes: to an account that has a second
	// factor its password is no way in there, and answered as if it were wrong.
	Codeless bool
	Address  netip.Addr
	Agent    string

	identity *oidc.Identity // that an issuer vouched for, in place of a password and a code
}

// SignIn exchanges a password for a session, and a code where the account has a second
// factor: without a right one that is a SecondFactor, once the password was right. Wrong
// passwords, unknown accounts, disabled ones and refused addresses answer alike. The
// first sign-in of a tenant admin claims the tenant; if the provider set the password it
// must be replaced then.
func (a *Accounts) SignIn(ctx context.Context, at Attempt) (token string, s Session, u User, err error) {
	login, addr := strings.ToLower(strings.TrimSpace(at.Login)), at.Address
	u, e, err := a.meant(ctx, login)
	if err != nil {
		return "", s, User{}, err
	}
	if e.Details != nil {
		e.Details["address"] = addr.String()
	}
	who := cmp.Or(u.ID, login)
	if subject, err := a.locked(ctx, who, addr); err != nil {
		if subject != "" && a.knocked(subject) {
			e.Outcome = "locked"
			if auditErr := a.Audit.Record(ctx, e); auditErr != nil {
				err = auditErr
			}
		}
		return "", s, User{}, err
	}
	ok, err := a.matches(ctx, at.Password, u.password) // once, whether there is an account or not
	if err != nil {
		return "", s, User{}, err
	}
	refusal := errNoSignIn
	if ok {
		token, s, err = a.enter(ctx, u, at)
		switch {
		case errors.Is(err, errNoCode): // half a sign-in, which is nothing wrong
			e.Outcome = "incomplete"
			return "", s, User{}, cmp.Or(a.Audit.Record(ctx, e), err)
		case errors.Is(err, errWrongCode):
			refusal, e.Details["second_factor"] = err, "wrong"
		case !errors.Is(err, errNoSignIn):
			return token, s, u, err
		case at.Codeless && u.secondFactor != "":
			e.Details["second_factor"] = "not asked for here"
		}
	}
	if err := a.failed(ctx, who, addr); err != nil {
		return "", s, User{}, err
	}
	if err := a.Audit.Record(ctx, e); err != nil {
		return "", s, User{}, err
	}
	return "", s, User{}, refusal
}

// enter opens the session of somebody who knew the password. It is errNoSignIn for
// who may not enter all the same.
func (a *Accounts) enter(ctx context.Context, u User, at Attempt) (string, Session, error) {
	if ok, err := a.welcome(ctx, a.DB, u, at.Address); err != nil || !ok {
		return "", Session{}, cmp.Or(err, errNoSignIn)
	}
	switch {
	case u.secondFactor != "" && at.Codeless:
		return "", Session{}, errNoSignIn
	case u.secondFactor != "" && at.Code == "":
		return "", Session{}, errNoCode
	}
	hash := ""
	if u.ProviderMade && u.Role == policy.TenantAdmin {
		if at.Next == "" {
			return "", Session{}, fault.New(fault.Conflict, "The provider set this password. Sign in with it once more and a new password of your own (new_password).")
		}
		if at.Next == at.Password {
			return "", Session{}, fault.New(fault.Invalid, "The new password must be another than the one the provider set.")
		}
		if err := checkPassword(at.Next); err != nil {
			return "", Session{}, err
		}
		var err error
		if hash, err = a.hash(ctx, at.Next); err != nil {
			return "", Session{}, err
		}
	}
	return a.openSession(ctx, u, hash, at)
}

// meant finds the account that a login means, and how a refusal of it is recorded.
// An email is a login where one account has it; one of the provider's people has
// theirs whoever else does. What else an email is at several tenants is not for
// any of them to learn, so that a refusal is nobody's.
func (a *Accounts) meant(ctx context.Context, login string) (User, audit.Entry, error) {
	found, err := a.candidates(ctx, login)
	if err != nil {
		return User{}, audit.Entry{}, err
	}
	e := audit.Entry{Actor: "anonymous", Verb: "session.create", Outcome: "refused", Details: map[string]any{}}
	switch {
	case len(found) == 0:
		return User{}, e, nil
	case len(found) > 1 && found[0].Tenant != "":
		e.Details = nil
		return User{}, e, nil
	}
	e.Tenant, e.Subject = found[0].Tenant, found[0].ID
	return found[0], e, nil
}

// candidates finds the accounts that have a login, or an email: two at most, and
// the provider's first.
func (a *Accounts) candidates(ctx context.Context, login string) ([]User, error) {
	return a.candidatesIn(ctx, a.DB, login, 2)
}

func (a *Accounts) candidatesIn(ctx context.Context, db *meta.DB, login string, most int64) ([]User, error) {
	where, args := `u.email = $1`, []any{login}
	if !strings.Contains(login, "@") {
		slug, local, _ := strings.Cut(login, ".")
		where, args = `t.slug = $1 AND u.login = $2`, []any{slug, local}
	}
	list, err := collect(ctx, db.Unscoped(), a.scanUser, `SELECT `+userColumns+userTables+`WHERE `+where+` ORDER BY u.tenant LIMIT `+strconv.FormatInt(most, 10), args...)
	if err != nil {
		return nil, fmt.Errorf("find account: %w", err)
	}
	return list, nil
}

// welcome reports whether the user is active and its tenant lets it in from this
// address.
func (a *Accounts) welcome(ctx context.Context, db *meta.DB, u User, addr netip.Addr) (bool, error) {
	if u.Tenant == "" || u.State != UserActive {
		return u.State == UserActive, nil
	}
	t, err := a.Control.UnscopedTenantIn(ctx, db, u.Tenant)
	if err != nil {
		return false, fmt.Errorf("find tenant of account %s: %w", u.ID, err)
	}
	_, ok := admitted(t, u.Role)
	return ok && allowed(t.IPAllow, addr), nil
}

// admitted reports whether a tenant's state lets a role in, and as what: while
// it is offboarded, its admins can read and export and nothing more.
func admitted(t control.Tenant, r policy.Role) (policy.Role, bool) {
	switch t.State {
	case control.Active:
		return r, true
	case control.Offboarding:
		return policy.Departing, r == policy.TenantAdmin
	}
	return r, false
}

// openSession makes a session for a user as it was when its password was checked.
// That took a while: what was taken away since stays taken away.
func (a *Accounts) openSession(ctx context.Context, checked User, newHash string, at Attempt) (string, Session, error) {
	now, addr := a.Clock.Now(), at.Address
	token := "trs_" + a.Clock.Secret(32)
	agent := at.Agent[:min(len(at.Agent), 300)]
	s := Session{ID: a.Clock.ID("ses"), Tenant: checked.Tenant, User: checked.ID, CreatedAt: now, UsedAt: now, rotated: now,
		IdleUntil: now.Add(sessionIdle), AbsoluteUntil: now.Add(sessionMost), Address: addr.String(), Agent: strings.ToValidUTF8(agent, ""), token: digest(token)}
	var ended []string
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		ended = nil
		u, err := a.user(ctx, tx, checked.Tenant, checked.ID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err != nil || u.Role != checked.Role || u.password != checked.password || u.ProviderMade != checked.ProviderMade {
			return errNoSignIn
		}
		if ok, err := a.welcome(ctx, tx, u, addr); err != nil || !ok {
			return cmp.Or(err, errNoSignIn)
		}
		details := map[string]any{"address": s.Address, "agent": s.Agent}
		if at.identity != nil {
			details["method"] = "oidc"
			if err := a.link(ctx, tx, u, *at.identity); err != nil {
				return err
			}
		} else if u.secondFactor != "" {
			kind, err := a.secondStep(ctx, tx, u, at)
			if err != nil {
				return err
			}
			details["second_factor"] = kind
		}
		// Who signs in as an admin for the first time, or leaves the provider's password
		// behind, takes over: a user of before whom the provider made admin since does too.
		first := u.Role == policy.TenantAdmin && (u.SignedInAt == nil || u.ProviderMade)
		u.SignedInAt = &now
		if newHash != "" {
			u.password, u.ProviderMade = newHash, false
		}
		if err := a.saveUser(ctx, tx, u.ID, &u); err != nil {
			return err
		}
		if first {
			if ended, err = a.takeOver(ctx, tx, u); err != nil {
				return err
			}
		}
		if at.identity == nil { // wrong passwords stay counted where none was asked for
			if err := a.forgive(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		if _, err := tx.RowsOf(u.Tenant).Exec(ctx, `
			INSERT INTO sessions (id, tenant, user_id, token_hash, created_at, rotated_at, used_at, idle_until, absolute_until, address, agent, mac)
			VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8, $9, $10)`,
			s.ID, string(s.Tenant), s.User, s.token, meta.Micros(now), meta.Micros(s.IdleUntil), meta.Micros(s.AbsoluteUntil),
			s.Address, s.Agent, a.Keys.MAC("session", s.fields()...)); err != nil {
			return fmt.Errorf("insert session: %w", err)
		}
		if err := a.tellSignIn(ctx, tx, s, addr); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: u.Tenant, Actor: u.ID, Verb: "session.create", Subject: s.ID, Outcome: "ok", Details: details})
	})
	if err != nil {
		return "", s, err
	}
	a.revoked(ended)
	return token, s, nil
}

// takeOver makes a tenant its own admins': it is claimed, and every credential
// that the provider made for it ends, but for the account that signs in.
func (a *Accounts) takeOver(ctx context.Context, tx *meta.DB, u User) (ended []string, err error) {
	if err := a.Control.Claim(ctx, tx, u.Tenant); err != nil {
		return nil, err
	}
	ended, err = a.endProviderMade(ctx, tx, u)
	if err != nil {
		return nil, err
	}
	return ended, a.Audit.Append(ctx, tx, audit.Entry{Tenant: u.Tenant, Actor: u.ID, Verb: "credentials.take-over", Subject: string(u.Tenant), Outcome: "ok",
		Details: map[string]any{"revoked": ended}})
}

// endSessions revokes a user's sessions.
func (a *Accounts) endSessions(ctx context.Context, tx *meta.DB, u User) ([]string, error) {
	return a.endOthers(ctx, tx, u, "")
}

// endOthers revokes a user's sessions but one.
func (a *Accounts) endOthers(ctx context.Context, tx *meta.DB, u User, but string) ([]string, error) {
	list, err := collect(ctx, tx.RowsOf(u.Tenant), a.scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE user_id = $1 AND tenant = $2 AND revoked_at IS NULL`,
		u.ID, string(u.Tenant))
	if err != nil {
		return nil, fmt.Errorf("list sessions of %s: %w", u.ID, err)
	}
	var ended []string
	for _, s := range list {
		if s.ID == but {
			continue
		}
		if err := a.endSession(ctx, tx, &s); err != nil {
			return nil, err
		}
		ended = append(ended, s.ID)
	}
	return ended, nil
}

func (a *Accounts) endSession(ctx context.Context, tx *meta.DB, s *Session) error {
	now := a.Clock.Now()
	s.revoked = &now
	_, err := tx.RowsOf(s.Tenant).Exec(ctx, `UPDATE sessions SET revoked_at = $1, mac = $2 WHERE id = $3 AND tenant = $4`,
		meta.Micros(now), a.Keys.MAC("session", s.fields()...), s.ID, string(s.Tenant))
	if err != nil {
		return fmt.Errorf("end session %s: %w", s.ID, err)
	}
	return nil
}

// Sessions lists one's own open sessions.
func (a *Accounts) Sessions(ctx context.Context, p policy.Principal) ([]Session, error) {
	list, err := collect(ctx, a.DB.RowsOf(p.Tenant), a.scanSession, `SELECT `+sessionColumns+` FROM sessions
		WHERE user_id = $1 AND tenant = $2 AND revoked_at IS NULL AND idle_until > $3 AND absolute_until > $3 ORDER BY created_at DESC`,
		p.User, string(p.Tenant), meta.Micros(a.Clock.Now()))
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// EndSession signs out one of one's own sessions.
func (a *Accounts) EndSession(ctx context.Context, p policy.Principal, id string) error {
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		s, err := a.scanSession(tx.RowsOf(p.Tenant).QueryRow(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND user_id = $2 AND tenant = $3`,
			id, p.User, string(p.Tenant)))
		if errors.Is(err, sql.ErrNoRows) || err == nil && s.revoked != nil {
			return fault.New(fault.NotFound, "There is no session %q.", id)
		}
		if err != nil {
			return fmt.Errorf("find session: %w", err)
		}
		if err := a.endSession(ctx, tx, &s); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: p.Tenant, Actor: p.User, Verb: "session.end", Subject: id, Outcome: "ok"})
	})
	if err == nil {
		a.revoked([]string{id})
	}
	return err
}

// EndOtherSessions signs out all of one's own sessions but the one that asks.
func (a *Accounts) EndOtherSessions(ctx context.Context, p policy.Principal) error {
	if p.Kind != policy.Session {
		return fault.New(fault.Conflict, "The credential is an API key, which has no sessions.")
	}
	var ended []string
	err := a.DB.Transact(ctx, func(tx *meta.DB) (err error) {
		if ended, err = a.endOthers(ctx, tx, User{ID: p.User, Tenant: p.Tenant}, p.Credential); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: p.Tenant, Actor: p.User, Verb: "session.end-others", Subject: p.User, Outcome: "ok",
			Details: map[string]any{"sessions": ended}})
	})
	if err == nil {
		a.revoked(ended)
	}
	return err
}
