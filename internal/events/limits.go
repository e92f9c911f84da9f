package events

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tributary/internal/clock"
)

// limits keeps a bucket of events for each tenant and each source of the provider's.
// Those that are full again are forgotten.
type limits struct {
	clock clock.Clock
	mu    *sync.Mutex
	all   map[string]*rate.Limiter
	swept time.Time
}

func newLimits(c clock.Clock) limits {
	return limits{clock: c, mu: &sync.Mutex{}, all: map[string]*rate.Limiter{}, swept: c.Now()}
}

// take takes n events from a bucket, or says when there will be enough. More than it
// holds empty it.
func (l *limits) take(lane string, perSecond, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if now.Sub(l.swept) > time.Minute {
		l.swept = now
		for k, b := range l.all {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(l.all, k)
			}
		}
	}
	b := l.all[lane]
	if b == nil || b.Limit() != rate.Limit(perSecond) {
		b = rate.NewLimiter(rate.Limit(perSecond), 10*perSecond)
		l.all[lane] = b
	}
	n = min(n, b.Burst())
	if b.AllowN(now, n) {
		return nil
	}
	after := time.Duration((float64(n) - b.TokensAt(now)) / float64(perSecond) * float64(time.Second))
	return Busy(max(after, time.Second), "Too many events: %d a second are taken here. Try again in %d s.", perSecond, int(max(after, time.Second).Seconds()+0.999))
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
