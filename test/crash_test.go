package test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/meta/metatest"
)

// TestKilledServerCarriesOn kills the server right after it acknowledged an
// upload, and again at a random moment of a run. Whatever it had acknowledged
// ends well, and once.
func TestKilledServerCarriesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		database func(*testing.T) string
		rounds   int
	}{
		"sqlite":   {func(*testing.T) string { return "" }, 5},
		"postgres": {func(t *testing.T) string { return metatest.Postgres(t) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			s := started(t, c.database(t))
			a, b := s.exchange()
			for n := range c.rounds {
				date := fmt.Sprintf("2022-10-%02d", n+1)
				s.killedAfterUpload(&a, &b, date)
				s.killedInRun(&a, &b, date, time.Duration(random.IntN(400))*time.Millisecond)
			}
			s.stop()
			s.sound()
		})
	}
}

func (s *server) killedAfterUpload(a, b *party, date string) {
	s.t.Helper()
	b.accepted(s.t, inputName(2, date), date, values(2, date, "x,y,20", "x,z,4"))
	sent := must(a.send(s.t.Context(), inputName(1, date), date, values(1, date, "x,y,10", "x,z,2")))(s.t)
	s.kill()
	s.start()
	s.reconnect(a)
	s.reconnect(b)
	if got := must(a.WaitSubmission(s.t.Context(), sent.ID))(s.t); got.State != "accepted" || got.Rows == nil || *got.Rows != 2 {
		s.t.Fatalf("acknowledged submission after the crash: got %+v, want accepted with 2 rows", got)
	}
}

func (s *server) killedInRun(a, b *party, date string, after time.Duration) {
	s.t.Helper()
	ctx := s.t.Context()
	run := must(s.as(s.token).StartRuns(ctx, []string{analysis}, date))(s.t).Items[0]
	time.Sleep(after)
	s.kill()
	s.start()
	s.reconnect(a)
	s.reconnect(b)
	got := must(s.as(s.token).WaitRun(ctx, run.ID, nil))(s.t)
	if got.State != "succeeded" || got.Release == "" {
		s.t.Fatalf("run killed after %v: got %s (%s), want succeeded", after, got.State, got.Reason)
	}
	for _, p := range []*party{a, b} {
		results := must(p.Results(ctx, client.ResultFilter{Date: date}))(s.t).Items
		if len(results) != 1 || results[0].Release != got.Release {
			s.t.Fatalf("results of %s for %s, killed after %v: got %+v, want one, of %s", p.Slug, date, after, results, got.Release)
		}
	}
}
