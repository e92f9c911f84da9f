package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestPowerCutsLoseNothing cuts the power under a server that tenants send files
// to and that validates, runs and delivers, again and again at random moments.
func TestPowerCutsLoseNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  string
		apart bool // the database is on a disk of its own, whose syncs do not help the objects
	}{
		"ext4":                 {kind: "ext4"},
		"xfs":                  {kind: "xfs"},
		"ext4, database apart": {kind: "ext4", apart: true},
		"xfs, database apart":  {kind: "xfs", apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := chance(t)
			rounds, budget := 5, 7*time.Second
			if text := os.Getenv("TRIBUTARY_CRASH_ROUNDS"); text != "" {
				rounds, budget = must(strconv.Atoi(text))(t), 24*time.Hour
			}
			disks := []*volume{newVolume(t, c.kind)}
			database := ""
			if c.apart {
				disks = append(disks, newVolume(t, c.kind))
				database = "sqlite:" + filepath.Join(disks[1].dir, "control.db")
			}
			w := newWorldOn(t, disks[0].data(), database)
			done := 0
			for begin := time.Now(); done < rounds && (done < 3 || time.Since(begin) < budget) && !t.Failed(); done++ {
				w.powerCut(disks, time.Duration(50+random.IntN(1200))*time.Millisecond)
			}
			w.sent(random)
			w.finish()
			w.delivered(date(1000))
			w.server.Stop()
			w.server.Sound()
			t.Logf("%d power cuts: %s", done, w.size())
		})
	}
}

// powerCut cuts the power after a while of work, and wants everything back.
func (w *world) powerCut(disks []*volume, after time.Duration) {
	w.t.Helper()
	ctx, end := context.WithCancel(w.ctx)
	wait := w.load(ctx)
	pause(w.ctx, after)
	w.halt()
	end()
	wait()
	w.die()
	for _, v := range disks {
		v.cut()
	}
	w.deadDisk()
	w.server.Kill()
	for _, v := range disks {
		v.restore()
	}
	w.server.Sound()
	w.restart()
	w.kept()
}

// halt stops the server where it is, as the power cut does with the whole
// machine. Otherwise the server would see what no program can: to a sync that is
// under way while a file system is shut down the kernel may answer that all is
// well.
func (w *world) halt() {
	w.t.Helper()
	if err := w.server.Process.Signal(syscall.SIGSTOP); err != nil {
		w.t.Fatal(err)
	}
	for end := time.Now().Add(servertest.Patience); !w.halted(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("the server runs %v after SIGSTOP", servertest.Patience)
		}
	}
}

// halted reports whether each thread is stopped, or is inside the kernel and will
// be when it leaves it.
func (w *world) halted() bool {
	w.t.Helper()
	threads := must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.server.Process.Pid)))(w.t)
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if !strings.HasPrefix(rest, "T") && !strings.HasPrefix(rest, "D") {
			return false
		}
	}
	return len(threads) > 0
}

// deadDisk lets the server go on with disks that answer nothing but errors, and
// wants it to say so.
func (w *world) deadDisk() {
	w.t.Helper()
	if err := w.server.Process.Signal(syscall.SIGCONT); err != nil {
		w.t.Fatal(err)
	}
	w.wantReady(false)
	p := w.parties[0]
	sent, err := p.Send(w.ctx, date(2000), servertest.Values(p.Number, date(2000), "x,y,1"))
	if !client.Is(err, client.Unavailable) {
		w.t.Errorf("upload on a dead disk: got %+v, %v, want it refused as unavailable", sent, err)
	}
	w.judge(w.ctx, err)
}
