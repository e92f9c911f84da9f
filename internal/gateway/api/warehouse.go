package api

import (
	"context"
	"net/http"
	"time"

	"tributary/client"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// warehouseRoutes tell how the warehouse is doing and how new what it has is, and
// rebuild it. Rebuilds are audited by package warehouse.
func (s *server) warehouseRoutes() {
	add(s, route{method: http.MethodGet, path: "/freshness", id: "list-freshness", summary: "How new each source, fact and model is: one's own, or all tenants' and the streams", thing: "warehouse",
		action: policy.FreshnessRead, audience: anyone}, s.freshness)
	add(s, route{method: http.MethodGet, path: "/warehouse", id: "show-warehouse", summary: "How far the warehouse is loaded and made, and the rebuild that runs or ran last", thing: "warehouse",
		action: policy.WarehouseRead, audience: staff}, s.warehouse)
	add(s, route{method: http.MethodPost, path: "/warehouse/rebuild", id: "start-rebuild", summary: "Make rows of the warehouse anew: facts of what the archive and the streams have, models of the facts", thing: "warehouse",
		action: policy.WarehouseRebuild, audience: staff, audit: "warehouse.rebuild", status: http.StatusAccepted}, s.startRebuild)
	add(s, route{method: http.MethodDelete, path: "/warehouse/rebuild", id: "cancel-rebuild", summary: "End the rebuild that runs; what it has written stays", thing: "warehouse",
		action: policy.WarehouseRebuild, audience: staff, audit: "warehouse.cancel", status: http.StatusOK}, s.cancelRebuild)
}

type freshnessAsked struct {
	Tenant string `query:"tenant" doc:"Only of this tenant, by id or slug, with its models; for the provider's credentials only"`
	Kind   string `query:"kind" enum:"source,stream,fact,model"`
	State  string `query:"state" enum:"fresh,late,silent,never,broken"`
}

func (s *server) freshness(ctx context.Context, c *call, i *freshnessAsked) (*list[client.Freshness], error) {
	id, err := c.named(ctx, i.Tenant)
	if err != nil {
		return nil, err
	}
	found, err := either(ctx, c, func() ([]warehouse.Freshness, error) { return s.Warehouse.UnscopedFreshness(ctx, id) },
		func(scope tenant.Scope) ([]warehouse.Freshness, error) { return s.Warehouse.Freshness(ctx, scope) })
	if err != nil {
		return nil, err
	}
	wanted := []warehouse.Freshness{}
	for _, f := range found {
		if (i.Kind == "" || f.Kind == i.Kind) && (i.State == "" || string(f.State) == i.State) {
			wanted = append(wanted, f)
		}
	}
	return each(wanted, "", freshnessWord), nil
}

func freshnessWord(f warehouse.Freshness) client.Freshness {
	return client.Freshness{Kind: f.Kind, Name: f.Name, Tenant: string(f.Tenant), State: string(f.State), LastAt: known(f.Last), CompleteTo: known(f.Complete),
		LagSeconds: int64(f.Lag.Seconds()), ExpectedSeconds: int64(f.Expected.Seconds()), Declared: f.Declared, Problem: f.Problem}
}

// known is a time that may be none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.Truncate(time.Microsecond)
	return &t
}

func (s *server) warehouse(ctx context.Context, _ *call, _ *struct{}) (*out[client.Warehouse], error) {
	found, err := s.Warehouse.UnscopedStatus(ctx)
	if err != nil {
		return nil, err
	}
	w := client.Warehouse{Streams: []client.LoadedStream{}, Tables: []client.MadeTable{}, Problems: found.Problems}
	for _, x := range found.Streams {
		w.Streams = append(w.Streams, client.LoadedStream{Stream: x.Stream, Loaded: x.Loaded, Last: x.Last, Through: known(x.Through), Problem: x.Problem})
	}
	for _, x := range found.Tables {
		w.Tables = append(w.Tables, client.MadeTable{Name: x.Name, Each: x.Made, Rows: x.Rows, Intervals: x.Intervals, Stale: x.Stale, NewestAt: known(x.Newest), ChangedAt: known(x.Changed), Problem: x.Problem})
	}
	if found.Rebuild != nil {
		r := rebuildWord(*found.Rebuild)
		w.Rebuild = &r
	}
	return &out[client.Warehouse]{Body: w}, nil
}

func rebuildWord(r warehouse.Rebuilding) client.Rebuild {
	return client.Rebuild{Table: r.Table, Tenant: string(r.Tenant), From: known(r.From), To: known(r.To), State: r.State, StartedBy: r.By, StartedAt: r.Began.Truncate(time.Microsecond), EndedAt: known(r.Ended),
		Stream: r.Stream, Archived: r.Archived, Read: r.Read, Last: r.Last, Rows: r.Rows, Intervals: r.Intervals, Unread: r.Unread, Problem: r.Problem}
}

func (s *server) startRebuild(ctx context.Context, c *call, i *in[client.NewRebuild]) (*out[client.Rebuild], error) {
	id, err := c.named(ctx, i.Body.Tenant)
	if err != nil {
		return nil, err
	}
	r := warehouse.Rebuild{Table: i.Body.Table, Tenant: id}
	if i.Body.From != nil {
		r.From = i.Body.From.UTC()
	}
	if i.Body.To != nil {
		r.To = i.Body.To.UTC()
	}
	found, err := s.Warehouse.UnscopedRebuild(ctx, c.by(), r)
	if err != nil {
		return nil, err
	}
	return &out[client.Rebuild]{rebuildWord(found)}, nil
}

func (s *server) cancelRebuild(ctx context.Context, c *call, _ *struct{}) (*out[client.Rebuild], error) {
	found, err := s.Warehouse.UnscopedCancelRebuild(ctx, c.by())
	if err != nil {
		return nil, err
	}
	return &out[client.Rebuild]{rebuildWord(found)}, nil
}
