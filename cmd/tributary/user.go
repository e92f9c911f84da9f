package main

import (
	"context"
	"time"

	"tributary/client"
)

type userCmd struct {
	Create   userCreateCmd   `cmd:"" help:"Make a user."`
	List     userListCmd     `cmd:"" help:"List the users of a tenant, or of the provider."`
	Show     userShowCmd     `cmd:"" help:"Show a user."`
	Update   userUpdateCmd   `cmd:"" help:"Change a user's name or role."`
	Disable  userDisableCmd  `cmd:"" help:"Block a user's every credential, at once."`
	Enable   userEnableCmd   `cmd:"" help:"Let a disabled user in again."`
	Password userPasswordCmd `cmd:"" help:"Set a user's password, or change one's own."`
}

func (o *output) user(u client.User) {
	o.fields("id", u.ID, "login", u.Login, "sftp_login", u.SFTPLogin, "email", u.Email, "name", u.Name, "tenant", u.Tenant, "role", u.Role, "state", u.State,
		"has_password", yesNo(u.HasPassword), "second_factor", yesNo(u.SecondFactor), "provider_made", yesNo(u.ProviderMade), "signed_in_at", whenever(u.SignedInAt),
		"created_at", when(u.CreatedAt), "created_by", u.CreatedBy)
}

// tenantFlag names a tenant to a list.
type tenantFlag struct {
	Tenant string `placeholder:"SLUG" help:"Of this tenant; for the provider's tokens. A tenant's token has its own only."`
}

type userCreateCmd struct {
	Tenant       string `placeholder:"SLUG" help:"The user's tenant. Without it: the token's own, or one of the provider's people."`
	Email        string `required:"" placeholder:"EMAIL" help:"The user's."`
	Role         string `required:"" placeholder:"ROLE" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user" help:"${enum}."`
	Name         string `placeholder:"NAME" help:"The user's name."`
	Login        string `placeholder:"USER" help:"The part behind the dot in SLUG.USER; made from the email if not said."`
	PasswordFile string `placeholder:"FILE" help:"File with a first password; - is standard input."`
	SSHKey       string `name:"ssh-key" placeholder:"FILE" help:"File with a public SSH key, such as id_ed25519.pub."`
}

// Run makes a user.
func (u *userCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	n := client.NewUser{Tenant: u.Tenant, Email: u.Email, Role: u.Role, Name: u.Name, Login: u.Login}
	var err error
	if u.PasswordFile != "" {
		if n.Password, err = secret(ctx, out, u.PasswordFile, "Password"); err != nil {
			return err
		}
	}
	if u.SSHKey != "" {
		if n.SSHPublicKey, err = publicKey(ctx, u.SSHKey); err != nil {
			return err
		}
	}
	made, err := c.CreateUser(ctx, n)
	if err != nil {
		return err
	}
	return out.answer(func() { out.fields("id", made.ID, "login", made.Login, "sftp_login", made.SFTPLogin) })
}

type userListCmd struct {
	listFlags
	viewFlags
	tenantFlag
}

// Run lists users.
func (u *userListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, u.listFlags, c.Users, client.UserFilter{TenantPage: client.TenantPage{Page: u.page(), Tenant: u.Tenant}, View: u.view()}, columns[client.User]{
		[]string{"ID", "LOGIN", "EMAIL", "ROLE", "STATE", "SIGNED IN", "MADE BY PROVIDER"},
		func(u client.User) []string {
			return []string{u.ID, u.Login, u.Email, u.Role, u.State, whenever(u.SignedInAt), yesNo(u.ProviderMade)}
		},
	})
}

// userArg is a user that is named.
type userArg struct {
	ID string `arg:"" name:"id" help:"The user's id."`
}

type userShowCmd struct{ userArg }

// Run shows a user.
func (u *userShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.User(ctx, u.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.user(found) })
}

type userUpdateCmd struct {
	userArg
	Name *string `placeholder:"NAME" help:"The user's name."`
	Role *string `placeholder:"ROLE" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user" help:"${enum}."`
}

// Run changes a user.
func (u *userUpdateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if u.Name == nil && u.Role == nil {
		return usage("there is nothing to change: name at least one flag")
	}
	return updateUser(ctx, out, c, u.ID, client.UserChange{Name: u.Name, Role: u.Role})
}

func updateUser(ctx context.Context, out *output, c *client.Client, id string, change client.UserChange) error {
	changed, err := c.UpdateUser(ctx, id, change)
	if err != nil {
		return err
	}
	return out.answer(func() { out.user(changed) })
}

type userDisableCmd struct{ userArg }

// Run disables a user.
func (u *userDisableCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return updateUser(ctx, out, c, u.ID, client.UserChange{State: ptr("disabled")})
}

type userEnableCmd struct{ userArg }

// Run enables a user.
func (u *userEnableCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return updateUser(ctx, out, c, u.ID, client.UserChange{State: ptr("active")})
}

type userPasswordCmd struct {
	ID                  string `arg:"" name:"id" help:"The user's id, or me."`
	PasswordFile        string `placeholder:"FILE" help:"File with the new password; - is standard input. Without it, it is asked for."`
	CurrentPasswordFile string `placeholder:"FILE" help:"For one's own: file with the present password."`
}

// Run sets or changes a password.
func (u *userPasswordCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	own := u.ID == "me"
	current := ""
	var err error
	if own {
		if current, err = secret(ctx, out, u.CurrentPasswordFile, "Present password"); err != nil {
			return err
		}
	}
	password, err := secret(ctx, out, u.PasswordFile, "New password")
	if err != nil {
		return err
	}
	if own {
		err = c.ChangePassword(ctx, current, password)
	} else {
		err = c.SetPassword(ctx, u.ID, password)
	}
	if err != nil {
		return err
	}
	out.note("the password is set")
	return nil
}

// until is a flag with a time: a date, a time, or a distance from now.
func until(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no time
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC()
			return &t, nil
		}
	}
	if n, ok := days(text); ok {
		t := time.Now().UTC().AddDate(0, 0, n).Truncate(time.Second)
		return &t, nil
	}
	return nil, usage("%q is not a time: write 2026-12-31, 2026-12-31T18:00:00Z or a number of days such as 90d", text)
}
