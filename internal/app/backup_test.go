package app

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys/file"
	"tributary/internal/meta/metatest"
)

// initialised makes a data directory.
func initialised(t *testing.T, database string) Config {
	t.Helper()
	c := Config{Data: filepath.Join(t.TempDir(), "data"), Database: database}
	must(Init(t.Context(), c, "admin@example.com", "a long enough password"))(t)
	return c
}

// elsewhere is a place for a restore, with the key file of another.
func elsewhere(t *testing.T, of Config, database string) Config {
	t.Helper()
	return Config{Data: filepath.Join(t.TempDir(), "new"), Database: database, KeyFile: filepath.Join(of.Data, "keys", "kek.json")}
}

func TestRestoreGoesToAnEmptyPlaceOnly(t *testing.T) {
	t.Parallel()
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	made := must(Backup(t.Context(), from, target, nil))(t)

	taken := elsewhere(t, from, "")
	if err := errors.Join(os.MkdirAll(taken.Data, 0o700), os.WriteFile(filepath.Join(taken.Data, "thesis.txt"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), taken, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("a directory with something: got %v, want conflict", err)
	}
	other := initialised(t, metatest.Postgres(t))
	full := elsewhere(t, from, other.Database)
	if _, err := Restore(t.Context(), full, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("a database with something: got %v, want conflict", err)
	}
	if left := names(t, full.Data); len(left) > 0 {
		t.Errorf("after it: got %v, want nothing", left)
	}
	if found, err := Fsck(t.Context(), other, true); err != nil || len(found) > 0 {
		t.Errorf("the database that was there: got %v, %v, want it as it was", found, err)
	}
	wrong := elsewhere(t, other, "")
	if _, err := Restore(t.Context(), wrong, target, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("another key file: got %v, want invalid", err)
	}
	to := elsewhere(t, from, "")
	r, err := Restore(t.Context(), to, filepath.Join(target, "backups", made.ID), nil)
	if err != nil || r.ID != made.ID || len(r.Findings) > 0 || r.Database != "sqlite" {
		t.Errorf("restore: got %+v, %v, want %s", r, err, made.ID)
	}
	if _, err := Restore(t.Context(), to, target, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second time: got %v, want conflict", err)
	}
}

// A restore that fails leaves nothing; one that is killed leaves a mark, with which
// nothing but another restore begins.
func TestAFailedRestoreLeavesNothing(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, database string) {
		from := initialised(t, "")
		target := filepath.Join(t.TempDir(), "backups")
		must(Backup(t.Context(), from, target, nil))(t)
		to := elsewhere(t, from, database)
		for _, step := range []string{"control tables", "bytes of objects", "checks"} {
			ctx, stop := context.WithCancel(t.Context())
			_, err := Restore(ctx, to, target, func(at string, _, _ int64) {
				if at == step {
					stop()
				}
			})
			stop()
			if err == nil && step != "control tables" { // too few rows to be told of
				t.Errorf("stopped at %s: got nil, want an error", step)
			}
			if err == nil {
				to = elsewhere(t, from, metatest.SQLite(t))
				continue
			}
			if left := names(t, to.Data); len(left) > 0 {
				t.Errorf("stopped at %s: got %v left, want nothing", step, left)
			}
		}
		// As a kill leaves it.
		stray := filepath.Join(to.Data, "objects", "objects", "stray+")
		if err := errors.Join(os.MkdirAll(filepath.Dir(stray), 0o700), os.WriteFile(stray, nil, 0o600), os.WriteFile(filepath.Join(to.Data, unfinishedFile), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := Fsck(t.Context(), to, false); !fault.Is(err, fault.Conflict) {
			t.Errorf("fsck of what is not whole: got %v, want conflict", err)
		}
		if _, err := Backup(t.Context(), to, filepath.Join(t.TempDir(), "b"), nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("backup of what is not whole: got %v, want conflict", err)
		}
		if _, err := Restore(t.Context(), to, target, nil); err != nil {
			t.Fatal(err)
		}
		if found, err := Fsck(t.Context(), to, true); err != nil || len(found) > 0 {
			t.Errorf("fsck: got %v, %v, want nothing", found, err)
		}
		if _, err := os.Stat(stray); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what the one before had copied: got %v, want it gone", err)
		}
		// Killed between its last two steps: it is whole.
		if err := os.WriteFile(filepath.Join(to.Data, unfinishedFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := Fsck(t.Context(), to, true); err != nil || len(found) > 0 {
			t.Errorf("fsck of what is whole: got %v, %v, want nothing", found, err)
		}
	})
}

// While a backup is made bytes of removed objects stay, and a backup waits for a
// removal under way.
func TestABackupHoldsRemovals(t *testing.T) {
	t.Parallel()
	h := Config{Data: t.TempDir()}.hold()
	done := must(h.keep(t.Context(), 0))(t)
	if _, err := h.removing(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("removing: got %v, want unavailable", err)
	}
	done()
	first, second := must(h.removing())(t), must(h.removing())(t)
	first()
	if _, err := h.keep(t.Context(), 0); !fault.Is(err, fault.Conflict) {
		t.Errorf("backup: got %v, want conflict", err)
	}
	kept := make(chan error)
	go func() {
		done, err := h.keep(t.Context(), time.Minute)
		if err == nil {
			done()
		}
		kept <- err
	}()
	second()
	if err := <-kept; err != nil {
		t.Errorf("backup after it: got %v, want nil", err)
	}
}

// A backup that hangs keeps removals waiting, and an operator is told.
func TestABackupThatHangsIsWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	w.start()
	warned := func(when string, want bool) {
		t.Helper()
		if got := slices.ContainsFunc(w.warnings(t.Context()), func(s string) bool { return strings.Contains(s, "a backup goes on since") }); got != want {
			t.Errorf("%s: got a warning: %t, want %t", when, got, want)
		}
	}
	warned("no backup", false)
	done := must(w.cfg.hold().keep(t.Context(), 0))(t)
	warned("at once", false)
	w.late.Store(int64(7 * time.Hour))
	warned("after hours", true)
	done()
	warned("when it has ended", false)
	must(w.cfg.hold().keep(t.Context(), 0))(t)()
	warned("after the next", false)
}

func TestErasuresSinceABackupAreNamed(t *testing.T) {
	t.Parallel()
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	first := must(Backup(t.Context(), from, target, nil))(t)
	if err := withExisting(t.Context(), from, func(s *stores) error {
		for _, q := range []string{
			`INSERT INTO organisations (id, name, created_at, created_by, modified_at, modified_by, mac) VALUES ('org', 'o', 1, 'x', 1, 'x', $1)`,
			`INSERT INTO tenants (id, slug, name, organisation, tier, type, state, created_at, created_by, modified_at, modified_by, mac) VALUES ('ten', 's', 'n', 'org', 'basic', 'POC', 'erased', 1, 'x', 1, 'x', $1)`,
			`INSERT INTO offboardings (tenant, requested_at, requested_by, erase_after, finished_at, receipt) VALUES ('ten', 1, 'x', 1, 1700000000000000, $1)`,
		} {
			if _, err := s.db.Unscoped().Exec(t.Context(), q, []byte("x")); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	must(Backup(t.Context(), from, target, nil))(t)
	r := must(Restore(t.Context(), elsewhere(t, from, ""), first.Path, nil))(t)
	if len(r.ErasedSince) != 1 || r.ErasedSince[0].Tenant != "ten" {
		t.Errorf("erased since: got %v, want ten", r.ErasedSince)
	}
}

// TestTheKeyIsExportedRotatedAndRetired is the life of a key file.
func TestTheKeyIsExportedRotatedAndRetired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
	target := filepath.Join(t.TempDir(), "backups")
	must(Backup(t.Context(), w.cfg, target, nil))(t)
	w.start()
	warned := func(want bool) {
		t.Helper()
		answer := must(http.Get(w.URL() + "/readyz"))(t)
		defer answer.Body.Close()
		body := make([]byte, 1000)
		n, _ := answer.Body.Read(body)
		if text := string(body[:n]); answer.StatusCode != http.StatusOK || !strings.HasPrefix(text, "ready\n") || strings.Contains(text, "warning: ") != want {
			t.Errorf("readyz: got %d %q, want ready, and a warning: %t", answer.StatusCode, text, want)
		}
	}
	warned(true)
	if !strings.Contains(w.log.String(), "was never exported") {
		t.Error("log: got no warning at start")
	}
	identity := must(age.GenerateX25519Identity())(t)
	var sealed []byte
	export := func() {
		t.Helper()
		made, err := ExportKeys(t.Context(), w.cfg, []string{identity.Recipient().String()}, func(b []byte) error { sealed = slices.Clone(b); return nil })
		if err != nil || made.ID == "" {
			t.Fatalf("export: got %+v, %v", made, err)
		}
	}
	export() // while the server runs
	w.late.Add(int64(2 * time.Second))
	warned(false)
	if _, err := RotateKeys(t.Context(), w.cfg, false, func(int64, int64) {}); !fault.Is(err, fault.Conflict) {
		t.Errorf("rotate while the server runs: got %v, want conflict", err)
	}
	w.stop()

	made := must(RotateKeys(t.Context(), w.cfg, false, func(int64, int64) {}))(t)
	if made.Resumed || made.Rewrapped != 1 || len(made.Retired) != 0 {
		t.Errorf("rotate: got %+v, want the secrets wrapped anew", made)
	}
	// As a kill leaves it: the new key is in the file, and nothing is under it.
	if _, err := file.Add(filepath.Join(w.cfg.Data, "keys", "kek.json"), clock.Clock{}); err != nil {
		t.Fatal(err)
	}
	if _, err := RetireKeys(t.Context(), w.cfg); !fault.Is(err, fault.Conflict) {
		t.Errorf("retire in the middle of a rotation: got %v, want conflict", err)
	}
	if made = must(RotateKeys(t.Context(), w.cfg, false, func(int64, int64) {}))(t); !made.Resumed || made.Rewrapped != 1 {
		t.Errorf("rotate after a kill: got %+v, want it resumed", made)
	}
	if gone := must(RetireKeys(t.Context(), w.cfg))(t); len(gone) != 2 {
		t.Errorf("retire: got %v, want two keys", gone)
	}
	if found, err := Fsck(t.Context(), w.cfg, true); err != nil || len(found) > 0 {
		t.Errorf("fsck: got %v, %v, want nothing", found, err)
	}
	w.start()
	warned(true) // the new key was not exported
	w.stop()

	// The backup from before opens with the exported file only.
	if _, err := Restore(t.Context(), elsewhere(t, w.cfg, ""), target, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("restore with the new key: got %v, want invalid", err)
	}
	to := Config{Data: filepath.Join(t.TempDir(), "new")}
	if _, err := ImportKeys(Config{}, sealed, []byte(identity.String()), filepath.Join(to.Data, "keys", "kek.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), to, target, nil); err != nil {
		t.Errorf("restore with the exported key: %v", err)
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	from := initialised(t, "")
	target := filepath.Join(t.TempDir(), "backups")
	made := must(Backup(t.Context(), from, target, nil))(t)
	key := filepath.Join(from.Data, "keys", "kek.json")
	for _, k := range []string{"", key} {
		check := must(VerifyBackup(t.Context(), Config{KeyFile: k}, target, nil))(t)
		if len(check.Problems) > 0 || check.Opened != (k != "") || check.ID != made.ID {
			t.Errorf("with key %q: got %+v, want it whole", k, check)
		}
	}
	if err := os.Truncate(filepath.Join(made.Path, "control.sealed"), 100); err != nil {
		t.Fatal(err)
	}
	if check := must(VerifyBackup(t.Context(), Config{}, target, nil))(t); len(check.Problems) != 1 || !strings.Contains(check.Problems[0], "control.sealed") {
		t.Errorf("cut: got %q, want the file named", check.Problems)
	}
	if _, err := VerifyBackup(t.Context(), Config{}, t.TempDir(), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("no backups: got %v, want not-found", err)
	}
	if _, _, err := PruneBackups(t.Context(), Config{}, filepath.Join(t.TempDir(), "none"), 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("prune of none: got %v, want not-found", err)
	}
	_, err := os.Stat(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want none made", err)
	}
	if list, problems, err := ListBackups(Config{}, target); err != nil || len(list) != 1 || len(problems) != 0 {
		t.Errorf("list: got %v, %v, %v, want one", list, problems, err)
	}
}
