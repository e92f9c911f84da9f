package keys_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/tenant"
)

var thing = keys.Object{ID: "obj_1", Version: 1}

// smallBits makes chunks of 1 KiB, the smallest there are.
const smallBits = 10

// noise returns n bytes that differ everywhere.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = r.Read(b)
	return b
}

// seal seals plain in segments that begin at the given chunks, with what a crash
// left behind each dropped, and returns the sealed bytes.
func seal(t testing.TB, ring *keys.Ring, id tenant.ID, p keys.Purpose, o keys.Object, bits uint8, plain []byte, cuts ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	var at keys.Position
	from := 0
	for i := 0; ; i++ {
		w, err := ring.WriterAt(t.Context(), id, p, o, &out, bits, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == len(cuts) {
			if _, err := w.Write(plain[from:]); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		// One byte more makes the chunk before it full, and is lost with the process.
		to := cuts[i] << bits
		if _, err := w.Write(append(bytes.Clone(plain[from:to]), 'x')); err != nil {
			t.Fatal(err)
		}
		if at = w.Position(); at.Next() != int64(cuts[i]) {
			t.Fatalf("got a cut at chunk %d, want %d", at.Next(), cuts[i])
		}
		from = to
	}
}

// unseal reads all of a sealed object, and returns what it got before an error.
func unseal(ctx context.Context, ring *keys.Ring, id tenant.ID, p keys.Purpose, o keys.Object, sealed []byte) ([]byte, error) {
	r, err := ring.NewReader(ctx, id, p, o, bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(struct{ io.Reader }{r})
}

func TestSealedObjectsReadBack(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	chunk := 1 << smallBits
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 7, 20 * chunk} {
		for _, step := range []int{1, 7, chunk - 1, chunk, chunk + 1, 5*chunk + 3} {
			plain := noise(size)
			var out bytes.Buffer
			w, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, &out, smallBits, keys.Position{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for rest := plain; len(rest) > 0; {
				n, err := w.Write(rest[:min(step, len(rest))])
				if err != nil || n != min(step, len(rest)) {
					t.Fatalf("%d bytes by %d: wrote %d, %v", size, step, n, err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			chunks := max(1, (size+chunk-1)/chunk)
			if got, want := out.Len(), keys.HeaderSize+size+chunks*keys.TagSize+4; got != want {
				t.Errorf("%d bytes by %d: got %d sealed bytes, want %d", size, step, got, want)
			}
			r, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(out.Bytes()), int64(out.Len()))
			if err != nil {
				t.Fatalf("%d bytes by %d: %v", size, step, err)
			}
			if r.Size() != int64(size) {
				t.Errorf("%d bytes by %d: got size %d", size, step, r.Size())
			}
			if err := iotest.TestReader(r, plain); err != nil {
				t.Errorf("%d bytes by %d: %v", size, step, err)
			}
			if _, err := w.Write([]byte("x")); err == nil {
				t.Error("write after close: got nil, want an error")
			}
			if err := w.Close(); err == nil {
				t.Error("second close: got nil, want an error")
			}
		}
	}
}

func TestDefaultChunkSize(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(3<<keys.ChunkBits + 5)
	var out bytes.Buffer
	w, err := ring.NewWriter(t.Context(), alice, keys.Pool, thing, &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() != 0 {
		t.Errorf("got %d bytes written before there is anything to seal, want none", out.Len())
	}
	if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ring.NewReader(t.Context(), alice, keys.Pool, thing, bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var back bytes.Buffer
	for _, seek := range []int64{0, 1 << keys.ChunkBits, 77, 3 << keys.ChunkBits, r.Size(), r.Size() + 9} {
		back.Reset()
		if _, err := r.Seek(seek, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(&back, r)
		want := plain[min(seek, r.Size()):]
		if err != nil || n != int64(len(want)) || !bytes.Equal(back.Bytes(), want) {
			t.Errorf("from %d: got %d bytes, %v, want %d", seek, n, err, len(want))
		}
	}
}

func TestResumedObjectsReadBack(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	chunk := 1 << smallBits
	for _, c := range []struct {
		size int
		cuts []int
	}{
		{2*chunk + 5, []int{1}},
		{2*chunk + 5, []int{2}},
		{2 * chunk, []int{2}}, // nothing came after it was resumed
		{9*chunk + 1, []int{1, 2, 3, 7, 9}},
		{5 * chunk, []int{4, 5}},
	} {
		plain := noise(c.size)
		sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, c.cuts...)
		r, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			t.Errorf("%d bytes cut at %v: %v", c.size, c.cuts, err)
			continue
		}
		if err := iotest.TestReader(r, plain); err != nil {
			t.Errorf("%d bytes cut at %v: %v", c.size, c.cuts, err)
		}
	}
}

func TestSegmentsAreLimited(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	cuts := make([]int, 1023)
	for i := range cuts {
		cuts[i] = i + 1
	}
	plain := noise(1024 << smallBits)
	sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, cuts...)
	got, err := unseal(t.Context(), ring, alice, keys.Vault, thing, sealed)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("1,024 segments: got %d bytes, %v, want all", len(got), err)
	}
	var at keys.Position
	for range 1024 {
		w, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, io.Discard, smallBits, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain[:1<<smallBits+1]); err != nil {
			t.Fatal(err)
		}
		at = w.Position()
	}
	_, err = ring.WriterAt(t.Context(), alice, keys.Vault, thing, io.Discard, smallBits, at, nil)
	wantKind(t, "segment 1,025", err, fault.TooLarge)
}

// An object has one form, also for who has the key.
func TestOtherFormsAreDamaged(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	for name, size := range map[string]int{"an empty chunk behind a full one": 1 << smallBits, "a short chunk in the middle": 500} {
		var out bytes.Buffer
		w, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, &out, smallBits, keys.Position{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(noise(size)); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = unseal(t.Context(), ring, alice, keys.Vault, thing, out.Bytes())
		wantKind(t, name, err, fault.Damaged)
	}
}

func TestObjectsOpenUnderTheirNameOnly(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t, nil)
	plain := noise(100)
	sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain)
	for _, c := range []struct {
		name string
		id   tenant.ID
		p    keys.Purpose
		o    keys.Object
	}{
		{"another tenant", bob, keys.Vault, thing},
		{"another purpose", alice, keys.Pool, thing},
		{"another object", alice, keys.Vault, keys.Object{ID: "obj_2", Version: 1}},
		{"a later version", alice, keys.Vault, keys.Object{ID: "obj_1", Version: 2}},
	} {
		_, err := unseal(t.Context(), ring, c.id, c.p, c.o, sealed)
		wantKind(t, c.name, err, fault.Damaged)
	}
	_, err := unseal(t.Context(), ring, alice, keys.Vault, keys.Object{}, sealed)
	wantKind(t, "no object", err, fault.Internal)
	_, err = ring.NewWriter(t.Context(), alice, keys.Vault, keys.Object{}, io.Discard)
	wantKind(t, "no object", err, fault.Internal)

	s.set(alice, keys.Vault, nil)
	ring.Forget(alice)
	_, err = unseal(t.Context(), ring, alice, keys.Vault, thing, sealed)
	wantKind(t, "after its key was destroyed", err, fault.NotFound)
	_, err = ring.NewWriter(t.Context(), alice, keys.Vault, thing, io.Discard)
	wantKind(t, "sealing after the key was destroyed", err, fault.NotFound)
}

// countingReader counts what is read of an object.
type countingReader struct {
	*bytes.Reader
	n atomic.Int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}

func TestRangeReadsTouchOnlyTheirChunks(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(100 << smallBits)
	sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, 30)
	src := &countingReader{Reader: bytes.NewReader(sealed)}
	r, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, src, int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	const full = 1<<smallBits + keys.TagSize
	if got, want := src.n.Load(), int64(4+4+2*keys.HeaderSize+full); got != want {
		t.Errorf("got %d bytes read to open, want %d", got, want)
	}
	for _, c := range []struct {
		off    int64
		length int
		chunks int64
	}{
		{0, 1, 1}, {5 << smallBits, 1 << smallBits, 1}, {5<<smallBits - 1, 2, 2}, {29<<smallBits + 9, 3 << smallBits, 4}, {99 << smallBits, 50, 0}, {98<<smallBits + 1, 1 << smallBits, 1},
	} {
		before := src.n.Load()
		p := make([]byte, c.length)
		if n, err := r.ReadAt(p, c.off); err != nil || n != c.length || !bytes.Equal(p, plain[c.off:][:c.length]) {
			t.Errorf("%d bytes at %d: got %d, %v", c.length, c.off, n, err)
		}
		if got := src.n.Load() - before; got != c.chunks*full {
			t.Errorf("%d bytes at %d: got %d bytes read, want %d chunks", c.length, c.off, got, c.chunks)
		}
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset: got nil, want an error")
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek before the start: got nil, want an error")
	}
}

func TestReadAtIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(50<<smallBits + 3)
	sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, 10)
	r, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 200 {
				off := random.IntN(len(plain))
				p := make([]byte, random.IntN(len(plain)-off)+1)
				if n, err := r.ReadAt(p, int64(off)); err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(p[:n], plain[off:off+n]) {
					t.Errorf("%d bytes at %d: got %d, %v", len(p), off, n, err)
				}
			}
		})
	}
	wg.Wait()
}

type failing struct {
	left int // calls that work
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func (f *failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestErrorsOfTheStoreKeepTheirKind(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	full := fault.New(fault.StorageFull, "The disk is full.")
	for left := range 4 {
		w, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, &failing{left, full}, smallBits, keys.Position{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := w.Write(make([]byte, 3<<smallBits+1))
		if left < 3 {
			wantKind(t, "write", err, fault.StorageFull)
			if n != left<<smallBits {
				t.Errorf("got %d bytes taken of a write that failed at chunk %d", n, left)
			}
		}
		_, err = w.Write(nil)
		if left < 3 {
			wantKind(t, "write after an error", err, fault.StorageFull)
		}
		wantKind(t, "close", w.Close(), fault.StorageFull)
		wantKind(t, "second close", w.Close(), fault.StorageFull)
	}
	_, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, &failing{0, fault.New(fault.Unavailable, "No.")}, 1000)
	wantKind(t, "read", err, fault.Unavailable)
}
