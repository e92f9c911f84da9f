package app

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"tributary/internal/events"
	"tributary/internal/tenant"
)

// makeEvents makes what takes in events.
func (a *App) makeEvents(ctx context.Context) error {
	c, s := a.cfg, a.stores
	var err error
	if a.events, err = events.New(events.Config{DB: s.db, Streams: a.streams, Tenants: s.control, Makers: s.accounts, Policy: s.policy, Audit: s.audit, Keys: s.ring,
		Clock: c.Clock, Meter: a.telemetry.meter, Log: c.Log}); err != nil {
		return err
	}
	return a.events.LoadPlan(ctx)
}

// remember lets intake know duplicates of what came before the start.
func (a *App) remember(ctx context.Context) {
	begun := a.cfg.Clock.Now()
	if err := a.events.Remember(ctx); err != nil && ctx.Err() == nil {
		a.cfg.Log.ErrorContext(ctx, "duplicates of events from before the start are not all known", "error", err)
		return
	}
	a.cfg.Log.DebugContext(ctx, "events of the last days are remembered", "duration", a.cfg.Clock.Now().Sub(begun))
}

// verifyEvents is the part of fsck about events and the streams. Streams that were
// never made have nothing in them.
func verifyEvents(ctx context.Context, c Config, s *stores, deep bool, add func(store string, id tenant.ID, subject, problem string)) (err error) {
	if c.Streams == "" {
		if _, err := os.Stat(c.streamsDir()); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	c.existing = true
	streams, err := c.openStreams(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, streams.Close()) }()
	return events.UnscopedVerify(ctx, s.db, s.ring, streams, c.archived(s), deep, func(f events.Finding) { add("events", f.Tenant, f.Subject, f.Problem) })
}
