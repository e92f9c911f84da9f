package client

import (
	"context"
)

// ApplyAnalysis applies a definition, in YAML. One that is not the current
// version makes a new one; Changed in the answer says which it was.
func (c *Client) ApplyAnalysis(ctx context.Context, yaml []byte) (Analysis, error) {
	return apply[Analysis](ctx, c, "/analyses", yaml)
}

// Analyses lists a page of analyses by name, to a tenant with its decision.
func (c *Client) Analyses(ctx context.Context, p Page) (List[Analysis], error) {
	return get[List[Analysis]](ctx, c, "/analyses", p.values())
}

// Analysis finds a version of an analysis, with its source; 0 means the current
// one.
func (c *Client) Analysis(ctx context.Context, name string, version int64) (Analysis, error) {
	return get[Analysis](ctx, c, "/analyses/"+id(name), params{}.number("version", version))
}

// AcceptAnalysis accepts a version of an analysis, 0 the current one: a standing
// grant for runs to use the tenant's accepted submissions.
func (c *Client) AcceptAnalysis(ctx context.Context, name string, version int64) (Acceptance, error) {
	return post[Acceptance](ctx, c, "/analyses/"+id(name)+"/accept", Decision{Version: version})
}

// DeclineAnalysis declines a version of an analysis, 0 the current one, or takes
// a yes back.
func (c *Client) DeclineAnalysis(ctx context.Context, name string, version int64) (Acceptance, error) {
	return post[Acceptance](ctx, c, "/analyses/"+id(name)+"/decline", Decision{Version: version})
}

// Acceptances lists what each tenant has decided about an analysis.
func (c *Client) Acceptances(ctx context.Context, name string) (List[Acceptance], error) {
	return get[List[Acceptance]](ctx, c, "/analyses/"+id(name)+"/acceptances", nil)
}

// StartRuns queues a run of each analysis for a business date, YYYY-MM-DD.
func (c *Client) StartRuns(ctx context.Context, analyses []string, date string) (List[Run], error) {
	return post[List[Run]](ctx, c, "/runs", NewRuns{Analyses: analyses, Date: date})
}

// PlanRuns is a dry run: it says of each analysis who would take part in a run for a
// business date and what would come of it. Nothing is stored.
func (c *Client) PlanRuns(ctx context.Context, analyses []string, date string) (List[RunPlan], error) {
	query := params{}.text("date", date)
	query["analysis"] = analyses
	return get[List[RunPlan]](ctx, c, "/runs/plan", query)
}

// RunFilter narrows the list of runs.
type RunFilter struct {
	Page
	Analysis string
	Date     string // YYYY-MM-DD
	State    string // queued, running, succeeded, withheld, skipped, failed or cancelled
	View
}

func (f RunFilter) from(cursor string) RunFilter { f.After = cursor; return f }
func (f RunFilter) limited(n int) RunFilter      { f.Page = f.Page.limited(n); return f }

// Runs lists a page of runs, the newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) (List[Run], error) {
	return get[List[Run]](ctx, c, "/runs", f.narrow(f.values()).text("analysis", f.Analysis).text("date", f.Date).text("state", f.State))
}

// Run finds a run, with its snapshot and progress.
func (c *Client) Run(ctx context.Context, run string) (Run, error) {
	return get[Run](ctx, c, "/runs/"+id(run), nil)
}

// RunLog returns the lines of a run's log behind the line with number after.
func (c *Client) RunLog(ctx context.Context, run string, after int64) (List[LogLine], error) {
	return get[List[LogLine]](ctx, c, "/runs/"+id(run)+"/log", params{}.number("after", after))
}

// CancelRun cancels a run.
func (c *Client) CancelRun(ctx context.Context, run string) (Run, error) {
	return post[Run](ctx, c, "/runs/"+id(run)+"/cancel", struct{}{})
}

// RetryRun queues a run's analysis and date once more, and returns the new run.
func (c *Client) RetryRun(ctx context.Context, run string) (Run, error) {
	return post[Run](ctx, c, "/runs/"+id(run)+"/retry", struct{}{})
}

// Manifest returns the signed manifest of a run's release.
func (c *Client) Manifest(ctx context.Context, run string) (SignedStatement, error) {
	return get[SignedStatement](ctx, c, "/runs/"+id(run)+"/manifest", nil)
}
