package exchange

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Going is how many files of a dataset, or results of an analysis, go within a time.
type Going struct {
	Dataset, Analysis string // one of them
	Days              int64  // that files are kept; 0: each result says its own
	Count             int64  // that go
	Held              int64  // that would, but for a legal hold
	First             *time.Time
}

// UnscopedGoing says what retention deletes until some days from now, by dataset and
// then by analysis. What has no retention, and what keeps all, is not in the list.
func (x *Exchange) UnscopedGoing(ctx context.Context, days int) ([]Going, error) {
	until := x.Clock.Now().Add(time.Duration(days) * day)
	h := x.holds(x.DB)
	list := []Going{}
	page := meta.Page{Limit: retentionBatch}
	for {
		datasets, next, err := x.Datasets(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, d := range datasets {
			g, err := x.goingFiles(ctx, h, d, until)
			if err != nil {
				return nil, err
			}
			if g.Count+g.Held > 0 {
				list = append(list, g)
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	results, err := x.goingResults(ctx, h, until)
	return append(list, results...), err
}

// add counts some more, of which the first goes at a time, and which are held if err
// says so.
func (g *Going) add(n int64, first *time.Time, err error) error {
	switch {
	case held(err):
		g.Held += n
	case err != nil:
		return err
	default:
		if g.Count += n; g.First == nil || first.Before(*g.First) {
			g.First = first
		}
	}
	return nil
}

func (x *Exchange) goingFiles(ctx context.Context, h *holds, d Dataset, until time.Time) (Going, error) {
	g := Going{Dataset: d.Name}
	latest, some := d.goneBy(until)
	if !some {
		return g, nil
	}
	g.Days = int64(d.Contract.Retention.Days)
	rows, err := x.DB.Unscoped().Query(ctx, `
		SELECT tenant, date, count(*), MIN(received_at) FROM submissions
		WHERE dataset = $1 AND deleted_at IS NULL AND received_at <= $2 AND object <> '' AND state NOT IN ('received', 'validating')
		GROUP BY tenant, date ORDER BY tenant, date`, d.Name, meta.Micros(latest))
	if err != nil {
		return g, fmt.Errorf("count files of %s: %w", d.Name, err)
	}
	for rows.Next() {
		var id tenant.ID
		var date string
		var n, first int64
		if err := rows.Scan(&id, &date, &n, &first); err != nil {
			return g, fmt.Errorf("count files of %s: %w", d.Name, err)
		}
		at := d.goes(meta.Time(first), date)
		if at.After(until) {
			continue
		}
		if err := g.add(n, at, h.file(ctx, id, d.Name)); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (x *Exchange) goingResults(ctx context.Context, h *holds, until time.Time) ([]Going, error) {
	rows, err := x.DB.Unscoped().Query(ctx, `
		SELECT r.analysis, r.tenant, l.run, count(*), MIN(r.deletes_at) FROM results r JOIN releases l ON l.id = r.release_id
		WHERE r.deletes_at <= $1 AND r.deleted_at IS NULL GROUP BY r.analysis, r.tenant, l.run ORDER BY r.analysis, r.tenant, l.run`, meta.Micros(until))
	if err != nil {
		return nil, fmt.Errorf("count results: %w", err)
	}
	var list []Going
	for rows.Next() {
		var id tenant.ID
		var name, run string
		var n, first int64
		if err := rows.Scan(&name, &id, &run, &n, &first); err != nil {
			return nil, fmt.Errorf("count results: %w", err)
		}
		if len(list) == 0 || list[len(list)-1].Analysis != name {
			list = append(list, Going{Analysis: name})
		}
		at := meta.Time(first)
		if err := list[len(list)-1].add(n, &at, h.result(ctx, id, run)); err != nil {
			return nil, err
		}
	}
	return list, nil
}
