package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/archive"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// streamsDir is where streams are, unless they are in a cluster.
func (c Config) streamsDir() string { return filepath.Join(c.Data, "streams") }

// checkStreams refuses what cannot be kept.
func (c Config) checkStreams() error {
	if _, err := c.archiveDays(); err != nil {
		return err
	}
	if c.StreamsCredentials != "" && c.Streams == "" {
		return fault.New(fault.Invalid, "Credentials for streams go with the URL of a cluster.")
	}
	return nil
}

// streamDays is how long streams are kept: those of StreamDays are named events, or
// basic:events for one tier's.
func (c Config) streamDays() (archive.Days, error) {
	all := archive.Days{}
	for name, days := range c.StreamDays {
		tier, n, of := strings.Cut(name, ":")
		if !of {
			tier, n = "", name
		}
		switch {
		case !stream.Name(n).Valid():
			return nil, fault.New(fault.Invalid, "There is no stream %q to keep: there are %v.", n, stream.Names)
		case of && !tenant.Tier(tier).Valid():
			return nil, fault.New(fault.Invalid, "There is no tier %q whose events could be kept: there are %v.", tier, tenant.Tiers)
		case days < archive.LeastDays || days > archive.MostDays:
			return nil, fault.New(fault.Invalid, "The stream %s can be kept %d to %d days, not %d.", n, archive.LeastDays, archive.MostDays, days)
		}
		if all[stream.Name(n)] == nil {
			all[stream.Name(n)] = map[tenant.Tier]int{}
		}
		all[stream.Name(n)][tenant.Tier(tier)] = days
	}
	return all, nil
}

func (c Config) openStreams(ctx context.Context, s *stores) (*stream.Streams, error) {
	days, err := c.streamDays()
	if err != nil {
		return nil, err
	}
	keep := map[stream.Name]stream.Retention{}
	for _, n := range stream.Names {
		keep[n] = stream.Retention{Age: time.Duration(days.Most(n)) * 24 * time.Hour}
	}
	streams, err := stream.Open(ctx, stream.Config{Dir: c.streamsDir(), URL: c.Streams, Credentials: c.StreamsCredentials, Retention: keep, AsIs: c.existing, Reached: archive.New(c.archive(s, nil)).Reached, Clock: c.Clock, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("open streams: %w", err)
	}
	return streams, nil
}

// streamEraser is the streams' part of a tenant's erasure.
type streamEraser struct{ *stream.Streams }

func (e streamEraser) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	count, err = e.Streams.EraseTenant(ctx, id)
	return "messages removed from the streams; they were sealed with the destroyed key", count, err
}

// makeOutbox makes what publishes acts on the streams.
func (a *App) makeOutbox() {
	a.outbox = events.NewOutbox(events.OutboxConfig{DB: a.stores.db, Audit: a.stores.audit, Streams: a.streams, Blocks: a.events.Blocks,
		Append: a.events.Sequencer, Facts: a.facts, Clock: a.cfg.Clock})
}

// facts is what the provider may read about the thing that an act in a chain was done
// to, as it is now. A tenant's event tells nothing of what is not the tenant's own.
func (a *App) facts(ctx context.Context, chain tenant.ID, subject string) (map[string]any, error) {
	own := func(id tenant.ID) bool { return chain == "" || chain == id }
	kind, _, _ := strings.Cut(subject, "_")
	var known map[string]any
	var err error
	switch {
	case !clock.ValidID(kind, subject):
		return nil, nil
	case kind == "sub":
		var s exchange.Submission
		if s, err = a.exchange.UnscopedSubmission(ctx, subject); err == nil && own(s.Tenant) {
			known = map[string]any{"dataset": s.Dataset, "date": s.Date, "revision": s.Revision, "state": s.State, "channel": s.Channel, "bytes": s.Size, "rows": s.Rows}
		}
	case kind == "res":
		var r exchange.Result
		if r, err = a.exchange.UnscopedResult(ctx, subject); err == nil && own(r.Tenant) {
			known = map[string]any{"analysis": r.Analysis, "version": r.Version, "date": r.Date, "rows": r.Rows, "suppressed": r.Suppressed}
		}
	case kind == "run" && chain == "":
		var r analysis.Run
		if r, err = a.analyses.UnscopedProgress(ctx, subject); err == nil {
			known = map[string]any{"analysis": r.Analysis, "version": r.Version, "date": r.Date, "state": r.State, "participants": r.Participants}
		}
	case kind == "ten" && own(tenant.ID(subject)):
		var t control.Tenant
		if t, err = a.stores.control.UnscopedTenant(ctx, subject); err == nil {
			known = map[string]any{"slug": t.Slug, "tier": t.Tier, "type": t.Type, "state": t.State, "organisation": t.Organisation, "industry": t.Industry}
		}
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Damaged) { // fsck names it; the act was done all the same
		return nil, nil
	}
	return known, err
}
