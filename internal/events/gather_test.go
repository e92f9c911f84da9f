package events_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// Who sends much fills its own lane, and in the commit in which others wait it has its
// part and no more.
func TestNobodyHoldsUpTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		var commits [][]string
		do := events.Gathered(func(lanes []string) {
			mu.Lock()
			commits = append(commits, lanes)
			mu.Unlock()
			<-gate
		})
		var all sync.WaitGroup
		send := func(lane string, size int) {
			all.Go(func() {
				if err := do(lane, size); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		send("first", 1)
		for range 14 {
			send("much", 512<<10)
		}
		send("little", 100)
		wantKind(t, "a full lane", do("much", 2<<20), fault.Throttled)
		for range 7 {
			send("other", 1<<20)
		}
		for _, lane := range []string{"third", "fourth", "fifth", "sixth", "seventh", "eighth"} {
			send(lane, 8<<20)
		}
		err := do("ninth", 3<<20)
		if wantKind(t, "when others fill it", err, fault.Unavailable); events.RetryAfter(err) == 0 {
			t.Errorf("got %v, want how long to wait", err)
		}
		close(gate)
		all.Wait()
		if len(commits) < 4 || !slices.Equal(commits[0], []string{"first"}) {
			t.Fatalf("got commits %v, want the first alone, since nothing else waited", commits)
		}
		much := 0
		for _, lane := range commits[1] {
			if lane == "much" {
				much++
			}
		}
		if !slices.Contains(commits[1], "little") || !slices.Contains(commits[1], "other") || much > 4 {
			t.Errorf("got %v together, want the little one and few of the much", commits[1])
		}
		if err := do("much", 64<<20); err != nil { // alone it goes on
			t.Errorf("a large request when nothing waits: %v", err)
		}
		wantKind(t, "more than all", do("much", 64<<20+1), fault.Unavailable)
	})
}
