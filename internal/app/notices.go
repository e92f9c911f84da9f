package app

import (
	"net/url"
	"strings"

	"tributary/internal/fault"
	"tributary/internal/oidc"
)

// checkNotices refuses settings for mails, and for an issuer that sends people back, that cannot work.
func (c *Config) checkNotices() error {
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fault.New(fault.Invalid, "The public URL %q is not https://HOST or http://HOST.", c.PublicURL)
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	if _, err := c.issuer(); err != nil {
		return err
	}
	if c.Mail == nil {
		return nil
	}
	return c.Mail.Check()
}

// issuer makes the issuer that the provider's people sign in with; nil: there is none.
func (c *Config) issuer() (*oidc.Issuer, error) {
	if c.OIDC == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	cfg := *c.OIDC
	cfg.PublicURL, cfg.Clock = c.PublicURL, c.Clock
	return oidc.New(cfg)
}
