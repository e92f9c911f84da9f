package meta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tributary/internal/fault"
)

// fileLock is a lock on a file beside the database, which the system gives up
// when the process ends, however it ends.
type fileLock struct{ file *os.File }

const (
	lockPoll = 100 * time.Millisecond
	// A killed server's lock is held for a moment: of a file by a child that it was
	// just starting, in PostgreSQL until its connection is seen to be gone.
	lockGrace = 2 * time.Second
)

func lockFile(ctx context.Context, c Config, path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for polls := 0; ; polls++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &fileLock{f}, nil
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !c.Wait && polls >= int(lockGrace/lockPoll) {
			_ = f.Close()
			return nil, errSecond("in " + filepath.Dir(path))
		}
		if c.Wait && polls == 0 {
			c.Log.InfoContext(ctx, "waiting until the other server ends", "lock", path)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		}
	}
}

func (l *fileLock) release() error { return l.file.Close() }

func errSecond(where string) error {
	return fault.New(fault.Conflict, "Another Tributary process uses the control database %s. Stop it first, or wait for it.", where)
}

func errNone(where string) error {
	return fault.New(fault.NotFound, "There is no control database of Tributary %s. Is it the right place? Nothing was made.", where)
}

// createFile makes sure that the database's file is there, that only its owner
// can read it, and that it is still there after a power cut. SQLite gives the
// files beside it the same permissions.
func createFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := syncDirectory(d); err != nil {
			return err
		}
	}
	return nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
