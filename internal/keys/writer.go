package keys

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Writer seals what is written to it. It holds one chunk in memory; the sealed
// bytes are complete when Close has returned nil. It is not safe for concurrent
// use, and after an error it stays failed.
type Writer struct {
	dst   io.Writer
	clock clock.Clock
	place place
	bits  uint8
	wrap  func(dataKey, ad []byte) ([]byte, error) // the tenant's key

	at     position
	sealer cipher.AEAD
	prefix [prefixSize]byte

	// buf is what goes to dst next: a header, if the segment has just begun, and
	// from head on the plaintext of the chunk to be.
	buf  []byte
	head int
	err  error
}

// position is where in an object a segment may begin: what Writer must know of
// what is already sealed.
type position struct {
	starts   []uint32 // first chunk of each segment begun
	next     uint32   // number of the next chunk
	previous []byte   // commitment of the latest segment; empty before the first
}

// NewWriter starts to seal an object to w. Nothing is written to w before the
// first chunk is full or Close is called.
func (r *Ring) NewWriter(ctx context.Context, id tenant.ID, p Purpose, o Object, w io.Writer) (*Writer, error) {
	at, err := r.place(id, p, o)
	if err != nil {
		return nil, err
	}
	key, err := r.key(ctx, id, p)
	if err != nil {
		return nil, err
	}
	return startWriter(&Writer{dst: w, clock: r.clock, place: at, bits: chunkBits, wrap: key.Encrypt})
}

// startWriter begins a segment at w's position.
func startWriter(w *Writer) (*Writer, error) {
	if len(w.at.starts) >= maxSegments {
		return nil, fault.New(fault.TooLarge, "The object %s was resumed too often; send it anew.", w.place.object.ID)
	}
	h := header{bits: w.bits, segment: uint32(len(w.at.starts)), start: w.at.next}
	copy(h.prefix[:], w.clock.Bytes(prefixSize))
	w.prefix = h.prefix
	dataKey := w.clock.Bytes(32)
	defer clear(dataKey)
	wrapped, err := w.wrap(dataKey, h.wrapContext(w.place, w.at.previous))
	if err == nil && len(wrapped) != wrapSize {
		err = errKeyForm
	}
	if err != nil {
		return nil, fmt.Errorf("wrap data key of %s: %w", w.place.object.ID, err)
	}
	copy(h.wrapped[:], wrapped)
	if w.sealer, h.commit, err = h.derive(dataKey, w.place, w.at.previous); err != nil {
		return nil, fmt.Errorf("seal %s: %w", w.place.object.ID, err)
	}
	w.at.starts = append(w.at.starts, w.at.next)
	w.at.previous = h.commit[:]
	if w.buf == nil {
		if b, ok := chunkBuffers.Get().(*[]byte); ok {
			w.buf = *b
		}
	}
	w.buf = h.append(w.buf[:0])
	w.head = headerSize
	return w, nil
}

// Write seals p. Its error is one of what it writes to, or TooLarge at 2^32 - 1
// chunks, 256 TiB.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	size := 1 << w.bits
	done := 0
	for done < len(p) && w.err == nil {
		held := len(w.buf) - w.head
		rest := p[done:]
		switch {
		case held == size: // known only now not to be the last
			w.flush(w.buf[w.head:], false)
		case held == 0 && len(rest) > size:
			if w.flush(rest[:size], false); w.err == nil {
				done += size
			}
		default:
			n := min(len(rest), size-held)
			w.buf = append(w.buf, rest[:n]...)
			done += n
		}
	}
	return done, w.err
}

// flush seals a chunk behind what buf holds in front of it, and writes both.
func (w *Writer) flush(plain []byte, last bool) {
	if w.at.next == maxChunks {
		w.err = fault.New(fault.TooLarge, "The object is larger than an object can be.")
		return
	}
	n := nonce(w.prefix, w.at.next, last)
	w.buf = w.sealer.Seal(w.buf[:w.head], n[:], plain, nil)
	w.at.next++
	if last {
		for _, s := range w.at.starts[1:] {
			w.buf = binary.BigEndian.AppendUint32(w.buf, s)
		}
		w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(len(w.at.starts)))
	}
	if _, err := w.dst.Write(w.buf); err != nil {
		w.err = fmt.Errorf("write sealed bytes of %s: %w", w.place.object.ID, err)
		return
	}
	w.buf, w.head = w.buf[:0], 0
}

// Close seals the last chunk. It does not close what is written to. A second
// Close is an error.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush(w.buf[w.head:], true)
	if w.err != nil {
		return w.err
	}
	clear(w.buf[:cap(w.buf)])
	buf := w.buf
	chunkBuffers.Put(&buf)
	w.buf, w.sealer = nil, nil
	w.err = errClosed
	return nil
}

// chunkBuffers are cleared buffers of writers that were closed. Fresh memory is
// what sealing a small object would mostly cost.
var chunkBuffers sync.Pool

var errClosed = errors.New("write to sealed object: it is closed")

func (r *Ring) place(id tenant.ID, p Purpose, o Object) (place, error) {
	if o.ID == "" {
		return place{}, fmt.Errorf("seal for %s: the object has no name", id)
	}
	return place{id, p, o}, nil
}
