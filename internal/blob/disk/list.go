package disk

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"tributary/internal/blob"
)

// List implements blob.Store. It holds the names of one folder of files, and of
// the folders above it, in memory.
func (s *Store) List(ctx context.Context, prefix string, f func(blob.Info) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.walk(ctx, "", prefix, f)
}

// walk lists the objects whose keys begin with dir, which is empty or ends in a
// slash.
func (s *Store) walk(ctx context.Context, dir, prefix string, f func(blob.Info) error) error {
	names, err := s.names(path.Join(objects, dir))
	if err != nil {
		return err
	}
	// In the order of keys: a folder counts as its name with the slash that follows in the keys below it.
	for i, name := range names {
		if !strings.HasSuffix(name, mark) {
			names[i] += "/"
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(strings.TrimSuffix(a, mark), strings.TrimSuffix(b, mark)) })
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		object, isObject := strings.CutSuffix(dir+name, mark)
		switch {
		case isObject && strings.HasPrefix(object, prefix):
			err = s.show(blob.Key(object), f)
		case !isObject && touches(dir+name, prefix):
			err = s.walk(ctx, dir+name, prefix, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// touches reports whether keys that begin with start may begin with prefix.
func touches(start, prefix string) bool {
	return strings.HasPrefix(start, prefix) || strings.HasPrefix(prefix, start)
}

// names returns the names in a folder, none if it is gone.
func (s *Store) names(folder string) ([]string, error) {
	d, err := s.root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("open folder of objects", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, failure("list folder of objects", err)
	}
	return names, nil
}

// show tells f of an object, if it is still there.
func (s *Store) show(k blob.Key, f func(blob.Info) error) error {
	folder, name := locate(k)
	info, err := s.root.Lstat(path.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failure("look at object "+string(k), err)
	}
	return f(blob.Info{Key: k, Size: info.Size(), Modified: info.ModTime().UTC()})
}

var _ blob.Store = (*Store)(nil)
