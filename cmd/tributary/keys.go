package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"tributary/client"
)

// days reads a number of days, such as 90d.
func days(text string) (int, bool) {
	digits, ok := strings.CutSuffix(text, "d")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && n < 36_500
}

// ended says in a word how a credential stands.
func ended(expires, revoked *time.Time) string {
	switch {
	case revoked != nil:
		return "revoked"
	case expires != nil && time.Now().After(*expires):
		return "expired"
	}
	return "active"
}

type sshkeyCmd struct {
	Add    sshkeyAddCmd    `cmd:"" help:"Add an SSH key to a user."`
	List   sshkeyListCmd   `cmd:"" help:"List a user's SSH keys."`
	Revoke sshkeyRevokeCmd `cmd:"" help:"End an SSH key, at once."`
}

type sshkeyAddCmd struct {
	User    string   `arg:"" help:"The user's id, or me."`
	File    string   `arg:"" help:"File with the public key: ed25519, ecdsa, or rsa of at least 3072 bits; - is standard input."`
	Name    string   `placeholder:"NAME" help:"What it is called; this machine's name if not said."`
	Expires string   `placeholder:"TIME" help:"When it ends: a date, a time, or days such as 90d."`
	IPAllow []string `name:"ip-allow" placeholder:"CIDR" help:"Where it may be used from; repeatable."`

	PasswordFile string `placeholder:"FILE" help:"For one's own: file with the password; - is standard input. Without it, it is asked for."`
}

// Run adds an SSH key.
func (s *sshkeyAddCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	key, err := publicKey(ctx, s.File)
	if err != nil {
		return err
	}
	expires, err := until(s.Expires)
	if err != nil {
		return err
	}
	if s.Name == "" {
		if s.Name, err = os.Hostname(); err != nil || s.Name == "" {
			s.Name = "key"
		}
	}
	n := client.NewSSHKey{Name: s.Name, PublicKey: key, IPAllow: s.IPAllow, ExpiresAt: expires}
	var added client.SSHKey
	if s.User == "me" {
		var password string
		if password, err = secret(ctx, out, s.PasswordFile, "Password"); err != nil {
			return err
		}
		added, err = c.AddOwnSSHKey(ctx, client.NewOwnSSHKey{NewSSHKey: n, Password: password})
	} else {
		added, err = c.AddSSHKey(ctx, s.User, n)
	}
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", added.ID, "name", added.Name, "fingerprint", added.Fingerprint, "expires_at", whenever(added.ExpiresAt))
	})
}

type sshkeyListCmd struct {
	User string `arg:"" help:"The user's id, or me."`
}

// Run lists SSH keys.
func (s *sshkeyListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	list := func(ctx context.Context) (client.List[client.SSHKey], error) { return c.SSHKeys(ctx, s.User) }
	if s.User == "me" {
		list = c.OwnSSHKeys
	}
	found, err := list(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.SSHKey]{
		[]string{"ID", "NAME", "FINGERPRINT", "STATE", "USED", "EXPIRES", "MADE BY PROVIDER"},
		func(k client.SSHKey) []string {
			return []string{k.ID, k.Name, k.Fingerprint, ended(k.ExpiresAt, k.RevokedAt), whenever(k.UsedAt), whenever(k.ExpiresAt), yesNo(k.ProviderMade)}
		},
	})
}

type sshkeyRevokeCmd struct {
	ID  string `arg:"" name:"id" help:"The key's id."`
	Own bool   `help:"It is one's own, which takes no admin."`
}

// Run revokes an SSH key.
func (s *sshkeyRevokeCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	revoke := c.RevokeSSHKey
	if s.Own {
		revoke = c.RevokeOwnSSHKey
	}
	if err := revoke(ctx, s.ID); err != nil {
		return err
	}
	out.note("revoked %s", s.ID)
	return nil
}

type apikeyCmd struct {
	Create apikeyCreateCmd `cmd:"" help:"Make an API key and print its secret, once."`
	List   apikeyListCmd   `cmd:"" help:"List the API keys of a tenant, or of the provider."`
	Revoke apikeyRevokeCmd `cmd:"" help:"End an API key, and the keys made with it, at once."`
}

type apikeyCreateCmd struct {
	Tenant  string   `placeholder:"SLUG" help:"The key's tenant. Without it: the token's own, or one of the provider's."`
	Role    string   `required:"" placeholder:"ROLE" enum:"system_admin,auditor,analyst,tenant_admin,tenant_user" help:"${enum}."`
	Name    string   `placeholder:"NAME" help:"What it is for."`
	Expires string   `placeholder:"TIME" help:"When it ends: a date, a time, or days such as 90d."`
	IPAllow []string `name:"ip-allow" placeholder:"CIDR" help:"Where it may be used from; repeatable."`
}

// Run makes an API key.
func (a *apikeyCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	expires, err := until(a.Expires)
	if err != nil {
		return err
	}
	made, err := c.CreateAPIKey(ctx, client.NewAPIKey{Tenant: a.Tenant, Role: a.Role, Name: a.Name, ExpiresAt: expires, IPAllow: a.IPAllow})
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", made.ID, "role", made.Role, "tenant", made.Tenant, "expires_at", whenever(made.ExpiresAt), "key", made.Key)
		out.note("The key is shown once; only a hash of it is kept.")
	})
}

type apikeyListCmd struct {
	listFlags
	tenantFlag
}

// Run lists API keys.
func (a *apikeyListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, a.listFlags, c.APIKeys, client.TenantPage{Page: a.page(), Tenant: a.Tenant}, columns[client.APIKey]{
		[]string{"ID", "NAME", "ROLE", "HINT", "STATE", "USED", "EXPIRES", "MADE BY PROVIDER"},
		func(k client.APIKey) []string {
			return []string{k.ID, k.Name, k.Role, "…" + k.Hint, ended(k.ExpiresAt, k.RevokedAt), whenever(k.UsedAt), whenever(k.ExpiresAt), yesNo(k.ProviderMade)}
		},
	})
}

type apikeyRevokeCmd struct {
	ID string `arg:"" name:"id" help:"The key's id."`
}

// Run revokes an API key.
func (a *apikeyRevokeCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.RevokeAPIKey(ctx, a.ID); err != nil {
		return err
	}
	out.note("revoked %s", a.ID)
	return nil
}
