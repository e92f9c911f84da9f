package exchange

import (
	"context"
	"fmt"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Withdraw takes a submission back: no later run reads it. Runs that have their
// snapshot keep it.
func (x *Exchange) Withdraw(ctx context.Context, scope tenant.Scope, id string) (Submission, error) {
	return x.close(ctx, scope, id, tenant.Write, "submission.withdraw", func(_ *meta.DB, s Submission) error {
		if s.State == Withdrawn {
			return fault.New(fault.Conflict, "Submission %q is withdrawn already.", id)
		}
		return nil
	})
}

// Delete deletes the bytes of a submission, and withdraws it if it is not closed
// yet. The row stays: that it was sent, and what became of it.
func (x *Exchange) Delete(ctx context.Context, scope tenant.Scope, id string) (Submission, error) {
	return x.close(ctx, scope, id, tenant.Delete, "submission.delete", func(tx *meta.DB, s Submission) error {
		if err := x.Tenants.UnscopedHeld(ctx, tx, s.Tenant, s.Dataset); err != nil {
			return err
		}
		return x.removeBytes(ctx, tx, scope, s, byTenant)
	})
}

// removeBytes ends a submission's objects when tx commits. Doing so again changes nothing.
func (x *Exchange) removeBytes(ctx context.Context, tx *meta.DB, scope tenant.Scope, s Submission, by string) error {
	if s.object == "" {
		return nil
	}
	for _, object := range []string{s.object, s.accepted} {
		if object == "" {
			continue
		}
		if err := x.Vault.Remove(ctx, tx, scope, object); err != nil {
			return err
		}
	}
	_, err := tx.For(s.Tenant).Exec(ctx, `UPDATE submissions SET object = '', accepted_object = '', deleted_at = $1, deleted_for = $2 WHERE id = $3 AND tenant = $4`,
		meta.Micros(x.Clock.Now()), by, s.ID, string(s.Tenant))
	if err != nil {
		return fmt.Errorf("delete bytes of %s: %w", s.ID, err)
	}
	return nil
}

func (x *Exchange) close(ctx context.Context, scope tenant.Scope, id string, verb tenant.Verb, event string, also func(*meta.DB, Submission) error) (Submission, error) {
	var s Submission
	err := x.DB.Transact(ctx, func(tx *meta.DB) error {
		var err error
		if s, err = x.find(ctx, tx, scope.Tenant(), id); err != nil {
			return err
		}
		if err := scope.Check(ctx, verb, tenant.Submissions.One(id)); err != nil {
			return err
		}
		if err := also(tx, s); err != nil {
			return err
		}
		if s.State != Withdrawn && (s.State != Superseded || verb == tenant.Write) {
			now := x.Clock.Now()
			s.State, s.ClosedAt = Withdrawn, &now
			if _, err := tx.For(s.Tenant).Exec(ctx, `UPDATE submissions SET state = $1, closed_at = $2 WHERE id = $3 AND tenant = $4`,
				string(s.State), meta.Micros(now), id, string(s.Tenant)); err != nil {
				return fmt.Errorf("close submission %s: %w", id, err)
			}
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: scope.Actor(), Verb: event, Subject: id, Outcome: "ok"})
	})
	if err != nil {
		return s, err
	}
	if s, err = x.find(ctx, x.DB, scope.Tenant(), id); err != nil {
		return s, err
	}
	return s, x.foresee(ctx, &s)
}
