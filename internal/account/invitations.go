package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// Invitation asks somebody to join, by a link that is mailed to them. An admin makes
// it, and with it a user who is invited; it ends when the link is used, and the user is
// active from then on, or when an admin takes it back, and the user is gone.
type Invitation struct {
	ID        string
	State     LinkState
	User      User
	Mailed    bool // false: its link was shown to the admin, since no mails go out
	SentAt    time.Time
	ExpiresAt time.Time
	CreatedAt time.Time
	CreatedBy string
	// Token is the link's, where it was not mailed and only when it was made.
	Token string
}

func invitationOf(l link, u User, now time.Time) Invitation {
	return Invitation{ID: l.id, State: l.state(now), User: u, Mailed: l.mailed, SentAt: l.sentAt, ExpiresAt: l.expires, CreatedAt: l.createdAt, CreatedBy: l.createdBy}
}

// Invite invites somebody to the scope's tenant.
func (a *Accounts) Invite(ctx context.Context, scope tenant.Scope, n NewUser) (Invitation, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Credentials); err != nil {
		return Invitation{}, err
	}
	return a.invite(ctx, scope.Actor(), scope.Tenant(), false, n)
}

// UnscopedInvite invites somebody to the provider's people (for ""), or to a tenant
// that is not claimed yet; a claimed one is a Conflict.
func (a *Accounts) UnscopedInvite(ctx context.Context, by string, id tenant.ID, n NewUser) (Invitation, error) {
	if id != "" {
		if _, err := a.unclaimed(ctx, a.DB, id); err != nil {
			return Invitation{}, err
		}
	}
	return a.invite(ctx, by, id, id != "", n)
}

func (a *Accounts) invite(ctx context.Context, by string, id tenant.ID, provider bool, n NewUser) (Invitation, error) {
	if n.Password != "" || n.SSHPublicKey != "" {
		return Invitation{}, fault.New(fault.Invalid, "Who is invited chooses their own password, and adds their own keys.")
	}
	n.invited = true
	var made Invitation
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		u, err := a.createUser(ctx, tx, by, id, provider, n)
		if err != nil {
			return err
		}
		l, token, err := a.insertLink(ctx, tx, link{id: a.Clock.ID("inv"), tenant: id, user: u.ID, kind: invitationLink, mailed: a.Sends(), createdBy: by}, invitationLife)
		if err != nil {
			return err
		}
		made = invitationOf(l, u, a.Clock.Now())
		if err := a.mailInvitation(ctx, tx, &made, token); err != nil {
			return err
		}
		return a.record(ctx, tx, id, provider, audit.Entry{Actor: by, Verb: "invitation.create", Subject: l.id, Outcome: "ok",
			Details: map[string]any{"user": u.ID, "email": u.Email, "role": u.Role, "mailed": l.mailed}})
	})
	if err != nil {
		return Invitation{}, err
	}
	return made, nil
}

// mailInvitation has an invitation's token mailed, or puts it into the answer where no
// mails go out: who may invite may set a password as well.
func (a *Accounts) mailInvitation(ctx context.Context, tx *meta.DB, i *Invitation, token string) error {
	if !i.Mailed {
		i.Token = token
		return nil
	}
	by, to, err := a.inviter(ctx, tx, i.User.Tenant, i.CreatedBy)
	if err != nil {
		return err
	}
	return a.tell(ctx, tx, notify.Notice{Kind: notify.Invitation, Tenant: i.User.Tenant, User: i.User.ID, Subject: i.User.ID, To: i.User.Email, Secret: token, Until: words(i.ExpiresAt),
		Detail: fmt.Sprintf("%s invites you to %s, as %s", by, to, roleWords[i.User.Role])})
}

var roleWords = map[policy.Role]string{policy.TenantAdmin: "an administrator", policy.TenantUser: "a user", policy.SystemAdmin: "a system administrator", policy.Auditor: "an auditor", policy.Analyst: "an analyst"}

// inviter says in words who invites to what. Of a key it is nobody in particular.
func (a *Accounts) inviter(ctx context.Context, db *meta.DB, id tenant.ID, by string) (who, to string, err error) {
	to = "the provider's staff"
	if id != "" {
		t, err := a.Control.UnscopedTenantIn(ctx, db, id)
		if err != nil {
			return "", "", err
		}
		to = t.Name
	}
	for _, home := range []tenant.ID{id, ""} {
		u, err := a.user(ctx, db, home, by)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if u.Name == "" {
			return u.Email, to, nil
		}
		return u.Name + " (" + u.Email + ")", to, nil
	}
	return "An administrator", to, nil
}

// Invitations lists the invitations to the scope's tenant that were not taken up.
func (a *Accounts) Invitations(ctx context.Context, scope tenant.Scope, page meta.Page) ([]Invitation, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Credentials); err != nil {
		return nil, "", err
	}
	return a.UnscopedInvitations(ctx, scope.Tenant(), page)
}

