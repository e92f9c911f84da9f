package client

import (
	"context"
	"time"
)

// Health is what one sees of a tenant at a glance. It has figures and no content.
type Health struct {
	AsOf           time.Time  `json:"as_of"`
	Users          int64      `json:"users" doc:"That are active"`
	LastSignIn     *time.Time `json:"last_sign_in,omitempty" doc:"Of a person, in a browser or with a password"`
	LastSubmission *time.Time `json:"last_submission,omitempty"`
	Rejected       int64      `json:"rejected" doc:"Files rejected in the last 30 days"`
	Missing        int64      `json:"missing" doc:"Files that are overdue or missing, of the periods that are open and the last that is over"`
	OpenUploads    int64      `json:"open_uploads"`
	ResultsWaiting int64      `json:"results_waiting" doc:"Results that nobody has downloaded"`
	StoredBytes    int64      `json:"stored_bytes" doc:"As they are sealed"`
}

// ReportSpan is the time that a report is about, resolved by the server.
type ReportSpan struct {
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to" doc:"The moment after the last"`
	Zone    string         `json:"zone"`
	Each    string         `json:"each" enum:"day,month"`
	AsOf    time.Time      `json:"as_of"`
	Buckets []ReportBucket `json:"buckets" doc:"In order, without gaps"`
}

// ReportBucket is a day or a month.
type ReportBucket struct {
	Label   string    `json:"label" doc:"2026-03-01 or 2026-03"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Partial bool      `json:"partial" doc:"It is cut by the range, or is not over: its figures are not those of a whole one"`
}

// ReceivedReport says how many files came.
type ReceivedReport struct {
	ReportSpan
	Items []ReceivedFigures `json:"items" doc:"Those with files, by bucket and group"`
}

// ReceivedFigures are those of one group in one bucket.
type ReceivedFigures struct {
	Bucket     int64  `json:"bucket" doc:"The bucket's number, from 0"`
	By         string `json:"by,omitempty" doc:"The dataset, channel or tenant's id"`
	TenantSlug string `json:"tenant_slug,omitempty"`
	Files      int64  `json:"files"`
	Accepted   int64  `json:"accepted" doc:"Replaced ones too"`
	Rejected   int64  `json:"rejected"`
	Withdrawn  int64  `json:"withdrawn"`
	Undecided  int64  `json:"undecided"`
	Bytes      int64  `json:"bytes"`
}

// RunsReport says how runs went.
type RunsReport struct {
	ReportSpan
	Items  []RunFigures `json:"items" doc:"Those with runs, by bucket and analysis"`
	Totals []RunFigures `json:"totals" doc:"By analysis, over the whole span"`
}

// RunFigures are those of one analysis in one bucket, or in the whole span.
type RunFigures struct {
	Bucket     int64            `json:"bucket" doc:"The bucket's number, from 0; -1 in totals"`
	Analysis   string           `json:"analysis"`
	Runs       int64            `json:"runs"`
	Outcomes   map[string]int64 `json:"outcomes" doc:"How many are in each state"`
	P50Seconds float64          `json:"p50_seconds" doc:"How long runs took that have ended; 0 if none has"`
	P95Seconds float64          `json:"p95_seconds"`
	MaxSeconds float64          `json:"max_seconds"`
}

// ReportQuery says what a report is about; what is empty has a default.
type ReportQuery struct {
	From, To string // first and last day, YYYY-MM-DD; the last 30 days
	Zone     string // IANA name; UTC
	Each     string // day or month
}

func (q ReportQuery) values() params {
	return params{}.text("from", q.From).text("to", q.To).text("zone", q.Zone).text("each", q.Each)
}

// ReceivedReport counts the files that came: by dataset, tenant or channel, or with ""
// all together; of a tenant, or with "" of all.
func (c *Client) ReceivedReport(ctx context.Context, q ReportQuery, by, tenant string) (ReceivedReport, error) {
	return get[ReceivedReport](ctx, c, "/reports/received", q.values().text("by", by).text("tenant", tenant))
}

// RunsReport counts the runs that were started, of an analysis or with "" of all.
func (c *Client) RunsReport(ctx context.Context, q ReportQuery, analysis string) (RunsReport, error) {
	return get[RunsReport](ctx, c, "/reports/runs", q.values().text("analysis", analysis))
}
