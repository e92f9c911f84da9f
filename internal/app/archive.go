package app

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"tributary/internal/archive"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// makeArchive makes the archive, which tells the streams what of theirs expired before the
// start.
func (a *App) makeArchive(ctx context.Context) error {
	days, err := a.cfg.streamDays()
	if err != nil {
		return err
	}
	c := a.cfg.archive(a.stores, a.events.Blocks)
	c.Streams, c.Days, c.Erased, c.Quarantine = a.streams, days, a.events.Erased, a.events
	if c.Keep, err = a.cfg.archiveDays(); err != nil {
		return err
	}
	a.archive = archive.New(c)
	a.archive.SetWarehouse(a.warehouse)
	a.warehouse.SetPast(a.archive)
	if err := a.measureArchive(); err != nil {
		return err
	}
	return a.archive.LoadExpired(ctx)
}

// measureArchive makes the figure of how long streams have waited to be archived.
func (a *App) measureArchive() error {
	_, err := a.telemetry.meter.Float64ObservableGauge("tributary.archive.waiting", metric.WithUnit("s"), metric.WithDescription("How long the oldest message of a stream has waited to be archived"),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			for _, n := range stream.Names {
				waited, err := a.archive.Waiting(ctx, n)
				if err != nil {
					return err
				}
				o.Observe(waited.Seconds(), metric.WithAttributes(attribute.String("stream", string(n))))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("measure the archive: %w", err)
	}
	return nil
}

// kept is how long a tenant's events are kept on a stream.
func (a *App) kept(ctx context.Context, n stream.Name, id tenant.ID) (time.Duration, error) {
	t, err := a.stores.control.UnscopedTenant(ctx, string(id))
	if err != nil {
		return 0, err
	}
	return time.Duration(a.archive.Days.Of(n, t.Tier)) * 24 * time.Hour, nil
}

// allTiers stands in ArchiveDays for tiers that are not listed, and the provider's own.
const allTiers = "all"

// archiveDays is how long the archive is kept: no shorter than the streams.
func (c Config) archiveDays() (archive.Keep, error) {
	streams, err := c.streamDays()
	if err != nil {
		return nil, err
	}
	keep := archive.Keep{}
	for name, days := range c.ArchiveDays {
		t := tenant.Tier(name)
		switch {
		case name == allTiers:
			t = ""
		case !t.Valid():
			return nil, fault.New(fault.Invalid, "There is no tier %q whose archive could be kept: there are %v, and %s.", name, tenant.Tiers, allTiers)
		}
		for _, n := range stream.Names {
			if days != 0 && days < streams.Of(n, t) {
				return nil, fault.New(fault.Invalid, "The archive of %s cannot be kept %d days, when the stream %s is kept %d.", name, days, n, streams.Of(n, t))
			}
		}
		keep[t] = days
	}
	return keep, nil
}

// archive is what an archive needs that only looks.
func (c Config) archive(s *stores, blocks *events.Blocks) archive.Config {
	return archive.Config{DB: s.db, Blobs: s.blobs, Keys: s.ring, Blocks: blocks, Tenants: s.control, Audit: s.audit, Clock: c.Clock, Log: c.Log, Removing: c.hold().removing}
}

// verifyArchive is the part of fsck about the archive.
func verifyArchive(ctx context.Context, c Config, s *stores, deep bool, add func(store string, id tenant.ID, subject, problem string)) error {
	if err := events.NewErased(s.db, s.ring).UnscopedVerify(ctx, func(id tenant.ID, erasure, problem string) { add("archive", id, erasure, problem) }); err != nil {
		return err
	}
	return archive.New(c.archive(s, nil)).UnscopedCheck(ctx, deep, func(f archive.Finding) { add("archive", f.Tenant, f.Object, f.Problem) })
}

// archived says how far each chain of a stream is archived.
func (c Config) archived(s *stores) func(context.Context, stream.Name) (map[tenant.ID]events.Place, error) {
	return archive.New(c.archive(s, nil)).UnscopedEnds
}
