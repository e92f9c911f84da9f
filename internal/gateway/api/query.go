package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tributary/client"
	"tributary/internal/policy"
	"tributary/internal/tenant"
	"tributary/internal/warehouse"
)

// queryRoutes ask the warehouse, whose capability writes the audit entries.
func (s *server) queryRoutes() {
	answers := map[string]*huma.MediaType{
		asJSON:    {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.QueryAnswer](), true, "")},
		asNDJSON:  {Schema: &huma.Schema{Type: "string", Description: "A line is a row: an object of its values by name"}},
		asCSV:     {Schema: &huma.Schema{Type: "string", Description: "The first line has the names. Nothing between commas is a null; what a spreadsheet could take for a formula begins with an apostrophe"}},
		asArrow:   {Schema: &huma.Schema{Type: "string", Format: "binary", Description: "A stream of Arrow record batches"}},
		asParquet: {Schema: &huma.Schema{Type: "string", Format: "binary", Description: "A Parquet file"}},
	}
	add(s, route{method: http.MethodPost, path: "/query", id: "query", summary: "Ask the warehouse: one SELECT over all tenants' rows, or over one's own", thing: "query",
		action: policy.WarehouseQuery, audience: anyone, audit: "warehouse.query", answers: answers,
		errors: []int{http.StatusRequestEntityTooLarge}}, s.query)
	s.tableRoutes()
	add(s, route{method: http.MethodGet, path: "/queries", id: "list-queries", summary: "List the queries that are under way: one's own, or to admins all", thing: "query",
		action: policy.WarehouseQuery, audience: anyone}, s.runningQueries)
	add(s, route{method: http.MethodDelete, path: "/queries/{id}", id: "cancel-query", summary: "End a query that is under way", thing: "query",
		action: policy.WarehouseQuery, audience: anyone, audit: "query.cancel", status: http.StatusNoContent}, s.cancelQuery)

	add(s, route{method: http.MethodGet, path: "/queries/named", id: "list-named-queries", summary: "List the named queries, saved and built in: all, or those that are for tenants", thing: "query",
		action: policy.WarehouseQuery, audience: anyone}, s.namedQueries)
	add(s, route{method: http.MethodPost, path: "/queries/named", id: "save-query", summary: "Save a named query; another text makes a version", thing: "query",
		action: policy.QuerySave, audience: staff, audit: "query.save"}, s.saveQuery)
	add(s, route{method: http.MethodGet, path: "/queries/named/{id}", id: "show-named-query", summary: "Show a named query", thing: "query",
		action: policy.WarehouseQuery, audience: anyone}, s.namedQuery)
	add(s, route{method: http.MethodGet, path: "/queries/named/{id}/versions", id: "list-query-versions", summary: "List the versions of a saved query, the newest first", thing: "query",
		action: policy.QuerySave, audience: staff}, s.queryVersions)
	add(s, route{method: http.MethodDelete, path: "/queries/named/{id}", id: "delete-query", summary: "Delete a saved query", thing: "query",
		action: policy.QueryDelete, audience: staff, audit: "query.delete", status: http.StatusNoContent}, s.deleteQuery)
	add(s, route{method: http.MethodPost, path: "/queries/named/{id}/run", id: "run-named-query", summary: "Do a named query: over all tenants, or over one's own rows", thing: "query",
		action: policy.WarehouseQuery, audience: anyone, audit: "warehouse.query", answers: answers,
		errors: []int{http.StatusRequestEntityTooLarge}}, s.runQuery)
}

// answer hands the columns and rows of a query to the client as they come. The
// answer is written before the route's own, which is empty.
func (s *server) answer(ctx context.Context, c *call, accept string, do func(warehouse.Into) (warehouse.Ran, error)) (*huma.StreamResponse, error) {
	format, err := formatOf(accept)
	if err != nil {
		return nil, err
	}
	a := &answering{server: s, w: c.response, format: format}
	ran, err := do(warehouse.Into{Columns: a.begin, Row: a.each})
	if err := a.end(ctx, ran, err); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) {}}, nil
}

type asked struct {
	Accept string `header:"Accept" doc:"application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or application/vnd.apache.parquet"`
	Body   client.NewQuery
}

func (s *server) query(ctx context.Context, c *call, i *asked) (*huma.StreamResponse, error) {
	a := warehouse.Ask{SQL: i.Body.SQL, Rows: i.Body.Rows, Timeout: time.Duration(i.Body.Seconds) * time.Second, Since: i.Body.Since}
	return s.answer(ctx, c, i.Accept, func(into warehouse.Into) (warehouse.Ran, error) {
		end, err := either(ctx, c, func() (warehouse.Ended, error) { return s.Warehouse.UnscopedAsk(ctx, c.by(), a, into) },
			func(scope tenant.Scope) (warehouse.Ended, error) { return s.Warehouse.Ask(ctx, scope, a, into) })
		return warehouse.Ran{Ended: end}, err
	})
}

