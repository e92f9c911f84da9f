//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed lists the system calls that need no look at their arguments: what the
// Go runtime, the C library and the analytical engine use to compute, to have
// threads, and to read files that are in reach. Everything else is refused, so
// there are no sockets, no processes, no new memory files, no tracing of others,
// no mounts, keys, BPF or io_uring, and no execution. See also allowedHere for
// the calls of one processor, and conditional.
var allowed = []uint32{
	// memory
	unix.SYS_BRK, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_MREMAP, unix.SYS_MUNMAP,
	// files and pipes
	unix.SYS_CLOSE, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_EVENTFD2, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL,
	unix.SYS_EPOLL_PWAIT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_FADVISE64, unix.SYS_FLOCK, unix.SYS_FSTAT,
	unix.SYS_FSTATFS, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_GETCWD, unix.SYS_GETDENTS64, unix.SYS_LSEEK, unix.SYS_OPENAT,
	unix.SYS_PIPE2, unix.SYS_PPOLL, unix.SYS_PREAD64, unix.SYS_PREADV, unix.SYS_PSELECT6, unix.SYS_READ,
	unix.SYS_READAHEAD, unix.SYS_READLINKAT, unix.SYS_READV, unix.SYS_STATFS, unix.SYS_STATX, unix.SYS_WRITE,
	unix.SYS_WRITEV,
	// threads
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_FUTEX, unix.SYS_GETTID, unix.SYS_GET_ROBUST_LIST, unix.SYS_MEMBARRIER,
	unix.SYS_RSEQ, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_GETSCHEDULER,
	unix.SYS_SCHED_GET_PRIORITY_MAX, unix.SYS_SCHED_GET_PRIORITY_MIN, unix.SYS_SCHED_YIELD,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS,
	// signals of this process
	unix.SYS_RESTART_SYSCALL, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPENDING, unix.SYS_RT_SIGPROCMASK,
	unix.SYS_RT_SIGRETURN, unix.SYS_RT_SIGSUSPEND, unix.SYS_RT_SIGTIMEDWAIT, unix.SYS_SIGALTSTACK,
	// time, randomness, and facts about this process and the machine
	unix.SYS_CLOCK_GETRES, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETCPU, unix.SYS_GETRANDOM,
	unix.SYS_GETTIMEOFDAY, unix.SYS_NANOSLEEP, unix.SYS_TIMES, unix.SYS_GETEGID, unix.SYS_GETEUID, unix.SYS_GETGID,
	unix.SYS_GETPGID, unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETRUSAGE, unix.SYS_GETUID, unix.SYS_SYSINFO,
	unix.SYS_UNAME,
}

// writing lists the system calls that a child with a directory has besides.
var writing = []uint32{
	unix.SYS_FALLOCATE, unix.SYS_FTRUNCATE, unix.SYS_PWRITE64, unix.SYS_PWRITEV, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2,
	unix.SYS_SYNC_FILE_RANGE, unix.SYS_UNLINKAT,
}

// lastKnown is the newest system call that this list was written for. Later ones
// are answered with ENOSYS, at which libraries fall back on an older one.
const lastKnown = unix.SYS_FUTEX_REQUEUE

// Constants of the kernel that x/sys does not have.
const (
	prSetVMA          = 0x53564d41 // names a mapping, for people who read /proc/self/maps
	archField         = 4          // of struct seccomp_data
	argsField         = 16
	x32Bit            = 0x40000000
	maxFilter         = 4096
	refuse     uint32 = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown    uint32 = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	noTerminal uint32 = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOTTY)
	allow      uint32 = unix.SECCOMP_RET_ALLOW
	kill       uint32 = unix.SECCOMP_RET_KILL_PROCESS
)

