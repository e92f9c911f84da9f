package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// Problem is what is wrong with a place in the log.
type Problem string

// The problems.
const (
	Edited     Problem = "edited"      // an entry is not what its hash was made of
	Unlinked   Problem = "unlinked"    // an entry does not follow the one before it
	Missing    Problem = "missing"     // entries or checkpoints are not there, but later ones are
	Truncated  Problem = "truncated"   // a chain ends before its head, or before what a checkpoint signed
	WrongHead  Problem = "wrong-head"  // a chain's head is not what the server wrote
	Rewritten  Problem = "rewritten"   // an entry is not the one that a checkpoint signed
	Forged     Problem = "forged"      // a checkpoint is not what the server signed
	RolledBack Problem = "rolled-back" // the log has not, or not as it was, a checkpoint that somebody pinned
)

// Finding is one thing that is wrong with the log.
type Finding struct {
	Chain      tenant.ID // whose chain; empty: the provider's, or a checkpoint
	Seq        int64     // the first entry it is about; 0: none
	Checkpoint int64     // the checkpoint it is about; 0: none
	Problem    Problem
	Message    string // a sentence for people
}

// Pin is a checkpoint that somebody wrote down elsewhere.
type Pin struct {
	Checkpoint int64
	Hash       []byte
}

// maxFindings is how many findings there are for one chain; the rest are counted.
const maxFindings = 20

// Verify reads the whole log and reports what is wrong with it, chain by chain in
// the order of entries, so that a chain's first finding is about its first bad
// entry. It compares with the pins what the database alone cannot show: that the
// log and its checkpoints were set back together. Acts that are recorded
// meanwhile are no findings. The error is for when it could not look.
func (l *Log) Verify(ctx context.Context, report func(Finding), pins ...Pin) error {
	if err := l.verifyCheckpoints(ctx, report, pins); err != nil {
		return err
	}
	chains, err := l.chains(ctx)
	if err != nil {
		return err
	}
	for _, id := range chains {
		if err := l.verifyChain(ctx, id, report); err != nil {
			return err
		}
	}
	return nil
}

