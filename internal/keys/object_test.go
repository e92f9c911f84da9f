package keys_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// mustNotRead asserts that a forgery is Damaged, and that nothing comes out of it
// but a true beginning.
func mustNotRead(t *testing.T, ring *keys.Ring, what string, plain, forged []byte) {
	t.Helper()
	got, err := unseal(t.Context(), ring, alice, keys.Vault, thing, forged)
	if !fault.Is(err, fault.Damaged) {
		t.Errorf("%s: got %d bytes and %v, want damaged", what, len(got), err)
	}
	if !bytes.HasPrefix(plain, got) || len(got) == len(plain) && len(plain) > 0 {
		t.Errorf("%s: got %d bytes that were not sealed there", what, len(got))
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(1<<smallBits + 40)
	for _, cuts := range [][]int{nil, {1}} {
		sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, cuts...)
		for i := range sealed {
			for bit := range 8 {
				sealed[i] ^= 1 << bit
				mustNotRead(t, ring, fmt.Sprintf("%d segments, byte %d bit %d", len(cuts)+1, i, bit), plain, sealed)
				sealed[i] ^= 1 << bit
			}
		}
		if got, err := unseal(t.Context(), ring, alice, keys.Vault, thing, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("untouched: got %d bytes, %v", len(got), err)
		}
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(2<<smallBits + 40)
	for _, cuts := range [][]int{nil, {1}, {1, 2}} {
		sealed := seal(t, ring, alice, keys.Vault, thing, smallBits, plain, cuts...)
		trailer := sealed[len(sealed)-4*(len(cuts)+1):]
		for n := range sealed {
			_, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed[:n]), int64(n))
			if !fault.Is(err, fault.Damaged) {
				t.Errorf("%d segments, %d of %d bytes: got %v, want damaged", len(cuts)+1, n, len(sealed), err)
			}
			if n > len(sealed)-len(trailer) {
				continue
			}
			// Whoever truncates can put the end back, or the end of an object without cuts.
			mustNotRead(t, ring, fmt.Sprintf("%d bytes and the trailer", n), plain, withTrailer(sealed[:n], trailer, sealed))
			mustNotRead(t, ring, fmt.Sprintf("%d bytes and another trailer", n), plain, withTrailer(sealed[:n], []byte{0, 0, 0, 1}, sealed))
		}
		mustNotRead(t, ring, "a byte more", plain, append(bytes.Clone(sealed), 0))
		mustNotRead(t, ring, "a byte more in the last chunk", plain, withTrailer(append(bytes.Clone(sealed[:len(sealed)-len(trailer)]), 0), trailer, nil))
		// The object is shorter than its store says.
		_, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)+100))
		wantKind(t, "a size beyond the bytes", err, fault.Damaged)
	}
}

// withTrailer joins body and trailer; if that is the original, it returns
// something else that is not.
func withTrailer(body, trailer, original []byte) []byte {
	b := append(bytes.Clone(body), trailer...)
	if bytes.Equal(b, original) {
		return b[1:]
	}
	return b
}

// parts takes a sealed object of smallBits apart.
type parts struct {
	headers [][]byte
	chunks  [][]byte
	starts  []uint32 // of the segments
}

func takeApart(sealed []byte, cuts ...int) parts {
	p := parts{starts: []uint32{0}}
	for _, c := range cuts {
		p.starts = append(p.starts, uint32(c))
	}
	sealed = sealed[:len(sealed)-4*len(p.starts)]
	full := 1<<smallBits + keys.TagSize
	for len(sealed) > 0 {
		if s := len(p.headers); s < len(p.starts) && int(p.starts[s]) == len(p.chunks) {
			p.headers = append(p.headers, bytes.Clone(sealed[:keys.HeaderSize]))
			sealed = sealed[keys.HeaderSize:]
			continue
		}
		n := min(full, len(sealed))
		p.chunks = append(p.chunks, bytes.Clone(sealed[:n]))
		sealed = sealed[n:]
	}
	return p
}

func (p parts) join() []byte {
	var b []byte
	s := 0
	for i := range len(p.chunks) + 1 {
		for s < len(p.starts) && int(p.starts[s]) == i {
			b = append(b, p.headers[s]...)
			s++
		}
		if i < len(p.chunks) {
			b = append(b, p.chunks[i]...)
		}
	}
	for _, start := range p.starts[1:] {
		b = binary.BigEndian.AppendUint32(b, start)
	}
	return binary.BigEndian.AppendUint32(b, uint32(len(p.starts)))
}

