package file

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// Add puts a new key in front of the others of a key file: it wraps from now on,
// and all unwrap. When Add returns nil the new file survives a power cut; when it
// does not, the file is the one before or the new one, whole. No server may have
// the file open, or it would go on wrapping with the key before.
func Add(path string, c clock.Clock) (*KEK, error) { return add(path, c, linux()) }

func add(path string, c clock.Clock, sys system) (*KEK, error) {
	path = filepath.Clean(path)
	entries, err := read(path)
	if err != nil {
		return nil, err
	}
	if err := sweep(filepath.Dir(path), sys); err != nil {
		return nil, err
	}
	if len(entries) >= maxKeys {
		return nil, fault.New(fault.Conflict, "The key file %s has %d keys, and more do not fit. Take out those that nothing needs any more: tributary keys retire.", path, maxKeys)
	}
	return replace(path, append([]entry{newEntry(c)}, entries...), c, sys)
}

// Retire takes all keys but the first out of a key file and returns the ids of
// those that went, as durably as Add. What they wrapped cannot be opened with this
// file any more.
func Retire(path string, c clock.Clock) (gone []string, err error) {
	return retire(path, c, linux())
}

func retire(path string, c clock.Clock, sys system) (gone []string, err error) {
	path = filepath.Clean(path)
	entries, err := read(path)
	if err != nil {
		return nil, err
	}
	if err := sweep(filepath.Dir(path), sys); err != nil {
		return nil, err
	}
	if gone = ids(entries[1:]); len(gone) == 0 {
		return nil, nil
	}
	_, err = replace(path, entries[:1], c, sys)
	return gone, err
}

// temporary is the form of the names that a key file has before its own.
var temporary = regexp.MustCompile(`^\.new_[0-9a-hjkmnp-tv-z]{26}$`)

// sweep removes what a process left that was killed while it made or replaced a key
// file: it has keys, which may be retired by now. Nobody may be making one there.
func sweep(dir string, sys system) error {
	left, err := os.ReadDir(dir)
	if err != nil {
		return denied(err, "look for unfinished key files", dir)
	}
	gone := false
	for _, e := range left {
		if !e.Type().IsRegular() || !temporary.MatchString(e.Name()) {
			continue
		}
		if err := sys.remove(filepath.Join(dir, e.Name())); err != nil {
			return denied(err, "remove unfinished key file", dir)
		}
		gone = true
	}
	if !gone {
		return nil
	}
	if err := syncDir(dir, sys); err != nil {
		return fmt.Errorf("sync directory of key file: %w", err)
	}
	return nil
}

// Old returns the ids of the keys that Retire would take out.
func Old(path string) ([]string, error) {
	entries, err := read(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	return ids(entries[1:]), nil
}

func ids(entries []entry) (list []string) {
	for _, e := range entries {
		list = append(list, e.id)
	}
	return list
}

// replace writes a key file anew, under a temporary name first.
func replace(path string, entries []entry, c clock.Clock, sys system) (*KEK, error) {
	text := format(entries)
	defer clear(text)
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, c.ID(".new"))
	if err := write(temp, text, sys); err != nil {
		return nil, denied(err, "write key file", dir)
	}
	if err := sys.rename(temp, path); err != nil {
		_ = sys.remove(temp)
		return nil, denied(err, "replace key file", dir)
	}
	if err := settle(path, sys); err != nil {
		return nil, err
	}
	return load(path, c)
}

// write makes a file of mode 0600 and syncs it; on an error there is none.
func write(path string, text []byte, sys system) error {
	f, err := sys.create(path)
	if err != nil {
		return err
	}
	_, err = sys.write(f, text)
	if err == nil {
		err = sys.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, sys.remove(path))
	}
	return nil
}

// Install makes a key file of a text that Export was given once and a person has
// got back, as durably as Open makes one. What is no key file is Invalid, and a
// file that is there already is Conflict: it is never overwritten.
func Install(path string, text []byte, c clock.Clock) (*KEK, error) {
	path = filepath.Clean(path)
	if _, err := parse(text); err != nil {
		return nil, fault.New(fault.Invalid, "What was decrypted is no key file: %s.", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Conflict, "There is a file at %s already, and it is not overwritten. Name another place, or move it away yourself.", path)
	}
	sys := linux()
	dir := filepath.Dir(path)
	if err := makeDir(dir, sys); err != nil {
		return nil, denied(err, "make directory of key file", dir)
	}
	temp := filepath.Join(dir, c.ID(".new"))
	if err := write(temp, text, sys); err != nil {
		return nil, denied(err, "write key file", dir)
	}
	err := sys.link(temp, path)
	if err := errors.Join(err, sys.remove(temp)); err != nil {
		return nil, fmt.Errorf("name key file: %w", err)
	}
	if err := settle(path, sys); err != nil {
		return nil, err
	}
	return load(path, c)
}

// Holds returns what reports whether a text has one of a key file's keys in it:
// as the file has it, in hexadecimal, or as bytes.
func Holds(path string) (func(text []byte) bool, error) {
	entries, err := read(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	var needles [][]byte
	for _, e := range entries {
		inHex := hex.EncodeToString(e.secret)
		needles = append(needles, e.secret, []byte(strings.TrimRight(base64.StdEncoding.EncodeToString(e.secret), "=")),
			[]byte(strings.TrimRight(base64.URLEncoding.EncodeToString(e.secret), "=")), []byte(inHex), []byte(strings.ToUpper(inHex)))
	}
	return func(text []byte) bool {
		for _, n := range needles {
			if bytes.Contains(text, n) {
				return true
			}
		}
		return false
	}, nil
}
