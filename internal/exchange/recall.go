package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

func recallContext(id string) []byte { return []byte("result recall " + id) }

// withheld is why a result is not handed out; nil if it is.
func (r Result) withheld() error {
	switch r.State() {
	case Recalled:
		return fault.New(fault.Conflict, "The result %q was recalled on %s and is not handed out any more. The reason: %s", r.ID, r.RecalledAt.UTC().Format(time.DateOnly), r.RecallReason)
	case Deleted:
		return gone("result", r.ID, r.DeletedAt, byRetention)
	}
	return nil
}

// RecallReason is a reason as it is kept. One that says nothing is Invalid.
func RecallReason(text string) (string, error) {
	if text = strings.TrimSpace(text); text == "" {
		return "", fault.New(fault.Invalid, "Say why: who has received the result reads it.")
	}
	return text, nil
}

// UnscopedRecall takes one result back: its recipient still sees it, with the reason,
// and cannot open it any more. What was downloaded before is out. One that was
// recalled already is a Conflict.
func (x *Exchange) UnscopedRecall(ctx context.Context, by, id, reason string) (Result, error) {
	reason, err := RecallReason(reason)
	if err != nil {
		return Result{}, err
	}
	err = x.DB.Transact(ctx, func(tx *meta.DB) error {
		r, err := x.oneResult(ctx, tx.Unscoped().QueryRow(ctx, resultQuery+`WHERE r.id = $1`, id), id)
		if err != nil {
			return err
		}
		if r.RecalledAt != nil {
			return fault.New(fault.Conflict, "The result %q was recalled already.", id)
		}
		if err := x.recall(ctx, tx, by, r.Tenant, id, reason); err != nil {
			return err
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "result.recall", Subject: id, Outcome: "ok", Details: map[string]any{"tenant": string(r.Tenant), "run": r.Run}})
	})
	if err != nil {
		return Result{}, err
	}
	return x.UnscopedResult(ctx, id)
}

// UnscopedRecallRelease takes back, when tx commits, every result of a release that
// was not yet, and returns how many.
func (x *Exchange) UnscopedRecallRelease(ctx context.Context, tx *meta.DB, by, release, reason string) (int64, error) {
	rows, err := tx.Unscoped().Query(ctx, `SELECT id, tenant FROM results WHERE release_id = $1 AND recalled_at IS NULL ORDER BY tenant`, release)
	if err != nil {
		return 0, fmt.Errorf("list results of %s: %w", release, err)
	}
	n := int64(0)
	for rows.Next() {
		var id string
		var of tenant.ID
		if err := rows.Scan(&id, &of); err != nil {
			return n, fmt.Errorf("list results of %s: %w", release, err)
		}
		if err := x.recall(ctx, tx, by, of, id, reason); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// UnscopedRecalled counts the results of a release, and of them those that were
// recalled.
func (x *Exchange) UnscopedRecalled(ctx context.Context, release string) (all, recalled int64, err error) {
	err = x.DB.Unscoped().QueryRow(ctx, `SELECT count(*), count(recalled_at) FROM results WHERE release_id = $1`, release).Scan(&all, &recalled)
	if err != nil {
		return 0, 0, fmt.Errorf("count results of %s: %w", release, err)
	}
	return all, recalled, nil
}

// recall marks one result, and says so in its recipient's chain.
func (x *Exchange) recall(ctx context.Context, tx *meta.DB, by string, of tenant.ID, id, reason string) error {
	sealed, err := x.Keys.Encrypt(ctx, of, keys.Pool, []byte(reason), recallContext(id))
	if err != nil && !fault.Is(err, fault.NotFound) { // the keys are gone: its erasure is under way
		return fmt.Errorf("seal reason: %w", err)
	}
	if _, err := tx.For(of).Exec(ctx, `UPDATE results SET recalled_at = $1, recalled_by = $2, recall_reason = $3 WHERE id = $4 AND tenant = $5`,
		meta.Micros(x.Clock.Now()), by, sealed, id, string(of)); err != nil {
		return fmt.Errorf("recall %s: %w", id, err)
	}
	return x.Audit.Append(ctx, tx, audit.Entry{Tenant: of, Actor: by, Verb: "result.recall", Subject: id, Outcome: "ok", Details: map[string]any{"reason": reason}})
}
