package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"tributary/internal/clock"
	"tributary/internal/control"
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
}

// Verdict is what became of an event.
type Verdict struct {
	ID      string // the event's; one that came without has the one that it was given
	Result  Result
	Details string // in words, where there is something to say
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

// The bounds of what is taken.
const (
	MaxEvent  = 512 << 10 // bytes of one event
	MaxEvents = 10_000    // of one request
	maxDepth  = 32        // of objects and arrays in data, and in context
	maxNames  = 1000      // of members in data, and in context, at all depths
	maxID     = 256       // bytes of each id
	maxFlight = 24 * time.Hour
	tolerance = time.Minute // by how much a sender's clock may differ
)

// rates is how many events a second each tier may send.
var rates = map[tenant.Tier]int{tenant.Basic: 500, tenant.Standard: 1000, tenant.Premium: 2500, tenant.Platinum: 10_000}

const providerRate = 50_000 // the same of each source of the provider's

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Take takes in what came from a source. When it returns, what the verdicts say is
// kept, or in quarantine, survives a power cut. An error is about all of the request:
// Throttled (see RetryAfter), TooLarge, Denied or Unauthenticated when the source is
// not good any more, and Unavailable or StorageFull when nothing can be kept; some of
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
	if err := e.limits.take(s.lane(), e.rate(s), len(b.Received)); err != nil {
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

func (e *Events) rate(s *Source) int {
	if s.Tenant == "" {
		return providerRate
	}
	if r := e.Rates[s.tier]; r > 0 {
		return r
	}
	return e.Rates[tenant.Basic]
}

// take is Take without the limits; again: what comes out of quarantine is judged once
// more, and what is not fit stays there.
func (e *Events) take(ctx context.Context, s *Source, b Batch, again bool) ([]Verdict, error) {
	now := e.Clock.Now()
	verdicts := make([]Verdict, len(b.Received))
	good, bad := &work{lane: s.lane()}, &work{lane: s.lane()}
	for n := range b.Received {
		in := &b.Received[n]
		v, kept, held := e.judge(ctx, s, &b, in, now, again)
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
	if err := e.keep(ctx, good, bad); err != nil {
		return nil, err
	}
	for _, w := range []*work{good, bad} {
		for _, i := range w.items {
			v := &verdicts[i.at]
			switch {
			case i.duplicate:
				v.Result, v.Details = Duplicate, ""
			case fault.Is(i.err, fault.NotFound):
				v.Result, v.Details = Drop, "Its tenant is not there any more."
			case fault.Is(i.err, fault.Conflict):
				v.Result, v.Details = Drop, fault.Message(i.err)
			case i.err != nil:
				v.Result, v.Details = Retry, fault.Message(i.err)
			}
		}
	}
	e.count(ctx, verdicts)
	return verdicts, nil
}

// keep commits both kinds of work at once. Where nothing of a request could be kept
// for want of something, that is the request's error.
func (e *Events) keep(ctx context.Context, good, bad *work) error {
	var waits sync.WaitGroup
	var errs [2]error
	for n, w := range []*work{good, bad} {
		if len(w.items) == 0 {
			continue
		}
		g := e.good
		if w == bad {
			g = e.bad
		}
		waits.Go(func() { errs[n] = g.do(ctx, w) })
	}
	waits.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		if errs[0] != nil {
			return errs[0]
		}
		return errs[1]
	}
	var first error
	failed := 0
	for _, w := range []*work{good, bad} {
		for _, i := range w.items {
			if i.err != nil && !fault.Is(i.err, fault.NotFound) && !fault.Is(i.err, fault.Conflict) {
				failed++
				if first == nil {
					first = i.err
				}
			}
		}
	}
	if failed > 0 && failed == len(good.items)+len(bad.items) {
		return first
	}
	return nil
}

func (e *Events) count(ctx context.Context, list []Verdict) {
	by := map[Result]int64{}
	for _, v := range list {
		by[v.Result]++
	}
	for result, n := range by {
		e.counted.taken.Add(ctx, n, metric.WithAttributes(attribute.String("result", string(result))))
	}
}

// judge decides about one event: it is to be kept, held in quarantine, or, where both
// are nil, refused as the verdict says.
func (e *Events) judge(ctx context.Context, s *Source, b *Batch, in *Incoming, now time.Time, again bool) (Verdict, *item, *held) {
	ev := in.Event
	claimed := ev.Tenant
	ev.Source, ev.Channel, ev.Tenant, ev.Flags = s.ID, b.Channel, s.Tenant, nil
	if !again {
		ev.Received = now
	}
	v := Verdict{ID: ev.ID, Result: OK}
	was := ev // before its time is judged, which a replay does again
	hold := func(kind HeldFor, reason string) (Verdict, *item, *held) {
		return v, nil, &held{source: s.ID, owner: s.Tenant, about: ev.Tenant, kind: kind, Reason: reason, SentAt: b.SentAt, event: was, raw: in.Raw}
	}
	if len(in.Raw) > MaxEvent || len(ev.Data)+len(ev.Context) > MaxEvent {
		v.Result, v.Details = Drop, fmt.Sprintf("The event is larger than %d bytes and is not kept.", MaxEvent)
		return v, nil, nil
	}
	if in.Err != nil {
		return hold(Unreadable, fault.Message(in.Err))
	}
	if ev.ID == "" {
		ev.ID = e.Clock.ID("evt")
		v.ID = ev.ID
	}
	words := malformed(&ev)
	if was = ev; words != "" {
		return hold(Malformed, words)
	}
	if s.Tenant == "" {
		id, words, err := e.tenantOf(ctx, s, &ev)
		if err != nil {
			v.Result, v.Details = Retry, fault.Message(err)
			return v, nil, nil
		}
		if words != "" {
			return hold(NoTenant, words)
		}
		ev.Tenant = id
	}
	if claimed != "" && claimed != ev.Tenant {
		e.counted.foreign.Add(ctx, 1)
	}
	v.Details = setTime(&ev, b.SentAt)
	if flag, words := e.plan.Load().fits(&ev); flag != "" {
		if s.Strict {
			return hold(HeldFor(flag), words)
		}
		ev.Flags, v.Details = append(ev.Flags, flag), words
	} else if s.Strict && e.plan.Load() == nil {
		return hold(HeldFor(FlagUnplanned), "There is no tracking plan yet, and the source takes only what is in it.")
	}
	if v.Details != "" {
		v.Result = Warning
	}
	line, err := ev.appendLine(nil)
	if err != nil {
		return hold(Malformed, "It is not UTF-8.")
	}
	if len(line) > MaxLines {
		v.Result, v.Details = Drop, "The event is too large and is not kept."
		return v, nil, nil
	}
	return v, &item{tenant: ev.Tenant, line: line, received: ev.Received, key: e.seen.key(ev.Tenant, ev.Source, ev.Origin, ev.ID)}, nil
}

// malformed says what is wrong with an event in itself, and compacts its JSON.
func malformed(ev *Event) string {
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"id", ev.ID, maxID}, {"type", ev.Type, maxTypeLength}, {"subject", ev.Subject, maxID}, {"source", ev.Origin, maxID}, {"user", ev.User, maxID},
		{"anonymous id", ev.Anonymous, maxID}, {"session", ev.Session, maxID}, {"device", ev.Device, maxID},
	} {
		switch {
		case len(f.value) > f.most:
			return fmt.Sprintf("Its %s is longer than %d bytes.", f.name, f.most)
		case !utf8.ValidString(f.value):
			return fmt.Sprintf("Its %s is not UTF-8.", f.name)
		}
	}
	if !typeForm.MatchString(ev.Type) {
		return "It has no type, or one with control characters in it."
	}
	for name, v := range map[string]*jsontext.Value{"data": &ev.Data, "context": &ev.Context} {
		if len(*v) == 0 || v.Kind() == 'n' {
			*v = nil
			continue
		}
		if err := v.Format(jsontext.PreserveRawStrings(true)); err != nil {
			return fmt.Sprintf("Its %s is not right: it has a name twice, is not UTF-8, or is not JSON.", name)
		}
		if v.Kind() != '{' {
			return fmt.Sprintf("Its %s is not a JSON object.", name)
		}
		if words := tooDeep(*v); words != "" {
			return fmt.Sprintf("Its %s %s.", name, words)
		}
	}
	return ""
}

