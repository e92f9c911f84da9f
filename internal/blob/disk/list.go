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

// item is what is listed next: an object, or a folder of keys.
type item struct {
	order  string // an object's name; a folder's with a slash, as in the keys below it
	folder bool
}

// walk lists the objects whose keys begin with dir, which is empty or ends in a
// slash.
func (s *Store) walk(ctx context.Context, dir, prefix string, f func(blob.Info) error) error {
	names, err := s.names(path.Join(objects, dir))
	if err != nil {
		return err
	}
	for _, g := range groups(names) {
		if !touches(dir+g.order, prefix) {
			continue
		}
		items := g.items
		if g.bucket {
			files, err := s.names(path.Join(objects, dir, g.order+"+"))
			if err != nil {
				return err
			}
			for _, name := range files {
				items = append(items, item{order: name})
			}
			slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.order, b.order) })
		}
		for _, i := range items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if i.folder && touches(dir+i.order, prefix) {
				err = s.walk(ctx, dir+i.order, prefix, f)
			} else if !i.folder && strings.HasPrefix(dir+i.order, prefix) {
				err = s.show(blob.Key(dir+i.order), f)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// group is a stretch of the keys in a folder: those that begin with the same
// bucketSize characters, or a single folder with a shorter name.
type group struct {
	order  string
	bucket bool // there is a folder of files named order+
	items  []item
}

// groups sorts what is in a folder into stretches that follow one another in the
// order of keys. A folder "abcdef" lies between the files of the bucket "abcde+";
// one with a shorter name is before or behind whole buckets.
func groups(names []string) []group {
	byOrder := map[string]*group{}
	at := func(order string) *group {
		g := byOrder[order]
		if g == nil {
			g = &group{order: order}
			byOrder[order] = g
		}
		return g
	}
	for _, name := range names {
		if b, ok := strings.CutSuffix(name, "+"); ok {
			at(b).bucket = true
			continue
		}
		order := name + "/"
		g := at(order[:min(len(order), bucketSize)])
		g.items = append(g.items, item{order, true})
	}
	list := make([]group, 0, len(byOrder))
	for _, g := range byOrder {
		slices.SortFunc(g.items, func(a, b item) int { return cmp.Compare(a.order, b.order) })
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b group) int { return cmp.Compare(a.order, b.order) })
	return list
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
