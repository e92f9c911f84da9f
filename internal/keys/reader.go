package keys

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Reader reads a sealed object, decrypting only the chunks that are asked for.
// No byte of a chunk is returned before the whole chunk was found to be what was
// sealed, in its place; otherwise the error is Damaged. ReadAt is safe for
// concurrent use, the other methods are not. It holds up to two chunks in memory,
// and two for each ReadAt under way.
type Reader struct {
	src      io.ReaderAt
	object   Object
	bits     uint8
	segments []segment
	chunks   int64  // in the object
	size     int64  // of the plaintext
	final    []byte // plaintext of the last chunk

	pos     int64 // of Read
	current int64 // the chunk in buf; -1 for none
	buf     []byte
}

// segment is a segment whose header was found to be genuine.
type segment struct {
	start  int64 // number of its first chunk
	offset int64 // of that chunk in src
	prefix [prefixSize]byte
	opener cipher.AEAD
}

// NewReader opens the sealed bytes that src holds, size of them. It reads the
// headers and the last chunk, so that a truncated object is Damaged here and Size
// is right. An object that was sealed for another tenant, purpose or Object is
// Damaged too. Errors of src keep their kind.
func (r *Ring) NewReader(ctx context.Context, id tenant.ID, p Purpose, o Object, src io.ReaderAt, size int64) (*Reader, error) {
	at, err := r.place(id, p, o)
	if err != nil {
		return nil, err
	}
	key, err := r.key(ctx, id, p)
	if err != nil {
		return nil, err
	}
	return openReader(at, key.Decrypt, src, size)
}

func openReader(at place, unwrap func(wrapped, ad []byte) ([]byte, error), src io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{src: src, object: at.object, current: -1}
	starts, end, err := r.readTrailer(size)
	if err != nil {
		return nil, err
	}
	var previous []byte
	for i, start := range starts {
		h, err := r.readHeader(i, start, end)
		if err != nil {
			return nil, err
		}
		dataKey, err := unwrap(h.wrapped[:], h.wrapContext(at, previous))
		if err != nil {
			return nil, damaged(r.object, fmt.Errorf("data key of segment %d: %w", i, err))
		}
		opener, err := h.unlock(dataKey, at, previous)
		clear(dataKey)
		if err != nil {
			return nil, damaged(r.object, fmt.Errorf("segment %d: %w", i, err))
		}
		r.segments = append(r.segments, segment{int64(start), r.headerAt(i, start) + headerSize, h.prefix, opener})
		previous = h.commit[:]
	}
	if err := r.measure(end); err != nil {
		return nil, err
	}
	if r.final, err = r.open(nil, r.chunks-1); err != nil {
		return nil, err
	}
	return r, nil
}

// readTrailer returns the number of each segment's first chunk, and where the
// trailer begins.
func (r *Reader) readTrailer(size int64) (starts []uint32, end int64, err error) {
	if size < headerSize+tagSize+4 {
		return nil, 0, damaged(r.object, fmt.Errorf("%d bytes are too few for a sealed object", size))
	}
	var last [4]byte
	if err := r.read(last[:], size-4); err != nil {
		return nil, 0, err
	}
	count := int64(binary.BigEndian.Uint32(last[:]))
	if count < 1 || count > maxSegments || size < count*(headerSize+tagSize+4) {
		return nil, 0, damaged(r.object, fmt.Errorf("trailer tells of %d segments", count))
	}
	trailer := make([]byte, 4*(count-1))
	end = size - 4*count
	if err := r.read(trailer, end); err != nil {
		return nil, 0, err
	}
	starts = make([]uint32, count)
	for i := range starts[1:] {
		starts[i+1] = binary.BigEndian.Uint32(trailer[4*i:])
		if starts[i+1] <= starts[i] {
			return nil, 0, damaged(r.object, fmt.Errorf("segment %d has no chunks", i))
		}
	}
	return starts, end, nil
}

// readHeader reads and checks the form of the header of segment i. The first one
// tells the chunk size.
func (r *Reader) readHeader(i int, start uint32, end int64) (header, error) {
	var b [headerSize]byte
	off := r.headerAt(i, start)
	if off+headerSize+tagSize > end {
		return header{}, damaged(r.object, fmt.Errorf("segment %d would begin behind the end", i))
	}
	if err := r.read(b[:], off); err != nil {
		return header{}, err
	}
	h, err := parseHeader(b[:])
	if err == nil && (int64(h.segment) != int64(i) || h.start != start || i > 0 && h.bits != r.bits) {
		err = errors.New("header is another segment's")
	}
	if err != nil {
		return h, damaged(r.object, fmt.Errorf("header of segment %d: %w", i, err))
	}
	r.bits = h.bits
	return h, nil
}

func (r *Reader) headerAt(i int, start uint32) int64 {
	return int64(i)*headerSize + int64(start)*(1<<r.bits+tagSize)
}

