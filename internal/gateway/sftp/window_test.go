package sftp

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// numbers is a file of which each eight bytes are their own offset.
type numbers struct{}

func (numbers) ReadAt(p []byte, off int64) (int, error) {
	for i := 0; i+8 <= len(p); i += 8 {
		binary.BigEndian.PutUint64(p[i:], uint64(off)+uint64(i))
	}
	return len(p), nil
}

// TestWindowsBehindFourGiB reads where an offset needs more than 32 bits.
func TestWindowsBehindFourGiB(t *testing.T) {
	t.Parallel()
	const size = 1<<33 + 16
	f := &outgoing{r: numbers{}, size: size}
	for _, at := range []int64{0, 1<<31 - 8, 1<<32 - 8, 1 << 32, 1<<32 + windowSize - 8, size - 16} {
		p := make([]byte, 16)
		if n, err := f.ReadAt(p, at); n != 16 || err != nil || binary.BigEndian.Uint64(p) != uint64(at) || binary.BigEndian.Uint64(p[8:]) != uint64(at)+8 {
			t.Errorf("at %d: got %d bytes, %x, %v", at, n, p, err)
		}
	}
	if n, err := f.ReadAt(make([]byte, 16), size-8); n != 8 || !errors.Is(err, io.EOF) {
		t.Errorf("over the end: got %d, %v, want 8 and the end", n, err)
	}
}
