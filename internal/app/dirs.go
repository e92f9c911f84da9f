package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"tributary/internal/fault"
)

// findDirs refuses a data directory that is not there or is not one.
func (c Config) findDirs() error {
	dirs := []string{c.Data}
	if c.Objects == "" && c.notedObjects() == "" {
		dirs = append(dirs, c.objectsDir())
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
			return fault.New(fault.NotFound, "There is no data of Tributary at %s: there is no directory %s. Is it the right place? Nothing was made.", c.Data, dir)
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "The directory %s cannot be looked at.", dir)
		}
	}
	return checkDir(c.Data)
}

// makeDir makes the data directory, for its owner only.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fault.Wrap(fault.Invalid, err, "The data directory %s cannot be made.", path)
	}
	return checkDir(path)
}

func checkDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Invalid, "The data directory %s can be read by others. Run: chmod 700 %s", path, path)
	}
	return nil
}
