package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"tributary/client"
)

type setupCmd struct {
	Email          string `required:"" placeholder:"EMAIL" help:"The system admin's."`
	PasswordFile   string `placeholder:"FILE" help:"File with the password; - is standard input. Without it, it is asked for."`
	SetupTokenFile string `placeholder:"FILE" help:"File with the setup link's token. Without it: TRIBUTARY_SETUP_TOKEN, or it is asked for."`
}

// Run makes the first system admin and prints its token.
func (s *setupCmd) Run(ctx context.Context, root *cli, out *output) error {
	token := os.Getenv("TRIBUTARY_SETUP_TOKEN")
	if token == "" || s.SetupTokenFile != "" {
		var err error
		if token, err = secret(ctx, out, s.SetupTokenFile, "Setup token"); err != nil {
			return err
		}
	}
	password, err := secret(ctx, out, s.PasswordFile, "Password")
	if err != nil {
		return err
	}
	c, err := root.connect(out)
	if err != nil {
		return err
	}
	made, err := c.Setup(ctx, client.Setup{Token: strings.TrimSpace(token), Email: s.Email, Password: password})
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.line("%s", made.Token)
		out.note("This is an API key with all rights, shown once.")
	})
}

type loginCmd struct {
	Login           string `arg:"" help:"SLUG.USER, or the email of one of the provider's people."`
	PasswordFile    string `placeholder:"FILE" help:"File with the password; - is standard input. Without it, it is asked for on a terminal, else read from standard input."`
	NewPasswordFile string `placeholder:"FILE" help:"File with a password of one's own, in place of one that the provider set."`
	CodeFile        string `placeholder:"FILE" help:"File with the code of the second factor, or a recovery code. Without it, it is asked for where the account has one."`
	Save            bool   `help:"Store the token for this server instead of printing it: in --token-file, or with the configuration file."`
}

// Run signs in.
func (l *loginCmd) Run(ctx context.Context, root *cli, out *output) error {
	password, err := secret(ctx, out, l.PasswordFile, "Password")
	if err != nil {
		return err
	}
	in := client.SignIn{Login: l.Login, Password: password}
	if l.NewPasswordFile != "" {
		if in.NewPassword, err = secret(ctx, out, l.NewPasswordFile, "New password"); err != nil {
			return err
		}
	}
	s, err := root.settings()
	if err != nil {
		return err
	}
	// Without the credential that may be there: its file need not exist yet.
	c, err := client.New(s.server, "", client.WithUserAgent("tributary/"+buildVersion()), client.WithAnswers(out.answered))
	if err != nil {
		return usage("%w", err)
	}
	session, err := l.signIn(ctx, out, c, in)
	if err != nil {
		return err
	}
	if !l.Save {
		return out.answer(func() {
			out.line("%s", session.Token)
			out.note("The session ends at %s, or when it is not used until %s.", when(session.EndsAt), when(session.ExpiresAt))
		})
	}
	file := s.loginFile()
	if file == "" {
		return &exit{code: exitFailed, says: "There is no place to store the token.", hint: "Name one with --token-file."}
	}
	if err := writeSecret(file, session.Token+"\n"); err != nil {
		return err
	}
	out.note("signed in; the token is in %s", file)
	if out.json {
		session.Token = ""
		return out.JSON(session)
	}
	return nil
}

// signIn signs in, and asks for a code where the account has a second factor.
func (l *loginCmd) signIn(ctx context.Context, out *output, c *client.Client, in client.SignIn) (client.Session, error) {
	code := codeFlag{l.CodeFile}
	var err error
	if l.CodeFile != "" {
		if in.Code, err = code.read(ctx, out); err != nil {
			return client.Session{}, err
		}
	}
	session, err := c.SignIn(ctx, in)
	if in.Code != "" || !client.Is(err, client.SecondFactor) {
		return session, err
	}
	if in.Code, err = code.read(ctx, out); err != nil {
		return client.Session{}, err
	}
	return c.SignIn(ctx, in)
}

type logoutCmd struct{}

// Run ends the session, and forgets its token where `login --save` put it.
func (logoutCmd) Run(ctx context.Context, root *cli, out *output, c *client.Client) error {
	s, err := root.settings()
	if err != nil {
		return err
	}
	if err := c.SignOut(ctx); err != nil {
		return err
	}
	if file := s.loginFile(); s.token == "" && file != "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	out.note("signed out")
	return nil
}

type meCmd struct{}

// Run shows who the token is.
func (meCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", me.ID, "email", me.Email, "name", me.Name, "login", me.Login, "role", me.Role, "tenant", me.Tenant, "tenant_slug", me.TenantSlug, "kind", me.Kind, "credential", me.Credential)
	})
}

type sessionCmd struct {
	List sessionListCmd `cmd:"" help:"List one's own sessions."`
	End  sessionEndCmd  `cmd:"" help:"End a session of one's own, at once."`
}

type sessionListCmd struct{}

// Run lists sessions.
func (sessionListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Sessions(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Session]{
		[]string{"ID", "CREATED", "USED", "ENDS", "ADDRESS", "AGENT", "CURRENT"},
		func(s client.Session) []string {
			return []string{s.ID, when(s.CreatedAt), when(s.UsedAt), when(s.EndsAt), s.Address, s.Agent, yesNo(s.Current)}
		},
	})
}

type sessionEndCmd struct {
	ID     string `arg:"" optional:"" name:"id" help:"The session's id."`
	Others bool   `help:"All but the one of the token."`
}

// Run ends a session, or all others.
func (s *sessionEndCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	switch {
	case s.Others == (s.ID != ""):
		return usage("name a session, or give --others")
	case s.Others:
		if err := c.EndOtherSessions(ctx); err != nil {
			return err
		}
		out.note("ended all other sessions")
		return nil
	}
	if err := c.EndSession(ctx, s.ID); err != nil {
		return err
	}
	out.note("ended %s", s.ID)
	return nil
}
