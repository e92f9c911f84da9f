package app

import (
	"context"

	"tributary/internal/events"
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
