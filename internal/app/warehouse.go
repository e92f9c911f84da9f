package app

import (
	"fmt"
	"os"
	"path/filepath"

	"tributary/internal/sandbox"
	"tributary/internal/warehouse"
)

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
