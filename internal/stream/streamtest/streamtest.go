// Package streamtest is the contract of package stream as tests: each way of keeping
// streams passes Run.
package streamtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Run tests streams that open makes; each time they are empty and their own.
func Run(t *testing.T, open func(t *testing.T) *stream.Streams) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *stream.Streams)
	}{
		{"MessagesReadBackInOrder", readBack},
		{"TenantsAreApart", apart},
		{"StreamsAreApart", streamsApart},
		{"BatchesAreAllOrNothing", allOrNothing},
		{"WhatIsToFollowFollows", after},
		{"LargeMessagesReadBack", large},
		{"AFullStreamRefuses", full},
		{"WaitersAreWoken", woken},
		{"ErasedTenantsAreGone", erased},
		{"WhatIsNotKeptIsSaid", expired},
		{"ATenantsAreKeptShorter", expiredTenant},
		{"AStreamShorterThanWhatWasReadIsSaid", shorter},
		{"ConcurrentPublishersKeepTheirOrder", concurrent},
		{"WrongUseIsRefused", wrongUse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// NewTenant makes a tenant's id.
func NewTenant() tenant.ID { return tenant.ID(clock.Clock{}.ID("ten")) }

func messages(id tenant.ID, from, count int) []stream.Message {
	var list []stream.Message
	for i := from; i < from+count; i++ {
		list = append(list, stream.Message{Tenant: id, Data: fmt.Appendf(nil, "%s %d", id, i)})
	}
	return list
}

func publish(t *testing.T, s *stream.Streams, n stream.Name, list ...stream.Message) uint64 {
	t.Helper()
	last, err := s.Publish(t.Context(), n, list)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return last
}

// all reads a stream to its end, a few messages at a time.
func all(t *testing.T, s *stream.Streams, n stream.Name, id tenant.ID) []stream.Stored {
	t.Helper()
	var list []stream.Stored
	for after := uint64(0); ; {
		part, err := s.Read(t.Context(), n, after, id, 7)
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		if len(part) == 0 {
			return list
		}
		if len(part) > 7 {
			t.Fatalf("got %d messages, want at most 7", len(part))
		}
		for _, m := range part {
			if m.Sequence <= after {
				t.Fatalf("sequence %d comes after %d", m.Sequence, after)
			}
			after = m.Sequence
		}
		list = append(list, part...)
	}
}

func same(t *testing.T, what string, got []stream.Stored, want []stream.Message) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d messages, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Tenant != want[i].Tenant || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("%s, message %d: got %.80q of %q, want %.80q of %q", what, i, got[i].Data, got[i].Tenant, want[i].Data, want[i].Tenant)
		}
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s: got kind %q (%v), want %q", what, fault.KindOf(err), err, want)
	}
}

