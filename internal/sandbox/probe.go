//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/fault"
)

// Probe returns the best level that works here, found by running a real child
// at it that tries the walls from inside. When that is not Strict the error says
// in words what is missing; when nothing works the level is empty. The process
// must have called Main.
func Probe(ctx context.Context) (Level, error) {
	strict := probe(ctx, Strict)
	if strict == nil {
		return Strict, nil
	}
	if ctx.Err() != nil {
		return "", cancelled(ctx)
	}
	missing := fault.Wrap(fault.Unavailable, strict, "The sandbox level %q does not work here: %v.", Strict, reason(strict))
	reduced := probe(ctx, Reduced)
	if reduced == nil {
		return Reduced, missing
	}
	if reason(strict).Error() == reason(reduced).Error() {
		return "", fault.Wrap(fault.Unavailable, errors.Join(strict, reduced), "No sandbox level works here: %v.", reason(strict))
	}
	return "", fault.Wrap(fault.Unavailable, errors.Join(strict, reduced),
		"No sandbox level works here. %q: %v. %q: %v.", Strict, reason(strict), Reduced, reason(reduced))
}

// reason returns what is in the way, without the rest of the operator's account.
func reason(err error) error {
	var u *unfitError
	if errors.As(err, &u) && u.words != "" {
		return errors.New(u.words)
	}
	return err
}

func probe(ctx context.Context, level Level) error {
	b, err := New(Config{Level: level})
	if err != nil {
		return err
	}
	return b.Run(ctx, Job{
		Program: probeProgram.Name,
		Args:    []byte(level),
		Limits:  Limits{Memory: 256 << 20, CPU: 10 * time.Second, Wall: 20 * time.Second, Output: 1},
	}, nil)
}

// probeProgram is in every child.
var probeProgram = Program{Name: "sandbox-probe", Main: func(_ context.Context, c Child) error {
	if n := len(os.Environ()); n != 0 {
		return fmt.Errorf("the environment has %d variables", n)
	}
	for _, path := range []string{"/etc/passwd", "/etc/hosts", "/proc/1/cmdline", "/proc/uptime"} {
		if _, err := os.ReadFile(path); err == nil {
			return fmt.Errorf("%s can be read", path)
		}
	}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
		return fmt.Errorf("socket %d can be made", fd)
	}
	if pid := os.Getpid(); Level(c.Args) == Strict && pid != 1 {
		return fmt.Errorf("process %d is not in a namespace of its own", pid)
	}
	if _, err := os.ReadFile("/proc/self/mountinfo"); err != nil {
		return fmt.Errorf("the process cannot see itself: %w", err)
	}
	return nil
}}
