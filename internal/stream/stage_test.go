package stream_test

import (
	"os"
	"path/filepath"
	"testing"

	"tributary/internal/stream"
	"tributary/internal/stream/streamtest"
)

// Batches are kept in memory while they come. What a restart of the machine leaves, or
// somebody who was there before, keeps nothing from being published.
func TestBatchesAreStagedInMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	batches := filepath.Join(dir, "jetstream", "$G", "streams", "events", "batches")
	id := streamtest.NewTenant()
	publish := func() (at string) {
		s, err := stream.Open(t.Context(), stream.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		at, err = os.Readlink(batches)
		if err != nil {
			at = ""
		}
		if _, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: id, Data: []byte("one")}, {Tenant: id, Data: []byte("two")}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return at
	}
	at := publish()
	if at == "" {
		t.Skip("there are no files in memory here")
	}
	if _, err := os.Lstat(filepath.Dir(at)); !os.IsNotExist(err) {
		t.Errorf("after Close %s is there: %v", filepath.Dir(at), err)
	}
	if err := os.Symlink(at, batches); err != nil { // which leads nowhere, as after a restart
		t.Fatal(err)
	}
	if again := publish(); again != at {
		t.Errorf("got %q the second time, want %q", again, at)
	}
	if err := os.Mkdir(filepath.Dir(at), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Dir(at)) })
	if again := publish(); again != "" {
		t.Errorf("a directory that others may write to is used: %q", again)
	}
}
