package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// failing fails what it is told to, before it is done or after.
type failing struct {
	*events.Sequencer
	before, after map[stream.Name]bool
}

var errTorn = errors.New("torn")

func (f *failing) Append(ctx context.Context, n stream.Name, id tenant.ID, list []events.Event) error {
	if f.before[n] {
		return errTorn
	}
	err := f.Sequencer.Append(ctx, n, id, list)
	if err == nil && f.after[n] {
		return errTorn
	}
	return err
}

func (w *world) outbox(f *failing) *events.Outbox {
	f.Sequencer = w.Sequencer
	return events.NewOutbox(events.OutboxConfig{DB: w.DB, Audit: w.Audit, Streams: w.streams, Blocks: w.Blocks, Append: f, Clock: w.Clock,
		Facts: func(_ context.Context, id tenant.ID, subject string) (map[string]any, error) {
			return map[string]any{"about": subject, "chain": string(id)}, nil
		}})
}

func (w *world) act(id tenant.ID, verbs ...string) {
	w.t.Helper()
	for i, v := range verbs {
		if err := w.Audit.Record(context.Background(), audit.Entry{Tenant: id, Actor: "usr_00000000000000000000000000", Verb: v, Subject: fmt.Sprint("sub_", i), Outcome: "ok",
			Details: map[string]any{"name": "canary.csv"}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// read is a stream through a view, a few events at a time.
func read(t *testing.T, v *events.View, most int) []events.Placed {
	t.Helper()
	var list []events.Placed
	for place := ""; ; {
		part, next, end, err := v.Next(t.Context(), place, most)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) > most || len(part) == 0 && !end {
			t.Fatalf("got %d events of %d, end %t", len(part), most, end)
		}
		if list, place = append(list, part...), next; end {
			return list
		}
	}
}

func view(t *testing.T, r *events.Reader, n stream.Name, id tenant.ID) *events.View {
	t.Helper()
	v, err := r.UnscopedView(n, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// entries are the numbers of the audit entries that a chain's events were made from,
// in the streams' order.
func entries(t *testing.T, r *events.Reader, id tenant.ID) (all []string) {
	t.Helper()
	for _, n := range []stream.Name{stream.Tenants, stream.Users, stream.Jobs} {
		for _, e := range read(t, view(t, r, n, ""), 7) {
			if e.Tenant == id {
				all = append(all, string(n)+" "+e.ID+" "+e.Type)
			}
		}
	}
	return all
}

func TestActsArePublished(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		o, r := w.outbox(&failing{}), events.NewReader(w.streams, w.Blocks, w.ring, nil)
		if err := o.PublishDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := len(entries(t, r, a))
		w.act(a, "submission.receive", "session.create", "submission.validate", "tenant.claim")
		if err := w.Audit.Record(t.Context(), audit.Entry{Tenant: a, Actor: "key_1", Verb: "submission.read", Subject: "sub_of_another", Outcome: "not found"}); err != nil {
			t.Fatal(err)
		}
		w.act("", "run.start")
		for range 2 {
			if err := o.PublishDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := entries(t, r, a); len(got) != begun+5 {
			t.Errorf("got %d events, want %d: %q", len(got), begun+5, got)
		}
		jobs := read(t, view(t, r, stream.Jobs, a), 1)
		if len(jobs) != 3 {
			t.Fatalf("jobs has %d events of the tenant, want 3", len(jobs))
		}
		e := jobs[1]
		if e.Type != "tributary.submission.validate" || e.Source != "tributary" || e.Subject != "sub_2" || e.Tenant != a || e.User != "usr_00000000000000000000000000" ||
			!strings.HasPrefix(e.ID, strconv.Itoa(begun+3)+"-") || e.Time.IsZero() || string(e.Data) != fmt.Sprintf(`{"about":"sub_2","actor":"usr_00000000000000000000000000","chain":%q,"entry":%d,"outcome":"ok"}`, a, begun+3) {
			t.Errorf("got %+v %s", e, e.Data)
		}
		if e := jobs[2]; e.Subject != "" || strings.Contains(string(e.Data), "another") {
			t.Errorf("what was refused names %q: %s", e.Subject, e.Data)
		}
		for _, n := range stream.Names {
			for _, e := range read(t, view(t, r, n, ""), 100) {
				if strings.Contains(fmt.Sprintf("%s %s", e.Data, e.Context), "canary") {
					t.Errorf("an event tells sealed details: %s", e.Data)
				}
			}
		}
	})
}

// What the provider's chain says of a thing as it was after an act is published, and not what it is later.
func TestWhatAThingWasIsPublished(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		o, r := w.outbox(&failing{}), events.NewReader(w.streams, w.Blocks, w.ring, nil)
		a := w.tenant("acme").ID
		if _, err := w.control.UnscopedSuspend(t.Context(), "usr_1", string(a), "unpaid"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.control.UnscopedActivate(t.Context(), "usr_1", string(a)); err != nil {
			t.Fatal(err)
		}
		if err := o.PublishDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range read(t, view(t, r, stream.Tenants, ""), 100) {
			var said struct {
				About string
				State string
			}
			if err := json.Unmarshal(e.Data, &said); err != nil {
				t.Fatal(err)
			}
			if e.Tenant == "" && e.Subject == string(a) {
				got = append(got, strings.TrimPrefix(e.Type, "tributary.tenant.")+" "+said.State)
			}
		}
		if want := "[create active suspend suspended activate active]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// However publishing is cut off, all entries are there, in order; and none twice, since
// a new process looks at the streams.
func TestWhatIsCutOffIsPublishedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme").ID, w.tenant("bolt").ID
		verbs := []string{"submission.receive", "session.create", "tenant.update"}
		cut := &failing{}
		o := w.outbox(cut)
		acts := 0
		for _, n := range []stream.Name{stream.Tenants, stream.Users, stream.Jobs} {
			for _, after := range []bool{false, true} {
				w.act(a, verbs...)
				w.act(b, verbs...)
				acts++
				cut.before, cut.after = map[stream.Name]bool{n: !after}, map[stream.Name]bool{n: after}
				if err := o.PublishDue(t.Context()); !errors.Is(err, errTorn) {
					t.Fatalf("cut off at %s: %v", n, err)
				}
				cut.before, cut.after = nil, nil
				if after { // a restart
					w.again()
					o = w.outbox(cut)
				}
				if err := o.PublishDue(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		r := events.NewReader(w.streams, w.Blocks, w.ring, nil)
		for _, id := range []tenant.ID{a, b} {
			seen, last := map[string]bool{}, map[string]int{}
			got := entries(t, r, id)
			for _, e := range got {
				parts := strings.Fields(e)
				text, _, _ := strings.Cut(parts[1], "-")
				number, err := strconv.Atoi(text)
				if err != nil || seen[parts[1]] || number <= last[parts[0]] {
					t.Errorf("%s comes after %d, or again", e, last[parts[0]])
				}
				seen[parts[1]], last[parts[0]] = true, number
			}
			raw, err := w.Audit.UnscopedRaw(t.Context(), id, 0, 0)
			if err != nil || len(seen) != len(raw) || len(raw) < 3*acts {
				t.Errorf("%d entries were published of %d, %v", len(seen), len(raw), err)
			}
		}
	})
}

// A database that was restored goes on with other entries of the same numbers, while
// the streams, in a cluster, have those that are lost.
func TestARestoredChainIsPublished(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		publish := func() {
			t.Helper()
			w.again()
			if err := w.outbox(&failing{}).PublishDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.act(a, "submission.receive")
		publish()
		var seq int64
		var hash, mac []byte
		if err := w.DB.For(a).QueryRow(t.Context(), `SELECT seq, hash, mac FROM audit_heads WHERE tenant = $1`, string(a)).Scan(&seq, &hash, &mac); err != nil {
			t.Fatal(err)
		}
		w.act(a, "submission.validate", "submission.expire", "submission.withdraw")
		publish()
		for _, undo := range []string{`DELETE FROM audit_entries WHERE tenant = $1 AND seq > $2`, `UPDATE audit_heads SET seq = $2, hash = $3, mac = $4 WHERE tenant = $1`, `UPDATE stream_published SET seq = $2 WHERE tenant = $1`} {
			if _, err := w.DB.For(a).Exec(t.Context(), undo, []any{string(a), seq, hash, mac}[:strings.Count(undo, "$")]...); err != nil {
				t.Fatal(err)
			}
		}
		w.hands.Pass(time.Minute)
		w.act(a, "submission.delete")
		publish()
		w.act(a, "submission.read")
		publish()
		list := read(t, view(t, events.NewReader(w.streams, w.Blocks, w.ring, nil), stream.Jobs, a), 100)
		last, ids := "", map[string]bool{}
		for _, e := range list {
			last += " " + strings.TrimPrefix(e.Type, "tributary.submission.")
			ids[e.ID] = true
		}
		if last != " receive validate expire withdraw delete read" || len(ids) != 6 {
			t.Errorf("got%s with %d ids", last, len(ids))
		}
	})
}

// One chain that cannot be published holds up no other; what is erased is passed over.
func TestAnErasedTenantHoldsUpNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme").ID, w.tenant("bolt").ID
		w.act(a, "submission.receive")
		w.act(b, "submission.receive")
		if _, err := w.DB.For(a).Exec(t.Context(), `UPDATE tenant_keys SET wrapped = NULL WHERE tenant = $1`, string(a)); err != nil {
			t.Fatal(err)
		}
		w.ring.Forget(a)
		o, r := w.outbox(&failing{}), events.NewReader(w.streams, w.Blocks, w.ring, nil)
		for range 2 {
			if err := o.PublishDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := entries(t, r, a); len(got) != 0 {
			t.Errorf("%q was published of an erased tenant", got)
		}
		if got := entries(t, r, b); len(got) == 0 {
			t.Error("nothing was published of the other")
		}
	})
}

func TestTenantsReadTheirOwnStreams(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme").ID, w.tenant("bolt").ID
		o, r := w.outbox(&failing{}), events.NewReader(w.streams, w.Blocks, w.ring, nil)
		for range 5 {
			w.act(a, "submission.receive", "submission.validate")
			w.act(b, "submission.receive")
			w.act("", "run.start")
			if err := o.PublishDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		own := func(id tenant.ID) *events.View {
			v, err := r.View(t.Context(), w.scope(id, policy.TenantAdmin), stream.Jobs)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for id, want := range map[tenant.ID]int{a: 10, b: 5} {
			for _, most := range []int{1, 3, 100} {
				got := read(t, own(id), most)
				if len(got) != want {
					t.Errorf("%d at a time: %d events, want %d", most, len(got), want)
				}
				for _, e := range got {
					if e.Tenant != id {
						t.Errorf("an event of %q is read by %q", e.Tenant, id)
					}
				}
			}
		}
		list := read(t, own(a), 100)
		for _, place := range []string{"1", "1.1", "x", list[0].Place + "A", strings.ToUpper(list[0].Place)} {
			if err := own(a).Knows(place); !fault.Is(err, fault.Invalid) {
				t.Errorf("place %q: %v", place, err)
			}
		}
		if err := own(b).Knows(list[0].Place); !fault.Is(err, fault.Invalid) {
			t.Errorf("another's place: %v", err)
		}
		if rest, _, _, err := own(a).Next(t.Context(), list[2].Place, 100); err != nil || len(rest) != 7 || rest[0].ID != list[3].ID {
			t.Errorf("from the third on: %d events, %v", len(rest), err)
		}
		for name, s := range map[string]tenant.Scope{"none": {}, "a user's": w.scope(a, policy.TenantUser)} {
			if _, err := r.View(t.Context(), s, stream.Jobs); !fault.Is(err, fault.Denied) {
				t.Errorf("a scope of %s: %v", name, err)
			}
		}
		if s, err := own(a).Summary(t.Context()); err != nil || s.State.Last != 0 || s.LastAt.IsZero() || s.Kept != 7*24*time.Hour {
			t.Errorf("a tenant's summary %+v, %v", s, err)
		}
		if s, err := view(t, r, stream.Jobs, "").Summary(t.Context()); err != nil || s.State.Last == 0 {
			t.Errorf("the provider's summary %+v, %v", s, err)
		}
		since, err := own(b).Since(t.Context(), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if rest, _, end, err := own(b).Next(t.Context(), since, 100); err != nil || len(rest) != 0 || !end {
			t.Errorf("what comes in an hour: %d events, %v", len(rest), err)
		}
		if _, err := r.UnscopedView("others", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown stream: %v", err)
		}
	})
}

// A tenant is told that blocks of its own are lost, also where a page ends before them.
func TestALostBlockIsNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		r := events.NewReader(w.streams, w.Blocks, w.ring, nil)
		var at events.Place
		for n := range 4 {
			h, block, err := w.Blocks.Seal(t.Context(), events.Header{Stream: string(stream.Jobs), Tenant: a, Sequence: at.Sequence + 1, Previous: at.Digest},
				[]events.Event{{ID: string(rune('a' + n)), Type: "order", Time: w.hands.Now(), Received: w.hands.Now(), Tenant: a}})
			if err != nil {
				t.Fatal(err)
			}
			if at = events.PlaceOf(h, block); n == 2 { // in whose place is another's
				_, block, err = w.Blocks.Seal(t.Context(), events.Header{Stream: string(stream.Jobs), Sequence: 1}, []events.Event{{ID: "p", Type: "order", Received: w.hands.Now()}})
			}
			of := a
			if n == 2 {
				of = ""
			}
			if _, err2 := w.streams.Publish(t.Context(), stream.Jobs, []stream.Message{{Tenant: of, Data: block}}); err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
		}
		for _, most := range []int{1, 2, 10} {
			v, err := r.View(t.Context(), w.scope(a, policy.TenantAdmin), stream.Jobs)
			if err != nil {
				t.Fatal(err)
			}
			said, read, place := 0, "", ""
			for end := false; !end && said < 5; {
				var list []events.Placed
				var gone stream.Missing
				list, next, over, err := v.Next(t.Context(), place, most)
				if errors.As(err, &gone) && fault.Is(err, fault.Damaged) {
					said++
					if place, err = v.Over(gone); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range list {
					read += e.ID
				}
				place, end = next, over
			}
			if said != 1 || read != "abd" {
				t.Errorf("%d at a time: read %q, told %d times, want abd and once", most, read, said)
			}
		}
	})
}

// A damaged block is named, and the rest can be read from behind it.
func TestADamagedBlockIsNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme").ID
		o, r := w.outbox(&failing{}), events.NewReader(w.streams, w.Blocks, w.ring, nil)
		w.act(a, "submission.receive")
		if err := o.PublishDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := w.streams.Last(t.Context(), stream.Jobs, a)
		if err != nil {
			t.Fatal(err)
		}
		m.Data[len(m.Data)-1] ^= 1
		if _, err := w.streams.Publish(t.Context(), stream.Jobs, []stream.Message{{Tenant: a, Data: m.Data}, {Tenant: a, Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		v := view(t, r, stream.Jobs, a)
		list, place, end, err := v.Next(t.Context(), "", 10)
		if err != nil || len(list) != 1 || end {
			t.Fatalf("before it: %d events, end %t, %v", len(list), end, err)
		}
		for range 2 {
			_, _, _, err = v.Next(t.Context(), place, 10)
			var gone stream.Missing
			if !fault.Is(err, fault.Damaged) || !errors.As(err, &gone) {
				t.Fatalf("got %v, want it to be named", err)
			}
			if place, err = v.Over(gone); err != nil {
				t.Fatal(err)
			}
		}
		if list, _, end, err := v.Next(t.Context(), place, 10); err != nil || len(list) != 0 || !end {
			t.Errorf("behind it: %d events, end %t, %v", len(list), end, err)
		}
	})
}
