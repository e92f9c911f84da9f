package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"tributary/client"
)

type eventCmd struct {
	Send eventSendCmd `cmd:"" help:"Send CloudEvents and say what became of each. The token can be a source's write key."`
}

// What one request of event send has at most.
const (
	eventsAtOnce     = 1000
	eventBytesAtOnce = 4 << 20
)

type eventSendCmd struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"CloudEvents in JSON: one, an array, or one after the other; - is standard input."`
}

// Run sends events.
func (e *eventSendCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	raw, err := document(ctx, e.File)
	if err != nil {
		return err
	}
	batches, err := eventBatches(raw)
	if err != nil {
		return err
	}
	all := client.List[client.Verdict]{Items: []client.Verdict{}}
	for _, b := range batches {
		list, err := c.SendEvents(ctx, b)
		if err != nil {
			if len(all.Items) > 0 {
				out.note("%s sent before this", plural(int64(len(all.Items)), "event was", "events were"))
			}
			return err
		}
		all.Items = append(all.Items, list.Items...)
	}
	count := map[string]int64{}
	for _, v := range all.Items {
		count[v.Result]++
	}
	if out.json {
		err = out.JSON(all)
	} else {
		var odd [][]string
		for _, v := range all.Items {
			if v.Details != "" || v.Result == "retry" {
				odd = append(odd, []string{v.ID, v.Result, v.Details})
			}
		}
		if len(odd) > 0 {
			out.table([]string{"ID", "RESULT", "DETAILS"}, odd)
		}
		out.line("%d ok, %d with a warning, %d duplicate, %d dropped, %d to send again", count["ok"], count["warning"], count["duplicate"], count["drop"], count["retry"])
	}
	switch {
	case err != nil:
		return err
	case count["drop"] > 0:
		return &exit{code: exitInvalid, says: plural(count["drop"], "event was", "events were") + " not taken. Those in quarantine can be seen with: tributary quarantine list"}
	case count["retry"] > 0:
		return &exit{code: exitFailed, says: plural(count["retry"], "event was", "events were") + " not kept. Send the file again: what was kept is kept once."}
	}
	return nil
}

// eventBatches makes requests of JSON values that stand one after the other, or in an
// array.
func eventBatches(raw []byte) ([][]byte, error) {
	var list []json.RawMessage
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var v json.RawMessage
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, usage("the events are not JSON: %w", err)
		}
		if v[0] != '[' {
			list = append(list, v)
			continue
		}
		var several []json.RawMessage
		if err := json.Unmarshal(v, &several); err != nil {
			return nil, usage("the events are not JSON: %w", err)
		}
		list = append(list, several...)
	}
	var batches [][]byte
	for len(list) > 0 {
		size, n := len(list[0]), 1
		for n < len(list) && n < eventsAtOnce && size+len(list[n]) < eventBytesAtOnce {
			size += len(list[n])
			n++
		}
		batch := append([]byte("["), bytes.Join(rawBytes(list[:n]), []byte(","))...)
		batches = append(batches, append(batch, ']'))
		list = list[n:]
	}
	return batches, nil
}

func rawBytes(list []json.RawMessage) [][]byte {
	all := make([][]byte, len(list))
	for n, v := range list {
		all[n] = v
	}
	return all
}

type sourceCmd struct {
	Create sourceCreateCmd `cmd:"" help:"Make a source of events and print its write key, once."`
	List   sourceListCmd   `cmd:"" help:"List the sources of the token's tenant, or of the provider."`
	Show   sourceShowCmd   `cmd:"" help:"Show a source."`
	Revoke sourceRevokeCmd `cmd:"" help:"End a source: what comes with its key from now on is refused."`
	Where  sourceWhereCmd  `cmd:"" help:"Say where clients send events to."`
	Pixel  sourcePixelCmd  `cmd:"" help:"Make links of pictures for mails, which tell when each recipient opens theirs."`
}

func (o *output) source(s client.Source) {
	o.fields("id", s.ID, "tenant", s.Tenant, "name", s.Name, "tenant_field", s.TenantField, "strict", yesNo(s.Strict), "every", seconds(s.EverySeconds), "key_ends_with", s.Hint,
		"created_at", when(s.CreatedAt), "created_by", s.CreatedBy, "revoked_at", whenever(s.RevokedAt), "key", s.Key)
	if s.Key != "" {
		o.note("The key is shown once. It writes events and can do nothing else.")
	}
}

type sourceCreateCmd struct {
	Name        string        `arg:"" help:"What it is called."`
	TenantField string        `placeholder:"PATH" help:"Of the provider's: the field of its events that names their tenant, by slug or external id: subject, user, or a path such as context.groupId."`
	Every       time.Duration `placeholder:"DURATION" help:"How often at least something is to come, such as 1h: later is late. Without, it is learned from what comes."`
	Strict      bool          `help:"What is not as the tracking plan says goes to quarantine, and is not only flagged."`
}

// Run makes a source.
func (s *sourceCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.CreateSource(ctx, client.NewSource{Name: s.Name, TenantField: s.TenantField, Strict: s.Strict, EverySeconds: int64(s.Every.Seconds())})
	if err != nil {
		return err
	}
	return out.answer(func() { out.source(made) })
}

type sourceListCmd struct{ listFlags }

// Run lists sources.
func (s *sourceListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, s.listFlags, c.Sources, s.page(), columns[client.Source]{
		[]string{"ID", "NAME", "TENANT FIELD", "STRICT", "CREATED", "REVOKED"},
		func(x client.Source) []string {
			return []string{x.ID, x.Name, x.TenantField, yesNo(x.Strict), when(x.CreatedAt), whenever(x.RevokedAt)}
		},
	})
}

// sourceArg is a source that is named.
type sourceArg struct {
	ID string `arg:"" name:"id" help:"The source's id."`
}

type sourceShowCmd struct{ sourceArg }

// Run shows a source.
func (s *sourceShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Source(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.source(found) })
}

type sourceRevokeCmd struct{ sourceArg }

// Run ends a source.
func (s *sourceRevokeCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	ended, err := c.RevokeSource(ctx, s.ID)
	if err != nil {
		return err
	}
	return out.answer(func() { out.source(ended) })
}

type sourceWhereCmd struct{}

// Run says it. It needs no token.
func (sourceWhereCmd) Run(ctx context.Context, root *cli, out *output) error {
	c, err := root.connect(out)
	if err != nil {
		return err
	}
	found, err := c.Collector(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() {
		address := found.Address
		if address == "" {
			address = "none: the server was started without --collect"
		}
		out.fields("address", address)
	})
}

type sourcePixelCmd struct {
	sourceArg
	Users  []string `arg:"" name:"user" help:"The recipients, by their ids."`
	Type   string   `default:"mail.opened" placeholder:"TYPE" help:"Of the events."`
	Tenant string   `placeholder:"SLUG" help:"Of the provider's sources: whose events they are, by slug or external id."`
	Data   string   `placeholder:"JSON" help:"Of the events: an object, such as {\"campaign\":\"spring\"}."`
	At     string   `placeholder:"URL" help:"Where events are collected, such as https://events.example.com; without it the links are paths."`
}

// Run makes links.
func (s *sourcePixelCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if s.Data != "" && !json.Valid([]byte(s.Data)) {
		return usage("the data is not JSON")
	}
	list, err := c.CreatePixels(ctx, s.ID, client.NewPixels{Type: s.Type, Users: s.Users, Tenant: s.Tenant, Data: json.RawMessage(s.Data)})
	if err != nil {
		return err
	}
	return out.answer(func() {
		lines := make([][]string, len(list.Items))
		for n, p := range list.Items {
			lines[n] = []string{p.ID, strings.TrimRight(s.At, "/") + p.Path}
		}
		out.table([]string{"USER", "PICTURE"}, lines)
	})
}

type planCmd struct {
	Apply planApplyCmd `cmd:"" help:"Apply a tracking plan; a changed one makes a version."`
	List  planListCmd  `cmd:"" help:"List the versions of the tracking plan."`
	Show  planShowCmd  `cmd:"" help:"Show the tracking plan's events, or its YAML."`
}

type planApplyCmd struct {
	File string `short:"f" required:"" placeholder:"FILE" help:"The plan, in YAML; - is standard input."`
}

// Run applies a plan.
func (p *planApplyCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	yaml, err := document(ctx, p.File)
	if err != nil {
		return err
	}
	x, err := c.ApplyPlan(ctx, yaml)
	if err != nil {
		return err
	}
	return out.answer(func() { applied(out, "tracking plan", x.Version, x.Changed) })
}

type planListCmd struct{ listFlags }

// Run lists versions.
func (p *planListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, p.listFlags, c.Plans, p.page(), columns[client.Plan]{
		[]string{"VERSION", "EVENTS", "CREATED", "BY", "HASH"},
		func(x client.Plan) []string {
			return []string{number(x.Version), strconv.Itoa(len(x.Types)), when(x.CreatedAt), x.CreatedBy, x.Hash}
		},
	})
}

type planShowCmd struct{ versionFlags }

// Run shows a plan.
func (p *planShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	version := "current"
	if p.Version != 0 {
		version = number(p.Version)
	}
	x, err := c.Plan(ctx, version)
	if err != nil {
		return err
	}
	return out.answer(func() {
		if p.Source {
			out.text(x.Source)
			return
		}
		out.fields("version", number(x.Version), "hash", x.Hash, "created_at", when(x.CreatedAt), "created_by", x.CreatedBy)
		var lines [][]string
		for _, t := range x.Types {
			lines = append(lines, []string{t.Type, "", "", "", t.Owner, t.Description})
			for _, f := range t.Fields {
				lines = append(lines, []string{"", f.Name, f.Type, yesNo(f.Required), yesNo(f.PII), f.Description})
			}
		}
		out.line("")
		out.table([]string{"EVENT", "FIELD", "TYPE", "REQUIRED", "OWNER/PII", "DESCRIPTION"}, lines)
	})
}

type quarantineCmd struct {
	List   quarantineListCmd   `cmd:"" help:"List the events in quarantine."`
	Show   quarantineShowCmd   `cmd:"" help:"Show an event in quarantine, and why it is there."`
	Replay quarantineReplayCmd `cmd:"" help:"Judge events in quarantine again, and take in what is fit now."`
	Drop   quarantineDropCmd   `cmd:"" help:"Remove an event from quarantine for good."`
}

// heldFlags say which events in quarantine are meant.
type heldFlags struct {
	Source string `placeholder:"ID" help:"Only those of this source; api for those sent with an API key."`
	Reason string `enum:"unreadable,malformed,tenant,unplanned,unfit,variety," default:"" placeholder:"REASON" help:"Only those held for this reason: unreadable, malformed, tenant, unplanned, unfit or variety."`
}

type quarantineListCmd struct {
	heldFlags
	listFlags
}

// Run lists events.
func (q *quarantineListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return printList(ctx, out, q.listFlags, c.Quarantine, client.QuarantineFilter{Page: q.page(), Source: q.Source, Reason: q.Reason}, columns[client.HeldEvent]{
		[]string{"ID", "RECEIVED", "SOURCE", "REASON", "DETAILS"},
		func(x client.HeldEvent) []string {
			return []string{x.ID, when(x.ReceivedAt), x.Source, x.Reason, x.Details}
		},
	})
}

type quarantineShowCmd struct {
	ID string `arg:"" name:"id" help:"The id that quarantine list says."`
}

// Run shows an event.
func (q *quarantineShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.HeldEvent(ctx, q.ID)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", x.ID, "received_at", when(x.ReceivedAt), "source", x.Source, "tenant", x.Tenant, "reason", x.Reason, "details", x.Details, "event", string(x.Event), "raw", x.Raw)
	})
}

type quarantineReplayCmd struct {
	ID string `arg:"" optional:"" name:"id" help:"One event; without, up to 1,000 of those that the flags leave."`
	heldFlags
}

// Run judges events again.
func (q *quarantineReplayCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if q.ID != "" {
		v, err := c.ReplayEvent(ctx, q.ID)
		if err != nil {
			return err
		}
		return out.answer(func() { out.fields("id", v.ID, "result", v.Result, "details", v.Details) })
	}
	done, err := c.Replay(ctx, client.ReplayRequest{Source: q.Source, Reason: q.Reason})
	if err != nil {
		return err
	}
	return out.answer(func() { out.line("%d taken in, %d left in quarantine", done.Kept, done.Left) })
}

type quarantineDropCmd struct {
	ID string `arg:"" name:"id" help:"The id that quarantine list says."`
}

// Run removes an event.
func (q *quarantineDropCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if err := c.DropEvent(ctx, q.ID); err != nil {
		return err
	}
	out.note("dropped %s", q.ID)
	return nil
}
