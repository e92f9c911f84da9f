//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"tributary/internal/fault"
)

// outcome judges a run whose child is gone; nil means that its output is whole.
// reading is how the output ended.
func (r *run) outcome(reading error) error {
	if why := r.cause(); why != nil {
		return why
	}
	err := r.verdict(reading)
	if fault.Is(err, fault.Internal) {
		return fmt.Errorf("run %s in sandbox: %w", r.program, err)
	}
	return err
}

// verdict is outcome for a child that we did not kill.
func (r *run) verdict(reading error) error {
	if r.waited != nil {
		return fmt.Errorf("wait for child: %w", r.waited)
	}
	last := r.said.last
	switch {
	case last.State == stateDone && r.state.Success():
		if !errors.Is(reading, io.EOF) {
			return fmt.Errorf("read output: %w", reading)
		}
		return nil
	case last.State == stateFault && r.state.ExitCode() == exitFailed:
		return fault.Wrap(last.Kind, r.operator("the program said: "+last.Detail), "%s", last.Message)
	case last.State == stateError && r.state.ExitCode() == exitFailed:
		if outOfMemory(last.Detail) {
			return r.overMemory("the program said: " + last.Detail)
		}
		return r.operator("the program failed: " + last.Detail)
	case last.State == stateUnfit && !r.said.ready: // afterwards it may have been taken over
		return unfit(r.operator("the child could not be confined: "+last.Detail), last.Detail)
	case r.signal() == syscall.SIGKILL && !r.lives && r.usedUp():
		return fault.Wrap(fault.TooLarge, r.operator("killed by the kernel"),
			"The work needed more than the %s of processor time it may take.", r.limits.CPU)
	case r.signal() == syscall.SIGKILL:
		// We did not, so it was the kernel for lack of memory of the machine or the
		// container, or a person.
		return r.operator("the child was killed from outside, probably because memory ran out")
	case !r.said.ready:
		return unfit(r.operator("the child ended before its program began"), "")
	case r.stderr.outOfMemory:
		return r.overMemory("crashed")
	}
	return r.operator("the child crashed")
}

// unfitError is a child that could not be started or confined, so that its
// program did not begin.
type unfitError struct {
	error
	words string // what is in the way, if that is known
}

func (e *unfitError) Unwrap() error { return e.error }

// unfit is not the fault of what the child was to read, and may pass.
func unfit(cause error, words string) error {
	return &unfitError{fault.Wrap(fault.Unavailable, cause, "The server cannot start a sandbox at the moment. Nothing is lost; its operator finds the reason in the log."), words}
}

func (r *run) overMemory(what string) error {
	return fault.Wrap(fault.TooLarge, r.operator(what),
		"The work needed more than the %d bytes of memory it may take.", r.limits.Memory)
}

// usedUp reports whether a killed child must have been killed for its processor
// time. The kernel compares ticks with the limit, which on a busy machine run
// well ahead of the exact time that it reports at the end.
func (r *run) usedUp() bool {
	return r.state.UserTime()+r.state.SystemTime() >= r.limits.CPU/2
}

// outOfMemory reports whether a failed child's last words are those of an
// allocator. This only names a failure better; it never makes one a success.
func outOfMemory(text string) bool {
	for _, words := range []string{
		"fatal error: out of memory", "runtime: out of memory", "cannot allocate memory", "std::bad_alloc",
		"Out of Memory Error", "failed to allocate", "pthread_create failed",
		"too many address space collisions",
	} {
		if strings.Contains(text, words) || strings.Contains(text, strings.ToUpper(words[:1])+words[1:]) {
			return true
		}
	}
	return false
}

// operator describes the end of the child to the operator.
func (r *run) operator(what string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s after %s, processor %s, resident %d KiB)", what, r.state, r.box.clock.Now().Sub(r.began).Round(time.Millisecond),
		(r.state.UserTime() + r.state.SystemTime()).Round(time.Millisecond), r.resident())
	if text := bytes.TrimSpace(r.stderr.kept); len(text) > 0 {
		fmt.Fprintf(&b, "; stderr ends: %s", text)
	}
	return errors.New(b.String())
}

// resident returns the most memory that the child had, in KiB.
func (r *run) resident() int64 {
	if u, ok := r.state.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss
	}
	return 0
}
