package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// publisher is the part of stream.Streams that a Sequencer needs.
type publisher interface {
	PublishAfter(ctx context.Context, n stream.Name, after uint64, list []stream.Message) (last uint64, err error)
	State(ctx context.Context, n stream.Name) (stream.State, error)
	Last(ctx context.Context, n stream.Name, id tenant.ID) (stream.Stored, error)
}

// Sequencer puts blocks on the streams, each behind the one before of its tenant. One
// process has one, and nothing else publishes.
type Sequencer struct {
	db     *meta.DB
	log    publisher
	blocks *Blocks
	clock  clock.Clock
	chains map[stream.Name]*chains
	saving sync.Mutex // held while ends are written down, and before any is forgotten
}

// chains are the ends of the chains on one stream.
type chains struct {
	turn   chan struct{} // held from sealing a block to knowing that it is there
	last   uint64        // where the stream ends, if known: ends are as of then
	known  bool
	ends   map[tenant.ID]Place
	unsave map[tenant.ID]bool // ends that Save has not written yet
}

// NewSequencer makes a Sequencer.
func NewSequencer(db *meta.DB, streams publisher, blocks *Blocks, c clock.Clock) *Sequencer {
	s := &Sequencer{db: db, log: streams, blocks: blocks, clock: c, chains: map[stream.Name]*chains{}}
	for _, n := range stream.Names {
		s.chains[n] = &chains{turn: make(chan struct{}, 1), ends: map[tenant.ID]Place{}, unsave: map[tenant.ID]bool{}}
	}
	return s
}

// Append puts a tenant's events, or the provider's for "", on a stream, all or none,
// in as many blocks as they need. When it returns nil they survive a power cut. After
// an error they may be there all the same.
func (s *Sequencer) Append(ctx context.Context, n stream.Name, id tenant.ID, list []Event) error {
	var p parcel
	var err error
	for i := range list {
		from := len(p.lines)
		if p.lines, err = list[i].appendLine(p.lines); err != nil {
			return err
		}
		p.events = append(p.events, extent{len(p.lines) - from, list[i].Received})
	}
	failed, err := s.appendAll(ctx, n, map[tenant.ID]*parcel{id: &p})
	if err != nil {
		return err
	}
	return failed[id]
}

// parcel is what one tenant has in a commit.
type parcel struct {
	lines  []byte
	size   int // that lines will have, for add
	events []extent
}

// add adds to lines, which have memory at once for all that there will be.
func (p *parcel) add(line []byte) {
	if p.lines == nil {
		p.lines = make([]byte, 0, p.size)
	}
	p.lines = append(p.lines, line...)
}

// extent is one event of a parcel.
type extent struct {
	size     int
	received time.Time
}

// mostMessages is how many blocks are one batch of a stream.
const mostMessages = stream.MaxBatch / 2

// appendAll puts the parcels of several tenants on a stream, in as few commits as it
// can: one, unless they are of hundreds of tenants. Each tenant's are kept whole, or
// its error is in failed: its key is gone or not at hand, or the stream takes nothing.
func (s *Sequencer) appendAll(ctx context.Context, n stream.Name, parcels map[tenant.ID]*parcel) (failed map[tenant.ID]error, err error) {
	c := s.chains[n]
	if c == nil {
		return nil, fmt.Errorf("append events: there is no stream %q", n)
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.turn }()
	failed, again := s.commit(ctx, n, c, parcels)
	if len(again) > 0 {
		more, _ := s.commit(ctx, n, c, again)
		for id := range again {
			switch err := more[id]; {
			case err == nil:
				delete(failed, id)
			case fault.Is(err, fault.Conflict):
				failed[id] = fault.Wrap(fault.Unavailable, err, "The stream %s is written to by another process. Try again.", n)
			default:
				failed[id] = err
			}
		}
	}
	return failed, nil
}

