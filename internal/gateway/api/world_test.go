package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/clock/clocktest"
	"tributary/internal/control"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/live"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// world is the API with people and tenants behind it, and no exchange.
type world struct {
	*server
	hands  *clocktest.Hands
	log    *audit.Log
	probes int   // how often readiness was found out
	ready  error // what is found then
	admin  string
	knocks int // of strangers, so far
}

// onBoth runs f on both databases.
func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func newWorld(t *testing.T, db *meta.DB) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{hands: new(clocktest.Hands)}
	c := clock.Clock{NowFunc: w.hands.Now}
	kek, secrets := keystest.New(t, c)
	engine, err := policy.New(policy.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	tenants := control.New(control.Config{DB: db, Policy: engine, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: tenants, Clock: c, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	changes := live.New(c)
	w.log = audit.New(audit.Config{DB: db, Keys: ring, Clock: c, Changes: changes})
	tenants.SetKeys(ring)
	tenants.SetAudit(w.log)
	accounts := account.New(account.Config{DB: db, Keys: ring, Policy: engine, Audit: w.log, Control: tenants, Clock: c})
	w.server, err = newServer(Config{Accounts: accounts, Control: tenants, Audit: w.log, Policy: engine, Keys: ring, DB: db, Clock: c, Changes: changes, Version: "1",
		Ready:   func(context.Context) error { w.probes++; return w.ready },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "figures\n") })})
	if err != nil {
		t.Fatal(err)
	}
	_, w.admin, err = accounts.FirstAdmin(ctx, "admin@example.com", "a long enough password")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// tenant makes a tenant with an admin, and returns a key of its own.
func (w *world) tenant(t *testing.T, slug string) (tenant.ID, account.User, string) {
	t.Helper()
	ctx := t.Context()
	made, err := w.Control.UnscopedOnboard(ctx, "usr_admin", "", control.NewTenant{Slug: slug, Name: slug, Organisation: slug, ExternalIDs: []string{slug}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.Accounts.UnscopedCreateUser(ctx, "usr_admin", made.ID, account.NewUser{Email: "a@" + slug + ".example", Role: policy.TenantAdmin})
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := w.Accounts.UnscopedCreateAPIKey(ctx, "usr_admin", made.ID, account.NewAPIKey{Role: policy.TenantAdmin})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID, u, key
}

// from is the address that requests come from where a test does not say.
const from = "192.0.2.1:40000"

// ask sends a request past the network.
func (w *world) ask(method, path, address, token, idempotencyKey, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = address
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if idempotencyKey != "" {
		r.Header.Set("Idempotency-Key", idempotencyKey)
	}
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.handler().ServeHTTP(rec, r)
	return rec
}

// entries lists the entries of a chain that are no successes.
func (w *world) entries(t *testing.T, chain tenant.ID) []audit.Record {
	t.Helper()
	var found []audit.Record
	rows, err := w.DB.Unscoped().Query(t.Context(), `SELECT actor, verb, subject, outcome, details FROM audit_entries WHERE tenant = $1 AND outcome <> 'ok' ORDER BY seq`, string(chain))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r audit.Record
		if err := rows.Scan(&r.Actor, &r.Verb, &r.Subject, &r.Outcome, &r.Details); err != nil {
			t.Fatal(err)
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func wantStatus(t *testing.T, what string, got *httptest.ResponseRecorder, want int) {
	t.Helper()
	if got.Code != want {
		t.Errorf("%s: got %d %s, want %d", what, got.Code, bytes.TrimSpace(got.Body.Bytes()), want)
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		a, _, key := w.tenant(t, "acme")
		_, other, _ := w.tenant(t, "other-one")
		wantStatus(t, "another's user", w.ask(http.MethodGet, "/api/v1/users/"+other.ID, from, key, "", ""), http.StatusNotFound)
		wantStatus(t, "what nobody has", w.ask(http.MethodGet, "/api/v1/users/somebody%20typed", from, key, "", ""), http.StatusNotFound)
		wantStatus(t, "the provider's", w.ask(http.MethodGet, "/api/v1/tenants", from, key, "", ""), http.StatusForbidden)
		if _, err := w.Control.UnscopedSuspend(t.Context(), "usr_admin", "acme", ""); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "a suspended tenant's key", w.ask(http.MethodGet, "/api/v1/users/"+other.ID, from, key, "", ""), http.StatusForbidden)
		var got []string
		for _, e := range w.entries(t, a) {
			if !strings.HasPrefix(e.Actor, "key_") {
				t.Errorf("actor: got %q, want the key's id", e.Actor)
			}
			got = append(got, e.Verb+" "+e.Subject+" "+e.Outcome)
		}
		want := "user.read " + other.ID + " not found, user.read  not found, tenant.read  denied, user.read " + other.ID + " denied"
		if strings.Join(got, ", ") != want {
			t.Errorf("entries in the tenant's chain: got %s, want %s", strings.Join(got, ", "), want)
		}
		if found := w.entries(t, ""); len(found) != 0 {
			t.Errorf("the provider's chain: got %+v, want nothing of it", found)
		}
		wantStatus(t, "what the provider has not", w.ask(http.MethodGet, "/api/v1/users/"+other.ID+"x", from, w.admin, "", ""), http.StatusNotFound)
		if found := w.entries(t, ""); len(found) != 0 {
			t.Errorf("the provider's chain: got %+v, want no refusal, since it was none", found)
		}
	})
}

func TestKnockingFillsNoDisk(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		knock := func(n int) {
			t.Helper()
			for range n { // from as many addresses, or the rate limit would do
				w.knocks++
				address := "[2001:db8:0:" + hexOf(w.knocks) + "::1]:1"
				wantStatus(t, "a key that nobody has", w.ask(http.MethodGet, "/api/v1/me", address, "trk_nobodys", "", ""), http.StatusUnauthorized)
			}
		}
		knock(3 * strangerBurst)
		found := w.entries(t, "")
		if len(found) != strangerBurst || found[0].Actor != "anonymous" || !bytes.Contains(found[0].Details, []byte("2001:db8:")) {
			t.Fatalf("entries: got %d, the first %+v, want %d by anonymous with an address", len(found), found[0], strangerBurst)
		}
		w.hands.Pass(strangerEvery)
		knock(2)
		found = w.entries(t, "")
		if last := found[len(found)-1]; len(found) != strangerBurst+1 || !bytes.Contains(last.Details, []byte(`"unrecorded_before":60`)) {
			t.Errorf("a minute later: got %d entries, the last with %s, want one more that counts the 60 before", len(found), last.Details)
		}
	})
}

