package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestBackupsUnderLoadAreWhole makes backups while tenants send files and the
// server validates, runs, delivers and is killed, and kills the backups too. A
// finished one restores on either database, with all that was acknowledged before
// it, and the restored server goes on; a restore that is killed is begun anew.
func TestBackupsUnderLoadAreWhole(t *testing.T) {
	t.Parallel()
	databases := map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return metatest.Postgres(t) },
	}
	for from, to := range map[string]string{"sqlite": "postgres", "postgres": "sqlite"} {
		t.Run("from "+from+" to "+to, func(t *testing.T) {
			t.Parallel()
			random := chance(t)
			w := newWorldOn(t, filepath.Join(t.TempDir(), "data"), databases[from](t))
			target := filepath.Join(t.TempDir(), "backups")
			w.backedUp(random, target)

			w.finish() // what was told is all there, and then all of it is in the backup
			w.kept()
			w.recheck()
			w.backup(target)
			w.server.Stop()
			w.restored(random, target, databases[to](t))
			w.inWarehouse() // and on the streams no longer
			clear(w.events)
			w.kept()
			w.finish()
			w.delivered(date(2000))
			w.server.Stop()
			w.server.Sound()
			t.Logf("%s", w.size())
		})
	}
}

// backedUp makes backups under load, of which some are killed, and the server once.
func (w *world) backedUp(random *rand.Rand, target string) {
	w.t.Helper()
	for round := range 3 {
		ctx, end := context.WithCancel(w.ctx)
		wait := w.load(ctx)
		pause(w.ctx, time.Duration(50+random.IntN(500))*time.Millisecond)
		killed := w.server.Begin(w.server.Place("backup", "--to", target)...)
		pause(w.ctx, time.Duration(random.IntN(150))*time.Millisecond)
		_ = killed.Process.Kill()
		_ = killed.Wait() // it may have been done
		w.backup(target)
		if round == 1 {
			w.server.Kill()
			w.backup(target) // of a server that was killed
		}
		end()
		wait()
		if round == 1 {
			w.restart()
		}
		w.kept()
		// A backup that was made in the middle of everything is sound by itself.
		dir := filepath.Join(w.t.TempDir(), "restored")
		w.server.Run("", "restore", "--from", target, "--data", dir, "--key-file", filepath.Join(w.server.Data, "keys", "kek.json"))
	}
}

func (w *world) backup(target string) {
	w.t.Helper()
	w.server.Run("", w.server.Place("backup", "--to", target)...)
	w.server.Run("", "backup", "verify", target, "--key-file", filepath.Join(w.server.Data, "keys", "kek.json"))
}

// restored goes on with a server on another data directory, after restores that
// were killed.
func (w *world) restored(random *rand.Rand, target, database string) {
	w.t.Helper()
	key := filepath.Join(w.server.Data, "keys", "kek.json")
	s := &servertest.Server{T: w.t, Home: w.server.Home, Data: filepath.Join(w.t.TempDir(), "new"), Token: w.server.Token}
	if database != "" {
		s.Database = []string{"--database", database}
	}
	args := s.Place("restore", "--from", target, "--key-file", key)
	for range 5 {
		killed := s.Begin(args...)
		pause(w.ctx, time.Duration(random.IntN(400))*time.Millisecond)
		_ = killed.Process.Kill()
		if killed.Wait() == nil {
			w.t.Log("a restore was done before it could be killed")
			break
		}
		if _, err := os.Stat(filepath.Join(s.Data, "restore.unfinished")); err == nil {
			s.Refused(5, s.Place("serve", "--http", "127.0.0.1:0", "--key-file", key), "cut off")
			continue
		}
	}
	if _, err := os.Stat(filepath.Join(s.Data, "objects")); err != nil || exists(filepath.Join(s.Data, "restore.unfinished")) {
		s.Run("", args...)
	}
	if err := os.Mkdir(filepath.Join(s.Data, "keys"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Data, "keys", "kek.json"), must(os.ReadFile(key))(w.t), 0o600); err != nil {
		w.t.Fatal(err)
	}
	s.Sound()
	w.server = s
	w.restart()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// recheck has all that was ever told checked again, not only what is new.
func (w *world) recheck() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unchecked = nil
	for id, f := range w.files {
		w.unchecked = append(w.unchecked, func(w *world) error { return w.checkFile(id, f) })
	}
}
