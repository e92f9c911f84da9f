package crash

import (
	"errors"
	"net/http"
	"os"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// TestFullDisk fills the disk under the server, and makes room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind string
		mkfs []string
		fill func(*volume) string
	}{
		"ext4 without blocks": {"ext4", nil, (*volume).fill},
		"ext4 without inodes": {"ext4", []string{"-N", "256"}, (*volume).fillNames},
		"xfs without blocks":  {"xfs", nil, (*volume).fill},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVolume(t, c.kind, c.mkfs...)
			w := newWorld(t, v.data())
			w.delivered(date(0))
			waiting := must(w.parties[0].Send(t.Context(), date(1), servertest.Values(1, date(1), "x,y,1")))(t)
			old := must(w.parties[0].CreateAPIKey(t.Context(), client.NewAPIKey{Role: "tenant_user"}))(t)
			w.toldKey(old.ID, key{secret: old.Key})
			w.revoking[old.ID] = true
			unused := must(w.parties[0].CreateAPIKey(t.Context(), client.NewAPIKey{Role: "tenant_user"}))(t)
			w.toldKey(unused.ID, key{secret: unused.Key})
			ballast := c.fill(v)

			w.die()
			w.refusesUploads()
			w.wantReady(false)
			w.readsGoOn()
			if me, err := w.server.As(unused.Key).Me(t.Context()); err != nil || me.Credential != unused.ID { // its first use cannot be noted
				t.Errorf("a key's first use on a full disk: got %+v, %v, want %s", me, err, unused.ID)
			}
			w.tries(old)
			w.server.Kill()
			if err := os.RemoveAll(ballast); err != nil {
				t.Fatal(err)
			}
			w.restart()
			ballast = c.fill(v)
			w.die()
			w.refusesUploads()
			if err := os.RemoveAll(ballast); err != nil {
				t.Fatal(err)
			}
			w.wantReady(true)
			w.dead = false
			w.kept()
			if got := must(w.parties[0].WaitSubmission(t.Context(), waiting.ID))(t); got.State != "accepted" {
				t.Errorf("file that waited for its verdict when the disk was full: got %s %+v, want accepted", got.State, got.Problems)
			}
			w.delivered(date(2))
			w.kept()
			w.server.Stop()
			w.server.Sound()
		})
	}
}

// delivered goes the whole way for a day.
func (w *world) delivered(day string) {
	w.t.Helper()
	for _, p := range w.parties {
		text := servertest.Values(p.Number, day, "x,y,1", "x,z,2")
		sent := p.Accepted(w.t, day, text)
		w.toldFile(p, sent, day, text)
		w.toldVerdict(p, sent)
	}
	admin := w.server.As(w.server.Token)
	run := must(admin.StartRuns(w.ctx, []string{servertest.Analysis}, day))(w.t).Items[0]
	got := must(admin.WaitRun(w.ctx, run.ID, nil))(w.t)
	if got.State != "succeeded" {
		w.t.Fatalf("run for %s: got %s (%s), want succeeded", day, got.State, got.Reason)
	}
	w.toldRelease(got)
}

// refusesUploads sends a small file and one that is refused while it is being
// sent, of which a client may see no more than that the connection ends.
func (w *world) refusesUploads() {
	w.t.Helper()
	p := w.parties[1]
	for _, n := range []int{1, 100_000} {
		sent, err := p.Send(w.ctx, date(5), servertest.Values(p.Number, date(5), rows(n)...))
		var problem *client.Error
		if n > 1 && client.Is(err, client.Unavailable) && !errors.As(err, &problem) {
			continue
		}
		if !errors.As(err, &problem) || problem.Status != http.StatusInsufficientStorage || problem.Type != "urn:tributary:storage-full" || problem.Detail == "" {
			w.t.Errorf("upload of %d rows to a full disk: got %+v, %v, want 507, storage-full, with words", n, sent, err)
		}
	}
}

// readsGoOn asks for what changes nothing.
func (w *world) readsGoOn() {
	w.t.Helper()
	ctx, p := w.ctx, w.parties[0]
	for id := range w.files {
		if _, err := w.files[id].party.Submission(ctx, id); err != nil {
			w.t.Errorf("submission on a full disk: got %v, want it", err)
		}
	}
	if got, err := p.Results(ctx, client.ResultFilter{}); err != nil || len(got.Items) != 1 {
		w.t.Errorf("results on a full disk: got %+v, %v, want one", got.Items, err)
	}
	if got, err := p.AuditRecords(ctx, "", 0, 5); err != nil || len(got.Items) != 5 {
		w.t.Errorf("audit log on a full disk: got %+v, %v, want 5", got.Items, err)
	}
}
