package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tributary/client"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/stream"
)

// streamRoutes read the durable streams. They change nothing; what is on the streams
// is pooled, so that reading it has no audit entries.
func (s *server) streamRoutes() {
	add(s, route{method: http.MethodGet, path: "/streams", id: "list-streams", summary: "List the streams of events, and how long they are kept", thing: "stream",
		action: policy.StreamRead, audience: anyone}, s.streamList)
	add(s, route{method: http.MethodGet, path: "/streams/{id}/events", id: "list-stream-events", summary: "Events of a stream, the oldest first: one's own, or all tenants'", thing: "stream",
		action: policy.StreamRead, audience: anyone}, s.streamEvents)
	add(s, route{method: http.MethodGet, path: "/streams/{id}/tail", id: "tail-stream", summary: "Server-sent events: a stream's events as they come", thing: "stream",
		action: policy.StreamRead, audience: anyone}, s.tailStream)
}

// streamView is a stream as the credential may see it.
func (s *server) streamView(ctx context.Context, c *call, name, of string) (*events.View, error) {
	id, err := c.named(ctx, of)
	if err != nil {
		return nil, err
	}
	if c.staff() {
		return s.Streams.UnscopedView(stream.Name(name), id)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return s.Streams.View(ctx, scope, stream.Name(name))
}

func (s *server) streamList(ctx context.Context, c *call, _ *struct{}) (*list[client.Stream], error) {
	var found []events.Summary
	for _, n := range stream.Names {
		view, err := s.streamView(ctx, c, string(n), "")
		if err != nil {
			return nil, err
		}
		one, err := view.Summary(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return each(found, "", func(n events.Summary) client.Stream {
		w := client.Stream{ID: string(n.Name), Days: n.Kept.Hours() / 24, First: n.State.First, Last: n.State.Last, Messages: n.State.Messages, Bytes: n.State.Bytes}
		if !n.LastAt.IsZero() {
			at := n.LastAt.Truncate(time.Microsecond)
			w.LastAt = &at
		}
		return w
	}), nil
}

type streamPage struct {
	ByID
	TenantPaging
	Since time.Time `query:"since" doc:"Only what came at this time or later; not with after"`
}

func (s *server) streamEvents(ctx context.Context, c *call, i *streamPage) (*list[client.StreamEvent], error) {
	view, err := s.streamView(ctx, c, i.ID, i.Tenant)
	if err != nil {
		return nil, err
	}
	after, most := i.After, i.Limit
	if most == 0 {
		most = 50
	}
	if after == "" && !i.Since.IsZero() {
		if after, err = view.Since(ctx, i.Since); err != nil {
			return nil, err
		}
	}
	found, next, end, err := view.Next(ctx, after, most)
	if err != nil {
		return nil, err
	}
	if end {
		next = ""
	}
	return each(found, next, streamEventWord), nil
}

func streamEventWord(p events.Placed) client.StreamEvent {
	e := p.Event
	w := client.StreamEvent{SpecVersion: "1.0", ID: e.ID, Source: e.Source, Origin: e.Origin, Type: e.Type, Subject: e.Subject, Time: e.Time, Received: e.Received, Channel: e.Channel,
		Tenant: string(e.Tenant), User: e.User, Anonymous: e.Anonymous, Session: e.Session, Device: e.Device,
		Data: json.RawMessage(e.Data), Context: json.RawMessage(e.Context), Flags: e.Flags}
	if !e.Stated.IsZero() {
		w.Stated = &e.Stated
	}
	return w
}

type tail struct {
	ByID
	StreamFor
	Tenant string `query:"tenant" doc:"Id or slug; for the provider's credentials only; absent: all tenants and the provider itself"`
}

// tailPage is how many events are sent at once.
const tailPage = 100

func (s *server) tailStream(ctx context.Context, c *call, i *tail) (*huma.StreamResponse, error) {
	view, err := s.streamView(ctx, c, i.ID, i.Tenant)
	if err != nil {
		return nil, err
	}
	at := i.place()
	if at == "" {
		if at, err = view.End(ctx); err != nil {
			return nil, err
		}
	}
	if err := view.Knows(at); err != nil {
		return nil, err
	}
	return s.stream(ctx, c, i.StreamFor, source{place: func() string { return at }, next: func(ctx context.Context, out *outgoing) (<-chan struct{}, error) {
		more := view.More()
		found, next, end, err := view.Next(ctx, at, tailPage)
		var gone stream.Missing
		if errors.As(err, &gone) {
			word := client.StreamMissing{Message: "Events are missing here: they are kept no longer, or are damaged."}
			if c.staff() {
				word = client.StreamMissing{From: gone.From, To: gone.To, Message: fault.Message(err)}
			}
			if at, err = view.Over(gone); err != nil {
				return nil, err
			}
			return now(), out.event("missing", at, word)
		}
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if err := out.event("event", e.Place, streamEventWord(e)); err != nil {
				return nil, err
			}
		}
		if at = next; !end {
			return now(), nil
		}
		return more, nil
	}})
}

// now is a channel that is closed: there is more already.
func now() <-chan struct{} {
	at := make(chan struct{})
	close(at)
	return at
}
