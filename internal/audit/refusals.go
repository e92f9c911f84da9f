package audit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Refusals bounds how many refusals get an entry of their own, so that nobody fills
// the disk by knocking. The zero value is ready.
type Refusals struct {
	mu    sync.Mutex
	lanes map[string]*knocks
	swept time.Time
}

// knocks are the refusals of a lane.
type knocks struct {
	bucket  *rate.Limiter
	skipped int64 // since the last that had an entry
}

// Lane is who knocks, such as a credential. Its refusals get entries: a burst of them, and
// one every so often.
type Lane struct {
	Of    string
	Every time.Duration
	Burst int
}

// Record writes the entry of a refusal, if it gets one, which says how many before it did
// not. Whoever asked may be gone already, and is recorded all the same.
func (r *Refusals) Record(ctx context.Context, now time.Time, of Lane, e Entry, record func(context.Context, Entry) error) error {
	skipped, ok := r.take(now, of)
	if !ok {
		return nil
	}
	if skipped > 0 {
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		e.Details["unrecorded_before"] = skipped
	}
	return record(context.WithoutCancel(ctx), e)
}

func (r *Refusals) take(now time.Time, of Lane) (skipped int64, ok bool) {
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
	l := r.lanes[of.Of]
	if l == nil {
		if r.lanes == nil {
			r.lanes = map[string]*knocks{}
		}
		l = &knocks{bucket: rate.NewLimiter(rate.Every(of.Every), of.Burst)}
		r.lanes[of.Of] = l
	}
	if !l.bucket.AllowN(now, 1) {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}
