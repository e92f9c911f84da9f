package analysis

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tributary/internal/meta"
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

// Part is how a tenant stands to the analyses that use a dataset.
type Part struct {
	Since    time.Time // when it first accepted one whose current version it stands to with a yes; zero: there is none
	Declined bool      // there is none, and it has declined one
}

// UnscopedUsing lists the current versions of all analyses by the datasets they use.
func (a *Analyses) UnscopedUsing(ctx context.Context) (map[string][]Analysis, error) {
	using := map[string][]Analysis{}
	for page := (meta.Page{Limit: 500}); ; {
		some, next, err := a.Analyses(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, v := range some {
			for _, dataset := range v.Definition.Datasets {
				using[dataset] = append(using[dataset], v)
			}
		}
		if next == "" {
			return using, nil
		}
		page.After = next
	}
}

// UnscopedParts returns how the tenants, or one of them, stand to analyses of which
// some version is given. Who has decided nothing about them is left out.
func (a *Analyses) UnscopedParts(ctx context.Context, id tenant.ID, versions []Analysis) (map[tenant.ID]Part, error) {
	db := a.DB.Unscoped()
	if id != "" {
		db = a.DB.For(id)
	}
	parts := map[tenant.ID]Part{}
	for _, v := range versions {
		all, err := a.acceptances(ctx, db, `WHERE a.analysis = $1 AND ($2 = '' OR a.tenant = $2)`, v.Name, string(id))
		if err != nil {
			return nil, err
		}
		w := a.weigher(v)
		for len(all) > 0 { // they come by tenant
			n := 1
			for n < len(all) && all[n].Tenant == all[0].Tenant {
				n++
			}
			s, err := w.standing(ctx, a.DB, all[:n])
			if err != nil {
				return nil, err
			}
			parts[all[0].Tenant] = parts[all[0].Tenant].and(s, all[:n])
			all = all[n:]
		}
	}
	return parts, nil
}

// and is how a tenant stands once one more of its standings is known, which these
// decisions led to.
func (p Part) and(s Standing, decisions []Acceptance) Part {
	for _, c := range decisions {
		if s.Covers() && c.Decision == Accepted && (p.Since.IsZero() || c.DecidedAt.Before(p.Since)) {
			p.Since = c.DecidedAt
		}
	}
	p.Declined = p.Since.IsZero() && (p.Declined || s.Decision == Declined)
	return p
}
