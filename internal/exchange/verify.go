package exchange

import (
	"context"
	"fmt"

	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedVerify checks that every stored contract is the one that was applied, and
// every reopening one that an admin made. An error means that it could not look.
func UnscopedVerify(ctx context.Context, db *meta.DB, ring *keys.Ring, report func(table string, id tenant.ID, row, problem string)) error {
	contracts, err := db.Query(ctx, `SELECT dataset, version, source, hash FROM dataset_versions ORDER BY dataset, version`)
	if err != nil {
		return fmt.Errorf("list contracts: %w", err)
	}
	for contracts.Next() {
		var d Dataset
		if err := contracts.Scan(&d.Name, &d.Version, &d.Source, &d.Hash); err != nil {
			return fmt.Errorf("list contracts: %w", err)
		}
		if _, err := stored(d); err != nil {
			report("datasets", "", fmt.Sprintf("%s version %d", d.Name, d.Version), err.Error())
		}
	}
	reopened, err := db.Unscoped().Query(ctx, reopeningQuery+`ORDER BY id`)
	if err != nil {
		return fmt.Errorf("list reopenings: %w", err)
	}
	for reopened.Next() {
		if r, err := scanReopening(ring, reopened); err != nil {
			report("reopenings", r.Tenant, r.ID, err.Error())
		}
	}
	return nil
}
