//go:build linux && (amd64 || arm64)

// Package sandbox runs one child of this binary: memory files and a stream in,
// records out, and nothing else within its reach. Parsers of tenants' files and
// the analytical engine run here and nowhere else. Which jobs run, how many at
// once and for whom is decided by callers.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// Level says how far a child is shut in. There is no level below Reduced.
type Level string

// The levels. Both have Landlock, a seccomp filter, resource limits, an empty
// environment, no new privileges and no core dumps, and a child of a server that
// runs as root is the user 65534.
const (
	// Strict adds user, network, mount, process, IPC and host name namespaces:
	// the child's file system is empty but for /proc/self.
	Strict Level = "strict"
	// Reduced has no namespaces, for hosts that refuse them.
	Reduced Level = "reduced"
)

// Program is something a child can do. Programs are listed in the call of Main,
// and a Job names one.
type Program struct {
	Name string
	// Main does the work. Its input is all in Child. When it returns nil its
	// output is complete. An error of kind Invalid, TooLarge or Damaged reaches
	// the parent with its message; any other error is a failure of ours, whose
	// text only the operator reads.
	Main func(context.Context, Child) error
}

// Child is all that a program gets.
type Child struct {
	Args []byte // Job.Args
	// Inputs are the sealed memory files of Job.Inputs in their order. For
	// readers that want a path, Name() is one that works: "/proc/self/fd/5".
	Inputs []*os.File
	Stream io.Reader // Job.Stream
	Output io.Writer // what the parent reads; unbuffered
	Limits Limits    // Job.Limits with defaults filled in
	// Dir is the path of the one directory that the child may write to, for a
	// child that lives and was given one; otherwise empty.
	Dir string
}

// Filled waits until the inputs have their content, if Job.Fill writes it. It
// reads Stream to its end.
func (c Child) Filled() error {
	if _, err := io.Copy(io.Discard, c.Stream); err != nil {
		return fmt.Errorf("wait for inputs: %w", err)
	}
	return nil
}

// Limits bound one child. All are required except Threads.
type Limits struct {
	// Memory is how many bytes of address space the program may take beyond
	// what the binary itself has reserved when the program starts. It bounds
	// resident memory from above. Inputs count only while they are mapped.
	Memory int64
	CPU    time.Duration // processor time of all threads, rounded up to a second
	Wall   time.Duration // time from start to end
	Output int64         // bytes of output
	// Threads is how many threads run Go code at once, and what programs should
	// give to engines with threads of their own. 0 means 2.
	Threads int
}

// defaultThreads is used for Limits.Threads of 0.
const defaultThreads = 2

func (l Limits) check() error {
	switch {
	case l.Memory <= 0:
		return errors.New("limit of memory is not set")
	case l.CPU <= 0:
		return errors.New("limit of processor time is not set")
	case l.Wall <= 0:
		return errors.New("limit of wall time is not set")
	case l.Output <= 0:
		return errors.New("limit of output is not set")
	case l.Threads < 0:
		return errors.New("negative number of threads")
	}
	return nil
}

// Job is one run of a program.
type Job struct {
	Program string
	Args    []byte    // up to 16 MiB, for Child.Args
	Inputs  []*Memory // sealed, unless Fill seals them; up to MaxInputs; the caller closes them
	// Fill, if not nil, writes and seals the inputs while the child starts; there
	// is no Stream then. The program must not look at an input before Child.Filled
	// has returned. If Fill fails the child is killed and Run returns its error.
	Fill func(context.Context) error
	// Stream, if not nil, is copied to the child as it reads. If it fails, the
	// child is killed and Run returns the stream's error. Run does not return
	// while a Read of Stream is under way, so a stream that can block for long
	// must end with the context.
	Stream io.Reader
	Limits Limits

	lives bool   // until its stream ends; only its memory is limited
	dir   string // a directory that it may write to; empty: none
}

// MaxInputs is how many inputs a job can have. Each takes a descriptor in the
// server and in the child.
const MaxInputs = 4000

const maxArgs = 16 << 20 // bytes

// Config configures a Box. Only Level is required.
type Config struct {
	Level Level
	// Executable is the program file whose main calls Main. Empty means this
	// process's own.
	Executable string
	Clock      clock.Clock // for the durations in the operator's messages
}

// Box starts children. It keeps nothing between runs and may be used by many
// goroutines at once.
type Box struct {
	level      Level
	executable string
	clock      clock.Clock
	privileged bool // we may give children the user id 65534 of the host
}

const selfExe = "/proc/self/exe"

// New makes a Box. It starts nothing; Probe tells whether the level works here.
func New(c Config) (*Box, error) {
	if c.Level != Strict && c.Level != Reduced {
		return nil, fault.New(fault.Invalid, "There is no sandbox level %q. Use %q or %q.", c.Level, Strict, Reduced)
	}
	if c.Executable == "" {
		c.Executable = selfExe
	}
	b := &Box{level: c.Level, executable: c.Executable, clock: c.Clock, privileged: mayBecomeNobody()}
	if os.Geteuid() == 0 && !b.privileged && c.Level == Reduced {
		return nil, fault.New(fault.Invalid, "As root the sandbox level %q needs the capabilities CAP_SETUID and CAP_SETGID, "+
			"and user and group 65534, to make its children an ordinary user. Grant them, or run the server as an ordinary user.", Reduced)
	}
	return b, nil
}

// Level returns the level that every child of the box has.
func (b *Box) Level() Level { return b.level }

func (j Job) check() error {
	if j.Program == "" {
		return errors.New("no program")
	}
	if len(j.Args) > maxArgs {
		return fmt.Errorf("arguments of %d bytes, at most %d", len(j.Args), maxArgs)
	}
	if len(j.Inputs) > MaxInputs {
		return fmt.Errorf("%d inputs, at most %d", len(j.Inputs), MaxInputs)
	}
	if j.Fill != nil && j.Stream != nil {
		return errors.New("both a stream and inputs to fill")
	}
	if j.lives {
		if j.Limits.Memory <= 0 {
			return errors.New("limit of memory is not set")
		}
		return nil
	}
	return j.Limits.check()
}
