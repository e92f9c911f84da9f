// Package clocktest gives tests a clock that stands still until they move it.
package clocktest

import (
	"sync"
	"time"
)

// Hands are the hands of a clock: noon of 1 March 2026, UTC, at first.
type Hands struct {
	mu     sync.Mutex
	passed time.Duration
}

// Now is what a clock.Clock reads.
func (h *Hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(h.passed)
}

// Pass moves them on.
func (h *Hands) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passed += d
}
