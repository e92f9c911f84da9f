package backup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/internal/backup"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// What was copied once is not replaced by what the source has rotted to, also if
// the only backup that had it cannot be read any more.
func TestWhatRotsIsNotCopiedOverWhatIsGood(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{"manifest.json", "manifest.sig", "control.sealed"} {
		w := newWorld(t, metatest.SQLite(t))
		w.backup()
		w.put(3)
		w.put(4)
		second := w.backup()
		if err := os.Truncate(filepath.Join(second.Path, damage), 10); err != nil {
			t.Fatal(err)
		}
		good := content(t, w.blobs, blobKey(3))
		for _, n := range []int{3, 4} {
			if err := w.blobs.Delete(t.Context(), blobKey(n)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, w.blobs, blobKey(3), strings.ToUpper(good))
		made := w.backup()
		want := []string{string(blobKey(3))}
		if damage == "control.sealed" { // its list is trusted, and the source not looked at
			want = []string{}
		}
		if made.Objects.Count != 5 || len(made.Objects.Missing) != 0 || made.Copied != 0 || !slices.Equal(made.Differs, want) {
			t.Errorf("%s: got %d objects, %v missing, %d copied, %v differ, want 5, and %v", damage, made.Objects.Count, made.Objects.Missing, made.Copied, made.Differs, want)
		}
		pool := must(disk.New(filepath.Join(w.target, "objects"), clock.Clock{}))(t)
		if got := content(t, pool, blobKey(3)); got != good {
			t.Errorf("%s: got %.20q, want what was copied first", damage, got)
		}
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
		if problems := w.verify(t.Context(), w.target, true); len(problems) > 0 {
			t.Errorf("%s: verify: got %q, want nothing", damage, problems)
		}
	}
}

// A store that has nothing of what the rows name is the wrong one.
func TestAStoreWithNothingIsNotBackedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	empty := must(disk.New(filepath.Join(t.TempDir(), "objects"), clock.Clock{}))(t)
	t.Cleanup(func() { _ = empty.Close() })
	if _, err := w.try(t.Context(), empty); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want conflict", err)
	}
	if _, err := backup.Open(w.target, w.shelf); !fault.Is(err, fault.NotFound) {
		t.Errorf("open: got %v, want not-found", err)
	}
}

// The manifest is what makes a backup one, so it is the last file.
func TestTheManifestIsWrittenLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	for range 8 {
		made := w.backup()
		manifest := must(os.Stat(filepath.Join(made.Path, "manifest.json")))(t)
		sig := must(os.Stat(filepath.Join(made.Path, "manifest.sig")))(t)
		if manifest.ModTime().Before(sig.ModTime()) {
			t.Errorf("got the manifest %s before the signature", sig.ModTime().Sub(manifest.ModTime()))
		}
	}
}

// A backup whose name may not survive a power cut is none.
func TestABackupThatMayBeLostIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	first := w.backup()
	tg := must(backup.OpenTarget(w.target, w.shelf))(t)
	tg.FailLastSync(errors.New("the disk broke"))
	_, err := tg.Create(t.Context(), backup.Source{Database: meta.Config{URL: w.url}, Blobs: w.blobs, KEK: w.kek, Version: "test"})
	if err = errors.Join(err, tg.Close()); err == nil {
		t.Error("got nil, want an error")
	}
	if list, problems, err := backup.List(w.target, w.shelf); err != nil || len(list) != 1 || len(problems) > 0 || list[0].ID != first.ID {
		t.Errorf("got %d backups, %v, %v, want the one before", len(list), problems, err)
	}
	newestIs(t, w, first)
}

// What would be too long to be read again is not written.
func TestAManifestFitsOrIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	for n := range 65 {
		id := fmt.Sprint(n, strings.Repeat("t", 1<<20))
		w.exec(`INSERT INTO organisations (id, name, created_at, created_by, modified_at, modified_by, mac) VALUES ($1, $1, 1, 'x', 1, 'x', $2)`, id, []byte("x"))
		w.exec(`INSERT INTO tenants (id, slug, name, organisation, tier, type, state, created_at, created_by, modified_at, modified_by, mac) VALUES ($1, $1, 'n', $1, 'basic', 'POC', 'erased', 1, 'x', 1, 'x', $2)`, id, []byte("x"))
		w.exec(`INSERT INTO offboardings (tenant, requested_at, requested_by, erase_after, finished_at, receipt) VALUES ($1, 1, 'x', 1, 2, $2)`, id, []byte("x"))
	}
	if _, err := w.try(t.Context(), w.blobs); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "manifest") {
		t.Errorf("got %.200v, want conflict", err)
	}
	if _, err := backup.Open(w.target, w.shelf); !fault.Is(err, fault.NotFound) {
		t.Errorf("open: got %v, want not-found", err)
	}
}
