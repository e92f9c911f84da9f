package archive_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"tributary/internal/archive"
	"tributary/internal/blob"
	"tributary/internal/events"
	"tributary/internal/meta/metatest"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// read returns all events of a stream that the archive has.
func (w *world) read(id tenant.ID, n stream.Name) (list []events.Event) {
	w.t.Helper()
	_, err := w.UnscopedSince(context.Background(), id, n, time.Time{}, func(some []events.Event) error {
		list = append(list, some...)
		return nil
	})
	check(w.t, err)
	return list
}

func same(t *testing.T, what string, got, want []events.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d events, want %d", what, len(got), len(want))
	}
	for n := range got {
		if !reflect.DeepEqual(got[n], want[n]) {
			t.Fatalf("%s, event %d: got %+v, want %+v", what, n, got[n], want[n])
		}
	}
}

// parts archives a tenant's day in three flushes, and returns its events.
func (w *world) parts(id tenant.ID, at time.Time) (sent []events.Event) {
	w.t.Helper()
	for n := range 3 {
		sent = append(sent, w.send(stream.Events, id, at, 200*n+1)...)
		check(w.t, w.Flush(context.Background()))
	}
	return sent
}

func TestADayBecomesOneObject(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		mine, theirs := w.parts(a, noon), w.parts(b, noon)
		same(t, "before", w.read(a, stream.Events), mine)
		check(t, w.CompactDue(t.Context()))
		if got := w.have(a); len(got) != 3 {
			t.Fatalf("while something may yet come: %q", got)
		}
		w.pass(2 * time.Hour)
		for range 2 { // the second time there is nothing to do
			check(t, w.CompactDue(t.Context()))
			check(t, w.RemoveDue(t.Context()))
		}
		if got := w.have(""); len(got) != 2 || got[0] != "events 2026-03-01 1-603 1206" || len(w.files()) != 2 {
			t.Errorf("got %q, %d files", got, len(w.files()))
		}
		same(t, "after, of acme", w.read(a, stream.Events), mine)
		same(t, "after, of bolt", w.read(b, stream.Events), theirs)
		w.send(stream.Events, a, noon, 1) // late
		check(t, w.Flush(t.Context()))
		w.pass(2 * time.Hour)
		check(t, w.CompactDue(t.Context()))
		if got := w.have(a); !slices.Equal(got, []string{"events 2026-03-01 1-604 1208"}) {
			t.Errorf("with what came late: %q", got)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
	})
}

// failing is a store that breaks after so many commits.
type failing struct {
	blob.Store
	left int
}

type failingWriter struct {
	blob.Writer
	store *failing
}

func (f *failing) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	w, err := f.Store.Create(ctx, k)
	return &failingWriter{w, f}, err
}

func (f *failingWriter) Commit(ctx context.Context) error {
	if f.store.left--; f.store.left < 0 {
		return errors.New("the power is gone")
	}
	return f.Writer.Commit(ctx)
}

// A flush or a compaction that ends before its rows are there changes nothing, and is
// done again; so is one whose objects stay without their rows.
func TestWhatWasCutOffIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
	store := w.config.Blobs
	w.config.Blobs = &failing{store, 1}
	w.make()
	mine, theirs := w.send(stream.Events, a, noon, 3), w.send(stream.Events, b, noon, 3)
	if err := w.Flush(t.Context()); err == nil {
		t.Fatal("a flush was done without its objects")
	}
	w.config.Blobs = store
	w.make()
	check(t, w.Flush(t.Context()))
	same(t, "acme", w.read(a, stream.Events), mine)
	same(t, "bolt", w.read(b, stream.Events), theirs)
	if got := w.problems(); len(got) != 0 {
		t.Errorf("problems: %q", got)
	}
}

// Objects without rows: what others have too goes, what nobody has stays for a rebuild.
func TestObjectsWithoutARow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		sent := w.parts(a, noon)
		parts := w.files()
		kept := map[string][]byte{}
		for _, path := range parts {
			raw, err := os.ReadFile(path)
			check(t, err)
			kept[path] = raw
		}
		w.pass(2 * time.Hour)
		check(t, w.CompactDue(t.Context()))
		check(t, w.RemoveDue(t.Context()))
		for path, raw := range kept { // as if the server had been killed before
			check(t, os.WriteFile(path, raw, 0o600))
		}
		lose := func() {
			_, err := w.config.DB.Unscoped().Exec(t.Context(), `DELETE FROM archive_objects`)
			check(t, err)
		}
		lose()
		sweep := func() {
			check(t, w.SweepDue(t.Context()))
			w.pass(2 * time.Hour)
			check(t, w.SweepDue(t.Context()))
		}
		if sweep(); len(w.files()) != 4 {
			t.Fatalf("%d files are left of what has no rows, want all 4", len(w.files()))
		}
		if got := w.problems(); len(got) != 4 {
			t.Errorf("problems: %q, want one for each object", got)
		}
		done, err := w.UnscopedRebuild(t.Context(), "usr_staff")
		if err != nil || done.Found != 4 || done.Added != 1 || len(done.Findings) != 0 {
			t.Fatalf("rebuilt %+v, %v", done, err)
		}
		if got := w.have(a); !slices.Equal(got, []string{"events 2026-03-01 1-603 1206"}) {
			t.Errorf("rebuilt: %q", got)
		}
		same(t, "rebuilt", w.read(a, stream.Events), sent)
		if sweep(); len(w.files()) != 1 {
			t.Errorf("%d files are left, want the one that has all", len(w.files()))
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
		check(t, w.Flush(t.Context()))
		if got := w.have(a); len(got) != 1 {
			t.Errorf("archived again: %q", got)
		}
	})
}

func TestTheArchiveIsKeptByTier(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b, held := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Premium), w.tenant("held", tenant.Basic)
		if _, err := w.control.UnscopedSetHold(t.Context(), "usr_staff", string(held), "", "a case"); err != nil {
			t.Fatal(err)
		}
		w.config.Keep = archive.Keep{"": 30, tenant.Basic: 10, tenant.Premium: 0}
		w.make()
		today := w.now()
		for _, id := range []tenant.ID{a, b, held, ""} {
			w.send(stream.Events, id, today.Add(-8*24*time.Hour), 1)
			w.send(stream.Events, id, today, 1)
		}
		check(t, w.Flush(t.Context()))
		for _, c := range []struct{ days, a, b, provider int }{{0, 2, 2, 2}, {4, 1, 2, 2}, {8, 0, 2, 2}, {13, 0, 2, 1}, {10, 0, 2, 0}} {
			w.pass(time.Duration(c.days) * 24 * time.Hour)
			check(t, w.ForgetDue(t.Context()))
			if got := [4]int{len(w.have(a)), len(w.have(b)), len(w.have("")) - len(w.have(a)) - len(w.have(b)) - 2, len(w.have(held))}; got != [4]int{c.a, c.b, c.provider, 2} {
				t.Errorf("%d days on: %v objects are left, want %v", c.days, got, c)
			}
		}
		check(t, w.RemoveDue(t.Context()))
		if n := len(w.files()); n != 4 {
			t.Errorf("%d files are left, want 4", n)
		}
		w.send(stream.Events, a, w.now(), 1) // the chain goes on
		check(t, w.Flush(t.Context()))
		if got := w.problems(); len(got) != 0 || len(w.have(a)) != 1 {
			t.Errorf("problems: %q, acme has %q", got, w.have(a))
		}
	})
}
