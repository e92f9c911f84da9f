package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tributary/internal/archive"
	"tributary/internal/events"
	"tributary/internal/fault"
)

// A backup has what is archived, so a server that runs is asked to archive all it has
// before one is made: by a file in the data directory, which goes when it has done so.
const (
	askedFile     = "archive.asked"
	askedPatience = 10 * time.Second // until a server that there is begins
	askedLong     = 10 * time.Minute // until it has done so
)

func (c Config) asked() string { return filepath.Join(c.Data, askedFile) }

// archiveAsked does what somebody who makes a backup asked for. It is a round.
func (a *App) archiveAsked(ctx context.Context) error {
	taken := a.cfg.asked() + ".taken"
	if err := os.Rename(a.cfg.asked(), taken); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("take the request to archive: %w", err)
	}
	err := errors.Join(a.outbox.PublishDue(ctx), a.archive.Flush(ctx))
	if err != nil { // and again at the next round, until who asked gives up
		return errors.Join(err, os.Rename(taken, a.cfg.asked()))
	}
	return os.Remove(taken)
}

// archiveNow archives all that the streams have: the server that runs does, or this
// program where there is none. Its error is why that could not be.
func (c Config) archiveNow(ctx context.Context) error {
	beside := c
	beside.existing, beside.beside = true, true
	if err := with(ctx, beside, func(*stores) error { return nil }); err != nil { // an older version's
		return err
	}
	err := withExisting(ctx, c, func(s *stores) error { return c.archiveAlone(ctx, s) })
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	return c.askToArchive(ctx)
}

func (c Config) archiveAlone(ctx context.Context, s *stores) error {
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
	blocks, err := events.NewBlocks(s.ring, events.NewErased(s.db, s.ring))
	if err != nil {
		return errors.Join(err, streams.Close())
	}
	cfg := c.archive(s, blocks)
	cfg.Streams = streams
	return errors.Join(archive.New(cfg).Flush(ctx), streams.Close())
}

// askToArchive asks the server that runs, and waits until it has done so.
func (c Config) askToArchive(ctx context.Context) error {
	taken := c.asked() + ".taken"
	if err := os.Remove(taken); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ask the server to archive: %w", err)
	}
	if err := os.WriteFile(c.asked(), nil, 0o600); err != nil {
		return fmt.Errorf("ask the server to archive: %w", err)
	}
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for waited := time.Duration(0); ; waited += holdPoll {
		waits, works := exists(c.asked()), exists(taken)
		switch {
		case !waits && !works:
			return nil
		case waits && waited >= askedPatience, waited >= askedLong:
			return errors.Join(fault.New(fault.Unavailable, "The server did not archive what its streams have."), os.Remove(c.asked()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
