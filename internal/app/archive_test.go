package app

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta/metatest"
)

// events sends some events, and waits for none of them.
func send(t *testing.T, c *client.Client, from, count int) {
	t.Helper()
	for n := from; n < from+count; n++ {
		sent := must(c.SendEvents(t.Context(), fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","source":"/shop","type":"order"}`, n)))(t)
		if sent.Items[0].Result != "ok" {
			t.Fatalf("event %d: %+v", n, sent.Items[0])
		}
	}
}

// archived counts the events that are in the archive.
func archived(t *testing.T, c *client.Client) (n int64) {
	t.Helper()
	for o, err := range client.All(t.Context(), c.Archive, client.ArchiveFilter{Stream: "events"}) {
		if err != nil {
			t.Fatal(err)
		}
		n += o.Events
	}
	return n
}

// A backup has every event that was acknowledged before, of a server that runs and of
// one that does not; the restored server goes on behind them, and misses none.
func TestBackupsHaveTheStreamsArchived(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, database string) {
		w := newWorld(t)
		w.cfg.Database = database
		token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
		w.start()
		acme, key := w.party(w.as(token), "acme", "000001")
		bolt, _ := w.party(w.as(token), "bolt", "000002")
		target := filepath.Join(t.TempDir(), "backups")
		send(t, acme, 0, 7)
		send(t, bolt, 0, 2)
		if made := must(Backup(t.Context(), w.cfg, target, nil))(t); made.Unarchived != "" {
			t.Errorf("while the server runs: not archived: %s", made.Unarchived)
		}
		if n := archived(t, acme); n != 7 {
			t.Errorf("while the server runs: %d events are archived, want 7", n)
		}
		send(t, acme, 7, 5)
		w.stop()
		if made := must(Backup(t.Context(), w.cfg, target, nil))(t); made.Unarchived != "" {
			t.Errorf("without a server: not archived: %s", made.Unarchived)
		}
		to := elsewhere(t, w.cfg, metatest.SQLite(t))
		if r := must(Restore(t.Context(), to, target, nil))(t); len(r.Findings) > 0 {
			t.Errorf("restored with %v", r.Findings)
		}
		w.cfg.Data, w.cfg.Database, w.cfg.KeyFile = to.Data, to.Database, to.KeyFile
		w.start()
		acme, admin := w.as(key.Key), w.as(token)
		if n := archived(t, acme); n != 12 {
			t.Errorf("restored: %d events are archived, want 12", n)
		}
		for n, deadline := 0.0, time.Now().Add(time.Minute); n != 14; { // filled in the background
			if time.Now().After(deadline) {
				t.Fatalf("the warehouse has %v events, want 14", n)
			}
			if a, err := admin.Query(t.Context(), client.NewQuery{SQL: "SELECT count(*) FROM fact_event"}); err == nil {
				n, _ = a.Rows[0][0].(float64)
			}
		}
		send(t, acme, 12, 3)
		if err := admin.FlushArchive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := must(admin.VerifyArchive(t.Context(), client.ArchiveRange{}, nil))(t); len(v.Findings) > 0 || archived(t, acme) != 15 {
			t.Errorf("going on: %d events are archived, with %v", archived(t, acme), v.Findings)
		}
		w.stop()
		if found := must(Fsck(t.Context(), w.cfg, true))(t); len(found) > 0 {
			t.Errorf("fsck: %v", found)
		}
	})
}
