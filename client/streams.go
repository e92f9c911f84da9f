package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Stream is one of the durable streams of events.
type Stream struct {
	ID       string     `json:"id" doc:"tenants, users, jobs or events"`
	Days     float64    `json:"days" doc:"How long events are kept"`
	LastAt   *time.Time `json:"last_at,omitempty" doc:"When the newest came; of a tenant its own"`
	First    uint64     `json:"first,omitempty" doc:"The oldest message, for the provider"`
	Last     uint64     `json:"last,omitempty" doc:"The newest message, for the provider"`
	Messages uint64     `json:"messages,omitempty" doc:"How many there are, for the provider; a message is a block of events"`
	Bytes    uint64     `json:"bytes,omitempty" doc:"What they take, sealed, for the provider"`
}

// StreamEvent is an event of a stream, in the envelope of CloudEvents 1.0.
type StreamEvent struct {
	SpecVersion string          `json:"specversion" doc:"1.0"`
	ID          string          `json:"id" doc:"Unique among the tenant's events of the source"`
	Source      string          `json:"source" doc:"What sent it: tributary for the server itself"`
	Origin      string          `json:"origin,omitempty" doc:"What the sender calls its source"`
	Type        string          `json:"type" doc:"As tributary.submission.receive"`
	Subject     string          `json:"subject,omitempty" doc:"The id of what it is about"`
	Time        time.Time       `json:"time"`
	Received    time.Time       `json:"received"`
	Stated      *time.Time      `json:"stated,omitempty" doc:"What the sender said, where time is another"`
	Channel     string          `json:"channel,omitempty" doc:"How it came: api, segment, posthog, pixel"`
	Tenant      string          `json:"tenant" doc:"Whose it is; empty: the provider's own"`
	User        string          `json:"user,omitempty"`
	Anonymous   string          `json:"anonymous,omitempty"`
	Session     string          `json:"session,omitempty"`
	Device      string          `json:"device,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Context     json.RawMessage `json:"context,omitempty"`
	Flags       []string        `json:"flags,omitempty" doc:"What is odd about it"`
}

// StreamMissing says that messages of a stream cannot be had any more.
type StreamMissing struct {
	From    uint64 `json:"from,omitempty" doc:"The first message, for the provider"`
	To      uint64 `json:"to,omitempty" doc:"The last message, for the provider"`
	Message string `json:"message"`
}

// StreamFilter says which events of a stream are wanted: behind a place, or since a
// time, of one tenant.
type StreamFilter struct {
	TenantPage
	Since time.Time // zero: from the oldest on
}

func (f StreamFilter) from(cursor string) StreamFilter { f.After = cursor; return f }
func (f StreamFilter) limited(n int) StreamFilter      { f.Page = f.Page.limited(n); return f }

// Streams lists the streams.
func (c *Client) Streams(ctx context.Context) (List[Stream], error) {
	return get[List[Stream]](ctx, c, "/streams", nil)
}

// StreamEvents lists a page of a stream's events, the oldest first. To a tenant they
// are its own.
func (c *Client) StreamEvents(ctx context.Context, stream string, f StreamFilter) (List[StreamEvent], error) {
	return get[List[StreamEvent]](ctx, c, "/streams/"+id(stream)+"/events", f.values().time("since", f.Since))
}

// EveryStreamEvent is StreamEvents of one stream, for All.
func (c *Client) EveryStreamEvent(stream string) func(context.Context, StreamFilter) (List[StreamEvent], error) {
	return func(ctx context.Context, f StreamFilter) (List[StreamEvent], error) {
		return c.StreamEvents(ctx, stream, f)
	}
}

// TailStream calls got with each event of a stream as it comes, from behind a place on;
// with "" from now on. Tenant is for the provider's credentials. It reconnects by itself,
// until ctx ends or got returns an error; no event comes twice and none is left out:
// where messages are gone, missing is called instead.
func (c *Client) TailStream(ctx context.Context, stream, tenant, after string, got func(StreamEvent) error, missing func(StreamMissing) error) error {
	return c.listenTo(ctx, "/streams/"+id(stream)+"/tail", params{}.text("tenant", tenant), after, func(e event) (bool, error) {
		switch e.name {
		case "event":
			var v StreamEvent
			if err := json.Unmarshal(e.data, &v); err != nil {
				return true, fmt.Errorf("read event: %w", err)
			}
			return false, got(v)
		case "missing":
			var m StreamMissing
			if err := json.Unmarshal(e.data, &m); err != nil {
				return true, fmt.Errorf("read event: %w", err)
			}
			if missing == nil {
				return true, errors.New(m.Message)
			}
			return false, missing(m)
		}
		return false, nil
	})
}
