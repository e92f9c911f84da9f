package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tributary/client"
)

const (
	intakeFloor       = 0.2 // of the probe's events for each CPU-second
	intakeConnections = 64
	intakeSources     = 8 // a source of the provider's may send 50,000 events a second
	intakePhase       = 1500 * time.Millisecond
)

// together is how many events a request has.
var together = []int{1, 10, 100}

// rudder is what a peer did that cannot be run here, by events in a request: events a CPU-second and
// the p99 of its acknowledgement.
var rudder = map[int]string{1: "6.5k, 30 ms", 10: "15.8k, 79 ms", 100: "21.4k, 432 ms"}

// collecting is a server that collects events of many tenants.
type collecting struct {
	*server
	store   store
	admin   *client.Client
	collect string
	keys    []string // of sources of the provider's
}

// collecting starts a server with tenants of a tier, and sources of the provider's.
func (b *bench) collecting(ctx context.Context, name, tier string, tenants, sources int) (_ *collecting, err error) {
	s, err := b.newStore(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &collecting{store: s}
	if c.server, err = b.start(ctx, s, "--collect", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.kill())
		}
	}()
	c.collect = <-c.collects
	if c.admin, err = c.client(s.token); err != nil {
		return nil, err
	}
	callers, err := callers(ctx, c.server, c.admin)
	if err != nil {
		return nil, err
	}
	if _, err := onboard(ctx, callers, tier, 0, tenants); err != nil {
		return nil, err
	}
	for n := range sources {
		made, err := c.admin.CreateSource(ctx, client.NewSource{Name: fmt.Sprintf("backend %d", n), TenantField: tenantField})
		if err != nil {
			return nil, err
		}
		c.keys = append(c.keys, made.Key)
	}
	return c, nil
}

// stopLoading makes the warehouse's process stand still, so that what is measured is intake alone: the
// server's loader waits for it. It returns how to let it go on.
func (c *collecting) stopLoading() (goOn func() error, err error) {
	pids := below(c.cmd.Process.Pid)
	if len(pids) == 0 {
		return nil, errors.New("the server has no children")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return nil, err
		}
	}
	return func() error {
		var errs []error
		for _, pid := range pids {
			errs = append(errs, syscall.Kill(pid, syscall.SIGCONT))
		}
		return errors.Join(errs...)
	}, nil
}

// intake sends events by 64 connections, as fast as they are acknowledged, to the product and to
// the probe in turns.
func (b *bench) intake(ctx context.Context) error {
	tenants, phase := eventTenants, intakePhase
	if b.quick {
		tenants, phase = tenants/10, phase/3
	}
	p, err := b.collecting(ctx, "intake", "platinum", tenants, intakeSources)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	limit, err := b.startProbe(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = limit.kill() }()
	b.printf("product: Segment's batches of the provider's sources, %d tenants in them, sealed for each and synced before the answer; its warehouse stands still meanwhile\n", tenants)
	b.printf("limit:   the same requests to net/http, decoded, compressed, sealed as one, appended and fdatasynced together; both: %d connections, closed loop, over loopback\n", intakeConnections)
	b.printf("peer:    RudderStack with PostgreSQL, quoted, of another run, events a CPU-second and p99: %s at 1 in a request, %s at 10, %s at 100\n", rudder[1], rudder[10], rudder[100])
	for at, count := range together {
		if err := b.intakeOf(ctx, p, limit, at, count, tenants, phase); err != nil {
			return err
		}
	}
	peak, err := p.memory("VmHWM")
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	b.printf("server's peak memory %.1f MB\n", mega(peak))
	return os.Remove(filepath.Join(b.dir, "probe.log"))
}

// measured is one turn of a server.
type measured struct {
	sent
	events int
	cpu    time.Duration
}

func (m measured) perCPU() float64 { return float64(m.events) / m.cpu.Seconds() }

func (m measured) String() string {
	return fmt.Sprintf("%.0f events a CPU-second, %.0f a second, acknowledged p50 %s p99 %s", m.perCPU(), float64(m.events)/m.wall.Seconds(), millis(m.p(50)), millis(m.p(99)))
}

func (b *bench) intakeOf(ctx context.Context, p *collecting, limit *server, at, count, tenants int, phase time.Duration) error {
	var ours, theirs []*sender
	for n := range intakeConnections {
		e := newEvents(uint64(at*intakeConnections+n), tenants)
		payloads := make([]payload, max(4, 64/count))
		for i := range payloads {
			payloads[i] = e.payload(count, time.Now().UTC())
		}
		for _, to := range []struct {
			list        *[]*sender
			target, key string
		}{{&ours, p.collect, p.keys[n%len(p.keys)]}, {&theirs, limit.url, "none"}} {
			s, err := dial(ctx, to.target, to.key, at*intakeConnections+n, payloads)
			if err != nil {
				return err
			}
			*to.list = append(*to.list, s)
		}
	}
	turn := func(of *server, senders []*sender) (m measured, err error) {
		before, err := of.cpu()
		if err != nil {
			return m, err
		}
		if m.sent, err = drive(senders, phase, 0); err != nil {
			return m, err
		}
		after, err := of.cpu()
		m.cpu, m.events = after-before, len(m.took)*count
		if m.refused > 0 {
			err = errors.Join(err, fmt.Errorf("%d requests were refused", m.refused))
		}
		return m, err
	}
	goOn := func() error { return nil }
	var ratios []float64
	for round := range b.rounds + 1 {
		product, err := turn(p.server, ours)
		if err != nil {
			return err
		}
		probe, err := turn(limit, theirs)
		if err != nil {
			return err
		}
		if round == 0 { // which starts the warehouse
			if goOn, err = p.stopLoading(); err != nil {
				return err
			}
			continue
		}
		ratios = append(ratios, product.perCPU()/probe.perCPU())
		b.printf("%d in a request, round %d: product %s; limit %s; ratio %.3f; load average %s\n", count, round, product, probe, ratios[len(ratios)-1], loadAverage())
	}
	if err := errors.Join(goOn(), closeAll(ours), closeAll(theirs)); err != nil {
		return err
	}
	ratio := spreadOf(ratios)
	b.floor(ratio.median >= intakeFloor, "events a CPU-second, product/limit, %d in a request, over %d rounds %s; floor %.2f", count, len(ratios), ratio, intakeFloor)
	return nil
}
