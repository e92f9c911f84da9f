package events

import (
	"context"
	"errors"
	"fmt"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Finding is something wrong with what is kept of events.
type Finding struct {
	Tenant  tenant.ID // empty: the provider's, or not known
	Subject string    // the source's id, or the place in a stream
	Problem string
}

// Archived says how far each chain of a stream is kept elsewhere.
type Archived func(ctx context.Context, n stream.Name) (map[tenant.ID]Place, error)

// UnscopedVerify checks the rows of sources, plans and quarantine, and every block on
// the streams: that each chain goes on without a gap from where archived, which may be nil,
// ends, since nothing expires before; that no block was changed, and that each chain ends
// where it did when that was last written down, or is archived so far. deep opens every
// block, and not only the last of each chain. An error means that it could not look.
func UnscopedVerify(ctx context.Context, db *meta.DB, ring *keys.Ring, streams *stream.Streams, archived Archived, deep bool, report func(Finding)) error {
	blocks, err := NewBlocks(ring, nil)
	if err != nil {
		return err
	}
	e := &Events{Config: Config{DB: db, Keys: ring}}
	if err := e.verifyRows(ctx, report); err != nil {
		return err
	}
	for _, n := range stream.Names {
		v := &verifier{blocks: blocks, name: n, archived: map[tenant.ID]Place{}, deep: deep, report: report, ends: map[tenant.ID]Place{}, last: map[tenant.ID][]byte{}}
		if archived != nil {
			if v.archived, err = archived(ctx, n); err != nil {
				return err
			}
		}
		if err := v.read(ctx, streams); err != nil {
			return err
		}
		if err := v.heads(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

func (e *Events) verifyRows(ctx context.Context, report func(Finding)) error {
	rows, err := e.DB.Unscoped().Query(ctx, `SELECT `+sourceColumns+` FROM event_sources ORDER BY id`)
	if err != nil {
		return fmt.Errorf("list sources: %w", err)
	}
	for rows.Next() {
		if s, err := e.scanSource(ctx)(rows); err != nil && !fault.Is(err, fault.NotFound) {
			report(Finding{s.Tenant, s.ID, err.Error()})
		}
	}
	if rows, err = e.DB.Query(ctx, `SELECT version, source, hash, created_at, created_by FROM event_plans ORDER BY version`); err != nil {
		return fmt.Errorf("list tracking plans: %w", err)
	}
	for rows.Next() {
		if p, err := scanPlan(rows); err != nil {
			report(Finding{Subject: fmt.Sprintf("tracking plan %d", p.Version), Problem: err.Error()})
		}
	}
	if rows, err = e.DB.Unscoped().Query(ctx, `SELECT `+heldColumns+` FROM quarantined_events ORDER BY id`); err != nil {
		return fmt.Errorf("list what is in quarantine: %w", err)
	}
	for rows.Next() {
		if h, _, err := e.scanHeld(ctx, rows); err != nil {
			report(Finding{h.About, h.ID, err.Error()})
		}
	}
	if rows, err = e.DB.Unscoped().Query(ctx, `SELECT `+erasureColumns+` FROM event_erasures ORDER BY id`); err != nil {
		return fmt.Errorf("list erasures: %w", err)
	}
	for rows.Next() {
		if r, err := NewErased(e.DB, e.Keys).scan(ctx, rows); err != nil && !fault.Is(err, fault.NotFound) {
			report(Finding{r.Tenant, r.ID, err.Error()})
		}
	}
	return nil
}

// verifier follows the chains on one stream.
type verifier struct {
	blocks   *Blocks
	name     stream.Name
	archived map[tenant.ID]Place
	deep     bool
	report   func(Finding)
	ends     map[tenant.ID]Place
	last     map[tenant.ID][]byte // the last block of each chain
}

func (v *verifier) say(id tenant.ID, format string, args ...any) {
	v.report(Finding{id, "stream " + string(v.name), fmt.Sprintf(format, args...)})
}

func (v *verifier) read(ctx context.Context, streams *stream.Streams) error {
	state, err := streams.State(ctx, v.name)
	if err != nil {
		return err
	}
	for _, seq := range state.Lost {
		v.say("", "the message %d was damaged when the stream was opened", seq)
	}
	for after := uint64(0); ; {
		list, err := streams.Read(ctx, v.name, after, "", 100)
		var gone stream.Missing
		switch {
		case errors.As(err, &gone):
			v.say("", "the messages %d to %d are missing or damaged: %s", gone.From, gone.To, fault.Message(err))
			after = gone.To
			continue
		case fault.Is(err, fault.Damaged):
			v.say("", "%s", fault.Message(err))
			return nil
		case err != nil:
			return err
		case len(list) == 0:
			return v.openLast(ctx)
		}
		for _, m := range list {
			after = m.Sequence
			if err := v.block(ctx, m); err != nil {
				return err
			}
		}
	}
}

// block looks at one block and where its chain was.
func (v *verifier) block(ctx context.Context, m stream.Stored) error {
	h, err := ReadHeader(m.Data)
	if err != nil {
		v.say(m.Tenant, "the message %d: %s", m.Sequence, fault.Message(err))
		return nil
	}
	if h.Tenant != m.Tenant || h.Stream != string(v.name) {
		v.say(m.Tenant, "the message %d is the %s, which belongs elsewhere", m.Sequence, h)
		return nil
	}
	at, known := v.ends[h.Tenant]
	if !known {
		if at = v.archived[h.Tenant]; h.Sequence <= at.Sequence {
			at = Place{h.Sequence - 1, h.Previous} // the first that is there
		}
	}
	if err := at.Follows(h); err != nil {
		v.say(h.Tenant, "%s", fault.Message(err))
	}
	if !known || h.Sequence > at.Sequence {
		v.ends[h.Tenant], v.last[h.Tenant] = PlaceOf(h, m.Data), m.Data
	}
	if v.deep {
		return v.open(ctx, h, m.Data)
	}
	return nil
}

func (v *verifier) openLast(ctx context.Context) error {
	for _, block := range v.last {
		if h, err := ReadHeader(block); err == nil && !v.deep {
			if err := v.open(ctx, h, block); err != nil {
				return err
			}
		}
	}
	return nil
}

// open says what cannot be opened. That of a tenant whose keys are gone is not there
// any more, or will soon not be.
func (v *verifier) open(ctx context.Context, h Header, block []byte) error {
	_, _, err := v.blocks.Open(ctx, block)
	switch {
	case err == nil, fault.Is(err, fault.NotFound):
		return nil
	case fault.Is(err, fault.Damaged):
		v.say(h.Tenant, "%s", fault.Message(err))
		return nil
	}
	return err
}

// heads compares the ends of the chains with those that were written down.
func (v *verifier) heads(ctx context.Context, db *meta.DB) error {
	rows, err := db.Unscoped().Query(ctx, `SELECT tenant, sequence, digest FROM stream_heads WHERE stream = $1 ORDER BY tenant`, string(v.name))
	if err != nil {
		return fmt.Errorf("list the heads of chains of blocks: %w", err)
	}
	for rows.Next() {
		var id tenant.ID
		var sequence int64
		var digest []byte
		if err := rows.Scan(&id, &sequence, &digest); err != nil {
			return fmt.Errorf("list the heads of chains of blocks: %w", err)
		}
		end, known := v.ends[id]
		there := max(end.Sequence, v.archived[id].Sequence)
		switch {
		case there < uint64(sequence):
			v.say(id, "the blocks %d to %d, which were there, are lost from the end of the stream", there+1, sequence)
		case known && end.Sequence == uint64(sequence) && Digest(digest) != end.Digest:
			v.say(id, "the block %d is another than was written", sequence)
		}
	}
	return nil
}
