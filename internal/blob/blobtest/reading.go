package blobtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"testing"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

func openOutlive(t *testing.T, s blob.Store, d Differences) {
	content := pattern(3 << 20)
	put(t, s, "a/b", content)
	o, err := s.Open(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a/b", bytes.Repeat([]byte("x"), len(content))) // another of that name
	for _, off := range []int64{0, 2 << 20} {
		p := make([]byte, 5)
		n, err := o.ReadAt(p, off)
		if !bytes.Equal(p[:n], content[off:off+int64(n)]) {
			t.Errorf("at %d: got %q, want nothing that was not open", off, p[:n])
		}
		if n < len(p) && (!d.ReadsEndAtDelete || err == nil) {
			t.Errorf("at %d: got %d bytes, %v, want what was open", off, n, err)
		}
	}
}

// pattern is bytes of which no two stretches are the same.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		binary.BigEndian.PutUint64(p[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
	return p
}

func largeReadBack(t *testing.T, s blob.Store) {
	content := pattern(21<<20 + 11)
	put(t, s, "a/b", content)
	wantContent(t, s, "a/b", content)
	o, err := s.Open(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 8 {
				off := int64(g*8+i) * 7919 * 83 % int64(len(content))
				p := make([]byte, 70_000)
				n, err := o.ReadAt(p, off)
				want := content[off:min(off+int64(len(p)), int64(len(content)))]
				if !bytes.Equal(p[:n], want) || n < len(p) && !errors.Is(err, io.EOF) {
					t.Errorf("at %d: got %d bytes, %v, want %d", off, n, err, len(want))
				}
			}
		})
	}
	wg.Wait()
	wantKind(t, "put again", Put(t.Context(), s, "a/b", content), fault.Conflict)
	wantKeys(t, s, "", "a/b")
}
