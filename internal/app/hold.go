package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// hold keeps a server from removing objects while a backup copies them. It is a
// lock on a file in the data directory, which the system gives up when a process
// ends, however it does: those that remove share it, a backup has it alone.
type hold struct {
	path  string
	clock clock.Clock
}

func (c Config) hold() hold { return hold{filepath.Join(c.Data, "backup.hold"), c.Clock} }

const (
	holdPoll = 20 * time.Millisecond
	holdLong = 6 * time.Hour // after which it is more likely that a backup hangs
)

func (h hold) lock(how int) (*os.File, error) {
	f, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", h.path, err)
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removing is what vault.Config.Removing asks.
func (h hold) removing() (done func(), err error) {
	f, err := h.lock(syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.Wrap(fault.Unavailable, err, "A backup is being made; what it needs is removed after it.")
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// keep waits until nothing is being removed, and lets nothing be removed until
// done is called. Another backup of the same data is Conflict, if it takes long.
func (h hold) keep(ctx context.Context, patience time.Duration) (done func(), err error) {
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	for waited := time.Duration(0); ; waited += holdPoll {
		f, err := h.lock(syscall.LOCK_EX)
		if err == nil {
			now := h.clock.Now()
			_ = os.Chtimes(h.path, now, now) // for warning
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		if waited >= patience {
			return nil, fault.Wrap(fault.Conflict, err, "Another backup of this data is being made, or a tenant is being erased. Wait for it.")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// warning is a sentence about a backup that takes suspiciously long; empty if there
// is none.
func (h hold) warning() string {
	info, err := os.Lstat(h.path)
	if err != nil || h.clock.Now().Sub(info.ModTime()) < holdLong {
		return ""
	}
	f, err := h.lock(syscall.LOCK_SH)
	if err == nil {
		_ = f.Close()
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return ""
	}
	return fmt.Sprintf("a backup goes on since %s, and nothing is removed or erased until it ends: see whether it hangs", info.ModTime().UTC().Format(time.RFC3339))
}
