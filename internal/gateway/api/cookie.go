package api

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"tributary/internal/fault"
)

// origins refuses requests that another site's page makes a browser send. The cookie
// is not sent with those either (SameSite); each alone is enough.
var origins = http.NewCrossOriginProtection()

// token is the credential of a request: what it says to bear, or the session's
// token in the cookie of a browser. "": none.
func (c *call) token() (string, error) {
	if header := c.request.Header.Get("Authorization"); header != "" {
		token, _ := strings.CutPrefix(header, "Bearer ")
		if token == header {
			return "", nil
		}
		return token, nil
	}
	kept, err := c.request.Cookie(c.cookieName())
	if err != nil || !strings.HasPrefix(kept.Value, "trs_") {
		return "", nil //nolint:nilerr // there is no cookie
	}
	if err := c.ownPage(); err != nil {
		return "", err
	}
	c.cookie = true
	return kept.Value, nil
}

// ownPage refuses what another site's page makes a browser send, which could use
// somebody's session, or sign somebody in as somebody else.
func (c *call) ownPage() error {
	if err := origins.Check(c.request); err != nil {
		return fault.New(fault.Denied, "This came from another site's page. Open the portal and do it there.")
	}
	return nil
}

// keeps is ownPage for who asks for a session, if its token is to go into a cookie.
func (c *call) keeps(cookie bool) error {
	if !cookie {
		return nil
	}
	return c.ownPage()
}

// cookieName is one that a browser takes only from this host, by TLS alone; without
// TLS, as on loopback, there is no such.
func (c *call) cookieName() string {
	if c.secure() {
		return "__Host-tributary"
	}
	return "tributary"
}

// setCookie gives the browser a session's token, which its scripts cannot read; ""
// takes it away.
func (c *call) setCookie(token string) {
	cookie := &http.Cookie{Name: c.cookieName(), Value: token, Path: "/", Secure: c.secure(), HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.response, cookie)
}

// issuerCookie is the name of what a browser keeps while somebody is at the issuer. It
// goes with requests of our own pages alone, as the session's: the one that the issuer
// sends people back to is a file like any other, and asks from there.
func (c *call) issuerCookie() string { return c.cookieName() + "-oidc" }

// setIssuerCookie has the browser keep a secret until a time; "" takes it away.
func (c *call) setIssuerCookie(secret string, until time.Time) {
	cookie := &http.Cookie{Name: c.issuerCookie(), Value: secret, Path: "/", Expires: until, Secure: c.secure(), HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if secret == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.response, cookie)
}

// secure reports whether the browser speaks TLS, with us or with a proxy of ours.
func (c *call) secure() bool {
	if c.request.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(c.request.RemoteAddr)
	return err == nil && among(peer.Addr().Unmap(), c.server.BehindProxy) && c.request.Header.Get("X-Forwarded-Proto") == "https"
}