func TestRearrangedObjectsAreDamaged(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain, other := noise(5<<smallBits), bytes.Repeat([]byte{'o'}, 5<<smallBits)
	cuts := []int{2, 4}
	sealed := func(id tenant.ID, p keys.Purpose, o keys.Object, plain []byte) []byte {
		return seal(t, ring, id, p, o, smallBits, plain, cuts...)
	}
	mine := sealed(alice, keys.Vault, thing, plain)
	if !bytes.Equal(takeApart(mine, cuts...).join(), mine) {
		t.Fatal("an object taken apart and joined is another one")
	}
	change := func(name string, f func(p *parts)) {
		p := takeApart(mine, cuts...)
		f(&p)
		mustNotRead(t, ring, name, plain, p.join())
	}
	change("two chunks swapped in a segment", func(p *parts) { p.chunks[0], p.chunks[1] = p.chunks[1], p.chunks[0] })
	change("two chunks swapped across segments", func(p *parts) { p.chunks[1], p.chunks[2] = p.chunks[2], p.chunks[1] })
	change("a chunk twice", func(p *parts) { p.chunks[1] = p.chunks[0] })
	change("a chunk left out", func(p *parts) { p.chunks = append(p.chunks[:1], p.chunks[2:]...) })
	change("a chunk put in", func(p *parts) { p.chunks = append(p.chunks[:1:1], p.chunks...) })
	change("the last chunk left out", func(p *parts) { p.chunks = p.chunks[:4] })
	change("two headers swapped", func(p *parts) { p.headers[0], p.headers[1] = p.headers[1], p.headers[0] })
	change("a header twice", func(p *parts) { p.headers[1] = p.headers[0] })
	change("two segments swapped", func(p *parts) {
		p.headers[0], p.headers[1] = p.headers[1], p.headers[0]
		p.chunks[0], p.chunks[1], p.chunks[2], p.chunks[3] = p.chunks[2], p.chunks[3], p.chunks[0], p.chunks[1]
	})
	change("the last segment left out", func(p *parts) { p.headers, p.starts, p.chunks = p.headers[:2], p.starts[:2], p.chunks[:4] })
	change("the first segment left out", func(p *parts) {
		p.headers, p.starts, p.chunks = p.headers[1:], []uint32{0, 2}, p.chunks[2:]
	})
	change("a segment in the middle left out", func(p *parts) {
		p.headers = append(p.headers[:1], p.headers[2])
		p.starts, p.chunks = []uint32{0, 2}, append(p.chunks[:2], p.chunks[4])
	})
	change("a boundary moved", func(p *parts) { p.starts[1] = 3 })
	change("boundaries out of order", func(p *parts) { p.starts[1], p.starts[2] = 4, 2 })

	for name, theirs := range map[string][]byte{
		"another tenant's":   sealed(bob, keys.Vault, thing, other),
		"another purpose's":  sealed(alice, keys.Pool, thing, other),
		"another object's":   sealed(alice, keys.Vault, keys.Object{ID: "obj_2", Version: 1}, other),
		"another version's":  sealed(alice, keys.Vault, keys.Object{ID: "obj_1", Version: 2}, other),
		"an earlier version": sealed(alice, keys.Vault, keys.Object{ID: "obj_1", Version: 0}, other),
	} {
		mustNotRead(t, ring, name+" whole", plain, theirs)
		foreign := takeApart(theirs, cuts...)
		for i := range 5 {
			change(fmt.Sprintf("%s chunk %d", name, i), func(p *parts) { p.chunks[i] = foreign.chunks[i] })
		}
		for i := range 3 {
			change(fmt.Sprintf("%s header %d", name, i), func(p *parts) { p.headers[i] = foreign.headers[i] })
			change(fmt.Sprintf("%s wrapped data key %d", name, i), func(p *parts) {
				copy(p.headers[i][31:31+keys.WrapSize], foreign.headers[i][31:])
			})
			change(fmt.Sprintf("%s segment %d", name, i), func(p *parts) {
				p.headers[i] = foreign.headers[i]
				copy(p.chunks[2*i:min(2*i+2, 5)], foreign.chunks[2*i:])
			})
		}
	}
}

// An upload that was resumed twice from one place leaves a segment that was
// dropped. Whoever kept its bytes cannot put it back, though it was sealed for
// this very place.
func TestDroppedSegmentsStayDropped(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	plain := noise(5 << smallBits)
	stale := append(bytes.Clone(plain[:2<<smallBits]), bytes.Repeat([]byte{'s'}, 3<<smallBits)...)
	var first bytes.Buffer
	w, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, &first, smallBits, keys.Position{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain[:2<<smallBits+1]); err != nil {
		t.Fatal(err)
	}
	resume := func(plain []byte) parts {
		out := bytes.NewBuffer(bytes.Clone(first.Bytes()))
		a, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, out, smallBits, w.Position(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write(plain[2<<smallBits : 4<<smallBits+1]); err != nil {
			t.Fatal(err)
		}
		b, err := ring.WriterAt(t.Context(), alice, keys.Vault, thing, out, smallBits, a.Position(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write(plain[4<<smallBits:]); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return takeApart(out.Bytes(), 2, 4)
	}
	kept, dropped := resume(plain), resume(stale)
	if got, err := unseal(t.Context(), ring, alice, keys.Vault, thing, kept.join()); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	forged := kept
	forged.headers = [][]byte{kept.headers[0], dropped.headers[1], kept.headers[2]}
	forged.chunks = [][]byte{kept.chunks[0], kept.chunks[1], dropped.chunks[2], dropped.chunks[3], kept.chunks[4]}
	mustNotRead(t, ring, "a dropped segment in the middle", plain, forged.join())
	forged.headers[1] = kept.headers[1]
	mustNotRead(t, ring, "a dropped segment's chunks", plain, forged.join())
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
