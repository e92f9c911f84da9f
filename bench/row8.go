package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tributary/client"
)

// Floors of row 8.
const (
	onboardFloor = 50 * time.Millisecond
	restartFloor = 3 * time.Second
	tenantCount  = 10_000
	clients      = 8
	keysEach     = 8 // of each client: a staff credential may make 200 requests a second
)

// tenants onboards tenants by 8 clients at a time, each through its own
// connection, then kills the server and starts it again with all of them.
func (b *bench) tenants(ctx context.Context) error {
	s, err := b.newStore(ctx, "tenants")
	if err != nil {
		return err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	admin, err := p.client(s.token)
	if err != nil {
		return err
	}
	callers, err := callers(ctx, p, admin)
	if err != nil {
		return err
	}
	count := tenantCount
	if b.quick {
		count /= 10
	}
	before, err := p.memory("VmRSS")
	if err != nil {
		return err
	}
	const parts = 5 // so that a drift with the number of tenants shows
	var all []time.Duration
	for part := range parts {
		if err := b.probe(part); err != nil {
			return err
		}
		cpu, err := p.cpu()
		if err != nil {
			return err
		}
		began := time.Now()
		took, err := onboard(ctx, callers, "basic", part*count/parts, (part+1)*count/parts)
		if err != nil {
			return err
		}
		wall := time.Since(began)
		after, err := p.cpu()
		if err != nil {
			return err
		}
		slices.Sort(took)
		all = append(all, took...)
		b.printf("tenants %d to %d: p50 %s, p99 %s, max %s; %.0f a second; server's CPU %s each\n", part*count/parts+1, (part+1)*count/parts,
			millis(percentile(took, 50)), millis(percentile(took, 99)), millis(took[len(took)-1]), float64(len(took))/wall.Seconds(), millis((after-cpu)/time.Duration(len(took))))
	}
	rss, err := p.memory("VmRSS")
	peak, peakErr := p.memory("VmHWM")
	if err := errors.Join(err, peakErr, p.kill()); err != nil {
		return err
	}
	b.printf("resident %.1f MB before, %.1f MB after (%.1f KiB for each tenant), peak %.1f MB\n", mega(before), mega(rss), float64(rss-before)/1024/float64(count), mega(peak))
	slices.Sort(all)
	p99 := percentile(all, 99)
	b.floor(p99 < onboardFloor, "onboarding of %d tenants without passwords, %d at a time: p50 %s, p99 %s, max %s; floor p99 %s",
		count, clients, millis(percentile(all, 50)), millis(p99), millis(all[len(all)-1]), onboardFloor)
	return b.restart(ctx, s, count)
}

// callers makes system admins' clients, each with several keys.
func callers(ctx context.Context, p *server, admin *client.Client) ([][]*client.Client, error) {
	callers := make([][]*client.Client, clients)
	for i := range callers {
		for range keysEach {
			k, err := admin.CreateAPIKey(ctx, client.NewAPIKey{Role: "system_admin", Name: "bench"})
			if err != nil {
				return nil, err
			}
			c, err := p.client(k.Key)
			if err != nil {
				return nil, err
			}
			callers[i] = append(callers[i], c)
		}
	}
	return callers, nil
}

// onboard makes the tenants of a tier that are numbered from to to-1 and returns how long each took.
func onboard(ctx context.Context, callers [][]*client.Client, tier string, from, to int) ([]time.Duration, error) {
	took := make([][]time.Duration, len(callers))
	failed := make([]error, len(callers))
	var all sync.WaitGroup
	for i, keys := range callers {
		all.Go(func() {
			for n := from + i; n < to && failed[i] == nil; n += len(callers) {
				began := time.Now()
				t, err := keys[n/len(callers)%len(keys)].CreateTenant(ctx, client.NewTenant{
					Slug: fmt.Sprintf("tenant-%05d", n), Name: fmt.Sprintf("Tenant %d", n),
					Organisation: fmt.Sprintf("Organisation %d", n), ExternalIDs: []string{fmt.Sprintf("%06d", n)}, Tier: tier,
				})
				took[i] = append(took[i], time.Since(began))
				if err == nil && t.State != "active" {
					err = fmt.Errorf("tenant %s is %s", t.Slug, t.State)
				}
				failed[i] = err
			}
		})
	}
	all.Wait()
	return slices.Concat(took...), errors.Join(failed...)
}

// restart starts the server three times with all tenants, each time after a kill.
func (b *bench) restart(ctx context.Context, s store, count int) error {
	var starts []time.Duration
	for range 3 {
		p, err := b.start(ctx, s)
		if err != nil {
			return err
		}
		starts = append(starts, p.ready)
		c, err := p.client(s.token)
		if err != nil {
			return errors.Join(err, p.kill())
		}
		last, err := c.Tenant(ctx, fmt.Sprintf("tenant-%05d", count-1))
		if err == nil && last.State != "active" {
			err = fmt.Errorf("after the restart tenant %s is %s", last.Slug, last.State)
		}
		rss, rssErr := p.memory("VmRSS")
		if err := errors.Join(err, rssErr, p.kill()); err != nil {
			return err
		}
		b.printf("killed and started with %d tenants: ready after %s, resident %.1f MB\n", count, millis(p.ready), mega(rss))
	}
	ready := spreadOf(starts)
	b.floor(ready.max < restartFloor, "restart with %d tenants %s; floor %s", count, ready, restartFloor)
	return nil
}

// probe is the limit in the same run: how long one fdatasync of an appended
// 4 KiB takes on this disk.
func (b *bench) probe(part int) error {
	f, err := os.Create(filepath.Join(b.dir, fmt.Sprintf("probe-%d", part)))
	if err != nil {
		return err
	}
	defer f.Close()
	took := make([]time.Duration, 200)
	page := make([]byte, 4096)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	b.printf("limit: append and fdatasync of 4 KiB p50 %s, p99 %s\n", millis(percentile(took, 50)), millis(percentile(took, 99)))
	return nil
}
