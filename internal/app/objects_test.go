package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/internal/blob/blobtest"
	"tributary/internal/blob/s3"
	"tributary/internal/blob/s3/s3test"
	"tributary/internal/fault"
	"tributary/internal/meta/metatest"
)

// kept puts an object into the store of an installation, and returns what fails
// the test if it is gone.
func kept(t *testing.T, c Config) (check func(after string)) {
	t.Helper()
	if err := c.defaults(); err != nil {
		t.Fatal(err)
	}
	owner := must(c.ownerBeside(t.Context()))(t)
	store := must(s3.New(t.Context(), s3.Config{URL: c.Objects, Owner: owner, Reading: true}))(t)
	t.Cleanup(func() { _ = store.Close() })
	if err := blobtest.Put(t.Context(), store, "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	return func(after string) {
		t.Helper()
		if _, err := blobtest.Get(t.Context(), store, "a/b"); err != nil {
			t.Errorf("an object after %s: %v", after, err)
		}
		if _, err := Fsck(t.Context(), c, false); err != nil {
			t.Errorf("the installation after %s: %v", after, err)
		}
	}
}

// A restored copy has an id of its own, so what it was made of keeps its objects.
func TestACopyDoesNotGetTheObjects(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	metatest.EachURL(t, func(t *testing.T, database string) {
		live := Config{Data: filepath.Join(t.TempDir(), "data"), Objects: g.URL()}
		must(Init(t.Context(), live, "admin@example.com", "a long enough password"))(t)
		still := kept(t, live)
		target := filepath.Join(t.TempDir(), "backups")
		must(Backup(t.Context(), live, target, nil))(t)

		copied, onDisk := elsewhere(t, live, database), elsewhere(t, live, "")
		copied.Objects = g.URL()
		own := copied.Objects
		for _, c := range []Config{copied, onDisk} {
			if r := must(Restore(t.Context(), c, target, nil))(t); len(r.Findings) > 0 {
				t.Errorf("restore: got %v, want nothing wrong", r.Findings)
			}
		}
		copied.Objects, onDisk.Objects = live.Objects, live.Objects
		refused := func(what string, want fault.Kind, c Config) {
			t.Helper()
			if _, err := Fsck(t.Context(), c, false); !fault.Is(err, want) {
				t.Errorf("%s: got %v, want %s", what, err, want)
			}
			if _, err := Backup(t.Context(), c, filepath.Join(t.TempDir(), "b"), nil); !fault.Is(err, want) {
				t.Errorf("backup of %s: got %v, want %s", what, err, want)
			}
			if _, err := Init(t.Context(), c, "b@example.com", "a long enough password"); !fault.Is(err, want) {
				t.Errorf("init of %s: got %v, want %s", what, err, want)
			}
		}
		refused("a copy whose note says otherwise", fault.Invalid, copied)
		if err := os.Remove(filepath.Join(copied.Data, "objects.url")); err != nil {
			t.Fatal(err)
		}
		refused("a copy without a note", fault.Conflict, copied)
		refused("a copy on disk", fault.Conflict, onDisk)
		still("all that")
		copied.Objects = own
		if found, err := Fsck(t.Context(), copied, true); err != nil || len(found) > 0 {
			t.Errorf("the copy, at its own place: got %v, %v, want nothing wrong", found, err)
		}
	})
}

