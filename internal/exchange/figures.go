package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/span"
	"tributary/internal/tenant"
)

// Arrived is how many files came in a bucket of a span, in one group.
type Arrived struct {
	Bucket                                          int64 // its number, from 0
	By                                              string
	Files, Accepted, Rejected, Withdrawn, Undecided int64 // Files is the sum of the others
	Bytes                                           int64
}

// groups are what files that came can be counted by.
var groups = map[string]string{"": `''`, "dataset": "s.dataset", "tenant": "s.tenant", "channel": "s.channel"}

// UnscopedReceived counts the files that came in a span, by bucket and by dataset,
// tenant or channel; with "" all together. What was replaced or deleted since counts too,
// as what it was. An empty id means all tenants.
func (x *Exchange) UnscopedReceived(ctx context.Context, s span.Span, by string, id tenant.ID) ([]Arrived, error) {
	group, known := groups[by]
	if !known {
		return nil, fault.New(fault.Invalid, "Files are counted by dataset, tenant or channel, not by %q.", by)
	}
	args := []any{string(id)}
	var buckets []string
	for n, b := range s.Buckets {
		at := len(args)
		buckets = append(buckets, fmt.Sprintf("(%d, CAST($%d AS BIGINT), CAST($%d AS BIGINT))", n, at+1, at+2))
		args = append(args, meta.Micros(b.From), meta.Micros(b.To))
	}
	rows, err := x.DB.Unscoped().Query(ctx, `
		WITH b (n, begins, ends) AS (VALUES `+strings.Join(buckets, ", ")+`)
		SELECT b.n, `+group+` AS what, count(*),
			sum(CASE WHEN s.state IN ('accepted', 'superseded') THEN 1 ELSE 0 END), sum(CASE WHEN s.state = 'rejected' THEN 1 ELSE 0 END),
			sum(CASE WHEN s.state = 'withdrawn' THEN 1 ELSE 0 END), sum(CASE WHEN s.state IN ('received', 'validating') THEN 1 ELSE 0 END), CAST(sum(s.size) AS BIGINT)
		FROM b JOIN submissions s ON s.received_at >= b.begins AND s.received_at < b.ends
		WHERE $1 = '' OR s.tenant = $1 GROUP BY b.n, what ORDER BY b.n, what`, args...)
	if err != nil {
		return nil, fmt.Errorf("count files that came: %w", err)
	}
	defer rows.Close()
	var list []Arrived
	for rows.Next() {
		var r Arrived
		if err := rows.Scan(&r.Bucket, &r.By, &r.Files, &r.Accepted, &r.Rejected, &r.Withdrawn, &r.Undecided, &r.Bytes); err != nil {
			return nil, fmt.Errorf("count files that came: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Activity is what one sees at a glance of a tenant's files and results.
type Activity struct {
	LastSubmission *time.Time
	Rejected       int64 // since the moment asked for
	OpenUploads    int64
	Waiting        int64 // results that nobody has downloaded
	Stored         int64 // bytes, as they are sealed
}

// UnscopedActivity returns the activity of tenants, with one question for each kind of
// thing however many they are.
func (x *Exchange) UnscopedActivity(ctx context.Context, ids []tenant.ID, since time.Time) (map[tenant.ID]Activity, error) {
	all := make(map[tenant.ID]Activity, len(ids))
	if len(ids) == 0 {
		return all, nil
	}
	args := make([]any, len(ids), len(ids)+1)
	for n, id := range ids {
		args[n] = string(id)
	}
	of := ` WHERE tenant IN (` + meta.Placeholders(1, len(ids)) + `) `
	for _, q := range []struct {
		query string
		args  []any
		set   func(a *Activity, first, second int64)
	}{
		{fmt.Sprintf(`SELECT tenant, max(received_at), sum(CASE WHEN state = 'rejected' AND received_at >= $%d THEN 1 ELSE 0 END) FROM submissions`, len(ids)+1) + of + `GROUP BY tenant`,
			append(args, meta.Micros(since)),
			func(a *Activity, last, rejected int64) {
				t := meta.Time(last)
				a.LastSubmission, a.Rejected = &t, rejected
			}},
		{`SELECT tenant, count(*), 0 FROM uploads` + of + `AND submission = '' GROUP BY tenant`, args,
			func(a *Activity, open, _ int64) { a.OpenUploads = open }},
		{`SELECT tenant, count(*), 0 FROM results` + of + `AND downloaded_at IS NULL AND deleted_at IS NULL AND recalled_at IS NULL GROUP BY tenant`, args,
			func(a *Activity, waiting, _ int64) { a.Waiting = waiting }},
	} {
		rows, err := x.DB.Unscoped().Query(ctx, q.query, q.args...)
		if err != nil {
			return nil, fmt.Errorf("sum up what tenants do: %w", err)
		}
		for rows.Next() {
			var id tenant.ID
			var first, second int64
			if err := rows.Scan(&id, &first, &second); err != nil {
				return nil, fmt.Errorf("sum up what tenants do: %w", err)
			}
			a := all[id]
			q.set(&a, first, second)
			all[id] = a
		}
	}
	stored, err := x.Vault.UnscopedBytes(ctx, ids)
	for id, n := range stored {
		a := all[id]
		a.Stored = n
		all[id] = a
	}
	return all, err
}

// UnscopedLatest returns the state of the last file of each tenant for a dataset and a
// date.
func (x *Exchange) UnscopedLatest(ctx context.Context, tx *meta.DB, dataset, date string) (map[tenant.ID]State, error) {
	rows, err := tx.Unscoped().Query(ctx, `SELECT tenant, state FROM submissions WHERE dataset = $1 AND date = $2 ORDER BY tenant, revision`, dataset, date)
	if err != nil {
		return nil, fmt.Errorf("find last files: %w", err)
	}
	defer rows.Close()
	last := map[tenant.ID]State{}
	for rows.Next() {
		var id tenant.ID
		var state State
		if err := rows.Scan(&id, &state); err != nil {
			return nil, fmt.Errorf("find last files: %w", err)
		}
		last[id] = state
	}
	return last, rows.Err()
}

// UnscopedSizes adds up the rows of accepted submissions and the bytes of their
// accepted forms.
func (x *Exchange) UnscopedSizes(ctx context.Context, tx *meta.DB, ids []string) (rows, bytes int64, err error) {
	var objects []string
	for some := range slices.Chunk(ids, 500) {
		args := make([]any, len(some))
		for n, id := range some {
			args[n] = id
		}
		found, err := tx.Unscoped().Query(ctx, `SELECT COALESCE(row_count, 0), accepted_object FROM submissions WHERE id IN (`+meta.Placeholders(1, len(some))+`)`, args...)
		if err != nil {
			return 0, 0, fmt.Errorf("add up submissions: %w", err)
		}
		for found.Next() {
			var n int64
			var object string
			if err := found.Scan(&n, &object); err != nil {
				return 0, 0, fmt.Errorf("add up submissions: %w", err)
			}
			rows += n
			objects = append(objects, object)
		}
	}
	bytes, err = x.Vault.UnscopedSizes(ctx, tx, objects)
	return rows, bytes, err
}
