package exchange

import (
	"context"
	"fmt"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// EraseTenant removes a tenant's submissions and results; their bytes are the
// vault's. It is safe to repeat.
func (x *Exchange) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase submissions: %q is no tenant", id)
	}
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		count = 0
		for _, table := range []string{"results", "submissions", "upload_parts", "uploads", "reopenings", "jobs", "job_turns"} {
			n, err := tx.For(id).Exec(ctx, `DELETE FROM `+table+` WHERE tenant = $1`, string(id))
			if err != nil {
				return fmt.Errorf("erase submissions of %s: %w", id, err)
			}
			count += n
		}
		return nil
	})
	return "rows of submissions, uploads, reopenings, results and jobs deleted and the database compacted", count, err
}
