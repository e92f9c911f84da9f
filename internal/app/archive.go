package app

import (
	"context"

	"tributary/internal/archive"
	"tributary/internal/events"
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
	c.Streams, c.Days = a.streams, days
	a.archive = archive.New(c)
	return a.archive.LoadExpired(ctx)
}

// archive is what an archive needs that only looks.
func (c Config) archive(s *stores, blocks *events.Blocks) archive.Config {
	return archive.Config{DB: s.db, Blobs: s.blobs, Keys: s.ring, Blocks: blocks, Tenants: s.control, Audit: s.audit, Clock: c.Clock, Log: c.Log, Removing: c.hold().removing}
}

// verifyArchive is the part of fsck about the archive.
func verifyArchive(ctx context.Context, c Config, s *stores, deep bool, add func(store string, id tenant.ID, subject, problem string)) error {
	return archive.New(c.archive(s, nil)).UnscopedCheck(ctx, deep, func(f archive.Finding) { add("archive", f.Tenant, f.Object, f.Problem) })
}

// archived says how far each chain of a stream is archived.
func (c Config) archived(s *stores) func(context.Context, stream.Name) (map[tenant.ID]uint64, error) {
	return archive.New(c.archive(s, nil)).UnscopedEnds
}
