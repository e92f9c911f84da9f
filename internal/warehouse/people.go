package warehouse

import (
	"context"
	"fmt"
	"slices"

	"tributary/internal/events"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// UnscopedNames returns all names that stand for the same person of a tenant as a name,
// which is the first, by all that came until now.
func (w *Warehouse) UnscopedNames(ctx context.Context, id tenant.ID, name string) ([]string, error) {
	if err := w.Load(ctx); err != nil {
		return nil, err
	}
	if err := w.Make(ctx); err != nil {
		return nil, err
	}
	rows, err := w.choose(ctx, mostStale, `WITH who AS (SELECT coalesce(any_value(user_id), $2) AS user_id FROM dim_identity WHERE tenant = $1 AND alias = $2)
		SELECT user_id FROM who UNION SELECT i.alias FROM dim_identity i, who WHERE i.tenant = $1 AND i.user_id = who.user_id ORDER BY 1`, string(id), name)
	if err != nil {
		return nil, fmt.Errorf("find a person's names: %w", err)
	}
	names := []string{name}
	for _, row := range rows {
		if !slices.Contains(names, row[0]) {
			names = append(names, row[0])
		}
	}
	return names, nil
}

// UnscopedErase deletes a person's events, has what was made of them made again, and
// returns how many they were. What is loaded afterwards has none: Blocks leave them out.
func (w *Warehouse) UnscopedErase(ctx context.Context, r events.Erasure) (int64, error) {
	names := &query.Rows{Table: "stage_name", Columns: texts("name")}
	for _, name := range r.Names {
		names.Text(name)
	}
	w.loading.Lock()
	rows, err := w.transact(ctx, query.Transact{Rows: []*query.Rows{names}, Statements: []query.Statement{
		{SQL: `CREATE OR REPLACE TEMP TABLE gone AS SELECT key, date_trunc('hour', time) AS start FROM fact_event
			WHERE tenant = $1 AND received <= $2::TIMESTAMP AND coalesce(user_id, anonymous_id) IN (SELECT name FROM stage_name)`, Arguments: []string{string(r.Tenant), stamp(r.Through)}},
		{SQL: "DELETE FROM fact_event WHERE key IN (SELECT key FROM gone)"},
		{SQL: "UPDATE load_version SET n = n + 1"},
		{SQL: `UPDATE load_interval i SET rows = i.rows - h.n, changed = (SELECT n FROM load_version) FROM (SELECT start, count(*) AS n FROM gone GROUP BY start) h
			WHERE i.model = 'fact_event' AND i.tenant = $1 AND i.start = h.start`, Arguments: []string{string(r.Tenant)}},
		{SQL: "SELECT count(*)::VARCHAR FROM gone"},
	}})
	w.loading.Unlock()
	w.signal()
	if err != nil {
		return 0, fmt.Errorf("erase a person from the warehouse: %w", err)
	}
	var n int64
	if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
		return 0, err
	}
	return n, w.Make(ctx)
}
