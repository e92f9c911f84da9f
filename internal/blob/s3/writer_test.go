package s3

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"tributary/internal/blob"
	"tributary/internal/blob/blobtest"
	"tributary/internal/blob/s3/s3test"
	"tributary/internal/fault"
)

func TestAWriterHoldsOnePart(t *testing.T) {
	t.Parallel()
	s, _ := wired(t, "s3://bucket?endpoint=http://127.0.0.1:1") // which nothing is sent to
	b, err := s.Create(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	w := b.(*writer)
	defer w.Abort()
	for range partSize / 5000 {
		if _, err := w.Write(make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		if got := cap(w.buffer); got > 2<<20 && got != partSize {
			t.Fatalf("after %d bytes: got a buffer of %d, want no more than a part", len(w.buffer), got)
		}
	}
}

// TestWritersAreBoundTogether has more writers than places, and one that waits for the
// place of another that the same request has.
func TestWritersAreBoundTogether(t *testing.T) {
	t.Parallel()
	s := newStore(t, s3test.Start(t).URL())
	s.places, s.patience = make(chan struct{}, 1), time.Minute
	create := func(ctx context.Context, key blob.Key) blob.Writer {
		w, err := s.Create(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Abort)
		return w
	}
	large := make([]byte, largeBuffer+1)
	write := func(w blob.Writer) error { _, err := w.Write(large); return err }
	first := create(t.Context(), "a/first")
	if err := write(first); err != nil {
		t.Fatal(err)
	}
	if err := blobtest.Put(t.Context(), s, "a/small", large[:largeBuffer]); err != nil {
		t.Errorf("a small object: %v, want it to need no place", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	left := create(ctx, "a/left")
	cancel()
	if err := write(left); !errors.Is(err, context.Canceled) {
		t.Errorf("who asked has left: %v, want %v", err, context.Canceled)
	}
	s.patience = time.Millisecond
	wantKind(t, "a second writer of who has the place", write(create(t.Context(), "a/second")), fault.Unavailable)

	s.patience = time.Minute
	waiting, done := create(t.Context(), "a/waiting"), make(chan error)
	go func() { done <- write(waiting) }()
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a writer when there is a place: %v", err)
	}
	waiting.Abort()
	waiting.Abort()
	if n := len(s.places); n != 0 {
		t.Errorf("%d places are taken at the end, want none", n)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]int{math.MaxInt64: mostPlaces, 1 << 30: 32, 64 << 20: 4, 0: 4} {
		if got := places(limit); got != want {
			t.Errorf("with %d bytes of memory: got %d places, want %d", limit, got, want)
		}
	}
}

// refuser refuses to make objects, some times.
type refuser struct {
	http.RoundTripper
	times  int // negative: always
	status int
	code   string
	asked  int
}

func (f *refuser) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut {
		return f.RoundTripper.RoundTrip(r)
	}
	f.asked++
	if f.times == 0 {
		return f.RoundTripper.RoundTrip(r)
	}
	f.times--
	_, err := io.Copy(io.Discard, r.Body)
	return refusal(r, f.status, f.code), err
}

// TestAFolderThatWentIsMadeAgain has the service refuse what it does when a neighbour's
// deletion took the folder away.
func TestAFolderThatWentIsMadeAgain(t *testing.T) {
	t.Parallel()
	s, w := wired(t, s3test.Start(t).URL())
	way := w.RoundTripper
	put := func(k blob.Key, times, status int, code string) (int, error) {
		f := &refuser{RoundTripper: way, times: times, status: status, code: code}
		w.RoundTripper = f
		err := blobtest.Put(t.Context(), s, k, []byte("content"))
		return f.asked, err
	}
	if _, err := put("a/b", retries-1, http.StatusConflict, folderGone); err != nil {
		t.Errorf("refused %d times: %v", retries-1, err)
	}
	if got, err := blobtest.Get(t.Context(), s, "a/b"); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	asked, err := put("a/c", -1, http.StatusConflict, folderGone)
	wantKind(t, "refused always", err, fault.Unavailable)
	if asked != retries {
		t.Errorf("asked %d times, want %d", asked, retries)
	}
	_, err = put("a/c", -1, http.StatusPreconditionFailed, "PreconditionFailed")
	wantKind(t, "refused because of an object that is not there", err, fault.Unavailable)
	_, err = put("a/b", 0, 0, "")
	wantKind(t, "refused because of one that is", err, fault.Conflict)
}
