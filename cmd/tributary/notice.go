package main

import (
	"context"

	"tributary/client"
)

type outboxCmd struct {
	List outboxListCmd `cmd:"" help:"List the mails to one's people: that they exist, and nothing in them."`
}

type outboxListCmd struct {
	listFlags
	viewFlags
	tenantFlag
	State string `enum:",waiting,sent,failed" default:"" placeholder:"STATE" help:"Only these: waiting, sent or failed."`
	Kind  string `placeholder:"KIND" help:"Only this kind, such as result.ready."`
}

// Run lists mails.
func (o *outboxListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	f := client.MailFilter{TenantPage: client.TenantPage{Page: o.page(), Tenant: o.Tenant}, State: o.State, Kind: o.Kind, View: o.view()}
	return printList(ctx, out, o.listFlags, c.Outbox, f, columns[client.Mail]{
		[]string{"ID", "TENANT", "USER", "KIND", "STATE", "ATTEMPTS", "CREATED", "SETTLED", "ERROR"},
		func(m client.Mail) []string {
			return []string{m.ID, m.Tenant, m.User, m.Kind, m.State, number(m.Attempts), when(m.CreatedAt), whenever(m.SettledAt), m.Error}
		},
	})
}

type noticeCmd struct {
	Settings noticeSettingsCmd `cmd:"" help:"Which mails one gets."`
}

type noticeSettingsCmd struct {
	Show noticeShowCmd `cmd:"" help:"Show which mails one gets."`
	Set  noticeSetCmd  `cmd:"" help:"Turn the mails of a kind on or off."`
}

var switchColumns = columns[client.NoticeSwitch]{
	[]string{"KIND", "ON", "FIXED"},
	func(s client.NoticeSwitch) []string { return []string{s.ID, yesNo(s.On), yesNo(s.Fixed)} },
}

type noticeShowCmd struct{}

// Run shows one's own switches.
func (*noticeShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.NoticeSwitches(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, switchColumns)
}

type noticeSetCmd struct {
	Kind  string `arg:"" help:"The kind, as settings show lists it."`
	State string `arg:"" enum:"on,off" help:"${enum}."`
}

// Run turns a kind on or off.
func (n *noticeSetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.SetNoticeSwitch(ctx, n.Kind, n.State == "on")
	if err != nil {
		return err
	}
	return out.answer(func() { out.fields("kind", changed.ID, "on", yesNo(changed.On)) })
}
