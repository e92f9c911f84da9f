package analysis

import (
	"context"
	"slices"
	"time"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
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

// verdicts is how long a run with a cut-off waits for files that came in time to be
// validated.
const verdicts = time.Hour

// inTime fails with Unavailable, so that the run is tried again, while files of
// active tenants that came by its cut-off are not validated yet.
func (x *execution) inTime(ctx context.Context, tx *meta.DB) error {
	if x.run.Through == nil || x.Clock.Now().Sub(x.run.CreatedAt) > verdicts {
		return nil
	}
	var waiting []tenant.ID
	for _, dataset := range x.def.Datasets {
		list, err := x.Exchange.UnscopedPending(ctx, tx, dataset, x.run.Date, *x.run.Through)
		if err != nil {
			return err
		}
		waiting = append(waiting, list...)
	}
	slices.Sort(waiting)
	tenants, err := x.Control.UnscopedTenantsIn(ctx, tx, slices.Compact(waiting))
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if t.State == control.Active {
			return fault.New(fault.Unavailable, "files that came by the cut-off are still being validated")
		}
	}
	return nil
}
