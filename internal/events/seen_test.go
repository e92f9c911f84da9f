package events_test

import (
	"testing"
	"time"

	"tributary/internal/events"
)

// What is remembered is bounded within a day too, and a new day forgets no more of the
// day before than it has to.
func TestTheOldestIdsAreForgotten(t *testing.T) {
	t.Parallel()
	evening := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
	night := evening.Add(2 * time.Hour)
	add, has := events.Seen(800)
	known := func(now time.Time, from, to uint64) (n int) {
		for key := from; key < to; key++ {
			if has(now, key) {
				n++
			}
		}
		return n
	}
	for key := uint64(1); key <= 5000; key++ {
		add(evening, evening, key)
		if n := known(evening, max(key, 700)-699, key+1); n != int(min(key, 700)) {
			t.Fatalf("got %d of the last %d after %d, want all", n, min(key, 700), key)
		}
	}
	if n := known(evening, 1, 5001); n > 800 {
		t.Errorf("got %d remembered, want at most 800", n)
	}
	for key := uint64(6001); key <= 6010; key++ {
		add(night, night, key)
	}
	if n := known(night, 4311, 5001); n != 690 {
		t.Errorf("after midnight: got %d of the last 690, want all", n)
	}
	for key := uint64(7001); key <= 7200; key++ { // as what is read from the stream comes late
		add(night, evening.Add(-24*time.Hour), key)
	}
	if n := known(night, 4311, 5001) + known(night, 6001, 6011); n != 700 {
		t.Errorf("after older ones: got %d of the last 700, want all", n)
	}
	if n := known(night.Add(8*24*time.Hour), 1, 8000); n != 0 {
		t.Errorf("after 8 days: got %d, want none", n)
	}
}
