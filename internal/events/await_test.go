package events_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tributary/internal/events"
)

// Who is answered and sends again is in the next commit with those that waited, and who
// sends alone is not held up.
func TestCommitsWaitForThoseTheyAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var commits []int
		do := events.Gathered(func(lanes []string) {
			<-time.After(8 * time.Millisecond) // of a clock that stands still otherwise
			mu.Lock()
			commits = append(commits, len(lanes))
			mu.Unlock()
		})
		begun := time.Now()
		if err := do("alone", 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 8*time.Millisecond {
			t.Errorf("alone: took %s, want the commit's 8 ms", took)
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 6 {
					if err := do("many", 1); err != nil {
						t.Error(err)
					}
					<-time.After(time.Millisecond) // until it sends again
				}
			})
		}
		all.Wait()
		<-time.After(time.Second) // nobody comes any more
		full := 0
		for _, n := range commits[1:] {
			if n == 10 {
				full++
			}
		}
		if full < 4 {
			t.Errorf("got commits of %v, want most of all ten", commits[1:])
		}
	})
}