func TestWhatWasBegunGoesOnWithoutItsClient(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		_, _, key := w.tenant(t, "acme")
		done, begun := 0, make(chan struct{}, 1)
		var gone chan struct{}
		add(w.server, route{method: http.MethodPost, path: "/slow", id: "slow", summary: "Slow", thing: "slow", action: policy.UserCreate, audience: anyone, audit: "slow.do"},
			func(ctx context.Context, _ *call, _ *struct{}) (*out[string], error) {
				begun <- struct{}{}
				<-gone
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				done++
				return &out[string]{"done"}, nil
			})
		gone = make(chan struct{})
		left := make(chan struct{})
		handler := w.handler()
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			go func() {
				<-r.Context().Done() // the server knows that the client has left
				close(left)
			}()
			handler.ServeHTTP(rw, r)
		}))
		defer front.Close()
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, front.URL+"/api/v1/slow", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Idempotency-Key", "one")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if r, err := http.DefaultClient.Do(req); err == nil {
				r.Body.Close()
			}
		}()
		<-begun
		leave()
		<-answered
		<-left
		close(gone)
		var again *httptest.ResponseRecorder
		for deadline := time.Now().Add(time.Minute); ; {
			again = w.ask(http.MethodPost, "/api/v1/slow", from, key, "one", "")
			if again.Code != http.StatusConflict || time.Now().After(deadline) {
				break
			}
			w.hands.Pass(time.Second) // it is still being answered, and asking has its rate
		}
		if body, _ := io.ReadAll(again.Body); again.Code != http.StatusOK || !strings.Contains(string(body), "done") || done != 1 {
			t.Errorf("the same request again: got %d %s after being done %d times, want the first one's answer", again.Code, body, done)
		}
	})
}

func TestUnansweredKeysAreForgotten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const body = `{"name":"Acme"}`
		wantStatus(t, "an organisation", w.ask(http.MethodPost, "/api/v1/organisations", from, w.admin, "answered", body), http.StatusCreated)
		if _, err := w.DB.Exec(ctx, `INSERT INTO idempotency_keys (actor, key, request_hash, status, created_at)
			SELECT actor, 'cut off', request_hash, 0, created_at FROM idempotency_keys WHERE key = 'answered'`); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "a request that was cut off", w.ask(http.MethodPost, "/api/v1/organisations", from, w.admin, "cut off", body), http.StatusConflict)
		if err := ForgetUnanswered(ctx, w.DB); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "after a restart", w.ask(http.MethodPost, "/api/v1/organisations", from, w.admin, "cut off", `{"name":"Another"}`), http.StatusCreated)
		if got := w.ask(http.MethodPost, "/api/v1/organisations", from, w.admin, "answered", body); got.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("an answered key after a restart: got %d, want its answer again", got.Code)
		}
	})
}

func TestReadinessIsFoundOutOnceASecond(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { wantStatus(t, "ready", w.ask(http.MethodGet, "/readyz", from, "", "", ""), http.StatusOK) })
		}
		all.Wait()
		if w.probes != 1 {
			t.Errorf("probes in one second: got %d, want 1", w.probes)
		}
		w.ready = context.DeadlineExceeded
		w.hands.Pass(time.Second)
		wantStatus(t, "a second later", w.ask(http.MethodGet, "/readyz", from, "", "", ""), http.StatusServiceUnavailable)
		if w.probes != 2 {
			t.Errorf("probes a second later: got %d, want 2", w.probes)
		}
	})
}

func TestIPv6IsLimitedByNetwork(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	take := func(address string) int {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/audit/keys", nil)
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		if err := s.limits.address(r.Context(), rec, s.address(r), true); err != nil {
			return http.StatusTooManyRequests
		}
		return http.StatusOK
	}
	last := 0
	for i := range 2 * 3 * int(publicRate) {
		last = take("[2001:db8::" + hexOf(i+1) + "]:1")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("one network's last request: got %d, want %d", last, http.StatusTooManyRequests)
	}
	if got := take("[2001:db8:0:1::1]:1"); got != http.StatusOK {
		t.Errorf("another network: got %d, want %d", got, http.StatusOK)
	}
}

func hexOf(n int) string { return strconv.FormatInt(int64(n), 16) }
