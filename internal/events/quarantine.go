package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// HeldFor says in a word why an event is in quarantine.
type HeldFor string

// The reasons.
const (
	Unreadable HeldFor = "unreadable"           // it could not be read as an event
	Malformed  HeldFor = "malformed"            // something in it is beyond a bound, or not JSON
	NoTenant   HeldFor = "tenant"               // it names no tenant that is known
	Unplanned  HeldFor = HeldFor(FlagUnplanned) // the tracking plan has no such type
	Unfit      HeldFor = HeldFor(FlagUnfit)     // it is not as the tracking plan says
	TooMany    HeldFor = "variety"              // its type, user or names are new, and there were too many that day
)

// The bounds of quarantine.
const (
	longestHeld = 30 * 24 * time.Hour
	mostHeld    = 10_000   // events of one owner
	mostStored  = 64 << 20 // bytes of them, sealed
	ownPart     = 20       // each source has one part in so many, however full the rest is
	mostRaw     = 64 << 10 // bytes of one that could not be read; the rest is left out
	mostReplay  = 1000     // events taken in by one replay, and up to a page more
	mostPage    = 50       // events opened at once
)

// HeldReasons lists the reasons.
var HeldReasons = [...]HeldFor{Unreadable, Malformed, NoTenant, Unplanned, Unfit, TooMany}

// Held is an event in quarantine. Intake puts it there; a replay that finds it fit, an
// admin who drops it, 30 days, or its tenant's erasure ends it.
type Held struct {
	ID         string
	Source     string    // its id, or "api"
	About      tenant.ID // whose event it is, where that is known
	For        HeldFor
	ReceivedAt time.Time

	Reason string         // in words
	Event  jsontext.Value // as it would be kept; nil: it could not be read
	Raw    string         // what came, if it could not be read
}

// held is an event on its way to quarantine, and what is sealed of it.
type held struct {
	source       string
	owner, about tenant.ID
	kind         HeldFor
	event        Event
	raw          []byte // at most mostRaw

	Reason string
	SentAt time.Time
}

// contents is what is sealed.
type contents struct {
	Reason  string         `json:"reason"`
	SentAt  time.Time      `json:"sent_at,omitzero"`
	Channel string         `json:"channel,omitempty"`
	Event   jsontext.Value `json:"event,omitzero"`
	Raw     []byte         `json:"raw,omitempty"`
}

func (h *held) size() int { return 512 + len(h.raw) + len(h.event.Data) + len(h.event.Context) }

func (h *held) contents() contents {
	c := contents{Reason: h.Reason, SentAt: h.SentAt, Channel: h.event.Channel}
	if !plausible(c.SentAt) {
		c.SentAt = time.Time{}
	}
	if h.kind != Unreadable {
		if !plausible(h.event.Time) { // it could not be written; when it was received stands for it
			h.event.Time = time.Time{}
		}
		if line, err := h.event.appendLine(nil); err == nil && jsontext.Value(line).IsValid() {
			c.Event = line[:len(line)-1]
			return c
		}
	}
	c.Raw = h.raw
	return c
}

