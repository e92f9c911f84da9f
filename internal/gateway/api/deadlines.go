package api

import (
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

// timely ends answers that their reader does not take: each part of one has its
// time, since a whole one, as of a download, has none.
func timely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &timelyWriter{w, http.NewResponseController(w)}
		defer t.wait() // net/http writes what is left after the handler
		next.ServeHTTP(t, r)
	})
}

// timelyWriter gives each part of an answer its time.
type timelyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// A test's recorder has no deadlines, and needs none.
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
