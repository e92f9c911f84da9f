package events_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// findings verifies what w has, and returns what is wrong, a line each.
func (w *world) findings(deep bool) string {
	w.t.Helper()
	var list []string
	err := events.UnscopedVerify(context.Background(), w.DB, w.ring, w.streams, nil, deep, func(f events.Finding) {
		list = append(list, string(f.Tenant)+" "+f.Subject+": "+f.Problem)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		held := login("h")
		held.Type = ""
		w.take(s, login("1"), held)
		w.take(s, login("2"))
		if err := w.Sequencer.Save(ctx); err != nil {
			t.Fatal(err)
		}
		for _, deep := range []bool{false, true} {
			if got := w.findings(deep); got != "" {
				t.Errorf("got %q, want nothing wrong", got)
			}
		}
		list, err := w.streams.Read(ctx, stream.Events, 0, a.ID, 10)
		if err != nil || len(list) != 2 {
			t.Fatalf("got %d blocks, %v, want 2", len(list), err)
		}
		publish := func(data []byte, id tenant.ID) {
			if _, err := w.streams.Publish(ctx, stream.Events, []stream.Message{{Tenant: id, Data: data}}); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string) {
			t.Helper()
			if got := w.findings(true); !strings.Contains(got, what) || !strings.Contains(got, string(a.ID)) {
				t.Errorf("got %q, want %q of acme's", got, what)
			}
		}
		publish(list[0].Data, a.ID)
		want("block 1 of " + string(a.ID) + " on stream events is there a second time")
		flipped := bytes.Clone(list[1].Data)
		flipped[len(flipped)-1] ^= 1
		publish(flipped, a.ID)
		want("is damaged")
		publish([]byte("nonsense"), a.ID)
		want("A block of events is damaged")
		publish(list[1].Data, w.tenant("bolt").ID)
		want("belongs elsewhere")
		h, block, err := w.Blocks.Seal(ctx, events.Header{Stream: "events", Tenant: a.ID, Sequence: 5}, some(a.ID))
		if err != nil {
			t.Fatal(err)
		}
		publish(block, a.ID)
		want("Blocks 3 to 4 are missing before the " + h.String())
		if _, err := w.streams.EraseTenant(ctx, a.ID); err != nil {
			t.Fatal(err)
		}
		want("blocks 1 to 2, which were there, are lost")
		if _, err := w.DB.Unscoped().Exec(ctx, `UPDATE event_sources SET strict = 1`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.DB.Unscoped().Exec(ctx, `UPDATE quarantined_events SET reason = 'tenant', body = $1`, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := w.findings(false); !strings.Contains(got, s.ID) || !strings.Contains(got, "qua_") {
			t.Errorf("got %q, want the source and the event in quarantine", got)
		}
	})
}

// Where it is known how far chains are archived, what is neither there nor archived is
// lost, however old it is.
func TestWhatIsNeitherThereNorArchivedIsLost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			w.take(s, login(id))
		}
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
		w.hands.Pass(8 * 24 * time.Hour)
		for _, c := range []struct {
			expired, archived uint64
			want              string
		}{
			{4, 4, "does not follow the block 4"}, // which has another digest in the archive
			{4, 2, "Blocks 3 to 4 are missing before the block 5"},
			{5, 3, "the blocks 4 to 5, which were there, are lost"},
			{5, 5, ""},
		} {
			if _, err := w.streams.Expire(ctx, stream.Events, c.expired); err != nil {
				t.Fatal(err)
			}
			archived := func(context.Context, stream.Name) (map[tenant.ID]events.Place, error) {
				return map[tenant.ID]events.Place{a.ID: {Sequence: c.archived}}, nil
			}
			var got string
			if err := events.UnscopedVerify(ctx, w.DB, w.ring, w.streams, archived, false, func(f events.Finding) { got += f.Problem }); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("expired to %d, archived to %d: got %q, want %q", c.expired, c.archived, got, c.want)
			}
		}
	})
}

// A tenant's chain goes on when its blocks have expired, and when the server was killed.
func TestChainsGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		w.take(s, login("1"))
		w.again() // without Save, as after a kill
		w.take(s, login("2"))
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := w.streams.EraseTenant(ctx, a.ID); err != nil { // as if all had expired
			t.Fatal(err)
		}
		w.again()
		w.take(s, login("3"))
		list, err := w.streams.Read(ctx, stream.Events, 0, a.ID, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %d blocks, %v, want 1", len(list), err)
		}
		if h, err := events.ReadHeader(list[0].Data); err != nil || h.Sequence != 3 || h.Previous == (events.Digest{}) {
			t.Errorf("got %+v, %v, want block 3, behind another", h, err)
		}
	})
}

// Where the end of a stream is lost, the chain goes on behind what had been written
// down, and what is lost is named.
func TestALostEndIsAGap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		for _, id := range []string{"1", "2", "3"} {
			w.take(s, login(id))
		}
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
		list, err := w.streams.Read(ctx, stream.Events, 0, a.ID, 10)
		if err != nil || len(list) != 3 {
			t.Fatalf("got %d blocks, %v, want 3", len(list), err)
		}
		if _, err := w.streams.EraseTenant(ctx, a.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.streams.Publish(ctx, stream.Events, []stream.Message{{Tenant: a.ID, Data: list[0].Data}}); err != nil {
			t.Fatal(err)
		}
		w.again()
		w.take(s, login("4"))
		if got := w.findings(false); !strings.Contains(got, "Blocks 2 to 3 are missing before the block 4 of "+string(a.ID)) {
			t.Errorf("got %q, want the lost blocks named", got)
		}
	})
}

