package account

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

const (
	codeLife     = 10 * time.Minute
	codeTries    = 5
	ticketLife   = 30 * time.Minute
	tenantsADay  = 50 // that sign themselves up
	mostNameSize = 200
)

// AskSignUp has a code mailed to an address whose domain a tenant has approved, or that
// may make a tenant of its own. The id that it returns is of use to who has the code. It
// says nothing of whether one was mailed, and takes as long.
func (a *Accounts) AskSignUp(ctx context.Context, email string, addr netip.Addr) (id string, expires time.Time, err error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email || len(email) > 254 {
		return "", expires, fault.New(fault.Invalid, "%q is not an email address.", email)
	}
	q, err := a.put(ctx, signUpAsk, email, addr, codeLife)
	return q.id, q.expires, err
}

// mailCode answers who wants to sign up.
func (a *Accounts) mailCode(ctx context.Context, tx *meta.DB, q *ask) error {
	email := q.question.Typed
	home, err := a.signsUpTo(ctx, tx, email)
	if err != nil {
		return err
	}
	if home == "" && !a.SignUp {
		return nil
	}
	if home != "" {
		t, err := a.Control.UnscopedTenantIn(ctx, tx, home)
		if err != nil {
			return err
		}
		if t.State != control.Active {
			return nil
		}
	}
	known, err := a.accountOf(ctx, tx, home, email)
	if err != nil {
		return err
	}
	if known != "" {
		return a.tell(ctx, tx, notify.Notice{Kind: notify.SignUpKnown, Tenant: home, Subject: q.id, To: email, Detail: known})
	}
	q.joins = home
	code := a.code()
	q.code = a.codeMAC(q.id, code)
	return a.tell(ctx, tx, notify.Notice{Kind: notify.SignUpCode, Tenant: home, Subject: q.id, To: email, Secret: code, Until: words(q.expires)})
}

// accountOf returns the login that an address has at a tenant already; for a new tenant,
// at any.
func (a *Accounts) accountOf(ctx context.Context, tx *meta.DB, home tenant.ID, email string) (string, error) {
	found, err := collect(ctx, tx.Unscoped(), a.scanUser, `SELECT `+userColumns+userTables+`WHERE u.email = $1 AND (u.tenant = $2 OR $2 = '') ORDER BY u.tenant LIMIT 1`, email, string(home))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].Login(), nil
}

// code is six digits.
func (a *Accounts) code() string {
	for {
		n := binary.BigEndian.Uint32(a.Clock.Bytes(4))
		if n < 4_294_000_000 { // the largest multiple of a million
			return fmt.Sprintf("%06d", n%1_000_000)
		}
	}
}

// codeMAC is what is kept of a code. A mere hash of six digits would be as good as they are.
func (a *Accounts) codeMAC(id, code string) []byte { return a.Keys.MAC("sign-up code", id, code) }

// Signing is what somebody with the right code signs up to.
type Signing struct {
	Ticket  string
	Expires time.Time
	Email   string
	Tenant  string // its name; empty: a new one
}

var errCode = fault.New(fault.Denied, "The code is not right, or not good any more. After 5 wrong ones, or 10 minutes, ask for another.")

// Prove exchanges a code for a ticket to sign up with. Everything wrong with it is refused
// in the same words.
func (a *Accounts) Prove(ctx context.Context, id, code string) (Signing, error) {
	var s Signing
	var wrong bool
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		s, wrong = Signing{}, false
		q, err := a.scanAsk(tx.QueryRow(ctx, `SELECT `+askColumns+` FROM account_asks WHERE id = $1 AND kind = $2`, id, string(signUpAsk)))
		if errors.Is(err, sql.ErrNoRows) {
			return errCode
		}
		if err != nil {
			return fmt.Errorf("find sign-up: %w", err)
		}
		now, before := a.Clock.Now(), q
		if q.state != answered && q.state != asked || q.tries >= codeTries || !now.Before(q.expires) {
			return errCode
		}
		q.tries++
		right := a.Keys.CheckMAC(q.code, "sign-up code", q.id, strings.TrimSpace(code)) == nil && q.code != nil
		if right {
			ticket := "trt_" + a.Clock.Secret(32)
			q.state, q.ticket, q.code, q.expires = proven, digest(ticket), nil, now.Add(ticketLife)
			s = Signing{Ticket: ticket, Expires: q.expires, Email: q.question.Typed}
			if q.joins != "" {
				t, err := a.Control.UnscopedTenantIn(ctx, tx, q.joins)
				if err != nil {
					return err
				}
				s.Tenant = t.Name
			}
		}
		wrong = !right
		return a.saveAsk(ctx, tx, before, q) // a wrong try counts
	})
	if err == nil && wrong {
		err = errCode
	}
	if err != nil {
		return Signing{}, err
	}
	return s, nil
}

