package warehouse

import (
	"context"

	"tributary/internal/query"
)

// Harm does a statement on the warehouse that nothing else would do.
func (w *Warehouse) Harm(ctx context.Context, sql string) error {
	_, err := w.transact(ctx, query.Transact{Statements: []query.Statement{{SQL: sql}}})
	return err
}
