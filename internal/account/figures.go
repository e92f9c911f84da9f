package account

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Presence is what one sees at a glance of a tenant's people.
type Presence struct {
	Users      int64 // that are active
	LastSignIn *time.Time
}

// UnscopedPresence returns it for tenants, with one question however many they are.
func (a *Accounts) UnscopedPresence(ctx context.Context, ids []tenant.ID) (map[tenant.ID]Presence, error) {
	all := make(map[tenant.ID]Presence, len(ids))
	if len(ids) == 0 {
		return all, nil
	}
	args := make([]any, len(ids))
	for n, id := range ids {
		args[n] = string(id)
	}
	rows, err := a.DB.Unscoped().Query(ctx, `
		SELECT tenant, sum(CASE WHEN state = 'active' THEN 1 ELSE 0 END), COALESCE(max(signed_in_at), 0)
		FROM users WHERE tenant IN (`+meta.Placeholders(1, len(ids))+`) GROUP BY tenant`, args...)
	if err != nil {
		return nil, fmt.Errorf("sum up tenants' people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id tenant.ID
		var p Presence
		var last int64
		if err := rows.Scan(&id, &p.Users, &last); err != nil {
			return nil, fmt.Errorf("sum up tenants' people: %w", err)
		}
		if last != 0 {
			at := meta.Time(last)
			p.LastSignIn = &at
		}
		all[id] = p
	}
	return all, rows.Err()
}
