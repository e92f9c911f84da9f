package test

import (
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestPeriods goes through a period that is over, as the provider and two tenants
// meet it: one has sent too late, the other not at all.
func TestPeriods(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	ctx, admin := t.Context(), s.As(s.Token)
	a, b := s.exchange()
	must(admin.ApplyDataset(ctx, []byte(strings.Replace(string(servertest.Example(t, "dataset.yaml")),
		"cadence: daily\ndue: {after_days: 1, at: \"12:00\", zone: UTC}", "cadence: monthly\ndue: {after_days: 5, at: \"12:00\", zone: Europe/Zurich, grace: 6h}", 1))))(t)
	const month, end = "2024-02-01", "2024-02-29"
	a.Accepted(t, end, servertest.Values(1, end, "x,y,10"))
	b.Accepted(t, "2024-01-31", servertest.Values(2, "2024-01-31", "x,y,10")) // so it is to send since January

	of := func(c *client.Client) string {
		t.Helper()
		var lines []string
		for _, p := range must(c.Periods(ctx, client.PeriodFilter{Dataset: dataset, Date: "2024-02-10"}))(t).Items {
			if p.Date != month || p.End != end || p.Label != "2024-02" || !p.DueAt.Equal(time.Date(2024, 3, 5, 11, 0, 0, 0, time.UTC)) || !p.CutOffAt.Equal(time.Date(2024, 3, 5, 17, 0, 0, 0, time.UTC)) {
				t.Errorf("period: %+v", p)
			}
			lines = append(lines, p.TenantSlug+" "+p.State)
		}
		return strings.Join(lines, ", ")
	}
	if got, want := of(admin), "tenant-1 late, tenant-2 missing"; got != want {
		t.Errorf("the provider sees %q, want %q", got, want)
	}
	if got, want := of(a.Client), "tenant-1 late"; got != want {
		t.Errorf("A sees %q, want %q", got, want)
	}
	if got, want := of(b.Client), "tenant-2 missing"; got != want {
		t.Errorf("B sees %q, want %q", got, want)
	}
	if got := must(admin.Periods(ctx, client.PeriodFilter{From: "2024-01-01", State: "missing", TenantPage: client.TenantPage{Tenant: "tenant-1", Page: client.Page{Limit: 1}}}))(t); len(got.Items) != 1 || got.Next == "" {
		t.Errorf("A's missing, one at a time: %+v", got)
	}

	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	opened := must(admin.ReopenPeriod(ctx, dataset, "2024-02-10", client.NewReopening{Tenant: "tenant-1", Reason: "their server burned", Until: until}))(t)
	if opened.Date != month || opened.TenantSlug != "tenant-1" || !opened.Until.Equal(until) {
		t.Errorf("reopened: %+v", opened)
	}
	mine := must(a.Period(ctx, dataset, month))(t)
	if len(mine.Reopenings) != 1 || mine.Reopenings[0].Reason != "their server burned" || len(mine.Tenants) != 1 || mine.Tenants["late"] != 1 {
		t.Errorf("A's period: %+v", mine)
	}
	if theirs := must(b.Period(ctx, dataset, month))(t); len(theirs.Reopenings) != 0 || len(theirs.Tenants) != 1 || theirs.Tenants["missing"] != 1 {
		t.Errorf("B's period: %+v", theirs)
	}
	for _, sub := range must(admin.Submissions(ctx, client.SubmissionFilter{}))(t).Items {
		if want := sub.Tenant != a.ID; sub.AfterCutOff != want || !sub.Late {
			t.Errorf("submission of %s for %s: after the cut-off %v, late %v", sub.Tenant, sub.Date, sub.AfterCutOff, sub.Late)
		}
	}
	for _, events := range []client.List[client.AuditEntry]{must(a.AuditEntries(ctx, client.AuditFilter{}))(t), must(admin.AuditEntries(ctx, client.AuditFilter{Provider: true}))(t)} {
		found := false
		for _, e := range events.Items {
			found = found || e.Verb == "period.reopen" && e.Subject == opened.ID
		}
		if !found {
			t.Error("the reopening is not in an audit log")
		}
	}
	if _, err := a.ReopenPeriod(ctx, dataset, month, client.NewReopening{Tenant: "tenant-1", Reason: "please", Until: until}); !client.Is(err, client.Denied) {
		t.Errorf("a tenant reopens: %v", err)
	}
	closed := must(admin.ClosePeriod(ctx, dataset, month, "tenant-1"))(t)
	if closed.ClosedAt == nil || !closed.Until.Before(until) {
		t.Errorf("closed: %+v", closed)
	}
	if _, err := admin.ClosePeriod(ctx, dataset, month, "tenant-1"); !client.Is(err, client.Conflict) {
		t.Errorf("closed again: %v", err)
	}

	again := must(a.Send(ctx, end, servertest.Values(1, end, "x,y,10")))(t)
	if again.DuplicateOf == "" || len(again.Notes) == 0 {
		t.Errorf("the same again: %+v", again)
	}
}
