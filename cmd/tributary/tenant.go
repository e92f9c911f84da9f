package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"tributary/client"
)

type tenantCmd struct {
	Create     tenantCreateCmd     `cmd:"" help:"Onboard a tenant."`
	List       tenantListCmd       `cmd:"" help:"List tenants, the newest first."`
	Show       tenantShowCmd       `cmd:"" help:"Show a tenant; without a name the token's own."`
	Update     tenantUpdateCmd     `cmd:"" help:"Change a tenant."`
	Suspend    tenantSuspendCmd    `cmd:"" help:"Block a tenant's use, at once."`
	Activate   tenantActivateCmd   `cmd:"" help:"Let a suspended tenant be used again."`
	Onboarding tenantOnboardingCmd `cmd:"" help:"Show the recorded steps of a tenant's onboarding."`
	Export     tenantExportCmd     `cmd:"" help:"Download everything of the token's own tenant, as a tar archive."`
	Offboard   tenantOffboardCmd   `cmd:"" help:"Begin a tenant's end: 30 days of grace, then erasure."`
	Hasten     tenantHastenCmd     `cmd:"" help:"End the grace of an offboarding; takes a second system admin."`
	Keep       tenantKeepCmd       `cmd:"" help:"Take an offboarding back; the tenant is then suspended."`
	Receipt    tenantReceiptCmd    `cmd:"" help:"Show a tenant's offboarding, with the signed receipt once it is erased."`
}

func (o *output) tenant(t client.Tenant) {
	o.fields("id", t.ID, "slug", t.Slug, "name", t.Name, "state", t.State, "state_reason", t.StateReason, "organisation", t.Organisation,
		"organisation_name", t.OrganisationName, "external_ids", strings.Join(t.ExternalIDs, ", "), "tier", t.Tier, "type", t.Type,
		"industry", t.Industry, "revenue", numberOr(t.Revenue), "employees", numberOr(t.Employees), "ip_allow", strings.Join(t.IPAllow, ", "),
		"claimed_at", whenever(t.ClaimedAt), "created_at", when(t.CreatedAt), "created_by", t.CreatedBy, "modified_at", when(t.ModifiedAt),
		"modified_by", t.ModifiedBy, "times_modified", number(t.TimesModified))
	if h := t.Health; h != nil {
		o.fields("users", number(h.Users), "last_sign_in", whenever(h.LastSignIn), "last_submission", whenever(h.LastSubmission), "rejected_30_days", number(h.Rejected),
			"missing", number(h.Missing), "open_uploads", number(h.OpenUploads), "results_waiting", number(h.ResultsWaiting), "stored", size(h.StoredBytes))
	}
}

// slugArg is a tenant that is named.
type slugArg struct {
	Slug string `arg:"" help:"The tenant's slug or id."`
}

type tenantCreateCmd struct {
	Slug         string   `arg:"" help:"Its short name: 3 to 40 lower-case letters, digits and hyphens, starting with a letter."`
	Name         string   `required:"" placeholder:"NAME" help:"Its name."`
	Organisation string   `required:"" placeholder:"NAME" help:"The id or name of its owner; a new name makes an organisation."`
	ExternalID   []string `name:"external-id" placeholder:"ID" sep:"none" help:"How the provider's own data names it; repeatable."`
	Tier         string   `placeholder:"TIER" enum:"basic,standard,premium,platinum" default:"basic" help:"${enum}."`
	Type         string   `placeholder:"TYPE" enum:"PRODUCTION,POC,TESTING" default:"PRODUCTION" help:"${enum}."`
	Industry     string   `placeholder:"NAME" help:"Its industry."`
	Revenue      *int64   `placeholder:"N" help:"A year, in whole units of the provider's currency."`
	Employees    *int64   `placeholder:"N" help:"How many people work there."`
	IPAllow      []string `name:"ip-allow" placeholder:"CIDR" help:"Where its credentials may be used from; repeatable; nowhere named is everywhere."`
}

