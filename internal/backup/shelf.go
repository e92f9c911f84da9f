package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// shelf is the finished backups of a directory.
type shelf struct {
	readable []*Backup // those of one server together, from old to new
	problems []problem
}

// problem is a backup that cannot be read.
type problem struct {
	id  string
	err error
}

func (t *Target) shelf() (s shelf, err error) {
	names, err := t.whole()
	if err != nil {
		return s, err
	}
	for _, name := range names {
		b, err := t.open(name)
		if err != nil {
			s.problems = append(s.problems, problem{name, err})
			continue
		}
		s.readable = append(s.readable, b)
	}
	slices.SortFunc(s.readable, func(a, b *Backup) int {
		return cmp.Or(bytes.Compare(a.PublicKey, b.PublicKey), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Mark.Audit.Seq, b.Mark.Audit.Seq),
			a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.ID, b.ID))
	})
	return s, nil
}

// mixed reports whether the backups are of more than one server.
func (s shelf) mixed() bool {
	return len(s.readable) > 0 && !bytes.Equal(s.readable[0].PublicKey, s.readable[len(s.readable)-1].PublicKey)
}

// newest opens the newest backup. One that cannot be read and may be newer is not
// passed over: its error is returned.
func (t *Target) newest() (*Backup, error) {
	s, err := t.shelf()
	if err != nil {
		return nil, err
	}
	if s.mixed() {
		return nil, fault.New(fault.Conflict, "There are backups of more than one server in %s. Name the directory of one backup.", t.dir)
	}
	last := len(s.problems) - 1
	switch {
	case len(s.readable) == 0 && last < 0:
		return nil, fault.New(fault.NotFound, "There is no finished backup in %s.", t.dir)
	case len(s.readable) == 0:
		return nil, s.problems[last].err
	}
	newest := s.readable[len(s.readable)-1]
	if last >= 0 && s.problems[last].id > newest.ID {
		return nil, s.problems[last].err
	}
	return newest, nil
}

// List returns the manifests of a directory's finished backups, from new to old.
// One that cannot be read is an error of its own kind in place of the manifest.
func List(dir string, c Config) (list []Manifest, problems []error, err error) {
	t, err := openForReading(dir, c)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = t.Close() }()
	s, err := t.shelf()
	if err != nil {
		return nil, nil, err
	}
	for _, b := range slices.Backward(s.readable) {
		list = append(list, b.Manifest)
	}
	for _, p := range slices.Backward(s.problems) {
		problems = append(problems, p.err)
	}
	return list, problems, nil
}

// Prune removes all but the newest backups of a directory, and then the objects
// that no backup names any more. It returns what went. Nothing goes if a backup
// cannot be read (Damaged), since nobody knows which objects it needs, nor if the
// backups are of more than one server (Conflict).
func (t *Target) Prune(ctx context.Context, keep int) (backups, objects int64, err error) {
	if keep < 1 {
		return 0, 0, fault.New(fault.Invalid, "At least one backup has to be kept.")
	}
	s, err := t.shelf()
	if err != nil {
		return 0, 0, err
	}
	if s.mixed() {
		return 0, 0, fault.New(fault.Conflict, "There are backups of more than one server in %s. Nothing was removed; move those of one elsewhere, with a copy of the pool.", t.dir)
	}
	if len(s.problems) > 0 {
		return 0, 0, unprunable(s.problems[0].id, s.problems[0].err)
	}
	first := max(0, len(s.readable)-keep)
	needed := map[blob.Key]bool{}
	for _, b := range s.readable[first:] {
		if err := b.verifyControl(); err != nil {
			return 0, 0, unprunable(b.ID, err)
		}
		list, err := b.objects()
		if err != nil {
			return 0, 0, unprunable(b.ID, err)
		}
		for _, o := range list {
			needed[blob.Key(o.Key)] = true
		}
	}
	dir := filepath.Join(t.dir, backupsDir)
	for _, b := range s.readable[:first] {
		// Not whole any more from the first step on.
		old := b.dir + partial
		if err := errors.Join(os.Rename(b.dir, old), os.RemoveAll(old), syncDir(dir)); err != nil {
			return backups, 0, targetError(t.dir, err)
		}
		backups++
	}
	err = t.pool.List(ctx, "", func(i blob.Info) error {
		if needed[i.Key] {
			return nil
		}
		objects++
		return t.pool.Delete(ctx, i.Key)
	})
	return backups, objects, err
}

func unprunable(id string, err error) error {
	return fault.Wrap(fault.KindOf(err), err, "The backup %s cannot be read, so nobody knows what it needs, and nothing was removed. If it cannot be mended, remove its directory and prune again.", id)
}
