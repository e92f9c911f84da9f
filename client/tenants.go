package client

import (
	"context"
	"io"
	"net/http"
)

// TenantFilter narrows the list of tenants.
type TenantFilter struct {
	Page
	State        string // onboarding, active, suspended, offboarding or erased
	Organisation string // an organisation's id
	Health       bool   // with the health of each
	View
}

func (f TenantFilter) from(cursor string) TenantFilter { f.After = cursor; return f }
func (f TenantFilter) limited(n int) TenantFilter      { f.Page = f.Page.limited(n); return f }

// CreateOrganisation makes an organisation.
func (c *Client) CreateOrganisation(ctx context.Context, n NewOrganisation) (Organisation, error) {
	return post[Organisation](ctx, c, "/organisations", n)
}

// Organisations lists a page of organisations by name.
func (c *Client) Organisations(ctx context.Context, p Page) (List[Organisation], error) {
	return get[List[Organisation]](ctx, c, "/organisations", p.values())
}

// Organisation finds an organisation by id or name.
func (c *Client) Organisation(ctx context.Context, idOrName string) (Organisation, error) {
	return get[Organisation](ctx, c, "/organisations/"+id(idOrName), nil)
}

// VerifyOrganisation records that an organisation is who it says, and how that
// was found out.
func (c *Client) VerifyOrganisation(ctx context.Context, idOrName string, v Verification) (Organisation, error) {
	return post[Organisation](ctx, c, "/organisations/"+id(idOrName)+"/verify", v)
}

// CreateTenant onboards a tenant and returns once it is active.
func (c *Client) CreateTenant(ctx context.Context, n NewTenant) (Tenant, error) {
	return post[Tenant](ctx, c, "/tenants", n)
}

// Tenants lists a page of tenants, the newest first if View says nothing else.
func (c *Client) Tenants(ctx context.Context, f TenantFilter) (List[Tenant], error) {
	return get[List[Tenant]](ctx, c, "/tenants", f.narrow(f.values()).text("state", f.State).text("organisation", f.Organisation).yes("health", f.Health))
}

// TenantHealth finds a tenant, with its health.
func (c *Client) TenantHealth(ctx context.Context, idOrSlug string) (Tenant, error) {
	return get[Tenant](ctx, c, "/tenants/"+id(idOrSlug), params{}.yes("health", true))
}

// Tenant finds a tenant.
func (c *Client) Tenant(ctx context.Context, idOrSlug string) (Tenant, error) {
	return get[Tenant](ctx, c, "/tenants/"+id(idOrSlug), nil)
}

// UpdateTenant changes what is not nil in change.
func (c *Client) UpdateTenant(ctx context.Context, idOrSlug string, change TenantChange) (Tenant, error) {
	return send[Tenant](ctx, c, request{method: http.MethodPatch, path: "/tenants/" + id(idOrSlug)}, change)
}

// SuspendTenant blocks a tenant's use at once.
func (c *Client) SuspendTenant(ctx context.Context, idOrSlug, reason string) (Tenant, error) {
	return post[Tenant](ctx, c, "/tenants/"+id(idOrSlug)+"/suspend", Reason{Reason: reason})
}

// ActivateTenant lets a suspended tenant be used again.
func (c *Client) ActivateTenant(ctx context.Context, idOrSlug string) (Tenant, error) {
	return post[Tenant](ctx, c, "/tenants/"+id(idOrSlug)+"/activate", struct{}{})
}

// Onboarding returns the recorded steps of a tenant's onboarding.
func (c *Client) Onboarding(ctx context.Context, idOrSlug string) (Saga, error) {
	return get[Saga](ctx, c, "/tenants/"+id(idOrSlug)+"/onboarding", nil)
}

// OffboardTenant begins a tenant's end. Confirm is its slug once more.
func (c *Client) OffboardTenant(ctx context.Context, idOrSlug, confirm string) (Offboarding, error) {
	return post[Offboarding](ctx, c, "/tenants/"+id(idOrSlug)+"/offboard", NewOffboarding{Confirm: confirm})
}

// HastenOffboarding ends the grace of an offboarding. It takes another system
// admin than the one who began it.
func (c *Client) HastenOffboarding(ctx context.Context, idOrSlug string) (Offboarding, error) {
	return post[Offboarding](ctx, c, "/tenants/"+id(idOrSlug)+"/offboard/hasten", struct{}{})
}

// KeepTenant takes an offboarding back; the tenant is then suspended.
func (c *Client) KeepTenant(ctx context.Context, idOrSlug string) (Tenant, error) {
	return call[Tenant](ctx, c, request{method: http.MethodDelete, path: "/tenants/" + id(idOrSlug) + "/offboard"})
}

// OffboardingReceipt returns a tenant's offboarding, with the signed receipt once
// it is erased.
func (c *Client) OffboardingReceipt(ctx context.Context, idOrSlug string) (Offboarding, error) {
	return get[Offboarding](ctx, c, "/tenants/"+id(idOrSlug)+"/receipt", nil)
}

// OwnTenant returns the tenant of the credential.
func (c *Client) OwnTenant(ctx context.Context) (Tenant, error) {
	return get[Tenant](ctx, c, "/tenant", nil)
}

// ExportTenant writes everything of the credential's tenant to w, as a tar
// archive. It returns nil only when all of it was written.
func (c *Client) ExportTenant(ctx context.Context, w io.Writer, progress Progress) (Download, error) {
	return c.download(ctx, "/tenant/export", nil, w, progress)
}
