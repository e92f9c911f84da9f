package main

import (
	"context"

	"tributary/client"
)

type identityCmd struct {
	Show   identityShowCmd   `cmd:"" help:"Show the identity of an issuer that is linked to oneself, or to one of the provider's people."`
	Unlink identityUnlinkCmd `cmd:"" help:"Unlink it, and end the user's other sessions. The next sign-in with the user's verified email links again."`
}

// personArg is one of the provider's people.
type personArg struct {
	ID string `arg:"" optional:"" name:"user" help:"The user's id; oneself if absent."`
}

type identityShowCmd struct{ personArg }

// Run shows an identity.
func (i *identityShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	var found client.Identity
	var err error
	if i.ID == "" {
		found, err = c.OwnIdentity(ctx)
	} else {
		found, err = c.Identity(ctx, i.ID)
	}
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("linked", yesNo(found.Linked), "issuer", found.Issuer, "subject", found.Subject, "email", found.Email, "linked_at", whenever(found.LinkedAt))
	})
}

type identityUnlinkCmd struct{ personArg }

// Run unlinks an identity.
func (i *identityUnlinkCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	var err error
	if i.ID == "" {
		err = c.UnlinkOwn(ctx)
	} else {
		err = c.Unlink(ctx, i.ID)
	}
	if err != nil {
		return err
	}
	out.note("the identity is unlinked")
	return nil
}
