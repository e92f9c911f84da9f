package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// DropUpload ends an upload; what arrived of it is gone.
func (x *Exchange) DropUpload(ctx context.Context, scope tenant.Scope, id string) error {
	return x.dropUpload(ctx, scope, id, 0)
}

// dropUpload drops an upload; unless changed is 0, only if it was last changed then.
func (x *Exchange) dropUpload(ctx context.Context, scope tenant.Scope, id string, changed int64) error {
	return x.DB.Transact(ctx, func(tx *meta.DB) error {
		if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
			return err
		}
		if err := x.dropParts(ctx, tx, scope, id, ""); err != nil {
			return err
		}
		var became string
		err := tx.For(scope.Tenant()).QueryRow(ctx, `DELETE FROM uploads WHERE id = $1 AND tenant = $2 AND (CAST($3 AS BIGINT) = 0 OR changed_at = $3) RETURNING submission`,
			id, string(scope.Tenant()), changed).Scan(&became)
		if errors.Is(err, sql.ErrNoRows) {
			return noUpload(id)
		}
		if err != nil || became != "" { // what is submitted is not lost with it
			return err
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: scope.Tenant(), Actor: scope.Actor(), Verb: "upload.drop", Subject: id, Outcome: "ok"})
	})
}

// idle is an upload that nobody went on with.
type idle struct {
	id      string
	owner   tenant.ID
	changed int64
}

// ExpireUploadsDue removes uploads that nobody went on with for a week. It is a round.
func (x *Exchange) ExpireUploadsDue(ctx context.Context) error {
	before := meta.Micros(x.Clock.Now().Add(-uploadLife))
	var last idle
	for {
		list, err := x.idleUploads(ctx, before, last)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, last = range list {
			if err := x.expireUpload(ctx, last); err != nil {
				return err
			}
		}
	}
}

// idleUploads lists the next idle uploads after one. Those that stay, a suspended
// tenant's, must not stand before the others for ever.
func (x *Exchange) idleUploads(ctx context.Context, before int64, after idle) ([]idle, error) {
	rows, err := x.DB.Unscoped().Query(ctx, `SELECT id, tenant, changed_at FROM uploads
		WHERE changed_at < $1 AND (changed_at > $2 OR (changed_at = $2 AND id > $3)) ORDER BY changed_at, id LIMIT 1000`, before, after.changed, after.id)
	if err != nil {
		return nil, fmt.Errorf("list idle uploads: %w", err)
	}
	var list []idle
	for rows.Next() {
		var i idle
		if err := rows.Scan(&i.id, &i.owner, &i.changed); err != nil {
			return nil, fmt.Errorf("list idle uploads: %w", err)
		}
		list = append(list, i)
	}
	return list, nil
}

func (x *Exchange) expireUpload(ctx context.Context, i idle) error {
	scope, err := x.Policy.WorkScope(policy.Work{Template: policy.Expiry, Tenant: i.owner, Actor: i.id, For: time.Hour,
		Permissions: []tenant.Permission{{Verb: tenant.Write, Resource: tenant.VaultInput}, {Verb: tenant.Write, Resource: tenant.Submissions}}})
	if err == nil {
		err = x.dropUpload(ctx, scope, i.id, i.changed) // unless somebody has gone on with it meanwhile
	}
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Denied) { // a suspended tenant's stay until it is active
		return fmt.Errorf("remove idle upload %s: %w", i.id, err)
	}
	return nil
}