// commit is appendAll for who has the turn. In again are parcels that are in failed because
// the stream ended elsewhere than was known: there they may fit.
func (s *Sequencer) commit(ctx context.Context, n stream.Name, c *chains, parcels map[tenant.ID]*parcel) (failed map[tenant.ID]error, again map[tenant.ID]*parcel) {
	failed, again = map[tenant.ID]error{}, map[tenant.ID]*parcel{}
	ends := map[tenant.ID]Place{}
	var list []stream.Message
	publish := func() {
		if err := s.publish(ctx, n, c, list, ends); err != nil {
			for id := range ends {
				failed[id] = err
				if fault.Is(err, fault.Conflict) {
					again[id] = parcels[id]
				}
			}
		}
		list, ends = nil, map[tenant.ID]Place{}
	}
	for id, p := range parcels {
		blocks, end, err := s.seal(ctx, n, c, id, p)
		if err != nil {
			failed[id] = err
			continue
		}
		if len(list)+len(blocks) > mostMessages {
			publish()
		}
		list, ends[id] = append(list, blocks...), end
	}
	publish()
	return failed, again
}

// publish makes one commit of the blocks of some tenants, which then end there.
func (s *Sequencer) publish(ctx context.Context, n stream.Name, c *chains, list []stream.Message, ends map[tenant.ID]Place) error {
	if len(list) == 0 {
		return nil
	}
	last, err := s.log.PublishAfter(ctx, n, c.last, list)
	switch {
	case fault.Is(err, fault.Conflict): // something came late, or from somebody else
		clear(c.ends)
	case err != nil: // whether they are there is not known; the stream is asked next time
		for id := range ends {
			delete(c.ends, id)
		}
	}
	if c.last, c.known = last, err == nil; err != nil {
		return fmt.Errorf("publish %d blocks: %w", len(list), err)
	}
	for id, end := range ends {
		c.ends[id], c.unsave[id] = end, true
	}
	return nil
}

// seal makes the blocks of one tenant's parcel.
func (s *Sequencer) seal(ctx context.Context, n stream.Name, c *chains, id tenant.ID, p *parcel) ([]stream.Message, Place, error) {
	end, err := s.end(ctx, n, c, id)
	if err != nil {
		return nil, end, err
	}
	var list []stream.Message
	lines, events := p.lines, p.events
	for len(events) > 0 {
		h := Header{Stream: string(n), Tenant: id, Sequence: end.Sequence + 1, Previous: end.Digest, First: events[0].received, Last: events[0].received}
		size := 0
		for h.Count < len(events) && (h.Count == 0 || size+events[h.Count].size <= MaxLines) {
			at := events[h.Count].received
			if at.Before(h.First) {
				h.First = at
			}
			if at.After(h.Last) {
				h.Last = at
			}
			size += events[h.Count].size
			h.Count++
		}
		h, block, err := s.blocks.sealLines(ctx, h, lines[:size])
		if err != nil {
			return nil, end, err
		}
		end = PlaceOf(h, block)
		list = append(list, stream.Message{Tenant: id, Data: block})
		lines, events = lines[size:], events[h.Count:]
	}
	return list, end, nil
}

// end finds where a chain has got to: what this process knows, or else the last block
// on the stream, or, where that has expired, what Save wrote. The caller has the turn.
func (s *Sequencer) end(ctx context.Context, n stream.Name, c *chains, id tenant.ID) (Place, error) {
	if !c.known { // before a chain is asked for: what comes in between is then seen
		state, err := s.log.State(ctx, n)
		if err != nil {
			return Place{}, fmt.Errorf("find the end of the stream: %w", err)
		}
		c.last, c.known = state.Last, true
	}
	if end, ok := c.ends[id]; ok {
		return end, nil
	}
	end, err := savedEnd(ctx, s.db, n, id)
	if err != nil {
		return end, err
	}
	last, err := s.log.Last(ctx, n, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return end, fmt.Errorf("find the last block: %w", err)
	}
	if err == nil {
		h, err := ReadHeader(last.Data)
		if err != nil {
			return end, err
		}
		if h.Stream != string(n) || h.Tenant != id {
			return end, fault.New(fault.Damaged, "The %s lies where one of %s on stream %s should.", h, id, n)
		}
		// What Save wrote is ahead where blocks were lost; the gap is then seen.
		if h.Sequence >= end.Sequence {
			end = PlaceOf(h, last.Data)
		}
	}
	c.ends[id] = end
	return end, nil
}

