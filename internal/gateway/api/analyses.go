package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/analysis"
	"tributary/internal/fault"
	"tributary/internal/policy"
)

// analysisRoutes are definitions, acceptances and runs. Their audit entries are
// written by package analysis.
func (s *server) analysisRoutes() {
	add(s, route{method: http.MethodPost, path: "/analyses", id: "apply-analysis", summary: "Apply a definition; a changed one makes a version", thing: "analysis",
		action: policy.AnalysisApply, audience: staff, audit: "analysis.apply", yaml: true}, s.applyAnalysis)
	add(s, route{method: http.MethodGet, path: "/analyses", id: "list-analyses", summary: "List analyses by name, with one's own decision", thing: "analysis",
		action: policy.AnalysisRead, audience: anyone}, s.analyses)
	add(s, route{method: http.MethodGet, path: "/analyses/{id}", id: "show-analysis", summary: "Show a version of an analysis, also in plain words", thing: "analysis",
		action: policy.AnalysisRead, audience: anyone}, s.analysis)
	add(s, route{method: http.MethodPost, path: "/analyses/{id}/accept", id: "accept-analysis", summary: "Accept a version: a standing grant to use one's accepted submissions", thing: "analysis",
		action: policy.AnalysisAccept, audience: tenants, audit: "analysis.accepted"}, s.accept)
	add(s, route{method: http.MethodPost, path: "/analyses/{id}/decline", id: "decline-analysis", summary: "Decline a version, or take a yes back", thing: "analysis",
		action: policy.AnalysisDecline, audience: tenants, audit: "analysis.declined"}, s.decline)
	add(s, route{method: http.MethodGet, path: "/analyses/{id}/acceptances", id: "list-acceptances", summary: "What each tenant has decided", thing: "analysis",
		action: policy.AcceptanceRead, audience: staff}, s.acceptances)

	add(s, route{method: http.MethodPost, path: "/runs", id: "start-runs", summary: "Run analyses for a business date", thing: "run",
		action: policy.RunStart, audience: staff, audit: "run.start", status: http.StatusCreated}, s.startRuns)
	add(s, route{method: http.MethodGet, path: "/runs", id: "list-runs", summary: "List runs, the newest first", thing: "run",
		action: policy.RunRead, audience: staff, view: analysis.RunList.Words()}, s.runs)
	add(s, route{method: http.MethodGet, path: "/runs/plan", id: "plan-runs", summary: "A dry run: who would take part and what would come of it; nothing is stored", thing: "run",
		action: policy.RunPlan, audience: staff}, s.planRuns)
	add(s, route{method: http.MethodGet, path: "/runs/{id}", id: "show-run", summary: "Show a run, its snapshot and progress", thing: "run",
		action: policy.RunRead, audience: staff}, s.run)
	add(s, route{method: http.MethodGet, path: "/runs/{id}/log", id: "show-run-log", summary: "A run's log, from after a line", thing: "run",
		action: policy.RunLog, audience: staff}, s.runLog)
	add(s, route{method: http.MethodPost, path: "/runs/{id}/cancel", id: "cancel-run", summary: "Cancel a run", thing: "run",
		action: policy.RunCancel, audience: staff, audit: "run.cancel"}, s.cancelRun)
	add(s, route{method: http.MethodPost, path: "/runs/{id}/retry", id: "retry-run", summary: "Queue a run's analysis and date once more", thing: "run",
		action: policy.RunRetry, audience: staff, audit: "run.start", status: http.StatusCreated}, s.retryRun)
	add(s, route{method: http.MethodGet, path: "/runs/{id}/manifest", id: "show-manifest", summary: "The signed manifest of a run's release", thing: "run",
		action: policy.RunManifest, audience: staff}, s.manifest)
}