// quarantine puts the events of several requests there, in one transaction.
func (e *Events) quarantine(ctx context.Context, list []*work) {
	err := e.DB.Transact(ctx, func(tx *meta.DB) error {
		rooms := map[tenant.ID]room{}
		for _, w := range list {
			for n := range w.items {
				i := &w.items[n]
				var err error
				if i.err, err = e.holdIn(ctx, tx, i.held, rooms); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, w := range list {
		w.err = err
	}
}

// room is what an owner has in quarantine, by source.
type room map[string]amount

// takes reports whether there is room for more of a source, which takes no more of it than
// it leaves free, but for its own part: those that send nothing good keep out no other.
func (r room) takes(source string, more amount) bool {
	free := amount{mostHeld, mostStored}
	for _, a := range r {
		free.events, free.bytes = free.events-a.events, free.bytes-a.bytes
	}
	own := r[source].plus(more)
	return own.events <= max(free.events, mostHeld/ownPart) && own.bytes <= max(free.bytes, mostStored/ownPart)
}

func roomOf(ctx context.Context, tx *meta.DB, owner tenant.ID) (room, error) {
	rows, err := tx.RowsOf(owner).Query(ctx, `SELECT source, count(*), CAST(sum(length(body)) AS BIGINT) FROM quarantined_events WHERE tenant = $1 GROUP BY source`, string(owner))
	if err != nil {
		return nil, fmt.Errorf("count what is in quarantine: %w", err)
	}
	r := room{}
	for rows.Next() {
		var source string
		var a amount
		if err := rows.Scan(&source, &a.events, &a.bytes); err != nil {
			return nil, fmt.Errorf("count what is in quarantine: %w", err)
		}
		r[source] = a
	}
	return r, rows.Err()
}

// holdIn adds a row. refused is that there is no room, or no key to seal it with.
func (e *Events) holdIn(ctx context.Context, tx *meta.DB, h *held, rooms map[tenant.ID]room) (refused, err error) {
	there := rooms[h.owner]
	if there == nil {
		if there, err = roomOf(ctx, tx, h.owner); err != nil {
			return nil, err
		}
		rooms[h.owner] = there
	}
	raw, err := json.Marshal(h.contents())
	if err != nil {
		return nil, fmt.Errorf("encode event for quarantine: %w", err)
	}
	id := e.Clock.ID("qua")
	body, err := e.seal(ctx, h.about, raw, "quarantine "+id)
	if err != nil { // of one tenant's key, which is nothing to the others
		return fmt.Errorf("seal event for quarantine: %w", err), nil
	}
	if !there.takes(h.source, amount{1, len(body)}) {
		return fault.New(fault.Conflict, "%s It is not kept: quarantine has room for %d events, and %d MiB, of which one source takes as much as it leaves free, or a %dth part, and is full. Replay or drop some.", h.Reason, mostHeld, mostStored>>20, ownPart), nil
	}
	if _, err := tx.RowsOf(h.owner).Exec(ctx, `INSERT INTO quarantined_events (id, tenant, about, source, reason, body, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id, string(h.owner), string(h.about), h.source, string(h.kind), body, meta.Micros(h.event.Received)); err != nil {
		return nil, fmt.Errorf("put event in quarantine: %w", err)
	}
	there[h.source] = there[h.source].plus(amount{1, len(body)})
	return nil, nil
}

// HeldFilter narrows a list; what is empty narrows nothing.
type HeldFilter struct {
	Source string
	For    HeldFor
}

const heldColumns = `id, about, source, reason, body, received_at`

// Quarantine lists what of an owner's is in quarantine, the newest first, in pages of 50
// at most.
func (e *Events) Quarantine(ctx context.Context, owner tenant.Owner, f HeldFilter, page meta.Page) ([]Held, string, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Events); err != nil {
		return nil, "", err
	}
	page.Limit = min(page.Size(), mostPage)
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	list, _, err := e.listHeld(ctx, owner.ID(), f, pos, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	list, next := meta.Cut(list, page, heldAt)
	return list, next, nil
}

func heldAt(h Held) meta.Position { return meta.Position{At: meta.Micros(h.ReceivedAt), ID: h.ID} }

func (e *Events) listHeld(ctx context.Context, owner tenant.ID, f HeldFilter, pos meta.Position, most int) ([]Held, []contents, error) {
	rows, err := e.DB.RowsOf(owner).Query(ctx, `SELECT `+heldColumns+` FROM quarantined_events
		WHERE tenant = $1 AND ($2 = '' OR source = $2) AND ($3 = '' OR reason = $3) AND (received_at < $4 OR (received_at = $4 AND id < $5))
		ORDER BY received_at DESC, id DESC LIMIT $6`, string(owner), f.Source, string(f.For), pos.At, pos.ID, int64(most))
	if err != nil {
		return nil, nil, fmt.Errorf("list what is in quarantine: %w", err)
	}
	var list []Held
	var all []contents
	for rows.Next() {
		h, c, err := e.readHeld(ctx, rows)
		if err != nil {
			return nil, nil, fmt.Errorf("list what is in quarantine: %w", err)
		}
		list, all = append(list, h), append(all, c)
	}
	return list, all, nil
}

// readHeld is scanHeld for those who read or replay: what cannot be opened says so, and
// hides no other.
func (e *Events) readHeld(ctx context.Context, row meta.Scanner) (Held, contents, error) {
	h, c, err := e.scanHeld(ctx, row)
	if err == nil || h.ReceivedAt.IsZero() || ctx.Err() != nil {
		return h, c, err
	}
	e.Log.WarnContext(ctx, "an event in quarantine cannot be opened", "event", h.ID, "tenant.id", string(h.About), "error", err)
	h.Reason = "It cannot be opened now. The server's log says why."
	return h, contents{}, nil
}

// scanHeld reads a row. Where it is there and cannot be opened, Held has what is not sealed.
func (e *Events) scanHeld(ctx context.Context, row meta.Scanner) (Held, contents, error) {
	var h Held
	var c contents
	var body []byte
	var received int64
	if err := row.Scan(&h.ID, &h.About, &h.Source, &h.For, &body, &received); err != nil {
		return h, c, err
	}
	h.ReceivedAt = meta.Time(received)
	raw, err := e.open(ctx, h.About, body, "quarantine "+h.ID)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return h, c, fmt.Errorf("open event %s in quarantine: %w", h.ID, err)
	}
	h.Reason, h.Event = c.Reason, c.Event
	if h.Raw = string(c.Raw); !utf8.ValidString(h.Raw) {
		h.Raw = fmt.Sprintf("%q", c.Raw)
	}
	return h, c, nil
}

// ShowHeld returns one event that is in quarantine.
func (e *Events) ShowHeld(ctx context.Context, owner tenant.Owner, id string) (Held, error) {
	if err := owner.Check(ctx, tenant.Read, tenant.Events); err != nil {
		return Held{}, err
	}
	h, _, err := e.heldBy(ctx, owner.ID(), id)
	return h, err
}

func (e *Events) heldBy(ctx context.Context, owner tenant.ID, id string) (Held, contents, error) {
	h, c, err := e.readHeld(ctx, e.DB.RowsOf(owner).QueryRow(ctx, `SELECT `+heldColumns+` FROM quarantined_events WHERE tenant = $1 AND id = $2`, string(owner), id))
	if errors.Is(err, sql.ErrNoRows) {
		return h, c, fault.New(fault.NotFound, "There is no event %q in quarantine.", id)
	}
	return h, c, err
}

// DropHeld removes an event from quarantine for good.
func (e *Events) DropHeld(ctx context.Context, owner tenant.Owner, id string) error {
	if err := owner.Check(ctx, tenant.Delete, tenant.Events); err != nil {
		return err
	}
	return e.DB.Transact(ctx, func(tx *meta.DB) error {
		n, err := tx.RowsOf(owner.ID()).Exec(ctx, `DELETE FROM quarantined_events WHERE tenant = $1 AND id = $2`, string(owner.ID()), id)
		if err != nil {
			return fmt.Errorf("drop event from quarantine: %w", err)
		}
		if n == 0 {
			return fault.New(fault.NotFound, "There is no event %q in quarantine.", id)
		}
		return e.Audit.Append(ctx, tx, audit.Entry{Tenant: owner.ID(), Actor: owner.Actor(), Verb: "quarantine.drop", Subject: id, Outcome: "ok"})
	})
}

// Replayed is what became of a replay.
type Replayed struct {
	Kept int // taken in, or there already
	Left int // still not fit, and in quarantine
}

// ReplayHeld judges one event in quarantine once more, by the tracking plan and the
// tenants of now, and takes it in if it is fit. Its id says what it is, so that one
// that came by another way meanwhile is not kept twice.
func (e *Events) ReplayHeld(ctx context.Context, owner tenant.Owner, id string) (Verdict, error) {
	if err := owner.Check(ctx, tenant.Write, tenant.Events); err != nil {
		return Verdict{}, err
	}
	h, c, err := e.heldBy(ctx, owner.ID(), id)
	if err != nil {
		return Verdict{}, err
	}
	list, err := e.replay(ctx, owner, []Held{h}, []contents{c})
	if err != nil {
		return Verdict{}, err
	}
	return list[0], nil
}

// Replay does ReplayHeld with what is in quarantine, the newest first, until it has taken
// in 1,000: then there may be more, for another one.
func (e *Events) Replay(ctx context.Context, owner tenant.Owner, f HeldFilter) (Replayed, error) {
	var done Replayed
	if err := owner.Check(ctx, tenant.Write, tenant.Events); err != nil {
		return done, err
	}
	first, err := meta.Page{}.Position()
	if err != nil {
		return done, err
	}
	for pos := first; done.Kept < mostReplay; {
		list, all, err := e.listHeld(ctx, owner.ID(), f, pos, mostPage)
		if err != nil || len(list) == 0 {
			return done, err
		}
		verdicts, err := e.replay(ctx, owner, list, all)
		if err != nil {
			return done, err
		}
		for _, v := range verdicts {
			if v.Result == Drop || v.Result == Retry {
				done.Left++
			} else {
				done.Kept++
			}
		}
		pos = heldAt(list[len(list)-1])
	}
	return done, nil
}

// replay takes in what is fit of some events, each from its own source, and removes it
// from quarantine afterwards: a crash in between leaves it in both.
func (e *Events) replay(ctx context.Context, owner tenant.Owner, list []Held, all []contents) ([]Verdict, error) {
	verdicts := make([]Verdict, len(list))
	by := map[string][]int{}
	for n, h := range list {
		by[h.Source] = append(by[h.Source], n)
	}
	var fit []string
	for id, which := range by {
		s, err := e.replaying(ctx, owner, id)
		if err != nil {
			return nil, err
		}
		for _, n := range which {
			ev, err := readLines(append(all[n].Event.Clone(), '\n'), "")
			if len(all[n].Event) == 0 || err != nil {
				verdicts[n] = Verdict{Result: Drop, Details: "It could not be read as an event, and cannot be replayed. Send it again as it should be, and drop it here."}
				continue
			}
			in := Incoming{Event: ev[0]}
			got, err := e.take(ctx, s, Batch{Channel: all[n].Channel, SentAt: all[n].SentAt, Received: []Incoming{in}}, true)
			if err != nil {
				return nil, err
			}
			if verdicts[n] = got[0]; got[0].Result != Drop && got[0].Result != Retry {
				fit = append(fit, list[n].ID)
			}
		}
	}
	err := e.DB.Transact(ctx, func(tx *meta.DB) error {
		for _, id := range fit {
			if _, err := tx.RowsOf(owner.ID()).Exec(ctx, `DELETE FROM quarantined_events WHERE tenant = $1 AND id = $2`, string(owner.ID()), id); err != nil {
				return fmt.Errorf("take event out of quarantine: %w", err)
			}
		}
		subject := ""
		if len(list) == 1 {
			subject = list[0].ID
		}
		return e.Audit.Append(ctx, tx, audit.Entry{Tenant: owner.ID(), Actor: owner.Actor(), Verb: "quarantine.replay", Subject: subject, Outcome: "ok",
			Details: map[string]any{"kept": len(fit), "left": len(list) - len(fit)}})
	})
	return verdicts, err
}

// replaying is the source that an event in quarantine came from, be it revoked since:
// who replays it vouches for it.
func (e *Events) replaying(ctx context.Context, owner tenant.Owner, id string) (*Source, error) {
	s := Source{ID: apiSource, Tenant: owner.ID()}
	if id != apiSource {
		var err error
		if s, err = e.source(ctx, e.DB, owner.ID(), id); err != nil {
			return nil, err
		}
	}
	s.scope = owner.Scope()
	if s.Tenant != "" {
		t, err := e.Tenants.UnscopedTenant(ctx, string(s.Tenant))
		if err != nil {
			return nil, fmt.Errorf("find the tenant of a replay: %w", err)
		}
		s.tier = t.Tier
	}
	return &s, nil
}

// ForgetDue removes what has been in quarantine for too long.
func (e *Events) ForgetDue(ctx context.Context) error {
	n, err := e.DB.Unscoped().Exec(ctx, `DELETE FROM quarantined_events WHERE received_at < $1`, meta.Micros(e.Clock.Now().Add(-longestHeld)))
	if err != nil {
		return fmt.Errorf("forget what was in quarantine: %w", err)
	}
	if n > 0 {
		e.Log.InfoContext(ctx, "events left quarantine unused after their time", "events", n)
	}
	return nil
}

// EraseTenant removes a tenant's sources and what is in quarantine of it, be it sent
// by the provider. Its blocks are the streams'. It is safe to repeat.
func (e *Events) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase events: %q is no tenant", id)
	}
	e.Sequencer.forget(id)
	err = e.DB.Transact(ctx, func(tx *meta.DB) error {
		count = 0
		for _, table := range []string{"event_sources", "quarantined_events", "stream_heads", "event_erasures"} {
			n, err := tx.For(id).Exec(ctx, `DELETE FROM `+table+` WHERE tenant = $1`, string(id))
			if err != nil {
				return fmt.Errorf("erase events of %s: %w", id, err)
			}
			count += n
		}
		n, err := tx.Unscoped().Exec(ctx, `DELETE FROM quarantined_events WHERE about = $1`, string(id))
		if err != nil {
			return fmt.Errorf("erase events of %s: %w", id, err)
		}
		count += n
		return nil
	})
	e.mu.Lock()
	clear(e.named)
	clear(e.sources)
	e.mu.Unlock()
	e.Erased.forget(id)
	return "sources and events in quarantine deleted and the database compacted", count, err
}
