package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/minio/minio-go/v7"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// How many bytes a read that goes on where the last one ended fetches at once: a
// little at first, then twice as many each time. Open fetches the first of them
// with the object's size, so that small objects are one request.
const (
	firstWindow = 256 << 10
	lastWindow  = 4 << 20
)

// fetches is how often a range is asked for, from where it broke off.
const fetches = 3

// object is an object open for reading.
type object struct {
	store  *Store
	key    blob.Key
	size   int64
	etag   string
	ctx    context.Context //nolint:containedctx // io.ReaderAt has none; ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	window []byte // bytes of the object, ahead of who reads on
	start  int64  // of the window
	next   int64  // where a read goes on
	ahead  int    // the next window's size
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, k blob.Key) (blob.Object, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := &object{store: s, key: k, ahead: 2 * firstWindow}
	if err := o.first(ctx); err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil, missing(k)
		}
		return nil, err
	}
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return o, nil
}

// first reads the object's size and its first bytes.
func (o *object) first(ctx context.Context) error {
	doing := "open object " + string(o.key)
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var options minio.GetObjectOptions
	if err := options.SetRange(0, firstWindow-1); err != nil {
		return err
	}
	body, info, header, err := o.store.client.GetObject(limited, o.store.place.Bucket, o.store.name(o.key), options)
	if codeOf(err) == "InvalidRange" { // an empty object has no first byte
		info, err := o.store.client.StatObject(limited, o.store.place.Bucket, o.store.name(o.key), minio.StatObjectOptions{})
		o.size, o.etag = info.Size, info.ETag
		return o.store.failure(ctx, doing, err)
	}
	if err != nil {
		return o.store.failure(ctx, doing, err)
	}
	defer body.Close()
	o.etag, o.size = info.ETag, info.Size
	if header.Get("Content-Range") != "" {
		first, size, err := contentRange(header)
		if err != nil || first != 0 {
			return o.store.failure(ctx, doing, errRange(header))
		}
		o.size = size
	}
	o.window = make([]byte, min(o.size, firstWindow))
	if n, err := io.ReadFull(body, o.window); err != nil {
		o.window = o.window[:n] // the rest is asked for again
	}
	return nil
}

// contentRange reads what of an object an answer has: where it begins, and the
// object's size.
func contentRange(h http.Header) (first, size int64, err error) {
	var last int64
	text := h.Get("Content-Range")
	n, err := fmt.Sscanf(text, "bytes %d-%d/%d", &first, &last, &size)
	if err != nil || n != 3 || first < 0 || last < first || last >= size {
		return 0, 0, errRange(h)
	}
	return first, size, nil
}

func errRange(h http.Header) error {
	return fmt.Errorf("the service answers with the range %q", h.Get("Content-Range"))
}

// Size implements blob.Object.
func (o *object) Size() int64 { return o.size }

// Close implements blob.Object.
func (o *object) Close() error {
	o.cancel()
	return nil
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read object: negative offset")
	}
	if off >= o.size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > o.size-off {
		p, end = p[:o.size-off], io.EOF
	}
	n, err := o.readAhead(p, off)
	if err == nil && n < len(p) { // somewhere else: just these bytes
		var more int
		more, err = o.fetch(p[n:], off+int64(n))
		n += more
	}
	if err != nil {
		return n, err
	}
	return n, end
}

// readAhead reads from the window and, if the read goes on where the last one ended,
// fills it anew.
func (o *object) readAhead(p []byte, off int64) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	goesOn := off == o.next
	o.next = off + int64(len(p))
	for n < len(p) {
		at := off + int64(n) - o.start
		if at >= 0 && at < int64(len(o.window)) {
			n += copy(p[n:], o.window[at:])
			continue
		}
		if !goesOn {
			break
		}
		size := min(int64(max(o.ahead, len(p)-n)), o.size-off-int64(n))
		window := o.window[:0]
		if int64(cap(window)) < size {
			window = make([]byte, size)
		}
		window = window[:size]
		got, err := o.fetch(window, off+int64(n))
		o.window, o.start = window[:got], off+int64(n)
		if err != nil {
			return n, err
		}
		o.ahead = min(2*o.ahead, lastWindow)
	}
	return n, nil
}

// fetch reads a range of the object.
func (o *object) fetch(p []byte, off int64) (n int, err error) {
	for range fetches {
		var more int
		more, err = o.ask(p[n:], off+int64(n))
		n += more
		if n == len(p) {
			return n, nil
		}
		if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Damaged || o.ctx.Err() != nil {
			break
		}
	}
	return n, err
}

func (o *object) ask(p []byte, off int64) (int, error) {
	doing := "read object " + string(o.key)
	ctx, cancel := context.WithTimeout(o.ctx, callTime)
	defer cancel()
	var options minio.GetObjectOptions
	if err := errors.Join(options.SetRange(off, off+int64(len(p))-1), options.SetMatchETag(o.etag)); err != nil {
		return 0, err
	}
	body, _, header, err := o.store.client.GetObject(ctx, o.store.place.Bucket, o.store.name(o.key), options)
	if isTaken(err) {
		return 0, fault.Wrap(fault.Damaged, err, "The stored object %s is another one than when it was opened.", o.key)
	}
	if err != nil {
		return 0, o.store.failure(o.ctx, doing, err)
	}
	defer body.Close()
	// An answer without a range is the whole object, from its start.
	first, size := int64(0), o.size
	if header.Get("Content-Range") != "" {
		first, size, err = contentRange(header)
	}
	if err != nil || first != off || size != o.size {
		return 0, o.store.failure(o.ctx, doing, errRange(header))
	}
	n, err := io.ReadFull(body, p)
	return n, o.store.failure(o.ctx, doing, err)
}
