package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/fault"
	"tributary/internal/oidc/oidctest"
)

const (
	ours  = "http://127.0.0.1:8080"
	valid = "a verifier of forty-three characters or more"
)

var ada = oidctest.Person{Subject: "ada-1", Email: "ada@provider.example"}

// pair is an issuer, and what asks it.
func pair(t *testing.T) (*oidctest.Issuer, *Issuer, *clocktest.Hands) {
	t.Helper()
	hands := new(clocktest.Hands)
	there := oidctest.New(t, ada)
	there.Now = hands.Now
	i, err := New(Config{Issuer: there.URL, ClientID: oidctest.ClientID, Secret: oidctest.Secret, Name: "Login", PublicURL: ours, Clock: clock.Clock{NowFunc: hands.Now}})
	if err != nil {
		t.Fatal(err)
	}
	return there, i, hands
}

var attempt = Attempt{State: "state", Nonce: "nonce", Verifier: strings.ReplaceAll(valid, " ", "-")}

// in begins, goes through the issuer and finishes.
func in(t *testing.T, there *oidctest.Issuer, i *Issuer) (Identity, error) {
	t.Helper()
	address, err := i.Begin(t.Context(), attempt)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	return i.Finish(t.Context(), attempt, there.Through(t, address, ada.Subject).Get("code"))
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

func TestSomebodyComesBackAsThemselves(t *testing.T) {
	t.Parallel()
	for _, thin := range []bool{false, true} {
		there, i, _ := pair(t)
		there.Thin = thin
		address, err := i.Begin(t.Context(), attempt)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"state": "state", "nonce": "nonce", "redirect_uri": ours + "/login/oidc", "scope": "openid email", "code_challenge_method": "S256"} {
			if got := u.Query().Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if strings.Contains(address, attempt.Verifier) || strings.Contains(address, url.QueryEscape(oidctest.Secret)) {
			t.Errorf("the address has a secret in it: %s", address)
		}
		got, err := in(t, there, i)
		if want := (Identity{Issuer: there.URL, Subject: ada.Subject, Email: ada.Email, EmailVerified: true}); err != nil || got != want {
			t.Errorf("thin %v: got %+v, %v; want %+v", thin, got, err, want)
		}
		if _, err := in(t, there, i); err != nil {
			t.Errorf("a second time: %v", err)
		}
		if got := there.Asked("/.well-known/openid-configuration") + there.Asked("/keys"); got != 2 {
			t.Errorf("asked for configuration and keys %d times, want once each", got)
		}
	}
}

func TestWhatProvesNothingIsDenied(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*oidctest.Issuer) {
		return func(there *oidctest.Issuer) { there.Forge = func(c map[string]any) { c[name] = value } }
	}
	signed := func(sign func([]byte) string) func(*oidctest.Issuer) {
		return func(there *oidctest.Issuer) { there.Sign = sign }
	}
	plainly := base64.RawURLEncoding.EncodeToString
	for what, lie := range map[string]func(*oidctest.Issuer){
		"another nonce":         claim("nonce", "another"),
		"no nonce":              claim("nonce", ""),
		"another audience":      claim("aud", "somebody"),
		"made for another":      claim("azp", "somebody"),
		"several audiences":     claim("aud", []string{oidctest.ClientID, "somebody"}),
		"another issuer":        claim("iss", "https://login.example.com"),
		"expired":               claim("exp", new(clocktest.Hands).Now().Add(-time.Second).Unix()),
		"not yet good":          claim("nbf", new(clocktest.Hands).Now().Add(time.Hour).Unix()),
		"no subject":            claim("sub", ""),
		"a subject of controls": claim("sub", "ada\n1"),
		"a long subject":        claim("sub", strings.Repeat("a", 256)),
		"another key":           signed(func(c []byte) string { return oidctest.SignWith(jose.ES256, other, c) }),
		"the secret as a key": signed(func(c []byte) string {
			return oidctest.SignWith(jose.HS256, []byte(strings.Repeat(oidctest.Secret, 3)), c)
		}),
		"no signature":           signed(func(c []byte) string { return plainly([]byte(`{"alg":"none"}`)) + "." + plainly(c) + "." }),
		"no signature, nor part": signed(func(c []byte) string { return plainly([]byte(`{"alg":"none"}`)) + "." + plainly(c) }),
		"no token":               signed(func([]byte) string { return "" }),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			there, i, _ := pair(t)
			lie(there)
			_, err := in(t, there, i)
			wantKind(t, what, err, fault.Denied)
		})
	}
	there, i, _ := pair(t)
	address, err := i.Begin(t.Context(), attempt)
	if err != nil {
		t.Fatal(err)
	}
	code := there.Through(t, address, ada.Subject).Get("code")
	_, err = i.Finish(t.Context(), Attempt{State: "state", Nonce: "nonce", Verifier: "another" + attempt.Verifier}, code)
	wantKind(t, "another verifier", err, fault.Denied)
	_, err = i.Finish(t.Context(), attempt, "nonsense")
	wantKind(t, "another code", err, fault.Denied)
	there.Thin, there.Forge = true, func(c map[string]any) { c["sub"] = "bob-2" }
	_, err = in(t, there, i)
	wantKind(t, "another's email", err, fault.Denied)
}

func TestAnIssuerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"issuer":"` + strings.Repeat("a", answerBytes) + `"}`))
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("no ", 1000), code) }
	}
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://example.com/", http.StatusFound)
	}
	pointing := func(name, to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			there := "http://" + r.Host
			says := map[string]string{"authorization_endpoint": there + "/a", "token_endpoint": there + "/t", "jwks_uri": there + "/k", name: to}
			_, _ = w.Write([]byte(`{"issuer":"` + there + `"`))
			for k, v := range says {
				_, _ = w.Write([]byte(`,"` + k + `":"` + v + `"`))
			}
			_, _ = w.Write([]byte(`}`))
		}
	}
	for what, c := range map[string]struct {
		path   string
		answer http.HandlerFunc
	}{
		"down":                    {"/.well-known/openid-configuration", status(http.StatusBadGateway)},
		"huge configuration":      {"/.well-known/openid-configuration", huge},
		"configuration elsewhere": {"/.well-known/openid-configuration", away},
		"another's configuration": {"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://example.com"}`))
		}},
		"people sent into a script": {"/.well-known/openid-configuration", pointing("authorization_endpoint", "javascript:alert(1)")},
		"a code sent in plain":      {"/.well-known/openid-configuration", pointing("token_endpoint", "http://192.0.2.1/token")},
		"keys in a file":            {"/.well-known/openid-configuration", pointing("jwks_uri", "file:///etc/passwd")},
		"no keys":                   {"/.well-known/openid-configuration", pointing("jwks_uri", "")},
		"an email within":           {"/.well-known/openid-configuration", pointing("userinfo_endpoint", "http://10.0.0.1/")},
		"keys down":                 {"/keys", status(http.StatusInternalServerError)},
		"huge keys":                 {"/keys", huge},
		"no code exchanged":         {"/token", status(http.StatusInternalServerError)},
		"huge token":                {"/token", huge},
		"token elsewhere":           {"/token", away},
		"huge email":                {"/userinfo", huge},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			there, i, hands := pair(t)
			there.Thin = true
			there.Instead[c.path] = c.answer
			address, err := i.Begin(t.Context(), attempt)
			if err == nil {
				_, err = i.Finish(t.Context(), attempt, there.Through(t, address, ada.Subject).Get("code"))
			}
			wantKind(t, what, err, fault.Unavailable)
			if err != nil && (len(err.Error()) > 800 || !strings.Contains(fault.Message(err), "Sign in with a password")) {
				t.Errorf("got %q, want something short that says what to do", err)
			}
			asked := there.Asked("/.well-known/openid-configuration")
			if _, err := i.Begin(t.Context(), attempt); err != nil && there.Asked("/.well-known/openid-configuration") != asked {
				t.Error("it is asked again at once")
			}
			delete(there.Instead, c.path)
			hands.Pass(again)
			if _, err := in(t, there, i); err != nil {
				t.Errorf("when it answers again: %v", err)
			}
		})
	}
}

func TestOnlyTheIssuerMayBePrivate(t *testing.T) {
	t.Parallel()
	there, i, _ := pair(t)
	there.Instead["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"issuer":"` + there.URL + `","authorization_endpoint":"` + there.URL + `/authorize","token_endpoint":"https://127.0.0.1:9/token","jwks_uri":"https://10.0.0.1/"}`))
	}
	if _, err := in(t, there, i); err == nil || !strings.Contains(err.Error(), "not a public one") {
		t.Errorf("a code sent to another port of this host: got %v, want it refused before it is dialled", err)
	}
}

func TestAnIssuerMayBeAwayForAWhile(t *testing.T) {
	t.Parallel()
	there, i, hands := pair(t)
	if _, err := in(t, there, i); err != nil {
		t.Fatal(err)
	}
	there.Instead["/.well-known/openid-configuration"] = http.NotFound
	hands.Pass(fresh)
	for range 2 {
		if _, err := in(t, there, i); err != nil {
			t.Errorf("with what was known of it: %v", err)
		}
	}
	if got := there.Asked("/.well-known/openid-configuration"); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestIssuersOfNoUse(t *testing.T) {
	t.Parallel()
	good := Config{Issuer: "https://login.example.com", ClientID: "c", Secret: "s", PublicURL: "https://data.example.com/"}
	i, err := New(good)
	if err != nil || i.Name != "login.example.com" || i.Callback() != "https://data.example.com/login/oidc" {
		t.Fatalf("got %v, %v", i, err)
	}
	for what, change := range map[string]func(*Config){
		"no TLS":          func(c *Config) { c.Issuer = "http://login.example.com" },
		"no URL":          func(c *Config) { c.Issuer = "login.example.com" },
		"a script":        func(c *Config) { c.Issuer = "javascript:alert(1)" },
		"a user":          func(c *Config) { c.Issuer = "https://me@login.example.com" },
		"a query":         func(c *Config) { c.Issuer += "?a=b" },
		"no client":       func(c *Config) { c.ClientID = "" },
		"no secret":       func(c *Config) { c.Secret = "" },
		"no public URL":   func(c *Config) { c.PublicURL = "" },
		"a plain one":     func(c *Config) { c.PublicURL = "http://data.example.com" },
		"a host of ours?": func(c *Config) { c.Issuer = "http://127.0.0.1.example.com" },
	} {
		c := good
		change(&c)
		_, err := New(c)
		wantKind(t, what, err, fault.Invalid)
	}
}

func TestRefusalsAreInOurWords(t *testing.T) {
	t.Parallel()
	_, i, _ := pair(t)
	for code, want := range map[string]string{
		"access_denied": "you cancelled there", "login_required": "sign in there first", "server_error": "cannot be reached", "<b>%s": "how this server is registered",
	} {
		if got := fault.Message(i.Refusal(code)); !strings.Contains(got, want) || strings.Contains(got, code) {
			t.Errorf("%s: got %q, want %q in it and not the code", code, got, want)
		}
	}
}