const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// conditional lists the system calls that depend on an argument, each with the
// end of the filter for it.
func conditional(pid uint32) map[uint32][]unix.SockFilter {
	own := oneOf(0, pid)
	return map[uint32][]unix.SockFilter{
		// Threads, and no processes. The flags of clone3 are in memory, where a
		// filter cannot look; libraries fall back on clone.
		unix.SYS_CLONE: {
			load(low(0)), jump(unix.BPF_JSET, newNamespaces, 0, 1), give(refuse),
			jump(unix.BPF_JSET, unix.CLONE_THREAD, 1, 0), give(refuse), give(allow),
		},
		unix.SYS_CLONE3: {give(unknown)},
		// No new code, written or loaded.
		unix.SYS_MMAP:     without(2, unix.PROT_EXEC),
		unix.SYS_MPROTECT: without(2, unix.PROT_EXEC),
		unix.SYS_KILL:     own,
		unix.SYS_TGKILL:   own,
		// Reading limits, not setting them, and only one's own.
		unix.SYS_PRLIMIT64: {
			load(low(2)), jump(unix.BPF_JEQ, 0, 1, 0), give(refuse),
			load(high(2)), jump(unix.BPF_JEQ, 0, 1, 0), give(refuse),
			load(low(0)), jump(unix.BPF_JEQ, 0, 1, 0), give(refuse), give(allow),
		},
		// Above all not PDEATHSIG and DUMPABLE, which would undo what was set.
		unix.SYS_PRCTL: oneOf(0, unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_GET_DUMPABLE, prSetVMA),
		// Not F_SETOWN, F_SETSIG and F_NOTIFY, which send signals.
		unix.SYS_FCNTL: oneOf(1, unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL,
			unix.F_GETLK, unix.F_SETLK, unix.F_SETLKW, unix.F_OFD_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW, unix.F_GET_SEALS),
		unix.SYS_IOCTL: {give(noTerminal)},
	}
}

// filterSystemCalls puts the filter on every thread of this process. It cannot
// be taken off.
func filterSystemCalls(dir bool) error {
	program := filter(uint32(os.Getpid()), dir)
	if len(program) > maxFilter {
		return fmt.Errorf("system call filter has %d instructions, at most %d", len(program), maxFilter)
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	if r != 0 {
		return errors.New("filter system calls: a thread did not take the filter")
	}
	return nil
}

// filter makes the program: one comparison and one verdict for each system call,
// so that no jump is far.
func filter(pid uint32, dir bool) []unix.SockFilter {
	f := []unix.SockFilter{
		load(archField), jump(unix.BPF_JEQ, auditArch, 1, 0), give(kill),
		load(0),
	}
	list := slices.Concat(allowed, allowedHere)
	if dir {
		list = slices.Concat(list, writing, writingHere)
	}
	for _, nr := range list {
		f = append(f, jump(unix.BPF_JEQ, nr, 0, 1), give(allow))
	}
	for nr, rest := range conditional(pid) {
		f = append(f, jump(unix.BPF_JEQ, nr, 0, uint8(len(rest))))
		f = append(f, rest...)
	}
	return append(f,
		jump(unix.BPF_JGE, x32Bit, 0, 1), give(kill), // the other set of numbers of amd64
		jump(unix.BPF_JGT, lastKnown, 0, 1), give(unknown),
		give(refuse))
}

// low and high are the offsets of the halves of an argument.
func low(arg uint32) uint32  { return argsField + 8*arg }
func high(arg uint32) uint32 { return low(arg) + 4 }

// load loads the word at an offset of struct seccomp_data.
func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// jump compares what is loaded with k and skips as many instructions as said.
func jump(compare uint16, k uint32, ifTrue, ifFalse uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, Jt: ifTrue, Jf: ifFalse, K: k}
}

// give ends the filter with a verdict.
func give(verdict uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict}
}

// oneOf allows the call if an argument, of which the kernel reads 32 bits, is
// one of the values.
func oneOf(arg uint32, values ...uint32) []unix.SockFilter {
	f := []unix.SockFilter{load(low(arg))}
	for _, v := range values {
		f = append(f, jump(unix.BPF_JEQ, v, 0, 1), give(allow))
	}
	return append(f, give(refuse))
}

// without allows the call if an argument has none of the bits.
func without(arg, bits uint32) []unix.SockFilter {
	return []unix.SockFilter{load(low(arg)), jump(unix.BPF_JSET, bits, 0, 1), give(refuse), give(allow)}
}