// chains lists every chain that any table knows, since each may have lost it.
func (l *Log) chains(ctx context.Context) ([]tenant.ID, error) {
	rows, err := l.cfg.DB.Unscoped().Query(ctx, `
		WITH RECURSIVE stored (tenant) AS ( -- one look into the index for each chain
			SELECT min(e.tenant) FROM audit_entries e
			UNION ALL
			SELECT (SELECT min(e.tenant) FROM audit_entries e WHERE e.tenant > stored.tenant) FROM stored WHERE stored.tenant IS NOT NULL
		), signed (tenant) AS (
			SELECT min(c.tenant) FROM audit_checkpoint_heads c
			UNION ALL
			SELECT (SELECT min(c.tenant) FROM audit_checkpoint_heads c WHERE c.tenant > signed.tenant) FROM signed WHERE signed.tenant IS NOT NULL
		)
		SELECT tenant FROM audit_heads
		UNION SELECT tenant FROM stored WHERE tenant IS NOT NULL
		UNION SELECT tenant FROM signed WHERE tenant IS NOT NULL
		ORDER BY tenant`)
	if err != nil {
		return nil, fmt.Errorf("list the chains of the audit log: %w", err)
	}
	var list []tenant.ID
	for rows.Next() {
		var id tenant.ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list the chains of the audit log: %w", err)
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// verifyChain walks one chain. What checkpoints say is read before the entries,
// and the head after them, so that neither is ahead of what was read.
func (l *Log) verifyChain(ctx context.Context, id tenant.ID, report func(Finding)) error {
	signed, err := l.signedHeads(ctx, `WHERE tenant = $1 ORDER BY checkpoint`, string(id))
	if err != nil {
		return err
	}
	w := newWalk(id, signed, report)
	defer w.summarise()
	for {
		grew, err := l.walkEntries(ctx, w)
		if err != nil {
			return err
		}
		h, mac, err := l.storedHead(ctx, id)
		if err != nil {
			return err
		}
		if h.Seq > w.seq && grew { // appended to meanwhile
			continue
		}
		if mac != nil {
			if err := l.checkHead(h, mac); err != nil {
				w.find(h.Seq, WrongHead, "The head of the chain, at entry %d, does not carry the server's mark.", h.Seq)
			}
		}
		w.end(h)
		return nil
	}
}

func (l *Log) walkEntries(ctx context.Context, w *walk) (grew bool, err error) {
	for {
		page, err := l.UnscopedRaw(ctx, w.chain, w.seq, maxRaw)
		if err != nil {
			return grew, err
		}
		for i := range page {
			w.next(&page[i])
		}
		if len(page) < maxRaw {
			return grew || len(page) > 0, nil
		}
		grew = true
	}
}

// storedHead is the head as it is stored; without one, the number is 0.
func (l *Log) storedHead(ctx context.Context, id tenant.ID) (h Head, mac []byte, err error) {
	h = Head{Tenant: id, Hash: make([]byte, hashSize)}
	err = l.cfg.DB.RowsOf(id).QueryRow(ctx, `SELECT seq, hash, mac FROM audit_heads WHERE tenant = $1`, string(id)).Scan(&h.Seq, &h.Hash, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return h, nil, nil
	}
	if err != nil {
		return h, nil, fmt.Errorf("read the head of the audit log: %w", err)
	}
	if mac == nil {
		mac = []byte{}
	}
	return h, mac, nil
}

// walk goes through the records of one chain in order and compares them with each
// other, and with what checkpoints signed.
type walk struct {
	chain   tenant.ID
	seq     int64 // of the record before
	hash    []byte
	signed  []signedHead // that are still to come, in the order of entries
	report  func(Finding)
	found   int
	scratch []byte
}

func newWalk(id tenant.ID, signed []signedHead, report func(Finding)) *walk {
	return &walk{chain: id, hash: make([]byte, hashSize), signed: signed, report: report}
}

func (w *walk) find(seq int64, p Problem, format string, args ...any) {
	if w.found++; w.found <= maxFindings {
		w.report(Finding{Chain: w.chain, Seq: seq, Problem: p, Message: fmt.Sprintf(format, args...)})
	}
}

// summarise says how many findings were not reported one by one.
func (w *walk) summarise() {
	if more := w.found - maxFindings; more > 0 {
		w.report(Finding{Chain: w.chain, Seq: w.seq, Problem: Edited, Message: fmt.Sprintf("There are %d more findings in this chain.", more)})
	}
}

// next takes the next record. After a finding it goes on from what is stored, so
// that one act of tampering is not reported at every later entry.
func (w *walk) next(r *Record) {
	switch {
	case r.Seq == w.seq+2:
		w.find(w.seq+1, Missing, "Entry %d is missing.", w.seq+1)
	case r.Seq != w.seq+1:
		w.find(w.seq+1, Missing, "Entries %d to %d are missing.", w.seq+1, r.Seq-1)
	case !bytes.Equal(r.Prev, w.hash):
		w.find(r.Seq, Unlinked, "Entry %d does not follow entry %d: one of them, or one between them, was changed.", r.Seq, r.Seq-1)
	}
	var sum [hashSize]byte
	if sum, w.scratch = r.digest(w.scratch); !bytes.Equal(sum[:], r.Hash) {
		w.find(r.Seq, Edited, "Entry %d is not what was written.", r.Seq)
	}
	for len(w.signed) > 0 && w.signed[0].Seq <= r.Seq {
		if s := w.signed[0]; s.Seq == r.Seq && !bytes.Equal(s.Hash, r.Hash) {
			w.find(r.Seq, Rewritten, "Entry %d is not the one that checkpoint %d signed.", r.Seq, s.checkpoint)
		}
		w.signed = w.signed[1:]
	}
	w.seq, w.hash = r.Seq, r.Hash
}

// end compares the end of the chain with its head and with what is signed beyond it.
func (w *walk) end(h Head) {
	last := h.Seq
	for _, s := range w.signed {
		last = max(last, s.Seq)
	}
	switch {
	case last > w.seq:
		w.find(w.seq+1, Truncated, "The chain ends at entry %d, but there were entries up to %d.", w.seq, last)
	case h.Seq < w.seq:
		w.find(h.Seq+1, WrongHead, "The chain ends at entry %d, but its head is at entry %d.", w.seq, h.Seq)
	case !bytes.Equal(h.Hash, w.hash):
		w.find(w.seq, WrongHead, "Entry %d is not the one that the chain's head names.", w.seq)
	}
}

// verifyCheckpoints walks the chain of checkpoints.
func (l *Log) verifyCheckpoints(ctx context.Context, report func(Finding), pins []Pin) error {
	find := func(seq int64, p Problem, format string, args ...any) {
		report(Finding{Checkpoint: seq, Problem: p, Message: fmt.Sprintf(format, args...)})
	}
	last := Checkpoint{Hash: make([]byte, hashSize)}
	pinned := map[int64][]Pin{}
	for _, p := range pins {
		pinned[p.Checkpoint] = append(pinned[p.Checkpoint], p)
	}
	for {
		page, err := l.checkpoints(ctx, `WHERE seq > $1 ORDER BY seq LIMIT $2`, last.Seq, maxRaw)
		if err != nil {
			return err
		}
		for _, c := range page {
			switch {
			case c.Seq != last.Seq+1:
				find(last.Seq+1, Missing, "Checkpoints %d to %d are missing.", last.Seq+1, c.Seq-1)
			case !bytes.Equal(c.Prev, last.Hash):
				find(c.Seq, Unlinked, "Checkpoint %d does not follow checkpoint %d.", c.Seq, last.Seq)
			}
			if err := l.verifyCheckpoint(ctx, c, find); err != nil {
				return err
			}
			for _, p := range pinned[c.Seq] {
				if !bytes.Equal(p.Hash, c.Hash) {
					find(c.Seq, RolledBack, "Checkpoint %d is another than the one pinned: the log was set back, or shows different readers different things.", c.Seq)
				}
			}
			delete(pinned, c.Seq)
			last = c
		}
		if len(page) < maxRaw {
			break
		}
	}
	for _, p := range pins {
		if _, open := pinned[p.Checkpoint]; open {
			find(p.Checkpoint, RolledBack, "Checkpoint %d was pinned, but the log ends at checkpoint %d: it was set back.", p.Checkpoint, last.Seq)
		}
	}
	return nil
}

func (l *Log) verifyCheckpoint(ctx context.Context, c Checkpoint, find func(int64, Problem, string, ...any)) error {
	s, ok := decodeStatement(c.Body)
	sum := sha256.Sum256(c.Body)
	if !ok || s.seq != c.Seq || s.at != meta.Micros(c.At) || !bytes.Equal(s.prev, c.Prev) || !bytes.Equal(sum[:], c.Hash) {
		find(c.Seq, Forged, "Checkpoint %d is not what was signed.", c.Seq)
		return nil
	}
	if key := l.PublicKeys()[0]; c.Key != key.ID || !ed25519.Verify(key.Key, c.Body, c.Signature) {
		find(c.Seq, Forged, "Checkpoint %d does not carry the server's signature.", c.Seq)
	}
	heads, err := l.signedHeads(ctx, `WHERE checkpoint = $1 ORDER BY tenant`, c.Seq)
	if err != nil {
		return err
	}
	if int64(len(heads)) != s.heads || len(heads) == 0 || !bytes.Equal(root(leaves(headsOf(heads))), s.root) {
		find(c.Seq, Forged, "The heads that are stored for checkpoint %d are not those that were signed.", c.Seq)
	}
	return nil
}
