package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tributary/client"
)

type streamCmd struct {
	List   streamListCmd   `cmd:"" help:"List the streams, and how long they are kept."`
	Tail   streamTailCmd   `cmd:"" help:"Print events as they come, until interrupted; with --json a line is an event."`
	Replay streamReplayCmd `cmd:"" help:"Print the events that are there, the oldest first; with --json a line is an event."`
}

type streamListCmd struct{}

// Run lists the streams.
func (streamListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.Streams(ctx)
	if err != nil {
		return err
	}
	return printItems(out, found, columns[client.Stream]{
		[]string{"STREAM", "DAYS", "NEWEST", "FIRST", "LAST", "BYTES"},
		func(s client.Stream) []string {
			return []string{s.ID, fmt.Sprintf("%g", s.Days), whenever(s.LastAt), fmt.Sprint(s.First), fmt.Sprint(s.Last), fmt.Sprint(s.Bytes)}
		},
	})
}

type streamArg struct {
	Stream string `arg:"" help:"tenants, users, jobs or events."`
	tenantFlag
}

// printEvent prints an event in a line.
func printEvent(out *output, e client.StreamEvent) error {
	if !out.json {
		out.line("%s  %s  %s  %s  %s", when(e.Time), e.Type, e.Tenant, e.Subject, e.Data)
		return nil
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return out.raw(raw)
}

type streamTailCmd struct {
	streamArg
	After string `placeholder:"PLACE" help:"Go on behind a place, the next of a list; 0: from the oldest on. From now on if absent."`
}

// Run prints events until it is interrupted.
func (s *streamTailCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return c.TailStream(ctx, s.Stream, s.Tenant, s.After,
		func(e client.StreamEvent) error { return printEvent(out, e) },
		func(m client.StreamMissing) error { out.note("%s", m.Message); return nil })
}

type streamReplayCmd struct {
	streamArg
	After string    `placeholder:"PLACE" xor:"from" help:"Only what comes behind a place, the next of a list."`
	Since time.Time `placeholder:"TIME" xor:"from" help:"Only what came at this time (2026-01-31T08:00:00Z) or later."`
}

// Run prints events up to the newest that is there.
func (s *streamReplayCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	f := client.StreamFilter{TenantPage: client.TenantPage{Page: client.Page{After: s.After}, Tenant: s.Tenant}, Since: s.Since}
	for e, err := range client.All(ctx, c.EveryStreamEvent(s.Stream), f) {
		if err != nil {
			return err
		}
		if err := printEvent(out, e); err != nil {
			return err
		}
	}
	return out.written()
}
