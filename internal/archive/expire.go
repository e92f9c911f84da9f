package archive

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Days says how many days streams are kept: those of one tier, or with "" those of
// tenants whose tier is not listed, and the provider's own.
type Days map[stream.Name]map[tenant.Tier]int

// The bounds of Days.
const (
	LeastDays   = 1
	MostDays    = 365
	defaultDays = 7
)

// Of is how many days a tier's events are kept, with "" the provider's own.
func (d Days) Of(n stream.Name, t tenant.Tier) int {
	if days := d[n][t]; days != 0 {
		return days
	}
	if days := d[n][""]; days != 0 {
		return days
	}
	return defaultDays
}

// Most is how many days any of a stream's events are kept.
func (d Days) Most(n stream.Name) int {
	most := d.Of(n, "")
	for _, t := range tenant.Tiers {
		most = max(most, d.Of(n, t))
	}
	return most
}

// ExpireDue removes from the streams what is older than they are kept, as far as it is
// archived, and nothing else.
func (a *Archive) ExpireDue(ctx context.Context) error {
	return a.eachStream(ctx, func(n stream.Name) error {
		archived, _, err := a.position(ctx, n)
		if err != nil || archived == 0 {
			return err
		}
		through := func(days int) (uint64, error) {
			before, err := a.Streams.Before(ctx, n, a.Clock.Now().Add(-time.Duration(days)*24*time.Hour))
			return min(before, archived), err
		}
		most := a.Days.Most(n)
		at, err := through(most)
		if err != nil {
			return err
		}
		if _, err := a.Streams.Expire(ctx, n, at); err != nil {
			return err
		}
		for _, t := range append([]tenant.Tier{""}, tenant.Tiers[:]...) {
			days := a.Days.Of(n, t)
			if days == most {
				continue
			}
			at, err := through(days)
			if err != nil {
				return err
			}
			if err := a.expireTier(ctx, n, t, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// expireTier removes a tier's events up to a sequence, with "" the provider's own.
func (a *Archive) expireTier(ctx context.Context, n stream.Name, t tenant.Tier, through uint64) error {
	ids := []tenant.ID{""}
	if t != "" {
		var err error
		if ids, err = a.Tenants.UnscopedOfTier(ctx, t); err != nil {
			return err
		}
	}
	for _, id := range ids {
		first, err := a.Streams.First(ctx, n, id)
		if fault.Is(err, fault.NotFound) || err == nil && first.Sequence > through {
			continue
		}
		if err != nil {
			return err
		}
		// Written down before, so that who reads on from before it is told of it whatever happens.
		if _, err := a.DB.RowsOf(id).Exec(ctx, `INSERT INTO archive_expired (tenant, stream, sequence) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, stream) DO UPDATE SET sequence = excluded.sequence WHERE archive_expired.sequence < excluded.sequence`, string(id), string(n), int64(through)); err != nil {
			return fmt.Errorf("note what is removed from the stream: %w", err)
		}
		if _, err := a.Streams.ExpireTenant(ctx, n, id, through); err != nil {
			return err
		}
	}
	return nil
}

// LoadExpired tells the streams what of tenants was removed before the others', or was to
// be: they do not remember it from one start to the next.
func (a *Archive) LoadExpired(ctx context.Context) error {
	reached := map[stream.Name]uint64{}
	for _, n := range stream.Names {
		var err error
		if reached[n], _, err = a.position(ctx, n); err != nil {
			return err
		}
	}
	rows, err := a.DB.Unscoped().Query(ctx, `SELECT tenant, stream, sequence FROM archive_expired`)
	if err != nil {
		return fmt.Errorf("list what was removed from the streams: %w", err)
	}
	for rows.Next() {
		var id tenant.ID
		var n stream.Name
		var at int64
		if err := rows.Scan(&id, &n, &at); err != nil {
			return fmt.Errorf("list what was removed from the streams: %w", err)
		}
		if uint64(at) <= reached[n] { // else it was removed from another stream
			a.Streams.NoteExpired(n, id, uint64(at))
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list what was removed from the streams: %w", err)
	}
	return nil
}
