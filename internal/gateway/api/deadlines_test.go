package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// deadlined is an answer that knows until when each of its parts may be taken.
type deadlined struct {
	*httptest.ResponseRecorder
	until time.Time
	parts int
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	if t.After(time.Now()) {
		d.until = t
	}
	return nil
}

func (d *deadlined) Write(p []byte) (int, error) {
	d.parts++
	if left := time.Until(d.until); left <= 0 || left > Stall {
		return 0, http.ErrHandlerTimeout
	}
	d.until = time.Time{} // the next part needs a new one
	return d.ResponseRecorder.Write(p)
}

// Every part of every answer has a deadline, through all that wraps the routes.
func TestEachPartOfAnAnswerHasItsTime(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	s.mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
		if n, err := w.Write(long); n != len(long) || err != nil {
			t.Errorf("write: got %d, %v, want %d", n, err, len(long))
		}
	})
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	s.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/long", nil))
	if !bytes.Equal(w.Body.Bytes(), long) || w.parts != 4 {
		t.Errorf("got %d bytes in %d parts, want %d in 4", w.Body.Len(), w.parts, len(long))
	}
	if w.until.IsZero() {
		t.Error("after the last part: no deadline, want one for what net/http still holds")
	}
}
