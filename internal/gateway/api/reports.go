package api

import (
	"context"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/policy"
	"tributary/internal/span"
	"tributary/internal/tenant"
)

// reportRoutes are figures about all tenants: counts, times and bytes, no content.
func (s *server) reportRoutes() {
	add(s, route{method: http.MethodGet, path: "/reports/received", id: "report-received", summary: "How many files came, by day or month", thing: "report",
		action: policy.ReportRead, audience: staff}, s.received)
	add(s, route{method: http.MethodGet, path: "/reports/runs", id: "report-runs", summary: "How runs went and how long they took, by day or month", thing: "report",
		action: policy.ReportRead, audience: staff}, s.executed)
}

// SpanAsked are the inputs that every report has.
type SpanAsked struct {
	From string `query:"from" doc:"First day, YYYY-MM-DD; 29 days before the last if absent" maxLength:"10"`
	To   string `query:"to" doc:"Last day; today if absent" maxLength:"10"`
	Zone string `query:"zone" doc:"IANA time zone; UTC if absent" maxLength:"64"`
	Each string `query:"each" enum:"day,month" doc:"day if absent, of more than 93 days month"`
}

func (s *server) span(i SpanAsked) (span.Span, client.ReportSpan, error) {
	now := s.Clock.Now()
	found, err := span.Resolve(now, span.Query{From: i.From, To: i.To, Zone: i.Zone, Each: i.Each})
	w := client.ReportSpan{From: found.From, To: found.To, Zone: found.Zone, Each: found.Each, AsOf: now}
	for _, b := range found.Buckets {
		w.Buckets = append(w.Buckets, client.ReportBucket{Label: b.Label, From: b.From, To: b.To, Partial: b.Partial})
	}
	return found, w, err
}

type receivedAsked struct {
	SpanAsked
	By     string `query:"by" enum:"dataset,tenant,channel" doc:"All together if absent"`
	Tenant string `query:"tenant" doc:"Only of this tenant, by id or slug"`
}

func (s *server) received(ctx context.Context, c *call, i *receivedAsked) (*out[client.ReceivedReport], error) {
	over, w, err := s.span(i.SpanAsked)
	if err != nil {
		return nil, err
	}
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	found, err := s.Exchange.UnscopedReceived(ctx, over, i.By, id)
	if err != nil {
		return nil, err
	}
	report := client.ReceivedReport{ReportSpan: w, Items: []client.ReceivedFigures{}}
	var ids []tenant.ID
	for _, r := range found {
		report.Items = append(report.Items, client.ReceivedFigures{Bucket: r.Bucket, By: r.By, Files: r.Files, Accepted: r.Accepted, Rejected: r.Rejected,
			Withdrawn: r.Withdrawn, Undecided: r.Undecided, Bytes: r.Bytes})
		ids = append(ids, tenant.ID(r.By))
	}
	if i.By != "tenant" {
		return &out[client.ReceivedReport]{report}, nil
	}
	tenants, err := s.Control.UnscopedTenantsIn(ctx, s.DB, ids)
	for n := range report.Items {
		report.Items[n].TenantSlug = tenants[ids[n]].Slug
	}
	return &out[client.ReceivedReport]{report}, err
}

type executedAsked struct {
	SpanAsked
	Analysis string `query:"analysis" doc:"Only of this analysis" maxLength:"200"`
}

func (s *server) executed(ctx context.Context, _ *call, i *executedAsked) (*out[client.RunsReport], error) {
	over, w, err := s.span(i.SpanAsked)
	if err != nil {
		return nil, err
	}
	found, err := s.Analyses.UnscopedExecuted(ctx, over, i.Analysis)
	if err != nil {
		return nil, err
	}
	report := client.RunsReport{ReportSpan: w, Items: []client.RunFigures{}, Totals: []client.RunFigures{}}
	for _, e := range found {
		f := client.RunFigures{Bucket: e.Bucket, Analysis: e.Analysis, Runs: e.Runs, Outcomes: map[string]int64{},
			P50Seconds: e.P50.Seconds(), P95Seconds: e.P95.Seconds(), MaxSeconds: e.Max.Seconds()}
		for state, n := range e.Outcomes {
			f.Outcomes[string(state)] = n
		}
		if e.Bucket < 0 {
			report.Totals = append(report.Totals, f)
		} else {
			report.Items = append(report.Items, f)
		}
	}
	return &out[client.RunsReport]{report}, nil
}

// WithHealth is the input of routes that can add tenants' health.
type WithHealth struct {
	Health bool `query:"health" doc:"With the health of each: people, files, results, bytes"`
}

// rejectedFor is how far back the rejected files of a tenant's health go.
const rejectedFor = 30 * 24 * time.Hour

// addHealth adds the health of tenants, with as many questions for many as for one.
func (s *server) addHealth(ctx context.Context, words []client.Tenant) error {
	now := s.Clock.Now()
	ids := make([]tenant.ID, len(words))
	for n, w := range words {
		ids[n] = tenant.ID(w.ID)
	}
	only := tenant.ID("")
	if len(ids) == 1 {
		only = ids[0]
	}
	people, err := s.Accounts.UnscopedPresence(ctx, ids)
	if err != nil {
		return err
	}
	activity, err := s.Exchange.UnscopedActivity(ctx, ids, now.Add(-rejectedFor))
	if err != nil {
		return err
	}
	missing, err := s.Periods.UnscopedMissing(ctx, only)
	if err != nil {
		return err
	}
	for n, id := range ids {
		p, a := people[id], activity[id]
		words[n].Health = &client.Health{AsOf: now, Users: p.Users, LastSignIn: p.LastSignIn, LastSubmission: a.LastSubmission, Rejected: a.Rejected,
			Missing: missing[id], OpenUploads: a.OpenUploads, ResultsWaiting: a.Waiting, StoredBytes: a.Stored}
	}
	return nil
}
