package events

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// controlStreams are the streams that acts are published on.
var controlStreams = [...]stream.Name{stream.Tenants, stream.Users, stream.Jobs}

// appender is the part of a Sequencer that the outbox needs.
type appender interface {
	Append(ctx context.Context, n stream.Name, id tenant.ID, list []Event) error
}

// Facts tells what the provider may read about the thing that an act of a chain was done
// to, as it is now, where the chain itself does not say what it was then; nil: nothing. Of a tenant's chain it tells nothing about what is not
// that tenant's.
type Facts func(ctx context.Context, id tenant.ID, subject string) (map[string]any, error)

// OutboxConfig is what an Outbox needs; all but Facts is required.
type OutboxConfig struct {
	DB      *meta.DB
	Audit   *audit.Log
	Streams *stream.Streams
	Blocks  *Blocks
	Append  appender
	Facts   Facts
	Clock   clock.Clock
}

// Outbox publishes what is done in this server on the streams tenants, users and jobs.
// Each act has an audit entry, written in its own transaction, so the audit log is the
// outbox: what a chain has after the number that was published last is still to be sent.
// Per tenant events come in the order of their entries, at least once.
type Outbox struct {
	cfg OutboxConfig
	// sent are the newest entries on each stream, of chains that this process has looked
	// at: one that was killed between a publish and its note does not publish again.
	sent map[tenant.ID]map[stream.Name]int64
}

// NewOutbox makes an Outbox. One process has one.
func NewOutbox(cfg OutboxConfig) *Outbox {
	return &Outbox{cfg: cfg, sent: map[tenant.ID]map[stream.Name]int64{}}
}

// outboxPage is how many entries of a chain are published at once.
const outboxPage = 500

// PublishDue publishes what the chains have grown by. A chain that cannot be published
// holds up no other, and is tried again at the next call.
func (o *Outbox) PublishDue(ctx context.Context) error {
	due, err := o.due(ctx)
	if err != nil {
		return err
	}
	var failed error
	for id, seq := range due {
		for more := true; more; {
			if seq, more, err = o.publish(ctx, id, seq); err != nil {
				delete(o.sent, id) // it may be there all the same
				failed = errors.Join(failed, fmt.Errorf("publish what was done in chain %q: %w", id, err))
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// due lists the chains that have grown, with what was published of them last.
func (o *Outbox) due(ctx context.Context) (map[tenant.ID]int64, error) {
	rows, err := o.cfg.DB.Unscoped().Query(ctx, `
		SELECT h.tenant, COALESCE(p.seq, 0) FROM audit_heads h LEFT JOIN stream_published p ON p.tenant = h.tenant
		WHERE h.seq > COALESCE(p.seq, 0)`)
	if err != nil {
		return nil, fmt.Errorf("look for what is to be published: %w", err)
	}
	due := map[tenant.ID]int64{}
	for rows.Next() {
		var id tenant.ID
		var seq int64
		if err := rows.Scan(&id, &seq); err != nil {
			return nil, fmt.Errorf("look for what is to be published: %w", err)
		}
		due[id] = seq
	}
	return due, rows.Err()
}

// publish publishes the next entries of a chain after a number, and returns the last
// of them, and whether there may be more.
func (o *Outbox) publish(ctx context.Context, id tenant.ID, after int64) (last int64, more bool, err error) {
	records, err := o.cfg.Audit.UnscopedRaw(ctx, id, after, outboxPage)
	if err != nil || len(records) == 0 {
		return after, false, err
	}
	last = records[len(records)-1].Seq
	sent, err := o.sentOf(ctx, id)
	if err == nil {
		err = o.append(ctx, id, records, sent)
	}
	// The key of an erased tenant is gone, and with it what anybody could read.
	if err != nil && !fault.Is(err, fault.NotFound) {
		return after, false, err
	}
	if err := o.note(ctx, id, last); err != nil {
		return after, false, err
	}
	return last, len(records) == outboxPage, nil
}

func (o *Outbox) append(ctx context.Context, id tenant.ID, records []audit.Record, sent map[stream.Name]int64) error {
	lists := map[stream.Name][]Event{}
	now := o.cfg.Clock.Now()
	for _, r := range records {
		n := streamFor(r.Verb)
		if r.Seq <= sent[n] {
			continue
		}
		var facts map[string]any
		if o.cfg.Facts != nil && r.Subject != "" && !r.Refused() {
			var err error
			if facts, err = o.cfg.Facts(ctx, id, r.Subject); err != nil {
				return fmt.Errorf("what is known of %s: %w", r.Subject, err)
			}
			if facts != nil && tenant.ID(r.Subject).Valid() { // whose act it is to say what a tenant was
				maps.Copy(facts, r.Now())
			}
		}
		e, err := controlEvent(r, facts, now)
		if err != nil {
			return err
		}
		lists[n] = append(lists[n], e)
	}
	for _, n := range controlStreams {
		if len(lists[n]) == 0 {
			continue
		}
		if err := o.cfg.Append.Append(ctx, n, id, lists[n]); err != nil {
			return err
		}
		sent[n] = records[len(records)-1].Seq
	}
	return nil
}

// sentOf is the newest entry of a chain on each stream, by the last block there.
func (o *Outbox) sentOf(ctx context.Context, id tenant.ID) (map[stream.Name]int64, error) {
	if sent := o.sent[id]; sent != nil {
		return sent, nil
	}
	sent := map[stream.Name]int64{}
	for _, n := range controlStreams {
		m, err := o.cfg.Streams.Last(ctx, n, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, list, err := o.cfg.Blocks.unseal(ctx, m.Data)
		if err != nil {
			return nil, err
		}
		newest := list[len(list)-1]
		seq, err := entryOf(newest)
		if err != nil {
			return nil, err
		}
		entry, err := o.cfg.Audit.UnscopedRaw(ctx, id, seq-1, 1)
		if err != nil {
			return nil, err
		}
		if len(entry) == 1 && entryID(entry[0]) == newest.ID { // else the chain was restored, and went on otherwise
			sent[n] = seq
		}
	}
	o.sent[id] = sent
	return sent, nil
}

// note writes down how far a chain is published.
func (o *Outbox) note(ctx context.Context, id tenant.ID, seq int64) error {
	db := o.cfg.DB.Provider()
	if id != "" {
		db = o.cfg.DB.For(id)
	}
	if _, err := db.Exec(ctx, `INSERT INTO stream_published (tenant, seq) VALUES ($1, $2)
		ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq`, string(id), seq); err != nil {
		return fmt.Errorf("note what is published: %w", err)
	}
	return nil
}
