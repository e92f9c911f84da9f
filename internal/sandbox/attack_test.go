//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"tributary/internal/sandbox"
)

// attack is what hostile input could make a program do.
func attack(_ context.Context, c sandbox.Child) error {
	if _, err := c.Output.Write([]byte{'.'}); err != nil {
		return err
	}
	switch string(c.Args) {
	case "hang":
		var b [1]byte
		_, err := c.Stream.Read(b[:])
		return fmt.Errorf("the stream should not have ended: %w", err)
	case "spin":
		for range 2 {
			go func() {
				for {
					runtime.Gosched()
				}
			}()
		}
		select {}
	case "bomb":
		debug.SetGCPercent(-1)
		var kept [][]byte
		for {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
			runtime.KeepAlive(kept)
		}
	case "map":
		for {
			b, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return err
			}
			b[0] = 1
		}
	case "flood":
		for {
			if _, err := c.Output.Write(make([]byte, 64<<10)); err != nil {
				return err
			}
		}
	case "stderr":
		for {
			if _, err := os.Stderr.Write(make([]byte, 64<<10)); err != nil {
				return err
			}
		}
	}
	return try(c, tries, c.Output)
}

// tries are what no child can do. Each must give an error.
var tries = map[string]func(c sandbox.Child) error{
	"fork": func(sandbox.Child) error {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 {
			return nil // in both processes
		}
		return errno
	},
	"start": func(sandbox.Child) error {
		_, err := os.StartProcess("/proc/self/exe", []string{"x"}, &os.ProcAttr{})
		return err
	},
	"execute": func(sandbox.Child) error { return syscall.Exec("/proc/self/exe", []string{"x"}, nil) },
	"executable memory": func(sandbox.Child) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"memory made executable": func(sandbox.Child) error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil // which fails the test
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	},
	"write file": func(sandbox.Child) error { return os.WriteFile("/sandbox-was-here", []byte("x"), 0o600) },
	"write temporary file": func(sandbox.Child) error {
		return os.WriteFile(filepath.Join("/tmp", "sandbox-was-here"), []byte("x"), 0o600)
	},
	"write /proc/self":         func(sandbox.Child) error { return os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0) },
	"write /dev/shm":           func(sandbox.Child) error { return os.WriteFile("/dev/shm/sandbox-was-here", nil, 0o600) },
	"make directory":           func(sandbox.Child) error { return os.Mkdir("/tmp/sandbox-was-here", 0o700) },
	"read /etc/passwd":         func(sandbox.Child) error { return readable("/etc/passwd") },
	"read /etc/group":          func(sandbox.Child) error { return readable("/etc/group") },
	"read through own root":    func(sandbox.Child) error { return readable("/proc/self/root/etc/passwd") },
	"read by going up":         func(sandbox.Child) error { return readable("../../../../etc/passwd") },
	"list /proc of others":     func(sandbox.Child) error { return others() },
	"read own program":         func(sandbox.Child) error { return readable("/proc/1/exe") },
	"read kernel's messages":   func(sandbox.Child) error { return readable("/proc/kmsg") },
	"read machine's mounts":    func(sandbox.Child) error { return readable("/proc/1/mountinfo") },
	"open a disk":              func(sandbox.Child) error { return readable("/dev/vda") },
	"socket":                   func(sandbox.Child) error { return third(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)) },
	"unix socket":              func(sandbox.Child) error { return third(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) },
	"netlink socket":           func(sandbox.Child) error { return third(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)) },
	"pair of sockets":          func(sandbox.Child) error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"new memory file":          func(sandbox.Child) error { return third(unix.MemfdCreate("x", 0)) },
	"change input":             func(c sandbox.Child) error { return third(c.Inputs[0].WriteString("x")) },
	"shrink input":             func(c sandbox.Child) error { return c.Inputs[0].Truncate(0) },
	"open input to write":      func(c sandbox.Child) error { return changeInput(c) },
	"trace itself":             func(sandbox.Child) error { return errno(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0) },
	"read memory of others":    func(sandbox.Child) error { return errno(unix.SYS_PROCESS_VM_READV, 1, 0, 0) },
	"signal parent":            func(sandbox.Child) error { return unix.Kill(os.Getppid(), 0) },
	"signal all":               func(sandbox.Child) error { return unix.Kill(-1, 0) },
	"outlive parent":           func(sandbox.Child) error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) },
	"be traceable":             func(sandbox.Child) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
	"raise limit":              func(sandbox.Child) error { return unix.Prlimit(0, unix.RLIMIT_CPU, &unix.Rlimit{Cur: 9, Max: 9}, nil) },
	"limits of parent":         func(sandbox.Child) error { return unix.Prlimit(os.Getppid()+1, unix.RLIMIT_CPU, nil, &unix.Rlimit{}) },
	"become root":              func(sandbox.Child) error { return errno(unix.SYS_SETUID, 0, 0, 0) },
	"new namespace":            func(sandbox.Child) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"thread in new namespace":  func(sandbox.Child) error { return errno(unix.SYS_CLONE, unix.CLONE_THREAD|unix.CLONE_NEWUSER, 0, 0) },
	"clone3":                   func(sandbox.Child) error { return errno(unix.SYS_CLONE3, 0, 0, 0) },
	"mount":                    func(sandbox.Child) error { return unix.Mount("x", "/", "tmpfs", 0, "") },
	"change root":              func(sandbox.Child) error { return unix.Chroot("/") },
	"leave directory":          func(sandbox.Child) error { return os.Chdir("/") },
	"io_uring":                 func(sandbox.Child) error { return errno(unix.SYS_IO_URING_SETUP, 1, 0, 0) },
	"bpf":                      func(sandbox.Child) error { return errno(unix.SYS_BPF, 0, 0, 0) },
	"key ring":                 func(sandbox.Child) error { return errno(unix.SYS_KEYCTL, 0, 0, 0) },
	"performance events":       func(sandbox.Child) error { return errno(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0) },
	"user fault handler":       func(sandbox.Child) error { return errno(unix.SYS_USERFAULTFD, 0, 0, 0) },
	"shared memory":            func(sandbox.Child) error { return errno(unix.SYS_SHMGET, 0, 4096, 0o1600) },
	"message queue":            func(sandbox.Child) error { return errno(unix.SYS_MSGGET, 0, 0o1600, 0) },
	"terminal":                 func(sandbox.Child) error { return errno(unix.SYS_IOCTL, 2, unix.TIOCSTI, 0) },
	"host name":                func(sandbox.Child) error { return unix.Sethostname([]byte("x")) },
	"signal by file":           func(sandbox.Child) error { return third(unix.FcntlInt(0, unix.F_SETOWN, 1)) },
	"process by descriptor":    func(sandbox.Child) error { return third(unix.PidfdOpen(os.Getpid(), 0)) },
	"system call from 2030":    func(sandbox.Child) error { return errno(1000, 0, 0, 0) },
	"another filter":           func(sandbox.Child) error { return errno(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_STRICT, 0, 0) },
	"priority":                 func(sandbox.Child) error { return errno(unix.SYS_SETPRIORITY, 0, 0, 0) },
	"another processor":        func(sandbox.Child) error { var s unix.CPUSet; s.Set(0); return unix.SchedSetaffinity(0, &s) },
	"more files than it needs": func(sandbox.Child) error { return tooManyFiles() },
}

