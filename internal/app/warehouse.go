package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"tributary/internal/sandbox"
	"tributary/internal/warehouse"
)

// unfilled is how long a warehouse that could not be filled waits until it tries again.
const unfilled = 5 * time.Second

// loadWarehouse fills the warehouse with what the streams have no longer, and then loads
// them as they grow.
func (a *App) loadWarehouse(ctx context.Context) {
	for {
		err := a.warehouse.Fill(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			a.cfg.Log.ErrorContext(ctx, "the warehouse could not be filled from the archive", "error", err)
		}
		timer := time.NewTimer(unfilled)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	a.warehouse.Run(ctx)
}

// makeWarehouse makes the warehouse; its file is opened when it is first needed.
func (a *App) makeWarehouse(box *sandbox.Box) error {
	dir := filepath.Join(a.cfg.Data, "warehouse")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of the warehouse: %w", err)
	}
	var err error
	if a.warehouse, err = warehouse.New(warehouse.Config{Sandbox: box, Dir: dir, DB: a.stores.db, Streams: a.streams, Blocks: a.events.Blocks, Sources: a.events,
		Audit: a.stores.audit, Clock: a.cfg.Clock, Log: a.cfg.Log}); err != nil {
		return err
	}
	return a.measureAnswers()
}

// measureAnswers makes the figures of the answers that are kept of named queries.
func (a *App) measureAnswers() error {
	queries, err := a.telemetry.meter.Int64ObservableCounter("tributary.queries.named", metric.WithDescription("Named queries that were asked, by whether their answer was there (hit) or was made (miss)"))
	if err != nil {
		return fmt.Errorf("measure named queries: %w", err)
	}
	size, err := a.telemetry.meter.Int64ObservableGauge("tributary.queries.kept", metric.WithUnit("By"), metric.WithDescription("Answers of named queries that are kept"))
	if err != nil {
		return fmt.Errorf("measure kept answers: %w", err)
	}
	hit, miss := metric.WithAttributes(attribute.String("result", "hit")), metric.WithAttributes(attribute.String("result", "miss"))
	_, err = a.telemetry.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		k := a.warehouse.Kept()
		o.ObserveInt64(queries, k.Hits, hit)
		o.ObserveInt64(queries, k.Misses, miss)
		o.ObserveInt64(size, k.Bytes)
		return nil
	}, queries, size)
	return err
}
