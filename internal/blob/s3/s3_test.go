package s3

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/blob/blobtest"
	"tributary/internal/blob/s3/s3test"
	"tributary/internal/clock"
	"tributary/internal/fault"
)

func TestMain(m *testing.M) {
	for _, e := range s3test.Env() {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func newStore(t *testing.T, url string) *Store {
	t.Helper()
	s, err := New(t.Context(), Config{URL: url, Owner: "me"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s := newStore(t, g.URL())
		if s.unconditional {
			t.Error("the gateway was not believed to refuse overwriting")
		}
		return s
	}, blobtest.Differences{ReadsEndAtDelete: true})
}

// TestContractWithoutConditions is for services that overwrite whatever they are
// asked.
func TestContractWithoutConditions(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s := newStore(t, g.URL())
		s.unconditional = true
		return s
	}, blobtest.Differences{ReadsEndAtDelete: true})
}

// wire is the way to the service, which counts and changes what goes over it.
type wire struct {
	http.RoundTripper
	requests atomic.Int64
	change   func(*http.Request, *http.Response, error) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	res, err := w.RoundTripper.RoundTrip(r)
	if w.change != nil {
		return w.change(r, res, err)
	}
	return res, err
}

// wired is newStore with a wire.
func wired(t *testing.T, url string) (*Store, *wire) {
	t.Helper()
	w := &wire{}
	s, err := connect(Config{URL: url}, func(way http.RoundTripper) http.RoundTripper {
		w.RoundTripper = way
		return w
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func TestRequestsAreFew(t *testing.T) {
	t.Parallel()
	s, w := wired(t, s3test.Start(t).URL())
	count := func(what string, most int64, do func() error) {
		t.Helper()
		w.requests.Store(0)
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := w.requests.Load(); got > most {
			t.Errorf("%s: got %d requests, want %d at most", what, got, most)
		}
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 32<<16) // 32 MiB
	count("put a small object", 1, func() error { return blobtest.Put(t.Context(), s, "a/small", make([]byte, 100<<10)) })
	count("get a small object", 1, func() error { _, err := blobtest.Get(t.Context(), s, "a/small"); return err })
	count("put a large object", 6, func() error { return blobtest.Put(t.Context(), s, "a/large", large) })
	count("get a large object, 64 KiB at a time", 13, func() error {
		o, err := s.Open(t.Context(), "a/large")
		if err != nil {
			return err
		}
		defer o.Close()
		p := make([]byte, 64<<10)
		if _, err := o.ReadAt(p[:100], o.Size()-100); err != nil { // as for a sealed object's trailer
			return err
		}
		for off := int64(0); off < o.Size(); off += int64(len(p)) {
			if _, err := o.ReadAt(p, off); err != nil {
				return err
			}
		}
		return nil
	})
	count("get a range of it", 5, func() error {
		o, err := s.Open(t.Context(), "a/large")
		if err != nil {
			return err
		}
		defer o.Close()
		_, err = io.Copy(io.Discard, struct{ io.Reader }{io.NewSectionReader(o, 20<<20, 1<<20)})
		return err
	})
}

// TestALostAnswerIsNoConflict has the service do what it is asked and the answer
// get lost, so that the same request comes twice.
func TestALostAnswerIsNoConflict(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	for name, size := range map[string]int{"in one": 1000, "in parts": partSize + 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := wired(t, g.URL())
			lost := false
			w.change = func(r *http.Request, res *http.Response, err error) (*http.Response, error) {
				makes := r.Method == http.MethodPut && size < partSize || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
				if lost || !makes || err != nil {
					return res, err
				}
				lost = true
				res.Body.Close()
				return nil, errors.New("connection reset by peer")
			}
			content := bytes.Repeat([]byte("x"), size)
			if err := blobtest.Put(t.Context(), s, "a/b", content); err != nil || !lost {
				t.Fatalf("put: got %v (lost: %v), want nil", err, lost)
			}
			if got, err := blobtest.Get(t.Context(), s, "a/b"); err != nil || !bytes.Equal(got, content) {
				t.Errorf("get: got %d bytes, %v, want %d", len(got), err, size)
			}
			wantKind(t, "put again", blobtest.Put(t.Context(), s, "a/b", content), fault.Conflict)
		})
	}
}

// TestABrokenReadGoesOn has answers end early.
func TestABrokenReadGoesOn(t *testing.T) {
	t.Parallel()
	s, w := wired(t, s3test.Start(t).URL())
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<16)
	if err := blobtest.Put(t.Context(), s, "a/b", content); err != nil {
		t.Fatal(err)
	}
	n := 0
	w.change = func(_ *http.Request, res *http.Response, err error) (*http.Response, error) {
		if n++; err == nil && n%2 == 1 {
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(res.Body, 10_000), broken{}), res.Body}
		}
		return res, err
	}
	if got, err := blobtest.Get(t.Context(), s, "a/b"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(content))
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// refusal is an answer of the service.
func refusal(r *http.Request, status int, code string) *http.Response {
	return &http.Response{Request: r, StatusCode: status, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader("<Error><Code>" + code + "</Code><Message>secret words</Message></Error>"))}
}

