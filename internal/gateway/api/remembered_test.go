package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
)

// TestRememberedAnswersAreSealed looks at what an idempotency key leaves in the
// database, of the provider's people and of a tenant's, and moves it about.
func TestRememberedAnswersAreSealed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, key := w.tenant(t, "acme")
		for what, c := range map[string]struct{ token, path, body, word string }{
			"staff":    {w.admin, "/api/v1/organisations", `{"name":"Canary Holdings"}`, "Canary"},
			"a tenant": {key, "/api/v1/users", `{"email":"canary@example.com","role":"tenant_user"}`, "canary"},
		} {
			first := w.ask(http.MethodPost, c.path, from, c.token, "of "+what, c.body)
			wantStatus(t, what, first, http.StatusCreated)
			if !bytes.Contains(first.Body.Bytes(), []byte(c.word)) {
				t.Fatalf("%s: got %s, want %q in it", what, first.Body, c.word)
			}
			var stored []byte
			if err := w.DB.QueryRow(ctx, `SELECT response FROM idempotency_keys WHERE key = $1`, "of "+what).Scan(&stored); err != nil {
				t.Fatal(err)
			}
			if len(stored) == 0 || bytes.Contains(stored, []byte("content_type")) || bytes.Contains(stored, []byte(c.word)) {
				t.Errorf("%s: stored %q, want it sealed", what, stored)
			}
			again := w.ask(http.MethodPost, c.path, from, c.token, "of "+what, c.body)
			if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s again: got %d %s, want %d %s", what, again.Code, again.Body, first.Code, first.Body)
			}
			// An answer of another key is not taken for this one's.
			wantStatus(t, what, w.ask(http.MethodPost, c.path, from, c.token, "another of "+what, `{"name":"Other"}`), map[string]int{"staff": 201, "a tenant": 422}[what])
			if _, err := w.DB.Exec(ctx, `UPDATE idempotency_keys SET response = (SELECT o.response FROM idempotency_keys o WHERE o.key = $1) WHERE key = $2`,
				"another of "+what, "of "+what); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, what+", exchanged", w.ask(http.MethodPost, c.path, from, c.token, "of "+what, c.body), statuses[fault.Damaged])
		}
	})
}

// TestAnswersThatCannotBeKeptAreKeptLater takes the database away as the request is
// done, so that its answer cannot be kept, and gives it back.
func TestAnswersThatCannotBeKeptAreKeptLater(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, key := w.tenant(t, "acme")
		good, gone := w.DB, metatest.Open(t, metatest.SQLite(t))
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		var done int
		var answer error
		do := func(context.Context, *call, *struct{}) (*out[string], error) {
			done++
			if done == 1 {
				w.DB = gone
			}
			return &out[string]{fmt.Sprintf("done %d", done)}, answer
		}
		for _, path := range []string{"plain", "secret"} {
			add(w.server, route{method: http.MethodPost, path: "/" + path, id: path, summary: path, thing: path, action: policy.UserCreate, audience: anyone, audit: path + ".do",
				secret: path == "secret"}, do)
		}
		for _, c := range []struct {
			what, path string
			answer     error
			full       bool // no more than the fact is kept
			status     int
			again      int
			says       string
			done       int
		}{
			{"done", "plain", nil, false, http.StatusOK, http.StatusOK, "done 1", 1},
			{"refused", "plain", fault.New(fault.Invalid, "No."), false, http.StatusUnprocessableEntity, http.StatusUnprocessableEntity, "No.", 1},
			{"not now", "plain", fault.New(fault.Unavailable, "Not now."), false, http.StatusServiceUnavailable, http.StatusOK, "done 2", 2},
			{"with a secret", "secret", nil, false, http.StatusOK, http.StatusConflict, "shown once", 1},
			{"one of many", "plain", nil, true, http.StatusOK, http.StatusConflict, "could not be kept", 1},
		} {
			ask := func() *httptest.ResponseRecorder {
				return w.ask(http.MethodPost, "/api/v1/"+c.path, from, key, c.what, "")
			}
			done, answer = 0, c.answer
			if c.full {
				w.late.bytes = mostUnsettled - eachUnsettled
			}
			wantStatus(t, c.what, ask(), c.status)
			answer = nil
			if got := ask(); got.Code < 500 || done != 1 {
				t.Errorf("%s, again while it cannot be kept: got %d %s after being done %d times, want an error and once", c.what, got.Code, got.Body, done)
			}
			w.DB = good
			for range 2 {
				got := ask()
				wantStatus(t, c.what+", again", got, c.again)
				if !strings.Contains(got.Body.String(), c.says) || done != c.done {
					t.Errorf("%s, again: got %s after being done %d times, want %q and %d", c.what, got.Body, done, c.says, c.done)
				}
			}
			w.late.bytes -= map[bool]int{true: mostUnsettled - eachUnsettled}[c.full]
		}

		// The next request of anybody will do, and nothing stays in memory.
		done = 0
		wantStatus(t, "one more", w.ask(http.MethodPost, "/api/v1/plain", from, key, "one more", ""), http.StatusOK)
		w.DB = good
		wantStatus(t, "another's", w.ask(http.MethodPost, "/api/v1/organisations", from, w.admin, "another's", `{"name":"Other"}`), http.StatusCreated)
		var status int64
		if err := w.DB.QueryRow(ctx, `SELECT status FROM idempotency_keys WHERE key = 'one more'`).Scan(&status); err != nil || status != http.StatusOK {
			t.Errorf("after another's request: kept %d, %v, want 200", status, err)
		}
		if len(w.late.all) != 0 || w.late.bytes != 0 {
			t.Errorf("in memory: %d outcomes of %d bytes, want none", len(w.late.all), w.late.bytes)
		}
	})
}
