package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/oidc"
	"tributary/internal/oidc/oidctest"
	"tributary/internal/policy"
)

const ours = "https://data.example.com"

// issuer gives the API an issuer, with one person whom it lets in as an auditor.
func (w *world) issuer(t *testing.T) *oidctest.Issuer {
	t.Helper()
	there := oidctest.New(t, oidctest.Person{Subject: "ada-1", Email: "ada@example.com"})
	there.Now = w.hands.Now
	var err error
	if w.Accounts.Issuer, err = oidc.New(oidc.Config{Issuer: there.URL, ClientID: oidctest.ClientID, Secret: oidctest.Secret, Name: "Login", PublicURL: ours, Clock: w.Clock}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Accounts.UnscopedCreateUser(t.Context(), "usr_admin", "", account.NewUser{Email: "ada@example.com", Role: policy.Auditor}); err != nil {
		t.Fatal(err)
	}
	return there
}

// leave begins a sign-in the way the portal does, and goes through the issuer.
func (w *world) leave(t *testing.T, there *oidctest.Issuer, subject string) (cookies []*http.Cookie, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/sessions/oidc/begin", nil)
	r.RemoteAddr, r.Host = from, "evil.example"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	w.handler().ServeHTTP(rec, r)
	wantStatus(t, "begin", rec, http.StatusCreated)
	var begun struct{ URL string }
	if err := json.Unmarshal(rec.Body.Bytes(), &begun); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(begun.URL)
	if err != nil || u.Query().Get("redirect_uri") != ours+"/login/oidc" {
		t.Fatalf("got %q, want people sent back to %s whatever the Host", begun.URL, ours)
	}
	back := there.Through(t, begun.URL, subject)
	raw, err := json.Marshal(map[string]string{"state": back.Get("state"), "code": back.Get("code"), "error": back.Get("error")})
	if err != nil {
		t.Fatal(err)
	}
	return rec.Result().Cookies(), string(raw)
}

func TestAPageSignsInWithAnIssuer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		const path = "/api/v1/sessions/oidc"
		there := w.issuer(t)
		if rec := w.ask(http.MethodGet, "/api/v1/entrance", from, "", "", ""); !strings.Contains(rec.Body.String(), `"oidc":"Login"`) {
			t.Errorf("entrance: got %s, want the issuer's name", rec.Body)
		}
		kept, body := w.leave(t, there, "ada-1")
		if len(kept) != 1 || kept[0].Name != "tributary-oidc" || !kept[0].HttpOnly || kept[0].SameSite != http.SameSiteStrictMode || kept[0].Path != "/" || kept[0].Expires.Sub(w.Clock.Now()) > 10*time.Minute {
			t.Fatalf("cookies: got %+v, want one for ten minutes, out of reach of scripts and other sites", kept)
		}
		wantStatus(t, "from another site's page", w.browse(http.MethodPost, path, "cross-site", body, kept), http.StatusForbidden)
		wantStatus(t, "begun by another site's page", w.browse(http.MethodPost, path+"/begin", "cross-site", "", nil), http.StatusForbidden)
		wantStatus(t, "in another browser", w.browse(http.MethodPost, path, "same-origin", body, nil), http.StatusUnauthorized)
		other, _ := w.leave(t, there, "ada-1")
		wantStatus(t, "with another's cookie", w.browse(http.MethodPost, path, "same-origin", body, other), http.StatusUnauthorized)
		rec := w.browse(http.MethodPost, path, "same-origin", body, kept)
		wantStatus(t, "come back", rec, http.StatusCreated)
		set := map[string]*http.Cookie{}
		for _, c := range rec.Result().Cookies() {
			set[c.Name] = c
		}
		session := set["tributary"]
		if gone := set["tributary-oidc"]; gone == nil || gone.MaxAge >= 0 || session == nil || session.SameSite != http.SameSiteStrictMode || !session.HttpOnly || strings.Contains(rec.Body.String(), session.Value) {
			t.Fatalf("got the cookies %v, want the session's, and the other taken away", set)
		}
		me := w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", []*http.Cookie{session})
		if !strings.Contains(me.Body.String(), `"role":"auditor"`) {
			t.Errorf("me: got %s", me.Body)
		}
		own := w.browse(http.MethodGet, "/api/v1/me/identity", "same-origin", "", []*http.Cookie{session})
		if !strings.Contains(own.Body.String(), `"linked":true`) || !strings.Contains(own.Body.String(), "ada-1") {
			t.Errorf("own identity: got %s", own.Body)
		}
		wantStatus(t, "unlink another's, as an auditor", w.browse(http.MethodDelete, "/api/v1/users/usr_x/identity", "same-origin", "", []*http.Cookie{session}), http.StatusForbidden)
		wantStatus(t, "unlink", w.browse(http.MethodDelete, "/api/v1/me/identity", "same-origin", "", []*http.Cookie{session}), http.StatusNoContent)
		wantStatus(t, "unlink what is not linked", w.browse(http.MethodDelete, "/api/v1/me/identity", "same-origin", "", []*http.Cookie{session}), http.StatusConflict)
		wantStatus(t, "once more", w.browse(http.MethodPost, path, "same-origin", body, kept), http.StatusUnauthorized)

		kept, body = w.leave(t, there, "") // and cancel
		rec = w.browse(http.MethodPost, path, "same-origin", body, kept)
		wantStatus(t, "cancelled", rec, http.StatusForbidden)
		if strings.Contains(rec.Body.String(), "access_denied") || strings.Contains(rec.Body.String(), "own words") || len(rec.Result().Cookies()) > 1 {
			t.Errorf("cancelled: got %s, want our words and no session", rec.Body)
		}
	})
}

func TestTheIssuersCookieIsThisHostsAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.issuer(t)
		r := httptest.NewRequest(http.MethodPost, "https://data.example.com/api/v1/sessions/oidc/begin", nil)
		r.RemoteAddr = from
		rec := httptest.NewRecorder()
		w.handler().ServeHTTP(rec, r)
		wantStatus(t, "begin", rec, http.StatusCreated)
		if c := rec.Result().Cookies(); len(c) != 1 || c[0].Name != "__Host-tributary-oidc" || !c[0].Secure || c[0].Domain != "" || c[0].Path != "/" {
			t.Errorf("got %v", c)
		}
	})
}
