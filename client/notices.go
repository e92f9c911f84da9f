package client

import (
	"context"
	"net/http"
)

// MailFilter narrows the list of mails.
type MailFilter struct {
	TenantPage
	State, Kind string
	View
}

func (f MailFilter) from(cursor string) MailFilter { f.After = cursor; return f }
func (f MailFilter) limited(n int) MailFilter      { f.Page = f.Page.limited(n); return f }

// Outbox lists a page of the mails to one's people, the newest first; to the
// provider all, or those of the tenant named.
func (c *Client) Outbox(ctx context.Context, f MailFilter) (List[Mail], error) {
	return get[List[Mail]](ctx, c, "/outbox", f.narrow(f.values()).text("state", f.State).text("kind", f.Kind))
}

// NoticeSwitches lists which mails the credential's user gets.
func (c *Client) NoticeSwitches(ctx context.Context) (List[NoticeSwitch], error) {
	return get[List[NoticeSwitch]](ctx, c, "/me/notices", nil)
}

// SetNoticeSwitch turns the mails of a kind to the credential's user on or off.
func (c *Client) SetNoticeSwitch(ctx context.Context, kind string, on bool) (NoticeSwitch, error) {
	return send[NoticeSwitch](ctx, c, request{method: http.MethodPatch, path: "/me/notices/" + id(kind)}, NoticeChange{On: on})
}

// CreateWebhook makes a webhook of the credential's tenant, or of the provider's. Its
// secret is in the answer and nowhere else.
func (c *Client) CreateWebhook(ctx context.Context, n NewWebhook) (Webhook, error) {
	return post[Webhook](ctx, c, "/webhooks", n)
}

// Webhooks lists the webhooks of the credential's tenant, or of the provider.
func (c *Client) Webhooks(ctx context.Context) (List[Webhook], error) {
	return get[List[Webhook]](ctx, c, "/webhooks", nil)
}

// Webhook finds a webhook.
func (c *Client) Webhook(ctx context.Context, webhook string) (Webhook, error) {
	return get[Webhook](ctx, c, "/webhooks/"+id(webhook), nil)
}

// UpdateWebhook changes what is not nil in change. A new secret is in the answer and
// nowhere else.
func (c *Client) UpdateWebhook(ctx context.Context, webhook string, change WebhookChange) (Webhook, error) {
	return send[Webhook](ctx, c, request{method: http.MethodPatch, path: "/webhooks/" + id(webhook)}, change)
}

// DeleteWebhook removes a webhook, and what waits for it.
func (c *Client) DeleteWebhook(ctx context.Context, webhook string) error {
	return c.delete(ctx, "/webhooks/"+id(webhook))
}

// TestWebhook has a message of the type webhook.test sent.
func (c *Client) TestWebhook(ctx context.Context, webhook string) (Delivery, error) {
	return post[Delivery](ctx, c, "/webhooks/"+id(webhook)+"/test", struct{}{})
}

// DeliveryFilter says which webhook's deliveries are listed.
type DeliveryFilter struct {
	Page
	Webhook string
}

func (f DeliveryFilter) from(cursor string) DeliveryFilter { f.After = cursor; return f }
func (f DeliveryFilter) limited(n int) DeliveryFilter      { f.Page = f.Page.limited(n); return f }

// Deliveries lists a page of what was sent to a webhook, the newest first.
func (c *Client) Deliveries(ctx context.Context, f DeliveryFilter) (List[Delivery], error) {
	return get[List[Delivery]](ctx, c, "/webhooks/"+id(f.Webhook)+"/deliveries", f.values())
}

// Redeliver has a message sent again, under the same id.
func (c *Client) Redeliver(ctx context.Context, delivery string) (Delivery, error) {
	return post[Delivery](ctx, c, "/webhook-deliveries/"+id(delivery)+"/redeliver", struct{}{})
}
