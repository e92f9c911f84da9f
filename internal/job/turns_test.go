package job

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// held is a handler whose jobs run until a test lets them go.
type held struct {
	mu      sync.Mutex
	running map[tenant.ID]int
	most    map[tenant.ID]int
	started chan tenant.ID
	release chan struct{}
}

func newHeld() *held {
	return &held{running: map[tenant.ID]int{}, most: map[tenant.ID]int{}, started: make(chan tenant.ID, 100), release: make(chan struct{})}
}

func (h *held) handler() Handler {
	return Handler{Do: func(ctx context.Context, j *Job) error {
		h.mu.Lock()
		h.running[j.Tenant]++
		h.most[j.Tenant] = max(h.most[j.Tenant], h.running[j.Tenant])
		h.mu.Unlock()
		h.started <- j.Tenant
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.running[j.Tenant]--
		}()
		select {
		case <-h.release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// next waits for the next job to start and says whose it is.
func (h *held) next(t *testing.T) tenant.ID {
	t.Helper()
	select {
	case id := <-h.started:
		return id
	case <-time.After(20 * time.Second):
		t.Fatal("no job starts, although a worker should be free")
		return ""
	}
}

// Neither a tenant with large files nor the provider's runs take all workers:
// who comes next starts while they go on.
func TestTheLastWorkerIsForOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		workers int
		greedy  tenant.ID
		kind    string
	}{{2, newTenant(), "work"}, {3, newTenant(), "work"}, {2, "", "run"}, {3, "", "run"}} {
		t.Run(fmt.Sprintf("%d workers, %s", c.workers, c.kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Workers: c.workers, Poll: time.Millisecond})
			h := newHeld()
			b.Handle("work", h.handler())
			run := h.handler()
			run.Yields = true
			b.Handle("run", run)
			ids := b.addMany(t, Work{Kind: c.kind, Tenant: c.greedy}, 2*c.workers)
			defer b.start(t)()
			for range c.workers - 1 {
				if got := h.next(t); got != c.greedy {
					t.Fatalf("the job of %q started, want of %q", got, c.greedy)
				}
			}
			other := newTenant()
			id := b.add(t, Work{Tenant: other})
			if got := h.next(t); got != other {
				t.Fatalf("the job of %q started, want that of the newcomer", got)
			}
			close(h.release)
			for _, id := range append(ids, id) {
				b.await(t, id, Succeeded)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.most[c.greedy] != c.workers-1 {
				t.Errorf("%d jobs of one tenant at once, want %d", h.most[c.greedy], c.workers-1)
			}
		})
	}
}

func TestOneWorkerServesOneTenant(t *testing.T) {
	t.Parallel()
	b := newBench(metatest.Open(t, metatest.SQLite(t)), Config{Workers: 1, Poll: time.Millisecond})
	b.Handle("work", Handler{Yields: true, Do: func(context.Context, *Job) error { return nil }})
	ids := b.addMany(t, Work{Tenant: newTenant()}, 3)
	defer b.start(t)()
	for _, id := range ids {
		b.await(t, id, Succeeded)
	}
}

// await waits for a job to be in a state.
func (b *bench) await(t *testing.T, id string, want State) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if b.status(t, id).State == want {
			return
		}
	}
	t.Fatalf("job %s is %s, want %s", id, b.status(t, id).State, want)
}

func TestPostponedJobsWaitAndLoseNoAttempt(t *testing.T) {
	t.Parallel()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		b := newBench(db, Config{})
		barred, looks := newTenant(), 0
		open := false
		handle := func(b *bench) {
			b.Handle("work", Handler{Do: func(_ context.Context, j *Job) error {
				if j.Tenant == barred && !open {
					looks++
					return fmt.Errorf("work: %w", Postpone(fault.New(fault.Denied, "Not now.")))
				}
				return nil
			}, Failed: func(_ context.Context, _ *meta.DB, _ *Job, cause error) error {
				t.Errorf("told of an end: %v", cause)
				return nil
			}})
		}
		handle(b)
		ids := b.addMany(t, Work{Tenant: barred, MaxAttempts: 1}, 5)
		for round := range 10 {
			b.do1(t, true)  // one of them is looked at,
			b.do1(t, false) // and the others wait with it
			if looks != round+1 {
				t.Fatalf("%d looks in round %d", looks, round)
			}
			b.want(t, ids[0], Queued, fault.Denied)
			if s := b.status(t, ids[0]); s.Attempts != 0 {
				t.Fatalf("%d attempts are counted", s.Attempts)
			}
			other := b.add(t, Work{Tenant: newTenant()})
			b.do1(t, true)
			b.want(t, other, Succeeded, "")
			b.hands.advance(pause + time.Second)
		}
		again := b.restarted(t)
		handle(again)
		open = true
		for range ids {
			again.do1(t, true)
		}
		for _, id := range ids {
			if s := again.status(t, id); s.State != Succeeded || s.Attempts != 1 {
				t.Errorf("%s after %d attempts, want succeeded after 1", s.State, s.Attempts)
			}
		}
	})
}
