package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// system is every call that changes the disk. Tests put failing ones in its place.
type system struct {
	create  func(r *os.Root, name string) (*os.File, error)
	write   func(f *os.File, p []byte) (int, error)
	sync    func(f *os.File) error
	mkdir   func(r *os.Root, name string) error
	rename  func(from *os.File, old string, to *os.File, name string) error // never over what exists
	remove  func(r *os.Root, name string) error
	syncDir func(d *os.File) error
}

func linux() system {
	return system{
		create: func(r *os.Root, name string) (*os.File, error) {
			return r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		},
		write:   (*os.File).Write,
		sync:    (*os.File).Sync,
		mkdir:   func(r *os.Root, name string) error { return r.Mkdir(name, 0o700) },
		rename:  rename,
		remove:  (*os.Root).Remove,
		syncDir: (*os.File).Sync,
	}
}

// rename moves a name from one open directory to another. The kernel refuses, in
// the same step, if the new name exists.
func rename(from *os.File, old string, to *os.File, name string) error {
	err := unix.Renameat2(int(from.Fd()), old, int(to.Fd()), name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) { // a file system without that flag, such as NFS
		return link(from, old, to, name)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: name, Err: err}
	}
	return nil
}

// link is rename in two steps. What is left if the second does not happen is a
// file in tmp, which is removed by Abort or Sweep.
func link(from *os.File, old string, to *os.File, name string) error {
	if err := unix.Linkat(int(from.Fd()), old, int(to.Fd()), name, 0); err != nil {
		return &os.LinkError{Op: "link", Old: old, New: name, Err: err}
	}
	if err := unix.Unlinkat(int(from.Fd()), old, 0); err != nil {
		return &os.LinkError{Op: "unlink", Old: old, Err: err}
	}
	return nil
}
