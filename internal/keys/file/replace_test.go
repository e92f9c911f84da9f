package file

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

// broken is a system of which one call fails, counted from 0, and says which that
// was; "" as long as it was none.
func broken(fail int) (failed *string, sys system) {
	calls, failed := 0, new(string)
	try := func(what string) error {
		if calls++; calls-1 != fail {
			return nil
		}
		*failed = what
		return syscall.EIO
	}
	actual := linux()
	sys = actual
	sys.mkdir = func(dir string) error {
		if err := try("mkdir"); err != nil {
			return err
		}
		return actual.mkdir(dir)
	}
	sys.create = func(path string) (*os.File, error) {
		if err := try("create"); err != nil {
			return nil, err
		}
		return actual.create(path)
	}
	sys.write = func(f *os.File, p []byte) (int, error) {
		if err := try("write"); err != nil {
			n, _ := actual.write(f, p[:len(p)/2])
			return n, err
		}
		return actual.write(f, p)
	}
	sys.sync = func(f *os.File) error {
		if err := try("sync"); err != nil {
			return err
		}
		return actual.sync(f)
	}
	sys.link = func(old, path string) error {
		if err := try("link"); err != nil {
			return err
		}
		return actual.link(old, path)
	}
	sys.rename = func(from, to string) error {
		if err := try("rename"); err != nil {
			return err
		}
		return actual.rename(from, to)
	}
	sys.syncDir = func(d *os.File) error {
		if err := try("sync of a directory"); err != nil {
			return err
		}
		return actual.syncDir(d)
	}
	return failed, sys
}

// A key file that is replaced, wherever that fails, is the one before or the new
// one, whole, and what either key wrapped opens until the old one is retired.
func TestReplacingFailsCleanly(t *testing.T) {
	t.Parallel()
	for fail := 0; ; fail++ {
		path := filepath.Join(t.TempDir(), "keys", "kek")
		old, err := Open(path, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := old.Wrap(t.Context(), []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		failed, sys := broken(fail)
		_, err = add(path, clock.Clock{}, sys)
		if (err == nil) != (*failed == "") {
			t.Errorf("call %d, %q, fails: got %v", fail, *failed, err)
		}
		now, err := Load(path, clock.Clock{})
		if err != nil {
			t.Fatalf("call %d, %q, failed: %v", fail, *failed, err)
		}
		if plain, err := now.Unwrap(t.Context(), wrapped, nil); err != nil || string(plain) != "secret" {
			t.Errorf("call %d, %q, failed: got %q, %v, want what the old key wrapped", fail, *failed, plain, err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".new*")); len(left) > 0 {
			t.Errorf("call %d, %q, failed: got %v left over", fail, *failed, left)
		}
		if *failed != "" {
			continue
		}
		if fail < 6 || now.Current(wrapped) || now.Name() == old.Name() {
			t.Errorf("got %d calls, key %s, want 6 or more and another key than %s", fail, now.Name(), old.Name())
		}
		gone, err := Retire(path, clock.Clock{})
		if err != nil || !slices.Equal(gone, []string{old.primary}) {
			t.Errorf("retire: got %v, %v, want %s", gone, err, old.primary)
		}
		alone, err := Load(path, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = alone.Unwrap(t.Context(), wrapped, nil)
		wantKind(t, "what the retired key wrapped", err, fault.Unavailable)
		return
	}
}

func TestAnExportComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys", "kek")
	k, err := Open(path, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []*age.X25519Identity
	var to []string
	for range 3 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		ids, to = append(ids, id), append(to, id.Recipient().String())
	}
	sealed, prints, kek, err := Export(path, to[:2])
	if err != nil || kek != k.Name() || len(prints) != 2 || prints[0] == prints[1] || !strings.HasPrefix(prints[0], "SHA256:") {
		t.Fatalf("export: got %v, %s, %v, want two fingerprints and %s", prints, kek, err, k.Name())
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if secret := strings.Fields(string(whole))[7]; bytes.Contains(sealed, []byte(secret)) {
		t.Error("the export has the key in clear")
	}
	for i, id := range ids {
		text, err := Decrypt(sealed, []byte("# an identity\n"+id.String()+"\n"))
		if i == 2 {
			wantKind(t, "somebody else", err, fault.Invalid)
			continue
		}
		if err != nil || !bytes.Equal(text, whole) {
			t.Errorf("recipient %d: got %d bytes, %v, want the key file", i, len(text), err)
		}
	}
	back := filepath.Join(dir, "new", "place", "kek")
	got, err := Install(back, whole, clock.Clock{})
	if err != nil || got.Name() != k.Name() {
		t.Errorf("install: got %v, want %s", err, k.Name())
	}
	_, err = Install(back, whole, clock.Clock{})
	wantKind(t, "over a file", err, fault.Conflict)
	_, err = Install(filepath.Join(dir, "x"), []byte("nonsense"), clock.Clock{})
	wantKind(t, "nonsense", err, fault.Invalid)
	_, _, _, err = Export(path, []string{"age1nonsense"})
	wantKind(t, "no recipient", err, fault.Invalid)
	_, _, _, err = Export(path, nil)
	wantKind(t, "nobody", err, fault.Invalid)
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)/2] ^= 2
	if _, err := Decrypt(flipped, []byte(ids[0].String())); err == nil {
		t.Error("a changed export: got nil, want an error")
	}
	_, err = Decrypt(sealed, []byte("nonsense"))
	wantKind(t, "no identity", err, fault.Invalid)
}

// What a process left that was killed before it named the new file has keys, and
// goes with the next that changes the file.
func TestUnfinishedKeyFilesGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "kek")
	if _, err := Open(path, clock.Clock{}); err != nil {
		t.Fatal(err)
	}
	put := func(name string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	others := []string{put(".new_thing"), put("new_00000000000000000000000000"), put("old")}
	for what, change := range map[string]func() error{
		"add":            func() error { _, err := Add(path, clock.Clock{}); return err },
		"retire":         func() error { _, err := Retire(path, clock.Clock{}); return err },
		"retire of none": func() error { _, err := Retire(path, clock.Clock{}); return err },
	} {
		left := put(clock.Clock{}.ID(".new"))
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want what was left gone", what, err)
		}
	}
	for _, other := range others {
		if _, err := os.Lstat(other); err != nil {
			t.Errorf("somebody else's file: %v", err)
		}
	}
}
