package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/internal/backup"
	"tributary/internal/blob"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// canary is in a row in clear, as an e-mail address would be.
const canary = "canary-in-a-row"

// world is a database and an object store with a few things in them.
type world struct {
	t      *testing.T
	dir    string
	url    string
	db     *meta.DB
	blobs  *disk.Store
	kek    *file.KEK
	key    string
	target string
	shelf  backup.Config
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), url: url, shelf: backup.Config{OpenPool: func(dir string) (backup.Pool, error) { return disk.New(dir, clock.Clock{}) }}}
	w.key, w.target = filepath.Join(w.dir, "keys", "kek.json"), filepath.Join(w.dir, "backups")
	w.db = metatest.Open(t, url)
	w.blobs = must(disk.New(filepath.Join(w.dir, "objects"), clock.Clock{}))(t)
	t.Cleanup(func() { _ = w.blobs.Close() })
	w.kek = must(file.Open(w.key, clock.Clock{}))(t)
	secrets := must(keys.NewSecrets(t.Context(), w.kek, clock.Clock{}))(t)
	w.exec(`INSERT INTO settings (name, value) VALUES ('secrets', $1)`, secrets)
	w.exec(`INSERT INTO settings (name, value) VALUES ($1, $2)`, canary, []byte(canary))
	w.exec(`INSERT INTO audit_heads (tenant, seq, hash, mac) VALUES ('', 7, $1, $1)`, []byte("hash"))
	w.exec(`INSERT INTO audit_checkpoints (seq, at, body, prev, hash, key_id, signature) VALUES (3, 1, $1, $1, $1, 'k', $1)`, []byte("c"))
	for n := range 3 {
		w.put(n)
	}
	return w
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	must(w.db.Unscoped().Exec(w.t.Context(), query, args...))(w.t)
}

func blobKey(n int) blob.Key { return blob.Key(fmt.Sprintf("ten/input/obj%d", n)) }

// put adds an object with its row.
func (w *world) put(n int) {
	w.t.Helper()
	write(w.t, w.blobs, blobKey(n), strings.Repeat(fmt.Sprint("sealed ", n), 100*n+1))
	w.exec(`INSERT INTO vault_objects (id, tenant, store, kind, version, blob_key, size, sealed_size, digest, commitment, created_at, created_by)
		VALUES ($1, 'ten', 'input', 'file', 1, $2, 1, 2, $3, $3, 1, 'x')`, fmt.Sprint("obj", n), string(blobKey(n)), []byte("d"))
}

func write(t *testing.T, s blob.Store, k blob.Key, text string) {
	t.Helper()
	b := must(s.Create(t.Context(), k))(t)
	must(b.Write([]byte(text)))(t)
	if err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) backup() backup.Made {
	w.t.Helper()
	return must(w.try(w.t.Context(), w.blobs))(w.t)
}

func (w *world) try(ctx context.Context, from blob.Store) (backup.Made, error) {
	t, err := backup.OpenTarget(w.target, w.shelf)
	if err != nil {
		return backup.Made{}, err
	}
	made, err := t.Create(ctx, backup.Source{Database: meta.Config{URL: w.url}, Blobs: from, KEK: w.kek, Version: "test"})
	return made, errors.Join(err, t.Close())
}

