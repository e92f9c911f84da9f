package client

import (
	"context"
	"net/http"
)

// Entrance says what can be done before signing in. It needs no credential.
func (c *Client) Entrance(ctx context.Context) (Entrance, error) {
	return call[Entrance](ctx, c, request{method: http.MethodGet, path: "/entrance", open: true})
}

// Invite invites somebody by a mail.
func (c *Client) Invite(ctx context.Context, n NewInvitation) (Invitation, error) {
	return post[Invitation](ctx, c, "/invitations", n)
}

// Invitations lists a page of the invitations that were not taken up, to the credential's
// tenant or the tenant named; to the provider without a name those to its own people.
func (c *Client) Invitations(ctx context.Context, p TenantPage) (List[Invitation], error) {
	return get[List[Invitation]](ctx, c, "/invitations", p.values())
}

// ResendInvitation sends an invitation again with another link; the one before ends.
func (c *Client) ResendInvitation(ctx context.Context, invitation string) (Invitation, error) {
	return call[Invitation](ctx, c, request{method: http.MethodPost, path: "/invitations/" + id(invitation) + "/resend", key: newKey()})
}

// RevokeInvitation takes an invitation back.
func (c *Client) RevokeInvitation(ctx context.Context, invitation string) error {
	return c.delete(ctx, "/invitations/"+id(invitation))
}

// LookInvitation shows what an invitation is to. It needs no credential.
func (c *Client) LookInvitation(ctx context.Context, token string) (Invited, error) {
	return send[Invited](ctx, c, request{method: http.MethodPost, path: "/invitations/look", open: true}, LinkToken{token})
}

// AcceptInvitation takes an invitation up. It needs no credential, and does not change
// the client's.
func (c *Client) AcceptInvitation(ctx context.Context, a Acceptor) (Joined, error) {
	return send[Joined](ctx, c, request{method: http.MethodPost, path: "/invitations/accept", open: true}, a)
}

// Forgot has a link to set a password with mailed to who has the login, if anybody does.
// It needs no credential.
func (c *Client) Forgot(ctx context.Context, login string) (Asked, error) {
	return send[Asked](ctx, c, request{method: http.MethodPost, path: "/password-resets", open: true}, Forgotten{login})
}

// LookReset shows whose password a link sets. It needs no credential.
func (c *Client) LookReset(ctx context.Context, token string) (Resetting, error) {
	return send[Resetting](ctx, c, request{method: http.MethodPost, path: "/password-resets/look", open: true}, LinkToken{token})
}

// ResetPassword sets a password by a link. It needs no credential.
func (c *Client) ResetPassword(ctx context.Context, r PasswordReset) error {
	_, err := send[none](ctx, c, request{method: http.MethodPost, path: "/password-resets/use", open: true}, r)
	return err
}

// SignUp asks for a code to sign up with. It needs no credential.
func (c *Client) SignUp(ctx context.Context, email string) (Asked, error) {
	return send[Asked](ctx, c, request{method: http.MethodPost, path: "/sign-ups", open: true}, SignUp{email})
}

// ProveSignUp exchanges the code for a ticket. It needs no credential.
func (c *Client) ProveSignUp(ctx context.Context, code SignUpCode) (SignUpTicket, error) {
	return send[SignUpTicket](ctx, c, request{method: http.MethodPost, path: "/sign-ups/prove", open: true}, code)
}

// FinishSignUp makes the account of who has a ticket. It needs no credential, and does
// not change the client's.
func (c *Client) FinishSignUp(ctx context.Context, n NewMember) (Joined, error) {
	return send[Joined](ctx, c, request{method: http.MethodPost, path: "/sign-ups/finish", open: true}, n)
}

// Domains lists the domains of the credential's tenant, or of the tenant named.
func (c *Client) Domains(ctx context.Context, p TenantPage) (List[Domain], error) {
	return get[List[Domain]](ctx, c, "/domains", p.values())
}

// AddDomain approves a domain, or vouches for one.
func (c *Client) AddDomain(ctx context.Context, n NewDomain) (Domain, error) {
	return post[Domain](ctx, c, "/domains", n)
}

// RemoveDomain ends a domain. Who has signed up with it stays.
func (c *Client) RemoveDomain(ctx context.Context, domain string) error {
	return c.delete(ctx, "/domains/"+id(domain))
}
