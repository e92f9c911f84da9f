package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// received is an upload as it arrived.
type received struct {
	query, digest, channel, expect, chunked string
	length                                  int64
	body                                    []byte
	err                                     error
	done                                    chan struct{} // closed once all is known
}

// receiver serves one upload.
func receiver(t *testing.T, options ...Option) (*Client, *received) {
	t.Helper()
	got := &received{done: make(chan struct{})}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(got.done)
		got.query, got.digest, got.channel, got.expect = r.URL.RawQuery, r.Header.Get("Content-Digest"), r.Header.Get("Tributary-Channel"), r.Header.Get("Expect")
		got.length, got.chunked = r.ContentLength, strings.Join(r.TransferEncoding, ",")
		got.body, got.err = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"id":"sub_1","state":"received"}`)
	}, options...), got
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func TestAFileIsSentWithItsDigest(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{"large": bytes.Repeat([]byte("0123456789abcdef"), 300_000), "small": []byte("a,b\n"), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, got := receiver(t, WithChannel("cli"))
			path := filepath.Join(t.TempDir(), "f.csv")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var hashed, sent, total int64
			sub, err := c.Submit(t.Context(), Upload{Dataset: "sales", Date: "2026-03-01", Name: "a b&c.csv", Body: f,
				Hashing: func(done, _ int64) { hashed = done }, Sending: func(done, of int64) { sent, total = done, of }})
			if err != nil || sub.ID != "sub_1" {
				t.Fatalf("got %v and %v, want the submission", sub, err)
			}
			size := int64(len(content))
			if !bytes.Equal(got.body, content) || got.length != size || got.digest != digestOf(content) || got.chunked != "" {
				t.Errorf("arrived %d bytes of length %d with digest %s, want %d and %s", len(got.body), got.length, got.digest, size, digestOf(content))
			}
			if got.query != "dataset=sales&date=2026-03-01&name=a+b%26c.csv" || got.channel != "cli" {
				t.Errorf("arrived with %s by %s", got.query, got.channel)
			}
			if hashed != size || sent != size || size > 0 && total != size {
				t.Errorf("progress ended at %d hashed, %d of %d sent; want %d", hashed, sent, total, size)
			}
			if size > 0 && got.expect != "100-continue" {
				t.Errorf("expects %q, want to be told to go on", got.expect)
			}
		})
	}
}

func TestAFileIsSentFromWhereItStands(t *testing.T) {
	t.Parallel()
	c, got := receiver(t)
	r := strings.NewReader("skipped|sent")
	if _, err := r.Seek(8, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), Upload{Body: r}); err != nil || string(got.body) != "sent" || got.digest != digestOf([]byte("sent")) {
		t.Errorf("arrived %q and %v, want what was not yet read", got.body, err)
	}
}

func TestAPipeIsSentInChunks(t *testing.T) {
	t.Parallel()
	c, got := receiver(t)
	if _, err := c.Submit(t.Context(), Upload{Body: io.MultiReader(strings.NewReader("a,b\n"), strings.NewReader("1,2\n"))}); err != nil {
		t.Fatal(err)
	}
	if string(got.body) != "a,b\n1,2\n" || got.chunked != "chunked" || got.digest != "" {
		t.Errorf("arrived %q, %q, digest %q", got.body, got.chunked, got.digest)
	}
}

// shrinking is a file that is shorter when it is read again.
type shrinking struct {
	*strings.Reader
	seeks int
}

func (s *shrinking) Seek(offset int64, whence int) (int64, error) {
	if s.seeks++; s.seeks == 4 { // to the start for the second pass
		s.Reader = strings.NewReader("short")
	}
	return s.Reader.Seek(offset, whence)
}

func TestAFileThatShrinksIsNotSent(t *testing.T) {
	t.Parallel()
	c, got := receiver(t)
	_, err := c.Submit(t.Context(), Upload{Body: &shrinking{Reader: strings.NewReader(strings.Repeat("long ", 100))}})
	if !errors.Is(err, errChanged) || KindOf(err) != Internal {
		t.Errorf("got %v of kind %s, want that the file changed", err, KindOf(err))
	}
	if <-got.done; got.err == nil {
		t.Error("the server took the part for the whole")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestAFileThatCannotBeReadIsNotTheServersFault(t *testing.T) {
	t.Parallel()
	c, _ := receiver(t)
	_, err := c.Submit(t.Context(), Upload{Body: failing{}})
	var unreachable *UnreachableError
	if err == nil || errors.As(err, &unreachable) || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("got %v, want the file's own error", err)
	}
}

func TestAnUploadThatIsRefusedIsNotSent(t *testing.T) {
	t.Parallel()
	var sent int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 413, TooLarge, "Too large.") })
	_, err := c.Submit(t.Context(), Upload{Body: bytes.NewReader(make([]byte, 64<<20)), Sending: func(done, _ int64) { sent = done }})
	if !Is(err, TooLarge) || sent != 0 {
		t.Errorf("got %v after %d bytes, want to be refused before sending", err, sent)
	}
}

func TestADownloadIsWritten(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/api/v1/results/res_1/content?format=parquet" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Disposition", `attachment; filename="out.parquet"`)
		w.Write(content)
	})
	var b bytes.Buffer
	var told int64
	d, err := c.ResultContent(t.Context(), "res_1", "parquet", &b, func(done, _ int64) { told = done })
	if err != nil || d.Name != "out.parquet" || d.Size != int64(len(content)) || !bytes.Equal(b.Bytes(), content) || told != d.Size {
		t.Errorf("got %+v and %v, %d bytes", d, err, b.Len())
	}
}

func TestADownloadThatEndsEarlyIsAnError(t *testing.T) {
	t.Parallel()
	for name, announce := range map[string]string{"announced": "1000", "chunked": ""} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if announce != "" {
				w.Header().Set("Content-Length", announce)
			}
			io.WriteString(w, strings.Repeat("x", 500))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		var b bytes.Buffer
		_, err := c.SubmissionContent(t.Context(), "sub_1", &b, nil)
		if KindOf(err) != Unavailable || !strings.Contains(err.Error(), "500") {
			t.Errorf("%s: got %v of kind %s, want that it ended after 500 bytes", name, err, KindOf(err))
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestADownloadThatCannotBeWrittenIsNotTheServersFault(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "content") })
	_, err := c.ExportTenant(t.Context(), fullDisk{}, nil)
	var unreachable *UnreachableError
	if err == nil || errors.As(err, &unreachable) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v, want the disk's error", err)
	}
}

func TestADownloadThatStandsStillEnds(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "some")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c.stall = 50 * time.Millisecond
	_, err := c.ExportTenant(t.Context(), io.Discard, nil)
	if !errors.Is(err, errStalled) || KindOf(err) != TimedOut {
		t.Errorf("got %v of kind %s, want that it stood still", err, KindOf(err))
	}
}

func TestAConnectionClosedMeanwhileLosesNoUpload(t *testing.T) {
	t.Parallel()
	// A server that closes each connection after an answer without saying so: the
	// client finds out only when it sends the next request.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var s seen
	closed := make(chan struct{}, 8)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.add(r)
		io.WriteString(w, `{"id":"sub_1"}`)
	}), ConnState: func(conn net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			conn.Close()
			closed <- struct{}{}
		}
	}}
	go server.Serve(l)
	defer server.Close()
	c, err := New("http://"+l.Addr().String(), "t")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := c.Submit(t.Context(), Upload{Body: strings.NewReader("content")}); err != nil {
			t.Fatalf("upload %d: %v", i, err)
		}
		<-closed
	}
	for i, b := range s.bodies {
		if b != "content" {
			t.Errorf("upload %d arrived as %q", i, b)
		}
	}
}
