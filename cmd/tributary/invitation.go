package main

import (
	"context"
	"strings"

	"tributary/client"
)

type invitationCmd struct {
	Create invitationCreateCmd `cmd:"" help:"Invite somebody by a mail."`
	List   invitationListCmd   `cmd:"" help:"List the invitations that were not taken up."`
	Resend invitationResendCmd `cmd:"" help:"Send an invitation again, with another link."`
	Revoke invitationRevokeCmd `cmd:"" help:"Take an invitation back."`
	Accept invitationAcceptCmd `cmd:"" help:"Take an invitation up, with the token of its link."`
}

type invitationCreateCmd struct {
	Tenant string `placeholder:"SLUG" help:"The tenant. Without it: the token's own, or the provider's people."`
	Email  string `arg:"" help:"Who to invite."`
	Role   string `required:"" placeholder:"ROLE" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user" help:"${enum}."`
	Name   string `placeholder:"NAME" help:"Their name; they can change it."`
}

// Run invites somebody.
func (i *invitationCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.Invite(ctx, client.NewInvitation{Tenant: i.Tenant, Email: i.Email, Role: i.Role, Name: i.Name})
	if err != nil {
		return err
	}
	return out.answer(func() { out.invitation(made) })
}

func (o *output) invitation(i client.Invitation) {
	o.fields("id", i.ID, "email", i.Email, "role", i.Role, "user", i.User, "tenant", i.Tenant, "mailed", yesNo(i.Mailed), "expires_at", when(i.ExpiresAt), "path", i.Path)
	if i.Path != "" {
		o.note("This server sends no mails. Give the path, with the server's address before it, to %s yourself; it is shown once and works once.", i.Email)
	}
}

type invitationListCmd struct {
	listFlags
	tenantFlag
}

// Run lists invitations.
func (i *invitationListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, i.listFlags, c.Invitations, client.TenantPage{Page: i.page(), Tenant: i.Tenant}, columns[client.Invitation]{
		[]string{"ID", "EMAIL", "ROLE", "STATE", "SENT", "EXPIRES", "BY"},
		func(i client.Invitation) []string {
			return []string{i.ID, i.Email, i.Role, i.State, when(i.SentAt), when(i.ExpiresAt), i.CreatedBy}
		},
	})
}

// invitationArg is an invitation that is named.
type invitationArg struct {
	ID string `arg:"" name:"id" help:"The invitation's id."`
}

type invitationResendCmd struct{ invitationArg }

// Run sends an invitation again.
func (i *invitationResendCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	sent, err := c.ResendInvitation(ctx, i.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.invitation(sent) })
}

type invitationRevokeCmd struct{ invitationArg }

// Run takes an invitation back.
func (i *invitationRevokeCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.RevokeInvitation(ctx, i.ID); err != nil {
		return err
	}
	out.note("took %s back", i.ID)
	return nil
}

type invitationAcceptCmd struct {
	Name         string `placeholder:"NAME" help:"One's name."`
	TokenFile    string `name:"link-token-file" placeholder:"FILE" help:"File with the link's token, what is behind /invite#; - is standard input. Without it, it is asked for."`
	PasswordFile string `placeholder:"FILE" help:"File with a password of one's own; - is standard input. Without it, it is asked for."`
}

// Run takes an invitation up.
func (i *invitationAcceptCmd) Run(ctx context.Context, root *cli, out *output) error {
	token, password, err := linkAndPassword(ctx, out, i.TokenFile, i.PasswordFile)
	if err != nil {
		return err
	}
	c, err := root.stranger(out)
	if err != nil {
		return err
	}
	joined, err := c.AcceptInvitation(ctx, client.Acceptor{Token: token, Name: i.Name, Password: password})
	if err != nil {
		return err
	}
	return out.answer(func() { out.joined(joined) })
}

func (o *output) joined(j client.Joined) {
	o.fields("login", j.Login, "role", j.Role, "user", j.User, "tenant", j.Tenant)
	o.note("Sign in with: tributary login %s", j.Login)
}

// linkAndPassword reads the token of a link, or the link, and a new password.
func linkAndPassword(ctx context.Context, out *output, tokenFile, passwordFile string) (token, password string, err error) {
	if token, err = secret(ctx, out, tokenFile, "Link or token"); err != nil {
		return "", "", err
	}
	token = strings.TrimSpace(token)
	token = token[strings.LastIndex(token, "/")+1:]
	password, err = secret(ctx, out, passwordFile, "New password")
	return token, password, err
}

type domainCmd struct {
	List   domainListCmd   `cmd:"" help:"List the domains of a tenant."`
	Add    domainAddCmd    `cmd:"" help:"Approve a domain; with the provider's token: vouch for a tenant's."`
	Remove domainRemoveCmd `cmd:"" help:"End a domain. Who has signed up with it stays."`
}

type domainListCmd struct{ tenantFlag }

// Run lists domains.
func (d *domainListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Domains(ctx, client.TenantPage{Tenant: d.Tenant})
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Domain]{
		[]string{"ID", "DOMAIN", "STATE", "PROOF", "APPROVED", "BY"},
		func(d client.Domain) []string {
			return []string{d.ID, d.Domain, d.State, d.Proof, whenever(d.ApprovedAt), d.ApprovedBy}
		},
	})
}

type domainAddCmd struct {
	tenantFlag
	Domain string `arg:"" help:"Such as example.com."`
}

// Run adds a domain.
func (d *domainAddCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.AddDomain(ctx, client.NewDomain{Tenant: d.Tenant, Domain: d.Domain})
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", made.ID, "domain", made.Domain, "state", made.State, "proof", made.Proof)
		if made.State == "vouched" {
			out.note("An admin of the tenant has to approve it before anybody signs up: tributary domain add %s", made.Domain)
		}
	})
}

type domainRemoveCmd struct {
	ID string `arg:"" name:"id" help:"The domain's id."`
}

// Run ends a domain.
func (d *domainRemoveCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.RemoveDomain(ctx, d.ID); err != nil {
		return err
	}
	out.note("removed %s", d.ID)
	return nil
}
