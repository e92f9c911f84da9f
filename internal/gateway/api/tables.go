package api

import (
	"context"
	"net/http"

	"tributary/client"
	"tributary/internal/policy"
	"tributary/internal/warehouse"
)

// tableRoutes say what there is to ask. That names of tables and columns were read is no
// audit entry.
func (s *server) tableRoutes() {
	add(s, route{method: http.MethodGet, path: "/query/tables", id: "list-tables", summary: "List the tables that can be asked, with their columns", thing: "query",
		action: policy.WarehouseQuery, audience: anyone}, s.tables)
}

func (s *server) tables(ctx context.Context, c *call, _ *struct{}) (*list[client.Table], error) {
	found, err := s.Warehouse.Tables(ctx, !c.staff())
	if err != nil {
		return nil, err
	}
	return each(found, "", func(t warehouse.Table) client.Table {
		w := client.Table{ID: t.Name, Columns: []client.QueryColumn{}}
		for _, c := range t.Columns {
			w.Columns = append(w.Columns, client.QueryColumn{Name: c.Name, Kind: string(c.Kind)})
		}
		return w
	}), nil
}