// UnscopedInvitations lists the invitations to a tenant, or to the provider's people for
// "", that were not taken up.
func (a *Accounts) UnscopedInvitations(ctx context.Context, id tenant.ID, page meta.Page) ([]Invitation, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	links, err := collect(ctx, a.DB.RowsOf(id), a.scanLink, `SELECT `+linkColumns+` FROM account_links
		WHERE tenant = $1 AND kind = $2 AND used_at IS NULL AND ended_at IS NULL AND (created_at < $3 OR (created_at = $3 AND id < $4)) ORDER BY created_at DESC, id DESC LIMIT $5`,
		string(id), string(invitationLink), pos.At, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list invitations: %w", err)
	}
	links, next := meta.Cut(links, page, func(l link) meta.Position { return meta.Position{At: meta.Micros(l.createdAt), ID: l.id} })
	var list []Invitation
	for _, l := range links {
		u, err := a.user(ctx, a.DB, id, l.user)
		if fault.Is(err, fault.NotFound) { // taken back since
			continue
		}
		if err != nil {
			return nil, "", err
		}
		list = append(list, invitationOf(l, u, a.Clock.Now()))
	}
	return list, next, nil
}

// Resend sends an invitation to the scope's tenant again, with another link; the one of
// before ends.
func (a *Accounts) Resend(ctx context.Context, scope tenant.Scope, id string) (Invitation, error) {
	return a.resend(ctx, scope.Actor(), scope.Tenant(), id, false, func() error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedResend sends again an invitation to the provider's people, or to a tenant that
// is not claimed yet.
func (a *Accounts) UnscopedResend(ctx context.Context, by, id string) (Invitation, error) {
	home, err := a.invitedTo(ctx, id)
	if err != nil {
		return Invitation{}, err
	}
	return a.resend(ctx, by, home, id, home != "", func() error { return nil })
}

func (a *Accounts) resend(ctx context.Context, by string, home tenant.ID, id string, provider bool, check func() error) (Invitation, error) {
	var sent Invitation
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		l, u, err := a.openInvitation(ctx, tx, home, id)
		if err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		if provider {
			if _, err := a.unclaimed(ctx, tx, home); err != nil {
				return err
			}
		}
		if err := a.peer(ctx, tx, home, by, u.Role); err != nil {
			return err
		}
		made, err := a.derived(ctx, tx, home, by)
		if err != nil {
			return err
		}
		if !u.ProviderMade && (provider || made) { // who sends it may be who reads it
			u.ProviderMade = true
			if err := a.saveUser(ctx, tx, by, &u); err != nil {
				return err
			}
		}
		l.mailed = a.Sends()
		token := a.freshToken(&l, invitationLife)
		if err := a.saveLink(ctx, tx, l); err != nil {
			return err
		}
		sent = invitationOf(l, u, a.Clock.Now())
		if err := a.mailInvitation(ctx, tx, &sent, token); err != nil {
			return err
		}
		return a.record(ctx, tx, home, provider, audit.Entry{Actor: by, Verb: "invitation.resend", Subject: id, Outcome: "ok", Details: map[string]any{"user": u.ID, "mailed": l.mailed}})
	})
	if err != nil {
		return Invitation{}, err
	}
	return sent, nil
}

// RevokeInvitation takes an invitation to the scope's tenant back; the user that was
// invited is gone.
func (a *Accounts) RevokeInvitation(ctx context.Context, scope tenant.Scope, id string) error {
	return a.revokeInvitation(ctx, scope.Actor(), scope.Tenant(), id, false, func() error { return scope.Check(ctx, tenant.Write, tenant.Credentials.One(id)) })
}

// UnscopedRevokeInvitation takes any invitation back, which takes power away.
func (a *Accounts) UnscopedRevokeInvitation(ctx context.Context, by, id string) error {
	home, err := a.invitedTo(ctx, id)
	if err != nil {
		return err
	}
	return a.revokeInvitation(ctx, by, home, id, true, func() error { return nil })
}

func (a *Accounts) revokeInvitation(ctx context.Context, by string, home tenant.ID, id string, provider bool, check func() error) error {
	return a.DB.Transact(ctx, func(tx *meta.DB) error {
		_, u, err := a.openInvitation(ctx, tx, home, id)
		if err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		if err := a.endLinks(ctx, tx, u, ""); err != nil {
			return err
		}
		if err := a.removeInvited(ctx, tx, u); err != nil {
			return err
		}
		return a.record(ctx, tx, home, provider, audit.Entry{Actor: by, Verb: "invitation.revoke", Subject: id, Outcome: "ok", Details: map[string]any{"user": u.ID, "email": u.Email}})
	})
}

// removeInvited removes a user who has not come yet.
func (a *Accounts) removeInvited(ctx context.Context, tx *meta.DB, u User) error {
	if _, err := tx.RowsOf(u.Tenant).Exec(ctx, `DELETE FROM users WHERE id = $1 AND tenant = $2`, u.ID, string(u.Tenant)); err != nil {
		return fmt.Errorf("remove who was invited: %w", err)
	}
	return nil
}

