package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"tributary/client"
	"tributary/internal/fault"
	"tributary/internal/live"
	"tributary/internal/policy"
)

// liveRoutes are streams of server-sent events. They change nothing and tell of no
// content, so they have no audit entries.
func (s *server) liveRoutes() {
	add(s, route{method: http.MethodGet, path: "/changes", id: "watch-changes", summary: "Server-sent events: what one may read has changed", thing: "change",
		action: policy.OwnChangesWatch, audience: anyone}, s.changes)
	add(s, route{method: http.MethodGet, path: "/runs/{id}/follow", id: "follow-run", summary: "Server-sent events: a run's log and progress, until it ends", thing: "run",
		action: policy.RunLog, audience: staff}, s.follow)
}

// reading is the action that lets somebody see that a thing of a kind has changed.
// Sessions are everybody's own.
var reading = map[live.Kind]policy.Action{
	live.Submission: policy.SubmissionRead, live.Upload: policy.SubmissionRead, live.Result: policy.ResultRead, live.Run: policy.RunRead,
	live.Organisation: policy.OrganisationRead, live.User: policy.UserRead, live.Key: policy.APIKeyRead,
	live.Analysis: policy.AnalysisRead, live.Dataset: policy.DatasetRead, live.Period: policy.PeriodRead, live.Schedule: policy.ScheduleRead,
	live.Webhook: policy.WebhookRead, live.Outbox: policy.OutboxRead, live.Hold: policy.HoldRead,
}

// sees says which changes of its own tenant, or for staff of all, a principal is told.
func (s *server) sees(ctx context.Context, p policy.Principal) func(live.Change) bool {
	may := func(a policy.Action) bool { return s.Policy.Allow(ctx, p, a, policy.Resource{Tenant: p.Tenant}) == nil }
	known := map[live.Kind]bool{live.Tenant: may(policy.TenantRead) || may(policy.ProfileRead)}
	for kind, action := range reading {
		known[kind] = may(action)
	}
	return func(c live.Change) bool {
		own := c.By == p.Actor() || p.User != "" && c.ID == p.User
		return known[c.Kind] || own && (c.Kind == live.Session || c.Kind == live.Key || c.Kind == live.User)
	}
}

func (s *server) changes(ctx context.Context, c *call, i *StreamFor) (*huma.StreamResponse, error) {
	// The credential's permissions are read before the place, so that nothing is told
	// that came before a permission.
	sees := s.sees(ctx, c.principal)
	var watch *live.Watch
	if c.staff() {
		watch = s.Changes.UnscopedWatch(i.place())
	} else {
		watch = s.Changes.Watch(c.principal.Tenant, i.place())
	}
	return s.stream(ctx, c, *i, source{place: watch.Place, next: func(_ context.Context, out *outgoing) (<-chan struct{}, error) {
		list, missed, more := watch.Next()
		if missed {
			return more, out.event("reset", watch.Place(), struct{}{})
		}
		seen := list[:0]
		for _, c := range list {
			if sees(c) {
				seen = append(seen, c)
			}
		}
		seen = live.Once(seen)
		for n, c := range seen {
			place := ""
			if n == len(seen)-1 { // who is cut off before it gets all of them again
				place = watch.Place()
			}
			if err := out.event("change", place, client.Change{Kind: string(c.Kind), ID: c.ID}); err != nil {
				return nil, err
			}
		}
		return more, nil
	}})
}

type followRun struct {
	ByID
	StreamFor
}

// logPage is how many lines the log gives at once.
const logPage = 1000

func (s *server) follow(ctx context.Context, c *call, i *followRun) (*huma.StreamResponse, error) {
	var after int64
	if place := i.place(); place != "" {
		var err error
		if after, err = strconv.ParseInt(place, 10, 64); err != nil || after < 0 {
			return nil, fault.New(fault.Invalid, "The log goes on after the number of a line, which %q is not.", place)
		}
	}
	if _, err := s.Analyses.UnscopedProgress(ctx, i.ID); err != nil {
		return nil, err
	}
	f := &follower{server: s, run: i.ID, after: after, first: true, watch: s.Changes.UnscopedWatch("")}
	return s.stream(ctx, c, i.StreamFor, source{place: func() string { return strconv.FormatInt(f.after, 10) }, next: f.next})
}

// follower is somebody's place in a run's log.
type follower struct {
	*server
	run   string
	after int64
	first bool
	last  client.RunProgress
	watch *live.Watch
}

// next writes the lines since the last one and the progress if it is another. The
// run's state is read before its log: of one that has ended the log is whole.
func (f *follower) next(ctx context.Context, out *outgoing) (<-chan struct{}, error) {
	list, missed, more := f.watch.Next()
	moved := f.first || missed
	for _, c := range list {
		moved = moved || c.Kind == live.Run && c.ID == f.run
	}
	if !moved {
		return more, nil
	}
	f.first = false
	r, err := f.Analyses.UnscopedProgress(ctx, f.run)
	if err != nil {
		return nil, err
	}
	lines, err := f.Analyses.UnscopedLog(ctx, f.run, f.after)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		f.after = l.Seq
		if err := out.event("line", strconv.FormatInt(l.Seq, 10), client.LogLine(l)); err != nil {
			return nil, err
		}
	}
	if len(lines) == logPage { // the next page, once this one was taken
		f.first = true
		at := make(chan struct{})
		close(at)
		return at, nil
	}
	p := client.RunProgress{State: string(r.State), Stage: r.Progress.Stage, Done: r.Progress.Done, Total: r.Progress.Total, Reason: r.Reason}
	if r.State.Done() {
		return nil, out.event("end", "", p)
	}
	if p != f.last {
		f.last = p
		return more, out.event("progress", "", p)
	}
	return more, nil
}
