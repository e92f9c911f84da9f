package warehouse

import (
	"context"
	"fmt"
	"slices"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/tenant"
)

// UnscopedPerson finds out who is somebody of a tenant's, by all that came until now: the
// name itself, and linked, the anonymous ids that dim_identity has for it. Those that stand
// for anybody else too, or that are used as a user's, are told and not taken. It is TooLarge
// if there are more than events.MostNames, and Unavailable while the past is being loaded.
func (w *Warehouse) UnscopedPerson(ctx context.Context, id tenant.ID, name string, linked bool) (p events.Person, err error) {
	if w.past != nil && !w.filled.Load() {
		return p, fault.New(fault.Unavailable, "The warehouse is still being filled with the past; try again later.")
	}
	if err := w.Load(ctx); err != nil {
		return p, err
	}
	p.Names = []string{name}
	if linked {
		if err := w.makeOf(ctx, id, "link_day"); err != nil {
			return p, err
		}
		rows, err := w.choose(ctx, events.MostNames, `SELECT i.alias, EXISTS (SELECT 1 FROM link_day o WHERE o.tenant = $1 AND o.alias = i.alias AND o.user_id <> $2)
				OR EXISTS (SELECT 1 FROM fact_event e WHERE e.tenant = $1 AND e.user_id = i.alias)
			FROM (SELECT alias FROM dim_identity WHERE tenant = $1 AND user_id = $2 UNION SELECT alias FROM link_day WHERE tenant = $1 AND user_id = $2) i WHERE i.alias NOT IN ('', $2) ORDER BY 1`, string(id), name)
		if err != nil {
			return p, fmt.Errorf("find a person's names: %w", err)
		}
		if len(rows) >= events.MostNames {
			return p, fault.New(fault.TooLarge, "More than %d anonymous ids are linked with that name, and one erasure takes so many names at most. Erase the name alone, and the ids one by one.", events.MostNames-1)
		}
		for _, row := range rows {
			if row[1] == "true" {
				p.Shared = append(p.Shared, row[0])
			} else {
				p.Names = append(p.Names, row[0])
			}
		}
	}
	return p, w.countEvents(ctx, id, &p)
}

// countEvents counts what is loaded under each of a person's names.
func (w *Warehouse) countEvents(ctx context.Context, id tenant.ID, p *events.Person) error {
	rows, err := w.perform(ctx, query.Transact{Beside: true, Rows: []*query.Rows{staged(p.Names)}, Statements: []query.Statement{
		{SQL: "SELECT coalesce(user_id, anonymous_id), count(*)::VARCHAR FROM fact_event WHERE tenant = $1 AND coalesce(user_id, anonymous_id) IN (SELECT name FROM stage_name) GROUP BY 1", Arguments: []string{string(id)}},
	}})
	if err != nil {
		return fmt.Errorf("count a person's events: %w", err)
	}
	p.Events = make([]int64, len(p.Names))
	for _, row := range rows {
		if _, err := fmt.Sscan(row[1], &p.Events[slices.Index(p.Names, row[0])]); err != nil {
			return fmt.Errorf("count a person's events: %w", err)
		}
	}
	return nil
}

func staged(names []string) *query.Rows {
	rows := &query.Rows{Table: "stage_name", Columns: texts("name")}
	for _, name := range names {
		rows.Text(name)
	}
	return rows
}

// UnscopedErase deletes a person's events, and returns how many they were. What is loaded
// afterwards has none: Blocks leave them out. UnscopedRemake is to follow.
func (w *Warehouse) UnscopedErase(ctx context.Context, r events.Erasure) (n int64, err error) {
	w.loading.Lock()
	rows, err := w.perform(ctx, query.Transact{Rows: []*query.Rows{staged(r.Names)}, Statements: []query.Statement{
		{SQL: `CREATE OR REPLACE TEMP TABLE gone AS SELECT key, date_trunc('hour', time) AS start FROM fact_event
			WHERE tenant = $1 AND received <= $2::TIMESTAMP AND coalesce(user_id, anonymous_id) IN (SELECT name FROM stage_name)`, Arguments: []string{string(r.Tenant), stamp(r.Through)}},
		{SQL: "DELETE FROM fact_event WHERE key IN (SELECT key FROM gone)"},
		{SQL: "UPDATE load_version SET n = n + 1 WHERE EXISTS (SELECT 1 FROM gone)"},
		{SQL: `UPDATE load_interval i SET rows = i.rows - h.n, changed = (SELECT n FROM load_version) FROM (SELECT start, count(*) AS n FROM gone GROUP BY start) h
			WHERE i.model = 'fact_event' AND i.tenant = $1 AND i.start = h.start`, Arguments: []string{string(r.Tenant)}},
		{SQL: "SELECT count(*)::VARCHAR FROM gone"},
	}})
	w.loading.Unlock()
	if err == nil {
		_, err = fmt.Sscan(rows[0][0], &n)
	}
	if err != nil {
		w.answers.changed() // it may have been made
		w.signal()
		return 0, fmt.Errorf("erase a person from the warehouse: %w", err)
	}
	if n > 0 {
		changed := touched{}
		changed.add(r.Tenant, eventPart)
		w.answers.loaded(changed)
		w.signal()
	}
	return n, nil
}

// UnscopedRemake makes again what was made of a tenant's events that are there no more.
func (w *Warehouse) UnscopedRemake(ctx context.Context, id tenant.ID) error {
	return w.makeOf(ctx, id)
}
