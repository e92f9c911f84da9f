package api

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"tributary/client"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/query"
	"tributary/internal/warehouse"
)

// maxAnswer is how many bytes of values an answer has at most: it is gathered before
// it is sent, so that a SELECT that fails half-way is an error and not half an answer.
const maxAnswer = 32 << 20

// queryRoutes ask the warehouse, whose capability writes the audit entries.
func (s *server) queryRoutes() {
	add(s, route{method: http.MethodPost, path: "/query", id: "query", summary: "Ask the warehouse: one SELECT over all tenants' rows, or over one's own", thing: "query",
		action: policy.WarehouseQuery, audience: anyone, audit: "warehouse.query", secret: true,
		errors: []int{http.StatusRequestEntityTooLarge}}, s.query)
	s.tableRoutes()

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
		action: policy.WarehouseQuery, audience: anyone, audit: "warehouse.query", secret: true,
		errors: []int{http.StatusRequestEntityTooLarge}}, s.runQuery)
}

// gathered is an answer that is gathered.
type gathered struct {
	client.QueryAnswer
	kinds []query.Kind
	size  int
}

func (g *gathered) begin(columns []warehouse.Column) error {
	g.Columns, g.Rows = []client.QueryColumn{}, [][]any{}
	for _, x := range columns {
		g.Columns = append(g.Columns, client.QueryColumn{Name: x.Name, Kind: string(x.Kind)})
		g.kinds = append(g.kinds, x.Kind)
	}
	return nil
}

func (g *gathered) each(values [][]byte) error {
	row := make([]any, len(values))
	for n, v := range values {
		g.size += len(v) + 16
		row[n] = jsonOf(g.kinds[n], v)
	}
	if g.size > maxAnswer {
		return fault.New(fault.TooLarge, "The answer has more than %d MiB. Ask for fewer rows or columns.", maxAnswer>>20)
	}
	g.Rows = append(g.Rows, row)
	return nil
}

func (s *server) query(ctx context.Context, c *call, i *in[client.NewQuery]) (*out[client.QueryAnswer], error) {
	var g gathered
	a := warehouse.Ask{SQL: i.Body.SQL, Rows: i.Body.Rows, Timeout: time.Duration(i.Body.Seconds) * time.Second, Since: i.Body.Since}
	var end warehouse.Ended
	var err error
	if c.staff() {
		end, err = s.Warehouse.UnscopedAsk(ctx, c.by(), a, g.begin, g.each)
	} else if scope, bad := c.scope(ctx); bad == nil {
		end, err = s.Warehouse.Ask(ctx, scope, a, g.begin, g.each)
	} else {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	g.Truncated = end.Truncated
	return &out[client.QueryAnswer]{Body: g.QueryAnswer}, nil
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
	Body client.QueryRun
}

func (s *server) runQuery(ctx context.Context, c *call, i *runNamed) (*out[client.QueryAnswer], error) {
	var g gathered
	r := warehouse.NamedRun{Name: i.ID, Values: i.Body.Parameters, Rows: i.Body.Rows, Timeout: time.Duration(i.Body.Seconds) * time.Second}
	var ran warehouse.Ran
	var err error
	if c.staff() {
		ran, err = s.Warehouse.UnscopedRunNamed(ctx, c.by(), r, g.begin, g.each)
	} else if scope, bad := c.scope(ctx); bad == nil {
		ran, err = s.Warehouse.RunNamed(ctx, scope, r, g.begin, g.each)
	} else {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	g.Truncated, g.Cached = ran.Truncated, ran.Cached
	return &out[client.QueryAnswer]{Body: g.QueryAnswer}, nil
}

// exact is the largest whole number that every reader of JSON keeps as it is.
const exact = 1 << 53

// jsonOf is a value as JSON has it. What JSON's numbers cannot hold stays a text:
// whole numbers beyond 2^53, decimals, and what is no finite number.
func jsonOf(kind query.Kind, v []byte) any {
	if v == nil {
		return nil
	}
	switch kind {
	case query.KindBoolean:
		return string(v) == "true"
	case query.KindInteger:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n <= exact && n >= -exact {
			return n
		}
	case query.KindNumber:
		if f, err := strconv.ParseFloat(string(v), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	case query.KindJSON:
		if json.Valid(v) {
			return json.RawMessage(v)
		}
	}
	return string(v)
}
