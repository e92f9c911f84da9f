package api

import (
	"context"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/policy"
)

// identityRoutes are how the provider's people sign in with an issuer's word. The first
// two are for pages: what ties them together is a cookie.
func (s *server) identityRoutes() {
	add(s, route{method: http.MethodPost, path: "/sessions/oidc/begin", id: "begin-oidc", summary: "Begin a sign-in with OIDC: where the browser goes, which keeps a secret in a cookie meanwhile", thing: "session",
		audience: public, audit: "session.create", status: http.StatusCreated, secret: true}, s.beginOIDC)
	add(s, route{method: http.MethodPost, path: "/sessions/oidc", id: "finish-oidc", summary: "Sign in with what the browser came back with from the issuer; the session's token goes into a cookie", thing: "session",
		audience: public, audit: "session.create", status: http.StatusCreated, secret: true}, s.finishOIDC)
	add(s, route{method: http.MethodGet, path: "/me/identity", id: "show-own-identity", summary: "Show the identity of an issuer that is linked to one's account", thing: "identity",
		action: policy.OwnIdentityRead, audience: staff}, s.ownIdentity)
	add(s, route{method: http.MethodDelete, path: "/me/identity", id: "unlink-own-identity", summary: "Unlink it; one's other sessions end", thing: "identity",
		action: policy.OwnIdentityEnd, audience: staff, audit: "identity.unlink", status: http.StatusNoContent}, s.unlinkOwnIdentity)
	add(s, route{method: http.MethodGet, path: "/users/{id}/identity", id: "show-identity", summary: "Show the identity that is linked to one of the provider's people", thing: "user",
		action: policy.UserRead, audience: staff}, s.identity)
	add(s, route{method: http.MethodDelete, path: "/users/{id}/identity", id: "unlink-identity", summary: "Unlink it; the user's sessions end", thing: "user",
		action: policy.UserUnlink, audience: staff, audit: "identity.unlink", status: http.StatusNoContent}, s.unlinkIdentity)
}

func (s *server) beginOIDC(ctx context.Context, c *call, _ *struct{}) (*out[client.OIDCBegun], error) {
	if err := c.ownPage(); err != nil {
		return nil, err
	}
	address, browser, expires, err := s.Accounts.BeginOIDC(ctx, addressOf(ctx))
	if err != nil {
		return nil, err
	}
	c.setIssuerCookie(browser, expires)
	return &out[client.OIDCBegun]{client.OIDCBegun{URL: address, ExpiresAt: expires}}, nil
}

func (s *server) finishOIDC(ctx context.Context, c *call, i *in[client.OIDCReturn]) (*out[client.Session], error) {
	if err := c.ownPage(); err != nil {
		return nil, err
	}
	r := account.Returned{State: i.Body.State, Code: i.Body.Code, Refusal: i.Body.Error, Address: addressOf(ctx), Agent: c.request.UserAgent()}
	if kept, err := c.request.Cookie(c.issuerCookie()); err == nil {
		r.Browser = kept.Value
	}
	token, session, err := s.Accounts.FinishOIDC(ctx, r)
	if err != nil {
		return nil, err
	}
	c.setIssuerCookie("", time.Time{})
	c.setCookie(token)
	return &out[client.Session]{sessionWord(session, policy.Principal{Credential: session.ID})}, nil
}

func identityWord(i account.Identity, linked bool) *out[client.Identity] {
	w := client.Identity{Linked: linked}
	if linked {
		w = client.Identity{Linked: true, Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, LinkedAt: &i.LinkedAt}
	}
	return &out[client.Identity]{w}
}

func (s *server) ownIdentity(ctx context.Context, c *call, _ *struct{}) (*out[client.Identity], error) {
	return s.identity(ctx, c, &ByID{ID: c.principal.User})
}

func (s *server) unlinkOwnIdentity(ctx context.Context, c *call, _ *struct{}) (*struct{}, error) {
	return nil, s.Accounts.UnscopedUnlink(ctx, c.principal, c.principal.User)
}

func (s *server) identity(ctx context.Context, _ *call, i *ByID) (*out[client.Identity], error) {
	found, linked, err := s.Accounts.UnscopedIdentity(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	return identityWord(found, linked), nil
}

func (s *server) unlinkIdentity(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	return nil, s.Accounts.UnscopedUnlink(ctx, c.principal, i.ID)
}
