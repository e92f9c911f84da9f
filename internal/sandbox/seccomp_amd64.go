//go:build linux

package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// allowedHere are the older system calls of amd64 that others have dropped.
var allowedHere = []uint32{
	unix.SYS_ACCESS, unix.SYS_ARCH_PRCTL, unix.SYS_DUP2, unix.SYS_EPOLL_WAIT, unix.SYS_GETPGRP, unix.SYS_GETRLIMIT,
	unix.SYS_LSTAT, unix.SYS_NEWFSTATAT, unix.SYS_OPEN, unix.SYS_PIPE, unix.SYS_POLL, unix.SYS_READLINK,
	unix.SYS_SELECT, unix.SYS_STAT, unix.SYS_TIME,
}

// writingHere are those of writing.
var writingHere = []uint32{unix.SYS_RENAME, unix.SYS_UNLINK}
