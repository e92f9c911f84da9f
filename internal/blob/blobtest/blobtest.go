// Package blobtest is the contract of package blob as tests: each backend passes
// Run.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// Differences are what the contract leaves to a store.
type Differences struct {
	// ReadsEndAtDelete says that what is open may become unreadable when the object
	// is deleted. Bytes that do come are always the object's.
	ReadsEndAtDelete bool
}

// Run tests stores that open makes; each is empty and its own.
func Run(t *testing.T, open func(t *testing.T) blob.Store, d Differences) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s blob.Store)
	}{
		{"ObjectsReadBack", objectsReadBack},
		{"NothingIsVisibleBeforeCommit", nothingBeforeCommit},
		{"AbortedObjectsAreGone", abortedAreGone},
		{"WritersEndOnce", writersEndOnce},
		{"ObjectsAreNeverOverwritten", neverOverwritten},
		{"OneOfManyCommitsWins", oneCommitWins},
		{"DeletedObjectsAreGone", deletedAreGone},
		{"OpenObjectsOutliveTheirKey", func(t *testing.T, s blob.Store) { openOutlive(t, s, d) }},
		{"LargeObjectsReadBack", largeReadBack},
		{"ListIsInOrder", listInOrder},
		{"ListStops", listStops},
		{"ListMayDelete", listMayDelete},
		{"MalformedKeysAreInvalid", malformedKeys},
		{"KeysDoNotCollide", keysDoNotCollide},
		{"CancelledCallsDoNothing", cancelled},
		{"ConcurrentUse", concurrentUse},
		{"NeighboursComeAndGo", neighboursComeAndGo},
		{"CheckLeavesNothing", checkLeavesNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// Put makes an object.
func Put(ctx context.Context, s blob.Store, k blob.Key, content []byte) error {
	w, err := s.Create(ctx, k)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Commit(ctx)
}

// Get returns an object's bytes.
func Get(ctx context.Context, s blob.Store, k blob.Key) ([]byte, error) {
	o, err := s.Open(ctx, k)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
}

// Keys returns the keys of the objects that List shows, in its order.
func Keys(ctx context.Context, s blob.Store, prefix string) ([]blob.Key, error) {
	var list []blob.Key
	err := s.List(ctx, prefix, func(i blob.Info) error {
		list = append(list, i.Key)
		return nil
	})
	return list, err
}

func put(t *testing.T, s blob.Store, k blob.Key, content []byte) {
	t.Helper()
	if err := Put(t.Context(), s, k, content); err != nil {
		t.Fatalf("put %s: %v", k, err)
	}
}

func wantContent(t *testing.T, s blob.Store, k blob.Key, want []byte) {
	t.Helper()
	got, err := Get(t.Context(), s, k)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("object %s: got %d bytes, %v, want %d", k, len(got), err, len(want))
	}
}

func wantKeys(t *testing.T, s blob.Store, prefix string, want ...blob.Key) {
	t.Helper()
	got, err := Keys(t.Context(), s, prefix)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("list %q: got %q, %v, want %q", prefix, got, err, want)
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

func objectsReadBack(t *testing.T, s blob.Store) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for _, size := range []int{0, 1, 4096, len(content)} {
		k := blob.Key(fmt.Sprintf("ten_a/input/obj_%d", size))
		w, err := s.Create(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(content[:size], 7000) {
			if n, err := w.Write(part); err != nil || n != len(part) {
				t.Fatalf("write: got %d, %v", n, err)
			}
		}
		if err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantContent(t, s, k, content[:size])
		o, err := s.Open(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if o.Size() != int64(size) {
			t.Errorf("got size %d, want %d", o.Size(), size)
		}
		p := make([]byte, 100)
		for _, off := range []int{0, size / 2, size - 1, size, size + 10} {
			if off < 0 {
				continue
			}
			n, err := o.ReadAt(p, int64(off))
			want := content[min(off, size):min(off+len(p), size)]
			if !bytes.Equal(p[:n], want) || (n < len(p)) != errors.Is(err, io.EOF) {
				t.Errorf("size %d, at %d: got %d bytes, %v, want %d", size, off, n, err, len(want))
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := s.Open(t.Context(), "ten_a/input/obj_none")
	wantKind(t, "open what is not there", err, fault.NotFound)
	_, err = s.Open(t.Context(), "ten_a")
	wantKind(t, "open a part of keys", err, fault.NotFound)
}

func nothingBeforeCommit(t *testing.T, s blob.Store) {
	w, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), "a/b")
	wantKind(t, "open before commit", err, fault.NotFound)
	wantKeys(t, s, "")
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "a/b", []byte("hello"))
	wantKeys(t, s, "", "a/b")
}

func abortedAreGone(t *testing.T, s blob.Store) {
	w, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("write after abort: got nil, want an error")
	}
	if err := w.Commit(t.Context()); err == nil {
		t.Error("commit after abort: got nil, want an error")
	}
	_, err = s.Open(t.Context(), "a/b")
	wantKind(t, "open after abort", err, fault.NotFound)
	put(t, s, "a/b", []byte("again"))
	wantContent(t, s, "a/b", []byte("again"))
}

func writersEndOnce(t *testing.T, s blob.Store) {
	w, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("write after commit: got nil, want an error")
	}
	if err := w.Commit(t.Context()); err == nil {
		t.Error("second commit: got nil, want an error")
	}
	wantContent(t, s, "a/b", nil)
}

func neverOverwritten(t *testing.T, s blob.Store) {
	late, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/b", []byte("first"))
	wantKind(t, "put again", Put(t.Context(), s, "a/b", []byte("second")), fault.Conflict)
	wantKind(t, "commit of one begun before", late.Commit(t.Context()), fault.Conflict)
	wantContent(t, s, "a/b", []byte("first"))
}

func oneCommitWins(t *testing.T, s blob.Store) {
	const n = 16
	var won atomic.Int64
	var winner atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := Put(t.Context(), s, "a/b", bytes.Repeat([]byte{byte(i)}, 1000))
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(int64(i))
			case !fault.Is(err, fault.Conflict):
				t.Errorf("got %v, want nil or conflict", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("got %d commits of one key, want 1", won.Load())
	}
	wantContent(t, s, "a/b", bytes.Repeat([]byte{byte(winner.Load())}, 1000))
}

func deletedAreGone(t *testing.T, s blob.Store) {
	put(t, s, "a/b", []byte("one"))
	put(t, s, "a/c", []byte("two"))
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Open(t.Context(), "a/b")
	wantKind(t, "open after delete", err, fault.NotFound)
	wantKind(t, "second delete", s.Delete(t.Context(), "a/b"), fault.NotFound)
	wantKind(t, "delete where nothing ever was", s.Delete(t.Context(), "x/y/z"), fault.NotFound)
	wantKeys(t, s, "", "a/c")
	put(t, s, "a/b", []byte("again"))
	wantContent(t, s, "a/b", []byte("again"))
}

func listInOrder(t *testing.T, s blob.Store) {
	keys := []blob.Key{
		"a", "a-b", "a-b/c", "a.b", "a/b", "a/b/c", "a0", "ab", "abc/d", "abcd", "abcd-e", "abcd-f/g", "abcd/e", "abcd0",
		"abcde", "abcde-f", "abcde-f/g", "abcde/f", "abcde/g", "abcdef", "abcdef/g", "abcdefg", "abcdf", "b/abcde1", "b/abcde2/c", "b/abcde3",
		"ten_b/input/obj_9zzz", "ten_b/input/obj_aaaa", "ten_b/output/obj_0", "ten_c/input/obj_1", "z",
	}
	slices.Sort(keys)
	shuffled := slices.Clone(keys)
	for i := range shuffled {
		j := i * 7919 % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	for _, k := range shuffled {
		put(t, s, k, []byte(k))
	}
	prefixes := []string{"", "a", "a/", "a-", "ab", "abc", "abcd", "abcde", "abcdef", "abcde/", "abcdex", "b", "b/abcde", "ten_b", "ten_b/", "ten_b/input/obj_a", "ten_c/input/obj_1", "ten_c/input/obj_10", "zz", "A", "..", "../", "/", "a//"}
	for _, p := range prefixes {
		var want []blob.Key
		for _, k := range keys {
			if strings.HasPrefix(string(k), p) {
				want = append(want, k)
			}
		}
		wantKeys(t, s, p, want...)
	}
	err := s.List(t.Context(), "", func(i blob.Info) error {
		if i.Size != int64(len(i.Key)) || i.Modified.IsZero() {
			t.Errorf("object %s: got size %d, modified %v", i.Key, i.Size, i.Modified)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func listStops(t *testing.T, s blob.Store) {
	for _, k := range []blob.Key{"a/1", "a/2", "b/1"} {
		put(t, s, k, nil)
	}
	enough := errors.New("enough")
	n := 0
	err := s.List(t.Context(), "", func(blob.Info) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("got %d objects and %v, want 2 and f's error", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err = s.List(ctx, "", func(blob.Info) error {
		n++
		cancel()
		return nil
	})
	if n != 1 {
		t.Errorf("got %d objects after the context ended, want 1", n)
	}
	wantKind(t, "list in an ended context", err, fault.Cancelled)
}

func listMayDelete(t *testing.T, s blob.Store) {
	for i := range 50 {
		put(t, s, blob.Key(fmt.Sprintf("ten_%d/obj_%02d", i%3, i)), nil)
	}
	n := 0
	err := s.List(t.Context(), "ten_1/", func(i blob.Info) error {
		n++
		return s.Delete(t.Context(), i.Key)
	})
	if err != nil || n != 17 {
		t.Errorf("got %d objects, %v, want 17", n, err)
	}
	wantKeys(t, s, "ten_1/")
	if left, err := Keys(t.Context(), s, ""); err != nil || len(left) != 33 {
		t.Errorf("got %d objects left, %v, want 33", len(left), err)
	}
}

// BadKeys are keys that no store takes.
var BadKeys = []blob.Key{
	"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/../../b", "a/./b", ".hidden", "a/.hidden", "A", "a b", "a\x00b", "a\\b", "a\nb",
	"ä", "a+", "a%2e", "a:b", "a*", "~", blob.Key(strings.Repeat("a", blob.MaxPart+1)), blob.Key(strings.Repeat("a/", blob.MaxKey/2) + "a"), "\xff",
}

func malformedKeys(t *testing.T, s blob.Store) {
	for _, k := range BadKeys {
		_, err := s.Create(t.Context(), k)
		wantKind(t, fmt.Sprintf("create %q", k), err, fault.Invalid)
		_, err = s.Open(t.Context(), k)
		wantKind(t, fmt.Sprintf("open %q", k), err, fault.Invalid)
		wantKind(t, fmt.Sprintf("delete %q", k), s.Delete(t.Context(), k), fault.Invalid)
	}
	long := blob.Key(strings.Repeat("a", blob.MaxPart))
	longest := blob.Key(strings.Repeat("a/", (blob.MaxKey-2)/2) + "aa")
	for _, k := range []blob.Key{"a", "0", "_", "-", "a.", "a..b", "a-b_c.d/e", long, longest} {
		put(t, s, k, []byte(k))
		wantContent(t, s, k, []byte(k))
	}
}

func keysDoNotCollide(t *testing.T, s blob.Store) {
	keys := []blob.Key{
		"a", "a/a", "a/a/a", "a/a/a/a", "aaaaa", "aaaaa/aaaaa", "aaaaa/aaaaa/aaaaa", "aaaaab", "aaaaa/b", "objects/tmp", "tmp/objects", "tmp", "new_1", "obj_1/obj_1", "obj_1",
	}
	for _, k := range keys {
		put(t, s, k, []byte(k))
	}
	for _, k := range keys {
		wantContent(t, s, k, []byte(k))
	}
	for i, k := range keys {
		if err := s.Delete(t.Context(), k); err != nil {
			t.Errorf("delete %s: %v", k, err)
		}
		for _, other := range keys[i+1:] {
			wantContent(t, s, other, []byte(other))
		}
	}
	wantKeys(t, s, "")
}

func cancelled(t *testing.T, s blob.Store) {
	put(t, s, "a/b", []byte("hello"))
	w, err := s.Create(t.Context(), "a/c")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Create(ctx, "a/d")
	wantKind(t, "create", err, fault.Cancelled)
	_, err = s.Open(ctx, "a/b")
	wantKind(t, "open", err, fault.Cancelled)
	wantKind(t, "delete", s.Delete(ctx, "a/b"), fault.Cancelled)
	wantKind(t, "list", s.List(ctx, "", func(blob.Info) error { return nil }), fault.Cancelled)
	wantKind(t, "check", s.Check(ctx), fault.Cancelled)
	wantKind(t, "commit", w.Commit(ctx), fault.Cancelled)
	wantKeys(t, s, "", "a/b")
}

func concurrentUse(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				k := blob.Key(fmt.Sprintf("ten_%d/obj_%d", i%2, g*100+i))
				if err := Put(t.Context(), s, k, []byte(k)); err != nil {
					t.Errorf("put %s: %v", k, err)
				}
				if got, err := Get(t.Context(), s, k); err != nil || string(got) != string(k) {
					t.Errorf("get %s: %q, %v", k, got, err)
				}
				if _, err := Keys(t.Context(), s, "ten_1/"); err != nil {
					t.Errorf("list: %v", err)
				}
				if i%2 == 0 {
					if err := s.Delete(t.Context(), k); err != nil {
						t.Errorf("delete %s: %v", k, err)
					}
				}
			}
		})
	}
	wg.Wait()
	var want []blob.Key
	for g := range 4 {
		for i := 1; i < 20; i += 2 {
			want = append(want, blob.Key(fmt.Sprintf("ten_1/obj_%d", g*100+i)))
		}
	}
	slices.Sort(want)
	wantKeys(t, s, "", want...)
	for _, k := range want {
		wantContent(t, s, k, []byte(k))
	}
}

// neighboursComeAndGo is for stores that keep objects in folders: each deletion may
// take away the folder that another's object is about to go into.
func neighboursComeAndGo(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 25 {
				k := blob.Key(fmt.Sprintf("ten_%d/input/obj_%d", i%2, g))
				if err := Put(t.Context(), s, k, []byte(k)); err != nil {
					t.Errorf("put %s: %v", k, err)
					continue
				}
				wantContent(t, s, k, []byte(k))
				if err := s.Delete(t.Context(), k); err != nil {
					t.Errorf("delete %s: %v", k, err)
				}
			}
		})
	}
	wg.Wait()
	wantKeys(t, s, "")
}

func checkLeavesNothing(t *testing.T, s blob.Store) {
	for range 3 {
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wantKeys(t, s, "")
}
