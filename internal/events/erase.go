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
	for after := ""; ; {
		var last string
		err := e.DB.Transact(ctx, func(tx *meta.DB) (err error) {
			last, err = e.eraseSome(ctx, tx, r, after)
			return err
		})
		if err != nil || last == "" {
			return err
		}
		after = last
	}
}

// eraseSome looks at some events in quarantine, and returns the last one's id.
func (e *Events) eraseSome(ctx context.Context, tx *meta.DB, r Erasure, after string) (last string, err error) {
	rows, err := tx.Unscoped().Query(ctx, `SELECT `+heldColumns+`, tenant FROM quarantined_events WHERE (tenant = $1 OR about = $1) AND id > $2 ORDER BY id LIMIT $3`,
		string(r.Tenant), after, int64(mostPage))
	if err != nil {
		return "", fmt.Errorf("list what is in quarantine: %w", err)
	}
	var done Erasure
	for rows.Next() {
		var owner tenant.ID
		h, c, err := e.scanHeld(ctx, ownedRow{rows, &owner})
		last = h.ID
		if fault.Is(err, fault.Damaged) {
			continue // nobody can read it, and fsck names it
		}
		if err != nil {
			return "", err
		}
		if !r.hasHeld(h, c) {
			continue
		}
		if _, err := tx.RowsOf(owner).Exec(ctx, `DELETE FROM quarantined_events WHERE tenant = $1 AND id = $2`, string(owner), h.ID); err != nil {
			return "", fmt.Errorf("erase an event in quarantine: %w", err)
		}
		done.Held++
	}
	return last, e.Erased.Count(ctx, tx, r, done)
}

// ownedRow is a row with its owner behind the columns of an event in quarantine.
type ownedRow struct {
	meta.Scanner
	owner *tenant.ID
}

func (o ownedRow) Scan(dest ...any) error { return o.Scanner.Scan(append(dest, o.owner)...) }

func (r *Erasure) hasHeld(h Held, c contents) bool {
	if len(c.Event) > 0 {
		list, err := readLines(append(c.Event.Clone(), '\n'), "")
		if err == nil {
			list[0].Received = h.ReceivedAt
			return r.Has(&list[0])
		}
	}
	for _, name := range r.Names {
		if !h.ReceivedAt.After(r.Through) && bytes.Contains(c.Raw, []byte(`"`+name+`"`)) {
			return true
		}
	}
	return false
}