// Run onboards a tenant.
func (t *tenantCreateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	made, err := c.CreateTenant(ctx, client.NewTenant{Slug: t.Slug, Name: t.Name, Organisation: t.Organisation, ExternalIDs: t.ExternalID, Tier: t.Tier,
		Type: t.Type, Industry: t.Industry, Revenue: t.Revenue, Employees: t.Employees, IPAllow: t.IPAllow})
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(made) })
}

type tenantListCmd struct {
	listFlags
	viewFlags
	State        string `placeholder:"STATE" enum:",onboarding,active,suspended,offboarding,erased" default:"" help:"Only in this state: onboarding, active, suspended, offboarding, erased."`
	Organisation string `placeholder:"ID" help:"Only of this organisation."`
	Health       bool   `help:"How each is doing: people, files, results and bytes."`
}

// Run lists tenants.
func (t *tenantListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	filter := client.TenantFilter{Page: t.page(), State: t.State, Organisation: t.Organisation, View: t.view(), Health: t.Health}
	if t.Health {
		return printList(ctx, out, t.listFlags, c.Tenants, filter, healthColumns)
	}
	return printList(ctx, out, t.listFlags, c.Tenants, filter, columns[client.Tenant]{
		[]string{"ID", "SLUG", "NAME", "ORGANISATION", "TIER", "STATE", "CREATED"},
		func(t client.Tenant) []string {
			return []string{t.ID, t.Slug, t.Name, t.OrganisationName, t.Tier, t.State, when(t.CreatedAt)}
		},
	})
}

type tenantShowCmd struct {
	Slug   string `arg:"" optional:"" help:"The tenant's slug or id."`
	Health bool   `help:"How it is doing, too: people, files, results and bytes. For the provider's people, who name the tenant."`
}

// Run shows a tenant.
func (t *tenantShowCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	var found client.Tenant
	var err error
	switch {
	case t.Slug == "":
		found, err = c.OwnTenant(ctx)
	case t.Health:
		found, err = c.TenantHealth(ctx, t.Slug)
	default:
		found, err = c.Tenant(ctx, t.Slug)
	}
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(found) })
}

type tenantUpdateCmd struct {
	slugArg
	Name          *string  `placeholder:"NAME" help:"Its name."`
	ExternalID    []string `name:"external-id" placeholder:"ID" sep:"none" xor:"external" help:"In place of all its external ids; repeatable."`
	NoExternalIDs bool     `name:"no-external-ids" xor:"external" help:"Take all its external ids away."`
	Tier          *string  `placeholder:"TIER" enum:"basic,standard,premium,platinum" help:"${enum}."`
	Type          *string  `placeholder:"TYPE" enum:"PRODUCTION,POC,TESTING" help:"${enum}."`
	Industry      *string  `placeholder:"NAME" help:"Its industry."`
	Revenue       *int64   `placeholder:"N" help:"A year, in whole units of the provider's currency."`
	Employees     *int64   `placeholder:"N" help:"How many people work there."`
	IPAllow       []string `name:"ip-allow" placeholder:"CIDR" xor:"ip" help:"Where its credentials may be used from, in place of what was; repeatable."`
	NoIPAllow     bool     `name:"no-ip-allow" xor:"ip" help:"Let its credentials be used from everywhere."`
}

// Run changes a tenant.
func (t *tenantUpdateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	change := client.TenantChange{Name: t.Name, Tier: t.Tier, Type: t.Type, Industry: t.Industry, Revenue: t.Revenue, Employees: t.Employees}
	if len(t.ExternalID) > 0 || t.NoExternalIDs {
		change.ExternalIDs = ptr(append([]string{}, t.ExternalID...))
	}
	if len(t.IPAllow) > 0 || t.NoIPAllow {
		change.IPAllow = ptr(append([]string{}, t.IPAllow...))
	}
	if change == (client.TenantChange{}) {
		return usage("there is nothing to change: name at least one flag")
	}
	changed, err := c.UpdateTenant(ctx, t.Slug, change)
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(changed) })
}