func TestAnswersHaveKinds(t *testing.T) {
	t.Parallel()
	s, w := wired(t, s3test.Start(t).URL())
	for code, c := range map[string]struct {
		status int
		want   fault.Kind
	}{
		"AccessDenied":      {403, fault.Unavailable},
		"QuotaExceeded":     {400, fault.StorageFull},
		"XMinioStorageFull": {507, fault.StorageFull},
		"NoSuchBucket":      {404, fault.Unavailable},
		"InvalidRequest":    {400, fault.Unavailable},
	} {
		w.change = func(r *http.Request, res *http.Response, err error) (*http.Response, error) {
			if err == nil {
				res.Body.Close()
			}
			return refusal(r, c.status, code), nil
		}
		err := blobtest.Put(t.Context(), s, "a/b", nil)
		wantKind(t, "put with "+code, err, c.want)
		if message := fault.Message(err); strings.Contains(message, "secret") {
			t.Errorf("got the message %q, want none of the service's words", message)
		}
		_, err = s.Open(t.Context(), "a/b")
		wantKind(t, "open with "+code, err, c.want)
		wantKind(t, "delete with "+code, s.Delete(t.Context(), "a/b"), c.want)
		wantKind(t, "check with "+code, s.Check(t.Context()), c.want)
	}
}

