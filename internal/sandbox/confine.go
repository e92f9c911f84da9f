//go:build linux && (amd64 || arm64)

package sandbox

import (
	"debug/elf"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// confine is the first stage. The kernel's walls are per thread (Landlock) or
// need rights that the program must not have (mounts), so they are made here and
// take hold of every thread by executing the binary again. It returns only when
// something failed.
func confine(parent string) error {
	if err := dieWithParent(parent); err != nil {
		return err
	}
	s, err := readSpec()
	if err != nil {
		return err
	}
	// Whatever the server was given by its own parent and does not know of.
	if err := unix.CloseRange(uint(s.files()), math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	exe, err := unix.Open(selfExe, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open program file: %w", err)
	}
	libraries, err := libraryPaths()
	if err != nil {
		return err
	}
	read := []string{"/"}
	if s.Level == Strict {
		if err := enterEmptyRoot(libraries); err != nil {
			return err
		}
		if err := unix.Sethostname([]byte("sandbox")); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
	} else {
		// A process' directory may be forgotten and made anew under another inode,
		// which Landlock would not know; being the current directory keeps it.
		if err := os.Chdir("/proc/self"); err != nil {
			return fmt.Errorf("change directory: %w", err)
		}
		read = []string{".", "/sys/fs/cgroup"}
	}
	if err := dropPrivileges(s.Level); err != nil {
		return err
	}
	if err := restrictFiles(exe, s, read, libraries); err != nil {
		return err
	}
	if err := limitResources(s); err != nil {
		return err
	}
	err = syscall.Exec(fdPath(exe), []string{stageName, stageRun, "-"}, []string{})
	return fmt.Errorf("execute second stage: %w", err)
}

// libraryPaths lists what the loader needs if this binary is not static, as
// release binaries are: directories of shared libraries, and the loader's cache.
func libraryPaths() ([]string, error) {
	f, err := elf.Open(selfExe)
	if err != nil {
		return nil, fmt.Errorf("read program file: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	var interpreter string
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil || len(name) < 2 {
			return nil, fmt.Errorf("read name of loader: %w", err)
		}
		interpreter = string(name[:len(name)-1])
	}
	if interpreter == "" {
		return nil, nil
	}
	paths := []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"}
	for _, p := range paths {
		if filepath.Dir(interpreter) == p {
			return paths, nil
		}
	}
	return append(paths, filepath.Dir(interpreter)), nil
}

// dropPrivileges gives up every capability for good.
func dropPrivileges(level Level) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if level == Strict { // otherwise we may not, and have none to drop
		for c := uintptr(0); ; c++ {
			err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
			if errors.Is(err, unix.EINVAL) {
				break // past the last one that the kernel knows
			}
			if err != nil {
				return fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// The limits that do not depend on the job.
const (
	spareFiles = 64        // descriptors beside those that the child starts with
	maxStack   = 8 << 20   // bytes; also the address space that each thread of C takes
	maxThreads = 256       // of one strict child
	maxNobody  = 4 * 1_024 // threads of all reduced children together, as user 65534
)

func limitResources(s spec) error {
	seconds, size := uint64((s.Limits.CPU+time.Second-1)/time.Second), uint64(0)
	if s.Lives {
		seconds = unix.RLIM_INFINITY
	}
	if s.Dir {
		size = unix.RLIM_INFINITY
	}
	limits := []struct {
		name     string
		resource int
		value    uint64
	}{
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"file size", unix.RLIMIT_FSIZE, size}, // pipes are not concerned
		{"processor time", unix.RLIMIT_CPU, seconds},
		{"open files", unix.RLIMIT_NOFILE, uint64(s.files() + spareFiles)},
		{"stack", unix.RLIMIT_STACK, maxStack},
		{"locked memory", unix.RLIMIT_MEMLOCK, 0},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0},
		{"pending signals", unix.RLIMIT_SIGPENDING, 1_024},
	}
	for _, l := range limits {
		if err := setLimit(l.resource, l.value); err != nil {
			return fmt.Errorf("limit %s: %w", l.name, err)
		}
	}
	// The kernel counts threads per user and user namespace. A reduced child of
	// an ordinary user is counted with all else that the user runs: no limit fits.
	threads := uint64(maxThreads)
	if s.Level == Reduced {
		threads = maxNobody
	}
	if s.Level == Strict || os.Getuid() == nobody {
		if err := setLimit(unix.RLIMIT_NPROC, threads); err != nil {
			return fmt.Errorf("limit threads: %w", err)
		}
	}
	return nil
}

// setLimit sets a limit for good, or keeps a lower one that is there already.
func setLimit(resource int, value uint64) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(resource, &old); err != nil {
		return err
	}
	value = min(value, old.Max)
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
}
