package keys_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/tenant"
)

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
