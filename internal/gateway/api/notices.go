package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// noticeRoutes are mails and webhooks. Their audit entries are written by package
// notify.
func (s *server) noticeRoutes() {
	add(s, route{method: http.MethodGet, path: "/outbox", id: "list-outbox", summary: "Mails to the people of one's tenant, or to all: that they exist, and nothing in them", thing: "outbox",
		action: policy.OutboxRead, audience: anyone, view: notify.MailList.Words()}, s.outbox)
	add(s, route{method: http.MethodGet, path: "/me/notices", id: "list-notice-switches", summary: "Which mails one gets", thing: "notice",
		action: policy.OwnNoticesRead, audience: anyone}, s.noticeSwitches)
	add(s, route{method: http.MethodPatch, path: "/me/notices/{id}", id: "set-notice-switch", summary: "Turn the mails of a kind to oneself on or off", thing: "notice",
		action: policy.OwnNoticesChange, audience: anyone, audit: "notices.update"}, s.setNoticeSwitch)

	add(s, route{method: http.MethodPost, path: "/webhooks", id: "create-webhook", summary: "Make a webhook; its secret is shown once", thing: "webhook",
		action: policy.WebhookCreate, audience: anyone, audit: "webhook.create", status: http.StatusCreated, secret: true}, s.createWebhook)
	add(s, route{method: http.MethodGet, path: "/webhooks", id: "list-webhooks", summary: "List the webhooks of one's tenant, or of the provider", thing: "webhook",
		action: policy.WebhookRead, audience: anyone}, s.webhooks)
	add(s, route{method: http.MethodGet, path: "/webhooks/{id}", id: "show-webhook", summary: "Show a webhook", thing: "webhook",
		action: policy.WebhookRead, audience: anyone}, s.webhook)
	add(s, route{method: http.MethodPatch, path: "/webhooks/{id}", id: "update-webhook", summary: "Change a webhook's URL, kinds or state, or replace its secret", thing: "webhook",
		action: policy.WebhookUpdate, audience: anyone, audit: "webhook.update", secret: true}, s.updateWebhook)
	add(s, route{method: http.MethodDelete, path: "/webhooks/{id}", id: "delete-webhook", summary: "Remove a webhook, and what waits for it", thing: "webhook",
		action: policy.WebhookDelete, audience: anyone, audit: "webhook.delete", status: http.StatusNoContent}, s.deleteWebhook)
	add(s, route{method: http.MethodPost, path: "/webhooks/{id}/test", id: "test-webhook", summary: "Send a message of the type webhook.test", thing: "webhook",
		action: policy.WebhookSend, audience: anyone, audit: "webhook.test", status: http.StatusAccepted}, s.testWebhook)
	add(s, route{method: http.MethodGet, path: "/webhooks/{id}/deliveries", id: "list-deliveries", summary: "What was sent to a webhook, the newest first", thing: "webhook",
		action: policy.WebhookRead, audience: anyone}, s.deliveries)
	add(s, route{method: http.MethodPost, path: "/webhook-deliveries/{id}/redeliver", id: "redeliver", summary: "Send a message again, under the same id", thing: "delivery",
		action: policy.WebhookSend, audience: anyone, audit: "webhook.redeliver", status: http.StatusAccepted}, s.redeliver)
}

type outboxList struct {
	TenantViewing
	State string `query:"state" enum:"waiting,sent,failed"`
	Kind  string `query:"kind"`
}

