package warehouse

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// gather makes a batch of what a stream has after another batch, or with nil after what
// is loaded. It returns nil if there is nothing.
func (l *loader) gather(ctx context.Context, before *batch) (*batch, error) {
	b := l.newBatch()
	if before != nil {
		b.from, b.last, b.chains = before.last, before.last, maps.Clone(before.chains)
	}
	for more := true; more && !b.full; {
		list, err := l.cfg.Streams.Read(ctx, l.name, b.last, "", mostBlocks)
		var gone stream.Missing
		var shorter stream.Shorter
		switch {
		case err != nil && b.last > b.from: // whoever reads on from there finds it
			return b, nil
		case errors.As(err, &gone):
			b.problem(gone.From, "", err)
			b.through(gone.To, time.Time{})
		case errors.As(err, &shorter): // whatever it has now is read from its beginning, and is there once all the same
			b.problem(b.from, "", err)
			b.last, b.chains = 0, map[tenant.ID]events.Place{}
			b.anew = true
		case err != nil:
			return nil, err
		}
		if err := b.take(ctx, list); err != nil {
			return nil, err
		}
		more = len(list) == mostBlocks
	}
	if b.last == b.from {
		return nil, nil
	}
	return b, nil
}

// opened is a block as it was opened.
type opened struct {
	stream.Stored
	header events.Header
	list   []events.Event
	place  events.Place
	err    error
}

// take adds the events of blocks until the batch is full. They are opened beside each other, some at once.
func (b *batch) take(ctx context.Context, list []stream.Stored) error {
	for len(list) > 0 && !b.full {
		some := make([]opened, 0, len(list))
		for lines := 0; len(list) > 0 && lines < mostLines; list = list[1:] {
			if h, err := events.ReadHeader(list[0].Data); err == nil {
				lines += h.Size
			}
			some = append(some, opened{Stored: list[0]})
		}
		b.open(ctx, some)
		for i := range some {
			if err := b.add(ctx, &some[i]); err != nil {
				return err
			}
		}
		b.full = b.size() > mostBytes
	}
	return nil
}

// open opens blocks, each by itself.
func (b *batch) open(ctx context.Context, some []opened) {
	var at atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(some)) {
		all.Go(func() {
			for i := at.Add(1) - 1; i < int64(len(some)); i = at.Add(1) - 1 {
				o := &some[i]
				if o.header, o.list, o.err = b.cfg.Blocks.Open(ctx, o.Data); o.err == nil {
					o.place = events.PlaceOf(o.header, o.Data)
				}
			}
		})
	}
	all.Wait()
}

// add adds a block's events. A block that is damaged or does not follow is noted;
// one whose tenant was erased is passed over.
func (b *batch) add(ctx context.Context, m *opened) error {
	b.through(m.Sequence, m.At)
	h := m.header
	switch {
	case fault.Is(m.err, fault.NotFound):
		return nil
	case fault.Is(m.err, fault.Damaged):
		b.problem(m.Sequence, m.Tenant, m.err)
		return nil
	case m.err != nil:
		return m.err
	case h.Tenant != m.Tenant || h.Stream != string(b.name):
		b.problem(m.Sequence, m.Tenant, fault.New(fault.Damaged, "The %s stands on the stream %s as one of %q.", h, b.name, m.Tenant))
		return nil
	}
	if place, known := b.chains[h.Tenant]; known { // else what was before it is kept no longer
		if err := place.Follows(h); err != nil { // what is there is loaded all the same
			b.problem(m.Sequence, m.Tenant, err)
		}
	}
	b.chains[h.Tenant] = m.place
	b.ends[h.Tenant] = m.place
	return b.rowsOf(ctx, m.list)
}
