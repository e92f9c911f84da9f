package main

import (
	"context"
	"strconv"
	"strings"

	"tributary/client"
)

type totpCmd struct {
	Show          totpShowCmd    `cmd:"" help:"Show how one's own second factor stands."`
	Start         totpStartCmd   `cmd:"" help:"Make an authenticator's secret and print it, once."`
	Confirm       totpConfirmCmd `cmd:"" help:"Turn the second factor on with a code of it, and print its recovery codes, once."`
	RecoveryCodes totpCodesCmd   `cmd:"" help:"Replace one's own recovery codes and print the new ones, once."`
	Off           totpOffCmd     `cmd:"" help:"Turn one's own second factor off."`
	Reset         totpResetCmd   `cmd:"" help:"Take a user's second factor away, for one who lost it."`
}

// passwordFlag asks for one's own password once more.
type passwordFlag struct {
	PasswordFile string `placeholder:"FILE" help:"File with one's own password; - is standard input. Without it, it is asked for."`
}

// codeFlag is what an authenticator shows.
type codeFlag struct {
	CodeFile string `placeholder:"FILE" help:"File with the code that the authenticator shows, or a recovery code; - is standard input. Without it, it is asked for."`
}

func (c codeFlag) read(ctx context.Context, out *output) (string, error) {
	text, err := secret(ctx, out, c.CodeFile, "Code of the authenticator, or a recovery code")
	return strings.TrimSpace(text), err
}

type totpShowCmd struct{}

// Run shows the second factor.
func (totpShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.TOTP(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("on", yesNo(found.On), "since", whenever(found.Since), "recovery_codes", strconv.Itoa(found.RecoveryCodes))
	})
}

type totpStartCmd struct{ passwordFlag }

// Run makes a secret.
func (t *totpStartCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	password, err := secret(ctx, out, t.PasswordFile, "Password")
	if err != nil {
		return err
	}
	made, err := c.StartTOTP(ctx, password)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("secret", made.Secret, "url", made.URL)
		out.note("Type the secret into an authenticator app; it is shown once. Then, within an hour: tributary totp confirm")
	})
}

type totpConfirmCmd struct{ codeFlag }

// Run turns the second factor on.
func (t *totpConfirmCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	code, err := t.read(ctx, out)
	if err != nil {
		return err
	}
	made, err := c.ConfirmTOTP(ctx, code)
	if err != nil {
		return err
	}
	return out.recoveryCodes(made)
}

func (o *output) recoveryCodes(made client.RecoveryCodes) error {
	return o.answer(func() {
		for _, code := range made.Codes {
			o.line("%s", code)
		}
		o.note("Each of these is good once, in place of a code. They are shown once; keep them where the authenticator is not.")
	})
}

type totpCodesCmd struct {
	passwordFlag
	codeFlag
}

// Run replaces the recovery codes.
func (t *totpCodesCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	password, err := secret(ctx, out, t.PasswordFile, "Password")
	if err != nil {
		return err
	}
	code, err := t.read(ctx, out)
	if err != nil {
		return err
	}
	made, err := c.NewRecoveryCodes(ctx, password, code)
	if err != nil {
		return err
	}
	return out.recoveryCodes(made)
}

type totpOffCmd struct {
	passwordFlag
	codeFlag
}

// Run turns the second factor off.
func (t *totpOffCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	password, err := secret(ctx, out, t.PasswordFile, "Password")
	if err != nil {
		return err
	}
	code, err := t.read(ctx, out)
	if err != nil {
		return err
	}
	if err := c.EndTOTP(ctx, password, code); err != nil {
		return err
	}
	out.note("the second factor is off")
	return nil
}

type totpResetCmd struct{ userArg }

// Run takes a second factor away.
func (t *totpResetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.ResetTOTP(ctx, t.ID); err != nil {
		return err
	}
	out.note("%s signs in with the password alone now", t.ID)
	return nil
}
