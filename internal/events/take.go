package events

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Batch is what came in one request, in its order.
type Batch struct {
	Channel  string    // how it came: "api", "segment", "posthog" …
	SentAt   time.Time // when the sender sent it, by its own clock; zero: it did not say
	Received []Incoming
}

// Incoming is an event as it came. What Take finds in Event of Source, Received,
// Stated, Channel and Flags it sets itself. Data and Context become Take's.
type Incoming struct {
	Event Event          // its Tenant is what the sender says, which is ignored and counted
	Raw   jsontext.Value // what it was read from; may be nil unless Err is not
	Err   error          // why it could not be read as an event: it goes to quarantine
	// Strict says that what made Data and Context of Event has seen that they are JSON in
	// UTF-8 that has no name twice, which is then not seen to once more.
	Strict bool
}

// size is what an event is charged.
func (in *Incoming) size() amount {
	return amount{1, max(len(in.Raw), len(in.Event.Data)+len(in.Event.Context))}
}

// Verdict is what became of an event.
type Verdict struct {
	ID      string // the event's; one that came without has the one that it was given
	Result  Result
	Details string        // in words, where there is something to say
	Wait    time.Duration // of Retry: how long to wait at least; 0: not known
}

// Result is a verdict's word.
type Result string

// The results.
const (
	OK        Result = "ok"        // it is kept
	Warning   Result = "warning"   // it is kept, and is not as it should be
	Duplicate Result = "duplicate" // it was kept before
	Drop      Result = "drop"      // it is in quarantine, or refused; sending it again as it is does not help
	Retry     Result = "retry"     // it is not kept, and may be later
)

// Again is nil unless events of a request have to be sent again. Then it is the error
// for who cannot be told which: all are sent again, and those that were kept are
// duplicates. It is Throttled where the sender's own rate is all that is in the way.
func Again(list []Verdict) error {
	var wait time.Duration
	again, full := false, false
	for _, v := range list {
		if v.Result == Retry {
			again, full, wait = true, full || v.Wait == 0, max(wait, v.Wait)
		}
	}
	const words = "Not all events could be taken. Send them again; those that were taken are kept once."
	switch {
	case full:
		return fault.New(fault.Unavailable, words)
	case again:
		return Busy(wait, words)
	}
	return nil
}

// The bounds of what is taken.
const (
	MaxEvent  = 512 << 10 // bytes of one event
	MaxEvents = 10_000    // of one request
	maxDepth  = 32        // of objects and arrays in data, and in context
	maxNames  = 1000      // of members in data, and in context, at all depths
	maxID     = 256       // bytes of each id
	mostLines = 256 << 10 // bytes of events that are in one piece of memory, unless one is larger
	maxFlight = 24 * time.Hour
	tolerance = time.Minute // by how much a sender's clock may differ
)

// rates is how many events a second each tier may send, of bytesEach on average.
var rates = map[tenant.Tier]int{tenant.Basic: 500, tenant.Standard: 1000, tenant.Premium: 2500, tenant.Platinum: 10_000}

const providerRate = 50_000 // the same of each source of the provider's

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Take takes in what came from a source. When it returns, what the verdicts say is
// kept, or in quarantine, survives a power cut. An error is about all of the request:
// Throttled (see RetryAfter), TooLarge, Denied or Unauthenticated when the source is
// not good any more, and Unavailable (likewise) or StorageFull when nothing can be kept; some of
// it may be kept all the same, and sending it again is safe.
func (e *Events) Take(ctx context.Context, s *Source, b Batch) ([]Verdict, error) {
	if s.Tenant != "" {
		if err := s.scope.Check(ctx, tenant.Write, tenant.Events); err != nil {
			return nil, err
		}
	}
	if len(b.Received) > MaxEvents {
		return nil, fault.New(fault.TooLarge, "There are %d events in the request; the limit is %d.", len(b.Received), MaxEvents)
	}
	var all amount
	for n := range b.Received {
		all = all.plus(b.Received[n].size())
	}
	if err := e.limits.take(s.lane(), e.rate(s), all); err != nil {
		return nil, err
	}
	return e.take(ctx, s, b, false)
}

