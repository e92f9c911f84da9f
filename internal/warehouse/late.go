package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tributary/internal/audit"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// thing names what a Freshness is of.
type thing struct {
	kind, name string
	tenant     tenant.ID
}

// TellDue tells, once each, of sources, streams and models that have become late, and
// of those that are fresh again: by entries of the audit log, freshness.late and
// freshness.back, which are events on the stream tenants then. A tenant's are in its
// own log. What is not late and not fresh (nothing came yet) is told of as neither, and
// so is what a tenant sends that is not active.
func (w *Warehouse) TellDue(ctx context.Context) error {
	list, idle, err := w.freshness(ctx)
	if err != nil {
		return err
	}
	told, err := w.told(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range list {
		t := thing{f.Kind, f.Name, f.Tenant}
		was := told[t]
		delete(told, t)
		late := f.State == Late || f.State == Silent || f.State == Broken
		if f.Kind == "fact" || was == late || late && idle[f.Tenant] || !late && f.State != Fresh {
			continue
		}
		failed = errors.Join(failed, w.note(ctx, f, late))
	}
	for t := range told { // revoked, or erased
		failed = errors.Join(failed, w.forget(ctx, w.cfg.DB, t))
	}
	return failed
}

// told lists what is known to be late.
func (w *Warehouse) told(ctx context.Context) (map[thing]bool, error) {
	rows, err := w.cfg.DB.Unscoped().Query(ctx, `SELECT kind, name, tenant FROM freshness_late`)
	if err != nil {
		return nil, fmt.Errorf("list what is late: %w", err)
	}
	found := map[thing]bool{}
	for rows.Next() {
		var t thing
		if err := rows.Scan(&t.kind, &t.name, &t.tenant); err != nil {
			return nil, fmt.Errorf("list what is late: %w", err)
		}
		found[t] = true
	}
	return found, rows.Err()
}

// note keeps a change, and tells of it.
func (w *Warehouse) note(ctx context.Context, f Freshness, late bool) error {
	t := thing{f.Kind, f.Name, f.Tenant}
	return w.cfg.DB.Transact(ctx, func(tx *meta.DB) error {
		e := audit.Entry{Tenant: f.Tenant, Actor: "tributary", Verb: "freshness.back", Subject: f.Name, Outcome: "ok", Details: map[string]any{"kind": f.Kind}}
		if !late {
			if err := w.forget(ctx, tx, t); err != nil {
				return err
			}
			return w.cfg.Audit.Append(ctx, tx, e)
		}
		if _, err := tx.RowsOf(f.Tenant).Exec(ctx, `INSERT INTO freshness_late (kind, name, tenant, since) VALUES ($1, $2, $3, $4)`,
			f.Kind, f.Name, string(f.Tenant), meta.Micros(w.cfg.Clock.Now())); err != nil {
			return fmt.Errorf("note that %s %s is late: %w", f.Kind, f.Name, err)
		}
		e.Verb, e.Outcome = "freshness.late", string(f.State)
		e.Details["lag_seconds"], e.Details["expected_seconds"] = int64(f.Lag.Seconds()), int64(f.Expected.Seconds())
		return w.cfg.Audit.Append(ctx, tx, e)
	})
}

func (w *Warehouse) forget(ctx context.Context, db *meta.DB, t thing) error {
	if _, err := db.RowsOf(t.tenant).Exec(ctx, `DELETE FROM freshness_late WHERE kind = $1 AND name = $2 AND tenant = $3`, t.kind, t.name, string(t.tenant)); err != nil {
		return fmt.Errorf("forget that %s is late: %w", strings.TrimSpace(t.kind+" "+t.name), err)
	}
	return nil
}