// verify returns all that is wrong with the newest backup.
func (w *world) verify(ctx context.Context, path string, key bool) (problems []string) {
	b, err := backup.Open(path, w.shelf)
	if err != nil {
		return []string{err.Error()}
	}
	defer b.Close()
	if err := b.Verify(ctx, nil, func(p string) { problems = append(problems, p) }); err != nil {
		return append(problems, err.Error())
	}
	if !key {
		return problems
	}
	opened, err := b.Unlock(ctx, w.kek)
	if err == nil {
		err = opened.VerifyTables(nil)
	}
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

// restore puts the newest backup into a fresh place.
func (w *world) restore(url string) (*disk.Store, error) {
	w.t.Helper()
	b, err := backup.Open(w.target, w.shelf)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	opened, err := b.Unlock(w.t.Context(), w.kek)
	if err != nil {
		return nil, err
	}
	to := must(disk.New(filepath.Join(w.t.TempDir(), "objects"), clock.Clock{}))(w.t)
	w.t.Cleanup(func() { _ = to.Close() })
	return to, opened.Restore(w.t.Context(), backup.Place{Database: meta.Config{URL: url}, Blobs: to})
}

func content(t *testing.T, s blob.Store, k blob.Key) string {
	t.Helper()
	o, err := s.Open(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b := make([]byte, o.Size())
	must(o.ReadAt(b, 0))(t)
	return string(b)
}

func TestABackupRestoresOnEitherDatabase(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, from string) {
		w := newWorld(t, from)
		w.exec(`INSERT INTO vault_garbage (blob_key, tenant, since) VALUES ('gone/already', 'ten', 1)`)
		made := w.backup()
		if made.Mark.Audit.Seq != 7 || made.Mark.Checkpoint == nil || made.Mark.Checkpoint.Seq != 3 || made.Objects.Count != 3 || len(made.Objects.Missing) != 0 {
			t.Errorf("made: got %+v, want entry 7, checkpoint 3, 3 objects", made)
		}
		if problems := w.verify(t.Context(), made.Path, true); len(problems) > 0 {
			t.Errorf("verify: got %q, want nothing", problems)
		}
		metatest.EachURL(t, func(t *testing.T, to string) {
			blobs, err := w.restore(to)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				if got, want := content(t, blobs, blobKey(n)), content(t, w.blobs, blobKey(n)); got != want {
					t.Errorf("object %d: got %q, want %q", n, got, want)
				}
			}
			db := must(meta.Open(t.Context(), meta.Config{URL: to, Loading: true}))(t)
			defer db.Close()
			var value []byte
			if err := db.QueryRow(t.Context(), `SELECT value FROM settings WHERE name = $1`, canary).Scan(&value); err != nil || string(value) != canary {
				t.Errorf("row: got %q, %v, want it there", value, err)
			}
		})
	})
}

// Objects never change, so each is copied once; what a backup was cut off with is
// compared and not copied again, and what is damaged is replaced.
func TestWhatIsThereIsNotCopiedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	if made := w.backup(); made.Copied != 3 {
		t.Errorf("first: got %d copied, want 3", made.Copied)
	}
	w.put(3)
	made := w.backup()
	if made.Copied != 1 || made.Objects.Count != 4 {
		t.Errorf("second: got %d of %d copied, want 1 of 4", made.Copied, made.Objects.Count)
	}
	w.put(4)
	w.put(5)
	pool := must(disk.New(filepath.Join(w.target, "objects"), clock.Clock{}))(t)
	write(t, pool, blobKey(4), content(t, w.blobs, blobKey(4)))                  // by a backup that was cut off
	write(t, pool, blobKey(5), strings.ToUpper(content(t, w.blobs, blobKey(5)))) // and damaged
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	if made = w.backup(); made.Copied != 1 {
		t.Errorf("after one that was cut off: got %d copied, want 1", made.Copied)
	}
	if problems := w.verify(t.Context(), w.target, true); len(problems) > 0 {
		t.Errorf("verify: got %q, want nothing", problems)
	}
}

func TestWhatTheSourceHasLostIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	if err := w.blobs.Delete(t.Context(), blobKey(1)); err != nil {
		t.Fatal(err)
	}
	made := w.backup()
	if !slices.Equal(made.Objects.Missing, []string{string(blobKey(1))}) || made.Objects.Count != 2 {
		t.Errorf("got %+v, want object 1 named as missing", made.Objects)
	}
	for _, key := range []bool{false, true} {
		if problems := w.verify(t.Context(), made.Path, key); len(problems) != 1 || !strings.Contains(problems[0], string(blobKey(1))) {
			t.Errorf("verify: got %q, want object 1 named", problems)
		}
	}
}

