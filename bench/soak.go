package main

import (
	"context"
	"errors"
	"time"
)

const (
	soakFloor  = 1.5           // times what the server has resident when it is warm; it remembers the ids of a week
	childFloor = 1_500_000_000 // bytes: the warehouse's engine keeps up to 1 GiB of what it read
	soakEvery  = 20 * time.Millisecond
	soakEvents = 50 // in each request: 2,500 a second
	samples    = 20
)

// soak sends events for a while and looks whether the server and its child take more
// memory at the end than when they were warm.
func (b *bench) soak(ctx context.Context) error {
	during := b.soaking
	if b.quick {
		during /= 10
	}
	const tenants = 100
	p, err := b.collecting(ctx, "soak", "platinum", tenants, 1)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	list, err := p.senders(ctx, p.keys[0], 0, 16, tenants, soakEvents)
	if err != nil {
		return err
	}
	events := 0
	var server, child []int64
	for n := range samples {
		done, err := drive(list, during/samples, soakEvery)
		if err != nil {
			return err
		}
		events += len(done.took) * soakEvents
		own, err := p.memory("VmRSS")
		if err != nil {
			return err
		}
		below := residentBelow(p.cmd.Process.Pid)
		server, child = append(server, own), append(child, below)
		b.printf("%d/%d: %d events, acknowledged p99 %s, resident: server %.1f MB, children %.1f MB\n", n+1, samples, events, millis(done.p(99)), mega(own), mega(below))
	}
	if err := errors.Join(closeAll(list), p.stop()); err != nil {
		return err
	}
	warm, end := samples/5, samples-samples/5
	before, after := spreadOf(server[warm:2*warm]).median, spreadOf(server[end:]).median
	b.floor(float64(after) <= soakFloor*float64(before), "resident memory of the server over %s: %.1f MB when warm, %.1f MB at the end, %.2f times; floor %.1f", during, mega(before), mega(after), float64(after)/float64(before), soakFloor)
	before, after = spreadOf(child[warm:2*warm]).median, spreadOf(child[end:]).median
	b.floor(after <= childFloor, "resident memory of its children: %.1f MB when warm, %.1f MB at the end; floor %.0f MB", mega(before), mega(after), mega(childFloor))
	return nil
}

// residentBelow is what the descendants of a process have in memory now.
func residentBelow(pid int) (all int64) {
	for _, child := range below(pid) {
		if own, err := memory(child, "VmRSS"); err == nil {
			all += own
		}
	}
	return all
}
