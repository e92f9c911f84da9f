package events

import (
	"bytes"
	"context"
	"time"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Wrong is malformed, of what was decoded strictly or not.
func Wrong(e *Event, strict bool) string { return malformed(e, strict) }

// Gathered is a gather whose commits tell how many requests of each lane they had.
func Gathered(commit func(lanes []string)) func(lane string, size int) error {
	g := newGather(time.Now, func(_ context.Context, list []*work) {
		var lanes []string
		for _, w := range list {
			lanes = append(lanes, w.lane)
		}
		commit(lanes)
	})
	return func(lane string, size int) error { return g.do(context.Background(), &work{lane: lane, size: size}) }
}

// Within has a function called in the middle of each commit to the stream, which fails
// with its error.
func Within(e *Events, f func() error) { within(e.good, f) }

// WithinQuarantine is Within for commits to quarantine.
func WithinQuarantine(e *Events, f func() error) { within(e.bad, f) }

func within(g *gather, f func() error) {
	commit := g.commit
	g.commit = func(ctx context.Context, list []*work) {
		if err := f(); err != nil {
			for _, w := range list {
				w.err = err
			}
			return
		}
		commit(ctx, list)
	}
}

// Charged is how many events count as sent by a lane.
func Charged(e *Events, lane string) float64 {
	if b := e.limits.all[lane]; b != nil {
		return burst*b.rate - b.events
	}
	return 0
}

// Seen remembers some ids at most.
func Seen(most int) (add func(now, received time.Time, key uint64), has func(now time.Time, key uint64) bool) {
	s := newSeen()
	s.most = most
	return func(now, received time.Time, key uint64) { s.add(now, received, key) }, s.has
}

// Hold puts an event of each tenant in quarantine, in one commit, and returns why each was refused.
func Hold(ctx context.Context, e *Events, owners ...tenant.ID) []error {
	w := &work{}
	for _, id := range owners {
		h := &held{source: apiSource, owner: id, about: id, kind: Unfit, Reason: "Why.", event: Event{ID: "1", Type: "login", Received: e.Clock.Now(), Time: meta.Time(1 << 60)}}
		w.items = append(w.items, item{tenant: id, held: h})
	}
	if err := e.bad.do(ctx, w); err != nil {
		return []error{err}
	}
	errs := make([]error, len(owners))
	for n, i := range w.items {
		errs[n] = i.err
	}
	return errs
}

// ReadLine reads a line by the short way, and reports whether that was one.
func ReadLine(line []byte) (e Event, ok bool) {
	ok = e.readLine(string(line), line)
	return e, ok
}

// Line is an event's line without its end.
func Line(e *Event) ([]byte, error) {
	line, err := e.appendLine(nil)
	return bytes.TrimSuffix(line, []byte{'\n'}), err
}
