package test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// page is a portal's page in a browser: it has a session's cookie.
type page struct {
	*uploads
	cookie *http.Cookie
	site   string // whose page it is, as the browser says
}

// signedIn signs a user in the way the portal does.
func (s *server) signedIn(login, password string) *page {
	s.T.Helper()
	r := must(http.NewRequestWithContext(s.T.Context(), http.MethodPost, s.URL+"/api/v1/sessions", strings.NewReader(`{"login":"`+login+`","password":"`+password+`","cookie":true}`)))(s.T)
	r.Header.Set("Content-Type", "application/json")
	w := must(http.DefaultClient.Do(r))(s.T)
	defer w.Body.Close()
	if w.StatusCode != http.StatusCreated || len(w.Cookies()) != 1 {
		s.T.Fatalf("sign in: got %d and %d cookies, want 201 and one", w.StatusCode, len(w.Cookies()))
	}
	return &page{s.uploads(""), w.Cookies()[0], "same-origin"}
}

func (p *page) send(method, id, body string, header ...string) told {
	p.T.Helper()
	r := p.request(method, id, strings.NewReader(body), header...)
	r.Header.Del("Authorization")
	r.Header.Set("Sec-Fetch-Site", p.site)
	r.AddCookie(p.cookie)
	return p.ask(r)
}

func (p *page) begin(name string, length string) told {
	return p.send(http.MethodPost, "", "", "Upload-Length", length, "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(name)))
}

func (p *page) on(id, offset, body string) told {
	return p.send(http.MethodPatch, id, body, "Upload-Offset", offset, "Content-Type", "application/offset+octet-stream")
}

// TestPagesSendFilesByCookie is what the portal does: its session ends in the middle of a
// file, and after signing in again it goes on where it was. Another site's page does
// none of it.
func TestPagesSendFilesByCookie(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	const password = "a long enough password"
	must(a.CreateUser(t.Context(), client.NewUser{Email: "a@example.com", Role: "tenant_user", Password: password}))(t)
	text, name := file(1, date), servertest.InputName(1, date)
	p := s.signedIn("tenant-1.a", password)
	begun := p.begin(name, "1000000")
	if begun.status != http.StatusCreated {
		t.Fatalf("create: got %d %s, want 201", begun.status, begun.body)
	}
	spare := strings.TrimPrefix(begun.header.Get("Location"), "/api/v1/uploads/")
	if got := p.send(http.MethodDelete, spare, ""); got.status != http.StatusNoContent {
		t.Errorf("drop: got %d %s, want 204", got.status, got.body)
	}
	id := strings.TrimPrefix(p.begin(name, strconv.Itoa(len(text))).header.Get("Location"), "/api/v1/uploads/")
	for _, site := range []string{"cross-site", "same-site"} {
		foreign := &page{p.uploads, p.cookie, site}
		for what, got := range map[string]told{"POST": foreign.begin(name, "1"), "PATCH": foreign.on(id, "0", text[:10]), "DELETE": foreign.send(http.MethodDelete, id, "")} {
			if got.status != http.StatusForbidden {
				t.Errorf("%s from a page that is %s: got %d %s, want 403", what, site, got.status, got.body)
			}
		}
	}
	if got := p.on(id, "0", text[:10]); got.status != http.StatusNoContent || got.offset() != 10 {
		t.Fatalf("the first bytes: got %d at %d, want 204 at 10", got.status, got.offset())
	}
	ended := must(http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/api/v1/sessions/current", nil))(t)
	ended.AddCookie(p.cookie)
	must(http.DefaultClient.Do(ended))(t).Body.Close()
	if got := p.on(id, "10", text[10:]); got.status != http.StatusUnauthorized {
		t.Errorf("after the session's end: got %d %s, want 401", got.status, got.body)
	}
	again := s.signedIn("tenant-1.a", password)
	if got := again.send(http.MethodHead, id, ""); got.status != http.StatusOK || got.offset() != 10 {
		t.Errorf("signed in again: got %d at %d, want 200 at 10", got.status, got.offset())
	}
	done := again.on(id, "10", text[10:])
	if done.status != http.StatusNoContent || done.header.Get("Tributary-Submission") == "" {
		t.Fatalf("the rest: got %d %s, want 204 and a submission", done.status, done.body)
	}
	again.accepts(a, done.header.Get("Tributary-Submission"), text)
}
