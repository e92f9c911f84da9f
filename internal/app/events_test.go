package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/client"
	"tributary/internal/fault"
)

// posted sends a body to /events with a token, and returns the answer.
func (w *world) posted(token, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	r := must(http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL()+"/api/v1/events", strings.NewReader(body)))(w.t)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/cloudevents+json")
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	res := must(http.DefaultClient.Do(r))(w.t)
	defer res.Body.Close()
	return res, string(must(io.ReadAll(res.Body))(w.t))
}

func event(id, more string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/shop","type":"login"` + more + `}`
}

// TestEventsComeInAndStay is a story: a tenant's source, the provider's, bad ones, a
// restart, and what fsck says when a byte of a stream is changed.
func TestEventsComeInAndStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	admin := w.as(token)
	acme, key := w.party(admin, "acme", "000001")
	bolt, _ := w.party(admin, "bolt", "000002")
	source := must(acme.CreateSource(t.Context(), client.NewSource{Name: "shop"}))(t)
	backend := must(admin.CreateSource(t.Context(), client.NewSource{Name: "backend", TenantField: "subject"}))(t)
	for _, c := range []struct {
		name, token, body string
		headers           []string
		status            int
		says              string
	}{
		{"one", source.Key, event("1", ""), nil, 204, ""},
		{"again", source.Key, event("1", ""), []string{"Prefer", "return=representation"}, 200, `"result":"duplicate"`},
		{"several", source.Key, "[" + event("2", `,"data":{"a":1},"user":"u"`) + "," + event("3", `,"time":"2001-02-03T04:05:06Z"`) + "]", nil, 204, ""},
		{"an API key", key.Key, event("1", ""), nil, 204, ""},
		{"the provider's", backend.Key, "[" + event("4", `,"subject":"acme"`) + "," + event("5", `,"subject":"000002"`) + "]", nil, 204, ""},
		{"one of two", backend.Key, "[" + event("6", `,"subject":"acme"`) + "," + event("7", `,"subject":"nobody"`) + "]", nil, 204, ""},
		{"nobody's", backend.Key, event("8", `,"subject":"nobody"`), nil, 422, "names no tenant that takes part"},
		{"another tenant named", source.Key, event("9", `,"tenant":"bolt","subject":"bolt"`), []string{"X-Tenant", "bolt"}, 204, ""},
		{"broken", source.Key, `{"specversion":"1.0"`, nil, 422, "not JSON"},
		{"a text", source.Key, `"event"`, nil, 422, "not JSON"},
		{"more than one document", source.Key, event("a", "") + event("b", ""), nil, 422, "follows"},
		{"duplicate names", source.Key, event("a", `,"id":"b"`), nil, 422, "a name twice"},
		{"invalid UTF-8", source.Key, event("\xff", ""), nil, 422, "UTF-8"},
		{"NaN", source.Key, event("a", `,"data":{"x":NaN}`), nil, 422, "not JSON"},
		{"wrong types", source.Key, event("a", `,"subject":7`), nil, 422, "another type"},
		{"a wrong time", source.Key, event("a", `,"time":"yesterday"`), nil, 422, "another type"},
		{"deep", source.Key, event("a", `,"data":`+strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)), nil, 422, "levels deep"},
		{"very deep", source.Key, event("a", `,"data":`+strings.Repeat(`[`, 100000)), nil, 422, "not JSON"},
		{"large", source.Key, event("a", `,"data":{"x":"`+strings.Repeat("a", 600<<10)+`"}`), nil, 413, "larger than"},
		{"very large", source.Key, event("a", `,"data":{"x":"`+strings.Repeat("a", 11<<20)+`"}`), nil, 413, ""},
		{"nothing", source.Key, `[]`, nil, 204, ""},
		{"an unknown key", "trw_0000000000000000000000000000000000000000000000000000", event("a", ""), nil, 401, "not valid"},
		{"no key", "", event("a", ""), nil, 401, ""},
		{"a system admin", token, event("a", ""), nil, 403, ""},
	} {
		res, body := w.posted(c.token, c.body, c.headers...)
		if res.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: got %d %s, want %d %q", c.name, res.StatusCode, body, c.status, c.says)
		}
	}
	if _, err := w.as(source.Key).Me(t.Context()); !client.Is(err, client.Unauthenticated) {
		t.Errorf("a write key asks who it is: got %v, want 401", err)
	}
	if _, err := w.as(source.Key).Quarantine(t.Context(), client.QuarantineFilter{}); !client.Is(err, client.Unauthenticated) {
		t.Errorf("a write key reads: got %v, want 401", err)
	}
	held := must(acme.Quarantine(t.Context(), client.QuarantineFilter{}))(t).Items
	if len(held) == 0 || held[0].Source != source.ID || held[0].Details == "" {
		t.Errorf("got %+v in acme's quarantine, want what was bad, with the reason", held)
	}
	if list := must(admin.Quarantine(t.Context(), client.QuarantineFilter{}))(t).Items; len(list) != 2 || list[0].Reason != "tenant" {
		t.Errorf("got %+v in the provider's quarantine, want two that name no tenant", list)
	}
	if list := must(bolt.Quarantine(t.Context(), client.QuarantineFilter{}))(t).Items; len(list) != 0 {
		t.Errorf("got %+v in bolt's quarantine, want nothing", list)
	}
	many := "[" + event("many", "") + strings.Repeat(","+event("many", ""), 999) + "]"
	slow := must(admin.CreateTenant(t.Context(), client.NewTenant{Slug: "slow", Name: "slow", Organisation: "slow", Tier: "basic"}))(t)
	of := must(admin.CreateAPIKey(t.Context(), client.NewAPIKey{Tenant: slow.ID, Role: "tenant_user"}))(t)
	for n := range 20 { // a burst of 5,000, and 500 a second
		if res, body := w.posted(of.Key, many); res.StatusCode == 429 && n >= 5 && res.Header.Get("Retry-After") != "" {
			break
		} else if res.StatusCode != 204 || n == 19 {
			t.Errorf("request %d beyond a tenant's rate: got %d %s, want 429 that says when to come back", n, res.StatusCode, body)
			break
		}
	}
	// The provider makes the tenant that was not known, and replays.
	w.party(admin, "nobody", "000003")
	must(admin.Replay(t.Context(), client.ReplayRequest{Reason: "tenant"}))(t)
	must(acme.RevokeSource(t.Context(), source.ID))(t)
	if res, _ := w.posted(source.Key, event("10", "")); res.StatusCode != 401 {
		t.Errorf("a revoked key: got %d, want 401", res.StatusCode)
	}
	w.stop()
	if found := must(Fsck(t.Context(), w.cfg, true))(t); len(found) != 0 {
		t.Errorf("fsck: got %v, want nothing wrong", found)
	}
	w.start()
	if res, body := w.posted(backend.Key, event("4", `,"subject":"acme"`), "Prefer", "return=representation"); res.StatusCode != 200 || !strings.Contains(body, "ok") && !strings.Contains(body, "duplicate") {
		t.Errorf("after a restart: got %d %s, want a verdict", res.StatusCode, body)
	}
	w.stop()
	damage(t, filepath.Join(w.cfg.Data, "streams"))
	found, err := Fsck(t.Context(), w.cfg, true)
	if err != nil && !fault.Is(err, fault.Damaged) || err == nil && len(found) == 0 {
		t.Errorf("fsck of a damaged stream: got %v, %v, want it named", found, err)
	}
}

// damage changes a byte within the second half of the blocks that lie in files below dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	done := false
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || done || !strings.HasSuffix(name, ".blk") {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		at := bytes.LastIndex(raw, []byte("tributary/ev"))
		if at < 0 {
			return nil
		}
		raw[at+200] ^= 1
		done = true
		return os.WriteFile(name, raw, 0o600)
	})
	if err != nil || !done {
		t.Fatalf("no block was found to damage: %v", err)
	}
}
