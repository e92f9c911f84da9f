package sftp

import (
	"errors"
	"io"
	"sync"
)

// windowSize is how much is opened at once: several chunks of a sealed object, since
// clients ask for less than one at a time.
const windowSize = 256 << 10

// outgoing is a file that is read. It keeps what was opened last, because clients
// ask for pieces in order, many at a time.
type outgoing struct {
	session *session
	r       io.ReaderAt
	size    int64
	close   func() error

	mu      sync.Mutex
	windows [2]window
	oldest  int
}

type window struct {
	at   int64
	data []byte // empty: nothing yet
}

// ReadAt implements io.ReaderAt.
func (f *outgoing) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= f.size {
			return n, io.EOF
		}
		w, err := f.window(at)
		if err != nil {
			return n, f.session.answer(err)
		}
		n += copy(p[n:], w.data[at-w.at:])
	}
	return n, nil
}

func (f *outgoing) window(at int64) (*window, error) {
	for i := range f.windows {
		if w := &f.windows[i]; at >= w.at && at < w.at+int64(len(w.data)) {
			return w, nil
		}
	}
	w := &f.windows[f.oldest]
	f.oldest = 1 - f.oldest
	start := at - at%windowSize
	length := min(windowSize, f.size-start)
	if int64(cap(w.data)) < length {
		w.data = make([]byte, length)
	}
	w.at, w.data = start, w.data[:length]
	if n, err := f.r.ReadAt(w.data, start); int64(n) < length {
		w.data = w.data[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return w, nil
}

// Close implements io.Closer.
func (f *outgoing) Close() error { return f.close() }
