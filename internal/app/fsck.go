package app

import (
	"context"
	"fmt"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/audit"
	"tributary/internal/control"
	"tributary/internal/exchange"
	"tributary/internal/schedule"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// Finding is something wrong that Fsck found.
type Finding struct {
	Store   string    `json:"store"`            // database, organisations, tenants, accounts, audit, events, archive, vault, exchange, analyses
	Tenant  tenant.ID `json:"tenant,omitempty"` // whose; empty: the provider's, or not known
	Subject string    `json:"subject,omitempty"`
	Problem string    `json:"problem"`
}

func (f Finding) String() string {
	text := f.Store
	if f.Tenant != "" {
		text += " " + string(f.Tenant)
	}
	if f.Subject != "" {
		text += " " + f.Subject
	}
	return text + ": " + f.Problem
}

// Fsck checks every store of a data directory that no server has open against
// every other, and names what is wrong: damaged database pages, rows whose MAC
// is not right, audit chains, chains of blocks on the streams and in the archive, objects without bytes
// and bytes without objects, submissions and results without objects, releases without
// runs. deep also decrypts every object and block, and compares its digest. Where there is no data it is
// NotFound, and nothing is made.
func Fsck(ctx context.Context, c Config, deep bool) ([]Finding, error) {
	var found []Finding
	add := func(store string, id tenant.ID, subject, problem string) {
		found = append(found, Finding{Store: store, Tenant: id, Subject: subject, Problem: problem})
	}
	err := withExisting(ctx, c, func(s *stores) error {
		pages, err := s.db.Verify(ctx)
		if err != nil {
			return err
		}
		for _, p := range pages {
			add("database", "", "", p)
		}
		if err := s.control.UnscopedVerify(ctx, func(f control.Finding) { add(f.Table, f.Tenant, f.ID, f.Problem) }); err != nil {
			return err
		}
		if err := s.accounts.UnscopedVerify(ctx, func(table string, id tenant.ID, row, problem string) { add(table, id, row, problem) }); err != nil {
			return err
		}
		if err := s.notices.UnscopedVerify(ctx, func(table string, id tenant.ID, row, problem string) { add(table, id, row, problem) }); err != nil {
			return err
		}
		if err := exchange.UnscopedVerify(ctx, s.db, s.ring, func(table string, id tenant.ID, row, problem string) { add(table, id, row, problem) }); err != nil {
			return err
		}
		if err := analysis.UnscopedVerify(ctx, s.db, s.ring, func(table string, id tenant.ID, row, problem string) { add(table, id, row, problem) }); err != nil {
			return err
		}
		if err := schedule.UnscopedVerify(ctx, s.db, s.ring, func(table string, id tenant.ID, row, problem string) { add(table, id, row, problem) }); err != nil {
			return err
		}
		if err := s.audit.Verify(ctx, func(f audit.Finding) {
			add("audit", f.Chain, fmt.Sprintf("entry %d", f.Seq), fmt.Sprintf("%s: %s", f.Problem, f.Message))
		}); err != nil {
			return err
		}
		if err := verifyEvents(ctx, c, s, deep, add); err != nil {
			return err
		}
		if err := verifyArchive(ctx, c, s, deep, add); err != nil {
			return err
		}
		if err := s.vault.UnscopedVerify(ctx, deep, func(f vault.Finding) { add("vault", f.Tenant, f.Object, f.Problem) }); err != nil {
			return err
		}
		return crossCheck(ctx, s, add)
	})
	return found, err
}

// references are the rows that point from one store to another; each must find
// what it points to.
var references = []struct{ store, problem, query string }{
	{"exchange", "the submission's file is not in the vault",
		`SELECT s.tenant, s.id FROM submissions s WHERE s.object <> '' AND NOT EXISTS (SELECT 1 FROM vault_objects o WHERE o.id = s.object AND o.tenant = s.tenant)`},
	{"exchange", "the submission's accepted form is not in the vault",
		`SELECT s.tenant, s.id FROM submissions s WHERE s.accepted_object <> '' AND NOT EXISTS (SELECT 1 FROM vault_objects o WHERE o.id = s.accepted_object AND o.tenant = s.tenant)`},
	{"exchange", "the submission waits for a verdict and no job will give it",
		`SELECT s.tenant, s.id FROM submissions s WHERE s.state IN ('received', 'validating') AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job AND j.state IN ('queued', 'running'))`},
	{"exchange", "two accepted submissions stand for one dataset and date",
		`SELECT s.tenant, MIN(s.id) FROM submissions s WHERE s.state = 'accepted' GROUP BY s.tenant, s.dataset, s.date HAVING count(*) > 1`},
	{"exchange", "the result's files are not in the vault",
		`SELECT r.tenant, r.id FROM results r WHERE r.object <> '' AND NOT EXISTS (SELECT 1 FROM vault_objects o WHERE o.id = r.object AND o.tenant = r.tenant)`},
	{"exchange", "a part of the upload is not in the vault",
		`SELECT p.tenant, p.upload FROM upload_parts p WHERE NOT EXISTS (SELECT 1 FROM vault_objects o WHERE o.id = p.object AND o.tenant = p.tenant)`},
	{"vault", "the object belongs to no submission, upload and result",
		`SELECT o.tenant, o.id FROM vault_objects o WHERE NOT EXISTS (SELECT 1 FROM submissions s WHERE o.id IN (s.object, s.accepted_object))
			AND NOT EXISTS (SELECT 1 FROM results r WHERE o.id = r.object) AND NOT EXISTS (SELECT 1 FROM upload_parts p WHERE o.id = p.object)`},
	{"analyses", "the run has ended as succeeded and has no release",
		`SELECT '', r.id FROM runs r WHERE r.state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM releases l WHERE l.id = r.release_id)`},
	{"analyses", "the run has not ended and no job will end it",
		`SELECT '', r.id FROM runs r WHERE r.state IN ('queued', 'running') AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = r.job AND j.state IN ('queued', 'running'))`},
	{"exchange", "the audit log has the result's recall, and the result is handed out",
		`SELECT DISTINCT r.tenant, r.id FROM audit_entries e JOIN results r ON r.id = e.subject JOIN releases l ON l.id = r.release_id
			WHERE e.verb = 'result.recall' AND e.outcome = 'ok' AND r.recalled_at IS NULL AND l.recalled_at IS NULL`},
	{"analyses", "the audit log has the recall of the run's release, and the release is not recalled",
		`SELECT DISTINCT '', r.id FROM audit_entries e JOIN runs r ON r.id = e.subject JOIN releases l ON l.id = r.release_id
			WHERE e.verb = 'run.recall' AND e.outcome = 'ok' AND l.recalled_at IS NULL`},
	{"keys", "the tenant has no keys and was not erased",
		`SELECT t.id, '' FROM tenants t WHERE t.state NOT IN ('onboarding', 'erased', 'offboarding') AND (SELECT count(*) FROM tenant_keys k WHERE k.tenant = t.id AND k.wrapped IS NOT NULL) <> 2`},
}

func crossCheck(ctx context.Context, s *stores, add func(store string, id tenant.ID, subject, problem string)) error {
	for _, r := range references {
		rows, err := s.db.Unscoped().Query(ctx, r.query)
		if err != nil {
			return fmt.Errorf("look for %q: %w", r.problem, err)
		}
		for rows.Next() {
			var id tenant.ID
			var subject string
			if err := rows.Scan(&id, &subject); err != nil {
				return fmt.Errorf("look for %q: %w", r.problem, err)
			}
			add(r.store, id, subject, r.problem)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("look for %q: %w", r.problem, err)
		}
	}
	return nil
}

// SetupLink makes a setup token in a data directory that no server has open and
// that has been used before: serve and init are what make one.
func SetupLink(ctx context.Context, c Config) (token string, expires time.Time, err error) {
	err = withExisting(ctx, c, func(s *stores) error {
		token, expires, err = s.accounts.SetupLink(ctx)
		return err
	})
	return token, expires, err
}