// savedEnd is what Save wrote of a chain; zero: nothing.
func savedEnd(ctx context.Context, db *meta.DB, n stream.Name, id tenant.ID) (end Place, err error) {
	var sequence int64
	var digest []byte
	err = db.RowsOf(id).QueryRow(ctx, `SELECT sequence, digest FROM stream_heads WHERE tenant = $1 AND stream = $2`, string(id), string(n)).Scan(&sequence, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return end, nil
	}
	if err != nil {
		return end, fmt.Errorf("read the head of a chain of blocks: %w", err)
	}
	end.Sequence = uint64(sequence)
	copy(end.Digest[:], digest)
	return end, nil
}

// Save writes down where the chains have got to, so that a tenant's goes on when all
// its blocks have expired, and fsck sees that the last ones are there.
func (s *Sequencer) Save(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	for n, c := range s.chains {
		c.turn <- struct{}{}
		ends := map[tenant.ID]Place{}
		for id := range c.unsave {
			if end, ok := c.ends[id]; ok {
				ends[id] = end
			}
		}
		saved := c.unsave
		c.unsave = map[tenant.ID]bool{}
		<-c.turn
		if len(ends) == 0 {
			continue
		}
		if err := s.save(ctx, n, ends); err != nil {
			c.turn <- struct{}{}
			maps.Copy(c.unsave, saved)
			<-c.turn
			return err
		}
	}
	return nil
}

func (s *Sequencer) save(ctx context.Context, n stream.Name, ends map[tenant.ID]Place) error {
	return s.db.Transact(ctx, func(tx *meta.DB) error {
		for id, end := range ends {
			if err := UnscopedRaiseHead(ctx, tx, n, id, end, s.clock.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// UnscopedRaiseHead notes in a transaction that a chain had got at least so far: where the archive
// has it, it goes on there although its blocks have expired or are lost.
func UnscopedRaiseHead(ctx context.Context, tx *meta.DB, n stream.Name, id tenant.ID, p Place, now time.Time) error {
	if _, err := tx.RowsOf(id).Exec(ctx, `INSERT INTO stream_heads (tenant, stream, sequence, digest, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, stream) DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest, at = excluded.at WHERE stream_heads.sequence < excluded.sequence`,
		string(id), string(n), int64(p.Sequence), p.Digest[:], meta.Micros(now)); err != nil {
		return fmt.Errorf("save the head of a chain of blocks: %w", err)
	}
	return nil
}

// UnscopedRestart makes chains go on behind what is archived of them, on streams that begin
// anew: after a restore, which has the archive and not the streams.
func UnscopedRestart(ctx context.Context, db *meta.DB, archived Archived) error {
	for _, n := range stream.Names {
		ends, err := archived(ctx, n)
		if err != nil {
			return err
		}
		if err := db.Transact(ctx, func(tx *meta.DB) error { return restart(ctx, tx, n, ends) }); err != nil {
			return fmt.Errorf("begin stream %s anew: %w", n, err)
		}
	}
	return nil
}

func restart(ctx context.Context, tx *meta.DB, n stream.Name, ends map[tenant.ID]Place) error {
	rows, err := tx.Unscoped().Query(ctx, `SELECT tenant, sequence FROM stream_heads WHERE stream = $1`, string(n))
	if err != nil {
		return err
	}
	var beyond []tenant.ID
	for rows.Next() {
		var id tenant.ID
		var sequence int64
		if err := rows.Scan(&id, &sequence); err != nil {
			return err
		}
		if uint64(sequence) > ends[id].Sequence {
			beyond = append(beyond, id)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range beyond {
		end := ends[id]
		if end.Sequence == 0 {
			_, err = tx.RowsOf(id).Exec(ctx, `DELETE FROM stream_heads WHERE tenant = $1 AND stream = $2`, string(id), string(n))
		} else {
			_, err = tx.RowsOf(id).Exec(ctx, `UPDATE stream_heads SET sequence = $1, digest = $2 WHERE tenant = $3 AND stream = $4`, int64(end.Sequence), end.Digest[:], string(id), string(n))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget drops what is known of a tenant's chains, whose key is gone: Save writes
// nothing of it down any more.
func (s *Sequencer) forget(id tenant.ID) {
	s.saving.Lock()
	defer s.saving.Unlock()
	for _, c := range s.chains {
		c.turn <- struct{}{}
		delete(c.ends, id)
		delete(c.unsave, id)
		<-c.turn
	}
}