// tooDeep says which bound compact JSON is beyond.
func tooDeep(v jsontext.Value) string {
	depth, names, quoted := 0, 0, false
	for n := 0; n < len(v); n++ {
		switch c := v[n]; {
		case quoted && c == '\\':
			n++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Sprintf("is more than %d levels deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == ':':
			if names++; names > maxNames {
				return fmt.Sprintf("has more than %d names", maxNames)
			}
		}
	}
	return ""
}

// setTime decides when an event happened, and says in words what had to be replaced.
// What the sender said stays in Stated where it is not that.
func setTime(ev *Event, sentAt time.Time) string {
	ev.Time, ev.Stated = ev.Time.UTC().Truncate(time.Microsecond), time.Time{}
	stated := ev.Time
	if ev.Time.IsZero() {
		ev.Time, ev.Flags = ev.Received, append(ev.Flags, FlagUntimed)
		return ""
	}
	if skew := ev.Received.Sub(sentAt); !sentAt.IsZero() && (skew > tolerance || skew < -tolerance) && plausible(sentAt) {
		ev.Time, ev.Stated, ev.Flags = ev.Time.Add(skew), stated, append(ev.Flags, FlagSkewed)
	}
	words := ""
	switch {
	case ev.Time.Before(earliest):
		ev.Time, ev.Stated, ev.Flags = ev.Received, stated, append(ev.Flags, FlagPast)
		words = "Its time is before the year 2000, and that of its receipt stands for it."
	case ev.Time.After(ev.Received.Add(maxFlight)):
		ev.Time, ev.Stated, ev.Flags = ev.Received, stated, append(ev.Flags, FlagFuture)
		words = "Its time is more than a day ahead, and that of its receipt stands for it."
	case ev.Received.Sub(ev.Time) > maxFlight:
		ev.Flags = append(ev.Flags, FlagLate)
	}
	if !plausible(ev.Stated) {
		ev.Stated = time.Time{}
	}
	return words
}

// plausible reports whether a time can be written in RFC 3339.
func plausible(t time.Time) bool { return t.Year() > 0 && t.Year() < 10000 }

// resolved is what the provider's data called a tenant, as it was looked up last.
type resolved struct {
	id    tenant.ID
	words string // why there is none
	at    time.Time
}

// tenantOf finds the tenant that an event of the provider's names in the field that
// its source declares, or says in words why there is none.
func (e *Events) tenantOf(ctx context.Context, s *Source, ev *Event) (tenant.ID, string, error) {
	name := fieldOf(ev, s.TenantField)
	if name == "" {
		return "", fmt.Sprintf("It names no tenant: the field %q is missing, or neither a text nor a number.", s.TenantField), nil
	}
	now := e.Clock.Now()
	e.mu.Lock()
	r, ok := e.named[name]
	e.mu.Unlock()
	if age := now.Sub(r.at); ok && age >= 0 && age < fresh {
		return r.id, r.words, nil
	}
	t, err := e.Tenants.UnscopedNamed(ctx, name)
	switch {
	case fault.Is(err, fault.NotFound):
		r = resolved{words: fmt.Sprintf("Its field %q names no tenant that is known.", s.TenantField)}
	case err != nil:
		return "", "", err
	case t.State != control.Active && t.State != control.Suspended:
		r = resolved{words: fmt.Sprintf("The tenant that its field %q names takes part no more, or not yet.", s.TenantField)}
	default:
		r = resolved{id: t.ID}
	}
	r.at = now
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.named) > 100_000 {
		clear(e.named)
	}
	e.named[name] = r
	return r.id, r.words, nil
}