func readBack(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	if list := all(t, s, stream.Events, ""); len(list) != 0 {
		t.Errorf("an empty stream has %d messages", len(list))
	}
	want := messages(a, 0, 30)
	if last := publish(t, s, stream.Events, want[0]); last != 1 {
		t.Errorf("got sequence %d, want 1", last)
	}
	if last := publish(t, s, stream.Events, want[1:]...); last != 30 {
		t.Errorf("got sequence %d, want 30", last)
	}
	if last, err := s.Publish(t.Context(), stream.Events, nil); err != nil || last != 0 {
		t.Errorf("publish of nothing: %d, %v", last, err)
	}
	list := all(t, s, stream.Events, "")
	same(t, "all", list, want)
	for i, m := range list {
		if m.Sequence != uint64(i+1) || m.At.IsZero() || m.At.Location() != time.UTC {
			t.Fatalf("message %d: got sequence %d of %s", i, m.Sequence, m.At)
		}
	}
	for _, i := range []int{0, 1, 17} {
		before, err := s.Before(t.Context(), stream.Events, list[i].At)
		if err != nil || before != uint64(i) && list[i].At != list[before].At {
			t.Errorf("before message %d: %d, %v", i+1, before, err)
		}
	}
	if before, err := s.Before(t.Context(), stream.Events, list[29].At.Add(time.Hour)); err != nil || before != 30 {
		t.Errorf("before what comes in an hour: %d, %v, want 30", before, err)
	}
	state, err := s.State(t.Context(), stream.Events)
	if err != nil || state.First != 1 || state.Last != 30 || state.Messages != 30 || state.Bytes == 0 || state.FirstAt.IsZero() || state.Lost != nil {
		t.Errorf("state %+v, %v", state, err)
	}
	if state, err := s.State(t.Context(), stream.Jobs); err != nil || state.First != 1 || state.Last != 0 || !state.FirstAt.IsZero() || state.Retention.Age != 7*24*time.Hour {
		t.Errorf("state of an empty stream %+v, %v", state, err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func apart(t *testing.T, s *stream.Streams) {
	a, b, none := NewTenant(), NewTenant(), NewTenant()
	for i := range 10 {
		publish(t, s, stream.Events, append(append(messages(a, 2*i, 2), messages(b, i, 1)...), messages("", i, 1)...)...)
	}
	same(t, "a", all(t, s, stream.Events, a), messages(a, 0, 20))
	same(t, "b", all(t, s, stream.Events, b), messages(b, 0, 10))
	if list := all(t, s, stream.Events, none); len(list) != 0 {
		t.Errorf("a tenant without messages has %d", len(list))
	}
	if list := all(t, s, stream.Events, ""); len(list) != 40 {
		t.Errorf("got %d messages in all, want 40", len(list))
	}
	for id, want := range map[tenant.ID]string{a: "19", b: "9", "": "9"} {
		if m, err := s.Last(t.Context(), stream.Events, id); err != nil || m.Tenant != id || string(m.Data) != string(id)+" "+want {
			t.Errorf("last of %q: %+v, %v, want message %s", id, m, err, want)
		}
	}
	for id, want := range map[tenant.ID]uint64{a: 1, b: 3, "": 4} {
		if m, err := s.First(t.Context(), stream.Events, id); err != nil || m.Tenant != id || m.Sequence != want {
			t.Errorf("first of %q: %+v, %v, want message %d", id, m, err, want)
		}
	}
	_, err := s.First(t.Context(), stream.Events, none)
	wantKind(t, "first of a tenant without messages", err, fault.NotFound)
	_, err = s.Last(t.Context(), stream.Events, none)
	wantKind(t, "last of a tenant without messages", err, fault.NotFound)
}

func streamsApart(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	for i, n := range stream.Names {
		publish(t, s, n, messages(a, i, 1)...)
	}
	for i, n := range stream.Names {
		same(t, string(n), all(t, s, n, a), messages(a, i, 1))
	}
}

func allOrNothing(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	publish(t, s, stream.Events, messages(a, 0, 1)...)
	if err := s.Keep(t.Context(), stream.Events, stream.Retention{Bytes: 100_000}); err != nil {
		t.Fatal(err)
	}
	wide := bytes.Repeat([]byte("x"), 60_000)
	for _, c := range []struct {
		name string
		last []stream.Message
		want fault.Kind
	}{
		{"a batch whose last two messages have no room together", []stream.Message{{Tenant: a, Data: wide}, {Tenant: a, Data: wide}}, fault.Unavailable},
		{"a batch whose last message is too large", []stream.Message{{Tenant: a, Data: make([]byte, stream.MaxMessage+1)}}, fault.TooLarge},
		{"a batch whose last message is nobody's", []stream.Message{{Tenant: "*"}}, fault.Internal},
	} {
		_, err := s.Publish(t.Context(), stream.Events, append(messages(a, 1, 10), c.last...))
		wantKind(t, c.name, err, c.want)
		same(t, "after "+c.name, all(t, s, stream.Events, ""), messages(a, 0, 1))
	}
	if err := s.Keep(t.Context(), stream.Events, stream.Retention{}); err != nil {
		t.Fatal(err)
	}
	if last := publish(t, s, stream.Events, messages(a, 1, stream.MaxBatch)...); last != stream.MaxBatch+1 {
		t.Errorf("got sequence %d, want %d", last, stream.MaxBatch+1)
	}
	same(t, "all", all(t, s, stream.Events, ""), messages(a, 0, stream.MaxBatch+1))
}

func after(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	want := messages(a, 0, 8)
	for _, count := range []int{1, 3} {
		state, err := s.State(t.Context(), stream.Events)
		if err != nil {
			t.Fatal(err)
		}
		list := want[state.Last:][:count]
		for _, wrong := range []uint64{state.Last + 1, state.Last + 100} {
			_, err := s.PublishAfter(t.Context(), stream.Events, wrong, list)
			wantKind(t, fmt.Sprintf("%d after %d, where %d is the last", count, wrong, state.Last), err, fault.Conflict)
		}
		if last, err := s.PublishAfter(t.Context(), stream.Events, state.Last, list); err != nil || last != state.Last+uint64(count) {
			t.Fatalf("%d after the last: %d, %v", count, last, err)
		}
		for what, list := range map[string][]stream.Message{"the same again": list, "something else": want[state.Last+uint64(count):][:count]} {
			_, err = s.PublishAfter(t.Context(), stream.Events, state.Last, list)
			wantKind(t, what+" after what is followed already", err, fault.Conflict)
		}
		same(t, "after it", all(t, s, stream.Events, ""), want[:state.Last+uint64(count)])
	}
	if _, err := s.EraseTenant(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if last, err := s.PublishAfter(t.Context(), stream.Events, 4, want[4:5]); err != nil || last != 5 {
		t.Errorf("after what was erased: %d, %v, want 5", last, err)
	}
}

func large(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	var want []stream.Message
	for i := range 6 {
		want = append(want, stream.Message{Tenant: a, Data: bytes.Repeat([]byte{byte(i)}, stream.MaxMessage)})
	}
	publish(t, s, stream.Events, want[:5]...)
	want = append(want, stream.Message{Tenant: a}) // which is empty
	publish(t, s, stream.Events, want[5:]...)
	same(t, "large messages", all(t, s, stream.Events, a), want)
	_, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: make([]byte, stream.MaxMessage+1)}})
	wantKind(t, "one byte more", err, fault.TooLarge)
	_, err = s.Publish(t.Context(), stream.Events, messages(a, 0, stream.MaxBatch+1))
	wantKind(t, "one message more", err, fault.TooLarge)
}

func full(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	if err := s.Keep(t.Context(), stream.Events, stream.Retention{Age: 48 * time.Hour, Bytes: 100_000}); err != nil {
		t.Fatal(err)
	}
	if state, err := s.State(t.Context(), stream.Events); err != nil || state.Retention != (stream.Retention{Age: 48 * time.Hour, Bytes: 100_000}) {
		t.Errorf("state %+v, %v", state, err)
	}
	data := bytes.Repeat([]byte("x"), 30_000)
	publish(t, s, stream.Events, stream.Message{Tenant: a, Data: data}, stream.Message{Tenant: a, Data: data})
	_, err := s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: data}, {Tenant: a, Data: data}})
	wantKind(t, "a batch into a full stream", err, fault.Unavailable)
	publish(t, s, stream.Events, stream.Message{Tenant: a, Data: data})
	_, err = s.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: data}})
	wantKind(t, "a message into a full stream", err, fault.Unavailable)
	if list := all(t, s, stream.Events, ""); len(list) != 3 {
		t.Errorf("got %d messages, want the 3 that were acknowledged", len(list))
	}
	if err := s.Keep(t.Context(), stream.Events, stream.Retention{}); err != nil {
		t.Fatal(err)
	}
	publish(t, s, stream.Events, stream.Message{Tenant: a, Data: data})
}

