package analysis

import (
	"context"
	"time"

	"tributary/internal/meta"
)

// AnalysisIn is Analysis inside a transaction.
func (a *Analyses) AnalysisIn(ctx context.Context, tx *meta.DB, name string, version int64) (Analysis, error) {
	return a.analysis(ctx, tx, name, version)
}

// UnscopedStartIn is UnscopedStart inside a transaction, of a version that is
// given. After the commit the caller wakes the queue.
func (a *Analyses) UnscopedStartIn(ctx context.Context, tx *meta.DB, by string, v Analysis, date string, through *time.Time) (Run, error) {
	return a.queue(ctx, tx, by, v.Name, v.Version, date, through)
}
