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
		nothing := query.Select{Statement: query.Statement{SQL: "SELECT * FROM " + name + " LIMIT 0"}, Tables: Tables, Rows: 1, Bytes: MaxBytes}
		if _, err := w.do(ctx, query.Request{Select: &nothing}, func(columns []Column) error { t.Columns = columns; return nil }, func([][]byte) error { return nil }); err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	return found, nil
}