// NewMember is who signs up. Organisation is the name of a new tenant, for who joins none.
type NewMember struct {
	Name, Password, Organisation string
}

// FinishSignUp makes the account of who has a ticket, in the tenant that approved the domain, or
// as the admin of a new one, and signs it in. The ticket is spent even if the rest fails.
func (a *Accounts) FinishSignUp(ctx context.Context, ticket string, n NewMember, addr netip.Addr, agent string) (Joined, error) {
	if err := checkPassword(n.Password); err != nil {
		return Joined{}, err
	}
	q, err := a.ticketed(ctx, a.DB, ticket)
	if err != nil {
		return Joined{}, err
	}
	n.Organisation = strings.TrimSpace(n.Organisation)
	if q.joins == "" && n.Organisation == "" {
		return Joined{}, fault.New(fault.Invalid, "Give the name of your organisation.")
	}
	if len(n.Organisation) > mostNameSize-50 || len(n.Name) > mostNameSize {
		return Joined{}, fault.New(fault.Invalid, "The name is too long.")
	}
	hash, err := a.hash(ctx, n.Password)
	if err != nil {
		return Joined{}, err
	}
	if err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		if q, err = a.ticketed(ctx, tx, ticket); err != nil {
			return err
		}
		if q.joins != "" { // the domain may have been removed since
			if home, err := a.signsUpTo(ctx, tx, q.question.Typed); err != nil || home != q.joins {
				return orElse(err, errTicket)
			}
		}
		spent := q
		spent.state, spent.body = done, nil
		return a.saveAsk(ctx, tx, q, spent)
	}); err != nil {
		return Joined{}, err
	}
	home, role := q.joins, policy.TenantUser
	if home == "" {
		if home, err = a.newTenant(ctx, q, n.Organisation); err != nil {
			return Joined{}, err
		}
		role = policy.TenantAdmin
	}
	u, err := a.member(ctx, q, home, role, n.Name, hash, addr)
	if err != nil {
		return Joined{}, err
	}
	return a.join(ctx, u, addr, agent)
}

var errTicket = fault.New(fault.Conflict, "This sign-up is over. Begin it again.")

func (a *Accounts) ticketed(ctx context.Context, db *meta.DB, ticket string) (ask, error) {
	q, err := a.scanAsk(db.QueryRow(ctx, `SELECT `+askColumns+` FROM account_asks WHERE ticket = $1 AND state = $2`, digest(ticket), string(proven)))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !a.Clock.Now().Before(q.expires) {
		return q, errTicket
	}
	if err != nil {
		return q, fmt.Errorf("find sign-up: %w", err)
	}
	return q, nil
}

// newTenant makes a tenant of who signs up. Its organisation is a new one always: a name
// that somebody has is no proof of being them, and must not tell that they are here.
func (a *Accounts) newTenant(ctx context.Context, q ask, name string) (tenant.ID, error) {
	if !a.SignUp {
		return "", errTicket
	}
	slug := slugOf(name) + "-" + a.Clock.Secret(4)
	t, err := a.Control.UnscopedSignUp(ctx, q.id, control.NewTenant{Slug: slug, Name: name, Organisation: name + " (" + slug + ")"}, tenantsADay)
	return t.ID, err
}

func slugOf(name string) string {
	s := strings.Trim(notLogin.ReplaceAllString(strings.ToLower(name), "-"), "-_0123456789")
	s = strings.Trim(strings.ReplaceAll(s, "_", "-"), "-")
	if s = strings.Trim(s[:min(len(s), 24)], "-"); len(s) < 2 {
		return "tenant"
	}
	return s
}

// member makes the user of who signs up.
func (a *Accounts) member(ctx context.Context, q ask, home tenant.ID, role policy.Role, name, hash string, addr netip.Addr) (User, error) {
	n := NewUser{Email: q.question.Typed, Name: strings.TrimSpace(name), Role: role, hash: hash}
	var u User
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if u, err = a.createUser(ctx, tx, q.id, home, false, n); err != nil {
			return err
		}
		if err := a.proveEmail(ctx, tx, u); err != nil {
			return err
		}
		if err := a.tell(ctx, tx, notify.Notice{Kind: notify.NewCredential, Tenant: home, Subject: u.ID, Detail: "an account, by who signed up with an address of an approved domain: " + u.Email}); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: home, Actor: u.ID, Verb: "user.sign-up", Subject: u.ID, Outcome: "ok", Details: map[string]any{"address": addr.String(), "email": u.Email}})
	})
	return u, err
}
