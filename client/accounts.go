package client

import (
	"context"
	"net/http"
)

// SignIn makes a session and returns it with its token. It needs no credential,
// and does not change the client's.
func (c *Client) SignIn(ctx context.Context, s SignIn) (Session, error) {
	return send[Session](ctx, c, request{method: http.MethodPost, path: "/sessions", open: true}, s)
}

// SignOut ends the session whose token the client uses.
func (c *Client) SignOut(ctx context.Context) error { return c.EndSession(ctx, "current") }

// Sessions lists the sessions of the credential's user.
func (c *Client) Sessions(ctx context.Context) (List[Session], error) {
	return get[List[Session]](ctx, c, "/sessions", nil)
}

// EndSession ends a session of the credential's user.
func (c *Client) EndSession(ctx context.Context, session string) error {
	return c.delete(ctx, "/sessions/"+id(session))
}

// EndOtherSessions ends all sessions of the credential's user but its own.
func (c *Client) EndOtherSessions(ctx context.Context) error { return c.delete(ctx, "/sessions") }

// delete deletes what answers with nothing.
func (c *Client) delete(ctx context.Context, path string) error {
	_, err := call[none](ctx, c, request{method: http.MethodDelete, path: path})
	return err
}

// Me says who the credential is.
func (c *Client) Me(ctx context.Context) (Me, error) { return get[Me](ctx, c, "/me", nil) }

// ChangePassword changes the password of the credential's user.
func (c *Client) ChangePassword(ctx context.Context, current, to string) error {
	_, err := post[none](ctx, c, "/me/password", PasswordChange{Current: current, New: to})
	return err
}

// TOTP says how one's own second factor stands.
func (c *Client) TOTP(ctx context.Context) (TOTP, error) { return get[TOTP](ctx, c, "/me/totp", nil) }

// StartTOTP makes the secret of an authenticator, which ConfirmTOTP turns on.
func (c *Client) StartTOTP(ctx context.Context, password string) (NewTOTP, error) {
	return post[NewTOTP](ctx, c, "/me/totp", Password{password})
}

// ConfirmTOTP turns one's second factor on with a code of it, and returns the recovery
// codes. One's other sessions end.
func (c *Client) ConfirmTOTP(ctx context.Context, code string) (RecoveryCodes, error) {
	return post[RecoveryCodes](ctx, c, "/me/totp/confirm", Code{code})
}

// NewRecoveryCodes replaces one's recovery codes.
func (c *Client) NewRecoveryCodes(ctx context.Context, password, code string) (RecoveryCodes, error) {
	return post[RecoveryCodes](ctx, c, "/me/totp/recovery-codes", PasswordAndCode{password, code})
}

// EndTOTP turns one's second factor off.
func (c *Client) EndTOTP(ctx context.Context, password, code string) error {
	_, err := post[none](ctx, c, "/me/totp/off", PasswordAndCode{password, code})
	return err
}

// ResetTOTP takes the second factor of somebody else away.
func (c *Client) ResetTOTP(ctx context.Context, user string) error {
	return c.delete(ctx, "/users/"+id(user)+"/totp")
}

// OwnIdentity shows the identity of an issuer that is linked to one's account.
func (c *Client) OwnIdentity(ctx context.Context) (Identity, error) {
	return get[Identity](ctx, c, "/me/identity", nil)
}

// UnlinkOwn unlinks it. One's other sessions end.
func (c *Client) UnlinkOwn(ctx context.Context) error { return c.delete(ctx, "/me/identity") }

// Identity shows the identity that is linked to one of the provider's people.
func (c *Client) Identity(ctx context.Context, user string) (Identity, error) {
	return get[Identity](ctx, c, "/users/"+id(user)+"/identity", nil)
}

// Unlink unlinks it. The user's sessions end.
func (c *Client) Unlink(ctx context.Context, user string) error {
	return c.delete(ctx, "/users/"+id(user)+"/identity")
}

// OwnSSHKeys lists the SSH keys of the credential's user.
func (c *Client) OwnSSHKeys(ctx context.Context) (List[SSHKey], error) {
	return get[List[SSHKey]](ctx, c, "/me/ssh-keys", nil)
}

