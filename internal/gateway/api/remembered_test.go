package api

import (
	"bytes"
	"net/http"
	"testing"

	"tributary/internal/fault"
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
