package app

import (
	"context"
	"time"
)

// Init makes the first system admin of a data directory that has none, and
// returns an API key for it.
func Init(ctx context.Context, c Config, email, password string) (token string, err error) {
	err = with(ctx, c, func(s *stores) error {
		_, token, err = s.accounts.FirstAdmin(ctx, email, password)
		return err
	})
	return token, err
}

// SetupLink makes a single-use token to make the first system admin with.
func (a *App) SetupLink(ctx context.Context) (token string, expires time.Time, err error) {
	return a.stores.accounts.SetupLink(ctx)
}

// ResetLink makes a single-use token to set a password with, for who has the host in
// hands: of one of the provider's people, or of a tenant that is not claimed yet.
func ResetLink(ctx context.Context, c Config, login string) (token string, expires time.Time, err error) {
	err = withExisting(ctx, c, func(s *stores) error {
		token, expires, err = s.accounts.ResetLink(ctx, login)
		return err
	})
	return token, expires, err
}

// withExisting is with, for what makes sense only where there is data already.
func withExisting(ctx context.Context, c Config, do func(*stores) error) error {
	c.existing = true
	return with(ctx, c, do)
}

// with opens the stores for one thing, and makes them if there are none.
func with(ctx context.Context, c Config, do func(*stores) error) error {
	if err := c.defaults(); err != nil {
		return err
	}
	s, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer s.close()
	return do(s)
}