func (s *server) applyAnalysis(ctx context.Context, c *call, i *document) (*out[client.Analysis], error) {
	a, changed, err := s.Analyses.UnscopedApply(ctx, c.by(), i.RawBody)
	if err != nil {
		return nil, err
	}
	w := analysisWord(a)
	w.Source, w.Changed = a.Source, &changed
	return &out[client.Analysis]{w}, nil
}

func (s *server) analyses(ctx context.Context, c *call, i *Paging) (*list[client.Analysis], error) {
	found, next, err := s.Analyses.Analyses(ctx, i.meta())
	if err != nil {
		return nil, err
	}
	words := each(found, next, analysisWord)
	for n := range found {
		if err := s.stand(ctx, c, found[n], &words.Body.Items[n]); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// stand adds to an analysis how the tenant that asks stands to it, and how many
// have accepted.
func (s *server) stand(ctx context.Context, c *call, a analysis.Analysis, w *client.Analysis) error {
	accepted, verified, err := s.Analyses.UnscopedCounts(ctx, a.Name)
	if err != nil {
		return err
	}
	w.Organisations = &client.Counted{Accepted: accepted, Verified: verified}
	if c.staff() {
		return nil
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return err
	}
	st, err := s.Analyses.Standing(ctx, scope, a)
	if err != nil {
		return err
	}
	w.Decision, w.DecidedFor, w.Widened = "open", st.For, st.Widened
	if st.Decision != "" && len(st.Widened) == 0 {
		w.Decision = string(st.Decision)
	}
	return nil
}

func (s *server) analysis(ctx context.Context, c *call, i *versioned) (*out[client.Analysis], error) {
	a, err := s.Analyses.Analysis(ctx, i.ID, i.Version)
	if err != nil {
		return nil, err
	}
	w := analysisWord(a)
	if c.staff() { // it has the parameters of the rules, which participants are not told
		w.Source = a.Source
	}
	if err := s.stand(ctx, c, a, &w); err != nil {
		return nil, err
	}
	return &out[client.Analysis]{w}, nil
}

type decision struct {
	ByID
	Body client.Decision
}

func (s *server) accept(ctx context.Context, c *call, i *decision) (*out[client.Acceptance], error) {
	return s.decide(ctx, c, i, analysis.Accepted)
}

func (s *server) decline(ctx context.Context, c *call, i *decision) (*out[client.Acceptance], error) {
	return s.decide(ctx, c, i, analysis.Declined)
}

func (s *server) decide(ctx context.Context, c *call, i *decision, d analysis.Decision) (*out[client.Acceptance], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	a, err := s.Analyses.Decide(ctx, scope, i.ID, i.Body.Version, d)
	return answerWith(a, err, func(a analysis.Acceptance) client.Acceptance { return acceptanceWord(a) })
}

func acceptanceWord(a analysis.Acceptance) client.Acceptance {
	return client.Acceptance{Tenant: string(a.Tenant), Analysis: a.Analysis, Version: a.Version, Decision: string(a.Decision),
		Covers: a.Decision == analysis.Accepted, DecidedAt: a.DecidedAt, DecidedBy: a.DecidedBy}
}

func (s *server) acceptances(ctx context.Context, _ *call, i *ByID) (*list[client.Acceptance], error) {
	found, err := s.Analyses.UnscopedStands(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	words := each(found, "", func(x analysis.Stand) client.Acceptance {
		w := acceptanceWord(x.Acceptance)
		w.Covers = x.Covers
		return w
	})
	for n := range words.Body.Items {
		t, err := s.Control.UnscopedTenant(ctx, words.Body.Items[n].Tenant)
		if err != nil {
			return nil, err
		}
		words.Body.Items[n].TenantSlug = t.Slug
	}
	return words, nil
}

func (s *server) startRuns(ctx context.Context, c *call, i *in[client.NewRuns]) (*list[client.Run], error) {
	found, err := s.Analyses.UnscopedStart(ctx, c.by(), i.Body.Analyses, i.Body.Date, nil)
	if err != nil {
		return nil, err
	}
	return each(found, "", runWord), nil
}

type planAsked struct {
	Analyses []string `query:"analysis,explode" required:"true" minItems:"1" maxItems:"100" doc:"Their names"`
	Date     string   `query:"date" format:"date" required:"true"`
}

func (s *server) planRuns(ctx context.Context, _ *call, i *planAsked) (*list[client.RunPlan], error) {
	found, err := s.Analyses.UnscopedPlan(ctx, i.Analyses, i.Date)
	if err != nil {
		return nil, err
	}
	return each(found, "", planWord), nil
}

func planWord(p analysis.Plan) client.RunPlan {
	w := client.RunPlan{Analysis: p.Analysis, Version: p.Version, Date: p.Date, Quorum: p.Quorum, QuorumHolds: p.Enough, Organisations: p.Organisations,
		Participants: []client.PlannedPart{}, Missing: []client.PlannedLack{}, Declined: p.Declined, Release: p.Release, Outcome: p.Outcome,
		Notes: append([]string{}, p.Notes...), Rows: p.Rows, Bytes: p.Bytes}
	for _, x := range p.Participants {
		w.Participants = append(w.Participants, client.PlannedPart{Tenant: string(x.Tenant), TenantSlug: x.Slug, Datasets: x.Datasets})
	}
	for _, x := range p.Missing {
		w.Missing = append(w.Missing, client.PlannedLack{Tenant: string(x.Tenant), TenantSlug: x.Slug, Dataset: x.Dataset, Reason: x.Reason})
	}
	return w
}

type runList struct {
	Viewing
	Analysis string `query:"analysis"`
	Date     string `query:"date" format:"date"`
	State    string `query:"state" enum:"queued,running,succeeded,withheld,skipped,failed,cancelled"`
}

func (s *server) runs(ctx context.Context, _ *call, i *runList) (*list[client.Run], error) {
	found, next, err := s.Analyses.UnscopedRuns(ctx, analysis.RunFilter{Analysis: i.Analysis, Date: i.Date, State: analysis.RunState(i.State)}, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, runWord), nil
}

func (s *server) run(ctx context.Context, _ *call, i *ByID) (*out[client.Run], error) {
	r, err := s.Analyses.UnscopedRun(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	w := runWord(r)
	slugs := map[string]string{}
	for n := range w.Inputs {
		id := w.Inputs[n].Tenant
		if slugs[id] == "" {
			t, err := s.Control.UnscopedTenant(ctx, id)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			slugs[id] = t.Slug
		}
		w.Inputs[n].TenantSlug = slugs[id]
	}
	return &out[client.Run]{w}, nil
}

type logAfter struct {
	ByID
	After int64 `query:"after" minimum:"0" doc:"The number of the last line seen"`
}

func (s *server) runLog(ctx context.Context, _ *call, i *logAfter) (*list[client.LogLine], error) {
	found, err := s.Analyses.UnscopedLog(ctx, i.ID, i.After)
	if err != nil {
		return nil, err
	}
	return each(found, "", func(l analysis.LogLine) client.LogLine { return client.LogLine(l) }), nil
}

func (s *server) cancelRun(ctx context.Context, c *call, i *ByID) (*out[client.Run], error) {
	r, err := s.Analyses.UnscopedCancel(ctx, c.by(), i.ID)
	return answerWith(r, err, runWord)
}

func (s *server) retryRun(ctx context.Context, c *call, i *ByID) (*out[client.Run], error) {
	r, err := s.Analyses.UnscopedRetry(ctx, c.by(), i.ID)
	return answerWith(r, err, runWord)
}

func (s *server) manifest(ctx context.Context, _ *call, i *ByID) (*out[client.SignedStatement], error) {
	body, signature, err := s.Analyses.UnscopedManifest(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.SignedStatement]{*s.signed(body, signature)}, nil
}
