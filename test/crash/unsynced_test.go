package crash

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestAStreamThatIsNotSyncedAcknowledgesNothing lets the syncs of the streams' files
// alone fail: events are refused, for good, and the rest of the server goes on.
func TestAStreamThatIsNotSyncedAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, filepath.Join(t.TempDir(), "data"))
	p := w.parties[0]
	send := func(id string) error {
		_, err := p.SendEvents(t.Context(), []byte(`{"specversion":"1.0","id":"`+id+`","source":"/crash","type":"crash"}`))
		return err
	}
	if err := send("before"); err != nil {
		t.Fatal(err)
	}
	w.events["before"] = p
	w.wantReady(true)
	stop := w.inject(syncs, "error=EIO", streamFiles(w)...)
	if err := send("during"); !client.Is(err, client.Unavailable) {
		t.Errorf("while no sync works: got %v, want it refused", err)
	}
	w.wantReady(false)
	stop()
	w.wantReady(false) // what was written before is not known to be there
	begun := time.Now()
	if err := send("after"); !client.Is(err, client.Unavailable) || time.Since(begun) > servertest.Patience/2 {
		t.Errorf("when syncs work again: got %v after %v, want it refused at once", err, time.Since(begun))
	}
	if _, err := p.Send(t.Context(), date(1), servertest.Values(p.Number, date(1), "x,y,1")); err != nil {
		t.Errorf("an upload: got %v, want it taken", err)
	}
	w.server.Kill()
	w.restart()
	w.wantReady(true)
	for _, id := range []string{"during", "after"} {
		if err := send(id); err != nil {
			t.Errorf("%s after a restart: %v", id, err)
		}
		w.events[id] = p
	}
	if err := w.checkEvents(); err != nil {
		t.Error(err)
	}
	w.server.Stop()
	w.server.Sound()
}

// streamFiles are the files that streams are in.
func streamFiles(w *world) []string {
	var list []string
	err := filepath.WalkDir(filepath.Join(w.server.Data, "streams"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".blk" {
			list = append(list, path)
		}
		return err
	})
	if err != nil || len(list) == 0 {
		w.t.Fatalf("got %d files of streams, %v", len(list), err)
	}
	return list
}
