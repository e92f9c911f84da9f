package notify

import (
	"context"

	"tributary/internal/tenant"
)

// Owner is whose webhooks are meant, and who acts: a tenant, by its scope, or the
// provider. The zero Owner may do nothing.
type Owner struct {
	scope    tenant.Scope
	provider bool
	by       string // who acts for the provider
}

// Of is the scope's tenant.
func Of(scope tenant.Scope) Owner { return Owner{scope: scope} }

// UnscopedProvider is the provider, whose webhooks are told what its people can see
// of tenants. It owns no tenant's.
func UnscopedProvider(by string) Owner { return Owner{provider: true, by: by} }

// id is the owner in rows: empty for the provider.
func (o Owner) id() tenant.ID { return o.scope.Tenant() }

func (o Owner) actor() string {
	if o.provider {
		return o.by
	}
	return o.scope.Actor()
}

// check is the scope's; gateways ask policy what the provider's people may.
func (o Owner) check(ctx context.Context, v tenant.Verb, r tenant.Resource) error {
	if o.provider {
		return nil
	}
	return o.scope.Check(ctx, v, r)
}