func ptr[T any](v T) *T { return &v }

type tenantSuspendCmd struct {
	slugArg
	Reason string `placeholder:"TEXT" help:"Why; the tenant reads it."`
}

// Run suspends a tenant.
func (t *tenantSuspendCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.SuspendTenant(ctx, t.Slug, t.Reason)
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(changed) })
}

type tenantActivateCmd struct{ slugArg }

// Run activates a tenant.
func (t *tenantActivateCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	changed, err := c.ActivateTenant(ctx, t.Slug)
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(changed) })
}

type tenantOnboardingCmd struct{ slugArg }

// Run shows an onboarding.
func (t *tenantOnboardingCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	saga, err := c.Onboarding(ctx, t.Slug)
	if err != nil {
		return err
	}
	return out.answer(func() {
		out.fields("id", saga.ID, "state", saga.State, "error", saga.Error, "created_at", when(saga.CreatedAt), "finished_at", whenever(saga.FinishedAt))
		var steps [][]string
		for _, s := range saga.Steps {
			steps = append(steps, []string{s.Step, s.State, when(s.At), s.Detail})
		}
		fmt.Fprintln(out.stdout)
		out.table([]string{"STEP", "STATE", "AT", "DETAIL"}, steps)
	})
}

type tenantExportCmd struct{ target }

// Run downloads a tenant's archive.
func (t *tenantExportCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	return t.fetch(ctx, out, func(ctx context.Context, w io.Writer, p client.Progress) (client.Download, error) {
		return c.ExportTenant(ctx, w, p)
	})
}

func (o *output) offboarding(x client.Offboarding) {
	o.fields("tenant", x.Tenant, "requested_at", when(x.RequestedAt), "requested_by", x.RequestedBy, "erase_after", when(x.EraseAfter),
		"hastened_by", x.HastenedBy, "exported_at", whenever(x.ExportedAt), "finished_at", whenever(x.FinishedAt), "held", x.Held)
	if len(x.Receipt) == 0 {
		return
	}
	var lines [][]string
	for _, l := range x.Receipt {
		lines = append(lines, []string{l.Store, number(l.Count), l.Method})
	}
	fmt.Fprintln(o.stdout)
	o.table([]string{"STORE", "COUNT", "METHOD"}, lines)
}

type tenantOffboardCmd struct {
	slugArg
	Confirm string `placeholder:"SLUG" help:"The slug once more. Without it, it is asked for on a terminal."`
}

// Run begins an offboarding.
func (t *tenantOffboardCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	if t.Confirm == "" {
		if !isTerminal(os.Stdin) {
			return &exit{code: exitUsage, says: "This ends in the erasure of everything of the tenant.", hint: "Confirm it with --confirm SLUG."}
		}
		fmt.Fprintf(out.stderr, "After 30 days everything of %s is erased. Type its slug to confirm: ", clean(t.Slug))
		var err error
		if t.Confirm, err = waiting(ctx, stdinLine); err != nil {
			return err
		}
	}
	begun, err := c.OffboardTenant(ctx, t.Slug, t.Confirm)
	if err != nil {
		return err
	}
	return out.answer(func() { out.offboarding(begun) })
}

type tenantHastenCmd struct{ slugArg }

// Run ends an offboarding's grace.
func (t *tenantHastenCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.HastenOffboarding(ctx, t.Slug)
	if err != nil {
		return err
	}
	return out.answer(func() { out.offboarding(x) })
}

type tenantKeepCmd struct{ slugArg }

// Run takes an offboarding back.
func (t *tenantKeepCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	kept, err := c.KeepTenant(ctx, t.Slug)
	if err != nil {
		return err
	}
	return out.answer(func() { out.tenant(kept) })
}

type tenantReceiptCmd struct{ slugArg }

// Run shows an offboarding.
func (t *tenantReceiptCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	x, err := c.OffboardingReceipt(ctx, t.Slug)
	if err != nil {
		return err
	}
	return out.answer(func() { out.offboarding(x) })
}