func (s *server) outbox(ctx context.Context, c *call, i *outboxList) (*list[client.Mail], error) {
	f := notify.MailFilter{State: notify.State(i.State), Kind: notify.Kind(i.Kind)}
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []notify.Mail
	var next string
	if c.staff() {
		var of *tenant.ID
		if id != "" {
			of = &id
		}
		found, next, err = s.Notices.UnscopedOutbox(ctx, of, f, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Notices.Outbox(ctx, scope, f, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, func(m notify.Mail) client.Mail {
		return client.Mail{ID: m.ID, Tenant: string(m.Tenant), User: m.User, Kind: string(m.Kind), State: string(m.State), Attempts: m.Attempts, Error: m.Error,
			CreatedAt: m.CreatedAt, SettledAt: m.SettledAt}
	}), nil
}

func switchWord(x notify.Switch) client.NoticeSwitch {
	return client.NoticeSwitch{ID: string(x.Kind), On: x.On, Fixed: x.Fixed}
}

func (s *server) noticeSwitches(ctx context.Context, c *call, _ *struct{}) (*list[client.NoticeSwitch], error) {
	found, err := s.Notices.Switches(ctx, c.principal)
	if err != nil {
		return nil, err
	}
	return each(found, "", switchWord), nil
}

type noticeChange struct {
	ByID
	Body client.NoticeChange
}

func (s *server) setNoticeSwitch(ctx context.Context, c *call, i *noticeChange) (*out[client.NoticeSwitch], error) {
	x, err := s.Notices.SetSwitch(ctx, c.principal, notify.Kind(i.ID), i.Body.On)
	if err != nil {
		return nil, err
	}
	return &out[client.NoticeSwitch]{switchWord(x)}, nil
}

// owner is whose things are meant, where both have them: the caller's tenant's, or the
// provider's.
func (c *call) owner(ctx context.Context) (tenant.Owner, error) {
	if c.staff() {
		return tenant.UnscopedProvider(c.by()), nil
	}
	scope, err := c.scope(ctx)
	return tenant.OwnerOf(scope), err
}

func webhookWord(w notify.Webhook) client.Webhook {
	word := client.Webhook{ID: w.ID, Tenant: string(w.Tenant), URL: w.URL, Kinds: []string{}, State: string(w.State), Reason: w.Reason, FailingSince: w.FailingSince,
		Made: client.Made{CreatedAt: w.CreatedAt, CreatedBy: w.CreatedBy, ModifiedAt: w.ModifiedAt, ModifiedBy: w.ModifiedBy, TimesModified: w.TimesModified}}
	for _, k := range w.Kinds {
		word.Kinds = append(word.Kinds, string(k))
	}
	return word
}

func kindsOf(texts []string) []notify.Kind {
	list := make([]notify.Kind, len(texts))
	for i, t := range texts {
		list[i] = notify.Kind(t)
	}
	return list
}

// shown is a webhook with its secret, when there is a new one.
func shown(w notify.Webhook, secret string, err error) (*out[client.Webhook], error) {
	if err != nil {
		return nil, err
	}
	word := webhookWord(w)
	word.Secret = secret
	return &out[client.Webhook]{word}, nil
}

func (s *server) createWebhook(ctx context.Context, c *call, i *in[client.NewWebhook]) (*out[client.Webhook], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	return shown(s.Notices.CreateWebhook(ctx, owner, notify.NewWebhook{URL: i.Body.URL, Kinds: kindsOf(i.Body.Kinds)}))
}

func (s *server) webhooks(ctx context.Context, c *call, _ *struct{}) (*list[client.Webhook], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Notices.Webhooks(ctx, owner)
	if err != nil {
		return nil, err
	}
	return each(found, "", webhookWord), nil
}

func (s *server) webhook(ctx context.Context, c *call, i *ByID) (*out[client.Webhook], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.Notices.Webhook(ctx, owner, i.ID)
	return answerWith(w, err, webhookWord)
}

type webhookChange struct {
	ByID
	Body client.WebhookChange
}

func (s *server) updateWebhook(ctx context.Context, c *call, i *webhookChange) (*out[client.Webhook], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	p := notify.WebhookPatch{URL: i.Body.URL, State: (*notify.WebhookState)(i.Body.State), RotateSecret: i.Body.RotateSecret}
	if i.Body.Kinds != nil {
		kinds := kindsOf(*i.Body.Kinds)
		p.Kinds = &kinds
	}
	return shown(s.Notices.UpdateWebhook(ctx, owner, i.ID, p))
}

func (s *server) deleteWebhook(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Notices.DeleteWebhook(ctx, owner, i.ID)
}

func deliveryWord(d notify.Delivery) client.Delivery {
	return client.Delivery{ID: d.ID, Webhook: d.Webhook, Kind: string(d.Kind), State: string(d.State), Attempts: d.Attempts, Status: d.Status, Error: d.Error,
		CreatedAt: d.CreatedAt, TriedAt: d.TriedAt, NextAt: d.NextAt}
}

func (s *server) testWebhook(ctx context.Context, c *call, i *ByID) (*out[client.Delivery], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.Notices.TestWebhook(ctx, owner, i.ID)
	return answerWith(d, err, deliveryWord)
}

type deliveryList struct {
	Paging
	ByID
}

func (s *server) deliveries(ctx context.Context, c *call, i *deliveryList) (*list[client.Delivery], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Notices.Deliveries(ctx, owner, i.ID, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, deliveryWord), nil
}

func (s *server) redeliver(ctx context.Context, c *call, i *ByID) (*out[client.Delivery], error) {
	owner, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.Notices.Redeliver(ctx, owner, i.ID)
	return answerWith(d, err, deliveryWord)
}
