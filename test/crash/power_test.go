package crash

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestPowerCutsLoseNothing cuts the power under a server that tenants send files
// to and that validates, runs and delivers, again and again at random moments.
func TestPowerCutsLoseNothing(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			random := chance(t)
			rounds, budget := 8, 15*time.Second
			if text := os.Getenv("TRIBUTARY_CRASH_ROUNDS"); text != "" {
				rounds, budget = must(strconv.Atoi(text))(t), 24*time.Hour
			}
			v := newVolume(t, kind)
			w := newWorld(t, v.data())
			done := 0
			for begin := time.Now(); done < rounds && (done < 3 || time.Since(begin) < budget) && !t.Failed(); done++ {
				w.powerCut(v, time.Duration(50+random.IntN(900))*time.Millisecond)
			}
			w.finish()
			w.delivered(date(1000))
			w.server.Stop()
			w.server.Sound()
			t.Logf("%d power cuts: %s", done, w.size())
		})
	}
}

// powerCut cuts the power after a while of work, and wants everything back.
func (w *world) powerCut(v *volume, after time.Duration) {
	w.t.Helper()
	ctx, end := context.WithCancel(w.ctx)
	wait := w.load(ctx)
	pause(w.ctx, after)
	w.die()
	v.cut()
	// The server lives on for a moment, on a disk that is gone. What it says now
	// has to be true as well.
	pause(w.ctx, 30*time.Millisecond)
	w.server.Kill()
	end()
	wait()
	v.restore()
	w.server.Sound()
	w.restart()
	w.kept()
}
