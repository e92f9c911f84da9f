// Package oidc asks an OpenID Connect issuer who somebody is, by the authorisation
// code flow with PKCE. It proves an identity and nothing more: whose account that is,
// and that an attempt is good once and in one browser, is for package account to see to.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tributary/internal/clock"
	"tributary/internal/egress"
	"tributary/internal/fault"
)

// The bounds of what is asked of an issuer.
const (
	patience    = 10 * time.Second // for each answer
	answerBytes = 256 << 10        // of each
	fresh       = time.Hour        // how long its configuration and keys are good
	again       = 5 * time.Second  // after it could not be reached
	chainBytes  = 500              // of its words in the log
)

// callback is the page that the issuer sends people back to.
const callback = "/login/oidc"

// algorithms are how tokens may be signed: with a key that only the issuer has.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Config names an issuer; all fields but Name and Clock are required.
type Config struct {
	// Issuer is its URL, to the letter as it says itself. Only on this host it may be http.
	Issuer string
	// ClientID and Secret are what this server is registered as there.
	ClientID, Secret string
	// Name is what people know it as; empty: its host.
	Name string
	// PublicURL is where people reach this server.
	PublicURL string
	Clock     clock.Clock
}

// Issuer is an issuer that people are sent to and come back from. It is asked for its
// configuration when that is needed first, so that a server starts without it.
type Issuer struct {
	Config
	with func(context.Context) context.Context // has libraries use the one way out

	mu     sync.Mutex
	known  *known // nil: it was not reached yet
	asked  time.Time
	failed error
}

// known is what an issuer says of itself.
type known struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
}

// Attempt is what ties one sign-in together: State comes back in an address, Nonce in
// the token, and Verifier is shown with the code.
type Attempt struct{ State, Nonce, Verifier string }

// Identity is who somebody is at an issuer. Only Issuer and Subject stay the same.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
}

// New makes an Issuer, and asks it nothing.
func New(c Config) (*Issuer, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || !secure(u, true) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "The OIDC issuer %q is not an https URL, as in https://login.example.com.", c.Issuer)
	}
	if c.ClientID == "" || c.Secret == "" {
		return nil, fault.New(fault.Invalid, "The OIDC issuer needs the id and the secret that this server is registered with there.")
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil || !secure(public, true) {
		return nil, fault.New(fault.Invalid, "Signing in with OIDC needs the https URL at which people reach this server (--public-url): the issuer sends them back to it.")
	}
	if c.Name == "" {
		c.Name = u.Host
	}
	client := egress.Client(hostPort(u))
	client.Timeout = patience
	client.Transport = bounded{client.Transport}
	return &Issuer{Config: c, with: func(ctx context.Context) context.Context { return oidc.ClientContext(ctx, client) }}, nil
}

// Callback is the address that has to be registered at the issuer.
func (i *Issuer) Callback() string { return strings.TrimRight(i.PublicURL, "/") + callback }

// Begin returns the issuer's address that a browser is sent to.
func (i *Issuer) Begin(ctx context.Context, at Attempt) (string, error) {
	k, err := i.discover(ctx)
	if err != nil {
		return "", err
	}
	return k.oauth.AuthCodeURL(at.State, oidc.Nonce(at.Nonce), oauth2.S256ChallengeOption(at.Verifier)), nil
}

// Finish exchanges the code that came back for the identity that it proves. What proves
// nothing is Denied; an issuer that does not answer as it should is Unavailable.
func (i *Issuer) Finish(ctx context.Context, at Attempt, code string) (Identity, error) {
	k, err := i.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(i.with(ctx), 3*patience)
	defer cancel()
	token, err := k.oauth.Exchange(ctx, code, oauth2.VerifierOption(at.Verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return Identity{}, i.unproven(err)
	}
	if err != nil {
		return Identity{}, i.away(fmt.Errorf("exchange code: %w", err))
	}
	raw, _ := token.Extra("id_token").(string)
	proof, err := k.verifier.Verify(ctx, raw)
	if err != nil && strings.Contains(err.Error(), "fetching keys") { // the verifier keeps the words alone
		return Identity{}, i.away(err)
	}
	if err != nil {
		return Identity{}, i.unproven(err)
	}
	var claims struct {
		Party    string `json:"azp"`
		Email    string `json:"email"`
		Verified any    `json:"email_verified"`
	}
	if err := proof.Claims(&claims); err != nil {
		return Identity{}, i.unproven(err)
	}
	switch {
	case at.Nonce == "" || proof.Nonce != at.Nonce:
		return Identity{}, i.unproven(errors.New("the nonce is another attempt's"))
	case claims.Party != "" && claims.Party != i.ClientID, claims.Party == "" && len(proof.Audience) > 1:
		return Identity{}, i.unproven(fmt.Errorf("the token is for %q, made for %q", proof.Audience, claims.Party))
	case !plain(proof.Subject):
		return Identity{}, i.unproven(errors.New("the subject is none"))
	}
	who := Identity{Issuer: i.Issuer, Subject: proof.Subject, Email: claims.Email, EmailVerified: claims.Verified == true || claims.Verified == "true"}
	if who.Email != "" || k.provider.UserInfoEndpoint() == "" {
		return who, nil
	}
	// Some issuers say the email there and not in the token.
	info, err := k.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return Identity{}, i.away(fmt.Errorf("ask for the email: %w", err))
	}
	if info.Subject != who.Subject {
		return Identity{}, i.unproven(errors.New("the email is another subject's"))
	}
	who.Email, who.EmailVerified = info.Email, info.EmailVerified
	return who, nil
}

