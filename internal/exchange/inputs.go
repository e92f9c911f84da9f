package exchange

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Input is an accepted submission that a run may read under a grant.
type Input struct {
	Tenant     tenant.ID
	Dataset    string
	Submission string
	Object     string // the accepted form, in the vault
	Version    int64  // of the dataset's contract
	Commitment []byte
}

// UnscopedAccepted lists the accepted submissions of a dataset for a date, by
// tenant: what a run may take its snapshot from. Without through it is what
// stands now. With it, it is what stood of the files received by then, and for a
// tenant whose period was reopened by the reopening's end if that is later, or by
// when the run began, so that no tenant can keep one from what it reads: a correction that came afterwards does not hide the file that was in time. What
// was withdrawn or deleted since is nobody's input, nor is what it had replaced.
func (x *Exchange) UnscopedAccepted(ctx context.Context, tx *meta.DB, dataset, date string, through *time.Time, begun time.Time) ([]Input, error) {
	var ends map[tenant.ID]time.Time
	if through != nil {
		var err error
		if ends, err = x.ends(ctx, tx, dataset, date, begun); err != nil {
			return nil, err
		}
	}
	rows, err := tx.Unscoped().Query(ctx, `
		SELECT tenant, dataset, id, accepted_object, dataset_version, commitment, state, received_at FROM submissions
		WHERE dataset = $1 AND date = $2 AND (state = $3 OR $4 = 1 AND validated_at IS NOT NULL AND error_count = 0)
		ORDER BY tenant, revision DESC`, dataset, date, string(Accepted), through != nil)
	if err != nil {
		return nil, fmt.Errorf("list accepted submissions: %w", err)
	}
	var list []Input
	var last tenant.ID // whose last file in time was met
	for rows.Next() {
		var i Input
		var state State
		var received int64
		if err := rows.Scan(&i.Tenant, &i.Dataset, &i.Submission, &i.Object, &i.Version, &i.Commitment, &state, &received); err != nil {
			return nil, fmt.Errorf("list accepted submissions: %w", err)
		}
		if i.Tenant == last || through != nil && received > meta.Micros(later(*through, ends[i.Tenant])) {
			continue
		}
		last = i.Tenant
		if i.Object != "" && state != Withdrawn {
			list = append(list, i)
		}
	}
	return list, nil
}

// UnscopedPending lists the tenants of which a file for a dataset and date has no
// verdict yet and would count in a run with this cut-off, begun then, if it is accepted.
func (x *Exchange) UnscopedPending(ctx context.Context, tx *meta.DB, dataset, date string, through, begun time.Time) ([]tenant.ID, error) {
	ends, err := x.ends(ctx, tx, dataset, date, begun)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Unscoped().Query(ctx, `SELECT tenant, received_at FROM submissions WHERE dataset = $1 AND date = $2 AND state IN ($3, $4)`,
		dataset, date, string(Received), string(Validating))
	if err != nil {
		return nil, fmt.Errorf("list files without a verdict: %w", err)
	}
	var list []tenant.ID
	for rows.Next() {
		var id tenant.ID
		var received int64
		if err := rows.Scan(&id, &received); err != nil {
			return nil, fmt.Errorf("list files without a verdict: %w", err)
		}
		if received <= meta.Micros(later(through, ends[id])) {
			list = append(list, id)
		}
	}
	return list, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ends returns until when the files of those tenants count for whom the period
// that a date is in was reopened: not longer than to when the run began.
func (x *Exchange) ends(ctx context.Context, tx *meta.DB, dataset, date string, begun time.Time) (map[tenant.ID]time.Time, error) {
	p, err := x.period(ctx, tx, dataset, date)
	if err != nil {
		return nil, err
	}
	list, err := x.reopenings(ctx, tx.Unscoped(), `WHERE dataset = $1 AND date = $2`, dataset, p.start)
	if err != nil {
		return nil, err
	}
	ends := map[tenant.ID]time.Time{}
	for _, r := range list {
		end := r.Until
		if end.After(begun) {
			end = begun
		}
		ends[r.Tenant] = later(end, ends[r.Tenant])
	}
	return ends, nil
}
