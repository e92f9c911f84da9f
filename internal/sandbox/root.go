//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// enterEmptyRoot replaces the file system by an empty read-only one that has
// /proc/self and, for binaries that are not static, the shared libraries.
//
// /proc/self is not a new proc: that would be refused where parts of /proc are
// hidden, as in containers. It is this process' directory of the old one and
// shows nothing else, not even which other processes there are.
func enterEmptyRoot(libraries []string) error {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("a security module (AppArmor, SELinux) refuses mounts in user namespaces; allow them to this program: %w", err)
	}
	if err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	kept, err := pickMounts(append([]string{"/proc/self"}, libraries...))
	if err != nil {
		return err
	}
	// The new root needs a place that surely exists, and /proc is picked up by now.
	const place = "/proc"
	if err := unix.Mount("sandbox", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
		"size=64k,nr_inodes=64,mode=0755"); err != nil {
		return fmt.Errorf("mount empty root: %w", err)
	}
	if err := os.Chdir(place); err != nil {
		return fmt.Errorf("enter empty root: %w", err)
	}
	for _, k := range kept {
		if err := k.place(); err != nil {
			return fmt.Errorf("place %s: %w", k.path, err)
		}
	}
	// Putting the old root on top of the new one and taking it off leaves no
	// directory behind that it would need.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	return nil
}

// keep is one thing of the old root that the new one has too.
type keep struct {
	path   string // absolute
	link   string // the target, if it is a symbolic link
	isDir  bool
	handle int // a copy of the mount, if not
}

// pickMounts copies the mounts of the paths that exist.
func pickMounts(paths []string) ([]keep, error) {
	var kept []keep
	for _, path := range paths {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", path, err)
		}
		k := keep{path: path, isDir: info.IsDir()}
		if path == "/proc/self" {
			k.isDir = true
		} else if info.Mode()&fs.ModeSymlink != 0 {
			if k.link, err = os.Readlink(path); err != nil {
				return nil, fmt.Errorf("look at %s: %w", path, err)
			}
			kept = append(kept, k)
			continue
		}
		flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
		if path != "/proc/self" {
			flags |= unix.AT_RECURSIVE // what is mounted below may hide something and cannot be left out
		}
		if k.handle, err = unix.OpenTree(unix.AT_FDCWD, path, flags); err != nil {
			return nil, fmt.Errorf("copy mount of %s: %w", path, err)
		}
		kept = append(kept, k)
	}
	return kept, nil
}

// place puts it into the new root, which is the current directory.
func (k keep) place() error {
	target := strings.TrimPrefix(k.path, "/")
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if k.link != "" {
		return os.Symlink(k.link, target)
	}
	if k.isDir {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
	} else {
		f, err := os.Create(target)
		if err != nil {
			return err
		}
		f.Close()
	}
	return unix.MoveMount(k.handle, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}
