package crash

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"tributary/internal/blob/s3/s3test"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestKilledServerCarriesOn kills the server at random moments while tenants send
// files and it validates, runs and delivers. Whatever it had acknowledged ends
// well, and once.
func TestKilledServerCarriesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		database func(*testing.T) string
		objects  func(*testing.T) string // the URL of the object store, or nothing
		rounds   int
	}{
		"sqlite":   {nothing, nothing, 6},
		"postgres": {func(t *testing.T) string { return metatest.Postgres(t) }, nothing, 4},
		"s3":       {nothing, func(t *testing.T) string { return s3test.Start(t).URL() }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := chance(t)
			s := servertest.Existing(t, filepath.Join(t.TempDir(), "data"), c.database(t))
			if url := c.objects(t); url != "" {
				s.Database, s.Env = append(s.Database, "--objects", url), s3test.Env()
			}
			w := newWorldOf(s)
			for range c.rounds {
				w.killed(random)
			}
			w.sent(random)
			w.finish()
			w.delivered(date(1000))
			w.published()
			w.server.Stop()
			w.server.Sound()
			t.Logf("%d kills: %s", c.rounds, w.size())
		})
	}
}

func nothing(*testing.T) string { return "" }

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
