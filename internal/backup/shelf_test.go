package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/internal/backup"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// prune keeps the newest backups of the directory.
func (w *world) prune(keep int) (backups, objects int64, err error) {
	w.t.Helper()
	t := must(backup.OpenTarget(w.target, w.shelf))(w.t)
	defer t.Close()
	return t.Prune(w.t.Context(), keep)
}

// at makes a backup while the clock is off.
func (w *world) at(off time.Duration) backup.Made {
	w.t.Helper()
	t := must(backup.OpenTarget(w.target, w.shelf))(w.t)
	defer t.Close()
	wrong := clock.Clock{NowFunc: func() time.Time { return time.Now().Add(off) }}
	return must(t.Create(context.Background(), backup.Source{Database: meta.Config{URL: w.url}, Blobs: w.blobs, KEK: w.kek, Clock: wrong, Version: "test"}))(w.t)
}

func newestIs(t *testing.T, w *world, want backup.Made) {
	t.Helper()
	b := must(backup.Open(w.target, w.shelf))(t)
	defer b.Close()
	if b.ID != want.ID {
		t.Errorf("newest: got %s, want %s", b.ID, want.ID)
	}
	if list, _, err := backup.List(w.target, w.shelf); err != nil || len(list) == 0 || list[0].ID != want.ID {
		t.Errorf("list: got %d backups, %v, want %s first", len(list), err, want.ID)
	}
}

// As long as a backup cannot be read, no other goes for it.
func TestPruneRemovesNothingBesideADamagedBackup(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"manifest.json", "manifest.sig", "objects.ndjson", "control.sealed"} {
		w := newWorld(t, metatest.SQLite(t))
		first := w.backup()
		w.put(3)
		newest := w.backup()
		path := filepath.Join(newest.Path, name)
		if err := os.Truncate(path, 20); err != nil {
			t.Fatal(err)
		}
		if backups, objects, err := w.prune(1); backups != 0 || objects != 0 || !fault.Is(err, fault.Damaged) || !strings.Contains(fault.Message(err), newest.ID) {
			t.Errorf("%s: got %d backups, %d objects, %v, want nothing removed and %s named", name, backups, objects, err, newest.ID)
		}
		if problems := w.verify(t.Context(), first.Path, true); len(problems) > 0 {
			t.Errorf("%s: the one before: got %q, want it whole", name, problems)
		}
		if err := os.RemoveAll(newest.Path); err != nil {
			t.Fatal(err)
		}
		if backups, objects, err := w.prune(1); backups != 0 || objects != 1 || err != nil {
			t.Errorf("%s: without it: got %d backups, %d objects, %v, want one object", name, backups, objects, err)
		}
	}
}

// What was made last is the newest, whatever the clock said.
func TestAWrongClockMakesNoBackupTheNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	w.backup()
	w.at(365 * 24 * time.Hour)
	w.exec(`UPDATE audit_heads SET seq = 5`) // as after a restore of an older backup
	last := w.backup()
	newestIs(t, w, last)
	if backups, _, err := w.prune(1); backups != 2 || err != nil {
		t.Errorf("prune: got %d, %v, want the two before removed", backups, err)
	}
	newestIs(t, w, last)
}

// An erasure counts from whichever backup knows of it.
func TestAnErasureIsKnownWhateverTheClockSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	early := w.at(365 * 24 * time.Hour)
	w.exec(`INSERT INTO organisations (id, name, created_at, created_by, modified_at, modified_by, mac) VALUES ('org', 'o', 1, 'x', 1, 'x', $1)`, []byte("x"))
	w.exec(`INSERT INTO tenants (id, slug, name, organisation, tier, type, state, created_at, created_by, modified_at, modified_by, mac) VALUES ('ten', 's', 'n', 'org', 'basic', 'POC', 'erased', 1, 'x', 1, 'x', $1)`, []byte("x"))
	w.exec(`INSERT INTO offboardings (tenant, requested_at, requested_by, erase_after, finished_at, receipt) VALUES ('ten', 1, 'x', 1, 2, $1)`, []byte("x"))
	w.backup()
	b := must(backup.Open(early.Path, w.shelf))(t)
	defer b.Close()
	opened := must(b.Unlock(t.Context(), w.kek))(t)
	if list, err := opened.ErasedSince(); err != nil || len(list) != 1 || list[0].Tenant != "ten" {
		t.Errorf("got %v, %v, want ten", list, err)
	}
}

// A directory is one server's.
func TestADirectoryIsOfOneServer(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, metatest.SQLite(t)), newWorld(t, metatest.SQLite(t))
	first, foreign := w.backup(), other.backup()
	theirs := other.target
	other.target = w.target
	if _, err := other.try(t.Context(), other.blobs); !fault.Is(err, fault.Conflict) {
		t.Errorf("another server's backup: got %v, want conflict", err)
	}
	newestIs(t, w, first)
	// As an older version allowed it.
	if err := os.Rename(filepath.Join(theirs, "backups", foreign.ID), filepath.Join(w.target, "backups", foreign.ID)); err != nil {
		t.Fatal(err)
	}
	if backups, objects, err := w.prune(1); backups != 0 || objects != 0 || !fault.Is(err, fault.Conflict) {
		t.Errorf("prune: got %d, %d, %v, want conflict", backups, objects, err)
	}
	if _, err := backup.Open(w.target, w.shelf); !fault.Is(err, fault.Conflict) {
		t.Errorf("the newest of two servers': got %v, want conflict", err)
	}
	if problems := w.verify(t.Context(), first.Path, true); len(problems) > 0 {
		t.Errorf("one by its name: got %q, want it whole", problems)
	}
}
