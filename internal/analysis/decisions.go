package analysis

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tributary/internal/tenant"
)

// Decisions lists what the scope's tenant has said of every version of every
// analysis, by analysis and version.
func (a *Analyses) Decisions(ctx context.Context, scope tenant.Scope) ([]Acceptance, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Acceptances); err != nil {
		return nil, err
	}
	list, err := a.acceptances(ctx, a.DB.For(scope.Tenant()), `WHERE a.tenant = $1`, string(scope.Tenant()))
	slices.SortFunc(list, func(x, y Acceptance) int {
		return cmp.Or(strings.Compare(x.Analysis, y.Analysis), cmp.Compare(x.Version, y.Version))
	})
	return list, err
}
