package warehouse

import (
	"context"
	"fmt"

	"tributary/internal/events"
	"tributary/internal/stream"
)

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
	for i := range list {
		if l.name == stream.Events {
			b.event(&list[i])
		} else if err := b.act(&list[i]); err != nil {
			return err
		}
	}
	if err := b.commit(ctx); err != nil {
		return fmt.Errorf("restore events of stream %s: %w", l.name, err)
	}
	return nil
}
