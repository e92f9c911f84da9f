package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/account"
	"tributary/internal/live"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// heard is a stream that a test reads.
type heard struct {
	t    *testing.T
	body *bufio.Reader
	last string // the id of the last event
}

// event reads up to the next event with a name. At the end of the stream it is "".
func (h *heard) event() (name, data string) {
	h.t.Helper()
	for {
		line, err := h.body.ReadString('\n')
		if err != nil {
			return "", ""
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			data = value
		case field == "id":
			h.last = value
		case line == "\n" && name != "":
			return name, data
		}
	}
}

// end reads to the end of the stream.
func (h *heard) end() {
	h.t.Helper()
	for name, _ := h.event(); name != ""; {
		name, _ = h.event()
	}
}

// change reads the next change.
func (h *heard) change() client.Change {
	h.t.Helper()
	var c client.Change
	name, data := h.event()
	if name == "reset" {
		return client.Change{Kind: "reset"}
	}
	if name != "" {
		if err := json.Unmarshal([]byte(data), &c); err != nil || name != "change" {
			h.t.Errorf("event %q with %q: %v", name, data, err)
		}
	}
	return c
}

// serve lets a test reach the API by its address.
func (w *world) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(w.handler())
	t.Cleanup(server.Close)
	t.Cleanup(w.Changes.Close)
	return server.URL
}

func listen(t *testing.T, url, token, place string) (*heard, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if place != "" {
		r.Header.Set("Last-Event-ID", place)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &heard{t: t, body: bufio.NewReader(answer.Body)}, answer.StatusCode
}

// Random acts of two tenants and the provider, on people and keys: each tenant is told
// of its own things, of all of them, and of nothing of the other.
func TestTenantsAreToldOfTheirOwnOnly(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, url := t.Context(), w.serve(t)+"/api/v1/changes"
		random := rand.New(rand.NewPCG(7, 11))
		type party struct {
			*heard
			slug     string
			user     account.User
			own, due map[string]bool // ids of its things, and of those that it must be told of
		}
		var parties []*party
		for _, slug := range []string{"acme", "other-one"} {
			id, u, key := w.tenant(t, slug)
			p := &party{slug: slug, user: u, own: map[string]bool{"": true, string(id): true, u.ID: true}, due: map[string]bool{}}
			p.heard, _ = listen(t, url, key, "")
			parties = append(parties, p)
		}
		provider, _ := listen(t, url, w.admin, "")
		all := map[string]bool{}
		for n := range 60 {
			p := parties[random.IntN(2)]
			var id string
			var err error
			switch tenant := p.user.Tenant; random.IntN(4) {
			case 0:
				var u account.User
				u, err = w.Accounts.UnscopedCreateUser(ctx, "usr_admin", tenant, account.NewUser{Email: fmt.Sprintf("u%d@%s.example", n, p.slug), Role: policy.TenantUser})
				id = u.ID
			case 1:
				var k account.APIKey
				k, _, err = w.Accounts.UnscopedCreateAPIKey(ctx, "usr_admin", tenant, account.NewAPIKey{Role: policy.TenantUser})
				id = k.ID
			case 2: // one that the provider has for itself
				var k account.APIKey
				k, _, err = w.Accounts.UnscopedCreateAPIKey(ctx, "usr_admin", "", account.NewAPIKey{Role: policy.Auditor})
				all[k.ID] = true
			case 3: // a refusal changes nothing
				wantStatus(t, "another's", w.ask(http.MethodGet, "/api/v1/users/"+parties[0].user.ID+"x", from, w.admin, "", ""), http.StatusNotFound)
			}
			if err != nil {
				t.Fatal(err)
			}
			if id != "" {
				p.own[id], p.due[id], all[id] = true, true, true
			}
		}
		// What comes last is told last.
		for _, p := range parties {
			last := live.Change{Kind: live.Result, ID: "last " + p.slug, Tenant: p.user.Tenant}
			w.Changes.Tell(last)
			for c := p.change(); c.ID != last.ID; c = p.change() {
				if c.Kind == "" || !p.own[c.ID] {
					t.Fatalf("%s was told of %+v", p.slug, c)
				}
				delete(p.due, c.ID)
			}
			if len(p.due) != 0 {
				t.Errorf("%s was not told of %v", p.slug, p.due)
			}
			for c := provider.change(); c.ID != last.ID; c = provider.change() {
				if c.Kind == "" {
					t.Fatal("the provider's stream has ended")
				}
				delete(all, c.ID)
			}
		}
		if len(all) != 0 {
			t.Errorf("the provider was not told of %v", all)
		}
	})
}

func TestRolesAreToldOfWhatTheyMayRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	id, u, _ := w.tenant(t, "acme")
	for _, c := range []struct {
		who  policy.Principal
		want string
	}{
		{policy.Principal{Credential: "key_1", Kind: policy.APIKey, Role: policy.SystemAdmin}, "analysis dataset hold key organisation outbox period result run schedule submission tenant upload user webhook"},
		{policy.Principal{Credential: "key_1", Kind: policy.APIKey, Role: policy.Analyst}, "analysis dataset run schedule"},
		{policy.Principal{Credential: "ses_1", Kind: policy.Session, User: u.ID, Tenant: id, Role: policy.TenantAdmin}, "analysis dataset hold key outbox period result submission tenant upload user webhook"},
		{policy.Principal{Credential: "ses_1", Kind: policy.Session, User: u.ID, Tenant: id, Role: policy.TenantUser}, "analysis dataset hold period result submission tenant upload"},
	} {
		sees := w.sees(t.Context(), c.who)
		var got []string
		for _, kind := range []live.Kind{live.Analysis, live.Dataset, live.Hold, live.Key, live.Organisation, live.Outbox, live.Period, live.Result, live.Run, live.Schedule,
			live.Session, live.Submission, live.Tenant, live.Upload, live.User, live.Webhook} {
			if sees(live.Change{Kind: kind, By: "usr_another"}) {
				got = append(got, string(kind))
			}
			own := kind == live.Session || kind == live.Key || kind == live.User
			if own && !sees(live.Change{Kind: kind, By: c.who.Actor()}) {
				t.Errorf("%s is not told of a %s of its own", c.who.Role, kind)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.who.Role, strings.Join(got, " "), c.want)
		}
	}
}

func TestNothingIsMissedOverAReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	url := w.serve(t) + "/api/v1/changes"
	id, _, key := w.tenant(t, "acme")
	tell := func(n int) { w.Changes.Tell(live.Change{Kind: live.Submission, ID: fmt.Sprint(n), Tenant: id}) }
	first, _ := listen(t, url, key, "")
	tell(1)
	if c := first.change(); c.ID != "1" {
		t.Fatalf("first: got %+v, want 1", c)
	}
	tell(2)
	tell(3)
	again, _ := listen(t, url, key, first.last)
	if a, b := again.change(), again.change(); a.ID != "2" || b.ID != "3" {
		t.Errorf("after a reconnect: got %+v and %+v, want 2 and 3", a, b)
	}
	query, _ := listen(t, url+"?after="+again.last, key, "")
	tell(4)
	if c := query.change(); c.ID != "4" {
		t.Errorf("with the place in the address: got %+v, want 4", c)
	}
	lost, _ := listen(t, url, key, "another.17")
	if c := lost.change(); c.Kind != "reset" {
		t.Errorf("from a place of another server: got %+v, want a reset", c)
	}
}

// It ends within a second, whichever way the credential ends.
func TestStreamsEndWithTheirCredential(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, url := t.Context(), w.serve(t)+"/api/v1/changes"
		id, _, _ := w.tenant(t, "acme")
		for _, c := range []struct {
			what  string
			owner tenant.ID
			end   func(account.APIKey) error
		}{
			{"revoked", id, func(k account.APIKey) error { return w.Accounts.UnscopedRevokeAPIKey(ctx, "usr_admin", k.ID) }},
			{"the provider's, revoked", "", func(k account.APIKey) error { return w.Accounts.UnscopedRevokeAPIKey(ctx, "usr_admin", k.ID) }},
			{"the tenant is suspended", id, func(account.APIKey) error {
				_, err := w.Control.UnscopedSuspend(ctx, "usr_admin", "acme", "")
				return err
			}},
		} {
			role := policy.TenantUser
			if c.owner == "" {
				role = policy.Auditor
			}
			k, token, err := w.Accounts.UnscopedCreateAPIKey(ctx, "usr_admin", c.owner, account.NewAPIKey{Role: role})
			if err != nil {
				t.Fatal(err)
			}
			h, status := listen(t, url, token, "")
			if status != http.StatusOK {
				t.Fatalf("%s: got %d", c.what, status)
			}
			if err := c.end(k); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			h.end()
			if took := time.Since(begun); took > time.Second {
				t.Errorf("%s: it ended after %s, want within a second", c.what, took)
			}
		}
	})
}

func TestNobodyHasMoreStreamsThanAFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	url := w.serve(t) + "/api/v1/changes"
	_, _, key := w.tenant(t, "acme")
	_, _, other := w.tenant(t, "other-one")
	var open []*heard
	for n := range mostStreams {
		h, status := listen(t, url, key, "")
		if status != http.StatusOK {
			t.Fatalf("stream %d: got %d", n, status)
		}
		open = append(open, h)
	}
	if _, status := listen(t, url, key, ""); status != http.StatusTooManyRequests {
		t.Errorf("one more: got %d, want 429", status)
	}
	if _, status := listen(t, url, other, ""); status != http.StatusOK {
		t.Errorf("another's: got %d, want 200", status)
	}
	w.Changes.Close() // as when the server stops
	for _, h := range open {
		h.end()
	}
}

// What nobody takes is not gathered: the stream ends, and what it has not said stays
// where it was.
func TestAReaderThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	said, ready := 0, make(chan struct{})
	close(ready)
	to := &stuck{ResponseRecorder: httptest.NewRecorder(), takes: 3}
	err := w.pump(t.Context(), http.NewResponseController(to), to, &outgoing{}, source{
		place: func() string { return "" },
		next: func(_ context.Context, out *outgoing) (<-chan struct{}, error) {
			said++
			return ready, out.event("line", "", said)
		},
	}, func(context.Context) error { return nil })
	if err != nil || said != to.takes+1 {
		t.Errorf("got %d events said, %v, want %d, the last of them not taken", said, err, to.takes+1)
	}
}

// stuck takes some parts of an answer, and no more.
type stuck struct {
	*httptest.ResponseRecorder
	takes int
	taken int
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.taken++; s.taken > s.takes {
		return 0, os.ErrDeadlineExceeded
	}
	return s.ResponseRecorder.Write(p)
}