// lane is who waits behind whom, and what rates are counted by.
func (s *Source) lane() string {
	if s.Tenant != "" {
		return string(s.Tenant)
	}
	return s.ID
}

// laneOf is what the events of a tenant that the provider sends are counted by.
func laneOf(id tenant.ID) string { return "provider " + string(id) }

func (e *Events) rate(s *Source) int {
	if s.Tenant == "" {
		return providerRate
	}
	return e.rateOf(s.tier)
}

func (e *Events) rateOf(tier tenant.Tier) int {
	if r := e.Rates[tier]; r > 0 {
		return r
	}
	return e.Rates[tenant.Basic]
}

// take is Take without the limits; again: what comes out of quarantine is judged once
// more, and what is not fit stays there.
func (e *Events) take(ctx context.Context, s *Source, b Batch, again bool) ([]Verdict, error) {
	now := e.Clock.Now()
	verdicts := make([]Verdict, len(b.Received))
	good, bad := &work{lane: s.lane(), items: make([]item, 0, len(b.Received))}, &work{lane: s.lane()}
	size := 0
	for n := range b.Received {
		size += lineSize(&b.Received[n].Event)
	}
	lines := make([]byte, 0, min(size, mostLines)) // of all events of the request, or of the next
	for n := range b.Received {
		in := &b.Received[n]
		v, kept, held := e.judge(ctx, s, &b, in, now, again, &lines)
		switch {
		case held != nil && again:
			v.Result, v.Details = Drop, held.Reason
		case held != nil:
			v.Result, v.Details = Drop, held.Reason+" It is in quarantine."
			bad.items = append(bad.items, item{tenant: held.about, at: n, held: held})
			bad.size += held.size()
		case kept != nil:
			kept.at = n
			good.items = append(good.items, *kept)
			good.size += len(kept.line)
		}
		verdicts[n] = v
	}
	if s.Tenant == "" && !again {
		e.chargeEach(&b, good, verdicts)
	}
	both := [2]*work{good, bad}
	errs := e.keep(ctx, both)
	if !again && ctx.Err() == nil { // of who has left, all may yet be kept
		e.giveBack(s, &b, verdicts, both, errs)
	}
	if err := cmp.Or(errs[0], errs[1]); err != nil {
		return nil, err
	}
	if err := nothing(both); err != nil {
		return nil, err
	}
	for _, w := range both {
		for _, i := range w.items {
			v := &verdicts[i.at]
			switch {
			case i.duplicate:
				v.Result, v.Details = Duplicate, ""
			case fault.Is(i.err, fault.NotFound):
				v.Result, v.Details = Drop, "Its tenant is not there any more."
			case i.full():
				v.Result, v.Details = Drop, fault.Message(i.err)
			case i.lacks():
				v.Result, v.Details, v.Wait = Retry, fault.Message(i.err), RetryAfter(i.err)
			}
		}
	}
	e.count(ctx, s, verdicts)
	return verdicts, nil
}

// full reports whether there is no room in quarantine. A Conflict of the stream is none
// of the event's doing, and passes.
func (i *item) full() bool { return i.held != nil && fault.Is(i.err, fault.Conflict) }

// lacks reports whether an event was not kept for want of something of ours.
func (i *item) lacks() bool { return i.err != nil && !fault.Is(i.err, fault.NotFound) && !i.full() }

// chargeEach charges what the provider sends of its tenants to each of them, beside what
// they send themselves, and leaves out what is more than a tenant may have: one whose
// people do too much does not hold up the others that a source is for.
func (e *Events) chargeEach(b *Batch, w *work, verdicts []Verdict) {
	count := map[tenant.ID]amount{}
	now := e.Clock.Now()
	for n := range w.items {
		i := &w.items[n]
		if i.duplicate = e.seen.has(now, i.key); !i.duplicate { // nobody can use up a tenant's with what it sent before
			count[i.tenant] = count[i.tenant].plus(b.Received[i.at].size())
		}
	}
	refused := map[tenant.ID]error{}
	kept := w.items[:0]
	for _, i := range w.items {
		if n := count[i.tenant]; n.events > 0 {
			refused[i.tenant] = e.limits.take(laneOf(i.tenant), e.rateOf(i.tier), n)
			count[i.tenant] = amount{}
		}
		if err := refused[i.tenant]; err != nil && !i.duplicate {
			w.size -= len(i.line)
			verdicts[i.at] = Verdict{ID: verdicts[i.at].ID, Result: Retry, Details: fault.Message(err), Wait: RetryAfter(err)}
			continue
		}
		kept = append(kept, i)
	}
	w.items = kept
}

