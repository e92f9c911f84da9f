package events

import (
	"errors"
	"sync"
	"time"

	"tributary/internal/clock"
)

const (
	burst     = 10      // seconds of a rate that can come at once
	bytesEach = 4 << 10 // an event has on average, at most
)

// amount is how much somebody sends, or has in quarantine.
type amount struct{ events, bytes int }

func (a amount) plus(b amount) amount { return amount{a.events + b.events, a.bytes + b.bytes} }

// limits keeps what each tenant and each source of the provider's may send by now. Those
// that may send all that they ever may are forgotten.
type limits struct {
	clock clock.Clock

	mu    sync.Mutex
	all   map[string]*bucket
	swept time.Time
}

// bucket fills by the rate, up to the burst.
type bucket struct {
	rate          float64 // events a second
	events, bytes float64 // that are left
	at            time.Time
}

func newLimits(c clock.Clock) *limits {
	return &limits{clock: c, all: map[string]*bucket{}, swept: c.Now()}
}

func (b *bucket) fill(now time.Time) {
	b.put(max(0, now.Sub(b.at).Seconds())*b.rate, max(0, now.Sub(b.at).Seconds())*b.rate*bytesEach)
	b.at = now
}

func (b *bucket) put(events, bytes float64) {
	b.events, b.bytes = min(b.events+events, burst*b.rate), min(b.bytes+bytes, burst*b.rate*bytesEach)
}

// take takes an amount from a bucket, or says when there will be enough. More than it
// holds empties it.
func (l *limits) take(lane string, perSecond int, n amount) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	l.sweep(now)
	b := l.all[lane]
	if b == nil {
		b = &bucket{events: float64(burst * perSecond), bytes: float64(burst * perSecond * bytesEach), at: now}
		l.all[lane] = b
	}
	b.rate = float64(perSecond)
	b.fill(now)
	events, bytes := min(float64(n.events), burst*b.rate), min(float64(n.bytes), burst*b.rate*bytesEach)
	if events <= b.events && bytes <= b.bytes {
		b.put(-events, -bytes)
		return nil
	}
	after := time.Duration(max((events-b.events)/b.rate, (bytes-b.bytes)/(b.rate*bytesEach)) * float64(time.Second))
	return Busy(max(after, time.Second), "Too many events: %d a second, of %d bytes on average, are taken here. Try again in %d s.",
		perSecond, bytesEach, int(max(after, time.Second).Seconds()+0.999))
}

// give puts back what was taken and could not be kept.
func (l *limits) give(lane string, n amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.all[lane]; b != nil {
		b.put(float64(n.events), float64(n.bytes))
	}
}

// sweep forgets buckets that are full. It is called with mu held.
func (l *limits) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for lane, b := range l.all {
		if b.fill(now); b.events >= burst*b.rate && b.bytes >= burst*b.rate*bytesEach {
			delete(l.all, lane)
		}
	}
}

// RetryAfter says after how long what Take refused can be tried again; 0: it does not
// say.
func RetryAfter(err error) time.Duration {
	var b *busy
	if errors.As(err, &b) {
		return b.after
	}
	return 0
}
