package account

import (
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
)

func TestLinksAreNotForged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, u, scope := w.owned(t, "acme")
		_, _, other := w.owned(t, "bolt")
		token := w.forget(t, u.Login())
		for what, query := range map[string]string{
			"its time":  `UPDATE account_links SET expires_at = expires_at + 1000000000`,
			"its use":   `UPDATE account_links SET used_at = 1`,
			"its token": `UPDATE account_links SET token_hash = $1`,
		} {
			var args []any
			with := token
			if strings.Contains(query, "$1") {
				args, with = []any{digest("mine")}, "mine"
			}
			w.tamper(t, query, args...)
			wantKind(t, what, w.Reset(ctx, with, own, away), fault.Damaged)
			w.tamper(t, `DELETE FROM account_links`)
			w.hands.Pass(2 * time.Hour)
			token = w.forget(t, u.Login())
		}
		if _, err := w.UnscopedVouch(ctx, staff, scope.Tenant(), "acme.example"); err != nil {
			t.Fatal(err)
		}
		w.tamper(t, `UPDATE tenant_domains SET approved_at = 1`)
		_, err := w.UnscopedDomains(ctx, scope.Tenant())
		wantKind(t, "a domain that nobody approved", err, fault.Damaged)
		w.tamper(t, `UPDATE tenant_domains SET approved_at = NULL, tenant = $1`, string(other.Tenant()))
		_, err = w.UnscopedDomains(ctx, other.Tenant())
		wantKind(t, "a domain of another", err, fault.Damaged)
	})
}
