package events

import (
	"context"
	"sync"
	"time"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The bounds of what waits to be committed.
const (
	mostWaiting = 64 << 20 // bytes in all
	mostOfOne   = 8 << 20  // bytes of one tenant, or of one source of the provider's
	mostAtOnce  = 8 << 20  // bytes of one commit
	mostEach    = 1 << 20  // bytes of one tenant in a commit in which others wait, after the first request

	mostPatience = 5 * time.Millisecond // for more to commit together
)

// work is what one request waits for.
type work struct {
	lane  string // who has to wait behind whom
	items []item
	size  int
	err   error
	done  chan struct{} // closed when items and err say what became of it
}

// item is one event on its way.
type item struct {
	tenant   tenant.ID
	tier     tenant.Tier
	line     []byte
	received time.Time
	key      uint64
	at       int // in the request

	repeated  bool // within its commit
	duplicate bool
	err       error

	held *held // of what goes to quarantine
}

// gather commits the work of concurrent requests together: while one commit is on its
// way what arrives waits, and is the next.
type gather struct {
	commit func(context.Context, []*work)
	now    func() time.Time

	mu      sync.Mutex
	queue   []*work
	waiting int            // bytes of the queue
	lanes   map[string]int // the same of each lane
	running bool
	wanted  int           // requests in the queue that are not waited for longer
	enough  chan struct{} // closed when they are there; nil: nobody waits
	ended   sync.WaitGroup
}

func newGather(now func() time.Time, commit func(context.Context, []*work)) *gather {
	return &gather{commit: commit, now: now, lanes: map[string]int{}}
}

// do waits until work is committed. If ctx ends before, it may be committed all the same.
func (g *gather) do(ctx context.Context, w *work) error {
	w.done = make(chan struct{})
	g.mu.Lock()
	if err := g.room(w); err != nil {
		g.mu.Unlock()
		return err
	}
	g.queue = append(g.queue, w)
	g.waiting += w.size
	g.lanes[w.lane] += w.size
	if !g.running {
		g.running = true
		g.ended.Go(g.run)
	}
	if g.enough != nil && (len(g.queue) >= g.wanted || g.waiting >= mostAtOnce) {
		close(g.enough)
		g.enough = nil
	}
	g.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room returns nil if work can wait. It is called with mu held. Clients drop what is
// Throttled, so that is said of the sender's own doing alone.
func (g *gather) room(w *work) error {
	if g.lanes[w.lane] > 0 && g.lanes[w.lane]+w.size > mostOfOne {
		return Busy(time.Second, "More of your events wait to be stored than can be held. Try again in a second.")
	}
	if g.waiting+w.size > mostWaiting {
		return &busy{fault.New(fault.Unavailable, "More events wait to be stored than can be held. Try again in a second."), time.Second}
	}
	return nil
}

// run commits until nothing waits.
func (g *gather) run() {
	for {
		list := g.next()
		if len(list) == 0 {
			return
		}
		began := g.now()
		// What a request was is not what ends the commit of others.
		g.commit(context.Background(), list)
		took := g.now().Sub(began)
		for _, w := range list {
			close(w.done)
		}
		g.await(len(list), took/4)
	}
}

// await waits until as many requests are there as were answered and are waiting, but not
// for long: who is answered sends again, and would otherwise take turns with the others,
// in commits of half the size. Who sends alone is not waited for.
func (g *gather) await(answered int, patience time.Duration) {
	enough := make(chan struct{})
	g.mu.Lock()
	if g.wanted = answered + len(g.queue); g.wanted < 2 || g.waiting >= mostAtOnce {
		g.mu.Unlock()
		return
	}
	g.enough = enough
	g.mu.Unlock()
	timer := time.NewTimer(min(patience, mostPatience))
	defer timer.Stop()
	select {
	case <-enough:
	case <-timer.C:
		g.mu.Lock()
		g.enough = nil
		g.mu.Unlock()
	}
}

// next takes from the queue what is committed together: in order, but of each lane no
// more than its part, so that who sends much does not hold up the rest.
func (g *gather) next() []*work {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list, later []*work
	size := 0
	lanes := map[string]int{}
	for _, w := range g.queue {
		if len(list) > 0 && (size+w.size > mostAtOnce || lanes[w.lane] > mostEach) {
			later = append(later, w)
			continue
		}
		list = append(list, w)
		size += w.size
		lanes[w.lane] += w.size
	}
	g.queue = later
	g.waiting -= size
	for lane, n := range lanes {
		if g.lanes[lane] -= n; g.lanes[lane] <= 0 {
			delete(g.lanes, lane)
		}
	}
	g.running = len(list) > 0
	return list
}

func (g *gather) wait() { g.ended.Wait() }

// busy is a refusal that says when to try again.
type busy struct {
	error
	after time.Duration
}

func (b *busy) Unwrap() error             { return b.error }
func (b *busy) RetryAfter() time.Duration { return b.after }

// Busy makes a Throttled fault that says when to try again.
func Busy(after time.Duration, format string, args ...any) error {
	return &busy{fault.New(fault.Throttled, format, args...), after}
}
