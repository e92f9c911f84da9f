package warehouse

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/events"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// past is what has the events that streams have no longer.
type past interface {
	// UnscopedHas reports whether it has anything of a stream.
	UnscopedHas(ctx context.Context, n stream.Name) (bool, error)
	// UnscopedSince calls each with a stream's events that came on a time's day or later,
	// of a tenant, or with "" of all and of the provider. It passes over objects that cannot
	// be read, and returns and logs them.
	UnscopedSince(ctx context.Context, id tenant.ID, n stream.Name, t time.Time, each func([]events.Event) error) (unread []string, err error)
}

// SetPast says what has the events that streams have no longer; without, nothing does.
func (w *Warehouse) SetPast(p past) { w.past = p }

// Fill loads what is not loaded and is on the streams no longer: all of the past for a new
// warehouse, and for one that was away, what came since. It is to end before Run begins,
// which notes how far a stream is loaded; until then it is done again.
func (w *Warehouse) Fill(ctx context.Context) error {
	for _, n := range stream.Names {
		has, err := w.past.UnscopedHas(ctx, n)
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		state, err := w.cfg.Streams.State(ctx, n)
		if err != nil {
			return err
		}
		after, through, err := w.loaded(ctx, n)
		if err != nil {
			return err
		}
		if after != 0 && after+1 >= state.First && after <= state.Last {
			continue
		}
		if _, err := w.past.UnscopedSince(ctx, "", n, through, func(list []events.Event) error { return w.UnscopedRestore(ctx, n, list) }); err != nil {
			return fmt.Errorf("fill the warehouse with stream %s: %w", n, err)
		}
	}
	w.filled.Store(true)
	return nil
}

// loaded is how far a stream is loaded, and when the last of it came; zero: never.
func (w *Warehouse) loaded(ctx context.Context, n stream.Name) (after uint64, through time.Time, err error) {
	w.loading.Lock()
	defer w.loading.Unlock()
	l := w.loaders[n]
	if err := l.look(ctx); err != nil {
		return 0, through, err
	}
	if l.after == 0 {
		return 0, through, nil
	}
	return l.after, l.at, nil
}

// UnscopedRestore loads events that a stream may have no longer, of any tenants. Those that
// are there are left out; how far the stream itself is loaded stays as it is.
func (w *Warehouse) UnscopedRestore(ctx context.Context, n stream.Name, list []events.Event) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	l := w.loaders[n]
	if l == nil {
		return fmt.Errorf("restore events: there is no stream %q", n)
	}
	err := l.restore(ctx, list)
	if err != nil {
		l.known = false // a commit that was not answered may have been made
	}
	return err
}

func (l *loader) restore(ctx context.Context, list []events.Event) error {
	if !l.known {
		if err := l.look(ctx); err != nil {
			return err
		}
	}
	b := l.newBatch()
	if err := b.rowsOf(ctx, list); err != nil {
		return err
	}
	if err := b.commit(ctx); err != nil {
		return fmt.Errorf("restore events of stream %s: %w", l.name, err)
	}
	l.signal()
	return nil
}
