package archive_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// people sends an event of each of some people, "user" or "/anonymous", in a block each, and returns them.
func (w *world) people(id tenant.ID, at time.Time, names ...string) (sent []events.Event) {
	w.t.Helper()
	for _, name := range names {
		w.number++
		user, anonymous, _ := strings.Cut(name, "/")
		e := events.Event{ID: name + at.Format("15:04:05"), Source: "src_1", Type: "order", Time: at, Received: at, Tenant: id, User: user, Anonymous: anonymous, Data: []byte(`{"by":"` + name + `"}`)}
		check(w.t, w.sequencer.Append(w.t.Context(), stream.Events, id, []events.Event{e}))
		sent = append(sent, e)
	}
	return sent
}

// who lists who did the events that the archive has of a tenant.
func (w *world) who(id tenant.ID) (list []string) {
	w.t.Helper()
	for _, e := range w.read(id, stream.Events) {
		list = append(list, e.User+"/"+e.Anonymous)
	}
	return list
}

// erase begins an erasure by the tenant's own admin, and carries out what it can.
func (w *world) erase(id tenant.ID, user string) events.Erasure {
	w.t.Helper()
	r, err := w.EraseUser(w.t.Context(), w.scope(id), user)
	check(w.t, err)
	check(w.t, w.EraseDue(w.t.Context()))
	return w.erasure(r)
}

func (w *world) erasure(r events.Erasure) events.Erasure {
	w.t.Helper()
	r, err := w.Erasure(w.t.Context(), w.scope(r.Tenant), r.ID)
	check(w.t, err)
	return r
}

// What a tenant's objects, and the blocks that its stream still has, say of a person is
// gone, and nothing else is.
func TestAPersonIsErased(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.others.names = []string{"device"}
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		at := w.now().Add(-time.Hour)
		w.people(a, at, "ann", "bob", "/device", "bob/device", "/phone", "ann/phone")
		w.people(b, at, "ann", "/device")
		w.people("", at, "ann")
		check(t, w.Flush(t.Context()))
		w.people(a, at, "ann", "/device") // an object of nobody but her
		check(t, w.Flush(t.Context()))
		w.people(a, at, "ann", "bob") // and on the stream alone
		before := w.have(a)
		r := w.erase(a, "ann")
		want := []string{"bob/", "bob/device", "/phone"}
		if got := w.who(a); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if r.DoneAt.IsZero() || r.Objects != 2 || r.Archived != 5 || r.Loaded != 3 || !slices.Equal(r.Names, []string{"ann", "device"}) || len(w.others.erased) != 2 {
			t.Errorf("receipt: %+v", r)
		}
		if got, want := w.have(a), []string{strings.TrimSuffix(before[0], "6") + "3", strings.TrimSuffix(before[1], "2") + "0"}; !slices.Equal(got, want) {
			t.Errorf("objects: got %q, want %q", got, want)
		}
		if len(w.files()) != 4 {
			t.Errorf("files: %q", w.files())
		}
		check(t, w.Flush(t.Context()))
		check(t, w.CompactDue(t.Context()))
		w.people(a, w.now(), "ann") // who comes again is somebody new
		check(t, w.Flush(t.Context()))
		if got := w.who(a); !slices.Equal(got, append(want, "bob/", "ann/")) {
			t.Errorf("later: got %q", got)
		}
		if got := w.who(b); !slices.Equal(got, []string{"ann/", "/device"}) {
			t.Errorf("bolt: got %q", got)
		}
		if got := w.who(""); len(got) != 8 {
			t.Errorf("all: got %q", got)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
		if _, err := w.Erasure(t.Context(), w.scope(b), r.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's: %v", err)
		}
		if _, err := w.EraseUser(t.Context(), tenant.Scope{}, "ann"); err == nil {
			t.Error("the zero scope erases")
		}
	})
}

// Neither objects that a rebuild finds again nor a restart bring anybody back.
func TestNothingBringsAnErasedPersonBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		at := w.now().Add(-time.Hour)
		w.people(a, at, "ann", "bob")
		check(t, w.Flush(t.Context()))
		_, err := w.config.DB.Unscoped().Exec(t.Context(), `DELETE FROM archive_objects`)
		check(t, err)
		r := w.erase(a, "ann")
		if r = w.erasure(r); !r.DoneAt.IsZero() || !strings.Contains(r.Problem, "rebuild") {
			t.Errorf("with bytes that no row has: %+v", r)
		}
		w.make() // a restart
		_, err = w.UnscopedRebuild(t.Context(), "usr_staff")
		check(t, err)
		if got := w.who(a); !slices.Equal(got, []string{"bob/"}) {
			t.Errorf("rebuilt: got %q", got)
		}
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); r.DoneAt.IsZero() || r.Archived != 1 {
			t.Errorf("after the rebuild: %+v", r)
		}
		w.stream(t.TempDir())
		if got := w.have(a); len(got) != 1 || !strings.HasSuffix(got[0], "1-2 1") {
			t.Errorf("after a restart: %q", got)
		}
	})
}

// An erasure that fails, wherever it does, goes on at the next round, and one that was
// begun again counts nothing twice in the archive.
func TestAnErasureGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		at := w.now().Add(-time.Hour)
		for range 3 {
			w.people(a, at, "ann", "bob")
			check(t, w.Flush(t.Context()))
		}
		blobs := &failing{w.config.Blobs, 1}
		w.config.Blobs = blobs
		w.others.fails = errors.New("away")
		w.make()
		r := w.erase(a, "ann")
		if !r.DoneAt.IsZero() || r.Problem == "" {
			t.Errorf("without a warehouse: %+v", r)
		}
		w.others.fails = nil
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); r.Objects != 0 {
			t.Errorf("at once: %+v", r)
		}
		w.pass(2 * time.Minute)
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); !r.DoneAt.IsZero() || r.Archived != 1 {
			t.Errorf("after one object: %+v", r)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("between: %q", got)
		}
		blobs.left = 100
		w.make() // a restart
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); r.DoneAt.IsZero() || r.Archived != 3 || r.Objects != 3 || r.Problem != "" {
			t.Errorf("at last: %+v", r)
		}
		if got := w.who(a); !slices.Equal(got, []string{"bob/", "bob/", "bob/"}) {
			t.Errorf("got %q", got)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
	})
}

// Nobody is erased from a tenant on hold, and the record of who was is the tenant's: it
// goes with its key.
func TestErasuresAreSealedAndHeld(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		r := w.erase(a, "somebody-in-plain-words")
		var body []byte
		check(t, w.config.DB.For(a).QueryRow(t.Context(), `SELECT body FROM event_erasures WHERE tenant = $1`, string(a)).Scan(&body))
		if strings.Contains(string(body), "somebody") {
			t.Error("the record is not sealed")
		}
		hold, err := w.control.UnscopedSetHold(t.Context(), "usr_staff", string(a), "", "a court asks")
		check(t, err)
		if _, err := w.EraseUser(t.Context(), w.scope(a), "ann"); !fault.Is(err, fault.Conflict) {
			t.Errorf("on hold: %v (%+v)", err, hold)
		}
		_, err = w.config.DB.For(a).Exec(t.Context(), `UPDATE tenant_keys SET wrapped = NULL WHERE tenant = $1`, string(a))
		check(t, err)
		w.config.Keys.Forget(a)
		if _, err := w.UnscopedErasure(t.Context(), r.ID); !fault.Is(err, fault.NotFound) || !errors.Is(err, keys.ErrKey) {
			t.Errorf("without the key: %v", err)
		}
		check(t, w.EraseDue(t.Context()))
	})
}