// measure finds the number of chunks and the size of the plaintext, both of which
// hold once the last chunk has been opened.
func (r *Reader) measure(end int64) error {
	last := r.segments[len(r.segments)-1]
	full := int64(1)<<r.bits + tagSize
	body := end - last.offset
	own := (body + full - 1) / full
	tail := body - (own-1)*full
	if tail < tagSize || tail == tagSize && own > 1 {
		return damaged(r.object, errors.New("last chunk is too short"))
	}
	r.chunks = last.start + own
	if r.chunks > maxChunks {
		return damaged(r.object, errors.New("too many chunks"))
	}
	r.size = (r.chunks-1)<<r.bits + tail - tagSize
	return nil
}

// Size returns the length of the plaintext.
func (r *Reader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt on the plaintext. When a chunk is damaged, what
// lies before it is returned with the error.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fault.New(fault.Invalid, "A read cannot start before the beginning.")
	}
	done := 0
	for done < len(p) && off < r.size {
		n, err := r.readChunk(p[done:], off)
		if err != nil {
			return done, err
		}
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readChunk copies to p what the chunk at off has from there on.
func (r *Reader) readChunk(p []byte, off int64) (int, error) {
	i := off >> r.bits
	within := int(off - i<<r.bits)
	if i == r.chunks-1 {
		return copy(p, r.final[within:]), nil
	}
	size := 1 << r.bits
	if within == 0 && len(p) >= size {
		if _, err := r.open(p[:0:size], i); err != nil {
			return 0, err
		}
		return size, nil
	}
	buf := borrow(int64(size))
	defer giveBack(buf)
	plain, err := r.open((*buf)[:0], i)
	if err != nil {
		return 0, err
	}
	return copy(p, plain[within:]), nil
}

// scratch are buffers that no reader has at the moment, without plaintext.
var scratch sync.Pool

// borrow returns a buffer of at least n bytes, to be given back.
func borrow(n int64) *[]byte {
	buf, _ := scratch.Get().(*[]byte)
	if buf == nil || int64(cap(*buf)) < n {
		b := make([]byte, n)
		buf = &b
	}
	return buf
}

func giveBack(buf *[]byte) {
	clear((*buf)[:cap(*buf)]) // it had plaintext of one tenant, and the next may be another's
	scratch.Put(buf)
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.pos >= r.size {
		return 0, io.EOF
	}
	if within := r.pos & (1<<r.bits - 1); within == 0 && len(p) >= 1<<r.bits {
		n, err := r.readChunk(p, r.pos)
		r.pos += int64(n)
		return n, err
	}
	plain, err := r.load()
	if err != nil {
		return 0, err
	}
	n := copy(p, plain)
	r.pos += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo: it writes what Read has not yet read.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var done int64
	for r.pos < r.size {
		plain, err := r.load()
		if err != nil {
			return done, err
		}
		n, err := w.Write(plain)
		done += int64(n)
		r.pos += int64(n)
		if err != nil {
			return done, err
		}
		if n < len(plain) {
			return done, io.ErrShortWrite
		}
	}
	return done, nil
}

// load returns the rest of the chunk that pos is in, which must be before size.
func (r *Reader) load() ([]byte, error) {
	i := r.pos >> r.bits
	within := r.pos - i<<r.bits
	if i == r.chunks-1 {
		return r.final[within:], nil
	}
	if i != r.current {
		r.current = -1
		if r.buf == nil {
			r.buf = make([]byte, 0, 1<<r.bits)
		}
		plain, err := r.open(r.buf[:0], i)
		if err != nil {
			return nil, err
		}
		r.buf, r.current = plain, i
	}
	return r.buf[within:], nil
}

// Seek implements io.Seeker. A position behind the end is allowed; Read then
// returns io.EOF.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("seek in sealed object: whence %d is not known", whence)
	}
	if offset < 0 {
		return 0, fault.New(fault.Invalid, "A read cannot start before the beginning.")
	}
	r.pos = offset
	return offset, nil
}

// open appends chunk i's plaintext to dst.
func (r *Reader) open(dst []byte, i int64) ([]byte, error) {
	s := sort.Search(len(r.segments), func(k int) bool { return r.segments[k].start > i }) - 1
	seg := &r.segments[s]
	full := int64(1)<<r.bits + tagSize
	length, last := full, i == r.chunks-1
	if last {
		length = r.size - i<<r.bits + tagSize
	}
	buf := borrow(length)
	defer scratch.Put(buf) // ciphertext
	sealed := (*buf)[:length]
	if err := r.read(sealed, seg.offset+(i-seg.start)*full); err != nil {
		return nil, err
	}
	n := nonce(seg.prefix, uint32(i), last)
	plain, err := seg.opener.Open(dst, n[:], sealed, nil)
	if err != nil {
		return nil, damaged(r.object, fmt.Errorf("chunk %d: %w", i, err))
	}
	return plain, nil
}

// read fills p from src. The end of src before the end of p is damage.
func (r *Reader) read(p []byte, off int64) error {
	n, err := r.src.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return damaged(r.object, fmt.Errorf("bytes end at %d", off+int64(n)))
	}
	return fmt.Errorf("read sealed bytes of %s: %w", r.object.ID, err)
}
