package events

import (
	"bytes"
	"context"
	"fmt"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// UnscopedErase removes a person's events from quarantine, whoever sent them, and counts
// them in the erasure. What could not be read as an event goes if it has one of the names
// in quotes.
func (e *Events) UnscopedErase(ctx context.Context, r Erasure) error {
	who := r.People()
	for after := ""; ; {
		found, last, err := e.findHeld(ctx, r.Tenant, who, after)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			if err := e.DB.Transact(ctx, func(tx *meta.DB) error { return e.eraseHeld(ctx, tx, r, found) }); err != nil {
				return err
			}
		}
		if last == "" {
			return nil
		}
		after = last
	}
}

// findHeld looks at some events in quarantine, and returns whose owner has which that are to
// go, and the last one's id; "": there are no more.
func (e *Events) findHeld(ctx context.Context, id tenant.ID, who People, after string) (found map[string]tenant.ID, last string, err error) {
	rows, err := e.DB.Unscoped().Query(ctx, `SELECT `+heldColumns+`, tenant FROM quarantined_events WHERE (tenant = $1 OR about = $1) AND id > $2 ORDER BY id LIMIT $3`,
		string(id), after, int64(mostPage))
	if err != nil {
		return nil, "", fmt.Errorf("list what is in quarantine: %w", err)
	}
	defer rows.Close()
	found = map[string]tenant.ID{}
	for rows.Next() {
		var owner tenant.ID
		h, c, err := e.scanHeld(ctx, ownedRow{rows, &owner})
		last = h.ID
		if fault.Is(err, fault.Damaged) {
			continue // nobody can read it, and fsck names it
		}
		if err != nil {
			return nil, "", err
		}
		if who.hasHeld(h, c) {
			found[h.ID] = owner
		}
	}
	return found, last, rows.Err()
}

// eraseHeld deletes events in quarantine by their ids.
func (e *Events) eraseHeld(ctx context.Context, tx *meta.DB, r Erasure, found map[string]tenant.ID) error {
	var done Erasure
	for held, owner := range found {
		n, err := tx.RowsOf(owner).Exec(ctx, `DELETE FROM quarantined_events WHERE tenant = $1 AND id = $2`, string(owner), held)
		if err != nil {
			return fmt.Errorf("erase an event in quarantine: %w", err)
		}
		done.Held += n
	}
	return e.Erased.Count(ctx, tx, r, done)
}

// ownedRow is a row with its owner behind the columns of an event in quarantine.
type ownedRow struct {
	meta.Scanner
	owner *tenant.ID
}

func (o ownedRow) Scan(dest ...any) error { return o.Scanner.Scan(append(dest, o.owner)...) }

func (p People) hasHeld(h Held, c contents) bool {
	if len(c.Event) > 0 {
		list, err := readLines(append(c.Event.Clone(), '\n'), "")
		if err == nil {
			list[0].Received = h.ReceivedAt
			return p.Has(&list[0])
		}
	}
	for quoted := range bytes.SplitSeq(c.Raw, []byte{'"'}) {
		if until, erased := p[string(quoted)]; erased && len(quoted) > 0 && !h.ReceivedAt.After(until) {
			return true
		}
	}
	return false
}
