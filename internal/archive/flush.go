package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// The bounds of a flush.
const (
	flushAge   = 10 * time.Minute // what is older is archived
	flushBytes = 32 << 20         // of blocks, held in memory; when there are more, they are archived whatever their age
	readBlocks = 500
)

// FlushDue archives the streams that have something older than ten minutes, or much.
func (a *Archive) FlushDue(ctx context.Context) error {
	return a.eachStream(ctx, func(n stream.Name) error {
		due, err := a.due(ctx, n)
		if err != nil || !due {
			return err
		}
		return a.flush(ctx, n)
	})
}

// Flush archives all that the streams have by now.
func (a *Archive) Flush(ctx context.Context) error {
	return a.eachStream(ctx, func(n stream.Name) error { return a.flush(ctx, n) })
}

// UnscopedFlush is Flush for somebody of the provider's.
func (a *Archive) UnscopedFlush(ctx context.Context, by string) error {
	failed, outcome := a.Flush(ctx), "ok"
	if failed != nil { // some may be archived all the same
		outcome = "failed"
	}
	return errors.Join(failed, a.Audit.Record(context.WithoutCancel(ctx), audit.Entry{Actor: by, Verb: "archive.flush", Subject: "archive", Outcome: outcome}))
}

// eachStream does something with each stream, whatever becomes of the others.
func (a *Archive) eachStream(ctx context.Context, do func(n stream.Name) error) error {
	var failed error
	for _, n := range stream.Names {
		if err := do(n); err != nil {
			failed = errors.Join(failed, fmt.Errorf("archive stream %s: %w", n, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// due reports whether a stream has something to be archived now.
func (a *Archive) due(ctx context.Context, n stream.Name) (bool, error) {
	after, _, err := a.position(ctx, n)
	if err != nil {
		return false, err
	}
	list, err := a.Streams.Read(ctx, n, after, "", readBlocks)
	if err != nil {
		return true, nil //nolint:nilerr // a flush meets it too, and knows what to do
	}
	size := 0
	for _, m := range list {
		size += len(m.Data)
	}
	return len(list) > 0 && (size >= flushBytes/8 || a.Clock.Now().Sub(list[0].At) >= flushAge), nil
}

// late is how old the oldest message is that is not archived when somebody is told so.
const late = time.Hour

// Waiting is for how long the oldest message of a stream has waited to be archived; 0: there
// is none.
func (a *Archive) Waiting(ctx context.Context, n stream.Name) (time.Duration, error) {
	after, now, err := a.position(ctx, n)
	if err != nil || after >= now.Last {
		return 0, err
	}
	list, err := a.Streams.Read(ctx, n, after, "", 1)
	var gone stream.Missing
	if errors.As(err, &gone) {
		list, err = a.Streams.Read(ctx, n, gone.To, "", 1)
	}
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return max(0, a.Clock.Now().Sub(list[0].At)), nil
}

// Warnings says which streams are not archived any more, and whether people are not erased.
func (a *Archive) Warnings(ctx context.Context) (list []string) {
	for _, n := range stream.Names {
		if waited, err := a.Waiting(ctx, n); err == nil && waited > late { // else for Ready to find
			list = append(list, fmt.Sprintf("the stream %s has not been archived for %s, and keeps everything until it is; the log says why", n, waited.Round(time.Minute)))
		}
	}
	if open, err := a.Erased.UnscopedOpen(ctx, a.Clock.Now().Add(-eraseDaily)); err == nil && open > 0 {
		list = append(list, fmt.Sprintf("%d erasures of people have gone on for more than a day; tributary archive erasures says what they wait for", open))
	}
	return list
}

// flush archives what a stream has by now. A chain that cannot be read holds up no other: the
// stream counts as archived up to where it stopped, and who comes again begins there.
func (a *Archive) flush(ctx context.Context, n stream.Name) error {
	held := &holding{chains: map[tenant.ID]bool{}}
	for {
		more, err := a.flushSome(ctx, n, held)
		if err != nil || !more {
			return errors.Join(err, held.failed)
		}
	}
}

// holding is what one flush leaves for a later one.
type holding struct {
	read   uint64 // of the stream, by the batches before
	from   uint64 // where the first of the chains stopped; 0: none has
	chains map[tenant.ID]bool
	failed error // why
}

func (h *holding) hold(id tenant.ID, from uint64, err error) {
	if h.from == 0 || from < h.from {
		h.from = from
	}
	h.chains[id] = true
	h.failed = errors.Join(h.failed, err)
}

// batch is what is archived in one transaction.
type batch struct {
	*Archive
	held   *holding
	name   stream.Name
	state  stream.State
	last   uint64 // of the stream
	blocks map[tenant.ID][]block
	order  []tenant.ID
	made   []Object
}

// block is a sealed block and what it says of itself.
type block struct {
	events.Header
	at   uint64 // of the stream
	data []byte
}

// flushSome archives some of a stream, and reports whether there may be more.
func (a *Archive) flushSome(ctx context.Context, n stream.Name, held *holding) (more bool, err error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	after, state, err := a.position(ctx, n)
	if err != nil {
		return false, err
	}
	b := &batch{Archive: a, held: held, name: n, state: state, last: max(after, held.read), blocks: map[tenant.ID][]block{}}
	begun := b.last
	if more, err = b.read(ctx); err != nil || b.last == begun {
		return false, err
	}
	held.read = b.last
	for _, id := range b.order {
		if err := b.write(ctx, id); err != nil {
			b.discard(ctx, b.made)
			return false, err
		}
	}
	if held.from != 0 {
		b.last = held.from - 1
	}
	if len(b.made) == 0 && b.last <= after {
		return more, nil
	}
	return more, b.commit(ctx) // after an error of which the rows may be there all the same; a sweep finds out
}

// read reads blocks from where the archive ends, as many as it may hold.
func (b *batch) read(ctx context.Context) (more bool, err error) {
	for size := 0; size < flushBytes; {
		list, err := b.Streams.Read(ctx, b.name, b.last, "", readBlocks)
		var gone stream.Missing
		switch {
		case errors.As(err, &gone):
			b.Log.ErrorContext(ctx, "messages cannot be archived", "stream", string(b.name), "from", gone.From, "to", gone.To, "error", err)
			b.last = gone.To
			continue
		case err != nil || len(list) == 0:
			return false, err
		}
		for _, m := range list {
			size += len(m.Data)
			b.last = m.Sequence
			h, err := events.ReadHeader(m.Data)
			if err == nil && (h.Tenant != m.Tenant || h.Stream != string(b.name)) {
				err = fault.New(fault.Damaged, "The %s stands on the stream %s as one of %q.", h, b.name, m.Tenant)
			}
			if err != nil {
				b.Log.ErrorContext(ctx, "a block cannot be archived", "stream", string(b.name), "sequence", m.Sequence, "error", err)
				continue
			}
			if b.blocks[h.Tenant] == nil {
				b.order = append(b.order, h.Tenant)
			}
			b.blocks[h.Tenant] = append(b.blocks[h.Tenant], block{h, m.Sequence, m.Data})
		}
	}
	return true, nil
}

// write writes the objects of one chain: one for each run of consecutive blocks of a day.
// What is archived already is left out. Where it cannot be told what may be read, or how far
// the chain is, it is left for a later flush.
func (b *batch) write(ctx context.Context, id tenant.ID) error {
	if b.held.chains[id] {
		return nil
	}
	at, err := b.end(ctx, b.name, id)
	if fault.Is(err, fault.Damaged) {
		b.held.hold(id, b.blocks[id][0].at, err)
		return nil
	}
	if err != nil {
		return err
	}
	var w *writer
	done := func() error {
		if w == nil {
			return nil
		}
		o, err := w.finish(ctx)
		if w = nil; err != nil {
			return err
		}
		b.made = append(b.made, o)
		return nil
	}
	defer func() {
		if w != nil {
			w.abort()
		}
	}()
	for _, k := range b.blocks[id] {
		if k.Sequence == at.Sequence && events.DigestOf(k.data) != at.Digest {
			b.Log.ErrorContext(ctx, "a block is not archived: another of its number is", "stream", string(b.name), "tenant.id", string(id), "block", k.Sequence)
		}
		if k.Sequence <= at.Sequence {
			continue
		}
		_, list, err := b.Blocks.Open(ctx, k.data)
		if fault.Is(err, fault.NotFound) { // erased
			return nil
		}
		if fault.Is(err, fault.Damaged) && errors.Is(err, keys.ErrKey) {
			b.held.hold(id, k.at, err)
			break
		}
		if fault.Is(err, fault.Damaged) {
			b.Log.ErrorContext(ctx, "a block cannot be archived", "stream", string(b.name), "tenant.id", string(id), "block", k.Sequence, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if w != nil && (at.Follows(k.Header) != nil || DayOf(k.First) != w.object.Day) {
			if err := done(); err != nil {
				return err
			}
		}
		if w == nil {
			if w, err = b.create(ctx, Object{Tenant: id, Stream: b.name, Day: DayOf(k.First), Parts: 1, Previous: k.Previous}); err != nil {
				return err
			}
		}
		at = events.PlaceOf(k.Header, k.data)
		if err := w.add(k.Sequence, at.Digest, list); err != nil {
			return err
		}
	}
	return done()
}

// commit adds what was written to the catalogue, and notes how far the stream is
// archived, and its chains, which then go on there whatever becomes of the stream.
func (b *batch) commit(ctx context.Context) error {
	now := b.Clock.Now()
	return b.DB.Transact(ctx, func(tx *meta.DB) error {
		for _, o := range b.made {
			if err := b.insert(ctx, tx, o); err != nil {
				return err
			}
			if err := events.UnscopedRaiseHead(ctx, tx, b.name, o.Tenant, events.Place{Sequence: o.Last, Digest: o.Digest}, now); err != nil {
				return err
			}
		}
		return b.setPosition(ctx, tx, b.name, b.state, b.last)
	})
}

// discard removes objects that have no row and will have none.
func (a *Archive) discard(ctx context.Context, list []Object) {
	for _, o := range list {
		if err := a.Blobs.Delete(context.WithoutCancel(ctx), o.blobKey()); err != nil && !fault.Is(err, fault.NotFound) {
			a.Log.WarnContext(ctx, "bytes of an object of the archive that came to nothing stay for now", "object", o.ID, "error", err)
		}
	}
}