// try does each of the tries and writes one line for each.
func try(c sandbox.Child, tries map[string]func(sandbox.Child) error, out io.Writer) error {
	w := bufio.NewWriter(out)
	for name, do := range tries {
		fmt.Fprintf(w, "%s\t%v\n", name, do(c))
	}
	return w.Flush()
}

func errno(nr, a, b, c uintptr) error {
	if _, _, e := unix.RawSyscall6(nr, a, b, c, 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

func third(_ int, err error) error { return err }

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); errors.Is(err, syscall.EISDIR) {
		_, err := f.Readdirnames(1)
		return err
	}
	return nil
}

// others fails if no other process can be seen.
func others() error {
	names, err := os.ReadDir("/proc")
	for _, n := range names {
		if _, err := strconv.Atoi(n.Name()); err == nil {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return errors.New("none to see")
}

// changeInput tries every way from an input's descriptor to its content.
func changeInput(c sandbox.Child) error {
	f, err := os.OpenFile(c.Inputs[0].Name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.WriteString("x"); err != nil {
		return err
	}
	return nil
}

func tooManyFiles() error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for range 1000 {
		fd, err := unix.Dup(0)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	return nil
}

// segv reads where nothing is, as a bug in C code would.
func segv() {
	debug.SetPanicOnFault(false)
	var address uintptr = 8
	fmt.Println(*(*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&address))))
}

// look tells what a child can see of itself.
func look(_ context.Context, c sandbox.Child) error {
	var fds []string
	// Not by os.ReadDir, which opens a poller and the directory itself.
	target := make([]byte, 256)
	for fd := range 1000 {
		if n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), target); err == nil {
			kind, _, _ := strings.Cut(string(target[:n]), ":[")
			fds = append(fds, strconv.Itoa(fd)+"="+kind)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	facts := []string{
		"fds " + strings.Join(fds, " "),
		"environment " + strconv.Itoa(len(os.Environ())),
		"arguments " + strings.Join(os.Args, " "),
		"user " + strconv.Itoa(os.Getuid()) + " " + strconv.Itoa(os.Getgid()),
		"process " + strconv.Itoa(os.Getpid()),
		"processors " + strconv.Itoa(runtime.GOMAXPROCS(0)),
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") || strings.HasPrefix(line, "Seccomp:") {
			facts = append(facts, strings.Join(strings.Fields(line), " "))
		}
	}
	if environ, err := os.ReadFile("/proc/self/environ"); err == nil {
		facts = append(facts, "environ "+strconv.Quote(string(environ)))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for line := range strings.Lines(string(mounts)) {
		points = append(points, strings.Fields(line)[4])
	}
	slices.Sort(points)
	facts = append(facts, "mounts "+strings.Join(points, " "))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	facts = append(facts, fmt.Sprintf("dumpable %d %v", dumpable, err))
	_, err = io.WriteString(c.Output, strings.Join(facts, "\n"))
	return err
}
