package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/period"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// periodRoutes are who owes which file by when. Their audit entries are written by
// package exchange.
func (s *server) periodRoutes() {
	add(s, route{method: http.MethodGet, path: "/periods", id: "list-periods", summary: "List how tenants stand in the periods of datasets: oneself, or all", thing: "period",
		action: policy.PeriodRead, audience: anyone, view: period.StatusList.Words()}, s.periods)
	add(s, route{method: http.MethodGet, path: "/periods/{id}/{date}", id: "show-period", summary: "Show a dataset's period: when it is due, who stands how, reopenings", thing: "period",
		action: policy.PeriodRead, audience: anyone}, s.period)
	add(s, route{method: http.MethodPost, path: "/periods/{id}/{date}/reopen", id: "reopen-period", summary: "Let one tenant's files for a period count until a time after the cut-off", thing: "period",
		action: policy.PeriodReopen, audience: staff, audit: "period.reopen", status: http.StatusCreated}, s.reopenPeriod)
	add(s, route{method: http.MethodPost, path: "/periods/{id}/{date}/close", id: "close-period", summary: "End a tenant's reopening of a period now", thing: "period",
		action: policy.PeriodReopen, audience: staff, audit: "period.close"}, s.closePeriod)
}

type periodList struct {
	TenantViewing
	Dataset string `query:"dataset" maxLength:"100"`
	Date    string `query:"date" format:"date" doc:"Only the periods that this day is in"`
	From    string `query:"from" format:"date" doc:"The periods from this day's on. Without date and from: those that have begun and are not past their cut-off, and of each dataset the last that is"`
	State   string `query:"state" enum:"due,received,validating,rejected,accepted,late,overdue,missing"`
}

func (s *server) periods(ctx context.Context, c *call, i *periodList) (*list[client.Period], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	f := period.Filter{Dataset: i.Dataset, Date: i.Date, From: i.From, State: period.State(i.State), Tenant: id}
	var found []period.Status
	var next string
	if c.staff() {
		found, next, err = s.Periods.UnscopedStatuses(ctx, f, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Periods.Statuses(ctx, scope, f, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, func(p period.Status) client.Period {
		return client.Period{Dataset: p.Dataset, Date: p.Date, End: p.End, Label: p.Label, DueAt: p.DueAt, CutOffAt: p.CutOffAt, Tenant: string(p.Tenant), TenantSlug: p.Slug,
			State: string(p.State), ReopenedUntil: p.ReopenedUntil, Submission: p.Submission, ReceivedAt: p.ReceivedAt}
	}), nil
}

// OnePeriod names a period by its dataset and a day in it.
type OnePeriod struct {
	ByID
	Date string `path:"date" format:"date" doc:"A day of the period; its first is its name"`
}

func (s *server) period(ctx context.Context, c *call, i *OnePeriod) (*out[client.PeriodSummary], error) {
	var found period.Summary
	var err error
	if c.staff() {
		found, err = s.Periods.UnscopedPeriod(ctx, i.ID, i.Date)
	} else {
		var scope tenant.Scope
		if scope, err = c.scope(ctx); err != nil {
			return nil, err
		}
		found, err = s.Periods.Period(ctx, scope, i.ID, i.Date)
	}
	if err != nil {
		return nil, err
	}
	w := client.PeriodSummary{Dataset: found.Dataset, Date: found.Date, End: found.End, Label: found.Label, DueAt: found.DueAt, CutOffAt: found.CutOffAt,
		Tenants: map[string]int64{}, Reopenings: []client.Reopening{}}
	for state, n := range found.Counts {
		w.Tenants[string(state)] = n
	}
	for _, r := range found.Reopenings {
		t, err := s.Control.UnscopedTenant(ctx, string(r.Tenant)) // a tenant's are its own
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		w.Reopenings = append(w.Reopenings, reopeningWord(r, t.Slug))
	}
	return &out[client.PeriodSummary]{w}, nil
}

func reopeningWord(r exchange.Reopening, slug string) client.Reopening {
	return client.Reopening{ID: r.ID, Tenant: string(r.Tenant), TenantSlug: slug, Dataset: r.Dataset, Date: r.Date, Reason: r.Reason, Until: r.Until,
		CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, ClosedAt: r.ClosedAt, ClosedBy: r.ClosedBy}
}

type reopening struct {
	OnePeriod
	Body client.NewReopening
}

func (s *server) reopenPeriod(ctx context.Context, c *call, i *reopening) (*out[client.Reopening], error) {
	t, err := s.Control.UnscopedTenant(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := s.Exchange.UnscopedReopen(ctx, c.by(), exchange.NewReopening{Tenant: t.ID, Dataset: i.ID, Date: i.Date, Reason: i.Body.Reason, Until: i.Body.Until})
	return answerWith(r, err, func(r exchange.Reopening) client.Reopening { return reopeningWord(r, t.Slug) })
}

type closing struct {
	OnePeriod
	Body client.EndReopening
}

func (s *server) closePeriod(ctx context.Context, c *call, i *closing) (*out[client.Reopening], error) {
	t, err := s.Control.UnscopedTenant(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := s.Exchange.UnscopedEndReopening(ctx, c.by(), t.ID, i.ID, i.Date)
	return answerWith(r, err, func(r exchange.Reopening) client.Reopening { return reopeningWord(r, t.Slug) })
}
