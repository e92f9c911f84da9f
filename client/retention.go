package client

import (
	"context"
	"time"
)

// Hold is a legal hold: while it stands, nothing that it covers is deleted.
type Hold struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant"`
	Dataset    string     `json:"dataset,omitempty" doc:"Only what the tenant has of it, and results made from that; absent: everything of the tenant"`
	Reason     string     `json:"reason"`
	SetAt      time.Time  `json:"set_at"`
	SetBy      string     `json:"set_by"`
	ReleasedAt *time.Time `json:"released_at,omitempty"`
	ReleasedBy string     `json:"released_by,omitempty"`
}

// NewHold asks for a legal hold.
type NewHold struct {
	Tenant  string `json:"tenant" minLength:"1" maxLength:"200" doc:"Id or slug"`
	Dataset string `json:"dataset,omitempty" maxLength:"100" doc:"Only what the tenant has of it, and results made from that"`
	Reason  string `json:"reason" minLength:"1" maxLength:"500" doc:"Why; the tenant reads it"`
}

// Recall says why results are taken back.
type Recall struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why; every recipient reads it"`
}

// Going is how many files of a dataset, or results of an analysis, retention deletes
// within a time.
type Going struct {
	Dataset  string     `json:"dataset,omitempty"`
	Analysis string     `json:"analysis,omitempty"`
	Days     int64      `json:"days,omitempty" doc:"That files are kept; a result says by itself when it goes"`
	Count    int64      `json:"count" doc:"That go"`
	Held     int64      `json:"held" doc:"That would go, but for a legal hold"`
	First    *time.Time `json:"first,omitempty" doc:"When the first of them goes"`
}

// SetHold sets a legal hold.
func (c *Client) SetHold(ctx context.Context, h NewHold) (Hold, error) {
	return post[Hold](ctx, c, "/holds", h)
}

// HoldFilter narrows the list of holds.
type HoldFilter struct {
	TenantPage
	Ended bool // also those that were released
}

func (f HoldFilter) from(cursor string) HoldFilter { f.After = cursor; return f }
func (f HoldFilter) limited(n int) HoldFilter      { f.Page = f.Page.limited(n); return f }

// Holds lists a page of legal holds, the newest first: the credential's tenant's, or
// all tenants'.
func (c *Client) Holds(ctx context.Context, f HoldFilter) (List[Hold], error) {
	p := f.values()
	if f.Ended {
		p = p.text("ended", "true")
	}
	return get[List[Hold]](ctx, c, "/holds", p)
}

// ReleaseHold ends a legal hold.
func (c *Client) ReleaseHold(ctx context.Context, hold string) (Hold, error) {
	return post[Hold](ctx, c, "/holds/"+id(hold)+"/release", struct{}{})
}

// RetentionPreview lists what retention deletes until some days from now, by dataset
// and analysis.
func (c *Client) RetentionPreview(ctx context.Context, days int) (List[Going], error) {
	return get[List[Going]](ctx, c, "/retention", params{}.number("days", int64(days)))
}

// RecallResult takes one result back: its recipient reads the reason, and can open it
// no more.
func (c *Client) RecallResult(ctx context.Context, result, reason string) (Result, error) {
	return post[Result](ctx, c, "/results/"+id(result)+"/recall", Recall{Reason: reason})
}

// RecallRun takes back every result of a run's release.
func (c *Client) RecallRun(ctx context.Context, run, reason string) (Run, error) {
	return post[Run](ctx, c, "/runs/"+id(run)+"/recall", Recall{Reason: reason})
}
