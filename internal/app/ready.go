package app

import "context"

// Ready returns nil while the server can do its work: the database, the object
// store and the streams take writes.
func (a *App) Ready(ctx context.Context) error {
	if err := a.stores.db.Healthy(ctx); err != nil {
		return err
	}
	if err := a.stores.blobs.Check(ctx); err != nil {
		return err
	}
	return a.streams.Check(ctx)
}