func runningWord(r warehouse.Running) client.RunningQuery {
	return client.RunningQuery{ID: r.ID, By: r.By, Tenant: string(r.Tenant), Name: r.Name, StartedAt: r.Began, Rows: r.Rows}
}

// runningQueries lists one's own queries; to admins those of everybody whom they are
// admins of.
func (s *server) runningQueries(ctx context.Context, c *call, _ *struct{}) (*list[client.RunningQuery], error) {
	found, err := either(ctx, c, func() ([]warehouse.Running, error) { return s.Warehouse.UnscopedRunning(c.whose()), nil },
		func(scope tenant.Scope) ([]warehouse.Running, error) {
			return s.Warehouse.Running(ctx, scope, c.principal.Role.Admin())
		})
	if err != nil {
		return nil, err
	}
	return each(found, "", runningWord), nil
}

// whose is whose queries one of the provider's people sees; empty: everybody's.
func (c *call) whose() string {
	if c.principal.Role.Admin() {
		return ""
	}
	return c.by()
}

func (s *server) cancelQuery(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	if c.staff() {
		return nil, s.Warehouse.UnscopedCancel(ctx, c.by(), c.whose(), i.ID)
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Warehouse.Cancel(ctx, scope, c.principal.Role.Admin(), i.ID)
}

// namedWord is a named query as the credential may see it: the SQL is the provider's.
func (c *call) namedWord(n warehouse.Named) client.NamedQuery {
	w := client.NamedQuery{ID: n.Name, Description: n.Description, Tenants: n.Tenants, Parameters: []client.QueryParameter{}, BuiltIn: n.Version == 0, Version: n.Version, CreatedBy: n.CreatedBy}
	for _, p := range n.Parameters {
		w.Parameters = append(w.Parameters, client.QueryParameter(p))
	}
	if !n.CreatedAt.IsZero() {
		w.CreatedAt = &n.CreatedAt
	}
	if c.staff() {
		w.Source = n.Source
	} else {
		w.CreatedBy = ""
	}
	return w
}

func (s *server) namedQueries(ctx context.Context, c *call, _ *struct{}) (*list[client.NamedQuery], error) {
	found, err := s.Warehouse.Queries(ctx, !c.staff())
	if err != nil {
		return nil, err
	}
	return each(found, "", c.namedWord), nil
}

func (s *server) saveQuery(ctx context.Context, c *call, i *in[client.NewNamedQuery]) (*out[client.NamedQuery], error) {
	n, _, err := s.Warehouse.UnscopedSave(ctx, c.by(), i.Body.Name, i.Body.Source)
	if err != nil {
		return nil, err
	}
	return &out[client.NamedQuery]{c.namedWord(n)}, nil
}

type oneNamed struct {
	ByID
	Version int64 `query:"version" minimum:"0" doc:"Of a saved query; the newest if absent"`
}

func (s *server) namedQuery(ctx context.Context, c *call, i *oneNamed) (*out[client.NamedQuery], error) {
	find := s.Warehouse.Named
	if !c.staff() {
		find = s.Warehouse.NamedForTenants
	}
	n, err := find(ctx, i.ID, i.Version)
	if err != nil {
		return nil, err
	}
	return &out[client.NamedQuery]{c.namedWord(n)}, nil
}

func (s *server) queryVersions(ctx context.Context, c *call, i *ByID) (*list[client.NamedQuery], error) {
	found, err := s.Warehouse.Versions(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	return each(found, "", c.namedWord), nil
}

func (s *server) deleteQuery(ctx context.Context, c *call, i *ByID) (*struct{}, error) {
	return nil, s.Warehouse.UnscopedDelete(ctx, c.by(), i.ID)
}

type runNamed struct {
	ByID
	Accept string `header:"Accept" doc:"application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or application/vnd.apache.parquet"`
	Body   client.QueryRun
}

func (s *server) runQuery(ctx context.Context, c *call, i *runNamed) (*huma.StreamResponse, error) {
	r := warehouse.NamedRun{Name: i.ID, Values: i.Body.Parameters, Rows: i.Body.Rows, Timeout: time.Duration(i.Body.Seconds) * time.Second}
	return s.answer(ctx, c, i.Accept, func(into warehouse.Into) (warehouse.Ran, error) {
		return either(ctx, c, func() (warehouse.Ran, error) { return s.Warehouse.UnscopedRunNamed(ctx, c.by(), r, into) },
			func(scope tenant.Scope) (warehouse.Ran, error) { return s.Warehouse.RunNamed(ctx, scope, r, into) })
	})
}
