package exchange

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/exchange/contract"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedDates lists the business dates, from one to another, for which there are
// accepted submissions of a dataset, in order.
func (x *Exchange) UnscopedDates(ctx context.Context, db *meta.DB, dataset string, from, to contract.Date) ([]contract.Date, error) {
	rows, err := db.Unscoped().Query(ctx, `
		SELECT DISTINCT date FROM submissions
		WHERE dataset = $1 AND date >= $2 AND date <= $3 AND accepted_object <> '' AND state <> $4 ORDER BY date`,
		dataset, from.String(), to.String(), string(Withdrawn))
	if err != nil {
		return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
	}
	defer rows.Close()
	var list []contract.Date
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
		}
		d, err := contract.ParseDate(text)
		if err != nil {
			return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// UnscopedPending lists the tenants with a file for a dataset and date that counts
// through a moment, as UnscopedAccepted says, and is not validated yet.
func (x *Exchange) UnscopedPending(ctx context.Context, tx *meta.DB, dataset, date string, through time.Time) ([]tenant.ID, error) {
	ends, err := x.ends(ctx, tx, dataset, date)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Unscoped().Query(ctx, `SELECT tenant, received_at FROM submissions WHERE dataset = $1 AND date = $2 AND state IN ($3, $4)`,
		dataset, date, string(Received), string(Validating))
	if err != nil {
		return nil, fmt.Errorf("list submissions that wait: %w", err)
	}
	defer rows.Close()
	var list []tenant.ID
	for rows.Next() {
		var id tenant.ID
		var received time.Time
		if err := rows.Scan(&id, &received); err != nil {
			return nil, fmt.Errorf("list submissions that wait: %w", err)
		}
		if !received.After(later(through, ends[id])) {
			list = append(list, id)
		}
	}
	return list, rows.Err()
}
