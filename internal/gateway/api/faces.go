package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// faceRoutes are how people come in by a mail: invitations, forgotten passwords, sign-up.
// Tokens are in bodies and never in an address that a server is asked for, which somebody
// may log: links have them behind a #.
func (s *server) faceRoutes() {
	add(s, route{method: http.MethodGet, path: "/entrance", id: "entrance", summary: "What can be done here before signing in", thing: "entrance", audience: public}, s.entrance)

	add(s, route{method: http.MethodPost, path: "/invitations", id: "invite", summary: "Invite somebody by a mail", thing: "invitation",
		action: policy.UserCreate, audience: anyone, audit: "invitation.create", status: http.StatusCreated, secret: true}, s.invite)
	add(s, route{method: http.MethodGet, path: "/invitations", id: "list-invitations", summary: "List the invitations that were not taken up, to one's tenant or the tenant named", thing: "invitation",
		action: policy.UserRead, audience: anyone}, s.invitations)
	add(s, route{method: http.MethodPost, path: "/invitations/{id}/resend", id: "resend-invitation", summary: "Send an invitation again, with another link", thing: "invitation",
		action: policy.UserCreate, audience: anyone, audit: "invitation.resend", secret: true}, s.resendInvitation)
	add(s, route{method: http.MethodDelete, path: "/invitations/{id}", id: "revoke-invitation", summary: "Take an invitation back; who was invited is gone", thing: "invitation",
		action: policy.UserUpdate, audience: anyone, audit: "invitation.revoke", status: http.StatusNoContent}, s.revokeInvitation)
	add(s, route{method: http.MethodPost, path: "/invitations/look", id: "look-invitation", summary: "Show an invitation to who has its link", thing: "invitation",
		audience: public, audit: "invitation.look"}, s.lookInvitation)
	add(s, route{method: http.MethodPost, path: "/invitations/accept", id: "accept-invitation", summary: "Take an invitation up, with a password of one's own", thing: "invitation",
		audience: public, audit: "invitation.accept", status: http.StatusCreated, secret: true}, s.acceptInvitation)

	add(s, route{method: http.MethodPost, path: "/password-resets", id: "forgot-password", summary: "Have a link to set a password with mailed; the answer says nothing of who is known", thing: "password",
		audience: public, audit: "password-reset.ask", status: http.StatusAccepted}, s.forgot)
	add(s, route{method: http.MethodPost, path: "/password-resets/look", id: "look-reset", summary: "Show whose password a link sets", thing: "password",
		audience: public, audit: "password-reset.look"}, s.lookReset)
	add(s, route{method: http.MethodPost, path: "/password-resets/use", id: "reset-password", summary: "Set a password by a link; all sessions of the user end", thing: "password",
		audience: public, audit: "password-reset.use", status: http.StatusNoContent}, s.resetPassword)

	add(s, route{method: http.MethodPost, path: "/sign-ups", id: "sign-up", summary: "Have a code to sign up with mailed; the answer says nothing of who is known", thing: "sign-up",
		audience: public, audit: "user.sign-up", status: http.StatusAccepted}, s.signUp)
	add(s, route{method: http.MethodPost, path: "/sign-ups/prove", id: "prove-sign-up", summary: "Exchange the code for a ticket", thing: "sign-up",
		audience: public, audit: "user.sign-up", secret: true}, s.proveSignUp)
	add(s, route{method: http.MethodPost, path: "/sign-ups/finish", id: "finish-sign-up", summary: "Make the account of who has a ticket", thing: "sign-up",
		audience: public, audit: "user.sign-up", status: http.StatusCreated, secret: true}, s.finishSignUp)

	add(s, route{method: http.MethodPost, path: "/domains", id: "add-domain", summary: "Approve a domain whose people sign up by themselves; of the provider: vouch for one", thing: "domain",
		action: policy.UserCreate, audience: anyone, audit: "domain.approve", status: http.StatusCreated}, s.addDomain)
	add(s, route{method: http.MethodGet, path: "/domains", id: "list-domains", summary: "List the domains of one's tenant, or of the tenant named", thing: "domain",
		action: policy.UserRead, audience: anyone}, s.domains)
	add(s, route{method: http.MethodDelete, path: "/domains/{id}", id: "remove-domain", summary: "End a domain; who has signed up with it stays", thing: "domain",
		action: policy.UserUpdate, audience: anyone, audit: "domain.remove", status: http.StatusNoContent}, s.removeDomain)
}

