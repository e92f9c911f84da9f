package analysis

import (
	"context"
	"maps"
	"slices"
	"time"

	"tributary/internal/control"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedStartIn is UnscopedStart inside a transaction, of a version that is
// given. After the commit the caller wakes the queue.
func (a *Analyses) UnscopedStartIn(ctx context.Context, tx *meta.DB, by string, v Analysis, date string, through *time.Time) (Run, error) {
	return a.queue(ctx, tx, by, v.Name, v.Version, date, through)
}

// UnscopedParticipants returns the tenants whose files a run of a version begun now
// could read: the active ones with a standing yes that covers it.
func (a *Analyses) UnscopedParticipants(ctx context.Context, tx *meta.DB, v Analysis) (map[tenant.ID]bool, error) {
	decisions, ids, err := a.decisions(ctx, tx, v.Name)
	if err != nil {
		return nil, err
	}
	tenants, err := a.takingPart(ctx, tx, v, decisions, ids)
	if err != nil {
		return nil, err
	}
	part := map[tenant.ID]bool{}
	for id := range tenants {
		part[id] = true
	}
	return part, nil
}

// takingPart returns those of some tenants that are active and whose decisions about
// the analysis are a yes that covers the version.
func (a *Analyses) takingPart(ctx context.Context, tx *meta.DB, v Analysis, decisions map[tenant.ID][]Acceptance, ids []tenant.ID) (map[tenant.ID]control.Tenant, error) {
	tenants, err := a.Control.UnscopedTenantsIn(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var owners []string
	for _, t := range tenants {
		owners = append(owners, t.Organisation)
	}
	slices.Sort(owners)
	counting, err := a.Control.UnscopedCounting(ctx, tx, slices.Compact(owners))
	if err != nil {
		return nil, err
	}
	w := a.weigher(v)
	for _, id := range slices.Collect(maps.Keys(tenants)) {
		s, err := w.standing(ctx, tx, decisions[id])
		if err != nil {
			return nil, err
		}
		if !s.Covers() || tenants[id].State != control.Active || !counting[tenants[id].Organisation] {
			delete(tenants, id)
		}
	}
	return tenants, nil
}
