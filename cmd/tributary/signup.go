package main

import (
	"context"
	"strings"

	"tributary/client"
)

type passwordCmd struct {
	Forgot passwordForgotCmd `cmd:"" help:"Have a link to set a password with mailed, if there is such an account."`
	Reset  passwordResetCmd  `cmd:"" help:"Set a password with the token of a link. All sessions of the account end."`
}

// stranger is a client without a credential.
func (c *cli) stranger(out *output) (*client.Client, error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	made, err := client.New(s.server, "", client.WithUserAgent("tributary/"+buildVersion()), client.WithAnswers(out.answered))
	if err != nil {
		return nil, usage("%w", err)
	}
	return made, nil
}

type passwordForgotCmd struct {
	Login string `arg:"" help:"SLUG.USER, or an email."`
}

// Run asks for a link.
func (p *passwordForgotCmd) Run(ctx context.Context, root *cli, out *output) error {
	c, err := root.stranger(out)
	if err != nil {
		return err
	}
	if _, err := c.Forgot(ctx, p.Login); err != nil {
		return err
	}
	return out.answer(func() {
		out.note("If there is such an account, a link was mailed to its address. It is good for 30 minutes: tributary password reset")
	})
}

type passwordResetCmd struct {
	TokenFile    string `name:"link-token-file" placeholder:"FILE" help:"File with the link's token, what is behind /reset#; - is standard input. Without it, it is asked for."`
	PasswordFile string `placeholder:"FILE" help:"File with the new password; - is standard input. Without it, it is asked for."`
}

// Run sets a password by a link.
func (p *passwordResetCmd) Run(ctx context.Context, root *cli, out *output) error {
	token, password, err := linkAndPassword(ctx, out, p.TokenFile, p.PasswordFile)
	if err != nil {
		return err
	}
	c, err := root.stranger(out)
	if err != nil {
		return err
	}
	if err := c.ResetPassword(ctx, client.PasswordReset{Token: token, Password: password}); err != nil {
		return err
	}
	out.note("the password is set, and all sessions of the account have ended")
	return nil
}

type signUpCmd struct {
	Start  signUpStartCmd  `cmd:"" help:"Have a code mailed to an address."`
	Finish signUpFinishCmd `cmd:"" help:"Make the account, with the code."`
}

type signUpStartCmd struct {
	Email string `arg:"" help:"One's address."`
}

// Run asks for a code.
func (s *signUpStartCmd) Run(ctx context.Context, root *cli, out *output) error {
	c, err := root.stranger(out)
	if err != nil {
		return err
	}
	asked, err := c.SignUp(ctx, s.Email)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.line("%s", asked.ID)
		out.note("If this address can sign up, a code was mailed to it. It is good for 10 minutes: tributary sign-up finish %s", asked.ID)
	})
}

type signUpFinishCmd struct {
	ID           string `arg:"" name:"id" help:"What sign-up start printed."`
	Name         string `placeholder:"NAME" help:"One's name."`
	Organisation string `placeholder:"NAME" help:"The name of a new tenant, for who joins none."`
	CodeFile     string `placeholder:"FILE" help:"File with the code; - is standard input. Without it, it is asked for."`
	PasswordFile string `placeholder:"FILE" help:"File with a password of one's own; - is standard input. Without it, it is asked for."`
}

// Run makes the account of who has the code.
func (s *signUpFinishCmd) Run(ctx context.Context, root *cli, out *output) error {
	code, err := secret(ctx, out, s.CodeFile, "Code")
	if err != nil {
		return err
	}
	password, err := secret(ctx, out, s.PasswordFile, "New password")
	if err != nil {
		return err
	}
	c, err := root.stranger(out)
	if err != nil {
		return err
	}
	ticket, err := c.ProveSignUp(ctx, client.SignUpCode{ID: s.ID, Code: strings.TrimSpace(code)})
	if err != nil {
		return err
	}
	joined, err := c.FinishSignUp(ctx, client.NewMember{Ticket: ticket.Ticket, Name: s.Name, Password: password, Organisation: s.Organisation})
	if err != nil {
		return err
	}
	return out.answer(func() { out.joined(joined) })
}
