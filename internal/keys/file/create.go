package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// system is every call that changes the disk. Tests put failing ones in its place.
type system struct {
	mkdir   func(dir string) error
	create  func(path string) (*os.File, error)
	write   func(f *os.File, p []byte) (int, error)
	sync    func(f *os.File) error
	link    func(old, path string) error
	rename  func(old, path string) error
	remove  func(path string) error
	syncDir func(d *os.File) error
}

func linux() system {
	return system{
		mkdir: func(dir string) error { return os.Mkdir(dir, 0o700) },
		create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		},
		write:   (*os.File).Write,
		sync:    (*os.File).Sync,
		link:    os.Link,
		rename:  os.Rename,
		remove:  os.Remove,
		syncDir: (*os.File).Sync,
	}
}

// create makes a key file with one key. If another process makes it meanwhile,
// that one stays. When create fails there is either no key file or a whole one
// that nothing has used. The name is not durable before settle.
func create(path string, c clock.Clock, sys system) error {
	dir := filepath.Dir(path)
	if err := makeDir(dir, sys); err != nil {
		return denied(err, "make directory of key file", dir)
	}
	e := newEntry(c)
	text := format([]entry{e})
	clear(e.secret)
	defer clear(text)
	temp := filepath.Join(dir, c.ID(".new"))
	f, err := sys.create(temp)
	if err != nil {
		return denied(err, "make key file", dir)
	}
	_, err = sys.write(f, text)
	if err == nil {
		err = sys.sync(f)
	}
	f.Close()
	if err == nil {
		if err = sys.link(temp, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if e := sys.remove(temp); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	return nil
}

// settle sees that a key file that is there, perhaps because a process died while
// it made it, survives a power cut. If it cannot be told to, it must not be used.
func settle(path string, sys system) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	if err := sys.sync(f); err != nil {
		return fmt.Errorf("sync key file: %w", err)
	}
	if err := syncDir(filepath.Dir(path), sys); err != nil {
		return fmt.Errorf("sync directory of key file: %w", err)
	}
	return nil
}

// makeDir makes dir and what is missing above it, and sees that it survives a
// power cut, also if a process that died has made it.
func makeDir(dir string, sys system) error {
	above := filepath.Dir(dir)
	err := sys.mkdir(dir)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := makeDir(above, sys); err != nil {
			return err
		}
		err = sys.mkdir(dir)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		if err = syncDir(above, sys); errors.Is(err, fs.ErrPermission) {
			err = nil // not a directory of ours
		}
		return err
	case err != nil:
		return err
	}
	return syncDir(above, sys)
}

func syncDir(dir string, sys system) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return sys.syncDir(d)
}

func denied(err error, doing, dir string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fault.Wrap(fault.Denied, err, "The key file cannot be made: the user this server runs as may not write in %s.", dir)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
