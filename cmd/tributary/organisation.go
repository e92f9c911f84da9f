package main

import (
	"context"

	"tributary/client"
)

type organisationCmd struct {
	Create organisationCreateCmd `cmd:"" help:"Make an organisation."`
	List   organisationListCmd   `cmd:"" help:"List organisations by name."`
	Show   organisationShowCmd   `cmd:"" help:"Show an organisation."`
	Verify organisationVerifyCmd `cmd:"" help:"Record that an organisation was verified, and how."`
}

func (o *output) organisation(x client.Organisation) {
	o.fields("id", x.ID, "name", x.Name, "verified", yesNo(x.Verified), "verified_at", whenever(x.VerifiedAt), "verified_by", x.VerifiedBy,
		"evidence", x.Evidence, "created_at", when(x.CreatedAt), "created_by", x.CreatedBy)
}

type organisationCreateCmd struct {
	Name string `arg:"" help:"Its name, as in a register."`
}

// Run makes an organisation.
func (o *organisationCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.CreateOrganisation(ctx, client.NewOrganisation{Name: o.Name})
	if err != nil {
		return err
	}
	return out.answer(func() { out.organisation(made) })
}

type organisationListCmd struct{ listFlags }

// Run lists organisations.
func (o *organisationListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, o.listFlags, c.Organisations, o.page(), columns[client.Organisation]{
		[]string{"ID", "NAME", "VERIFIED", "CREATED"},
		func(x client.Organisation) []string {
			return []string{x.ID, x.Name, yesNo(x.Verified), when(x.CreatedAt)}
		},
	})
}

type organisationShowCmd struct {
	ID string `arg:"" name:"organisation" help:"Its id or name."`
}

// Run shows an organisation.
func (o *organisationShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Organisation(ctx, o.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.organisation(found) })
}

type organisationVerifyCmd struct {
	ID       string `arg:"" name:"organisation" help:"Its id or name."`
	Evidence string `required:"" placeholder:"TEXT" help:"What was checked, and how."`
}

// Run verifies an organisation.
func (o *organisationVerifyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	verified, err := c.VerifyOrganisation(ctx, o.ID, client.Verification{Evidence: o.Evidence})
	if err != nil {
		return err
	}
	return out.answer(func() { out.organisation(verified) })
}
