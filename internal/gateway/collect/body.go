package collect

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"tributary/internal/fault"
)

// budget bounds the bytes of all requests that are being read and kept at once, and
// those of each sender: a source, or a network of which no key is known yet.
type budget struct {
	mu     sync.Mutex
	taken  int64
	shares map[string]int64
}

func (b *budget) take(who string, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken+n > mostMemory || b.shares[who]+n > mostMemory/8 {
		return false
	}
	if b.shares == nil {
		b.shares = map[string]int64{}
	}
	b.taken += n
	b.shares[who] += n
	return true
}

func (b *budget) give(who string, n int64) {
	if n == 0 { // and then there may be no shares
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken -= n
	if b.shares[who] -= n; b.shares[who] <= 0 {
		delete(b.shares, who)
	}
}

// bounded keeps what is written to it while it is not too much for one request, nor
// for all of them.
type bounded struct {
	kept   bytes.Buffer // not embedded: its ReadFrom would go round Write
	most   int64
	budget *budget
	who    string
	taken  int64
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if int64(b.kept.Len()+len(p)) > b.most {
		return 0, tooLarge(b.most)
	}
	n := weight * int64(len(p))
	if !b.budget.take(b.who, n) {
		return 0, fault.New(fault.Unavailable, "Too much is being received at once. Try again in a moment.")
	}
	b.taken += n
	return b.kept.Write(p)
}

func tooLarge(most int64) error {
	return fault.New(fault.TooLarge, "A request's body has at most %d bytes, packed or unpacked. Send fewer events at once.", most)
}

func (b *bounded) release() { b.budget.give(b.who, b.taken) }

// read reads the body of a request of somebody's, unpacked, also what says by its first
// bytes alone that it is gzip, as browsers send it without asking for leave first. The caller releases it when nothing of
// it is used any more, also after an error.
func (s *server) read(r *http.Request, who string, most int64) (*bounded, error) {
	b := &bounded{most: most, budget: &s.budget, who: who}
	if r.ContentLength > most {
		return b, tooLarge(most)
	}
	long := most + 1
	if r.ContentLength >= 0 { // then there is no more, and io.Copy has no large buffer for a small body
		long = r.ContentLength
		b.kept.Grow(int(min(long, mostGrown)))
	}
	packed := io.LimitReader(r.Body, long)
	var plain io.Reader
	var err error
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		plain = packed
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(packed)
	case "deflate":
		plain, err = zlib.NewReader(packed)
	case "br":
		plain = brotli.NewReader(packed)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(mostBatch)), zstd.WithDecoderMaxWindow(8<<20)); err == nil {
			defer z.Close()
			plain = z
		}
	default:
		return b, fault.New(fault.Invalid, "The body is packed as %q. These are read: gzip, deflate, br, zstd.", clip(encoding))
	}
	if err == nil {
		err = b.copy(plain)
	}
	if err != nil {
		return b, unpacking(r, err)
	}
	return b, nil
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// copy keeps what is read, and unpacks it if it is gzip.
func (b *bounded) copy(from io.Reader) error {
	ahead := readers.Get().(*bufio.Reader)
	ahead.Reset(from)
	defer func() {
		ahead.Reset(nil)
		readers.Put(ahead)
	}()
	from = ahead
	if first, _ := ahead.Peek(2); bytes.Equal(first, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(ahead)
		if err != nil {
			return err
		}
		from = z
	}
	_, err := io.Copy(b, from)
	return err
}

// unpacking gives an error of reading a body its kind.
func unpacking(r *http.Request, err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return err
	}
	if cause := r.Context().Err(); cause != nil {
		return cause
	}
	return fault.Wrap(fault.Invalid, err, "The body ends early, or is not packed as the request says.")
}
