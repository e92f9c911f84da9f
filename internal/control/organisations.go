package control

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Organisation is the owner of one or more tenants, and the unit that disclosure
// rules count. It is unverified until a system admin says what was checked.
type Organisation struct {
	ID         string
	Name       string
	VerifiedAt *time.Time // nil: not verified
	VerifiedBy string
	Evidence   string
	SignedUp   bool // it made itself, by a tenant's sign-up
	Made
}

// Counts reports whether the organisation's tenants take part in runs. One that signed
// itself up does not until it is verified: anybody could be many of those.
func (o Organisation) Counts() bool { return !o.SignedUp || o.VerifiedAt != nil }

const organisationColumns = `id, name, verified_at, verified_by, evidence, signed_up, created_at, created_by, modified_at, modified_by, times_modified, mac`

type scanner interface{ Scan(...any) error }

func (c *Control) scanOrganisation(row scanner) (Organisation, error) {
	var o Organisation
	var verified sql.NullInt64
	var signedUp, created, modified int64
	var mac []byte
	if err := row.Scan(&o.ID, &o.Name, &verified, &o.VerifiedBy, &o.Evidence, &signedUp, &created, &o.CreatedBy, &modified, &o.ModifiedBy, &o.TimesModified, &mac); err != nil {
		return o, err
	}
	o.SignedUp = signedUp != 0
	o.CreatedAt, o.ModifiedAt, o.VerifiedAt = meta.Time(created), meta.Time(modified), meta.Moment(verified)
	if err := c.ring.CheckMAC(mac, "organisation", o.fields()...); err != nil {
		return o, fmt.Errorf("organisation %s: %w", o.ID, err)
	}
	return o, nil
}

// fields are what the row's MAC covers: all that grants power. Rows of before there was
// sign-up have none of it.
func (o Organisation) fields() []any {
	list := []any{o.ID, o.Name, meta.MomentMicros(o.VerifiedAt), o.VerifiedBy, o.Evidence}
	if o.SignedUp {
		list = append(list, "signed up")
	}
	return list
}

// UnscopedOrganisation finds an organisation by its id or its exact name.
func (c *Control) UnscopedOrganisation(ctx context.Context, idOrName string) (Organisation, error) {
	return c.organisation(ctx, c.DB, idOrName)
}

func (c *Control) organisation(ctx context.Context, db *meta.DB, idOrName string) (Organisation, error) {
	column := "name"
	if clock.ValidID("org", idOrName) {
		column = "id"
	}
	o, err := c.scanOrganisation(db.QueryRow(ctx, `SELECT `+organisationColumns+` FROM organisations WHERE `+column+` = $1`, idOrName))
	if errors.Is(err, sql.ErrNoRows) {
		return o, fault.New(fault.NotFound, "There is no organisation %q.", idOrName)
	}
	if err != nil {
		return o, fmt.Errorf("find organisation: %w", err)
	}
	return o, nil
}

// cleanName refuses names that could not be told apart or that break a line.
func cleanName(what, name string, limit int) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", fault.New(fault.Invalid, "The %s needs a name.", what)
	case len(name) > limit:
		return "", fault.New(fault.Invalid, "The %s's name is longer than %d bytes.", what, limit)
	case strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar
	}):
		return "", fault.New(fault.Invalid, "The %s's name has control characters in it.", what)
	}
	return name, nil
}

// UnscopedCreateOrganisation makes an organisation, not verified yet.
func (c *Control) UnscopedCreateOrganisation(ctx context.Context, by, name string) (Organisation, error) {
	var o Organisation
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		o, err = c.createOrganisation(ctx, tx, by, name, false)
		return err
	})
	return o, err
}

