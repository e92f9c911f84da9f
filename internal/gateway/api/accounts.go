package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// accountRoutes are people and credentials. Their audit entries are written by
// package account.
func (s *server) accountRoutes() {
	add(s, route{method: http.MethodPost, path: "/sessions", id: "sign-in", summary: "Sign in with a password, and a code where the account has a second factor", thing: "session",
		audience: public, audit: "session.create", status: http.StatusCreated, secret: true}, s.signIn)
	add(s, route{method: http.MethodGet, path: "/sessions", id: "list-sessions", summary: "List one's own sessions", thing: "session",
		action: policy.OwnSessionRead, audience: anyone}, s.sessions)
	add(s, route{method: http.MethodDelete, path: "/sessions", id: "end-other-sessions", summary: "End all of one's own sessions but the one that asks", thing: "session",
		action: policy.OwnSessionEnd, audience: anyone, audit: "session.end-others", status: http.StatusNoContent}, s.endOtherSessions)
	add(s, route{method: http.MethodDelete, path: "/sessions/{id}", id: "end-session", summary: "Sign out: a session of one's own, or current", thing: "session",
		action: policy.OwnSessionEnd, audience: anyone, audit: "session.end", status: http.StatusNoContent}, s.endSession)
	add(s, route{method: http.MethodGet, path: "/me", id: "me", summary: "Who the credential is", thing: "profile",
		action: policy.OwnProfileRead, audience: anyone}, s.me)
	add(s, route{method: http.MethodGet, path: "/me/preferences", id: "show-preferences", summary: "How one likes to see things in the portals", thing: "preference",
		action: policy.OwnPreferencesRead, audience: anyone}, s.preferences)
	add(s, route{method: http.MethodPatch, path: "/me/preferences", id: "change-preferences", summary: "Set preferences by name; null takes one away", thing: "preference",
		action: policy.OwnPreferencesChange, audience: anyone, audit: "preferences.update", body: 32 << 10, errors: []int{http.StatusRequestEntityTooLarge}}, s.changePreferences)
	add(s, route{method: http.MethodPost, path: "/me/password", id: "change-password", summary: "Change one's own password", thing: "password",
		action: policy.OwnPasswordChange, audience: anyone, audit: "user.password", status: http.StatusNoContent}, s.changePassword)
	s.ownRoutes()
	add(s, route{method: http.MethodPost, path: "/setup", id: "setup", summary: "Make the first system admin with a setup link's token", thing: "setup",
		audience: public, audit: "user.create", status: http.StatusCreated, secret: true}, s.setup)

	add(s, route{method: http.MethodPost, path: "/users", id: "create-user", summary: "Make a user", thing: "user",
		action: policy.UserCreate, audience: anyone, audit: "user.create", status: http.StatusCreated}, s.createUser)
	add(s, route{method: http.MethodGet, path: "/users", id: "list-users", summary: "List the users of one's tenant, or of the tenant named", thing: "user",
		action: policy.UserRead, audience: anyone, view: account.UserList.Words()}, s.users)
	add(s, route{method: http.MethodGet, path: "/users/{id}", id: "show-user", summary: "Show a user", thing: "user",
		action: policy.UserRead, audience: anyone}, s.user)
	add(s, route{method: http.MethodPatch, path: "/users/{id}", id: "update-user", summary: "Change a user's name, role or state", thing: "user",
		action: policy.UserUpdate, audience: anyone, audit: "user.update"}, s.updateUser)
	add(s, route{method: http.MethodPost, path: "/users/{id}/password", id: "set-password", summary: "Set a user's password", thing: "user",
		action: policy.UserResetPassword, audience: anyone, audit: "user.password", status: http.StatusNoContent}, s.setPassword)
	add(s, route{method: http.MethodDelete, path: "/users/{id}/totp", id: "reset-totp", summary: "Take a user's second factor away, for one who lost it", thing: "user",
		action: policy.UserResetFactor, audience: anyone, audit: "second-factor.reset", status: http.StatusNoContent}, s.resetTOTP)

	add(s, route{method: http.MethodPost, path: "/users/{id}/ssh-keys", id: "add-ssh-key", summary: "Add an SSH key to a user", thing: "user",
		action: policy.SSHKeyCreate, audience: anyone, audit: "sshkey.create", status: http.StatusCreated}, s.addSSHKey)
	add(s, route{method: http.MethodGet, path: "/users/{id}/ssh-keys", id: "list-ssh-keys", summary: "List a user's SSH keys", thing: "user",
		action: policy.SSHKeyRead, audience: anyone}, s.sshKeys)
	add(s, route{method: http.MethodDelete, path: "/ssh-keys/{id}", id: "revoke-ssh-key", summary: "Revoke an SSH key, at once", thing: "SSH key",
		action: policy.SSHKeyDelete, audience: anyone, audit: "sshkey.revoke", status: http.StatusNoContent}, s.revokeSSHKey)

	add(s, route{method: http.MethodPost, path: "/api-keys", id: "create-api-key", summary: "Make an API key; its secret is shown once", thing: "API key",
		action: policy.APIKeyCreate, audience: anyone, audit: "apikey.create", status: http.StatusCreated, secret: true}, s.createAPIKey)
	add(s, route{method: http.MethodGet, path: "/api-keys", id: "list-api-keys", summary: "List the API keys of one's tenant, or of the tenant named", thing: "API key",
		action: policy.APIKeyRead, audience: anyone}, s.apiKeys)
	add(s, route{method: http.MethodDelete, path: "/api-keys/{id}", id: "revoke-api-key", summary: "Revoke an API key, and the keys made with it, at once", thing: "API key",
		action: policy.APIKeyDelete, audience: anyone, audit: "apikey.revoke", status: http.StatusNoContent}, s.revokeAPIKey)
}

