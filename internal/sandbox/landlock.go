//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	landlockRead = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// landlockWrite is what a child may do in its directory: files, and no
	// directories, links or anything else.
	landlockWrite = landlockRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	landlockRun   = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
)

// restrictFiles leaves this thread, and what it executes, these files and no
// others: the program file to execute, paths to read, libraries to load, the
// directory to write to. It also takes away TCP, and signals and abstract sockets of other processes, as far as
// the kernel has that; the seccomp filter does so on every kernel.
func restrictFiles(exe int, s spec, read, libraries []string) error {
	version, err := landlockVersion()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	for _, more := range []struct {
		from             int
		files, net, apps uint64
	}{
		{from: 2, files: unix.LANDLOCK_ACCESS_FS_REFER},
		{from: 3, files: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		{from: 4, net: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
		{from: 5, files: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
		{from: 6, apps: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL},
	} {
		if version >= more.from {
			attr.Handled_access_fs |= more.files
			attr.Handled_access_net |= more.net
			attr.Scoped |= more.apps
		}
	}
	rules, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("make Landlock rules: %w", errno)
	}
	defer unix.Close(int(rules)) //nolint:errcheck // holds no data
	if err := allowFile(int(rules), exe, landlockRun); err != nil {
		return fmt.Errorf("allow program file: %w", err)
	}
	if s.Dir {
		write := uint64(landlockWrite)
		if version >= 3 {
			write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		}
		if err := allowFile(int(rules), s.dirFile(), write); err != nil {
			return fmt.Errorf("allow directory: %w", err)
		}
	}
	for _, path := range read {
		if err := allowPath(int(rules), path, landlockRead); err != nil {
			return err
		}
	}
	for _, path := range libraries {
		if err := allowPath(int(rules), path, landlockRead|unix.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules, 0, 0); errno != 0 {
		return fmt.Errorf("apply Landlock rules: %w", errno)
	}
	return nil
}

// landlockVersion returns the version of the kernel's interface, from 1.
func landlockVersion() (int, error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(v), nil
	case unix.ENOSYS:
		return 0, fmt.Errorf("the kernel has no Landlock: it takes Linux 5.13 or newer, built with it: %w", errno)
	case unix.EOPNOTSUPP:
		return 0, fmt.Errorf("the kernel's Landlock is switched off: add landlock to the list of the kernel parameter lsm: %w", errno)
	}
	return 0, fmt.Errorf("find Landlock: %w", errno)
}

// allowPath allows access to a path and what is below it, if it exists.
func allowPath(rules int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // read only
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	if err := allowFile(rules, fd, access); err != nil {
		return fmt.Errorf("allow %s: %w", path, err)
	}
	return nil
}

func allowFile(rules, fd int, access uint64) error {
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
