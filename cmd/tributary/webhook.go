package main

import (
	"context"
	"strings"
	"time"

	"tributary/client"
)

type webhookCmd struct {
	Create     webhookCreateCmd     `cmd:"" help:"Make a webhook and print its secret, once."`
	List       webhookListCmd       `cmd:"" help:"List the webhooks of the token's tenant, or of the provider."`
	Show       webhookShowCmd       `cmd:"" help:"Show a webhook."`
	Update     webhookUpdateCmd     `cmd:"" help:"Change a webhook's URL, kinds or state, or replace its secret."`
	Delete     webhookDeleteCmd     `cmd:"" help:"Remove a webhook, and what waits for it."`
	Test       webhookTestCmd       `cmd:"" help:"Send a message of the type webhook.test and wait for what becomes of it."`
	Deliveries webhookDeliveriesCmd `cmd:"" help:"List what was sent to a webhook."`
	Redeliver  webhookRedeliverCmd  `cmd:"" help:"Send a message again, under the same id."`
}

func (o *output) webhook(w client.Webhook) {
	kinds := strings.Join(w.Kinds, ",")
	if kinds == "" {
		kinds = "all"
	}
	o.fields("id", w.ID, "tenant", w.Tenant, "url", w.URL, "kinds", kinds, "state", w.State, "reason", w.Reason, "failing_since", whenever(w.FailingSince),
		"created_at", when(w.CreatedAt), "created_by", w.CreatedBy, "secret", w.Secret)
	if w.Secret != "" {
		o.note("The secret is shown once. Check the header webhook-signature of each message with it: https://www.standardwebhooks.com")
	}
}

type webhookCreateCmd struct {
	URL   string   `arg:"" name:"url" help:"Where messages are sent: https://HOST/…, on the public internet."`
	Kinds []string `placeholder:"KIND" help:"What it is told of, such as submission.rejected; repeatable. Everything if not said."`
}

// Run makes a webhook.
func (w *webhookCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.CreateWebhook(ctx, client.NewWebhook{URL: w.URL, Kinds: w.Kinds})
	if err != nil {
		return err
	}
	return out.answer(func() { out.webhook(made) })
}

type webhookListCmd struct{}

// Run lists webhooks.
func (*webhookListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Webhooks(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Webhook]{
		[]string{"ID", "URL", "KINDS", "STATE", "FAILING SINCE"},
		func(w client.Webhook) []string {
			return []string{w.ID, w.URL, strings.Join(w.Kinds, ","), w.State, whenever(w.FailingSince)}
		},
	})
}

// webhookArg is a webhook that is named.
type webhookArg struct {
	ID string `arg:"" name:"id" help:"The webhook's id."`
}

type webhookShowCmd struct{ webhookArg }

// Run shows a webhook.
func (w *webhookShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Webhook(ctx, w.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.webhook(found) })
}

type webhookUpdateCmd struct {
	webhookArg
	URL          *string  `name:"url" placeholder:"URL" help:"Where messages are sent."`
	Kinds        []string `placeholder:"KIND" help:"What it is told of; repeatable; all for everything."`
	State        *string  `enum:"active,disabled" placeholder:"STATE" help:"${enum}."`
	RotateSecret bool     `help:"Make a new secret and print it, once. The one before signs too for 24 hours."`
}

// Run changes a webhook.
func (w *webhookUpdateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	change := client.WebhookChange{URL: w.URL, State: w.State, RotateSecret: w.RotateSecret}
	if len(w.Kinds) > 0 {
		kinds := w.Kinds
		if len(kinds) == 1 && kinds[0] == "all" {
			kinds = []string{}
		}
		change.Kinds = &kinds
	}
	if change == (client.WebhookChange{}) {
		return usage("there is nothing to change: name at least one flag")
	}
	changed, err := c.UpdateWebhook(ctx, w.ID, change)
	if err != nil {
		return err
	}
	return out.answer(func() { out.webhook(changed) })
}

type webhookDeleteCmd struct{ webhookArg }

// Run removes a webhook.
func (w *webhookDeleteCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.DeleteWebhook(ctx, w.ID); err != nil {
		return err
	}
	out.note("deleted %s", w.ID)
	return nil
}

func (o *output) delivery(d client.Delivery) {
	o.fields("id", d.ID, "webhook", d.Webhook, "kind", d.Kind, "state", d.State, "attempts", number(d.Attempts), "status", number(d.Status), "error", d.Error,
		"created_at", when(d.CreatedAt), "tried_at", whenever(d.TriedAt), "next_at", whenever(d.NextAt))
}

// testWait is how long a test waits for its first attempt: a round of the server and
// the longest time that a receiver has.
const testWait = 30 * time.Second

type webhookTestCmd struct{ webhookArg }

// Run sends a test and waits for its first attempt.
func (w *webhookTestCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	d, err := c.TestWebhook(ctx, w.ID)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(testWait); d.TriedAt == nil && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		page, err := c.Deliveries(ctx, client.DeliveryFilter{Webhook: w.ID})
		if err != nil {
			return err
		}
		for _, x := range page.Items {
			if x.ID == d.ID {
				d = x
			}
		}
	}
	if out.json {
		err = out.JSON(d)
	} else {
		out.delivery(d)
	}
	if err == nil && d.State != "delivered" {
		err = &exit{code: exitFailed, says: "The test was not delivered. " + d.Error}
	}
	return err
}

type webhookDeliveriesCmd struct {
	webhookArg
	listFlags
}

// Run lists deliveries.
func (w *webhookDeliveriesCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, w.listFlags, c.Deliveries, client.DeliveryFilter{Page: w.page(), Webhook: w.ID}, columns[client.Delivery]{
		[]string{"ID", "KIND", "STATE", "ATTEMPTS", "STATUS", "CREATED", "TRIED", "NEXT", "ERROR"},
		func(d client.Delivery) []string {
			return []string{d.ID, d.Kind, d.State, number(d.Attempts), number(d.Status), when(d.CreatedAt), whenever(d.TriedAt), whenever(d.NextAt), d.Error}
		},
	})
}

type webhookRedeliverCmd struct {
	ID string `arg:"" name:"id" help:"The message's id, as webhook deliveries lists it."`
}

// Run has a message sent again.
func (w *webhookRedeliverCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	d, err := c.Redeliver(ctx, w.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.delivery(d) })
}