// files lists the files of a directory of backups.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			list = append(list, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// Whatever byte of whatever file is changed, and wherever one is cut, it is found,
// also by who has not the key, and nothing of it is restored.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	w.backup()
	n := 0
	for _, path := range files(t, w.target) {
		whole := must(os.ReadFile(path))(t)
		if filepath.Base(path) == "lock" {
			continue
		}
		damage := [][]byte{whole[:len(whole)/2], whole[:len(whole)-1], append(slices.Clone(whole), 0)}
		for at := 0; at < len(whole); at += max(1, len(whole)/40) {
			flipped := slices.Clone(whole)
			flipped[at] ^= 1 << (at % 8)
			damage = append(damage, flipped)
		}
		for _, bad := range damage {
			n++
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if problems := w.verify(t.Context(), w.target, false); len(problems) == 0 {
				t.Errorf("%s, of %d bytes with %d: nothing was found", path, len(whole), len(bad))
			}
			if n%10 == 0 {
				if _, err := w.restore(metatest.SQLite(t)); err == nil {
					t.Errorf("%s, of %d bytes with %d: it was restored", path, len(whole), len(bad))
				}
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if problems := w.verify(t.Context(), w.target, false); len(problems) == 0 {
			t.Errorf("%s is missing: nothing was found", path)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if problems := w.verify(t.Context(), w.target, true); len(problems) > 0 || n < 200 {
		t.Errorf("mended, after %d: got %q, want nothing", n, problems)
	}
}

// Who has no key can make a manifest that carries a signature, but not the
// server's; and who has the key of another server opens nothing.
func TestOnlyTheServersSignatureCounts(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, metatest.SQLite(t)), newWorld(t, metatest.SQLite(t))
	made := w.backup()
	b := must(backup.Open(made.Path, w.shelf))(t)
	defer b.Close()
	if _, err := b.Unlock(t.Context(), other.kek); !fault.Is(err, fault.Invalid) {
		t.Errorf("another key file: got %v, want invalid", err)
	}
	// A manifest that somebody has changed and signed with a key of their own.
	path := filepath.Join(made.Path, "manifest.json")
	whole, sig := must(os.ReadFile(path))(t), must(os.ReadFile(filepath.Join(made.Path, "manifest.sig")))(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Replace(whole, []byte(base64.StdEncoding.EncodeToString(made.PublicKey)), []byte(base64.StdEncoding.EncodeToString(public)), 1)
	forged = bytes.Replace(forged, []byte(`"seq": 7`), []byte(`"seq": 6`), 1)
	put := func(manifest, sig []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, manifest, 0o600), os.WriteFile(filepath.Join(made.Path, "manifest.sig"), sig, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put(forged, ed25519.Sign(private, append([]byte("tributary backup v1\n"), forged...)))
	if problems := w.verify(t.Context(), made.Path, false); len(problems) > 0 {
		t.Errorf("without the key a forged manifest: got %q, want nothing, or this tests something else", problems)
	}
	if problems := w.verify(t.Context(), made.Path, true); len(problems) != 1 || !strings.Contains(problems[0], "somebody else") {
		t.Errorf("with the key a forged manifest: got %q, want it found", problems)
	}
	put(whole, sig)
	// The manifest of one server's backup in place of the other's.
	foreign := other.backup()
	for _, name := range []string{"manifest.json", "manifest.sig", "control.sealed", "objects.ndjson"} {
		if err := os.WriteFile(filepath.Join(made.Path, name), must(os.ReadFile(filepath.Join(foreign.Path, name)))(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if problems := w.verify(t.Context(), made.Path, true); len(problems) == 0 {
		t.Error("another server's backup under this one's name: nothing was found")
	}
}

func TestAStolenBackupSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	w.backup()
	secret := strings.Fields(string(must(os.ReadFile(w.key))(t)))[7]
	for _, path := range files(t, w.target) {
		raw := must(os.ReadFile(path))(t)
		for _, text := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:16], secret} {
			if bytes.Contains(raw, []byte(text)) {
				t.Errorf("%s: got %q in clear", path, text)
			}
		}
	}
}

// breaking is a store that fails at the nth object.
type breaking struct {
	blob.Store
	left int
}

func (b *breaking) Open(ctx context.Context, k blob.Key) (blob.Object, error) {
	if b.left--; b.left < 0 {
		return nil, errors.New("the disk broke")
	}
	return b.Store.Open(ctx, k)
}

// What fails in the middle leaves the backups before as they were.
func TestACutOffBackupIsNoBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	for left := range 3 {
		if _, err := w.try(t.Context(), &breaking{w.blobs, left}); err == nil {
			t.Fatal("got nil, want an error")
		}
		if _, err := backup.Open(w.target, w.shelf); !fault.Is(err, fault.NotFound) {
			t.Errorf("open: got %v, want not-found", err)
		}
	}
	made := w.backup()
	// As a kill leaves one: all of it there, but for its name.
	again := w.backup()
	unfinished := again.Path + ".partial"
	if err := os.Rename(again.Path, unfinished); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Open(unfinished, w.shelf); !fault.Is(err, fault.Conflict) {
		t.Errorf("open unfinished: got %v, want conflict", err)
	}
	b := must(backup.Open(w.target, w.shelf))(t)
	defer b.Close()
	if b.ID != made.ID {
		t.Errorf("newest: got %s, want %s", b.ID, made.ID)
	}
	w.backup()
	if _, err := os.Stat(unfinished); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unfinished one: got %v, want it gone", err)
	}
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.SQLite(t))
	first := w.backup()
	w.exec(`DELETE FROM vault_objects WHERE id = 'obj1'`)
	w.put(3)
	w.backup()
	tg := must(backup.OpenTarget(w.target, w.shelf))(t)
	backups, objects, err := tg.Prune(t.Context(), 1)
	if err != nil || backups != 1 || objects != 1 {
		t.Errorf("prune: got %d backups, %d objects, %v, want 1 and 1", backups, objects, err)
	}
	if _, _, err := tg.Prune(t.Context(), 0); !fault.Is(err, fault.Invalid) {
		t.Errorf("prune of all: got %v, want invalid", err)
	}
	if _, err := backup.OpenTarget(w.target, w.shelf); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second at once: got %v, want conflict", err)
	}
	if err := tg.Close(); err != nil {
		t.Fatal(err)
	}
	if problems := w.verify(t.Context(), w.target, true); len(problems) > 0 {
		t.Errorf("verify what is left: got %q, want nothing", problems)
	}
	if _, err := backup.Open(first.Path, w.shelf); !fault.Is(err, fault.NotFound) {
		t.Errorf("the one that went: got %v, want not-found", err)
	}
}

