package vault

import (
	"context"
	"fmt"
	"slices"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedBytes returns how much tenants have stored, as it is sealed, with one
// question however many they are.
func (v *Vault) UnscopedBytes(ctx context.Context, ids []tenant.ID) (map[tenant.ID]int64, error) {
	all := make(map[tenant.ID]int64, len(ids))
	if len(ids) == 0 {
		return all, nil
	}
	args := make([]any, len(ids))
	for n, id := range ids {
		args[n] = string(id)
	}
	rows, err := v.DB.Unscoped().Query(ctx, `SELECT tenant, CAST(sum(sealed_size) AS BIGINT) FROM vault_objects WHERE tenant IN (`+meta.Placeholders(1, len(ids))+`) GROUP BY tenant`, args...)
	if err != nil {
		return nil, fmt.Errorf("sum up what tenants have stored: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id tenant.ID
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("sum up what tenants have stored: %w", err)
		}
		all[id] = n
	}
	return all, rows.Err()
}

// UnscopedSizes adds up the sizes of objects, as they were before sealing.
func (v *Vault) UnscopedSizes(ctx context.Context, tx *meta.DB, objects []string) (total int64, err error) {
	for some := range slices.Chunk(objects, 500) {
		args := make([]any, len(some))
		for n, id := range some {
			args[n] = id
		}
		var n int64
		if err := tx.Unscoped().QueryRow(ctx, `SELECT CAST(COALESCE(sum(size), 0) AS BIGINT) FROM vault_objects WHERE id IN (`+meta.Placeholders(1, len(some))+`)`, args...).Scan(&n); err != nil {
			return 0, fmt.Errorf("add up objects: %w", err)
		}
		total += n
	}
	return total, nil
}
