package audit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Refusals bounds how many refusals get an entry of their own, so that nobody fills
// the disk by knocking. The zero value is ready.
type Refusals struct {
	mu    sync.Mutex
	lanes map[string]*lane
	swept time.Time
}

// lane is what was refused of one who knocks.
type lane struct {
	bucket  *rate.Limiter
	skipped int64 // since the last that had an entry
}

// Take reports whether a refusal gets an entry: of each lane, such as a credential,
// a burst does and one every so often. skipped is how many before it did not.
func (r *Refusals) Take(now time.Time, of string, every time.Duration, burst int) (skipped int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) >= time.Minute {
		r.swept = now
		for k, l := range r.lanes {
			if l.skipped == 0 && l.bucket.TokensAt(now) >= float64(l.bucket.Burst()) {
				delete(r.lanes, k)
			}
		}
	}
	l := r.lanes[of]
	if l == nil {
		if r.lanes == nil {
			r.lanes = map[string]*lane{}
		}
		l = &lane{bucket: rate.NewLimiter(rate.Every(every), burst)}
		r.lanes[of] = l
	}
	if !l.bucket.AllowN(now, 1) {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}
