package control

import (
	"context"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// SuspendAnd is UnscopedSuspend that calls between after the commit, before policy
// is told.
func (c *Control) SuspendAnd(ctx context.Context, idOrSlug string, between func()) error {
	_, err := c.changeState(ctx, "usr_admin", idOrSlug, "tenant.suspend", func(_ *meta.DB, t *Tenant) (map[string]any, error) {
		t.State = Suspended
		return nil, nil
	}, func(id tenant.ID) {
		between()
		c.Policy.BlockTenant(id)
	})
	return err
}
