package warehouse

import (
	"context"

	"tributary/internal/query"
)

// Table is a table that can be asked, with its columns in their order.
type Table struct {
	Name    string
	Columns []Column
}

// Tables returns what there is to ask, by the provider or by a tenant, and nothing of
// what is in it: the same for as long as the server runs.
func (w *Warehouse) Tables(ctx context.Context, forTenants bool) ([]Table, error) {
	var found []Table
	for _, name := range Tables {
		if _, theirs := tenantTables[name]; forTenants && !theirs {
			continue
		}
		t := Table{Name: name}
		look := query.Select{Statement: query.Statement{SQL: "FROM " + name}, Tables: Tables, Rows: 1, Bytes: 1, Describe: true}
		if _, err := w.do(ctx, query.Request{Select: &look}, Into{Columns: func(columns []Column) error { t.Columns = columns; return nil }}); err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	return found, nil
}
