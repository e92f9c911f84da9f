package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/stream/streamtest"
)

// each calls do with the files of a stream below dir.
func each(t *testing.T, dir string, do func(path string)) {
	t.Helper()
	if err := filepath.WalkDir(filepath.Join(dir, "jetstream", "$G", "streams", string(stream.Events)), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			do(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// flip changes a bit of the message that has a mark.
func flip(t *testing.T, dir, mark string) {
	t.Helper()
	found := false
	each(t, dir, func(path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(content, []byte(mark)); at >= 0 && strings.HasSuffix(path, ".blk") {
			found = true
			content[at] ^= 1
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	if !found {
		t.Fatalf("no file has %q", mark)
	}
}

// through reads a stream to its end, over what is missing, and returns both.
func through(t *testing.T, s *stream.Streams) (read int, missing []stream.Missing) {
	t.Helper()
	for after := uint64(0); ; {
		list, err := s.Read(t.Context(), stream.Events, after, "", 0)
		var m stream.Missing
		if errors.As(err, &m) && fault.Is(err, fault.Damaged) && m.From == after+1 {
			missing, after = append(missing, m), m.To
			continue
		}
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		if len(list) == 0 {
			return read, missing
		}
		for _, m := range list {
			if string(m.Data) != fmt.Sprintf("message %03d", m.Sequence) {
				t.Fatalf("message %d says %q", m.Sequence, m.Data)
			}
		}
		read, after = read+len(list), list[len(list)-1].Sequence
	}
}

// Where somebody has read further than a stream goes, what is between is lost.
func TestWhatWasReadElsewhereIsMissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, stream.Config{Dir: dir})
	if _, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Data: []byte("message 001")}}); err != nil {
		t.Fatal(err)
	}
	made, err := s.State(t.Context(), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, stream.Config{Dir: dir, Reached: func(_ context.Context, n stream.Name, created time.Time) (uint64, error) {
		if n != stream.Events || !created.Equal(made.Created) {
			return 0, nil
		}
		return 5, nil
	}})
	if n, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Data: []byte("message 006")}}); err != nil || n != 6 {
		t.Errorf("the next message: sequence %d, %v, want 6", n, err)
	}
	if read, missing := through(t, s); read != 2 || len(missing) != 1 || missing[0] != (stream.Missing{Stream: stream.Events, From: 2, To: 5}) {
		t.Errorf("read %d messages and missed %v", read, missing)
	}
}

// A flipped bit, found when the message is read, or when a server starts that has no
// index to trust and cuts the stream off there.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 50, 100} {
		for _, index := range []bool{true, false} {
			t.Run(fmt.Sprintf("message %d, index %t", at, index), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				s := open(t, stream.Config{Dir: dir})
				a := streamtest.NewTenant()
				for i := 1; i <= 100; i++ {
					if _, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: fmt.Appendf(nil, "message %03d", i)}}); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				flip(t, dir, fmt.Sprintf("message %03d", at))
				want := stream.Missing{Stream: stream.Events, From: uint64(at), To: uint64(at)}
				if !index {
					want.To = 100
					each(t, dir, func(path string) {
						if strings.HasSuffix(path, "index.db") {
							if err := os.Remove(path); err != nil {
								t.Fatal(err)
							}
						}
					})
				}
				s = open(t, stream.Config{Dir: dir})
				if n, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: []byte("message 101")}}); err != nil || n != 101 {
					t.Fatalf("the next message: sequence %d, %v, want 101", n, err)
				}
				for range 2 {
					read, missing := through(t, s)
					if len(missing) != 1 || missing[0] != want || read != 101-int(want.To-want.From+1) {
						t.Errorf("read %d messages and missed %v, want %v to be missed", read, missing, want)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, stream.Config{Dir: dir})
				}
			})
		}
	}
}
