//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child's arguments: its name, which stage it is in, and, except in the last
// stage, the process that started it.
const (
	stageName    = "tributary-sandbox"
	stageLaunch  = "launch"  // starts a child for a server that may not do so itself
	stageConfine = "confine" // makes the walls, then executes the binary once more
	stageRun     = "run"     // closes the last door and runs the program
)

// In a child the main goroutine stays on the first thread from the start: only that
// one is asked by the kernel to die with its parent, and only from init can it be
// had for certain. Elsewhere this does nothing.
func init() { //nolint:gochecknoinits // as said
	if len(os.Args) == 3 && os.Args[0] == stageName {
		runtime.LockOSThread()
	}
}

// Main must be the first call of main. In the server it does nothing. In a child
// it runs the program that the parent asked for and does not return.
func Main(programs ...Program) {
	if len(os.Args) != 3 || os.Args[0] != stageName {
		return
	}
	// All stages change things of one thread that must outlive them; see init.
	var err error
	switch os.Args[1] {
	case stageLaunch:
		err = launch(os.Args[2])
	case stageConfine:
		err = confine(os.Args[2])
	case stageRun:
		var run func() error
		if run, err = prepare(append(programs, probeProgram)); err == nil {
			os.Exit(finish(run))
		}
	default:
		err = fmt.Errorf("no stage %q", os.Args[1])
	}
	_ = report(status{State: stateUnfit, Detail: err.Error()})
	os.Exit(exitUnfit)
}

// prepare finishes the confinement and returns the program, ready to run.
func prepare(programs []Program) (func() error, error) {
	if !tied() {
		return nil, errors.New("the child would outlive its parent")
	}
	// Not traceable by others of the same user, and no core dumps. Execution
	// resets this, so it is not for the first stage.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("forbid tracing: %w", err)
	}
	s, err := readSpec()
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(fdStderr, fdSpec, 0); err != nil { // stray prints of libraries are for the operator
		return nil, fmt.Errorf("replace standard output: %w", err)
	}
	var main func(context.Context, Child) error
	for _, p := range programs {
		if p.Name == s.Program {
			main = p.Main
		}
	}
	if main == nil {
		return nil, fmt.Errorf("no program %q", s.Program)
	}
	c := Child{Args: s.Args, Stream: os.NewFile(fdStream, "stream"), Limits: s.Limits}
	for i := range s.Inputs {
		c.Inputs = append(c.Inputs, os.NewFile(uintptr(fdInputs+i), fdPath(fdInputs+i)))
	}
	if s.Dir {
		c.Dir = fdPath(s.dirFile())
	}
	output := os.NewFile(fdOutput, "output")
	c.Output = writerOnly{output}
	runtime.GOMAXPROCS(s.Limits.Threads)
	closeQuota(s.files())
	if !s.Lives {
		debug.SetGCPercent(400) // they are short-lived and their memory is bounded
	}
	debug.SetMemoryLimit(s.Limits.Memory / 4 * 3) // collect harder before the kernel says no
	if err := limitMemory(s.Limits.Memory); err != nil {
		return nil, err
	}
	if err := filterSystemCalls(s.Dir); err != nil {
		return nil, err
	}
	return func() error {
		if err := main(context.Background(), c); err != nil {
			return err
		}
		return output.Close()
	}, nil
}

// writerOnly hides the other methods of the output's file.
type writerOnly struct{ io.Writer }

// finish runs the program and gives the parent its last word. It returns the
// exit code.
func finish(run func() error) int {
	if err := report(status{State: stateReady}); err != nil {
		return exitUnfit
	}
	result := make(chan error)
	go func() { result <- run() }() // off the locked thread, where switching is slow
	last := statusOf(<-result)
	if report(last) != nil || last.State != stateDone {
		return exitFailed
	}
	return 0
}

func readSpec() (spec, error) {
	var s spec
	text, err := readSealed(fdSpec, maxSpec)
	if err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("decode spec: %w", err)
	}
	return s, nil
}

// dieWithParent has the kernel kill this process when the thread that started
// it ends. The first stages do so; execution and giving up rights keep it.
func dieWithParent(parent string) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie to parent: %w", err)
	}
	// It may have ended before that. In a namespace of its own this process
	// cannot see who its parent is, but the old /proc can.
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return fmt.Errorf("look for parent: %w", err)
	}
	after := text[bytes.LastIndexByte(text, ')')+1:] // the name may hold anything
	if f := strings.Fields(string(after)); len(f) < 2 || f[1] != parent {
		return fmt.Errorf("process %s, which started this one, has ended", parent)
	}
	return nil
}

// tied reports whether dieWithParent still holds.
func tied() bool {
	var signal int32
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0)
	return errno == 0 && signal == int32(unix.SIGKILL)
}

// closeQuota closes the files of the control group's quota that the Go runtime
// opens where it can see them. It reads them no more once GOMAXPROCS is set.
func closeQuota(first int) {
	target := make([]byte, 256)
	for fd := first; fd < first+spareFiles; fd++ {
		n, err := unix.Readlink(fdPath(fd), target)
		if err == nil && strings.HasPrefix(string(target[:n]), "/sys/fs/cgroup/") {
			_ = unix.Close(fd)
		}
	}
}

// limitMemory bounds the address space: what the binary and its runtime have
// reserved by now, most of it never touched, and the limit on top.
func limitMemory(limit int64) error {
	fd, err := unix.Open("/proc/self/statm", unix.O_RDONLY|unix.O_CLOEXEC, 0) // os.Open would leave a poller behind
	if err != nil {
		return fmt.Errorf("measure memory: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // read only
	text := make([]byte, 128)
	n, err := unix.Read(fd, text)
	if err != nil {
		return fmt.Errorf("measure memory: %w", err)
	}
	first, _, _ := strings.Cut(string(text[:n]), " ")
	pages, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return fmt.Errorf("measure memory: %w", err)
	}
	total := pages*uint64(os.Getpagesize()) + uint64(limit)
	if err := setLimit(unix.RLIMIT_AS, total); err != nil {
		return fmt.Errorf("limit memory: %w", err)
	}
	return nil
}
