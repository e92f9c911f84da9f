package test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// wire is a proxy that cuts connections: of each in turn, after so many bytes from
// the client.
type wire struct {
	net.Listener
	behind string
	mu     sync.Mutex
	cuts   []int64
	cut    chan struct{} // told of each cut
}

func newWire(t *testing.T, s *server, cuts ...int64) *wire {
	t.Helper()
	w := &wire{Listener: must(net.Listen("tcp", "127.0.0.1:0"))(t), behind: strings.TrimPrefix(s.URL, "http://"), cuts: cuts, cut: make(chan struct{}, 100)}
	t.Cleanup(func() { w.Close() })
	go func() {
		for {
			conn, err := w.Accept()
			if err != nil {
				return
			}
			go w.pass(conn)
		}
	}()
	return w
}

func (w *wire) address() string { return "http://" + w.Addr().String() }

// limit is how many bytes a connection may carry that has carried so many that it is
// about a file.
func (w *wire) limit() (int64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.cuts) == 0 {
		return 0, false
	}
	n := w.cuts[0]
	w.cuts = w.cuts[1:]
	return n, true
}

func (w *wire) pass(conn net.Conn) {
	defer conn.Close()
	to, err := net.Dial("tcp", w.behind)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(conn, to)
		conn.Close()
	}()
	const small = 16 << 10 // requests without a file
	if n, _ := io.CopyN(to, conn, small); n < small {
		return
	}
	if n, ok := w.limit(); ok {
		if _, err := io.CopyN(to, conn, n); err == nil {
			w.cut <- struct{}{}
		}
		return
	}
	_, _ = io.Copy(to, conn)
}

// endingFile is a file of which the reader ends.
type endingFile struct {
	io.ReadSeeker
	ended bool
}

var errEnded = errors.New("the program has ended")

func (f *endingFile) Read(p []byte) (int, error) {
	if f.ended {
		return 0, errEnded
	}
	return f.ReadSeeker.Read(p)
}

// TestClientGoesOn sends a file over connections that break, to a server that is
// killed meanwhile, and from a program that ends and is started again.
func TestClientGoesOn(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	text := file(1, date)
	whole := client.Upload{Dataset: dataset, Date: date, Name: servertest.InputName(1, date), Body: strings.NewReader(text)}
	w := newWire(t, s, 100_000, 0, 200_000)
	c := must(client.New(w.address(), a.Key))(t)
	var last, total int64
	whole.Sending = func(done, of int64) { last, total = done, of }
	sub := must(c.SubmitResumable(t.Context(), whole))(t)
	s.uploads(a.Key).accepts(a, sub.ID, text)
	if last != int64(len(text)) || total != last || len(w.cut) != 3 {
		t.Errorf("progress: got %d of %d after %d cuts, want %d after 3", last, total, len(w.cut), len(text))
	}

	// The program ends in the middle, and is started again.
	day := "2022-11-02"
	text = file(1, day)
	again := client.Upload{Date: "", Name: servertest.InputName(1, day), Body: strings.NewReader(text)} // its name says the rest
	ending := &endingFile{ReadSeeker: again.Body.(io.ReadSeeker)}
	again.Body = ending
	again.Sending = func(done, _ int64) { ending.ended = done > int64(len(text)/2) }
	if _, err := s.As(a.Key).SubmitResumable(t.Context(), again); !errors.Is(err, errEnded) {
		t.Fatalf("interrupted: got %v, want %v", err, errEnded)
	}
	var kept client.WebUpload
	s.until("what was sent is kept", func() bool {
		kept = must(a.WebUploads(t.Context(), client.WebUploadFilter{Name: again.Name}))(t).Items[0]
		return kept.Offset > 0
	})
	// Meanwhile the server is killed as well.
	s.Kill()
	s.Start()
	s.Reconnect(&a.Party)
	first := int64(-1)
	again.Body, again.Sending = strings.NewReader(text), func(done, _ int64) {
		if first < 0 {
			first = done
		}
	}
	sub = must(a.SubmitResumable(t.Context(), again))(t)
	s.uploads(a.Key).accepts(a, sub.ID, text)
	if first <= kept.Offset {
		t.Errorf("the second time: it began at %d, want after %d", first, kept.Offset)
	}
	if got := must(a.WebUpload(t.Context(), kept.ID))(t); got.Submission != sub.ID {
		t.Errorf("the upload: got %+v, want that it became %s", got, sub.ID)
	}

	// What is refused is not tried again, and what cannot be reached is not for ever.
	if _, err := a.SubmitResumable(t.Context(), client.Upload{Dataset: "none", Date: date, Name: "a.csv", Body: strings.NewReader("x")}); !client.Is(err, client.NotFound) {
		t.Errorf("no dataset: got %v, want not found", err)
	}
	if _, err := a.SubmitResumable(t.Context(), client.Upload{Dataset: dataset, Date: date, Name: "a.csv", Body: strings.NewReader("")}); !client.Is(err, client.Invalid) {
		t.Errorf("an empty file: got %v, want invalid", err)
	}
	s.Stop()
	s.Sound()
}

// TestSubmitGoesOn is the same by the command line, which sends large files so.
func TestSubmitGoesOn(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	name := servertest.InputName(1, date)
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, string(bytes.Repeat([]byte("no table at all\n"), 64<<16)))
	w := newWire(t, s, 20<<20)
	direct := s.URL
	s.URL = w.address()
	sent := servertest.Decode[client.Submission](t, s.Run(a.Key, "submit", "--dataset", dataset, "--date", date, "--no-wait", "--json", path))
	s.URL = direct
	if len(w.cut) != 1 || sent.Channel != "web" || sent.Size != 64<<20 {
		t.Errorf("submit: got %+v after %d cuts, want it whole after 1", sent, len(w.cut))
	}
	if out := string(s.Run(a.Key, "upload", "list")); !strings.Contains(out, sent.ID) || !strings.Contains(out, name) {
		t.Errorf("upload list: got %s, want this one, and what it became", out)
	}
	id := s.uploads(a.Key).begun(10, "filename", name)
	if out := string(s.Run(a.Key, "upload", "show", id)); !strings.Contains(out, name) {
		t.Errorf("upload show: got %s, want its name", out)
	}
	s.Run(a.Key, "upload", "drop", id)
	if _, err := a.WebUpload(t.Context(), id); !client.Is(err, client.NotFound) {
		t.Errorf("a dropped upload: got %v, want not found", err)
	}
	if r := must(http.Get(s.URL + "/healthz"))(t); r.StatusCode != http.StatusOK {
		t.Errorf("healthz: got %d", r.StatusCode)
	}
	s.Stop()
	s.Sound()
}
