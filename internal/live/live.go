// Package live tells those who watch that something has changed, so that they look
// again: of what kind it is and its id, never what it says. It keeps nothing beyond
// the process; who may see a change is for the watcher's gateway to know.
package live

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"tributary/internal/clock"
	"tributary/internal/tenant"
)

// Kind is the sort of thing that has changed.
type Kind string

// The kinds.
const (
	Submission   Kind = "submission"
	Upload       Kind = "upload"
	Result       Kind = "result"
	Run          Kind = "run"
	Organisation Kind = "organisation"
	Tenant       Kind = "tenant"
	User         Kind = "user"
	Key          Kind = "key"
	Session      Kind = "session"
	Analysis     Kind = "analysis"
	Dataset      Kind = "dataset"
	Period       Kind = "period"
	Schedule     Kind = "schedule"
	Webhook      Kind = "webhook"
	Outbox       Kind = "outbox"
	Hold         Kind = "hold"
)

// Change says that something is not as it was.
type Change struct {
	Kind   Kind
	ID     string    // the thing's, if it is one that the server made; else empty
	Tenant tenant.ID // whose it is; empty: the provider's, or everybody's
	Common bool      // every tenant has it, as a dataset
	By     string    // who did it: a user, key or run
}

// kept is how many changes are remembered for those who come back.
const kept = 8192

// Hub passes changes on. A nil Hub passes nothing on, and nobody can watch it.
type Hub struct {
	epoch string // of this process: places of another mean nothing here

	mu     sync.Mutex
	ring   [kept]Change
	all    int64               // changes so far; the last is at ring[(all-1)%kept]
	common int64               // of them, everybody's
	own    map[tenant.ID]int64 // of them, each tenant's
	more   chan struct{}       // closed at the next change
	done   chan struct{}
}

// New makes a hub.
func New(c clock.Clock) *Hub {
	return &Hub{epoch: c.Secret(5), own: map[tenant.ID]int64{}, more: make(chan struct{}), done: make(chan struct{})}
}

// Tell passes changes on to all who watch. It never waits for them.
func (h *Hub) Tell(list ...Change) {
	if h == nil || len(list) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range list {
		h.ring[h.all%kept] = c
		h.all++
		switch {
		case c.Common:
			h.common++
		case c.Tenant != "":
			h.own[c.Tenant]++
		}
	}
	close(h.more)
	h.more = make(chan struct{})
}

// Close ends all watching.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.done:
	default:
		close(h.done)
	}
}

// Done is closed when the hub is.
func (h *Hub) Done() <-chan struct{} { return h.done }

// Watch is a place in the changes of one tenant with those that are everybody's, or
// in all changes. It holds nothing that grows: who comes too late to see all is told so.
// Places are numbered for each tenant by itself, so that nobody reads in them how much
// others do. It is for one goroutine.
type Watch struct {
	hub   *Hub
	whose tenant.ID
	all   bool
	at    int64
	lost  bool // the place it was to go on from is not known
}

// Watch begins at a place that was seen before, or with "" at the next change. The
// zero tenant sees nobody's changes but everybody's.
func (h *Hub) Watch(whose tenant.ID, place string) *Watch {
	return h.watch(&Watch{hub: h, whose: whose}, place)
}

// UnscopedWatch watches all tenants' changes and the provider's.
func (h *Hub) UnscopedWatch(place string) *Watch { return h.watch(&Watch{hub: h, all: true}, place) }

func (h *Hub) watch(w *Watch, place string) *Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.at = w.last()
	if place == "" {
		return w
	}
	epoch, number, _ := strings.Cut(place, ".")
	at, err := strconv.ParseInt(number, 10, 64)
	if w.lost = epoch != h.epoch || err != nil || at < 0 || at > w.at; !w.lost {
		w.at = at
	}
	return w
}

// Place is where to go on from, opaque to all others.
func (w *Watch) Place() string { return w.hub.epoch + "." + strconv.FormatInt(w.at, 10) }

// Next returns the changes since the last call, without waiting, and a channel that is
// closed when there are more. With missed some are not known any more: then anything
// may have changed.
func (w *Watch) Next() (list []Change, missed bool, more <-chan struct{}) {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	due := w.last() - w.at
	for n := h.all - 1; n >= max(0, h.all-kept) && int64(len(list)) < due; n-- {
		if c := h.ring[n%kept]; w.all || c.Common || c.Tenant == w.whose && c.Tenant != "" {
			list = append(list, c)
		}
	}
	missed = w.lost || int64(len(list)) < due
	w.at, w.lost = w.last(), false
	slices.Reverse(list)
	return list, missed, h.more
}

// last is the number of the last change that w sees. It is called with mu held.
func (w *Watch) last() int64 {
	if w.all {
		return w.hub.all
	}
	return w.hub.common + w.hub.own[w.whose]
}

// Once leaves each thing of a list in it once, where it comes first.
func Once(list []Change) []Change {
	type thing struct {
		kind Kind
		id   string
	}
	known := map[thing]bool{}
	return slices.DeleteFunc(list, func(c Change) bool {
		t := thing{c.Kind, c.ID}
		again := known[t]
		known[t] = true
		return again
	})
}
