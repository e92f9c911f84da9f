package keys

import (
	"context"
	"io"
	"slices"

	"tributary/internal/tenant"
)

// What tests reach that others do not: other chunk sizes, segments after the
// first, and chosen wrapped data keys.

// Sizes of the format.
const (
	HeaderSize = headerSize
	TagSize    = tagSize
	ChunkBits  = chunkBits
	WrapSize   = wrapSize
)

// Position is where a segment may begin.
type Position = position

// Canonical is the encoding under every MAC and associated data.
func Canonical(label string, fields ...any) []byte { return canonical(label, fields...) }

// Position returns where the next segment may begin, once what was written is a
// multiple of the chunk size and has been flushed.
func (w *Writer) Position() Position {
	at := w.at
	at.starts = slices.Clone(at.starts)
	return at
}

// Flush seals what is held as a chunk that is not the last, as no writer does.
func (w *Writer) Flush() { w.flush(w.buf[w.head:], false) }

// Next is the number of the next chunk.
func (p Position) Next() int64 { return int64(p.next) }

// WriterAt starts a segment at a position, with chunks of 2^bits bytes; wrap nil
// means the tenant's key.
func (r *Ring) WriterAt(ctx context.Context, id tenant.ID, p Purpose, o Object, w io.Writer, bits uint8, at Position, wrap func(dataKey, ad []byte) ([]byte, error)) (*Writer, error) {
	if wrap == nil {
		key, err := r.key(ctx, id, p)
		if err != nil {
			return nil, err
		}
		wrap = key.Encrypt
	}
	at.starts = slices.Clone(at.starts)
	return startWriter(&Writer{dst: w, clock: r.clock, place: place{id, p, o}, bits: bits, wrap: wrap, at: at})
}

// Unwrap opens a wrapped data key with the tenant's key.
func (r *Ring) Unwrap(ctx context.Context, id tenant.ID, p Purpose, wrapped, ad []byte) ([]byte, error) {
	key, err := r.key(ctx, id, p)
	if err != nil {
		return nil, err
	}
	return key.Decrypt(wrapped, ad)
}

// Cached returns how many tenants' keys are in memory.
func (r *Ring) Cached() int {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return len(r.cache.tenants)
}
