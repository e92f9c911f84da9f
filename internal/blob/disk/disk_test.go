package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/blob/blobtest"
	"tributary/internal/clock"
	"tributary/internal/fault"
)

func newStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := New(dir, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

// files lists the files below dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestContract(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store { return newStore(t, filepath.Join(t.TempDir(), "a", "b")) }, blobtest.Differences{})
}

// The file system below may lack what renames in one step without overwriting.
func TestContractByLinks(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s := newStore(t, t.TempDir())
		s.sys.rename = link
		return s
	}, blobtest.Differences{})
}

func TestObjectsOutliveTheStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	one := newStore(t, dir)
	if err := blobtest.Put(t.Context(), one, "ten_a/input/obj_1", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := blobtest.Get(t.Context(), newStore(t, dir), "ten_a/input/obj_1")
	if err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v, want what the first store kept", got, err)
	}
	if got, want := files(t, dir), []string{"objects/ten_a/input/obj_1+"}; !slices.Equal(got, want) {
		t.Errorf("got files %v, want %v", got, want)
	}
	err = filepath.Walk(dir, func(p string, info fs.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want nothing for others", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNoKeyLeavesTheRoot(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	secret := filepath.Join(parent, "secret")
	if err := os.WriteFile(secret, []byte("not yours"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, filepath.Join(parent, "blobs"))
	// Whoever can write the directory puts links where objects would be.
	for _, link := range []struct{ target, name string }{
		{secret, "objects/a+"},
		{"../../secret", "objects/b+"},
		{parent, "objects/c"},
	} {
		name := filepath.Join(parent, "blobs", link.name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.Symlink(link.target, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []blob.Key{"a", "b", "c/secret"} {
		if got, err := blobtest.Get(t.Context(), s, k); err == nil {
			t.Errorf("get %s: got %q, want an error", k, got)
		}
		if k != "c/secret" { // a link can be deleted, its target cannot
			continue
		}
		if err := blobtest.Put(t.Context(), s, k, []byte("mine")); err == nil {
			t.Errorf("put %s: got nil, want an error", k)
		}
		if err := s.Delete(t.Context(), k); err == nil {
			t.Errorf("delete %s: got nil, want an error", k)
		}
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "not yours" {
		t.Errorf("got %q, %v outside of the root, want it untouched", got, err)
	}
	if got := files(t, parent); !slices.Contains(got, "secret") || len(got) != 4 {
		t.Errorf("got files %v, want the secret and three links", got)
	}
	if err := os.Mkdir(filepath.Join(parent, "blobs/objects/e+"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := s.Open(t.Context(), "e")
	wantKind(t, "a folder in an object's place", err, fault.Damaged)
}

func TestSweepRemovesWhatWasLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	s, err := New(dir, clock.Clock{NowFunc: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := blobtest.Put(t.Context(), s, "a/b", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for range 3 { // writers that die
		w, err := s.Create(t.Context(), "a/c")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("torn")); err != nil {
			t.Fatal(err)
		}
	}
	late, err := s.Create(t.Context(), "a/d")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), time.Hour); err != nil || n != 0 {
		t.Errorf("got %d files swept, %v, want none so young", n, err)
	}
	now = now.Add(2 * time.Hour)
	if n, err := s.Sweep(t.Context(), time.Hour); err != nil || n != 4 {
		t.Errorf("got %d files swept, %v, want 4", n, err)
	}
	if err := late.Commit(t.Context()); err == nil {
		t.Error("commit of what was swept: got nil, want an error")
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("got files %v, want the object alone", got)
	}
	if n, err := s.Sweep(t.Context(), 0); err != nil || n != 0 {
		t.Errorf("got %d files swept, %v, want none left", n, err)
	}
}

// A tenant's objects are listed without looking at all others.
func TestListLooksOnlyWhereItMust(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir)
	if err := blobtest.Put(t.Context(), s, "ten_b/in/obj_1", nil); err != nil {
		t.Fatal(err)
	}
	// Files where folders should be: to look into them fails.
	for _, name := range []string{"objects/ten_a", "objects/ten_b/inn"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := blobtest.Keys(t.Context(), s, "ten_b/in/obj_1")
	if err != nil || !slices.Equal(got, []blob.Key{"ten_b/in/obj_1"}) {
		t.Errorf("got %q, %v, want the one object", got, err)
	}
	if _, err := blobtest.Keys(t.Context(), s, ""); err == nil {
		t.Error("list of everything: got nil, want an error")
	}
}

func TestErrorsHaveKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{syscall.ENOSPC, fault.StorageFull},
		{syscall.EDQUOT, fault.StorageFull},
		{syscall.EFBIG, fault.StorageFull},
		{syscall.EIO, fault.Unavailable},
		{syscall.EROFS, fault.Unavailable},
		{syscall.EMFILE, fault.Unavailable},
		{syscall.EPERM, fault.Internal},
	} {
		dir := t.TempDir()
		s := newStore(t, dir)
		w, err := s.Create(t.Context(), "a/b")
		if err != nil {
			t.Fatal(err)
		}
		s.sys.write = func(f *os.File, p []byte) (int, error) {
			n, _ := f.Write(p[:len(p)/2])
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: c.err}
		}
		_, err = w.Write([]byte("hello"))
		wantKind(t, fmt.Sprintf("write with %v", c.err), err, c.want)
		s.sys.write = linux().write
		_, err = w.Write([]byte("hello"))
		wantKind(t, fmt.Sprintf("write after %v", c.err), err, c.want)
		wantKind(t, fmt.Sprintf("commit after %v", c.err), w.Commit(t.Context()), c.want)
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("%v: got files %v, want none", c.err, got)
		}
		// The next writer starts afresh.
		if err := blobtest.Put(t.Context(), s, "a/b", []byte("hello")); err != nil {
			t.Errorf("put after %v: %v", c.err, err)
		}
		s.sys.create = func(*os.Root, string) (*os.File, error) { return nil, c.err }
		_, err = s.Create(t.Context(), "a/c")
		wantKind(t, fmt.Sprintf("create with %v", c.err), err, c.want)
		wantKind(t, fmt.Sprintf("check with %v", c.err), s.Check(t.Context()), c.want)
		if message := fault.Message(err); strings.Contains(message, dir) {
			t.Errorf("got message %q, want none with a path", message)
		}
	}
}

// A folder that could not be synced fails the store: the kernel reports a lost
// write once, so a later success would prove nothing.
func TestAFolderThatCannotBeSyncedEndsWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir)
	if err := blobtest.Put(t.Context(), s, "a/old", []byte("old")); err != nil {
		t.Fatal(err)
	}
	waiting, err := s.Create(t.Context(), "a/waiting")
	if err != nil {
		t.Fatal(err)
	}
	s.sys.syncDir = func(*os.File) error { return syscall.EPERM }
	err = blobtest.Put(t.Context(), s, "a/new", []byte("new"))
	wantKind(t, "put", err, fault.Unavailable)
	s.sys = linux()
	wantKind(t, "put after it", blobtest.Put(t.Context(), s, "b/new", nil), fault.Unavailable)
	wantKind(t, "commit of one begun before", waiting.Commit(t.Context()), fault.Unavailable)
	wantKind(t, "delete", s.Delete(t.Context(), "a/old"), fault.Unavailable)
	wantKind(t, "check", s.Check(t.Context()), fault.Unavailable)
	_, err = s.Sweep(t.Context(), 0)
	wantKind(t, "sweep", err, fault.Unavailable)
	if got, err := blobtest.Get(t.Context(), s, "a/old"); err != nil || string(got) != "old" {
		t.Errorf("read: got %q, %v, want it to work", got, err)
	}
	again := newStore(t, dir)
	if err := blobtest.Put(t.Context(), again, "a/new", []byte("new")); err != nil {
		t.Errorf("put after a restart: %v", err)
	}
}

func FuzzKey(f *testing.F) {
	for _, k := range blobtest.BadKeys {
		f.Add(string(k))
	}
	f.Add("ten_a/input/obj_1")
	f.Add("a..b/-/_.x")
	f.Fuzz(func(t *testing.T, s string) {
		k := blob.Key(s)
		if k.Validate() != nil {
			return
		}
		folder, name := locate(k)
		full := path.Join(folder, name)
		if !filepath.IsLocal(full) || path.Clean(full) != folder+"/"+name || !strings.HasPrefix(full, objects+"/") {
			t.Errorf("key %q is kept at %q, want it inside", k, full)
		}
		if got := strings.TrimSuffix(full, "+"); got != path.Join(objects, s) {
			t.Errorf("key %q is kept at %q, which tells key %q", k, full, got)
		}
	})
}
