package archive_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/audit"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
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
	r, _, err := w.EraseUser(w.t.Context(), w.scope(id), user, len(w.others.names) > 0)
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
		acts, _, err := w.config.Audit.Entries(t.Context(), w.scope(a), audit.Filter{Verb: "archive.erased"}, meta.Page{})
		check(t, err)
		if len(acts) != 1 || fmt.Sprint(acts[0].Details) != "map[archived:5 held:0 loaded:3 objects:2 unread:0]" {
			t.Errorf("the tenant's chain has: %+v", acts)
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
		if _, _, err := w.EraseUser(t.Context(), tenant.Scope{}, "ann", false); err == nil {
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
		if _, _, err := w.EraseUser(t.Context(), w.scope(a), "ann", false); !fault.Is(err, fault.Conflict) {
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

// A hold that is set after an erasure was asked for stops it, and what had not been erased is
// kept: also what only the stream has.
func TestAHoldStopsAnErasure(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		at := w.now().Add(-time.Hour)
		w.people(a, at, "ann", "bob")
		check(t, w.Flush(t.Context()))
		w.people(a, at, "ann")
		w.others.fails = errors.New("away")
		r := w.erase(a, "ann")
		hold, err := w.control.UnscopedSetHold(t.Context(), "usr_staff", string(a), "", "a court asks")
		check(t, err)
		w.others.fails = nil
		w.pass(2 * time.Minute)
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); r.Done() || !strings.Contains(r.Problem, "legal hold") {
			t.Errorf("on hold: %+v", r)
		}
		check(t, w.Flush(t.Context()))
		if got, want := w.who(a), []string{"ann/", "bob/", "ann/"}; !slices.Equal(got, want) {
			t.Errorf("on hold: got %q, want %q", got, want)
		}
		_, err = w.control.UnscopedReleaseHold(t.Context(), "usr_staff", hold.ID)
		check(t, err)
		w.pass(2 * time.Minute)
		check(t, w.EraseDue(t.Context()))
		if r = w.erasure(r); !r.Done() || r.Archived != 2 {
			t.Errorf("released: %+v", r)
		}
		if got, want := w.who(a), []string{"bob/"}; !slices.Equal(got, want) {
			t.Errorf("released: got %q, want %q", got, want)
		}
	})
}

// An erasure that cannot be read stops the reading of its tenant's events, and of nobody
// else's; nothing is lost of it.
func TestADamagedErasureIsItsTenantsAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		at := w.now().Add(-time.Hour)
		w.people(a, at, "bob")
		check(t, w.Flush(t.Context()))
		r := w.erase(a, "ann")
		var body []byte
		check(t, w.config.DB.For(a).QueryRow(t.Context(), `SELECT body FROM event_erasures WHERE tenant = $1`, string(a)).Scan(&body))
		set := func(to []byte) {
			_, err := w.config.DB.For(a).Exec(t.Context(), `UPDATE event_erasures SET body = $1, done_at = NULL WHERE tenant = $2`, to, string(a))
			check(t, err)
			w.config.Erased = events.NewErased(w.config.DB, w.config.Keys)
			w.config.Blocks, err = events.NewBlocks(w.config.Keys, w.config.Erased)
			check(t, err)
			w.make()
		}
		changed := slices.Clone(body)
		changed[len(changed)-1] ^= 1
		set(changed)
		w.people(b, at, "carol")
		w.people(a, at, "eve")
		w.people(b, at, "dave")
		for range 2 {
			if err := w.Flush(t.Context()); !errors.Is(err, keys.ErrKey) {
				t.Errorf("flush: %v, want what is wrong with acme's", err)
			}
		}
		if got := w.who(b); !slices.Equal(got, []string{"carol/", "dave/"}) {
			t.Errorf("bolt: got %q", got)
		}
		other, _, err := w.EraseUser(t.Context(), w.scope(b), "dave", false)
		check(t, err)
		check(t, w.EraseDue(t.Context()))
		if other = w.erasure(other); !other.Done() {
			t.Errorf("bolt's erasure: %+v", other)
		}
		list, _, err := w.UnscopedErasures(t.Context(), "", meta.Page{})
		if err != nil || len(list) != 2 || list[1].ID != r.ID || list[1].Damage == nil || list[1].Problem == "" {
			t.Errorf("listed: %+v, %v", list, err)
		}
		found := ""
		check(t, w.config.Erased.UnscopedVerify(t.Context(), func(id tenant.ID, erasure, _ string) { found += string(id) + erasure }))
		if found != string(a)+r.ID {
			t.Errorf("fsck finds %q", found)
		}
		check(t, w.ExpireDue(t.Context()))
		set(body)
		check(t, w.Flush(t.Context()))
		if got := w.who(a); !slices.Equal(got, []string{"bob/", "eve/"}) {
			t.Errorf("acme: got %q", got)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
	})
}

