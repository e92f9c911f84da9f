package file

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
)

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

func TestFirstStartMakesTheFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "kek")
	_, err := Load(path, clock.Clock{})
	wantKind(t, "load before it is made", err, fault.NotFound)
	one, err := Open(path, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, dir: 0o700, filepath.Dir(dir): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want the key file alone", left, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := one.Wrap(t.Context(), []byte("secret"), []byte("ad"))
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func(string, clock.Clock) (*KEK, error){"open": Open, "load": Load} {
		two, err := start(path, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		if two.Name() != one.Name() || !strings.HasPrefix(two.Name(), "file:kek_") {
			t.Errorf("%s: got key %s, want %s", name, two.Name(), one.Name())
		}
		plain, err := two.Unwrap(t.Context(), wrapped, []byte("ad"))
		if err != nil || string(plain) != "secret" {
			t.Errorf("%s: got %q, %v, want the secret", name, plain, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("got another file after the second start (%v)", err)
	}
}

func TestFirstStartsAtOnceAgree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "kek")
	names := make([]string, 8)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			k, err := Open(path, clock.Clock{})
			if err != nil {
				t.Error(err)
				return
			}
			names[i] = k.Name()
		})
	}
	wg.Wait()
	for _, n := range names {
		if n != names[0] {
			t.Errorf("got keys %v, want one", names)
		}
	}
}

func TestUnguardedFilesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(path string) error
		words  string // in the message
		asRoot bool
	}{
		{"readable by the group", func(p string) error { return os.Chmod(p, 0o640) }, "chmod 600", false},
		{"readable by others", func(p string) error { return os.Chmod(p, 0o604) }, "chmod 600", false},
		{"writable by others", func(p string) error { return os.Chmod(p, 0o602) }, "chmod 600", false},
		{"in a directory others can write", func(p string) error { return os.Chmod(filepath.Dir(p), 0o777) }, "chmod 700", false},
		{"a symbolic link", func(p string) error {
			return errors.Join(os.Rename(p, p+".real"), os.Symlink(p+".real", p))
		}, "symbolic link", false},
		{"a link to nothing", func(p string) error { return errors.Join(os.Remove(p), os.Symlink(p+".none", p)) }, "symbolic link", false},
		{"a directory", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, "regular file", false},
		{"a pipe", func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) }, "regular file", false},
		{"another user's", func(p string) error { return os.Chown(p, 12345, -1) }, "belongs to user 12345", true},
		{"in another user's directory", func(p string) error { return os.Chown(filepath.Dir(p), 12345, -1) }, "belongs to user 12345", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.asRoot && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			path := filepath.Join(t.TempDir(), "keys", "kek")
			if _, err := Open(path, clock.Clock{}); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			for name, start := range map[string]func(string, clock.Clock) (*KEK, error){"open": Open, "load": Load} {
				_, err := start(path, clock.Clock{})
				wantKind(t, name, err, fault.Denied)
				if !strings.Contains(fault.Message(err), c.words) {
					t.Errorf("%s: got message %q, want %q in it", name, fault.Message(err), c.words)
				}
			}
		})
	}
}

func TestReadOnlyFilesAreTaken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	if _, err := Open(path, clock.Clock{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, clock.Clock{}); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}

func sample(n int) []entry {
	c := clock.Clock{NowFunc: func() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }}
	var list []entry
	for range n {
		list = append(list, newEntry(c))
	}
	return list
}

// resum gives a changed key file a checksum that matches.
func resum(text string) string {
	body := text[:strings.LastIndex(text, "end ")]
	return body + "end " + checksum([]byte(body)) + "\n"
}