func (c *Control) createOrganisation(ctx context.Context, tx *meta.DB, by, name string, signedUp bool) (Organisation, error) {
	name, err := cleanName("organisation", name, 200)
	if err != nil {
		return Organisation{}, err
	}
	if clock.ValidID("org", name) {
		return Organisation{}, fault.New(fault.NotFound, "There is no organisation %q.", name)
	}
	now := c.Clock.Now()
	o := Organisation{ID: c.Clock.ID("org"), Name: name, SignedUp: signedUp, Made: Made{CreatedAt: now, CreatedBy: by, ModifiedAt: now, ModifiedBy: by}}
	_, err = tx.Exec(ctx, `
		INSERT INTO organisations (id, name, signed_up, created_at, created_by, modified_at, modified_by, mac) VALUES ($1, $2, $3, $4, $5, $4, $5, $6)`,
		o.ID, o.Name, o.SignedUp, meta.Micros(now), by, c.ring.MAC("organisation", o.fields()...))
	if meta.IsUnique(err) {
		return o, fault.New(fault.Conflict, "There is an organisation %q already.", name)
	}
	if err != nil {
		return o, fmt.Errorf("insert organisation: %w", err)
	}
	return o, c.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "organisation.create", Subject: o.ID, Outcome: "ok", Details: map[string]any{"name": name}})
}

// UnscopedVerifyOrganisation records that a system admin has checked who the
// organisation is, and what the evidence was.
func (c *Control) UnscopedVerifyOrganisation(ctx context.Context, by, id, evidence string) (Organisation, error) {
	evidence = strings.TrimSpace(evidence)
	if evidence == "" || len(evidence) > 2000 {
		return Organisation{}, fault.New(fault.Invalid, "Say what was checked, in 1 to 2000 characters.")
	}
	var o Organisation
	err := c.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if o, err = c.organisation(ctx, tx, id); err != nil {
			return err
		}
		now := c.Clock.Now()
		o.VerifiedAt, o.VerifiedBy, o.Evidence = &now, by, evidence
		o.ModifiedAt, o.ModifiedBy, o.TimesModified = now, by, o.TimesModified+1
		if _, err := tx.Exec(ctx, `
			UPDATE organisations SET verified_at = $1, verified_by = $2, evidence = $3, modified_at = $1, modified_by = $2, times_modified = $4, mac = $5 WHERE id = $6`,
			meta.Micros(now), by, evidence, o.TimesModified, c.ring.MAC("organisation", o.fields()...), o.ID); err != nil {
			return fmt.Errorf("verify organisation %s: %w", o.ID, err)
		}
		return c.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "organisation.verify", Subject: o.ID, Outcome: "ok", Details: map[string]any{"evidence": evidence}})
	})
	return o, err
}

// UnscopedOrganisationOf returns the organisation of a tenant.
func (c *Control) UnscopedOrganisationOf(ctx context.Context, tx *meta.DB, id tenant.ID) (Organisation, error) {
	t, err := c.UnscopedTenantIn(ctx, tx, id)
	if err != nil {
		return Organisation{}, err
	}
	return c.organisation(ctx, tx, t.Organisation)
}

// UnscopedOrganisations lists organisations by name.
func (c *Control) UnscopedOrganisations(ctx context.Context, page meta.Page) ([]Organisation, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := c.DB.Query(ctx, `SELECT `+organisationColumns+` FROM organisations WHERE name > $1 ORDER BY name LIMIT $2`, pos.ID, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list organisations: %w", err)
	}
	defer rows.Close()
	var list []Organisation
	for rows.Next() {
		o, err := c.scanOrganisation(rows)
		if err != nil {
			return nil, "", fmt.Errorf("list organisations: %w", err)
		}
		list = append(list, o)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list organisations: %w", err)
	}
	list, next := meta.Cut(list, page, func(o Organisation) meta.Position { return meta.Position{ID: o.Name} })
	return list, next, nil
}

// UnscopedOrganisationsOf returns the organisation of each tenant named.
func (c *Control) UnscopedOrganisationsOf(ctx context.Context, ids []tenant.ID) (map[tenant.ID]Organisation, error) {
	owners := make(map[tenant.ID]Organisation, len(ids))
	known := map[string]Organisation{}
	for _, id := range ids {
		t, err := c.UnscopedTenant(ctx, string(id))
		if err != nil {
			return nil, err
		}
		o, ok := known[t.Organisation]
		if !ok {
			if o, err = c.organisation(ctx, c.DB, t.Organisation); err != nil {
				return nil, err
			}
			known[t.Organisation] = o
		}
		owners[id] = o
	}
	return owners, nil
}