// Bytes with the person that no row has are waited for, whenever they were written, and what
// a rebuild finds while an erasure goes on has it done again.
func TestAnErasureIsDoneOnceNothingIsLeft(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		at := w.now().Add(-time.Hour)
		w.people(a, at, "ann", "bob")
		check(t, w.Flush(t.Context()))
		_, err := w.config.DB.Unscoped().Exec(t.Context(), `DELETE FROM archive_objects`)
		check(t, err)
		for _, f := range w.files() {
			check(t, os.Chtimes(f, time.Time{}, w.now().Add(time.Hour)))
		}
		r := w.erase(a, "ann")
		if r.Done() || !strings.Contains(r.Problem, "rebuild") {
			t.Errorf("with bytes of later: %+v", r)
		}
		other := w.erase(a, "eve")
		if !other.Done() {
			t.Errorf("of somebody who is not in them: %+v", other)
		}
		_, err = w.UnscopedRebuild(t.Context(), "usr_staff")
		check(t, err)
		if other = w.erasure(other); other.Done() {
			t.Error("what a rebuild adds may have anybody")
		}
		w.pass(2 * time.Minute)
		check(t, w.EraseDue(t.Context()))
		if r, other = w.erasure(r), w.erasure(other); !r.Done() || r.Archived != 1 || !other.Done() {
			t.Errorf("after the rebuild: %+v, %+v", r, other)
		}
	})
}

// What a server that was killed in a flush left is no reason to wait: what it has is archived
// again, and its bytes go.
func TestAnErasureTakesWhatAKilledFlushLeft(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		w.people(a, w.now().Add(-time.Hour), "ann", "bob")
		check(t, w.Flush(t.Context()))
		for _, q := range []string{`DELETE FROM archive_objects`, `DELETE FROM archive_positions`} {
			_, err := w.config.DB.Unscoped().Exec(t.Context(), q)
			check(t, err)
		}
		if r := w.erase(a, "ann"); !r.Done() {
			t.Errorf("not done: %+v", r)
		}
		if got := w.who(a); !slices.Equal(got, []string{"bob/"}) || len(w.files()) != 1 {
			t.Errorf("got %q in %d objects, want bob in one", got, len(w.files()))
		}
	})
}

// A tenant has so many erasures under way and no more, and keeps nobody else waiting.
func TestOneTenantsErasuresKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		var err error
		for n := 0; n < 101 && err == nil; n++ {
			_, _, err = w.EraseUser(t.Context(), w.scope(a), "ann", false)
		}
		if !fault.Is(err, fault.Throttled) {
			t.Errorf("the 101st: %v", err)
		}
		if r := w.erase(b, "bob"); !r.Done() {
			t.Errorf("bolt's waits: %+v", r)
		}
		for _, names := range [][]string{nil, {"ann", ""}, make([]string, events.MostNames+1)} {
			r := events.Erasure{ID: "era_1", Tenant: b, Names: names}
			if err := w.config.DB.Transact(t.Context(), func(tx *meta.DB) error { return w.config.Erased.Add(t.Context(), tx, r) }); !fault.Is(err, fault.Invalid) {
				t.Errorf("%d names: %v", len(names), err)
			}
		}
	})
}
