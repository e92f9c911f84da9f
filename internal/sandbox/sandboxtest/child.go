//go:build linux && (amd64 || arm64)

// Package sandboxtest finds the children of tests of packages that use the sandbox.
// Its own tests show that the analytical engine works inside the walls and cannot get
// out of them. They are apart from the sandbox's because linking the engine takes half
// a minute.
package sandboxtest

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Child returns a child of this process that works behind its walls, 0 if there
// is none: its memory is limited last but for the filter of system calls.
func Child(t *testing.T) int {
	t.Helper()
	dir, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // no process, or one that has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		pid, err := strconv.Atoi(name)
		if err != nil || fields[0] == "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		var limit unix.Rlimit
		if unix.Prlimit(pid, unix.RLIMIT_AS, nil, &limit) == nil && limit.Cur != unix.RLIM_INFINITY {
			return pid
		}
	}
	return 0
}
