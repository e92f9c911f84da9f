package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// tenants is the part of control that intake needs.
type tenants interface {
	// UnscopedTenant finds a tenant by its id or slug.
	UnscopedTenant(ctx context.Context, idOrSlug string) (control.Tenant, error)
	// UnscopedNamed finds the tenant that the provider's data names: by its slug or
	// an external id.
	UnscopedNamed(ctx context.Context, name string) (control.Tenant, error)
}

// makers is the part of account that sources need: what an API key made ends with it.
type makers interface {
	UnscopedKeyEnded(ctx context.Context, id tenant.ID, key string) (bool, error)
}

// Config is what Events need; all fields but Rates, Meter and Log are required.
type Config struct {
	DB      *meta.DB
	Streams *stream.Streams
	Tenants tenants
	Makers  makers
	Policy  *policy.Engine
	Audit   *audit.Log
	Keys    *keys.Ring
	Clock   clock.Clock
	Meter   metric.Meter
	Log     *slog.Logger
	// Rates is how many events a second a tenant of each tier may send, and how many of
	// its own the provider's sources may, with ten times as many in a burst; nil: what is
	// usual.
	Rates map[tenant.Tier]int
}

// Events takes in events.
type Events struct {
	Config
	Blocks    *Blocks
	Erased    *Erased
	Sequencer *Sequencer

	good    *gather // what waits to be committed to the stream
	bad     *gather // what waits to be put in quarantine
	limits  *limits
	seen    *seen
	variety *variety
	plan    atomic.Pointer[plan]
	counted counters

	mu      sync.Mutex
	sources map[[32]byte]known  // by the digest of their key, and by their id
	named   map[string]resolved // tenants, by what the provider's data calls them
}

// counters are what intake counts.
type counters struct {
	taken   metric.Int64Counter // events, by verdict and the tier of the tenant whose credential it was
	foreign metric.Int64Counter // events that named a tenant which their credential fixes
}

// New makes Events.
func New(cfg Config) (*Events, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Meter == nil {
		cfg.Meter = noop.NewMeterProvider().Meter("")
	}
	if cfg.Rates == nil {
		cfg.Rates = rates
	}
	e := &Events{Config: cfg, limits: newLimits(cfg.Clock), seen: newSeen(), variety: newVariety(), sources: map[[32]byte]known{}, named: map[string]resolved{}}
	var err error
	e.Erased = NewErased(cfg.DB, cfg.Keys)
	if e.Blocks, err = NewBlocks(cfg.Keys, e.Erased); err != nil {
		return nil, err
	}
	e.Sequencer = NewSequencer(cfg.DB, cfg.Streams, e.Blocks, cfg.Clock)
	e.good, e.bad = newGather(cfg.Clock.Now, e.commit), newGather(cfg.Clock.Now, e.quarantine)
	for _, c := range []struct {
		to          *metric.Int64Counter
		name, about string
	}{
		{&e.counted.taken, "tributary.events.received", "Events received, by what became of them"},
		{&e.counted.foreign, "tributary.events.foreign_tenant", "Events that named a tenant although their credential fixes one"},
	} {
		if *c.to, err = cfg.Meter.Int64Counter(c.name, metric.WithDescription(c.about)); err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
	}
	return e, nil
}

// Close waits until what is being committed is.
func (e *Events) Close(ctx context.Context) error {
	e.good.wait()
	e.bad.wait()
	return e.Sequencer.Save(ctx)
}

// seal seals a value for its row: with the tenant's pool key, or the server's own
// for the provider. It is NotFound once the tenant's keys are destroyed.
func (e *Events) seal(ctx context.Context, id tenant.ID, data []byte, row string) ([]byte, error) {
	if id == "" {
		return e.Keys.EncryptOwn(data, []byte("event "+row))
	}
	return e.Keys.Encrypt(ctx, id, keys.Pool, data, []byte("event "+row))
}

func (e *Events) open(ctx context.Context, id tenant.ID, sealed []byte, row string) ([]byte, error) {
	if id == "" {
		return e.Keys.DecryptOwn(sealed, []byte("event "+row))
	}
	return e.Keys.Decrypt(ctx, id, keys.Pool, sealed, []byte("event "+row))
}
