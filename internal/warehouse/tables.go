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

// UnscopedTables returns what there is to ask: the same for as long as the server runs.
func (w *Warehouse) UnscopedTables(ctx context.Context) ([]Table, error) {
	var found []Table
	for _, name := range Tables {
		t := Table{Name: name}
		look := query.Select{Statement: query.Statement{SQL: "FROM " + name}, Tables: Tables, Rows: 1, Bytes: 1, Describe: true}
		if _, err := w.do(ctx, query.Request{Select: &look}, func(columns []Column) error { t.Columns = columns; return nil }, func([][]byte) error { return nil }); err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	return found, nil
}
