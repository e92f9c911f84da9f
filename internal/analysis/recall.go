package analysis

import (
	"context"
	"fmt"

	"tributary/internal/audit"
	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// UnscopedRecall takes back the release of a run: none of its results is handed out
// any more, and every recipient reads the reason. The release, its manifest and the
// receipts stay as they are, since what was released was released. A run without a
// release, or whose release was recalled already, is a Conflict.
func (a *Analyses) UnscopedRecall(ctx context.Context, by, id, reason string) (Run, error) {
	reason, err := exchange.RecallReason(reason)
	if err != nil {
		return Run{}, err
	}
	err = a.DB.Transact(ctx, func(tx *meta.DB) error {
		r, err := a.run(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case r.Release == "":
			return fault.New(fault.Conflict, "The run %q has no release, so there is nothing to recall.", id)
		case r.RecalledAt != nil:
			return fault.New(fault.Conflict, "The release of run %q was recalled already.", id)
		}
		if _, err := tx.Exec(ctx, `UPDATE releases SET recalled_at = $1, recalled_by = $2, recall_reason = $3 WHERE id = $4`,
			meta.Micros(a.Clock.Now()), by, reason, r.Release); err != nil {
			return fmt.Errorf("recall release %s: %w", r.Release, err)
		}
		n, err := a.Exchange.UnscopedRecallRelease(ctx, tx, by, r.Release, reason)
		if err != nil {
			return err
		}
		if err := a.note(ctx, tx, id, "warning", "release recalled; results taken back: %d. %s", n, reason); err != nil {
			return err
		}
		return a.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "run.recall", Subject: id, Outcome: "ok", Details: map[string]any{"release": r.Release, "results": n}})
	})
	if err != nil {
		return Run{}, err
	}
	return a.UnscopedRun(ctx, id)
}
