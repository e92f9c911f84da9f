package archive

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Keep says how many days the archive keeps a tier's events, with "" those of tenants whose
// tier is not listed, and the provider's own; 0: for ever.
type Keep map[tenant.Tier]int

// of is how many days a tier's events are kept, with "" the provider's own.
func (k Keep) of(t tenant.Tier) int {
	if days, listed := k[t]; listed {
		return days
	}
	return k[""]
}

// ForgetDue removes objects of days that the archive keeps no longer. A tenant's stay
// while there is a hold on it.
func (a *Archive) ForgetDue(ctx context.Context) error {
	for _, t := range append([]tenant.Tier{""}, tenant.Tiers[:]...) {
		days := a.Keep.of(t)
		if days == 0 {
			continue
		}
		ids := []tenant.ID{""}
		if t != "" {
			var err error
			if ids, err = a.Tenants.UnscopedOfTier(ctx, t); err != nil {
				return err
			}
		}
		before := DayOf(a.Clock.Now().Add(-time.Duration(days) * 24 * time.Hour))
		for _, id := range ids {
			if err := a.forget(ctx, id, before); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget removes a tenant's objects of days before one, with "" the provider's.
func (a *Archive) forget(ctx context.Context, id tenant.ID, before Day) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	err := a.DB.Transact(ctx, func(tx *meta.DB) error {
		rows, err := tx.RowsOf(id).Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE tenant = $1 AND day < $2 ORDER BY day, id LIMIT 10000`, string(id), meta.Micros(before.Time))
		if err != nil {
			return fmt.Errorf("list the archive: %w", err)
		}
		list, err := a.scanAll(rows)
		if err != nil || len(list) == 0 {
			return err
		}
		if id != "" {
			if err := a.Tenants.UnscopedHeld(ctx, tx, id); err != nil {
				return err
			}
		}
		for _, o := range list {
			if err := o.sound(); err != nil {
				a.Log.ErrorContext(ctx, "an object of the archive is not forgotten", "object", o.ID, "error", err)
				continue
			}
			if err := a.remove(ctx, tx, o); err != nil {
				return err
			}
			if err := a.setStart(ctx, tx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if fault.Is(err, fault.Conflict) { // held
		return nil
	}
	return err
}
