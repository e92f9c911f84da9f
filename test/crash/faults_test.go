package crash

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

const syncs = "fsync,fdatasync"

// inject makes system calls of the running server do as strace's expression says,
// on the paths or on all, until stop is called or the server ends.
func (w *world) inject(calls, what string, paths ...string) (stop func()) {
	w.t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		missing(w.t, "strace is missing (run scripts/deps): %v", err)
	}
	args := []string{"-f", "-p", strconv.Itoa(w.server.Process.Pid), "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + what}
	for _, p := range paths {
		args = append(args, "-P", p)
	}
	cmd := exec.Command("strace", args...)
	log, ended := &servertest.Lines{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // lets go of the server
		<-ended
	})
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	deadline := time.After(servertest.Patience)
	for {
		more := log.More()
		if strings.Contains(log.String(), "attached") {
			return stop
		}
		select {
		case <-more:
		case <-ended:
			missing(w.t, "strace cannot follow the server: %s", log)
		case <-deadline:
			w.t.Fatalf("strace has not attached after %v: %s", servertest.Patience, log)
		}
	}
}

// TestWhatIsNotSyncedIsLost is the control of all others here: a server whose
// syncs do nothing has to lose what it acknowledged, or nothing is shown by one
// that loses nothing.
func TestWhatIsNotSyncedIsLost(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			v := newVolume(t, kind)
			w := newWorld(t, v.data())
			w.inject(syncs, "retval=0")
			p := w.parties[0]
			sent := must(p.Send(t.Context(), date(0), servertest.Values(1, date(0), "x,y,1")))(t)
			v.cut()
			w.server.Kill()
			v.restore()
			if out, _, code := w.server.Try("", w.server.Place("fsck", "--deep")...); code != 0 {
				t.Logf("fsck names the loss: %s", out)
				return
			}
			w.restart()
			if got, err := p.Submission(t.Context(), sent.ID); !client.Is(err, client.NotFound) {
				t.Errorf("what was acknowledged without a sync: got %+v, %v, want it lost", got, err)
			}
		})
	}
}

// TestFailingDiskIsToldAndNothingIsLost lets calls fail while the server
// acknowledges, and then cuts the power.
func TestFailingDiskIsToldAndNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		calls, what string
		on          func(*world) []string // paths; nil: all
		unready     bool                  // readyz can notice
		final       bool                  // until a restart
	}{
		"no sync works":               {calls: syncs, what: "error=EIO", unready: true, final: true},
		"no room at a sync":           {calls: syncs, what: "error=ENOSPC", unready: true, final: true},
		"the database does not sync":  {calls: syncs, what: "error=EIO", on: databaseLog, unready: true, final: true},
		"the database is not written": {calls: "pwrite64", what: "error=EIO", on: databaseLog, unready: true},
		"the database has no room":    {calls: "pwrite64", what: "error=ENOSPC", unready: true},
		"no folder is synced":         {calls: syncs, what: "error=EIO", on: folders, unready: true, final: true},
		"nothing is renamed":          {calls: "renameat2", what: "error=EIO"},
		"nothing is created":          {calls: "openat", what: "error=ENOSPC", on: folders, unready: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVolume(t, "ext4")
			w := newWorld(t, v.data())
			p := w.parties[0]
			text := servertest.Values(p.Number, date(0), "x,y,1")
			w.toldFile(p, p.Accepted(t, date(0), text), date(0), text)
			old := must(p.CreateAPIKey(t.Context(), client.NewAPIKey{Role: "tenant_user"}))(t)
			w.toldKey(old.ID, key{secret: old.Key})
			w.revoking[old.ID] = true

			var paths []string
			if c.on != nil {
				paths = c.on(w)
			}
			stop := w.inject(c.calls, c.what, paths...)
			w.die()
			w.tries(old)
			w.wantReady(!c.unready)
			stop()
			w.wantReady(!c.final)
			if c.final {
				_, err := p.Send(t.Context(), date(2), servertest.Values(p.Number, date(2), "x,y,1"))
				if kind := client.KindOf(err); kind != client.Unavailable && kind != client.StorageFull {
					t.Errorf("upload after the calls work again: got %v, want it refused until a restart", err)
				}
			}
			v.cut()
			w.server.Kill()
			v.restore()
			w.server.Sound()
			w.restart()
			w.kept()
			w.wantReady(true)
			p.Accepted(t, date(3), servertest.Values(p.Number, date(3), "x,y,1"))
			w.server.Stop()
			w.server.Sound()
		})
	}
}

func databaseLog(w *world) []string {
	return []string{filepath.Join(w.server.Data, "control.db-wal")}
}

// folders are those of the object store, which exist since a file was stored.
func folders(w *world) []string {
	var list []string
	err := filepath.WalkDir(filepath.Join(w.server.Data, "objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// tries asks for all kinds of acknowledgements at once, and writes down those
// that come. An upload must not be among them.
func (w *world) tries(old client.APIKey) {
	w.t.Helper()
	ctx, p := w.ctx, w.parties[0]
	var busy sync.WaitGroup
	for _, try := range []func() error{
		func() error {
			sent, err := p.Send(ctx, date(1), servertest.Values(p.Number, date(1), "x,y,1"))
			if err == nil {
				return errors.New("an upload was acknowledged: " + sent.ID)
			}
			return err
		},
		func() error {
			made, err := p.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user"})
			if err == nil {
				w.toldKey(made.ID, key{secret: made.Key})
			}
			return err
		},
		func() error {
			err := p.RevokeAPIKey(ctx, old.ID)
			if err == nil {
				w.toldKey(old.ID, key{secret: old.Key, revoked: true})
			}
			return err
		},
		func() error {
			_, err := w.server.As(w.server.Token).StartRuns(ctx, []string{servertest.Analysis}, date(0))
			return err
		},
		func() error {
			for id, f := range w.files { // a download is audited, so it may be refused
				if _, err := f.party.SubmissionContent(ctx, id, io.Discard, nil); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		busy.Go(func() {
			err := try()
			var answered *client.Error
			if err != nil && !errors.As(err, &answered) {
				w.t.Errorf("while the disk fails: %v", err)
			}
			w.judge(ctx, err)
		})
	}
	busy.Wait()
	if _, err := p.Submissions(ctx, client.SubmissionFilter{}); err != nil {
		w.t.Errorf("list of submissions while the disk fails: got %v, want it", err)
	}
}

// wantReady asks /readyz until it says so, and /healthz.
func (w *world) wantReady(want bool) {
	w.t.Helper()
	var status int
	var words string
	for end := time.Now().Add(servertest.Patience); ; time.Sleep(20 * time.Millisecond) {
		status, words = w.get("/readyz")
		if want == (status == http.StatusOK) || time.Now().After(end) {
			break
		}
	}
	switch {
	case want && status != http.StatusOK:
		w.t.Errorf("readyz: got %d %q, want 200", status, words)
	case !want && (status != http.StatusServiceUnavailable || !strings.HasPrefix(words, "not ready: The ")):
		w.t.Errorf("readyz: got %d %q, want 503 with words", status, words)
	}
	if status, words := w.get("/healthz"); status != http.StatusOK {
		w.t.Errorf("healthz: got %d %q, want 200: the process lives", status, words)
	}
}

func (w *world) get(path string) (status int, body string) {
	w.t.Helper()
	r := must(http.Get(w.server.URL + path))(w.t)
	defer r.Body.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, r.Body); err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, text.String()
}