// AddOwnSSHKey adds an SSH key to the credential's user.
func (c *Client) AddOwnSSHKey(ctx context.Context, n NewOwnSSHKey) (SSHKey, error) {
	return post[SSHKey](ctx, c, "/me/ssh-keys", n)
}

// RevokeOwnSSHKey ends an SSH key of the credential's user at once.
func (c *Client) RevokeOwnSSHKey(ctx context.Context, key string) error {
	return c.delete(ctx, "/me/ssh-keys/"+id(key))
}

// Setup makes the first system admin with the token of a setup link, and returns
// the token of a session. It needs no credential.
func (c *Client) Setup(ctx context.Context, s Setup) (Token, error) {
	return send[Token](ctx, c, request{method: http.MethodPost, path: "/setup", open: true}, s)
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, n NewUser) (User, error) {
	return post[User](ctx, c, "/users", n)
}

// Preferences are how a user likes to see things in the portals: JSON values by name.
type Preferences map[string]any

// Preferences returns those of the credential's user.
func (c *Client) Preferences(ctx context.Context) (Preferences, error) {
	return get[Preferences](ctx, c, "/me/preferences", nil)
}

// ChangePreferences sets those that are named, takes away those that are nil, and
// returns all.
func (c *Client) ChangePreferences(ctx context.Context, change Preferences) (Preferences, error) {
	return send[Preferences](ctx, c, request{method: http.MethodPatch, path: "/me/preferences"}, change)
}

// UserFilter narrows the list of users.
type UserFilter struct {
	TenantPage
	View
}

func (f UserFilter) from(cursor string) UserFilter { f.After = cursor; return f }
func (f UserFilter) limited(n int) UserFilter      { f.Page = f.Page.limited(n); return f }

// Users lists a page of the users of the credential's tenant, or of the tenant
// named; to the provider without a name its own people.
func (c *Client) Users(ctx context.Context, f UserFilter) (List[User], error) {
	return get[List[User]](ctx, c, "/users", f.narrow(f.values()))
}

// User finds a user.
func (c *Client) User(ctx context.Context, user string) (User, error) {
	return get[User](ctx, c, "/users/"+id(user), nil)
}

// UpdateUser changes what is not nil in change.
func (c *Client) UpdateUser(ctx context.Context, user string, change UserChange) (User, error) {
	return send[User](ctx, c, request{method: http.MethodPatch, path: "/users/" + id(user)}, change)
}

// SetPassword sets a user's password.
func (c *Client) SetPassword(ctx context.Context, user, password string) error {
	_, err := post[none](ctx, c, "/users/"+id(user)+"/password", PasswordChange{New: password})
	return err
}

// AddSSHKey adds an SSH key to a user.
func (c *Client) AddSSHKey(ctx context.Context, user string, n NewSSHKey) (SSHKey, error) {
	return post[SSHKey](ctx, c, "/users/"+id(user)+"/ssh-keys", n)
}

// SSHKeys lists a user's SSH keys.
func (c *Client) SSHKeys(ctx context.Context, user string) (List[SSHKey], error) {
	return get[List[SSHKey]](ctx, c, "/users/"+id(user)+"/ssh-keys", nil)
}

// RevokeSSHKey ends an SSH key at once.
func (c *Client) RevokeSSHKey(ctx context.Context, key string) error {
	return c.delete(ctx, "/ssh-keys/"+id(key))
}

// CreateAPIKey makes an API key. Its secret is in the answer and nowhere else.
func (c *Client) CreateAPIKey(ctx context.Context, n NewAPIKey) (APIKey, error) {
	return post[APIKey](ctx, c, "/api-keys", n)
}

// APIKeys lists a page of the API keys of the credential's tenant, or of the
// tenant named; to the provider without a name its own.
func (c *Client) APIKeys(ctx context.Context, p TenantPage) (List[APIKey], error) {
	return get[List[APIKey]](ctx, c, "/api-keys", p.values())
}

// RevokeAPIKey ends an API key at once.
func (c *Client) RevokeAPIKey(ctx context.Context, key string) error {
	return c.delete(ctx, "/api-keys/"+id(key))
}