func TestMalformedFilesAreDamaged(t *testing.T) {
	t.Parallel()
	good := string(format(sample(2)))
	lines := strings.SplitAfter(good, "\n")
	second := strings.Fields(lines[2])
	replace := func(old, by string) string { return resum(strings.Replace(good, old, by, 1)) }
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for name, c := range map[string]struct{ text, words string }{
		"empty":               {"", "first line"},
		"another format":      {strings.Replace(good, "file 1", "file 2", 1), "first line"},
		"line ends of DOS":    {strings.ReplaceAll(good, "\n", "\r\n"), "first line"},
		"no key":              {resum(lines[0] + "end \n"), "no key"},
		"cut in a line":       {good[:100], "middle of line 2"},
		"no end":              {lines[0] + lines[1] + lines[2], "middle of line 4"},
		"something behind":    {good + "x", "follows line 4"},
		"a wrong checksum":    {strings.Replace(good, "Z ", "Z  ", 1), "line 2"},
		"a key line cut out":  {lines[0] + lines[1] + lines[3], "checksum"},
		"two spaces":          {replace("key kek", "key  kek"), "line 2 is not a key"},
		"another word":        {replace("key kek", "kee kek"), "line 2 is not a key"},
		"an invalid id":       {replace(second[1], "kek_1"), "line 3 has no valid id"},
		"an invalid time":     {replace("2026-03-01T10", "2026-03-41T10"), "line 2 has no valid time"},
		"a local time":        {replace("10:00:00Z", "10:00:00+01:00"), "line 2 has no valid time"},
		"a short key":         {replace(second[3], short), "line 3 has no key of 32 bytes"},
		"base64 with a slip":  {replace(second[3], second[3][:42]+"B="), "line 3 has no key of 32 bytes"},
		"the same id twice":   {resum(lines[0] + lines[1] + lines[1] + "end \n"), "line 3"},
		"sixty-five keys":     {string(format(sample(65))), "line 66"},
		"more than can be it": {good + strings.Repeat("x", maxFile), "too large"},
	} {
		path := filepath.Join(t.TempDir(), "kek")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Open(path, clock.Clock{})
		if k != nil {
			t.Errorf("%s: got a key, want none", name)
		}
		wantKind(t, name, err, fault.Damaged)
		message := fault.Message(err)
		if !strings.Contains(message, c.words) {
			t.Errorf("%s: got message %q, want %q in it", name, message, c.words)
		}
		for _, l := range lines[1:3] {
			if strings.Contains(fmt.Sprint(err), strings.Fields(l)[3][:8]) {
				t.Errorf("%s: got a key in the error %v", name, err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
	for i := range good {
		flipped := []byte(good)
		flipped[i] ^= 1
		if _, err := parse(flipped); err == nil {
			t.Errorf("byte %d flipped: got keys, want an error", i)
		}
		if _, err := parse([]byte(good[:i])); err == nil {
			t.Errorf("cut at %d: got keys, want an error", i)
		}
	}
	if got, err := parse([]byte(good)); err != nil || len(got) != 2 || !bytes.Equal(format(got), []byte(good)) {
		t.Errorf("untouched: got %d keys, %v", len(got), err)
	}
}

// A key is replaced by putting a new one in front; what the old one wrapped still
// opens until it is taken out.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	write := func(list ...entry) *KEK {
		t.Helper()
		if err := os.WriteFile(path, format(list), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Load(path, clock.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	list := sample(2)
	old, next := list[0], list[1]
	wrapped, err := write(old).Wrap(t.Context(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	both := write(next, old)
	if both.Name() != "file:"+next.id {
		t.Errorf("got key %s, want the first", both.Name())
	}
	plain, err := both.Unwrap(t.Context(), wrapped, nil)
	if err != nil || string(plain) != "secret" {
		t.Errorf("got %q, %v, want what the old key wrapped", plain, err)
	}
	again, err := both.Wrap(t.Context(), plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	alone := write(next)
	if plain, err = alone.Unwrap(t.Context(), again, nil); err != nil || string(plain) != "secret" {
		t.Errorf("got %q, %v, want what the new key wrapped", plain, err)
	}
	_, err = alone.Unwrap(t.Context(), wrapped, nil)
	wantKind(t, "a key that was taken out", err, fault.Unavailable)
	if !strings.Contains(fault.Message(err), old.id) {
		t.Errorf("got message %q, want the id of the missing key", fault.Message(err))
	}
}

func TestWrappedBytesAreBound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, format(sample(2)), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Open(path, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := k.Wrap(t.Context(), []byte("secret"), []byte("ad"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.Wrap(t.Context(), []byte("secret"), []byte("ad"))
	if err != nil || bytes.Equal(wrapped, again) {
		t.Errorf("got the same bytes twice (%v)", err)
	}
	_, err = k.Unwrap(t.Context(), wrapped, []byte("da"))
	wantKind(t, "other associated data", err, fault.Damaged)
	for i := range wrapped {
		flipped := bytes.Clone(wrapped)
		flipped[i] ^= 1
		plain, err := k.Unwrap(t.Context(), flipped, []byte("ad"))
		if kind := fault.KindOf(err); plain != nil || kind != fault.Damaged && kind != fault.Unavailable {
			t.Errorf("byte %d flipped: got %q, %v, want damaged", i, plain, err)
		}
		_, err = k.Unwrap(t.Context(), wrapped[:i], []byte("ad"))
		wantKind(t, fmt.Sprintf("cut at %d", i), err, fault.Damaged)
	}
	// The same bytes under the name of the other key of the file.
	other := bytes.Clone(wrapped)
	for id := range k.keys {
		if id != k.primary {
			copy(other[1:], id)
		}
	}
	_, err = k.Unwrap(t.Context(), other, []byte("ad"))
	wantKind(t, "another key's name", err, fault.Damaged)
}

// What is synced, and in which order, is all that a power cut respects.
func TestFirstStartIsDurable(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	path := filepath.Join(root, "a", "keys", "kek")
	var log []string
	did := func(what, name string) {
		name, err := filepath.Rel(filepath.Dir(root), name)
		if err != nil {
			t.Error(err)
		}
		_, name, _ = strings.Cut(name, "/") // the name of the test's directory
		if strings.Contains(name, ".new") {
			name = "new"
		}
		log = append(log, what+" "+name)
	}
	actual := linux()
	sys := system{
		mkdir:   func(dir string) error { did("mkdir", dir); return actual.mkdir(dir) },
		create:  func(path string) (*os.File, error) { did("create", path); return actual.create(path) },
		write:   func(f *os.File, p []byte) (int, error) { did("write", f.Name()); return actual.write(f, p) },
		sync:    func(f *os.File) error { did("sync", f.Name()); return actual.sync(f) },
		link:    func(old, path string) error { did("link", path); return actual.link(old, path) },
		remove:  func(path string) error { did("remove", path); return actual.remove(path) },
		syncDir: func(d *os.File) error { did("syncdir", d.Name()); return actual.syncDir(d) },
	}
	for _, want := range [][]string{
		{
			"mkdir a/keys", "mkdir a", "syncdir ", "mkdir a/keys", "syncdir a",
			"create new", "write new", "sync new", "link a/keys/kek", "remove new", "sync a/keys/kek", "syncdir a/keys",
		},
		{"sync a/keys/kek", "syncdir a/keys"},
	} {
		log = nil
		if _, err := open(path, clock.Clock{}, sys); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(log, want) {
			t.Errorf("got %q, want %q", log, want)
		}
	}
}

// A first start that fails, wherever it does, leaves no key file, or one that the
// next start takes; and no key is handed out before its file is durable.
func TestFirstStartFailsCleanly(t *testing.T) {
	t.Parallel()
	for fail := 0; ; fail++ {
		path := filepath.Join(t.TempDir(), "a", "keys", "kek")
		failed, sys := broken(fail)
		k, err := open(path, clock.Clock{}, sys)
		if *failed == "" {
			if err != nil || fail < 9 {
				t.Errorf("got %v and %d points of failure, want at least 9", err, fail)
			}
			return
		}
		if k != nil || err == nil {
			t.Errorf("call %d, %s, fails: got a key, want an error", fail, *failed)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".new*")); len(left) > 0 {
			t.Errorf("call %d, %s, fails: got %v left over", fail, *failed, left)
		}
		if _, err := Open(path, clock.Clock{}); err != nil {
			t.Errorf("start after call %d, %s, failed: %v", fail, *failed, err)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add(format(sample(1)))
	f.Add(format(sample(3)))
	f.Add([]byte(firstLine + "\nend " + checksum([]byte(firstLine+"\n")) + "\n"))
	f.Add([]byte(firstLine + "\nkey kek_00000000000000000000000000 2026-03-01T10:00:00Z AAAA\nend\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parse(text)
		if err != nil {
			return
		}
		if got := format(list); !bytes.Equal(got, text) {
			t.Errorf("got %q back, want %q: a file has one form", got, text)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	path := filepath.Join(f.TempDir(), "kek")
	k, err := Open(path, clock.Clock{})
	if err != nil {
		f.Fatal(err)
	}
	wrapped, err := k.Wrap(f.Context(), []byte("secret"), []byte("ad"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped, []byte("ad"))
	f.Add(wrapped, []byte{})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, b, ad []byte) {
		plain, err := k.Unwrap(t.Context(), b, ad)
		if err == nil && (string(plain) != "secret" || string(ad) != "ad") {
			t.Errorf("got %q, want only what was wrapped", plain)
		}
	})
}
