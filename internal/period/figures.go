package period

import (
	"context"
	"slices"

	"tributary/internal/tenant"
)

// UnscopedMissing counts, by tenant, the files that are overdue or missing now: those
// of the periods that are open and of each dataset's last that is over. An empty id
// means all tenants.
func (c *Calendar) UnscopedMissing(ctx context.Context, id tenant.ID) (map[tenant.ID]int64, error) {
	datasets, err := c.datasets(ctx, Filter{})
	if err != nil {
		return nil, err
	}
	b, err := c.book(ctx, id)
	if err != nil {
		return nil, err
	}
	missing := map[tenant.ID]int64{}
	for _, d := range datasets {
		periods, err := c.periods(d, Filter{})
		if err != nil {
			return nil, err
		}
		if len(periods) == 0 {
			continue
		}
		r, err := b.roll(ctx, d)
		if err != nil {
			return nil, err
		}
		for chunk := range slices.Chunk(periods, some) {
			found, err := r.statuses(ctx, chunk)
			if err != nil {
				return nil, err
			}
			for _, s := range found {
				if s.State == Overdue || s.State == Missing {
					missing[s.Tenant]++
				}
			}
		}
	}
	return missing, nil
}