// fieldOf is the text, or number, at a source's field of an event.
func fieldOf(ev *Event, field string) string {
	root, rest, below := strings.Cut(field, ".")
	var in jsontext.Value
	switch root {
	case "subject":
		return ev.Subject
	case "type":
		return ev.Type
	case "origin":
		return ev.Origin
	case "user":
		return ev.User
	case "anonymous":
		return ev.Anonymous
	case "session":
		return ev.Session
	case "device":
		return ev.Device
	case "data":
		in = ev.Data
	case "context":
		in = ev.Context
	}
	if !below {
		return ""
	}
	v := lookup(in, strings.Split(rest, "."))
	switch {
	case len(v) == 0 || len(v) > maxID:
		return ""
	case v.Kind() == '"':
		return textOf(v)
	case v.Kind() == '0':
		return string(v)
	}
	return ""
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
			p.lines = append(p.lines, i.line...)
			p.events = append(p.events, extent{len(i.line), i.received})
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

// limits keeps a bucket of events for each tenant and each source of the provider's.
// Those that are full again are forgotten.
type limits struct {
	clock clock.Clock
	mu    *sync.Mutex
	all   map[string]*rate.Limiter
	swept time.Time
}

func newLimits(c clock.Clock) limits {
	return limits{clock: c, mu: &sync.Mutex{}, all: map[string]*rate.Limiter{}, swept: c.Now()}
}

// take takes n events from a bucket, or says when there will be enough. More than it
// holds empty it.
func (l *limits) take(lane string, perSecond, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if now.Sub(l.swept) > time.Minute {
		l.swept = now
		for k, b := range l.all {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(l.all, k)
			}
		}
	}
	b := l.all[lane]
	if b == nil || b.Limit() != rate.Limit(perSecond) {
		b = rate.NewLimiter(rate.Limit(perSecond), 10*perSecond)
		l.all[lane] = b
	}
	n = min(n, b.Burst())
	if b.AllowN(now, n) {
		return nil
	}
	after := time.Duration((float64(n) - b.TokensAt(now)) / float64(perSecond) * float64(time.Second))
	return Busy(max(after, time.Second), "Too many events: %d a second are taken here. Try again in %d s.", perSecond, int(max(after, time.Second).Seconds()+0.999))
}

// RetryAfter says after how long what Take refused as Throttled can be tried again;
// 0: it does not say.
func RetryAfter(err error) time.Duration {
	var b *busy
	if errors.As(err, &b) {
		return b.after
	}
	return 0
}
