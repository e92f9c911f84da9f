package keys_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/keys"
)

// FuzzReader reads hostile bytes as a sealed object. Nobody without the key makes
// one that opens, so what opens is one of the vectors.
func FuzzReader(f *testing.F) {
	v := readVectors(f)
	ring := v.ring(f, clockRandom{})
	known := map[string]bool{}
	for _, o := range v.Objects {
		f.Add([]byte(o.Sealed), int64(0))
		f.Add([]byte(o.Sealed), int64(len(o.Plaintext)-1))
		if o.Tenant == string(alice) && o.Purpose == string(keys.Vault) {
			known[string(o.Plaintext)] = true
		}
	}
	for _, o := range v.Refused {
		f.Add([]byte(o.Sealed), int64(1000))
	}
	f.Add([]byte{}, int64(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 60), int64(5))
	f.Fuzz(func(t *testing.T, sealed []byte, off int64) {
		r, err := ring.NewReader(t.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			wantKind(t, "open", err, fault.Damaged)
			return
		}
		if n, err := r.ReadAt(make([]byte, 100), off); err != nil && !errors.Is(err, io.EOF) && off >= 0 {
			wantKind(t, "read at", err, fault.Damaged)
			if n > 100 {
				t.Errorf("got %d bytes in 100", n)
			}
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			wantKind(t, "read", err, fault.Damaged)
			return
		}
		if !known[string(plain)] {
			t.Errorf("got %d bytes that were never sealed", len(plain))
		}
	})
}

// FuzzRoundTrip seals in any sizes of chunks, writes and segments, and opens with
// both decoders.
func FuzzRoundTrip(f *testing.F) {
	v := readVectors(f)
	ring, opened := v.ring(f, clockRandom{}), v.opened(f)
	f.Add([]byte("hello"), "obj_1", int64(1), uint8(0), uint16(1), uint8(0), uint32(0))
	f.Add([]byte{}, "x", int64(-1), uint8(12), uint16(9), uint8(1), uint32(1111))
	f.Add(bytes.Repeat([]byte("ab"), 3000), "obj_1", int64(1)<<62, uint8(0), uint16(700), uint8(2), uint32(30003))
	f.Add(bytes.Repeat([]byte("c"), 4096), "obj/é\x00", int64(0), uint8(1), uint16(2048), uint8(1), uint32(9))
	f.Fuzz(func(t *testing.T, plain []byte, id string, version int64, bits uint8, step uint16, cut uint8, flip uint32) {
		if id == "" {
			id = "x"
		}
		o := keys.Object{ID: id, Version: version}
		bits = 10 + bits%5
		var cuts []int
		if c := int(cut); c > 0 && c<<bits <= len(plain) {
			cuts = []int{c}
		}
		sealed := seal(t, ring, alice, keys.Pool, o, bits, plain, cuts...)
		got, err := decodeObject(opened[string(alice)+"pool"], string(alice), "pool", id, version, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("second decoder: got %d bytes, %v, want %d", len(got), err, len(plain))
		}
		r, err := ring.NewReader(t.Context(), alice, keys.Pool, o, bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			t.Fatal(err)
		}
		var back []byte
		for p := make([]byte, int(step)+1); ; {
			n, err := r.Read(p)
			back = append(back, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(back, plain) {
			t.Fatalf("got %d bytes, want %d", len(back), len(plain))
		}
		at := int(flip/8) % len(sealed)
		sealed[at] ^= 1 << (flip % 8)
		if got, err := unseal(t.Context(), ring, alice, keys.Pool, o, sealed); err == nil || !bytes.HasPrefix(plain, got) {
			t.Fatalf("byte %d flipped: got %d bytes, %v, want damaged", at, len(got), err)
		}
	})
}
