package client

import "context"

// PeriodFilter narrows the list of periods. Without Date and From it is what has
// begun and is not past its cut-off, and of each dataset the last period that is.
type PeriodFilter struct {
	TenantPage
	Dataset string
	Date    string // YYYY-MM-DD: only the periods that this day is in
	From    string // YYYY-MM-DD: the periods from this day's on
	State   string // due, received, validating, rejected, accepted, late, overdue or missing
	View           // without Sort: there is one order
}

func (f PeriodFilter) from(cursor string) PeriodFilter { f.After = cursor; return f }
func (f PeriodFilter) limited(n int) PeriodFilter      { f.Page = f.Page.limited(n); return f }

// Periods lists a page of how tenants stand in the periods of datasets, by dataset,
// the newest period first, and tenant: the credential's tenant, or all.
func (c *Client) Periods(ctx context.Context, f PeriodFilter) (List[Period], error) {
	return get[List[Period]](ctx, c, "/periods", f.narrow(f.values()).text("dataset", f.Dataset).text("date", f.Date).text("from", f.From).text("state", f.State))
}

// Period finds the period of a dataset that a date, YYYY-MM-DD, is in.
func (c *Client) Period(ctx context.Context, dataset, date string) (PeriodSummary, error) {
	return get[PeriodSummary](ctx, c, "/periods/"+id(dataset)+"/"+id(date), nil)
}

// ReopenPeriod lets one tenant's files for a period count until a time after the
// cut-off.
func (c *Client) ReopenPeriod(ctx context.Context, dataset, date string, n NewReopening) (Reopening, error) {
	return post[Reopening](ctx, c, "/periods/"+id(dataset)+"/"+id(date)+"/reopen", n)
}

// ClosePeriod ends a tenant's reopening of a period now.
func (c *Client) ClosePeriod(ctx context.Context, dataset, date, tenant string) (Reopening, error) {
	return post[Reopening](ctx, c, "/periods/"+id(dataset)+"/"+id(date)+"/close", EndReopening{Tenant: tenant})
}