func TestSweepRemovesWhatWasCutOff(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	url := g.URL()
	now := time.Now()
	s, err := New(t.Context(), Config{URL: url, Owner: "me", Clock: clock.Clock{NowFunc: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, partSize+1)); err != nil {
		t.Fatal(err)
	}
	if err := s.put(t.Context(), s.place.Prefix+probes+"left", nil, "left", true); err != nil {
		t.Fatal(err)
	}
	other := newStore(t, g.URL())
	around := newStore(t, "s3://"+s3test.Bucket+"?endpoint=http://"+g.Address)
	sweep := func(s *Store, olderThan time.Duration, want int) {
		t.Helper()
		if n, err := s.Sweep(t.Context(), olderThan); err != nil || n != want {
			t.Errorf("sweep of what is older than %v: got %d, %v, want %d", olderThan, n, err, want)
		}
	}
	sweep(other, 0, 0)  // another's
	sweep(around, 0, 0) // one nested in it
	sweep(s, time.Hour, 0)
	now = now.Add(2 * time.Hour)
	sweep(s, time.Hour, 2)
	sweep(s, 0, 0)
	if err := w.Commit(t.Context()); err == nil {
		t.Error("commit of what was swept: got nil, want an error")
	}
	if got, err := blobtest.Keys(t.Context(), s, ""); err != nil || len(got) > 0 {
		t.Errorf("got objects %v, %v, want none", got, err)
	}
}

// TestAbortLeavesNothing counts the files of the gateway.
func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	s := newStore(t, g.URL())
	for range 2 {
		w, err := s.Create(t.Context(), "a/b")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 3*partSize)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	err := filepath.WalkDir(g.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, "/"+owner) && !strings.Contains(path, "/.vgwlocks/") {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneStoreHasOneOwner(t *testing.T) {
	t.Parallel()
	url := s3test.Start(t).URL()
	_, err := New(t.Context(), Config{URL: url, Owner: "me", Existing: true})
	wantKind(t, "a store that nobody has used", err, fault.NotFound)
	newStore(t, url)
	_, err = New(t.Context(), Config{URL: url, Owner: "another"})
	wantKind(t, "another's store", err, fault.Conflict)
	if _, err := New(t.Context(), Config{URL: url, Owner: "me", Existing: true}); err != nil {
		t.Errorf("one's own store: %v", err)
	}
}

// A cleared store is as one that nobody has used, and its neighbour as before.
func TestClearTakesOneStoreAway(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	url := g.URL()
	s, neighbour := newStore(t, url), newStore(t, g.URL())
	for _, store := range []*Store{s, neighbour} {
		if err := blobtest.Put(t.Context(), store, "a/b", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config{URL: url, Owner: "another"}); err != nil {
		t.Errorf("open a cleared store as another: %v", err)
	}
	if got, err := blobtest.Keys(t.Context(), neighbour, ""); err != nil || len(got) != 1 {
		t.Errorf("the neighbour: got %v, %v, want its object", got, err)
	}
	if got, err := blobtest.Keys(t.Context(), s, ""); err != nil || len(got) != 0 {
		t.Errorf("the cleared store: got %v, %v, want nothing", got, err)
	}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t, "--versioning-dir", t.TempDir())
	at := "?endpoint=http://" + g.Address
	refused := func(url string, want fault.Kind, words string) {
		t.Helper()
		_, err := New(t.Context(), Config{URL: url, Owner: "me"})
		wantKind(t, url, err, want)
		if got := fault.Message(err); !strings.Contains(got, words) {
			t.Errorf("%s: got %q, want words like %q", url, got, words)
		}
	}
	refused("s3://nothing/x"+at, fault.Invalid, `There is no bucket "nothing"`)
	s := newStore(t, g.URL())
	if err := s.client.EnableVersioning(t.Context(), s3test.Bucket); err != nil {
		t.Fatal(err)
	}
	refused(g.URL(), fault.Invalid, "keeps versions")
	if err := s.client.SuspendVersioning(t.Context(), s3test.Bucket); err != nil {
		t.Fatal(err)
	}
	refused(g.URL(), fault.Invalid, "kept versions once")
	refused("s3://bucket/x?endpoint=http://127.0.0.1:1", fault.Unavailable, "does not answer")
}

// It sets the environment.
func TestWrongCredentialsAreSaid(t *testing.T) {
	g := s3test.Start(t)
	file := filepath.Join(t.TempDir(), "credentials")
	key, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = "+key+"\naws_secret_access_key = "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	_, err := New(t.Context(), Config{URL: g.URL(), Owner: "me"})
	wantKind(t, "a wrong secret", err, fault.Invalid)
	if got := fault.Message(err); !strings.Contains(got, "refuses the credentials") || strings.Contains(got, "wrong") {
		t.Errorf("got %q", got)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	home := filepath.Join(t.TempDir(), ".aws")
	if err := errors.Join(os.Mkdir(home, 0o700), os.Rename(file, filepath.Join(home, "credentials"))); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", filepath.Dir(home))
	none := func(what, words string) {
		t.Helper()
		_, err := New(t.Context(), Config{URL: g.URL(), Owner: "me"})
		wantKind(t, what, err, fault.Invalid)
		if got := fault.Message(err); !strings.Contains(got, words) {
			t.Errorf("%s: got %q, want words like %q", what, got, words)
		}
	}
	none("a file that nobody named", "There are no credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	none("a file that is not there", "cannot be read from the file")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	newStore(t, g.URL())
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Place{
		"s3://bucket?region=eu-central-1":                        {"bucket", "", "s3.eu-central-1.amazonaws.com", "eu-central-1", true},
		"s3://bucket/a/b?endpoint=https://s3.example.com":        {"bucket", "a/b/", "s3.example.com", "us-east-1", true},
		"s3://bucket/?endpoint=https://[::1]:9000/&region=x":     {"bucket", "", "[::1]:9000", "x", true},
		"s3://my.bucket/A_b/?endpoint=http://127.0.0.1:7070":     {"my.bucket", "A_b/", "127.0.0.1:7070", "us-east-1", false},
		"s3://bucket/p?endpoint=http%3A%2F%2Flocalhost&region=x": {"bucket", "p/", "localhost", "x", false},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "s3:", "s3://", "https://s3.example.com/bucket", "s3://bucket", "s3://key:secret@bucket/x?region=x", "s3://B/x?region=x", "s3://bucket/a//b?region=x",
		"s3://bucket/../x?region=x", "s3://bucket/.x?region=x", "s3://bucket/a+b?region=x", "s3://bucket?region=x&secret=y", "s3://bucket?region=x&region=y",
		"s3://bucket?region=X/../", "s3://bucket?region=x#y", "s3://bucket?endpoint=http://s3.example.com", "s3://bucket?endpoint=http://10.0.0.1:9000",
		"s3://bucket?endpoint=http://localhost.example.com", "s3://bucket?endpoint=ftp://localhost", "s3://bucket?endpoint=https://a:b@s3.example.com",
		"s3://bucket?endpoint=https://s3.example.com/path", "s3://bucket?endpoint=s3.example.com", "s3://bucket?region=x;y", "s3://bucket?%zz",
		"s3://bucket/objects?region=x", "s3://bucket/a/probe/b?region=x", "s3://bucket/owner/?region=x",
	} {
		_, err := Parse(text)
		wantKind(t, text, err, fault.Invalid)
		if message := fault.Message(err); strings.Contains(message, "secret@") {
			t.Errorf("%s: got %q, want no secrets", text, message)
		}
	}
}

// TestAnotherRangeIsNotTaken has the service answer with other bytes than it was
// asked for.
func TestAnotherRangeIsNotTaken(t *testing.T) {
	t.Parallel()
	s, w := wired(t, s3test.Start(t).URL())
	content := make([]byte, 2*firstWindow)
	for i := range content {
		content[i] = byte(i / 1000)
	}
	if err := blobtest.Put(t.Context(), s, "a/b", content); err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for _, answer := range []string{"bytes 0-999/524288", "bytes 400000-400999/600000", "400000", ""} {
		w.change = func(_ *http.Request, res *http.Response, err error) (*http.Response, error) {
			if err == nil {
				res.Header.Del("Content-Range")
				if answer != "" {
					res.Header.Set("Content-Range", answer)
				}
			}
			return res, err
		}
		if n, err := o.ReadAt(make([]byte, 1000), 400_000); !fault.Is(err, fault.Unavailable) || n > 0 {
			t.Errorf("an answer of %q: got %d bytes, %v, want unavailable", answer, n, err)
		}
	}
	w.change = nil
	p := make([]byte, 1000)
	if _, err := o.ReadAt(p, 400_000); err != nil || !bytes.Equal(p, content[400_000:401_000]) {
		t.Errorf("the right answer: %v", err)
	}
}