func (s *server) entrance(ctx context.Context, _ *call, _ *struct{}) (*out[client.Entrance], error) {
	unmanned, err := s.Accounts.Unmanned(ctx)
	if err != nil {
		return nil, err
	}
	w := client.Entrance{Mail: s.Accounts.Sends(), TenantSignUp: s.Accounts.SignUp, NoAdmin: unmanned}
	if s.Accounts.Issuer != nil {
		w.OIDC = s.Accounts.Issuer.Name
	}
	return &out[client.Entrance]{w}, nil
}

func (s *server) invite(ctx context.Context, c *call, i *in[client.NewInvitation]) (*out[client.Invitation], error) {
	n := account.NewUser{Email: i.Body.Email, Name: i.Body.Name, Role: policy.Role(i.Body.Role)}
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	var made account.Invitation
	if c.staff() {
		made, err = s.Accounts.UnscopedInvite(ctx, c.by(), id, n)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		made, err = s.Accounts.Invite(ctx, scope, n)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.Invitation]{invitationWord(made)}, nil
}

func invitationWord(i account.Invitation) client.Invitation {
	w := client.Invitation{ID: i.ID, Tenant: string(i.User.Tenant), State: string(i.State), User: i.User.ID, Email: i.User.Email, Name: i.User.Name, Role: string(i.User.Role),
		Mailed: i.Mailed, SentAt: i.SentAt, ExpiresAt: i.ExpiresAt, CreatedAt: i.CreatedAt, CreatedBy: i.CreatedBy}
	if i.Token != "" {
		w.Path = "/invite#" + i.Token
	}
	return w
}

