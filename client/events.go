package client

import (
	"context"
	"net/http"
)

// CreateSource makes a source of the credential's tenant, or of the provider's. Its
// key is in the answer and nowhere else.
func (c *Client) CreateSource(ctx context.Context, n NewSource) (Source, error) {
	return post[Source](ctx, c, "/sources", n)
}

// Sources lists a page of the sources of the credential's tenant, or of the provider,
// the newest first.
func (c *Client) Sources(ctx context.Context, p Page) (List[Source], error) {
	return get[List[Source]](ctx, c, "/sources", p.values())
}

// Source finds a source.
func (c *Client) Source(ctx context.Context, source string) (Source, error) {
	return get[Source](ctx, c, "/sources/"+id(source), nil)
}

// RevokeSource ends a source: what comes with its key from now on is refused.
func (c *Client) RevokeSource(ctx context.Context, source string) (Source, error) {
	return call[Source](ctx, c, request{method: http.MethodDelete, path: "/sources/" + id(source)})
}

// Collector says where events are collected. It needs no credential.
func (c *Client) Collector(ctx context.Context) (Collector, error) {
	return call[Collector](ctx, c, request{method: http.MethodGet, path: "/collector", open: true})
}

// CreatePixels makes links of pictures for a source, one for each recipient.
func (c *Client) CreatePixels(ctx context.Context, source string, n NewPixels) (List[Pixel], error) {
	return post[List[Pixel]](ctx, c, "/sources/"+id(source)+"/pixels", n)
}

// ApplyPlan applies a tracking plan, in YAML. One that is not the current version
// makes a new one; Changed in the answer says which it was.
func (c *Client) ApplyPlan(ctx context.Context, yaml []byte) (Plan, error) {
	return apply[Plan](ctx, c, "/plans", yaml)
}

// Plans lists a page of the versions of the tracking plan, the newest first.
func (c *Client) Plans(ctx context.Context, p Page) (List[Plan], error) {
	return get[List[Plan]](ctx, c, "/plans", p.values())
}

// Plan finds a version of the tracking plan, such as "3"; "current" is the one in use.
func (c *Client) Plan(ctx context.Context, version string) (Plan, error) {
	return get[Plan](ctx, c, "/plans/"+id(version), nil)
}

// SendEvents sends a JSON CloudEvent, or an array of them, and returns what became of
// each. Sending the same again is safe: each has an id.
func (c *Client) SendEvents(ctx context.Context, events []byte) (List[Verdict], error) {
	return call[List[Verdict]](ctx, c, request{method: http.MethodPost, path: "/events", contentType: "application/json", body: events, key: newKey(), prefer: "return=representation"})
}

// QuarantineFilter narrows the list of events in quarantine.
type QuarantineFilter struct {
	Page
	Source, Reason string
}

func (f QuarantineFilter) from(cursor string) QuarantineFilter { f.After = cursor; return f }
func (f QuarantineFilter) limited(n int) QuarantineFilter      { f.Page = f.Page.limited(n); return f }

// Quarantine lists a page of the events in quarantine, the newest first.
func (c *Client) Quarantine(ctx context.Context, f QuarantineFilter) (List[HeldEvent], error) {
	return get[List[HeldEvent]](ctx, c, "/quarantine", f.values().text("source", f.Source).text("reason", f.Reason))
}

// HeldEvent finds an event in quarantine.
func (c *Client) HeldEvent(ctx context.Context, event string) (HeldEvent, error) {
	return get[HeldEvent](ctx, c, "/quarantine/"+id(event), nil)
}

// ReplayEvent has an event in quarantine judged again, and taken in if it is fit.
func (c *Client) ReplayEvent(ctx context.Context, event string) (Verdict, error) {
	return post[Verdict](ctx, c, "/quarantine/"+id(event)+"/replay", struct{}{})
}

// Replay does so with what is in quarantine, until some 1,000 are taken in.
func (c *Client) Replay(ctx context.Context, r ReplayRequest) (Replayed, error) {
	return post[Replayed](ctx, c, "/quarantine/replay", r)
}

// DropEvent removes an event from quarantine for good.
func (c *Client) DropEvent(ctx context.Context, event string) error {
	return c.delete(ctx, "/quarantine/"+id(event))
}