func noInvitation(id string) error {
	return fault.New(fault.NotFound, "There is no invitation %q.", id)
}

// invitedTo finds where an invitation is to, for the provider.
func (a *Accounts) invitedTo(ctx context.Context, id string) (home tenant.ID, err error) {
	err = a.DB.Unscoped().QueryRow(ctx, `SELECT tenant FROM account_links WHERE id = $1 AND kind = $2`, id, string(invitationLink)).Scan(&home)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noInvitation(id)
	}
	return home, err
}

// openInvitation finds an invitation that was not taken up, and who it is to.
func (a *Accounts) openInvitation(ctx context.Context, tx *meta.DB, home tenant.ID, id string) (link, User, error) {
	l, err := a.scanLink(tx.RowsOf(home).QueryRow(ctx, `SELECT `+linkColumns+` FROM account_links WHERE id = $1 AND tenant = $2 AND kind = $3`, id, string(home), string(invitationLink)))
	if errors.Is(err, sql.ErrNoRows) {
		return l, User{}, noInvitation(id)
	}
	if err != nil {
		return l, User{}, fmt.Errorf("find invitation: %w", err)
	}
	if l.used != nil || l.ended != nil {
		return l, User{}, noInvitation(id)
	}
	u, err := a.user(ctx, tx, home, l.user)
	if err == nil && u.State != UserInvited {
		err = fault.New(fault.Conflict, "The user %q is not waiting for an invitation any more.", u.ID)
	}
	return l, u, err
}

// Look shows what an invitation is to, to who has its token.
func (a *Accounts) Look(ctx context.Context, token string) (i Invitation, by, to string, err error) {
	l, err := a.findLink(ctx, a.DB, invitationLink, token)
	if err != nil {
		return i, "", "", err
	}
	u, err := a.user(ctx, a.DB, l.tenant, l.user)
	if fault.Is(err, fault.NotFound) {
		return Invitation{State: LinkEnded}, "", "", nil
	}
	if err != nil {
		return i, "", "", err
	}
	by, to, err = a.inviter(ctx, a.DB, l.tenant, l.createdBy)
	return invitationOf(l, u, a.Clock.Now()), by, to, err
}

// Joined is somebody who has just come in. Where the tenant's rules let nobody in from
// this address there is no session, and no token.
type Joined struct {
	User    User
	Session Session
	Token   string
}

// Accept takes an invitation up: the user has a name and a password, is active, and
// signed in.
func (a *Accounts) Accept(ctx context.Context, token, name, password string, addr netip.Addr, agent string) (Joined, error) {
	if err := checkPassword(password); err != nil {
		return Joined{}, err
	}
	if _, _, err := a.invited(ctx, a.DB, token); err != nil { // before the costly hash, and again inside
		return Joined{}, err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return Joined{}, err
	}
	var u User
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		l, who, err := a.invited(ctx, tx, token)
		if err != nil {
			return err
		}
		who.password, who.State = hash, UserActive
		if name = strings.TrimSpace(name); name != "" {
			who.Name = name
		}
		if who.Role == policy.TenantAdmin { // the provider does not know this password, and the first sign-in takes over
			who.ProviderMade = false
		}
		if err := a.saveUser(ctx, tx, who.ID, &who); err != nil {
			return err
		}
		if err := a.useLink(ctx, tx, l); err != nil {
			return err
		}
		if l.mailed {
			if err := a.proveEmail(ctx, tx, who); err != nil {
				return err
			}
		}
		u = who
		return a.Audit.Append(ctx, tx, audit.Entry{Tenant: who.Tenant, Actor: who.ID, Verb: "invitation.accept", Subject: l.id, Outcome: "ok", Details: map[string]any{"address": addr.String()}})
	})
	if err != nil {
		return Joined{}, err
	}
	return a.join(ctx, u, addr, agent)
}

// join signs in who has just come in, where the tenant lets them.
func (a *Accounts) join(ctx context.Context, u User, addr netip.Addr, agent string) (Joined, error) {
	token, s, err := a.openSession(ctx, u, "", Attempt{Address: addr, Agent: agent})
	if errors.Is(err, errNoSignIn) {
		return Joined{User: u}, nil
	}
	return Joined{u, s, token}, err
}

// invited finds the open invitation of a token, and who may take it up.
func (a *Accounts) invited(ctx context.Context, db *meta.DB, token string) (link, User, error) {
	l, err := a.findLink(ctx, db, invitationLink, token)
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
	over := fault.New(fault.Conflict, "This invitation is not good any more. Ask who invited you.")
	if u.State != UserInvited {
		return l, u, over
	}
	if u.Tenant == "" {
		return l, u, nil
	}
	t, err := a.Control.UnscopedTenantIn(ctx, db, u.Tenant)
	if err != nil {
		return l, u, fmt.Errorf("find tenant of invitation: %w", err)
	}
	if t.State != control.Active || u.ProviderMade && t.ClaimedAt != nil {
		return l, u, over
	}
	return l, u, nil
}
