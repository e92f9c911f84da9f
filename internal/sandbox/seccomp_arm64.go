//go:build linux

package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// allowedHere are the system calls that have another name on arm64.
var allowedHere = []uint32{unix.SYS_FSTATAT, unix.SYS_GETRLIMIT}

// writingHere are those of writing.
var writingHere []uint32
