package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/client"
)

type reportCmd struct {
	Received reportReceivedCmd `cmd:"" help:"How many files came, by day or month."`
	Runs     reportRunsCmd     `cmd:"" help:"How runs went and how long they took, by day or month."`
}

// spanFlags say what a report is about.
type spanFlags struct {
	From string `placeholder:"YYYY-MM-DD" help:"First day; 29 days before the last if not said."`
	To   string `placeholder:"YYYY-MM-DD" help:"Last day; today if not said."`
	Zone string `placeholder:"ZONE" help:"Time zone of the days, such as Europe/Berlin; UTC if not said."`
	Each string `placeholder:"UNIT" enum:",day,month" default:"" help:"day or month."`
}

func (s spanFlags) query() client.ReportQuery {
	return client.ReportQuery{From: s.From, To: s.To, Zone: s.Zone, Each: s.Each}
}

// label is a bucket's, with a star if it is not a whole one.
func label(s client.ReportSpan, bucket int64) string {
	b := s.Buckets[bucket]
	if b.Partial {
		return b.Label + "*"
	}
	return b.Label
}

// about says what the figures above are of.
func (o *output) about(s client.ReportSpan) {
	partial := ""
	if slices.ContainsFunc(s.Buckets, func(b client.ReportBucket) bool { return b.Partial }) {
		partial = fmt.Sprintf("; * is no whole %s", s.Each)
	}
	o.note("%s to %s, days in %s, as of %s%s", when(s.From), when(s.To), s.Zone, when(s.AsOf), partial)
}

type reportReceivedCmd struct {
	spanFlags
	By     string `placeholder:"WHAT" enum:",dataset,tenant,channel" default:"" help:"Count by dataset, tenant or channel; all together if not said."`
	Tenant string `placeholder:"SLUG" help:"Only of this tenant."`
}

// Run counts files that came.
func (r *reportReceivedCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.ReceivedReport(ctx, r.query(), r.By, r.Tenant)
	if err != nil {
		return err
	}
	return out.answer(func() {
		var lines [][]string
		for _, f := range found.Items {
			by := f.By
			if f.TenantSlug != "" {
				by = f.TenantSlug
			}
			lines = append(lines, []string{label(found.ReportSpan, f.Bucket), by, number(f.Files), number(f.Accepted), number(f.Rejected), number(f.Withdrawn), number(f.Undecided), size(f.Bytes)})
		}
		out.table([]string{strings.ToUpper(found.Each), strings.ToUpper(r.By), "FILES", "ACCEPTED", "REJECTED", "WITHDRAWN", "UNDECIDED", "SIZE"}, lines)
		out.about(found.ReportSpan)
	})
}

type reportRunsCmd struct {
	spanFlags
	Analysis string `placeholder:"NAME" help:"Only of this analysis."`
}

// Run counts runs.
func (r *reportRunsCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	found, err := c.RunsReport(ctx, r.query(), r.Analysis)
	if err != nil {
		return err
	}
	seconds := func(s float64) string {
		return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
	}
	return out.answer(func() {
		var lines [][]string
		for _, f := range append(found.Items, found.Totals...) {
			at := "all"
			if f.Bucket >= 0 {
				at = label(found.ReportSpan, f.Bucket)
			}
			lines = append(lines, []string{at, f.Analysis, number(f.Runs), number(f.Outcomes["succeeded"]), number(f.Outcomes["withheld"]), number(f.Outcomes["skipped"]),
				number(f.Outcomes["failed"]), number(f.Outcomes["cancelled"]), seconds(f.P50Seconds), seconds(f.P95Seconds), seconds(f.MaxSeconds)})
		}
		out.table([]string{strings.ToUpper(found.Each), "ANALYSIS", "RUNS", "SUCCEEDED", "WITHHELD", "SKIPPED", "FAILED", "CANCELLED", "P50", "P95", "MAX"}, lines)
		out.about(found.ReportSpan)
	})
}

var healthColumns = columns[client.Tenant]{
	[]string{"SLUG", "STATE", "USERS", "LAST SIGN-IN", "LAST FILE", "REJECTED 30D", "MISSING", "UPLOADS", "RESULTS WAITING", "STORED"},
	func(t client.Tenant) []string {
		h := t.Health
		if h == nil { // of a server that does not know it
			h = &client.Health{}
		}
		return []string{t.Slug, t.State, number(h.Users), whenever(h.LastSignIn), whenever(h.LastSubmission), number(h.Rejected), number(h.Missing),
			number(h.OpenUploads), number(h.ResultsWaiting), size(h.StoredBytes)}
	},
}
