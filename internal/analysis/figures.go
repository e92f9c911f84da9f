package analysis

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/internal/meta"
	"tributary/internal/span"
)

// Executed is how runs of an analysis went, in a bucket of a span or in all of it.
type Executed struct {
	Bucket   int64 // its number, from 0; -1: the whole span
	Analysis string
	Runs     int64
	Outcomes map[RunState]int64
	// How long those took that have run and ended.
	P50, P95, Max time.Duration

	took []time.Duration
}

// UnscopedExecuted counts the runs that were started in a span, by bucket and
// analysis and then by analysis over the whole span. An empty name means all analyses.
func (a *Analyses) UnscopedExecuted(ctx context.Context, s span.Span, name string) ([]Executed, error) {
	rows, err := a.DB.Query(ctx, `
		SELECT analysis, state, created_at, finished_at - started_at FROM runs WHERE created_at >= $1 AND created_at < $2 AND ($3 = '' OR analysis = $3)`,
		meta.Micros(s.From), meta.Micros(s.To), name)
	if err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	defer rows.Close()
	type group struct {
		bucket int64
		name   string
	}
	all := map[group]*Executed{}
	for rows.Next() {
		var name string
		var state RunState
		var at int64
		var took sql.NullInt64
		if err := rows.Scan(&name, &state, &at, &took); err != nil {
			return nil, fmt.Errorf("count runs: %w", err)
		}
		for _, bucket := range []int64{s.Bucket(meta.Time(at)), -1} {
			e := all[group{bucket, name}]
			if e == nil {
				e = &Executed{Bucket: bucket, Analysis: name, Outcomes: map[RunState]int64{}}
				all[group{bucket, name}] = e
			}
			e.Runs++
			e.Outcomes[state]++
			if took.Valid {
				e.took = append(e.took, time.Duration(took.Int64)*time.Microsecond)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	list := make([]Executed, 0, len(all))
	for _, e := range all {
		slices.Sort(e.took)
		e.P50, e.P95, e.Max = rank(e.took, 50), rank(e.took, 95), rank(e.took, 100)
		e.took = nil
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b Executed) int {
		return cmp.Or(cmp.Compare(uint64(a.Bucket), uint64(b.Bucket)), strings.Compare(a.Analysis, b.Analysis)) // -1 comes last
	})
	return list, nil
}

// rank is the smallest of the sorted values that a share of them, in percent, do not
// exceed; 0 if there are none.
func rank(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}