// A restore that was killed and is run again takes away what it claimed, and
// nothing of one that claimed the place meanwhile.
func TestAnAbandonedRestoreTakesNothingOfAnothers(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	must(Backup(t.Context(), from, target, nil))(t)
	url := g.URL()
	first, second := elsewhere(t, from, ""), elsewhere(t, from, "")
	first.Objects, second.Objects = url, url

	// As a kill leaves it before it claims anything.
	killed := first
	if err := killed.defaults(); err != nil {
		t.Fatal(err)
	}
	mark := must(vacate(t.Context(), &killed))(t)
	if err := killed.noteObjects(); err != nil {
		t.Fatal(err)
	}
	if err := mark.Close(); err != nil {
		t.Fatal(err)
	}
	must(Restore(t.Context(), second, target, nil))(t)
	still := kept(t, second)
	if _, err := Restore(t.Context(), first, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("the abandoned one again: got %v, want conflict", err)
	}
	still("it")

	// And after: nobody else gets it, and it is taken again.
	third := elsewhere(t, from, "")
	third.Objects = g.URL()
	killed = third
	if err := killed.defaults(); err != nil {
		t.Fatal(err)
	}
	mark = must(vacate(t.Context(), &killed))(t)
	store := must(killed.openEmptyObjects(t.Context()))(t)
	if err := blobtest.Put(t.Context(), store, "a/b", nil); err != nil {
		t.Fatal(err)
	}
	if err := mark.Close(); err != nil {
		t.Fatal(err)
	}
	fourth := elsewhere(t, from, "")
	fourth.Objects = third.Objects
	if _, err := Restore(t.Context(), fourth, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("a place that another restore has: got %v, want conflict", err)
	}
	must(Restore(t.Context(), third, target, nil))(t)
	if left, err := blobtest.Keys(t.Context(), store, ""); err != nil || len(left) > 0 {
		t.Errorf("what the one before had copied: got %v, %v, want it gone", left, err)
	}
}

// Objects that nobody owns are not a restore's to clear.
func TestAPlaceWithObjectsIsNotClaimed(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	must(Backup(t.Context(), from, target, nil))(t)
	to := elsewhere(t, from, "")
	to.Objects = g.URL()
	place := must(s3.Parse(to.Objects))(t)
	stray := filepath.Join(g.Dir, s3test.Bucket, place.Prefix, "objects", "stray+")
	if err := os.MkdirAll(filepath.Dir(stray), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), to, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("restore: got %v, want conflict", err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Errorf("what was there: %v", err)
	}
}

func TestOneRestoreAtATime(t *testing.T) {
	t.Parallel()
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	must(Backup(t.Context(), from, target, nil))(t)
	to := elsewhere(t, from, "")
	met := 0
	r := must(Restore(t.Context(), to, target, func(string, int64, int64) {
		met++
		if _, err := Restore(t.Context(), to, target, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second one meanwhile: got %v, want conflict", err)
		}
	}))(t)
	if met == 0 || len(r.Findings) > 0 {
		t.Errorf("got %d meetings and %v, want some and nothing wrong", met, r.Findings)
	}
	if found, err := Fsck(t.Context(), to, true); err != nil || len(found) > 0 {
		t.Errorf("fsck: got %v, %v, want nothing", found, err)
	}
}

// A restore that fails when all is there deletes nothing.
func TestARestoreThatIsWholeStays(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, database string) {
		from := initialised(t, "")
		target := filepath.Join(t.TempDir(), "backups")
		must(Backup(t.Context(), from, target, nil))(t)
		to := elsewhere(t, from, database)
		mark := filepath.Join(to.Data, unfinishedFile)
		_, err := Restore(t.Context(), to, target, func(step string, _, _ int64) {
			if step != "checks" {
				return
			}
			// A mark that cannot be taken away.
			if err := errors.Join(os.Remove(mark), os.MkdirAll(filepath.Join(mark, "x"), 0o700)); err != nil {
				t.Error(err)
			}
		})
		if err == nil || !strings.Contains(fault.Message(err), "All is restored") {
			t.Errorf("restore: got %v, want it said that all is there", err)
		}
		if left := names(t, to.Data); !slices.Contains(left, filepath.Join(to.Data, "objects")) || !slices.Contains(left, mark) {
			t.Errorf("after it: got %v, want the objects and the mark", left)
		}
		if err := errors.Join(os.RemoveAll(mark), os.WriteFile(mark, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if found, err := Fsck(t.Context(), to, true); err != nil || len(found) > 0 {
			t.Errorf("fsck: got %v, %v, want nothing", found, err)
		}
		if _, err := os.Stat(mark); !os.IsNotExist(err) {
			t.Errorf("the mark: got %v, want it gone", err)
		}
	})
}
