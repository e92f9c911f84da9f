package crash

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"tributary/internal/meta/metatest"
)

// TestKilledServerCarriesOn kills the server at random moments while tenants send
// files and it validates, runs and delivers. Whatever it had acknowledged ends
// well, and once.
func TestKilledServerCarriesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		database func(*testing.T) string
		rounds   int
	}{
		"sqlite":   {func(*testing.T) string { return "" }, 6},
		"postgres": {func(t *testing.T) string { return metatest.Postgres(t) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := chance(t)
			w := newWorldOn(t, filepath.Join(t.TempDir(), "data"), c.database(t))
			for range c.rounds {
				w.killed(random)
			}
			w.finish()
			w.delivered(date(1000))
			w.server.Stop()
			w.server.Sound()
			t.Logf("%d kills: %s", c.rounds, w.size())
		})
	}
}

// killed kills the server after a while of work, and wants everything there.
func (w *world) killed(random *rand.Rand) {
	w.t.Helper()
	ctx, end := context.WithCancel(w.ctx)
	wait := w.load(ctx)
	pause(w.ctx, time.Duration(50+random.IntN(1200))*time.Millisecond)
	w.server.Kill()
	end()
	wait()
	w.server.Sound()
	w.restart()
	w.kept()
}