// refusals are the errors of RFC 6749 and OpenID Connect that are for people to know,
// with what follows from them.
var refusals = map[string]string{
	"access_denied":              "%s did not let you in, or you cancelled there.",
	"login_required":             "%s wants you to sign in there first. Begin again.",
	"interaction_required":       "%s wants to ask you something first. Begin again.",
	"consent_required":           "%s needs your consent. Begin again.",
	"account_selection_required": "%s wants you to choose an account. Begin again.",
}

// Refusal says in our words what the issuer's error means, which is never shown itself.
func (i *Issuer) Refusal(code string) error {
	if text, ok := refusals[code]; ok {
		return fault.New(fault.Denied, text, i.Name)
	}
	if code == "server_error" || code == "temporarily_unavailable" {
		return i.away(errors.New(code))
	}
	return fault.New(fault.Denied, "%s refused to sign you in. An administrator should see to how this server is registered there.", i.Name)
}

// discover returns what the issuer says of itself, of an hour ago at most; older where
// it cannot be reached now.
func (i *Issuer) discover(ctx context.Context) (*known, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.Clock.Now()
	age := now.Sub(i.asked)
	switch {
	case age < 0: // the clock was set
	case i.failed == nil && age < fresh && i.known != nil, i.failed != nil && age < again && i.known != nil:
		return i.known, nil
	case i.failed != nil && age < again:
		return nil, i.failed
	}
	// Whoever asks may go away; others wait for the same answer.
	ctx, cancel := context.WithTimeout(i.with(context.WithoutCancel(ctx)), patience)
	defer cancel()
	found, err := i.ask(ctx)
	if i.asked, i.failed = i.Clock.Now(), err; err == nil {
		i.known = found
	}
	if i.known != nil {
		return i.known, nil
	}
	return nil, err
}

func (i *Issuer) ask(ctx context.Context) (*known, error) {
	p, err := oidc.NewProvider(ctx, i.Issuer)
	if err != nil {
		return nil, i.away(fmt.Errorf("discover: %w", err))
	}
	var says struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&says); err != nil {
		return nil, i.away(fmt.Errorf("discover: %w", err))
	}
	here := strings.HasPrefix(i.Issuer, "http:")
	end := p.Endpoint()
	ends := []string{end.AuthURL, end.TokenURL, says.Keys}
	if info := p.UserInfoEndpoint(); info != "" {
		ends = append(ends, info)
	}
	for _, address := range ends {
		if u, err := url.Parse(address); err != nil || !secure(u, here) {
			return nil, i.away(fmt.Errorf("discover: %q is no https URL", address))
		}
	}
	end.AuthStyle = oauth2.AuthStyleInHeader // the standard's default
	if slices.Contains(says.Methods, "client_secret_post") && !slices.Contains(says.Methods, "client_secret_basic") {
		end.AuthStyle = oauth2.AuthStyleInParams
	}
	return &known{
		provider: p,
		verifier: p.Verifier(&oidc.Config{ClientID: i.ClientID, SupportedSigningAlgs: algorithms, Now: i.Clock.Now}),
		oauth:    oauth2.Config{ClientID: i.ClientID, ClientSecret: i.Secret, Endpoint: end, RedirectURL: i.Callback(), Scopes: []string{oidc.ScopeOpenID, "email"}},
	}, nil
}

func (i *Issuer) away(err error) error {
	return fault.Wrap(fault.Unavailable, short(err), "%s cannot be reached, or does not answer as it should. Sign in with a password, or try again later.", i.Name)
}

func (i *Issuer) unproven(err error) error {
	return fault.Wrap(fault.Denied, short(err), "What %s answered does not prove who you are. Begin again; if it stays so, tell an administrator.", i.Name)
}

// short keeps an error's words, which hold an issuer's answer, from filling the log.
func short(err error) error {
	text := strings.ToValidUTF8(err.Error(), "")
	return errors.New(text[:min(len(text), chainBytes)])
}

// plain reports whether a subject is one: up to 255 characters of ASCII.
func plain(subject string) bool {
	return subject != "" && len(subject) <= 255 && !strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' })
}

// secure reports whether a URL is https with a host; or, where that will do, http to
// this host.
func secure(u *url.URL, here bool) bool {
	if u.Host == "" || u.Scheme != "http" {
		return u.Host != "" && u.Scheme == "https"
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return here && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bounded cuts answers off that are too long: libraries read them whole.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, answerBytes)
	}
	return answer, err
}
