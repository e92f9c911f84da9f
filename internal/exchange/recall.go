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
	"tributary/internal/notify"
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
		sealed, err := x.sealReason(ctx, r, reason)
		if err != nil {
			return err
		}
		if err := x.recall(ctx, tx, by, r, reason, sealed); err != nil {
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
// was not yet, and returns how many. Recipients whose keys cannot be used are no
// reason to go on handing out the others': their results are taken back too, and read
// the reason from the release, but have no entry in their chain and no notice.
func (x *Exchange) UnscopedRecallRelease(ctx context.Context, tx *meta.DB, by, release, reason string) (int64, error) {
	rows, err := tx.Unscoped().Query(ctx, `SELECT id, tenant, analysis, date FROM results WHERE release_id = $1 AND recalled_at IS NULL ORDER BY tenant`, release)
	if err != nil {
		return 0, fmt.Errorf("list results of %s: %w", release, err)
	}
	n := int64(0)
	for rows.Next() {
		var r Result
		if err := rows.Scan(&r.ID, &r.Tenant, &r.Analysis, &r.Date); err != nil {
			return n, fmt.Errorf("list results of %s: %w", release, err)
		}
		sealed, err := x.sealReason(ctx, r, reason)
		if err != nil {
			x.Log.ErrorContext(ctx, "a recalled result's tenant is not told: its keys cannot be used", "result", r.ID, "tenant.id", string(r.Tenant), "error", err)
			err = x.takeBack(ctx, tx, by, r, nil)
		} else {
			err = x.recall(ctx, tx, by, r, reason, sealed)
		}
		if err != nil {
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

// sealReason seals the reason of a recall for its recipient; nil if the keys are gone,
// since its erasure is under way. It is an error if the recipient cannot be told.
func (x *Exchange) sealReason(ctx context.Context, r Result, reason string) ([]byte, error) {
	sealed, err := x.Keys.Encrypt(ctx, r.Tenant, keys.Pool, []byte(reason), recallContext(r.ID))
	if err == nil {
		_, err = x.Keys.Encrypt(ctx, r.Tenant, keys.Vault, nil, recallContext(r.ID)) // as its chain will
	}
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("seal reason: %w", err)
	}
	return sealed, nil
}

// recall takes one result back, says so in its recipient's chain, and tells its people.
func (x *Exchange) recall(ctx context.Context, tx *meta.DB, by string, r Result, reason string, sealed []byte) error {
	if err := x.takeBack(ctx, tx, by, r, sealed); err != nil {
		return err
	}
	if err := x.Audit.Append(ctx, tx, audit.Entry{Tenant: r.Tenant, Actor: by, Verb: "result.recall", Subject: r.ID, Outcome: "ok", Details: map[string]any{"reason": reason}}); err != nil || sealed == nil {
		return err
	}
	return x.notice(ctx, tx, notify.Notice{Kind: notify.ResultRecalled, Tenant: r.Tenant, Subject: r.ID, Analysis: r.Analysis, Date: r.Date, Detail: reason})
}

func (x *Exchange) takeBack(ctx context.Context, tx *meta.DB, by string, r Result, sealed []byte) error {
	if _, err := tx.For(r.Tenant).Exec(ctx, `UPDATE results SET recalled_at = $1, recalled_by = $2, recall_reason = $3 WHERE id = $4 AND tenant = $5`,
		meta.Micros(x.Clock.Now()), by, sealed, r.ID, string(r.Tenant)); err != nil {
		return fmt.Errorf("recall %s: %w", r.ID, err)
	}
	return nil
}
