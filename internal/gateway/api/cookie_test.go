package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/meta"
)

// browse sends a request as a browser does: with its cookies, and from a page of a site.
func (w *world) browse(method, path, site, body string, cookies []*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", site)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	w.handler().ServeHTTP(rec, r)
	return rec
}

// signIn signs in the way the portal does.
func (w *world) cookies(t *testing.T) []*http.Cookie {
	t.Helper()
	rec := w.browse(http.MethodPost, "/api/v1/sessions", "same-origin", `{"login":"admin@example.com","password":"a long enough password","cookie":true}`, nil)
	wantStatus(t, "sign in", rec, http.StatusCreated)
	found := rec.Result().Cookies()
	if len(found) != 1 || !found[0].HttpOnly || found[0].SameSite != http.SameSiteStrictMode || found[0].Path != "/" || !strings.HasPrefix(found[0].Value, "trs_") {
		t.Fatalf("cookies: got %+v, want one with the token, out of reach of scripts and other sites", found)
	}
	if strings.Contains(rec.Body.String(), found[0].Value) {
		t.Error("the answer has the token, want it in the cookie only")
	}
	return found
}

func TestAPageSignsInByCookie(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		kept := w.cookies(t)
		wantStatus(t, "with the cookie", w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", kept), http.StatusOK)
		w.hands.Pass(20 * time.Minute) // the token turns
		rec := w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", kept)
		renewed := rec.Result().Cookies()
		if len(renewed) != 1 || renewed[0].Value == kept[0].Value || rec.Header().Get("Tributary-Session") != "" {
			t.Fatalf("later: got cookies %v and header %q, want the new token in the cookie only", renewed, rec.Header().Get("Tributary-Session"))
		}
		gone := w.browse(http.MethodDelete, "/api/v1/sessions/current", "same-origin", "", renewed)
		wantStatus(t, "sign out", gone, http.StatusNoContent)
		if left := gone.Result().Cookies(); len(left) != 1 || left[0].MaxAge >= 0 {
			t.Errorf("after signing out: got %v, want the cookie taken away", left)
		}
		wantStatus(t, "after it", w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", renewed), http.StatusUnauthorized)
	})
}

// The answer to what is sent for minutes would put an old token over a newer one.
func TestAnUploadsAnswerHasNoNewToken(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		kept := w.cookies(t)
		w.hands.Pass(20 * time.Minute)
		sent := w.browse(http.MethodPost, "/api/v1/submissions", "same-origin", "", kept)
		if got := sent.Result().Cookies(); len(got) != 0 {
			t.Errorf("an upload: got %d with the cookies %v, want none", sent.Code, got)
		}
		w.hands.Pass(time.Minute)
		rec := w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", kept)
		wantStatus(t, "the old token", rec, http.StatusOK)
		if got := rec.Result().Cookies(); len(got) != 1 {
			t.Errorf("the request after it: got the cookies %v, want the new token", got)
		}
	})
}

func TestAnotherSitesPageCannotUseTheCookie(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		kept := w.cookies(t)
		body := `{"email":"eve@example.com","role":"system_admin"}`
		for _, site := range []string{"cross-site", "same-site"} {
			wantStatus(t, site, w.browse(http.MethodPost, "/api/v1/users", site, body, kept), http.StatusForbidden)
		}
		users, _, err := w.Accounts.UnscopedUsers(t.Context(), "", meta.Page{Limit: 100})
		if err != nil || len(users) != 1 {
			t.Errorf("users: got %d (%v), want the admin alone", len(users), err)
		}
		wantStatus(t, "the portal's own page", w.browse(http.MethodPost, "/api/v1/users", "same-origin", body, kept), http.StatusCreated)
	})
}

// Or a page of anybody's would make its reader somebody else here, who then sends that one files.
func TestAnotherSitesPageSignsNobodyIn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		made, err := w.Accounts.UnscopedInvite(t.Context(), "usr_admin", "", account.NewUser{Email: "eve@example.com", Role: "auditor"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			path, body string
			own        int // what one of our own pages is answered
		}{
			{"/api/v1/sessions", `{"login":"admin@example.com","password":"a long enough password","cookie":true}`, http.StatusCreated},
			{"/api/v1/invitations/accept", `{"token":"` + made.Token + `","password":"a long enough password","cookie":true}`, http.StatusCreated},
			{"/api/v1/sign-ups/finish", `{"ticket":"trt_none","name":"Eve","password":"a long enough password","cookie":true}`, http.StatusConflict},
		} {
			for _, site := range []string{"cross-site", "same-site"} {
				got := w.browse(http.MethodPost, c.path, site, c.body, nil)
				wantStatus(t, c.path+" from "+site, got, http.StatusForbidden)
				if kept := got.Result().Cookies(); len(kept) != 0 {
					t.Errorf("%s from %s: got the cookies %v", c.path, site, kept)
				}
			}
			wantStatus(t, c.path, w.browse(http.MethodPost, c.path, "same-origin", c.body, nil), c.own)
		}
	})
}

func TestOnlyASessionsTokenWorksAsACookie(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		_, key, err := w.Accounts.UnscopedCreateAPIKey(t.Context(), "usr_admin", "", account.NewAPIKey{Role: "system_admin"})
		if err != nil {
			t.Fatal(err)
		}
		cookie := []*http.Cookie{{Name: "tributary", Value: key}}
		wantStatus(t, "an API key as a cookie", w.browse(http.MethodGet, "/api/v1/me", "same-origin", "", cookie), http.StatusUnauthorized)
	})
}

func TestTheEntranceSaysThatThereIsNoAdmin(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		says := func() bool {
			rec := w.ask(http.MethodGet, "/api/v1/entrance", from, "", "", "")
			wantStatus(t, "entrance", rec, http.StatusOK)
			return strings.Contains(rec.Body.String(), `"no_admin":true`)
		}
		if says() {
			t.Error("with an admin: it says that there is none")
		}
		if _, err := w.DB.Unscoped().Exec(t.Context(), `UPDATE users SET role = 'auditor'`); err != nil {
			t.Fatal(err)
		}
		if !says() {
			t.Error("without one: it does not say so")
		}
	})
}
