package app

import (
	"net/url"
	"strings"

	"tributary/internal/fault"
)

// checkNotices refuses settings for mails that cannot work.
func (c *Config) checkNotices() error {
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fault.New(fault.Invalid, "The public URL %q is not https://HOST or http://HOST.", c.PublicURL)
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	if c.Mail == nil {
		return nil
	}
	return c.Mail.Check()
}
