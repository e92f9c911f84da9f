package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tributary/internal/sandbox"
	"tributary/internal/warehouse"
)

// unfilled is how long a warehouse that could not be filled waits until it tries again.
const unfilled = 5 * time.Second

// loadWarehouse fills the warehouse with what the streams have no longer, and then loads
// them as they grow.
func (a *App) loadWarehouse(ctx context.Context) {
	for {
		err := a.warehouse.Fill(ctx, a.archive)
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
	a.warehouse, err = warehouse.New(warehouse.Config{Sandbox: box, Dir: dir, DB: a.stores.db, Streams: a.streams, Blocks: a.events.Blocks, Sources: a.events,
		Audit: a.stores.audit, Clock: a.cfg.Clock, Log: a.cfg.Log})
	return err
}