// unsure is a stream that fails, before or after it has kept what it was given.
type unsure struct {
	*stream.Streams
	mu            sync.Mutex
	before, after error
}

func (u *unsure) PublishAfter(ctx context.Context, n stream.Name, end uint64, list []stream.Message) (uint64, error) {
	u.mu.Lock()
	before, after := u.before, u.after
	u.mu.Unlock()
	if before != nil {
		return 0, before
	}
	last, err := u.Streams.PublishAfter(ctx, n, end, list)
	return last, errors.Join(after, err)
}

// What could not be kept is never acknowledged; what was kept although that was not
// known is, sent again, known as a duplicate or counted once; and the chain has no gap.
func TestFailuresAreNotAcknowledged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		u := &unsure{Streams: w.streams}
		w.Sequencer = events.NewSequencer(w.DB, u, w.Blocks, w.config.Clock)
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		other, _ := w.source(w.admin(b.ID), events.NewSource{})
		send := func(s *events.Source, id string) error {
			_, err := w.Take(ctx, s, events.Batch{Received: []events.Incoming{{Event: login(id)}}})
			return err
		}
		if err := send(s, "1"); err != nil {
			t.Fatal(err)
		}
		full := fault.New(fault.Unavailable, "The stream is full.")
		u.before = full
		wantKind(t, "a full stream", send(s, "2"), fault.Unavailable)
		u.before, u.after = nil, full
		wantKind(t, "an answer that is lost", send(s, "3"), fault.Unavailable)
		u.after = nil
		if err := errors.Join(send(s, "2"), send(s, "3"), send(other, "1")); err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, e := range w.kept(a.ID) { // which follows the chain
			count[e.ID]++
		}
		if count["1"] != 1 || count["2"] != 1 || count["3"] < 1 {
			t.Errorf("got %v, want each event", count)
		}
		// A tenant whose key is gone holds up nobody else.
		of, _ := w.source(provider, events.NewSource{TenantField: "subject"})
		if _, err := w.DB.Unscoped().Exec(ctx, `UPDATE tenant_keys SET wrapped = NULL WHERE tenant = $1`, string(b.ID)); err != nil {
			t.Fatal(err)
		}
		w.ring.Forget(b.ID)
		one, two := login("p1"), login("p2")
		one.Subject, two.Subject = "acme", "bolt"
		v := w.take(of, one, two)
		if v[0].Result != events.OK || v[1].Result == events.OK || v[1].Result == events.Duplicate {
			t.Errorf("got %+v, want acme's kept and bolt's not", v)
		}
	})
}

// late is a stream that gives up on the first publish, and has it come when the next does.
type late struct {
	*stream.Streams
	asked int
	come  func()
}

func (l *late) PublishAfter(ctx context.Context, n stream.Name, after uint64, list []stream.Message) (uint64, error) {
	if l.asked++; l.asked == 2 {
		l.come = func() { _, _ = l.Streams.PublishAfter(ctx, n, after, list) }
		return 0, fault.New(fault.Unavailable, "The streams do not answer.")
	}
	if l.come != nil {
		l.come()
		l.come = nil
	}
	return l.Streams.PublishAfter(ctx, n, after, list)
}

// What comes after its publisher gave up is followed, and not overtaken by another block
// of its number.
func TestWhatComesLateIsFollowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		w.Sequencer = events.NewSequencer(w.DB, &late{Streams: w.streams}, w.Blocks, w.config.Clock)
		send := func(id tenant.ID, n string) error {
			e := login(n)
			e.Tenant, e.Received = id, w.hands.Now()
			return w.Sequencer.Append(ctx, stream.Events, id, []events.Event{e})
		}
		if err := send(b.ID, "1"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "a publish that is given up", send(a.ID, "1"), fault.Unavailable)
		for _, n := range []string{"2", "3"} {
			if err := send(a.ID, n); err != nil {
				t.Fatalf("what comes after what was late: %v", err)
			}
		}
		if got := len(w.kept(a.ID)); got != 3 { // which follows the chain
			t.Errorf("got %d events, want 3", got)
		}
	})
}

func TestLargeRequestsAreSeveralBlocks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme")
		s, _ := w.source(w.admin(a.ID), events.NewSource{})
		var list []events.Event
		for n := range 7 {
			e := login(strings.Repeat("x", n+1))
			e.Data = []byte(`{"a":"` + strings.Repeat("b", 300<<10) + `"}`)
			list = append(list, e)
		}
		if got := results(w.take(s, list...)); got != "ok ok ok ok ok ok ok" {
			t.Errorf("got %s, want seven ok", got)
		}
		blocks, err := w.streams.Read(t.Context(), stream.Events, 0, a.ID, 100)
		if err != nil || len(blocks) != 4 || len(w.kept(a.ID)) != 7 {
			t.Errorf("got %d blocks, %v, want 4 with 7 events", len(blocks), err)
		}
		w.hands.Pass(time.Second)
	})
}
