package tenant

import "context"

// Owner is whose things are meant, of a kind that the provider has as well, and who
// acts: a tenant, by its scope, or the provider, which owns none of a tenant's. The
// zero Owner may do nothing.
type Owner struct {
	scope    Scope
	provider bool
	by       string // who acts for the provider
}

// OwnerOf is the scope's tenant.
func OwnerOf(scope Scope) Owner { return Owner{scope: scope} }

// UnscopedProvider is the provider.
func UnscopedProvider(by string) Owner { return Owner{provider: true, by: by} }

// Provider reports whether it is the provider.
func (o Owner) Provider() bool { return o.provider }

// ID is the owner in rows: empty for the provider.
func (o Owner) ID() ID { return o.scope.Tenant() }

// Scope is the tenant's; of the provider, one that allows nothing.
func (o Owner) Scope() Scope { return o.scope }

// Actor is the id of who acts.
func (o Owner) Actor() string {
	if o.provider {
		return o.by
	}
	return o.scope.Actor()
}

// Check is the scope's; gateways ask policy what the provider's people may.
func (o Owner) Check(ctx context.Context, v Verb, r Resource) error {
	if o.provider {
		return nil
	}
	return o.scope.Check(ctx, v, r)
}
