package control_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

func TestOrganisationsAreVerifiedWithEvidence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		made, err := w.UnscopedCreateOrganisation(ctx, admin, "  Müller & Söhne ")
		if err != nil {
			t.Fatal(err)
		}
		if made.Name != "Müller & Söhne" || made.VerifiedAt != nil {
			t.Errorf("got %+v, want the name trimmed and not verified", made)
		}
		for _, name := range []string{"", " ", "two\nlines", "back\u202ewards", strings.Repeat("x", 201)} {
			_, err := w.UnscopedCreateOrganisation(ctx, admin, name)
			wantKind(t, fmt.Sprintf("name %q", name), err, fault.Invalid)
		}
		_, err = w.UnscopedCreateOrganisation(ctx, admin, "Müller & Söhne")
		wantKind(t, "the same name", err, fault.Conflict)

		_, err = w.UnscopedVerifyOrganisation(ctx, admin, made.ID, "  ")
		wantKind(t, "verify without evidence", err, fault.Invalid)
		_, err = w.UnscopedVerifyOrganisation(ctx, admin, "nobody", "register")
		wantKind(t, "verify a missing one", err, fault.NotFound)
		if _, err := w.UnscopedVerifyOrganisation(ctx, second, made.ID, "register HRB 1"); err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{made.ID, made.Name} {
			got, err := w.UnscopedOrganisation(ctx, by)
			if err != nil || got.VerifiedAt == nil || got.VerifiedBy != second || got.Evidence != "register HRB 1" || got.TimesModified != 1 {
				t.Errorf("by %q: got %+v, %v, want it verified by the second admin", by, got, err)
			}
		}
		if n := w.count(t, "audit_entries", "subject = $1 AND tenant = ''", made.ID); n != 2 {
			t.Errorf("audit entries: got %d, want 2 (create, verify)", n)
		}
	})
}

func TestOrganisationsArePagedByName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for _, name := range []string{"c", "a", "d", "b", "e"} {
			if _, err := w.UnscopedCreateOrganisation(t.Context(), admin, name); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		page := meta.Page{Limit: 2}
		for {
			list, next, err := w.UnscopedOrganisations(t.Context(), page)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list {
				got = append(got, o.Name)
			}
			if next == "" {
				break
			}
			page.After = next
		}
		if s := strings.Join(got, ""); s != "abcde" {
			t.Errorf("pages: got %q, want abcde", s)
		}
	})
}

// Each row that grants power is refused when anybody but the server changed it,
// and UnscopedVerify names it.
func TestTamperedRowsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ table, query string }{
		{"organisations", `UPDATE organisations SET verified_by = 'x' WHERE id = $1`},
		{"organisations", `UPDATE organisations SET verified_at = 1 WHERE id = $1`},
		{"tenants", `UPDATE tenants SET state = 'suspended' WHERE id = $2`},
		{"tenants", `UPDATE tenants SET claimed_at = 1 WHERE id = $2`},
		{"tenants", `UPDATE tenants SET ip_allow = '["0.0.0.0/0"]' WHERE id = $2`},
		{"external_ids", `UPDATE external_ids SET external_id = 'other' WHERE external_id = 'acme-x'`},
		{"external_ids", `UPDATE external_ids SET tenant = $3 WHERE external_id = 'acme-x'`},
		{"tenant_keys", `UPDATE tenant_keys SET mac = (SELECT mac FROM tenant_keys WHERE tenant = $2 AND purpose = 'pool') WHERE tenant = $2 AND purpose = 'vault'`},
		{"tenant_keys", `UPDATE tenant_keys SET wrapped = (SELECT wrapped FROM tenant_keys WHERE tenant = $3 AND purpose = 'vault') WHERE tenant = $2 AND purpose = 'vault'`},
	} {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, metatest.Open(t, metatest.SQLite(t))) // MACs are made above the database
			ctx := t.Context()
			a, b := w.onboard(t, "acme"), w.onboard(t, "other-one")
			query, args := c.query, []any{}
			for i, arg := range []string{a.Organisation, string(a.ID), string(b.ID)} {
				if name := fmt.Sprintf("$%d", i+1); strings.Contains(query, name) {
					query = strings.ReplaceAll(query, name, fmt.Sprintf("$%d", len(args)+1))
					args = append(args, arg)
				}
			}
			w.tamper(t, query, args...)
			n := w.restart(t)
			if _, err := readAll(t, n, a.ID, a.Organisation); !fault.Is(err, fault.Damaged) {
				// A row that moved to another tenant is refused there.
				_, other := readAll(t, n, b.ID, b.Organisation)
				wantKind(t, "reading", other, fault.Damaged)
			}
			tables := map[string]bool{}
			if err := n.UnscopedVerify(ctx, func(f control.Finding) { tables[f.Table] = true }); err != nil {
				t.Fatal(err)
			}
			if !tables[c.table] || len(tables) != 1 {
				t.Errorf("findings: got %v, want %s alone", tables, c.table)
			}
		})
	}
}

// readAll reads every row of a tenant that carries a MAC.
func readAll(t *testing.T, w *world, id tenant.ID, organisation string) (control.Tenant, error) {
	t.Helper()
	if _, err := w.UnscopedOrganisation(t.Context(), organisation); err != nil {
		return control.Tenant{}, err
	}
	got, err := w.UnscopedTenant(t.Context(), string(id))
	if err != nil {
		return got, err
	}
	_, err = w.WrappedKey(t.Context(), id, "vault")
	return got, err
}
