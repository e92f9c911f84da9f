package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/policy"
)

// ownRoutes are what people do with their own second factor and SSH keys. Their audit
// entries are written by package account.
func (s *server) ownRoutes() {
	add(s, route{method: http.MethodGet, path: "/me/totp", id: "show-totp", summary: "How one's own second factor stands", thing: "second factor",
		action: policy.OwnFactorRead, audience: anyone}, s.totp)
	add(s, route{method: http.MethodPost, path: "/me/totp", id: "start-totp", summary: "Make an authenticator's secret, shown once; a code of it turns the second factor on", thing: "second factor",
		action: policy.OwnFactorChange, audience: anyone, audit: "second-factor.start", status: http.StatusCreated, secret: true}, s.startTOTP)
	add(s, route{method: http.MethodPost, path: "/me/totp/confirm", id: "confirm-totp", summary: "Turn one's own second factor on; its recovery codes are shown once, and one's other sessions end", thing: "second factor",
		action: policy.OwnFactorChange, audience: anyone, audit: "second-factor.on", secret: true}, s.confirmTOTP)
	add(s, route{method: http.MethodPost, path: "/me/totp/recovery-codes", id: "replace-recovery-codes", summary: "Replace one's own recovery codes; the new ones are shown once", thing: "second factor",
		action: policy.OwnFactorChange, audience: anyone, audit: "second-factor.codes", secret: true}, s.recoveryCodes)
	add(s, route{method: http.MethodPost, path: "/me/totp/off", id: "end-totp", summary: "Turn one's own second factor off", thing: "second factor",
		action: policy.OwnFactorChange, audience: anyone, audit: "second-factor.off", status: http.StatusNoContent}, s.endTOTP)

	add(s, route{method: http.MethodGet, path: "/me/ssh-keys", id: "list-own-ssh-keys", summary: "List one's own SSH keys", thing: "SSH key",
		action: policy.OwnSSHKeyRead, audience: anyone}, s.ownSSHKeys)
	add(s, route{method: http.MethodPost, path: "/me/ssh-keys", id: "add-own-ssh-key", summary: "Add an SSH key to oneself, which takes the password", thing: "SSH key",
		action: policy.OwnSSHKeyCreate, audience: anyone, audit: "sshkey.create", status: http.StatusCreated}, s.addOwnSSHKey)
	add(s, route{method: http.MethodDelete, path: "/me/ssh-keys/{id}", id: "revoke-own-ssh-key", summary: "Revoke an SSH key of one's own, at once", thing: "SSH key",
		action: policy.OwnSSHKeyDelete, audience: anyone, audit: "sshkey.revoke", status: http.StatusNoContent}, s.revokeOwnSSHKey)
}

func (s *server) totp(ctx context.Context, c *call, _ *struct{}) (*out[client.TOTP], error) {
	f, err := s.Accounts.SecondFactor(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return &out[client.TOTP]{client.TOTP{On: f.Since != nil, Since: f.Since, RecoveryCodes: f.CodesLeft}}, nil
}

func (s *server) startTOTP(ctx context.Context, c *call, i *in[client.Password]) (*out[client.NewTOTP], error) {
	secret, url, err := s.Accounts.StartSecondFactor(ctx, c.principal, i.Body.Password)
	if err != nil {
		return nil, err
	}
	return &out[client.NewTOTP]{client.NewTOTP{Secret: secret, URL: url}}, nil
}

func (s *server) confirmTOTP(ctx context.Context, c *call, i *in[client.Code]) (*out[client.RecoveryCodes], error) {
	codes, err := s.Accounts.ConfirmSecondFactor(ctx, c.principal, i.Body.Code)
	if err != nil {
		return nil, err
	}
	return &out[client.RecoveryCodes]{client.RecoveryCodes{Codes: codes}}, nil
}

func (s *server) recoveryCodes(ctx context.Context, c *call, i *in[client.PasswordAndCode]) (*out[client.RecoveryCodes], error) {
	codes, err := s.Accounts.NewRecoveryCodes(ctx, c.principal, i.Body.Password, i.Body.Code)
	if err != nil {
		return nil, err
	}
	return &out[client.RecoveryCodes]{client.RecoveryCodes{Codes: codes}}, nil
}

func (s *server) endTOTP(ctx context.Context, c *call, i *in[client.PasswordAndCode]) (*struct{}, error) {
	return nil, s.Accounts.EndSecondFactor(ctx, c.principal, i.Body.Password, i.Body.Code)
}

func (s *server) ownSSHKeys(ctx context.Context, c *call, _ *struct{}) (*list[client.SSHKey], error) {
	found, err := s.Accounts.OwnSSHKeys(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return each(found, "", sshKeyWord), nil
}

func (s *server) addOwnSSHKey(ctx context.Context, c *call, i *in[client.NewOwnSSHKey]) (*out[client.SSHKey], error) {
	n, err := sshKeyOf(i.Body.NewSSHKey)
	if err != nil {
		return nil, err
	}
	k, err := s.Accounts.AddOwnSSHKey(ctx, c.principal, i.Body.Password, n)
	if err != nil {
		return nil, err
	}
	return &out[client.SSHKey]{sshKeyWord(k)}, nil
}

func (s *server) revokeOwnSSHKey(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	return nil, s.Accounts.RevokeOwnSSHKey(ctx, c.principal, i.ID)
}
