package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
)

const aPlan = `events:
  - type: login
    description: Somebody signs in
    owner: web team
  - type: job.submitted
    owner: data team
    fields:
      - {name: size.bytes, type: integer, required: true}
      - {name: queue, type: string, allowed: [small, large], max_length: 5}
      - {name: email, type: string, pii: true, description: who to tell}
      - {name: due, type: time}
      - {name: ratio, type: number}
      - {name: again, type: boolean}
      - {name: tags, type: array}
      - {name: extra, type: object}
`

func TestEventsAreHeldAgainstThePlan(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		strict, _ := w.source(w.admin(a.ID), events.NewSource{Name: "s", Strict: true})
		lenient, _ := w.source(w.admin(a.ID), events.NewSource{Name: "l"})
		if v := w.take(strict, login("0")); v[0].Result != events.Drop || !strings.Contains(v[0].Details, "no tracking plan yet") {
			t.Errorf("without a plan: got %+v, want it held", v[0])
		}
		if v := w.take(lenient, login("0")); v[0].Result != events.OK {
			t.Errorf("without a plan: got %+v, want ok", v[0])
		}
		p, changed, err := w.UnscopedApplyPlan(ctx, "usr_staff", []byte(aPlan))
		if err != nil || !changed || p.Version != 1 || len(p.Types) != 2 {
			t.Fatalf("got %+v, %t, %v, want version 1", p, changed, err)
		}
		job := func(data string) events.Event {
			return events.Event{ID: data, Type: "job.submitted", Time: w.hands.Now(), Data: jsontext.Value(data)}
		}
		for _, c := range []struct {
			name  string
			event events.Event
			flag  string
		}{
			{"planned", login("1"), ""},
			{"all right", job(`{"size":{"bytes":1},"queue":"small","due":"2026-03-01T00:00:00Z","ratio":1.5,"again":true,"tags":[],"extra":{},"other":1}`), ""},
			{"null is missing", job(`{"size":{"bytes":1},"queue":null}`), ""},
			{"unknown", events.Event{ID: "2", Type: "other"}, "unplanned"},
			{"missing", job(`{"size":{}}`), "unfit"},
			{"nothing", job(``), "unfit"},
			{"a text for a number", job(`{"size":{"bytes":"1"}}`), "unfit"},
			{"not whole", job(`{"size":{"bytes":1.5}}`), "unfit"},
			{"exponent", job(`{"size":{"bytes":1e3}}`), "unfit"},
			{"not allowed", job(`{"size":{"bytes":1},"queue":"other"}`), "unfit"},
			{"no time", job(`{"size":{"bytes":1},"due":"tomorrow"}`), "unfit"},
			{"no number", job(`{"size":{"bytes":1},"ratio":"1"}`), "unfit"},
			{"no boolean", job(`{"size":{"bytes":1},"again":"true"}`), "unfit"},
			{"no array", job(`{"size":{"bytes":1},"tags":{}}`), "unfit"},
			{"no object", job(`{"size":{"bytes":1},"extra":[]}`), "unfit"},
			{"below a text", job(`{"size":"bytes"}`), "unfit"},
		} {
			s, l := w.take(strict, c.event)[0], w.take(lenient, c.event)[0]
			if c.flag == "" && (s.Result != events.OK || l.Result != events.OK) {
				t.Errorf("%s: got %+v and %+v, want ok", c.name, s, l)
			}
			if c.flag != "" && (s.Result != events.Drop || l.Result != events.Warning || l.Details == "") {
				t.Errorf("%s: got %+v and %+v, want drop and warning", c.name, s, l)
			}
			all := w.kept(a.ID)
			last := all[len(all)-1]
			if got := strings.Join(last.Flags, " "); last.Source != lenient.ID || !strings.Contains(got, c.flag) {
				t.Errorf("%s: got %+v, want the flag %q", c.name, last, c.flag)
			}
		}
		// A later plan replays what was held.
		held, _, err := w.Quarantine(ctx, w.admin(a.ID), events.HeldFilter{For: events.Unplanned}, page)
		if err != nil || len(held) != 2 {
			t.Fatalf("got %d unplanned, %v, want 2", len(held), err)
		}
		if _, changed, err := w.UnscopedApplyPlan(ctx, "usr_staff", []byte(aPlan)); err != nil || changed {
			t.Errorf("the same plan: got changed %t, %v", changed, err)
		}
		if p, _, err = w.UnscopedApplyPlan(ctx, "usr_staff", []byte(aPlan+"  - type: other\n")); err != nil || p.Version != 2 {
			t.Fatalf("got %+v, %v, want version 2", p, err)
		}
		w.hands.Pass(time.Hour)
		done, err := w.Replay(ctx, w.admin(a.ID), events.HeldFilter{For: events.Unplanned})
		if err != nil || done != (events.Replayed{Kept: 2}) {
			t.Errorf("got %+v, %v, want 2 kept", done, err)
		}
		all := w.kept(a.ID)
		if got := all[len(all)-1]; got.Source != strict.ID || got.Received.Equal(w.hands.Now()) {
			t.Errorf("got %+v, want the event as it was received", got)
		}
		done, err = w.Replay(ctx, w.admin(a.ID), events.HeldFilter{})
		if err != nil || done.Kept != 0 || done.Left != 12 {
			t.Errorf("got %+v, %v, want 12 left", done, err)
		}
		w.again()
		if p, err := w.Plan(ctx, 0); err != nil || p.Version != 2 {
			t.Errorf("after a restart: got %+v, %v, want version 2", p, err)
		}
		if list, _, err := w.Plans(ctx, page); err != nil || len(list) != 2 || list[0].Version != 2 {
			t.Errorf("got %+v, %v, want both versions", list, err)
		}
		_, err = w.Plan(ctx, 3)
		wantKind(t, "a version that is not there", err, fault.NotFound)
	})
}

func TestBadPlansAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for text, want := range map[string]string{
			"":                                     "cannot be read",
			"events: []":                           "list 1 to",
			"events: [{type: a}, {type: a}]":       "a: is there twice",
			"events: [{typ: a}]":                   "typ",
			"events: [{type: \"a\\nb\"}]":          "control characters",
			"events: [{type: a}]\n---\nevents: []": "more than one document",
			"events: [{type: a, fields: [{name: x, type: text}]}]":                                                        "a.x: its type must be one of",
			"events: [{type: a, fields: [{name: x.., type: string}]}]":                                                    "must be a path",
			"events: [{type: a, fields: [{name: x, type: integer, allowed: [a]}]}]":                                       "are for strings",
			"events: [{type: a, fields: [{name: x, type: string}, {name: x, type: string}]}]":                             "a.x: is there twice",
			"events: [{type: a, fields: [{name: x, type: string, required: perhaps}]}]":                                   "cannot be read",
			"events:\n- type: a\n- type: b\n  fields:\n  - {name: x, type: string}\n  - {name: y, type: text}\n- type: b": "line 6: b.y: its type must be one of string, integer, number, boolean, time, object, array; line 7: b: is there twice.",
			"events:\n- type: a\n  owners: b":                                                                             "cannot be read: line 3: field owners not found.",
			"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nevents: [{type: a}]":                          "cannot be read",
		} {
			_, _, err := w.UnscopedApplyPlan(t.Context(), "usr_staff", []byte(text))
			wantKind(t, text, err, fault.Invalid)
			if !strings.Contains(fault.Message(err), want) {
				t.Errorf("%q: got %q, want %q", text, fault.Message(err), want)
			}
		}
		_, _, err := w.UnscopedApplyPlan(t.Context(), "usr_staff", []byte("events: [{type: a}] #"+strings.Repeat("a", 1<<20)))
		wantKind(t, "a large plan", err, fault.TooLarge)
		_, err = w.Plan(t.Context(), 0)
		wantKind(t, "no plan", err, fault.NotFound)
	})
}