func (s *server) invitations(ctx context.Context, c *call, i *TenantPaging) (*list[client.Invitation], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []account.Invitation
	var next string
	if c.staff() {
		found, next, err = s.Accounts.UnscopedInvitations(ctx, id, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Accounts.Invitations(ctx, scope, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, invitationWord), nil
}

func (s *server) resendInvitation(ctx context.Context, c *call, i *ByID) (*out[client.Invitation], error) {
	var sent account.Invitation
	var err error
	if c.staff() {
		sent, err = s.Accounts.UnscopedResend(ctx, c.by(), i.ID)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		sent, err = s.Accounts.Resend(ctx, scope, i.ID)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.Invitation]{invitationWord(sent)}, nil
}

func (s *server) revokeInvitation(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedRevokeInvitation(ctx, c.by(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.RevokeInvitation(ctx, scope, i.ID)
}

func (s *server) lookInvitation(ctx context.Context, _ *call, i *in[client.LinkToken]) (*out[client.Invited], error) {
	found, by, to, err := s.Accounts.Look(ctx, i.Body.Token)
	if err != nil {
		return nil, err
	}
	w := client.Invited{State: string(found.State), ExpiresAt: found.ExpiresAt}
	if found.User.ID != "" {
		w.By, w.To, w.Email, w.Login, w.Name, w.Role = by, to, found.User.Email, found.User.Login(), found.User.Name, string(found.User.Role)
	}
	return &out[client.Invited]{w}, nil
}

func (s *server) acceptInvitation(ctx context.Context, c *call, i *in[client.Acceptor]) (*out[client.Joined], error) {
	if err := c.keeps(i.Body.Cookie); err != nil {
		return nil, err
	}
	j, err := s.Accounts.Accept(ctx, i.Body.Token, i.Body.Name, i.Body.Password, addressOf(ctx), c.request.UserAgent())
	if err != nil {
		return nil, err
	}
	return c.joined(j, i.Body.Cookie), nil
}

// joined answers who has just come in, with the session's token in a cookie or in words.
func (c *call) joined(j account.Joined, cookie bool) *out[client.Joined] {
	w := client.Joined{User: j.User.ID, Login: j.User.Login(), Role: string(j.User.Role), Tenant: string(j.User.Tenant), SignedIn: j.Token != ""}
	switch {
	case j.Token != "" && cookie:
		c.setCookie(j.Token)
	default:
		w.Token = j.Token
	}
	return &out[client.Joined]{w}
}

func (s *server) forgot(ctx context.Context, _ *call, i *in[client.Forgotten]) (*out[client.Asked], error) {
	if err := s.mails("Ask an administrator of yours to set a password, or the provider. Who has the server's host in hands can make a link with `tributary reset-link`."); err != nil {
		return nil, err
	}
	expires, err := s.Accounts.AskReset(ctx, i.Body.Login, addressOf(ctx))
	if err != nil {
		return nil, err
	}
	return &out[client.Asked]{client.Asked{ExpiresAt: expires}}, nil
}

// mails is a Conflict where no mails go out, and says what to do instead.
func (s *server) mails(instead string) error {
	if s.Accounts.Sends() {
		return nil
	}
	return fault.New(fault.Conflict, "This server sends no mails. %s", instead)
}

func (s *server) lookReset(ctx context.Context, _ *call, i *in[client.LinkToken]) (*out[client.Resetting], error) {
	login, state, expires, err := s.Accounts.LookReset(ctx, i.Body.Token)
	if err != nil {
		return nil, err
	}
	return &out[client.Resetting]{client.Resetting{State: string(state), Login: login, ExpiresAt: expires}}, nil
}

func (s *server) resetPassword(ctx context.Context, _ *call, i *in[client.PasswordReset]) (*struct{}, error) {
	return nil, s.Accounts.Reset(ctx, i.Body.Token, i.Body.Password, addressOf(ctx))
}

func (s *server) signUp(ctx context.Context, _ *call, i *in[client.SignUp]) (*out[client.Asked], error) {
	if err := s.mails("Ask an administrator of yours, or the provider, to invite you."); err != nil {
		return nil, err
	}
	id, expires, err := s.Accounts.AskSignUp(ctx, i.Body.Email, addressOf(ctx))
	if err != nil {
		return nil, err
	}
	return &out[client.Asked]{client.Asked{ID: id, ExpiresAt: expires}}, nil
}

func (s *server) proveSignUp(ctx context.Context, _ *call, i *in[client.SignUpCode]) (*out[client.SignUpTicket], error) {
	p, err := s.Accounts.Prove(ctx, i.Body.ID, i.Body.Code)
	if err != nil {
		return nil, err
	}
	return &out[client.SignUpTicket]{client.SignUpTicket{Ticket: p.Ticket, ExpiresAt: p.Expires, Email: p.Email, Tenant: p.Tenant}}, nil
}

func (s *server) finishSignUp(ctx context.Context, c *call, i *in[client.NewMember]) (*out[client.Joined], error) {
	if err := c.keeps(i.Body.Cookie); err != nil {
		return nil, err
	}
	j, err := s.Accounts.FinishSignUp(ctx, i.Body.Ticket, account.NewMember{Name: i.Body.Name, Password: i.Body.Password, Organisation: i.Body.Organisation}, addressOf(ctx), c.request.UserAgent())
	if err != nil {
		return nil, err
	}
	return c.joined(j, i.Body.Cookie), nil
}

func (s *server) addDomain(ctx context.Context, c *call, i *in[client.NewDomain]) (*out[client.Domain], error) {
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	var d account.Domain
	if c.staff() {
		if id == "" {
			return nil, fault.New(fault.Invalid, "Name the tenant that the domain is of.")
		}
		d, err = s.Accounts.UnscopedVouch(ctx, c.by(), id, i.Body.Domain)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		d, err = s.Accounts.ApproveDomain(ctx, scope, i.Body.Domain)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.Domain]{domainWord(d)}, nil
}

func domainWord(d account.Domain) client.Domain {
	w := client.Domain{ID: d.ID, Tenant: string(d.Tenant), Domain: d.Domain, State: "vouched", VouchedAt: d.VouchedAt, VouchedBy: d.VouchedBy,
		ApprovedAt: d.ApprovedAt, ApprovedBy: d.ApprovedBy, Proof: d.Proof, CreatedAt: d.CreatedAt}
	if d.ApprovedAt != nil {
		w.State = "approved"
	}
	return w
}

func (s *server) domains(ctx context.Context, c *call, i *TenantPaging) (*list[client.Domain], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []account.Domain
	if c.staff() {
		found, err = s.Accounts.UnscopedDomains(ctx, id)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, err = s.Accounts.Domains(ctx, scope)
	}
	if err != nil {
		return nil, err
	}
	return each(found, "", domainWord), nil
}

func (s *server) removeDomain(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedRemoveDomain(ctx, c.by(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.RemoveDomain(ctx, scope, i.ID)
}
