package notify_test

import (
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/tenant"
)

func TestAWebhookIsItsOwners(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		_, other, _ := w.tenant("other")
		hook, _ := w.hook(admin)
		w.add(rejected(a))
		list := w.sent(admin, hook.ID)
		if len(list) != 1 {
			t.Fatalf("got %d deliveries, want 1", len(list))
		}
		for whose, c := range map[string]struct {
			owner tenant.Owner
			want  fault.Kind
		}{
			"another tenant": {w.owner(other), fault.NotFound},
			"the provider":   {tenant.UnscopedProvider(staff), fault.NotFound},
			"nobody":         {tenant.Owner{}, fault.Denied},
		} {
			for what, ask := range map[string]func() error{
				"show":       func() error { _, err := w.Webhook(t.Context(), c.owner, hook.ID); return err },
				"deliveries": func() error { _, _, err := w.Deliveries(t.Context(), c.owner, hook.ID, meta.Page{}); return err },
				"update": func() error {
					_, _, err := w.UpdateWebhook(t.Context(), c.owner, hook.ID, notify.WebhookPatch{RotateSecret: true})
					return err
				},
				"test":      func() error { _, err := w.TestWebhook(t.Context(), c.owner, hook.ID); return err },
				"redeliver": func() error { _, err := w.Redeliver(t.Context(), c.owner, list[0].ID); return err },
				"delete":    func() error { return w.DeleteWebhook(t.Context(), c.owner, hook.ID) },
			} {
				wantKind(t, what+" by "+whose, ask(), c.want)
			}
		}
		if _, err := w.Webhooks(t.Context(), tenant.Owner{}); !fault.Is(err, fault.Denied) {
			t.Errorf("nobody lists the provider's webhooks: %v", err)
		}
	})
}