// giveBack undoes the charges of what was not kept for want of something, and of what is
// to be sent again because its tenant has sent too much or could not be asked for.
func (e *Events) giveBack(s *Source, b *Batch, verdicts []Verdict, both [2]*work, errs [2]error) {
	lanes := map[string]amount{}
	give := func(lane string, at int) { lanes[lane] = lanes[lane].plus(b.Received[at].size()) }
	for at := range verdicts {
		if verdicts[at].Result == Retry {
			give(s.lane(), at)
		}
	}
	for k, w := range both {
		for n := range w.items {
			i := &w.items[n]
			if errs[k] == nil && !i.lacks() {
				continue
			}
			give(s.lane(), i.at)
			if s.Tenant == "" && i.held == nil && !i.duplicate {
				give(laneOf(i.tenant), i.at)
			}
		}
	}
	for lane, n := range lanes {
		e.limits.give(lane, n)
	}
}

// keep commits both kinds of work at once, and returns the error of each.
func (e *Events) keep(ctx context.Context, both [2]*work) (errs [2]error) {
	var waits sync.WaitGroup
	for k, g := range []*gather{e.good, e.bad} {
		if len(both[k].items) > 0 {
			waits.Go(func() { errs[k] = g.do(ctx, both[k]) })
		}
	}
	waits.Wait()
	return errs
}

// nothing is why nothing of a request could be kept, if it was for want of something.
func nothing(both [2]*work) error {
	var first error
	failed := 0
	for _, w := range both {
		for n := range w.items {
			if i := &w.items[n]; i.lacks() {
				failed++
				if first == nil {
					first = i.err
				}
			}
		}
	}
	if failed > 0 && failed == len(both[0].items)+len(both[1].items) {
		return first
	}
	return nil
}

func (e *Events) count(ctx context.Context, s *Source, list []Verdict) {
	by := map[Result]int64{}
	for _, v := range list {
		by[v.Result]++
	}
	for result, n := range by {
		e.counted.taken.Add(ctx, n, metric.WithAttributes(attribute.String("result", string(result)), attribute.String("tenant.tier", string(s.tier))))
	}
}

// commit puts the events of several requests on the stream, each once.
func (e *Events) commit(ctx context.Context, list []*work) {
	parcels := map[tenant.ID]*parcel{}
	here := map[uint64]bool{} // what is in this commit
	at := e.Clock.Now()
	for _, w := range list {
		for n := range w.items {
			i := &w.items[n]
			if i.duplicate = e.seen.has(at, i.key); i.duplicate {
				continue
			}
			if i.repeated = here[i.key]; i.repeated {
				continue
			}
			here[i.key] = true
			p := parcels[i.tenant]
			if p == nil {
				p = &parcel{}
				parcels[i.tenant] = p
			}
			p.size += len(i.line)
			p.events = append(p.events, extent{len(i.line), i.received})
		}
	}
	for _, w := range list {
		for n := range w.items {
			if i := &w.items[n]; !i.duplicate && !i.repeated {
				parcels[i.tenant].add(i.line)
			}
		}
	}
	failed, err := e.Sequencer.appendAll(ctx, stream.Events, parcels)
	for _, w := range list {
		if w.err = err; err != nil {
			continue
		}
		for n := range w.items {
			i := &w.items[n]
			switch {
			case i.duplicate:
			case failed[i.tenant] != nil:
				i.err = failed[i.tenant]
			case i.repeated:
				i.duplicate = true
			default:
				e.seen.add(at, i.received, i.key)
			}
		}
	}
	for id, err := range failed {
		e.Log.WarnContext(ctx, "events could not be kept", "tenant.id", string(id), "error", err)
	}
}
