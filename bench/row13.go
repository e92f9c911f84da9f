package main

import (
	"context"
	"errors"
	"time"
)

// Floors of row 13.
const (
	startFloor = 500 * time.Millisecond
	idleFloor  = 120_000_000 // bytes
	idleAfter  = 5 * time.Second
)

// coldStart starts a server on an initialised, empty store five times, from exec
// to the first 200 of /readyz, and reads what it has resident after 5 s of idling.
func (b *bench) coldStart(ctx context.Context) error {
	s, err := b.newStore(ctx, "idle")
	if err != nil {
		return err
	}
	var starts []time.Duration
	var idle []int64
	for range 5 {
		p, err := b.start(ctx, s)
		if err != nil {
			return err
		}
		starts = append(starts, p.ready)
		time.Sleep(idleAfter)
		rss, err := p.memory("VmRSS")
		cpu, cpuErr := p.cpu()
		if err := errors.Join(err, cpuErr, p.stop()); err != nil {
			return err
		}
		idle = append(idle, rss)
		b.printf("start to ready %s, resident after %s %.1f MB, CPU %s\n", millis(p.ready), idleAfter, mega(rss), cpu)
	}
	ready, resident := spreadOf(starts), spreadOf(idle)
	b.floor(ready.median < startFloor, "start to /readyz 200 %s; floor %s", ready, startFloor)
	b.floor(resident.median < idleFloor, "resident when idle median %.1f MB, min %.1f, max %.1f; floor 120 MB", mega(resident.median), mega(resident.min), mega(resident.max))
	return nil
}
