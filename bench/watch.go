package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watcher samples the resident memory of a server's children while they live.
type watcher struct {
	end  chan struct{}
	peak chan int64
}

// watch starts to sample, every 5 ms, which costs the server time.
func (p *server) watch() *watcher {
	w := &watcher{end: make(chan struct{}), peak: make(chan int64)}
	go func() {
		var peak int64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.end:
				w.peak <- peak
				return
			case <-tick.C:
				peak = max(peak, largestBelow(p.cmd.Process.Pid))
			}
		}
	}()
	return w
}

// stop ends the sampling and returns the most that any one child had, in bytes.
func (w *watcher) stop() int64 {
	close(w.end)
	return <-w.peak
}

// largestBelow is the most memory that a descendant of a process ever had; one
// that ends meanwhile counts as nothing.
func largestBelow(pid int) (largest int64) {
	for _, child := range below(pid) {
		if own, err := memory(child, "VmHWM"); err == nil {
			largest = max(largest, own)
		}
	}
	return largest
}

// below lists the descendants of a process.
func below(pid int) (list []int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range threads {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(append(list, child), below(child)...)
			}
		}
	}
	return list
}