func TestTheKeyAndTheBackupsLieApart(t *testing.T) {
	t.Parallel()
	dir := must(filepath.EvalSymlinks(t.TempDir()))(t)
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "data", "keys", "kek.json")
	must(file.Open(key, clock.Clock{}))(t)
	holds := must(file.Holds(key))(t)
	text := must(os.ReadFile(key))(t)
	secret := must(base64.StdEncoding.DecodeString(strings.Fields(string(text))[7]))(t)
	put := func(path string, content []byte) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, "copy", "within", "deep", "notes.txt"), append([]byte("see: "), text...))
	put(filepath.Join(dir, "raw", "x"), append(bytes.Repeat([]byte{7}, 1<<20-16), secret...)) // across two pieces
	put(filepath.Join(dir, "hex", "x"), fmt.Appendf(nil, "%X", secret))
	put(filepath.Join(dir, "above", "kek-old"), text)
	put(filepath.Join(dir, "harmless", "x"), []byte("nothing"))
	if err := os.Symlink(data, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for target, refused := range map[string]bool{
		"data": true, "data/backups": true, "data/keys": true, ".": true, "link/backups": true,
		"copy": true, "copy/within": true, "raw": true, "hex": true, "above": true, "above/backups": true, "above/a/b": true,
		"harmless": false, "harmless/backups": false, "new": false, "new/er/still": false, "database": false,
	} {
		err := backup.Apart(filepath.Join(dir, target), data, key, holds)
		if got := fault.Is(err, fault.Invalid); got != refused || !refused && err != nil {
			t.Errorf("backups in %s: got %v, want refused=%t", target, err, refused)
		}
	}
	put(filepath.Join(dir, "mine", "thesis.txt"), nil)
	shelf := backup.Config{OpenPool: func(dir string) (backup.Pool, error) { return disk.New(dir, clock.Clock{}) }}
	if _, err := backup.OpenTarget(filepath.Join(dir, "mine"), shelf); !fault.Is(err, fault.Conflict) {
		t.Errorf("a directory with something else: got %v, want conflict", err)
	}
}