func woken(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	for after := range uint64(3) {
		done := make(chan error)
		go func() { done <- s.Wait(t.Context(), stream.Events, after) }()
		publish(t, s, stream.Events, messages(a, int(after), 1)...)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Wait(t.Context(), stream.Events, 2); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, "a wait that was given up", s.Wait(ctx, stream.Events, 3), fault.Cancelled)
}

func erased(t *testing.T, s *stream.Streams) {
	a, b := NewTenant(), NewTenant()
	for i := range 10 {
		publish(t, s, stream.Events, append(messages(a, i, 1), messages(b, i, 1)...)...)
		publish(t, s, stream.Users, messages(a, i, 1)...)
	}
	for _, want := range []int64{20, 0} {
		if n, err := s.EraseTenant(t.Context(), a); err != nil || n != want {
			t.Errorf("EraseTenant: %d, %v, want %d", n, err, want)
		}
	}
	if list := all(t, s, stream.Events, a); len(list) != 0 {
		t.Errorf("an erased tenant has %d messages", len(list))
	}
	same(t, "all", all(t, s, stream.Events, ""), messages(b, 0, 10))
	if list, err := s.Read(t.Context(), stream.Events, 1, "", 0); err != nil || len(list) != 10 {
		t.Errorf("from within: %d messages, %v", len(list), err)
	}
	_, err := s.Last(t.Context(), stream.Events, a)
	wantKind(t, "last of an erased tenant", err, fault.NotFound)
	if _, err := s.EraseTenant(t.Context(), ""); err == nil {
		t.Error("the provider's messages were erased")
	}
	// The newest messages of all are the erased one's: this is no damage.
	publish(t, s, stream.Jobs, append(messages(b, 0, 1), messages(a, 0, 3)...)...)
	if _, err := s.EraseTenant(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	same(t, "all", all(t, s, stream.Jobs, ""), messages(b, 0, 1))
}

func expired(t *testing.T, s *stream.Streams) {
	a := NewTenant()
	publish(t, s, stream.Events, messages(a, 0, 7)...)
	for _, c := range []struct {
		through uint64
		want    int64
	}{{0, 0}, {5, 5}, {5, 0}, {8, 0}} {
		if n, err := s.Expire(t.Context(), stream.Events, c.through); err != nil || n != c.want {
			t.Errorf("expired up to %d: %d messages, %v, want %d", c.through, n, err, c.want)
		}
	}
	for _, id := range []tenant.ID{a, ""} {
		_, err := s.Read(t.Context(), stream.Events, 2, id, 0)
		wantKind(t, "after what is kept no longer", err, fault.NotFound)
		if err != nil && !strings.Contains(fault.Message(err), "3 to 5") {
			t.Errorf("the error does not name what is missing: %v", err)
		}
		for _, after := range []uint64{0, 5} {
			if list, err := s.Read(t.Context(), stream.Events, after, id, 0); err != nil || len(list) != 2 || list[0].Sequence != 6 {
				t.Errorf("after %d: %d messages, %v", after, len(list), err)
			}
		}
	}
	if n, err := s.Expire(t.Context(), stream.Events, 7); err != nil || n != 2 {
		t.Errorf("expired the rest: %d messages, %v", n, err)
	}
	for _, id := range []tenant.ID{a, ""} {
		_, err := s.Read(t.Context(), stream.Events, 5, id, 0)
		wantKind(t, "after what is kept no longer, at the end", err, fault.NotFound)
		if list, err := s.Read(t.Context(), stream.Events, 7, id, 0); err != nil || len(list) != 0 {
			t.Errorf("at the end: %d messages, %v", len(list), err)
		}
	}
	if last := publish(t, s, stream.Events, messages(a, 7, 1)...); last != 8 {
		t.Errorf("what comes next has sequence %d, want 8", last)
	}
}

// One tenant's are kept shorter than the others'.
func expiredTenant(t *testing.T, s *stream.Streams) {
	a, b := NewTenant(), NewTenant()
	for i := range 10 { // a 1, 4, 7 …, b 2, 5, 8 …, the provider 3, 6, 9 …
		publish(t, s, stream.Events, append(append(messages(a, i, 1), messages(b, i, 1)...), messages("", i, 1)...)...)
	}
	for _, want := range []int64{4, 0} {
		if n, err := s.ExpireTenant(t.Context(), stream.Events, a, 12); err != nil || n != want {
			t.Errorf("expired %d messages, %v, want %d", n, err, want)
		}
	}
	same(t, "all that is left of a", all(t, s, stream.Events, a), messages(a, 4, 6))
	same(t, "b", all(t, s, stream.Events, b), messages(b, 0, 10))
	if list := all(t, s, stream.Events, ""); len(list) != 26 {
		t.Errorf("all: %d messages, want 26", len(list))
	}
	_, err := s.Read(t.Context(), stream.Events, 4, a, 0)
	wantKind(t, "a after what is kept no longer", err, fault.NotFound)
	if list, err := s.Read(t.Context(), stream.Events, 2, b, 0); err != nil || len(list) != 9 {
		t.Errorf("b from within: %d messages, %v", len(list), err)
	}
	if list, err := s.Read(t.Context(), stream.Events, 3, "", 0); err != nil || len(list) != 24 {
		t.Errorf("all from within: %d messages, %v", len(list), err)
	}
	if n, err := s.ExpireTenant(t.Context(), stream.Events, "", 3); err != nil || n != 1 {
		t.Errorf("expired %d messages of the provider, %v, want 1", n, err)
	}
	if state, err := s.State(t.Context(), stream.Events); err != nil || state.Expired != 12 {
		t.Errorf("state %+v, %v", state, err)
	}
	if err := s.Keep(t.Context(), stream.Events, stream.Retention{Age: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if state, err := s.State(t.Context(), stream.Events); err != nil || state.Expired != 12 || state.Retention.Age != time.Hour {
		t.Errorf("state %+v, %v", state, err)
	}
}

func shorter(t *testing.T, s *stream.Streams) {
	publish(t, s, stream.Events, messages(NewTenant(), 0, 5)...)
	_, err := s.Read(t.Context(), stream.Events, 6, "", 0)
	wantKind(t, "after what is not there yet", err, fault.Damaged)
}

func concurrent(t *testing.T, s *stream.Streams) {
	const publishers, rounds = 12, 15
	ids := make([]tenant.ID, publishers)
	var wg sync.WaitGroup
	for p := range publishers {
		ids[p] = NewTenant()
		wg.Go(func() {
			for i := range rounds {
				if _, err := s.Publish(t.Context(), stream.Events, messages(ids[p], i*(p%3+1), p%3+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for p, id := range ids {
		want := messages(id, 0, rounds*(p%3+1))
		same(t, string(id), all(t, s, stream.Events, id), want)
		total += len(want)
	}
	for i, m := range all(t, s, stream.Events, "") {
		if m.Sequence != uint64(i+1) {
			t.Fatalf("message %d has sequence %d", i, m.Sequence)
		}
		total--
	}
	if total != 0 {
		t.Errorf("%d messages more or less than were published", total)
	}
}

func wrongUse(t *testing.T, s *stream.Streams) {
	_, err := s.Publish(t.Context(), "others", messages("", 0, 1))
	wantKind(t, "publish to an unknown stream", err, fault.NotFound)
	_, err = s.Read(t.Context(), "others", 0, "", 0)
	wantKind(t, "read of an unknown stream", err, fault.NotFound)
	_, err = s.State(t.Context(), "others")
	wantKind(t, "state of an unknown stream", err, fault.NotFound)
	for name, m := range map[string]stream.Message{
		"a wildcard": {Tenant: "*"},
		"a subject":  {Tenant: "ten_a.b"},
	} {
		if _, err := s.Publish(t.Context(), stream.Events, []stream.Message{m}); err == nil {
			t.Errorf("%s was published", name)
		}
	}
	publish(t, s, stream.Events, messages(NewTenant(), 0, 1)...)
	for _, id := range []tenant.ID{"*", ">", "-", "!x"} {
		if list, err := s.Read(t.Context(), stream.Events, 0, id, 0); err == nil {
			t.Errorf("%q as a tenant reads %d messages", id, len(list))
		}
		if m, err := s.Last(t.Context(), stream.Events, id); err == nil {
			t.Errorf("%q as a tenant has a last message: %+v", id, m)
		}
		if n, err := s.EraseTenant(t.Context(), id); err == nil {
			t.Errorf("%q as a tenant was erased: %d messages", id, n)
		}
	}
}
