package exchange

import (
	"context"
	"fmt"

	"tributary/internal/exchange/contract"
	"tributary/internal/meta"
)

// UnscopedDates lists the business dates, from one to another, for which there are
// submissions of a dataset that are accepted or wait for their verdict, in order.
func (x *Exchange) UnscopedDates(ctx context.Context, db *meta.DB, dataset string, from, to contract.Date) ([]contract.Date, error) {
	rows, err := db.Unscoped().Query(ctx, `
		SELECT DISTINCT date FROM submissions
		WHERE dataset = $1 AND date >= $2 AND date <= $3 AND (accepted_object <> '' AND state <> $4 OR state IN ($5, $6)) ORDER BY date`,
		dataset, from.String(), to.String(), string(Withdrawn), string(Received), string(Validating))
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
