package api

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// BodyTime is how long a request may take to arrive where its body is not a
	// file; the server's ReadTimeout.
	BodyTime = 30 * time.Second
	// Stall is how long a transfer may stand still before it is ended.
	Stall = time.Minute
)

// timely ends answers that their reader does not take, and lets a handler take its
// time once the request has arrived: the server's ReadTimeout would go on counting
// and end what the handler does.
func timely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &timelyWriter{w, http.NewResponseController(w)}
		if r.Body == nil || r.Body == http.NoBody {
			_ = t.control.SetReadDeadline(time.Time{}) // a test's recorder has none
		} else {
			r.Body = &arriving{r.Body, t.control}
		}
		defer t.wait() // net/http writes what is left after the handler
		next.ServeHTTP(t, r)
	})
}

// arriving is a request's body, which has until it ends to arrive.
type arriving struct {
	io.ReadCloser
	control *http.ResponseController
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = a.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timelyWriter gives each part of an answer its time.
type timelyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (t *timelyWriter) wait() { _ = t.control.SetWriteDeadline(time.Now().Add(Stall)) }

func (t *timelyWriter) WriteHeader(status int) {
	t.wait()
	t.ResponseWriter.WriteHeader(status)
}

func (t *timelyWriter) Write(p []byte) (int, error) {
	written := 0
	for {
		part := p[written:min(len(p), written+256<<10)]
		t.wait()
		n, err := t.ResponseWriter.Write(part)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// Unwrap lets http.ResponseController find the connection.
func (t *timelyWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }
