package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/policy"
)

// retentionRoutes are how long things are kept, and what is taken back. Their audit
// entries are written by packages control, exchange and analysis.
func (s *server) retentionRoutes() {
	add(s, route{method: http.MethodPost, path: "/holds", id: "set-hold", summary: "Set a legal hold: nothing that it covers is deleted until it is released", thing: "hold",
		action: policy.HoldSet, audience: staff, audit: "hold.set", status: http.StatusCreated}, s.setHold)
	add(s, route{method: http.MethodGet, path: "/holds", id: "list-holds", summary: "List legal holds, the newest first: one's own, or all tenants'", thing: "hold",
		action: policy.HoldRead, audience: anyone}, s.holds)
	add(s, route{method: http.MethodPost, path: "/holds/{id}/release", id: "release-hold", summary: "End a legal hold", thing: "hold",
		action: policy.HoldRelease, audience: staff, audit: "hold.release"}, s.releaseHold)
	add(s, route{method: http.MethodGet, path: "/retention", id: "preview-retention", summary: "What retention deletes until some days from now, by dataset and analysis", thing: "retention",
		action: policy.RetentionRead, audience: staff}, s.previewRetention)
	add(s, route{method: http.MethodPost, path: "/results/{id}/recall", id: "recall-result", summary: "Take a result back: its recipient reads why, and can open it no more", thing: "result",
		action: policy.ResultRecall, audience: staff, audit: "result.recall"}, s.recallResult)
	add(s, route{method: http.MethodPost, path: "/runs/{id}/recall", id: "recall-run", summary: "Take back every result of a run's release", thing: "run",
		action: policy.RunRecall, audience: staff, audit: "run.recall"}, s.recallRun)
}

func holdWord(h control.Hold) client.Hold {
	return client.Hold{ID: h.ID, Tenant: string(h.Tenant), Dataset: h.Dataset, Reason: h.Reason, SetAt: h.SetAt, SetBy: h.SetBy, ReleasedAt: h.ReleasedAt, ReleasedBy: h.ReleasedBy}
}

func (s *server) setHold(ctx context.Context, c *call, i *in[client.NewHold]) (*out[client.Hold], error) {
	h, err := s.Control.UnscopedSetHold(ctx, c.by(), i.Body.Tenant, i.Body.Dataset, i.Body.Reason)
	return answerWith(h, err, holdWord)
}

type holdList struct {
	TenantPaging
	Ended bool `query:"ended" doc:"Also those that were released"`
}

func (s *server) holds(ctx context.Context, c *call, i *holdList) (*list[client.Hold], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	var found []control.Hold
	var next string
	if c.staff() {
		found, next, err = s.Control.UnscopedHolds(ctx, id, i.Ended, i.meta())
	} else {
		scope, scopeErr := c.scope(ctx)
		if scopeErr != nil {
			return nil, scopeErr
		}
		found, next, err = s.Control.Holds(ctx, scope, i.Ended, i.meta())
	}
	if err != nil {
		return nil, err
	}
	return each(found, next, holdWord), nil
}

func (s *server) releaseHold(ctx context.Context, c *call, i *ByID) (*out[client.Hold], error) {
	h, err := s.Control.UnscopedReleaseHold(ctx, c.by(), i.ID)
	return answerWith(h, err, holdWord)
}

type preview struct {
	Days int `query:"days" minimum:"0" maximum:"36500" default:"30" doc:"Until how many days from now; 0: what is due"`
}

func (s *server) previewRetention(ctx context.Context, _ *call, i *preview) (*list[client.Going], error) {
	found, err := s.Exchange.UnscopedGoing(ctx, i.Days)
	if err != nil {
		return nil, err
	}
	return each(found, "", func(g exchange.Going) client.Going { return client.Going(g) }), nil
}

type recall struct {
	ByID
	Body client.Recall
}

func (s *server) recallResult(ctx context.Context, c *call, i *recall) (*out[client.Result], error) {
	r, err := s.Exchange.UnscopedRecall(ctx, c.by(), i.ID, i.Body.Reason)
	return answerWith(r, err, resultWord)
}

func (s *server) recallRun(ctx context.Context, c *call, i *recall) (*out[client.Run], error) {
	r, err := s.Analyses.UnscopedRecall(ctx, c.by(), i.ID, i.Body.Reason)
	return answerWith(r, err, runWord)
}
