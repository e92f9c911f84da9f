package backup

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tributary/internal/fault"
)

// Apart refuses a target (Invalid) that is within the data or around it, and one
// that has a key-encryption key in it or directly in a directory above it, up to
// the root of its volume, or that is on the key file's volume where the data is on
// another. holds reports whether a text has one of the keys in it.
func Apart(target, data, keyFile string, holds func([]byte) bool) error {
	target, err := realPath(target)
	if err != nil {
		return targetError(target, err)
	}
	if data, err = realPath(data); err != nil {
		return err
	}
	if within(target, data) || within(data, target) {
		return fault.New(fault.Invalid, "The directory for backups %s and the data directory %s lie one in the other. Name a directory apart from the data, best on another machine's disk.", target, data)
	}
	refuse := func(path string) error {
		return fault.New(fault.Invalid, "The key-encryption key is in %s. A backup there could be read by whoever takes it. Keep the key and the backups apart: tributary keys export makes a copy of the key for a safe place.", path)
	}
	found, err := search(target, holds)
	if err != nil {
		return targetError(target, err)
	}
	if found != "" {
		return refuse(found)
	}
	base := existing(target)
	volume := device(base)
	above := base
	if base == target {
		above = filepath.Dir(target)
	}
	for ; above != "/" && device(above) == volume; above = filepath.Dir(above) {
		if found := searchFiles(above, holds); found != "" {
			return refuse(found)
		}
	}
	if volume != device(data) && volume == device(keyFile) {
		return refuse(keyFile + ", on the same volume as " + target)
	}
	return nil
}

// existing is the path or the lowest directory above it that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == "/" || path == "." {
			return path
		}
		path = filepath.Dir(path)
	}
}

// realPath is a path without symbolic links, also one that is not there yet.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	there := existing(path)
	resolved, err := filepath.EvalSymlinks(there)
	if err != nil {
		return path, err
	}
	return filepath.Join(resolved, strings.TrimPrefix(path, there)), nil
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func device(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Dev
	}
	return 0
}

// search looks for a key in every file below a directory but those of the pool,
// which only ever got sealed bytes.
func search(dir string, holds func([]byte) bool) (found string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && path == filepath.Join(dir, poolDir):
			return fs.SkipDir
		case d.Type().IsRegular() && fileHolds(path, holds):
			found = path
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

// searchFiles looks for a key in the files directly in a directory.
func searchFiles(dir string, holds func([]byte) bool) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "" // not ours to read, and no key of ours
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() <= 1<<20 && fileHolds(filepath.Join(dir, e.Name()), holds) {
			return filepath.Join(dir, e.Name())
		}
	}
	return ""
}

// fileHolds reads a file in pieces that overlap by more than a key is long.
func fileHolds(path string, holds func([]byte) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const overlap = 128
	buf := make([]byte, 1<<20)
	kept := 0
	for {
		n, err := io.ReadFull(f, buf[kept:])
		if holds(buf[:kept+n]) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(buf, buf[len(buf)-overlap:])
	}
}
