// Package oidctest is an OpenID Connect issuer for tests, on loopback. It checks what
// a strict one would, and lies where a test wants it to.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// What clients are registered with.
const (
	ClientID = "tributary"
	Secret   = "a secret for tests"
)

// Person is somebody whom the issuer knows.
type Person struct {
	Subject, Email string
	Unverified     bool
}

// Issuer is the issuer. Its exported fields are for tests to set between requests.
type Issuer struct {
	URL    string
	People []Person
	// Thin leaves the email to the userinfo endpoint.
	Thin bool
	// Forge changes what the next tokens say.
	Forge func(claims map[string]any)
	// Sign signs tokens; nil: with the key that is told.
	Sign func(claims []byte) string
	// Instead answers in place of the issuer, by path.
	Instead map[string]http.HandlerFunc
	// Now tells the time; nil: time.Now.
	Now func() time.Time

	key    *ecdsa.PrivateKey
	mu     sync.Mutex
	grants map[string]grant // by code
	tokens map[string]Person
	asked  map[string]int
}

// grant is what a code is good for, once.
type grant struct {
	person                     Person
	nonce, challenge, redirect string
}

// New starts an issuer that ends with the test. Its host is localhost, another site
// than 127.0.0.1.
func New(t testing.TB, people ...Person) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{People: people, Instead: map[string]http.HandlerFunc{}, key: key, grants: map[string]grant{}, tokens: map[string]Person{}, asked: map[string]int{}}
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	i.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return i
}

// Asked returns how often a path was asked for.
func (i *Issuer) Asked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// ServeHTTP answers as an issuer.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[r.URL.Path]++
	if instead := i.Instead[r.URL.Path]; instead != nil {
		instead(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"userinfo_endpoint": i.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}})
	case "/keys":
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	case "/authorize":
		i.authorize(w, r)
	case "/token":
		i.token(w, r)
	case "/userinfo":
		p, ok := i.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		if !ok {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		claims := map[string]any{"sub": p.Subject, "email": p.Email, "email_verified": fmt.Sprint(!p.Unverified)}
		if i.Forge != nil {
			i.Forge(claims)
		}
		answer(w, claims)
	default:
		http.NotFound(w, r)
	}
}

var page = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>The issuer</title><h1>Who are you?</h1>
{{range .People}}<p><a href="?{{$.Query}}&amp;as={{.Subject}}">{{.Email}}</a></p>{{end}}<p><a href="?{{.Query}}&amp;as=">Cancel</a></p></html>`))

// authorize asks who it is, and sends the browser back.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{"client_id": ClientID, "response_type": "code", "code_challenge_method": "S256"} {
		if q.Get(name) != want {
			http.Error(w, name+" is "+q.Get(name), http.StatusBadRequest)
			return
		}
	}
	if !q.Has("as") {
		_ = page.Execute(w, map[string]any{"People": i.People, "Query": template.URL(r.URL.RawQuery)})
		return
	}
	back := url.Values{"state": {q.Get("state")}, "error": {"access_denied"}, "error_description": {"<b>the issuer's own words</b>"}}
	for _, p := range i.People {
		if p.Subject == q.Get("as") {
			code := rand.Text()
			i.grants[code] = grant{p, q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
			back = url.Values{"state": {q.Get("state")}, "code": {code}}
		}
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if secret, _ = url.QueryUnescape(secret); id != ClientID || secret != Secret {
		refuse(w, "invalid_client")
		return
	}
	code := r.FormValue("code")
	g, ok := i.grants[code]
	delete(i.grants, code)
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge || r.FormValue("redirect_uri") != g.redirect {
		refuse(w, "invalid_grant")
		return
	}
	now := time.Now()
	if i.Now != nil {
		now = i.Now()
	}
	claims := map[string]any{"iss": i.URL, "sub": g.person.Subject, "aud": ClientID, "nonce": g.nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	if !i.Thin {
		maps.Copy(claims, map[string]any{"email": g.person.Email, "email_verified": !g.person.Unverified})
		if i.Forge != nil {
			i.Forge(claims)
		}
	}
	raw, _ := json.Marshal(claims) //nolint:errchkjson // they are plain
	sign := i.Sign
	if sign == nil {
		sign = func(claims []byte) string { return SignWith(jose.ES256, i.key, claims) }
	}
	access := rand.Text()
	i.tokens[access] = g.person
	answer(w, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": sign(raw)})
}

// SignWith signs claims with a key of one's own choice, as the issuer's key.
func SignWith(alg jose.SignatureAlgorithm, key any, claims []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// Through goes through the issuer's pages as one of its people, or cancels for "", and
// returns what the browser is sent back with.
func (i *Issuer) Through(t testing.TB, address, subject string) url.Values {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"&as="+subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	to, err := got.Location()
	if err != nil {
		t.Fatalf("the issuer answered %s: %v", got.Status, err)
	}
	return to.Query()
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
}
