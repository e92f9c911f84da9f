package events

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/control"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// judge decides about one event: it is to be kept, held in quarantine, or, where both
// are nil, refused as the verdict says. The line of what is kept is added to lines.
func (e *Events) judge(ctx context.Context, s *Source, b *Batch, in *Incoming, now time.Time, again bool, lines *[]byte) (Verdict, *item, *held) {
	ev := in.Event
	claimed := ev.Tenant
	ev.Source, ev.Channel, ev.Tenant, ev.Flags = s.ID, b.Channel, s.Tenant, nil
	if !again {
		ev.Received = now
	}
	v := Verdict{ID: ev.ID, Result: OK}
	was := ev // before its time is judged, which a replay does again
	hold := func(kind HeldFor, reason string) (Verdict, *item, *held) {
		h := &held{source: s.ID, owner: s.Tenant, about: ev.Tenant, kind: kind, Reason: reason, SentAt: b.SentAt, event: was}
		if kind == Unreadable || kind == Malformed { // a copy: it is a part of the whole request, and may wait for longer
			h.raw = bytes.Clone(in.Raw[:min(len(in.Raw), mostRaw)])
		}
		return v, nil, h
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
	words := malformed(&ev, in.Strict)
	if was = ev; words != "" {
		return hold(Malformed, words)
	}
	tier := s.tier
	if s.Tenant == "" {
		of, err := e.tenantOf(ctx, s, &ev, again)
		if err != nil {
			v.Result, v.Details = Retry, fault.Message(err)
			return v, nil, nil
		}
		if of.id == "" {
			return hold(NoTenant, fmt.Sprintf("Its field %q names no tenant that takes part: it is missing, is neither a text nor a number, or is not known.", s.TenantField))
		}
		ev.Tenant, tier = of.id, of.tier
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
	if words := e.variety.admit(now, &ev, e.rateOf(tier)); words != "" {
		return hold(TooMany, words)
	}
	if v.Details != "" {
		v.Result = Warning
	}
	if need := lineSize(&ev); cap(*lines)-len(*lines) < need { // grown, it would be in memory once more for each time
		*lines = make([]byte, 0, max(need, mostLines))
	}
	before := len(*lines)
	all, err := ev.appendLine(*lines)
	if err != nil {
		return hold(Malformed, "It is not UTF-8.")
	}
	line := all[before:len(all):len(all)]
	if len(line) > MaxLines {
		v.Result, v.Details = Drop, "The event is too large and is not kept."
		return v, nil, nil
	}
	*lines = all
	return v, &item{tenant: ev.Tenant, tier: tier, line: line, received: ev.Received, key: e.seen.key(ev.Tenant, ev.Source, ev.Origin, ev.ID)}, nil
}

// malformed says what is wrong with an event in itself, and compacts its JSON. With strict
// that was decoded as Incoming says.
func malformed(ev *Event, strict bool) string {
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
	if !properType(ev.Type) {
		return "It has no type, or one with control characters in it."
	}
	for n, v := range [...]*jsontext.Value{&ev.Data, &ev.Context} {
		name := [...]string{"data", "context"}[n]
		if len(*v) == 0 || v.Kind() == 'n' {
			*v = nil
			continue
		}
		compact, words := survey(*v)
		if !compact || !strict {
			if err := v.Format(jsontext.PreserveRawStrings(true)); err != nil {
				return fmt.Sprintf("Its %s is not right: it has a name twice, is not UTF-8, or is not JSON.", name)
			}
		}
		if v.Kind() != '{' {
			return fmt.Sprintf("Its %s is not a JSON object.", name)
		}
		if words != "" {
			return fmt.Sprintf("Its %s %s.", name, words)
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
	id   tenant.ID // empty: there is none, or it takes part no more, or not yet, which is not told apart
	tier tenant.Tier
	at   time.Time
}

// tenantOf finds the tenant that an event of the provider's names in the field that
// its source declares. What is judged again may be so because the tenant is there now.
func (e *Events) tenantOf(ctx context.Context, s *Source, ev *Event, again bool) (resolved, error) {
	if s.about != "" {
		t, err := e.Tenants.UnscopedTenant(ctx, string(s.about))
		return resolve(t, err)
	}
	name := fieldOf(ev, s.TenantField)
	if name == "" {
		return resolved{}, nil
	}
	now := e.Clock.Now()
	e.mu.Lock()
	r, ok := e.named[name]
	e.mu.Unlock()
	if age := now.Sub(r.at); ok && age >= 0 && age < fresh && (r.id != "" || !again) {
		return r, nil
	}
	t, err := e.Tenants.UnscopedNamed(ctx, name)
	if r, err = resolve(t, err); err != nil {
		return r, err
	}
	r.at = now
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.named) > 100_000 {
		clear(e.named)
	}
	e.named[name] = r
	return r, nil
}

// resolve is what there is to say of a tenant that was looked up.
func resolve(t control.Tenant, err error) (resolved, error) {
	switch {
	case fault.Is(err, fault.NotFound):
		return resolved{}, nil
	case err != nil:
		return resolved{}, err
	case t.State != control.Active && t.State != control.Suspended:
		return resolved{}, nil
	}
	return resolved{id: t.ID, tier: t.Tier}, nil
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
	switch v := Lookup(in, strings.Split(rest, ".")...); {
	case len(v) == 0 || len(v) > maxID:
		return ""
	case v.Kind() == '"':
		return textOf(v)
	case v.Kind() == '0':
		return string(v)
	}
	return ""
}
