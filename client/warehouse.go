package client

import (
	"context"
	"net/http"
)

// Freshness lists how new the sources, facts and models of the credential's tenant
// are; to the provider's people, of all and of each tenant, with the streams.
func (c *Client) Freshness(ctx context.Context, f FreshnessFilter) (List[Freshness], error) {
	return get[List[Freshness]](ctx, c, "/freshness", params{}.text("tenant", f.Tenant).text("kind", f.Kind).text("state", f.State))
}

// Warehouse says how the warehouse is doing.
func (c *Client) Warehouse(ctx context.Context) (Warehouse, error) {
	return get[Warehouse](ctx, c, "/warehouse", nil)
}

// StartRebuild begins a rebuild, which goes on in the background; there is one at a time.
func (c *Client) StartRebuild(ctx context.Context, n NewRebuild) (Rebuild, error) {
	return post[Rebuild](ctx, c, "/warehouse/rebuild", n)
}

// CancelRebuild ends the rebuild that runs. What it has written stays.
func (c *Client) CancelRebuild(ctx context.Context) (Rebuild, error) {
	return call[Rebuild](ctx, c, request{method: http.MethodDelete, path: "/warehouse/rebuild"})
}
