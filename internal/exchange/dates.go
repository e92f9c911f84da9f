package exchange

import (
	"context"
	"fmt"

	"tributary/internal/exchange/contract"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedDates lists the business dates, from one to another, for which some
// tenants have submissions of a dataset that are accepted or wait for their verdict,
// in order.
func (x *Exchange) UnscopedDates(ctx context.Context, db *meta.DB, dataset string, from, to contract.Date, of map[tenant.ID]bool) ([]contract.Date, error) {
	rows, err := db.Unscoped().Query(ctx, `
		SELECT DISTINCT date, tenant FROM submissions
		WHERE dataset = $1 AND date >= $2 AND date <= $3 AND (accepted_object <> '' AND state <> $4 OR state IN ($5, $6)) ORDER BY date, tenant`,
		dataset, from.String(), to.String(), string(Withdrawn), string(Received), string(Validating))
	if err != nil {
		return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
	}
	var list []contract.Date
	for rows.Next() {
		var text string
		var id tenant.ID
		if err := rows.Scan(&text, &id); err != nil {
			return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
		}
		d, err := contract.ParseDate(text)
		if err != nil {
			return nil, fmt.Errorf("list dates of %s: %w", dataset, err)
		}
		if of[id] && (len(list) == 0 || list[len(list)-1] != d) {
			list = append(list, d)
		}
	}
	return list, nil
}
