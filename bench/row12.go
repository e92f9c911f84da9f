package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/client"
)

const (
	neighbourFloor = 4.0 // times the victim's p99 when it is alone
	victimEvery    = 10 * time.Millisecond
	aggressorEvery = time.Millisecond // with 10 events each: ten times what its tier may send
	neighbourPhase = 5 * time.Second
)

// ownSource makes a source of a tenant's own, and returns its key.
func (c *collecting) ownSource(ctx context.Context, slug string) (string, error) {
	k, err := c.admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: slug, Role: "tenant_admin", Name: "bench"})
	if err != nil {
		return "", err
	}
	own, err := c.client(k.Key)
	if err != nil {
		return "", err
	}
	s, err := own.CreateSource(ctx, client.NewSource{Name: "product"})
	return s.Key, err
}

// senders connects several that send events of the same key.
func (c *collecting) senders(ctx context.Context, key string, first, connections, tenants, count int) (list []*sender, err error) {
	for n := range connections {
		e := newEvents(uint64(first+n), tenants)
		payloads := make([]payload, max(4, 64/count))
		for i := range payloads {
			payloads[i] = e.payload(count, time.Now().UTC())
		}
		s, err := dial(ctx, c.collect, key, first+n, payloads)
		if err != nil {
			return nil, errors.Join(err, closeAll(list))
		}
		list = append(list, s)
	}
	return list, nil
}

// neighbours sends a tenant's events, 100 requests a second whatever happens, alone and
// while another tenant sends ten times what its tier may.
func (b *bench) neighbours(ctx context.Context) error {
	phase := neighbourPhase
	if b.quick {
		phase /= 5
	}
	p, err := b.collecting(ctx, "neighbours", "standard", 2, 0)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	quiet, err := p.ownSource(ctx, slugOf(0))
	if err != nil {
		return err
	}
	loud, err := p.ownSource(ctx, slugOf(1))
	if err != nil {
		return err
	}
	victim, err := p.senders(ctx, quiet, 0, 16, 2, 1)
	if err != nil {
		return err
	}
	aggressor, err := p.senders(ctx, loud, 100, 32, 2, 10)
	if err != nil {
		return err
	}
	b.printf("product: both tenants of the tier standard (1,000 events a second); the victim sends 100 requests a second with one event, the other 1,000 with ten; open loop, durable\n")
	b.printf("without admission control a victim's p99 rose 86 times (quoted, of another run)\n")
	var ratios []float64
	for round := range b.rounds + 1 {
		alone, err := drive(victim, phase, victimEvery)
		if err != nil {
			return err
		}
		var other sent
		others := make(chan error, 1)
		go func() {
			var err error
			other, err = drive(aggressor, phase, aggressorEvery)
			others <- err
		}()
		beside, err := drive(victim, phase, victimEvery)
		if err := errors.Join(err, <-others); err != nil {
			return err
		}
		if alone.refused+beside.refused > 0 {
			return fmt.Errorf("%d requests of the victim were refused", alone.refused+beside.refused)
		}
		if round == 0 { // in which the aggressor uses up what it may send at once
			continue
		}
		ratios = append(ratios, beside.p(99).Seconds()/alone.p(99).Seconds())
		b.printf("round %d: victim alone p50 %s p99 %s, beside p50 %s p99 %s, %.2f times; of the aggressor's %d requests %d were refused; load average %s\n", round,
			millis(alone.p(50)), millis(alone.p(99)), millis(beside.p(50)), millis(beside.p(99)), ratios[len(ratios)-1], other.requests, other.refused, loadAverage())
	}
	if err := errors.Join(closeAll(victim), closeAll(aggressor), p.stop()); err != nil {
		return err
	}
	ratio := spreadOf(ratios)
	b.floor(ratio.median <= neighbourFloor, "victim's p99 beside an aggressor, times alone, over %d rounds %s; floor %.1f", len(ratios), ratio, neighbourFloor)
	return nil
}