func (s *server) signIn(ctx context.Context, c *call, i *in[client.SignIn]) (*out[client.Session], error) {
	if err := c.keeps(i.Body.Cookie); err != nil {
		return nil, err
	}
	token, session, _, err := s.Accounts.SignIn(ctx, account.Attempt{Login: i.Body.Login, Password: i.Body.Password, Next: i.Body.NewPassword, Code: i.Body.Code,
		Address: addressOf(ctx), Agent: c.request.UserAgent()})
	if err != nil {
		return nil, err
	}
	w := sessionWord(session, policy.Principal{Credential: session.ID})
	if i.Body.Cookie {
		c.setCookie(token)
		return &out[client.Session]{w}, nil
	}
	w.Token = token
	return &out[client.Session]{w}, nil
}

func (s *server) sessions(ctx context.Context, c *call, _ *struct{}) (*list[client.Session], error) {
	found, err := s.Accounts.Sessions(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return each(found, "", func(x account.Session) client.Session { return sessionWord(x, c.principal) }), nil
}

func (s *server) endSession(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if i.ID == "current" {
		if c.principal.Kind != policy.Session {
			return nil, fault.New(fault.Conflict, "The credential is an API key, which does not sign out; revoke it instead.")
		}
		i.ID = c.principal.Credential
	}
	if c.cookie && i.ID == c.principal.Credential {
		c.setCookie("")
	}
	return nil, s.Accounts.EndSession(ctx, c.principal, i.ID)
}

func (s *server) endOtherSessions(ctx context.Context, c *call, _ *struct{}) (*struct{}, error) {
	return nil, s.Accounts.EndOtherSessions(ctx, c.principal)
}

func (s *server) me(ctx context.Context, c *call, _ *struct{}) (*out[client.Me], error) {
	p := c.principal
	me := client.Me{ID: p.Actor(), Credential: p.Credential, Kind: string(p.Kind), Role: string(p.Role), Tenant: string(p.Tenant)}
	if p.Tenant != "" {
		t, err := s.Control.UnscopedTenant(ctx, string(p.Tenant))
		if err != nil {
			return nil, err
		}
		me.TenantSlug = t.Slug
	}
	if p.User != "" {
		u, err := s.Accounts.UnscopedUser(ctx, p.User)
		if err != nil {
			return nil, err
		}
		me.Email, me.Name, me.Login = u.Email, u.Name, u.Login()
	}
	return &out[client.Me]{me}, nil
}

func (s *server) preferences(ctx context.Context, c *call, _ *struct{}) (*out[client.Preferences], error) {
	p, err := s.Accounts.Preferences(ctx, c.principal)
	return answerWith(client.Preferences(p), err, func(p client.Preferences) client.Preferences { return p })
}

func (s *server) changePreferences(ctx context.Context, c *call, i *in[client.Preferences]) (*out[client.Preferences], error) {
	p, err := s.Accounts.ChangePreferences(ctx, c.principal, account.Preferences(i.Body))
	return answerWith(client.Preferences(p), err, func(p client.Preferences) client.Preferences { return p })
}

func (s *server) changePassword(ctx context.Context, c *call, i *in[client.PasswordChange]) (*struct{}, error) {
	return nil, s.Accounts.ChangePassword(ctx, c.principal, i.Body.Current, i.Body.New)
}

func (s *server) setup(ctx context.Context, _ *call, i *in[client.Setup]) (*out[client.Token], error) {
	_, token, err := s.Accounts.ClaimSetup(ctx, i.Body.Token, i.Body.Email, i.Body.Password)
	if err != nil {
		return nil, err
	}
	return &out[client.Token]{client.Token{Token: token}}, nil
}

func (s *server) createUser(ctx context.Context, c *call, i *in[client.NewUser]) (*out[client.User], error) {
	n := account.NewUser{Email: i.Body.Email, Login: i.Body.Login, Name: i.Body.Name, Role: policy.Role(i.Body.Role), Password: i.Body.Password, SSHPublicKey: i.Body.SSHPublicKey}
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	var u account.User
	if c.staff() {
		u, err = s.Accounts.UnscopedCreateUser(ctx, c.by(), id, n)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		u, err = s.Accounts.CreateUser(ctx, scope, n)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.User]{userWord(u)}, nil
}

type TenantPaging struct {
	Paging
	Tenant string `query:"tenant" doc:"Id or slug; for the provider's credentials only"`
}

// TenantViewing is Viewing for lists of one tenant's things, or of all.
type TenantViewing struct {
	Viewing
	Tenant string `query:"tenant" doc:"Id or slug; for the provider's credentials only"`
}

func (s *server) users(ctx context.Context, c *call, i *TenantViewing) (*list[client.User], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	if c.staff() {
		found, next, err := s.Accounts.UnscopedUsers(ctx, id, i.meta())
		if err != nil {
			return nil, err
		}
		return each(found, next, userWord), nil
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Accounts.Users(ctx, scope, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, userWord), nil
}

func (s *server) user(ctx context.Context, c *call, i *ByID) (*out[client.User], error) {
	var u account.User
	var err error
	if c.staff() {
		u, err = s.Accounts.UnscopedUser(ctx, i.ID)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		u, err = s.Accounts.User(ctx, scope, i.ID)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.User]{userWord(u)}, nil
}

type userChange struct {
	ByID
	Body client.UserChange
}

func (s *server) updateUser(ctx context.Context, c *call, i *userChange) (*out[client.User], error) {
	p := account.UserPatch{Name: i.Body.Name, Role: (*policy.Role)(i.Body.Role), State: (*account.UserState)(i.Body.State)}
	var u account.User
	var err error
	if c.staff() {
		u, err = s.Accounts.UnscopedUpdateUser(ctx, c.by(), i.ID, p)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		u, err = s.Accounts.UpdateUser(ctx, scope, i.ID, p)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.User]{userWord(u)}, nil
}

type newPassword struct {
	ByID
	Body client.PasswordChange
}

func (s *server) setPassword(ctx context.Context, c *call, i *newPassword) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedSetPassword(ctx, c.by(), i.ID, i.Body.New)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.SetPassword(ctx, scope, i.ID, i.Body.New)
}

func (s *server) resetTOTP(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedResetSecondFactor(ctx, c.by(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.ResetSecondFactor(ctx, scope, i.ID)
}

type newSSHKey struct {
	ByID
	Body client.NewSSHKey
}

func sshKeyOf(w client.NewSSHKey) (account.NewSSHKey, error) {
	allow, err := prefixes(w.IPAllow)
	return account.NewSSHKey{Name: w.Name, PublicKey: w.PublicKey, IPAllow: allow, ExpiresAt: w.ExpiresAt}, err
}

func (s *server) addSSHKey(ctx context.Context, c *call, i *newSSHKey) (*out[client.SSHKey], error) {
	n, err := sshKeyOf(i.Body)
	if err != nil {
		return nil, err
	}
	var k account.SSHKey
	if c.staff() {
		k, err = s.Accounts.UnscopedAddSSHKey(ctx, c.by(), i.ID, n)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		k, err = s.Accounts.AddSSHKey(ctx, scope, i.ID, n)
	}
	if err != nil {
		return nil, err
	}
	return &out[client.SSHKey]{sshKeyWord(k)}, nil
}

func (s *server) sshKeys(ctx context.Context, c *call, i *ByID) (*list[client.SSHKey], error) {
	var found []account.SSHKey
	var err error
	if c.staff() {
		found, err = s.Accounts.UnscopedSSHKeys(ctx, i.ID)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, err = s.Accounts.SSHKeys(ctx, scope, i.ID)
	}
	if err != nil {
		return nil, err
	}
	return each(found, "", sshKeyWord), nil
}

func (s *server) revokeSSHKey(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedRevokeSSHKey(ctx, c.by(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.RevokeSSHKey(ctx, scope, i.ID)
}

func (s *server) createAPIKey(ctx context.Context, c *call, i *in[client.NewAPIKey]) (*out[client.APIKey], error) {
	allow, err := prefixes(i.Body.IPAllow)
	if err != nil {
		return nil, err
	}
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	n := account.NewAPIKey{Role: policy.Role(i.Body.Role), Name: i.Body.Name, IPAllow: allow, ExpiresAt: i.Body.ExpiresAt}
	var k account.APIKey
	var secret string
	if c.staff() {
		k, secret, err = s.Accounts.UnscopedCreateAPIKey(ctx, c.by(), id, n)
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		k, secret, err = s.Accounts.CreateAPIKey(ctx, scope, n)
	}
	if err != nil {
		return nil, err
	}
	w := apiKeyWord(k)
	w.Key = secret
	return &out[client.APIKey]{w}, nil
}

func (s *server) apiKeys(ctx context.Context, c *call, i *TenantPaging) (*list[client.APIKey], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	if c.staff() {
		found, next, err := s.Accounts.UnscopedAPIKeys(ctx, id, i.meta())
		if err != nil {
			return nil, err
		}
		return each(found, next, apiKeyWord), nil
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Accounts.APIKeys(ctx, scope, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, apiKeyWord), nil
}

func (s *server) revokeAPIKey(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Accounts.UnscopedRevokeAPIKey(ctx, c.by(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.RevokeAPIKey(ctx, scope, i.ID)
}
