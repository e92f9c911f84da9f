package api

import (
	"context"
	"encoding/json"
	"net/http"

	"tributary/client"
	"tributary/internal/control"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// tenantRoutes are organisations and tenants. Their audit entries are written by
// package control.
func (s *server) tenantRoutes() {
	add(s, route{method: http.MethodPost, path: "/organisations", id: "create-organisation", summary: "Make an organisation", thing: "organisation",
		action: policy.OrganisationCreate, audience: staff, audit: "organisation.create", status: http.StatusCreated}, s.createOrganisation)
	add(s, route{method: http.MethodGet, path: "/organisations", id: "list-organisations", summary: "List organisations by name", thing: "organisation",
		action: policy.OrganisationRead, audience: staff}, s.organisations)
	add(s, route{method: http.MethodGet, path: "/organisations/{id}", id: "show-organisation", summary: "Show an organisation by id or name", thing: "organisation",
		action: policy.OrganisationRead, audience: staff}, s.organisation)
	add(s, route{method: http.MethodPost, path: "/organisations/{id}/verify", id: "verify-organisation", summary: "Record that an organisation was verified, and how", thing: "organisation",
		action: policy.OrganisationVerify, audience: staff, audit: "organisation.verify"}, s.verifyOrganisation)

	add(s, route{method: http.MethodPost, path: "/tenants", id: "create-tenant", summary: "Onboard a tenant", thing: "tenant",
		action: policy.TenantCreate, audience: staff, audit: "tenant.create", status: http.StatusCreated}, s.createTenant)
	add(s, route{method: http.MethodGet, path: "/tenants", id: "list-tenants", summary: "List tenants, the newest first", thing: "tenant",
		action: policy.TenantRead, audience: staff, view: control.TenantList.Words()}, s.tenants)
	add(s, route{method: http.MethodGet, path: "/tenants/{id}", id: "show-tenant", summary: "Show a tenant by id or slug", thing: "tenant",
		action: policy.TenantRead, audience: staff}, s.tenant)
	add(s, route{method: http.MethodPatch, path: "/tenants/{id}", id: "update-tenant", summary: "Change a tenant", thing: "tenant",
		action: policy.TenantUpdate, audience: staff, audit: "tenant.update"}, s.updateTenant)
	add(s, route{method: http.MethodPost, path: "/tenants/{id}/suspend", id: "suspend-tenant", summary: "Block a tenant's use, at once", thing: "tenant",
		action: policy.TenantSuspend, audience: staff, audit: "tenant.suspend"}, s.suspendTenant)
	add(s, route{method: http.MethodPost, path: "/tenants/{id}/activate", id: "activate-tenant", summary: "Let a suspended tenant be used again", thing: "tenant",
		action: policy.TenantActivate, audience: staff, audit: "tenant.activate"}, s.activateTenant)
	add(s, route{method: http.MethodGet, path: "/tenants/{id}/onboarding", id: "show-onboarding", summary: "The recorded steps of a tenant's onboarding", thing: "tenant",
		action: policy.TenantRead, audience: staff}, s.onboarding)
	add(s, route{method: http.MethodPost, path: "/tenants/{id}/offboard", id: "offboard-tenant", summary: "Begin a tenant's end: a grace of 30 days, then erasure", thing: "tenant",
		action: policy.TenantOffboard, audience: staff, audit: "tenant.offboard"}, s.offboardTenant)
	add(s, route{method: http.MethodPost, path: "/tenants/{id}/offboard/hasten", id: "hasten-offboarding", summary: "Shorten the grace to nothing; takes a second system admin", thing: "tenant",
		action: policy.TenantHasten, audience: staff, audit: "tenant.offboard.hasten"}, s.hasten)
	add(s, route{method: http.MethodDelete, path: "/tenants/{id}/offboard", id: "keep-tenant", summary: "Take an offboarding back; the tenant is then suspended", thing: "tenant",
		action: policy.TenantKeep, audience: staff, audit: "tenant.offboard.cancel", status: http.StatusOK}, s.keepTenant)
	add(s, route{method: http.MethodGet, path: "/tenants/{id}/receipt", id: "show-offboarding", summary: "A tenant's offboarding, with the signed receipt once it is erased", thing: "tenant",
		action: policy.TenantReceipt, audience: staff}, s.receipt)

	add(s, route{method: http.MethodGet, path: "/tenant", id: "show-own-tenant", summary: "One's own tenant", thing: "tenant",
		action: policy.ProfileRead, audience: tenants}, s.ownTenant)
	add(s, route{method: http.MethodGet, path: "/tenant/export", id: "export-tenant", summary: "Everything of one's own tenant, as a tar archive", thing: "tenant",
		action: policy.TenantExport, audience: tenants, audit: "tenant.export"}, s.export)
}

func (s *server) createOrganisation(ctx context.Context, c *call, i *in[client.NewOrganisation]) (*out[client.Organisation], error) {
	o, err := s.Control.UnscopedCreateOrganisation(ctx, c.by(), i.Body.Name)
	return answerWith(o, err, organisationWord)
}

// answerWith encodes a thing, or passes the error on.
func answerWith[T, W any](thing T, err error, word func(T) W) (*out[W], error) {
	if err != nil {
		return nil, err
	}
	return &out[W]{word(thing)}, nil
}

func (s *server) organisations(ctx context.Context, _ *call, i *Paging) (*list[client.Organisation], error) {
	found, next, err := s.Control.UnscopedOrganisations(ctx, i.meta())
	if err != nil {
		return nil, err
	}
	return each(found, next, organisationWord), nil
}

func (s *server) organisation(ctx context.Context, _ *call, i *ByID) (*out[client.Organisation], error) {
	o, err := s.Control.UnscopedOrganisation(ctx, i.ID)
	return answerWith(o, err, organisationWord)
}

type verification struct {
	ByID
	Body client.Verification
}

func (s *server) verifyOrganisation(ctx context.Context, c *call, i *verification) (*out[client.Organisation], error) {
	o, err := s.Control.UnscopedVerifyOrganisation(ctx, c.by(), i.ID, i.Body.Evidence)
	return answerWith(o, err, organisationWord)
}

func (s *server) createTenant(ctx context.Context, c *call, i *in[client.NewTenant]) (*out[client.Tenant], error) {
	allow, err := prefixes(i.Body.IPAllow)
	if err != nil {
		return nil, err
	}
	b := i.Body
	t, err := s.Control.UnscopedOnboard(ctx, c.by(), c.request.Header.Get("Idempotency-Key"), control.NewTenant{
		Slug: b.Slug, Name: b.Name, Organisation: b.Organisation, ExternalIDs: b.ExternalIDs, Tier: tenant.Tier(b.Tier), Type: b.Type,
		Industry: b.Industry, Revenue: b.Revenue, Employees: b.Employees, IPAllow: allow,
	})
	return answerWith(t, err, tenantWord)
}

type tenantList struct {
	Viewing
	State        string `query:"state" enum:"onboarding,active,suspended,offboarding,erased"`
	Organisation string `query:"organisation" doc:"An organisation's id"`
	WithHealth
}

func (s *server) tenants(ctx context.Context, _ *call, i *tenantList) (*list[client.Tenant], error) {
	found, next, err := s.Control.UnscopedTenants(ctx, control.Filter{State: control.State(i.State), Organisation: i.Organisation}, i.meta())
	if err != nil {
		return nil, err
	}
	words := each(found, next, tenantWord)
	if i.Health {
		err = s.addHealth(ctx, words.Body.Items)
	}
	return words, err
}

type tenantAsked struct {
	ByID
	WithHealth
}

func (s *server) tenant(ctx context.Context, _ *call, i *tenantAsked) (*out[client.Tenant], error) {
	t, err := s.Control.UnscopedTenant(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	words := []client.Tenant{tenantWord(t)}
	if i.Health {
		err = s.addHealth(ctx, words)
	}
	return &out[client.Tenant]{words[0]}, err
}

type tenantChange struct {
	ByID
	Body client.TenantChange
}

func (s *server) updateTenant(ctx context.Context, c *call, i *tenantChange) (*out[client.Tenant], error) {
	b := i.Body
	p := control.Patch{Name: b.Name, ExternalIDs: b.ExternalIDs, Tier: (*tenant.Tier)(b.Tier), Type: b.Type, Industry: b.Industry, Revenue: b.Revenue, Employees: b.Employees}
	if b.IPAllow != nil {
		allow, err := prefixes(*b.IPAllow)
		if err != nil {
			return nil, err
		}
		p.IPAllow = &allow
	}
	t, err := s.Control.UnscopedUpdate(ctx, c.by(), i.ID, p)
	return answerWith(t, err, tenantWord)
}

type reason struct {
	ByID
	Body client.Reason
}

func (s *server) suspendTenant(ctx context.Context, c *call, i *reason) (*out[client.Tenant], error) {
	t, err := s.Control.UnscopedSuspend(ctx, c.by(), i.ID, i.Body.Reason)
	return answerWith(t, err, tenantWord)
}

func (s *server) activateTenant(ctx context.Context, c *call, i *ByID) (*out[client.Tenant], error) {
	t, err := s.Control.UnscopedActivate(ctx, c.by(), i.ID)
	return answerWith(t, err, tenantWord)
}

func (s *server) onboarding(ctx context.Context, _ *call, i *ByID) (*out[client.Saga], error) {
	p, err := s.Control.UnscopedSaga(ctx, i.ID, "onboard")
	return answerWith(p, err, func(p control.Progress) client.Saga {
		w := client.Saga{ID: p.ID, Kind: p.Kind, State: p.State, Error: p.Error, CreatedAt: p.CreatedAt, FinishedAt: p.FinishedAt, Steps: []client.SagaStep{}}
		for _, d := range p.Steps {
			w.Steps = append(w.Steps, client.SagaStep{Step: d.Step, State: d.State, Detail: d.Detail, At: d.At})
		}
		return w
	})
}

type offboarding struct {
	ByID
	Body client.NewOffboarding
}

func (s *server) offboardTenant(ctx context.Context, c *call, i *offboarding) (*out[client.Offboarding], error) {
	admin, err := c.admin(ctx)
	if err != nil {
		return nil, err
	}
	l, err := s.Control.UnscopedOffboard(ctx, admin, i.ID, i.Body.Confirm)
	return answerWith(l, err, s.leavingWord)
}

func (s *server) hasten(ctx context.Context, c *call, i *ByID) (*out[client.Offboarding], error) {
	admin, err := c.admin(ctx)
	if err != nil {
		return nil, err
	}
	l, err := s.Control.UnscopedHasten(ctx, admin, i.ID)
	return answerWith(l, err, s.leavingWord)
}

func (s *server) keepTenant(ctx context.Context, c *call, i *ByID) (*out[client.Tenant], error) {
	t, err := s.Control.UnscopedKeep(ctx, c.by(), i.ID)
	return answerWith(t, err, tenantWord)
}

func (s *server) receipt(ctx context.Context, _ *call, i *ByID) (*out[client.Offboarding], error) {
	l, err := s.Control.UnscopedLeaving(ctx, i.ID)
	return answerWith(l, err, s.leavingWord)
}

func (s *server) leavingWord(l control.Leaving) client.Offboarding {
	w := client.Offboarding{Tenant: string(l.Tenant), RequestedAt: l.RequestedAt, RequestedBy: l.RequestedBy, EraseAfter: l.EraseAfter,
		HastenedBy: l.HastenedBy, ExportedAt: l.ExportedAt, FinishedAt: l.FinishedAt, Held: l.Held}
	if l.Receipt == nil {
		return w
	}
	w.Signed = s.signed(l.Receipt, l.Signature)
	var r control.Receipt
	if err := json.Unmarshal(l.Receipt, &r); err != nil {
		s.Log.Error("receipt not readable", "tenant.id", string(l.Tenant), "error", err)
		return w
	}
	for _, e := range r.Stores {
		w.Receipt = append(w.Receipt, client.ErasureLine(e))
	}
	return w
}

// signed is a statement as it is given out.
func (s *server) signed(body, signature []byte) *client.SignedStatement {
	return &client.SignedStatement{Body: body, Key: s.Audit.PublicKeys()[0].ID, Signature: signature}
}

func (s *server) ownTenant(ctx context.Context, c *call, _ *struct{}) (*out[client.Tenant], error) {
	scope, err := c.scope(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.Control.Profile(ctx, scope)
	return answerWith(t, err, tenantWord)
}
