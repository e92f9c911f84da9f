package notify_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"tributary/internal/notify"
)

// What is kept of a webhook is sealed, and does not open in another's row.
func TestATamperedWebhookIsNamedAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		good, secret := w.hook(admin)
		bad, _ := w.hook(admin)
		var config []byte
		db := w.cfg.DB.Unscoped()
		if err := db.QueryRow(ctx, `SELECT config FROM webhooks WHERE id = $1`, good.ID).Scan(&config); err != nil {
			t.Fatal(err)
		}
		key := must(base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_")))(t)
		for _, plain := range []string{hookURL, "example.com", string(key), strings.TrimPrefix(secret, "whsec_")} {
			if strings.Contains(string(config), plain) {
				t.Errorf("the row has %q in plain", plain)
			}
		}
		if n, err := db.Exec(ctx, `UPDATE webhooks SET config = $1 WHERE id = $2`, config, bad.ID); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		w.add(rejected(a))
		w.round(w.DeliverDue)
		if got := len(r.taken()); got != 1 {
			t.Errorf("%d messages, want one to the good webhook", got)
		}
		var problems []string
		if err := w.UnscopedVerify(ctx, func(table string, _ tenantID, row, _ string) { problems = append(problems, table+" "+row) }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"webhooks " + bad.ID}; !slices.Equal(problems, want) {
			t.Errorf("verify: got %q, want %q", problems, want)
		}
	})
}

// Whoever writes the database has nothing signed that the server did not say, and
// nothing with another webhook's secret.
func TestATamperedMessageIsNotSigned(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		hook, secret := w.hook(admin)
		other, _, err := w.CreateWebhook(ctx, w.owner(admin), notify.NewWebhook{URL: hookURL, Kinds: []notify.Kind{notify.ResultRecalled}})
		if err != nil {
			t.Fatal(err)
		}
		db := w.cfg.DB.Unscoped()
		for range 4 {
			w.add(rejected(a))
		}
		var ids []string
		for _, d := range w.sent(admin, hook.ID) {
			ids = append(ids, d.ID)
			var payload []byte
			if err := db.QueryRow(ctx, `SELECT payload FROM webhook_deliveries WHERE id = $1`, d.ID).Scan(&payload); err != nil || strings.Contains(string(payload), "sub_") {
				t.Fatalf("the row has the message in plain: %q, %v", payload, err)
			}
		}
		slices.Sort(ids)
		for _, c := range []struct {
			sql  string
			args []any
		}{
			{`UPDATE webhook_deliveries SET payload = $1 WHERE id = $2`, []any{[]byte(`{"type":"result.ready"}`), ids[0]}},
			{`UPDATE webhook_deliveries SET payload = (SELECT payload FROM webhook_deliveries WHERE id = $1) WHERE id = $2`, []any{ids[3], ids[1]}},
			{`UPDATE webhook_deliveries SET webhook = $1 WHERE id = $2`, []any{other.ID, ids[2]}},
		} {
			if n, err := db.Exec(ctx, c.sql, c.args...); err != nil || n != 1 {
				t.Fatal(n, err)
			}
		}
		var problems []string
		if err := w.UnscopedVerify(ctx, func(table string, _ tenantID, row, _ string) { problems = append(problems, table+" "+row) }); err != nil {
			t.Fatal(err)
		}
		slices.Sort(problems)
		if want := []string{"webhook_deliveries " + ids[0], "webhook_deliveries " + ids[1], "webhook_deliveries " + ids[2]}; !slices.Equal(problems, want) {
			t.Errorf("verify: got %q, want %q", problems, want)
		}
		w.round(w.DeliverDue)
		got := r.taken()
		if len(got) != 1 || got[0].header.Get("webhook-id") != ids[3] {
			t.Fatalf("%d messages were sent, want only the one that nobody touched", len(got))
		}
		verified(t, got[0], secret, w.Now())
		for _, d := range append(w.sent(admin, hook.ID), w.sent(admin, other.ID)...) {
			if want := map[bool]notify.State{true: notify.Delivered, false: notify.Failed}[d.ID == ids[3]]; d.State != want {
				t.Errorf("got %+v, want it %s", d, want)
			}
		}
		for _, id := range []string{hook.ID, other.ID} {
			if got := must(w.Webhook(ctx, w.owner(admin), id))(t); got.State != notify.HookActive || got.FailingSince != nil {
				t.Errorf("the webhook pays for it: %+v", got)
			}
		}
	})
}
