package archive_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/archive"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Who reads while objects are replaced has each event once, and nothing is said to be lost:
// also where one is replaced by what goes over the end of a page.
func TestReadersFindWhatWasReplaced(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		var sent []events.Event
		for range 103 {
			sent = append(sent, w.send(stream.Events, a, noon, 1)...)
			check(t, w.Flush(t.Context()))
		}
		compact := func() {
			w.pass(2 * time.Hour)
			check(t, w.CompactDue(t.Context()))
			check(t, w.RemoveDue(t.Context()))
			if n := len(w.files()); n != 1 {
				t.Fatalf("%d files, want one", n)
			}
		}
		var got []events.Event
		objects := 0
		unread, err := w.UnscopedSince(t.Context(), a, stream.Events, time.Time{}, func(some []events.Event) error {
			got = append(got, some...)
			if objects++; objects == 100 {
				compact()
			}
			return nil
		})
		if check(t, err); len(unread) > 0 {
			t.Errorf("cannot be read: %q", unread)
		}
		same(t, "read", got, sent)

		for range 102 { // which go on after the one that was made
			sent = append(sent, w.send(stream.Events, a, noon, 1)...)
			check(t, w.Flush(t.Context()))
		}
		done, err := w.UnscopedRestore(t.Context(), "usr_staff", a, archive.Filter{}, "")
		if err != nil || done.Objects != 100 || done.Next == "" {
			t.Fatalf("restored %+v, %v", done, err)
		}
		compact()
		if done, err = w.UnscopedRestore(t.Context(), "usr_staff", a, archive.Filter{}, done.Next); err != nil || done.Objects != 1 || done.Events != 6 || done.Next != "" {
			t.Errorf("restored %+v, %v; want the 6 events that were left", done, err)
		}
		same(t, "restored", w.others.loaded, sent)
	})
}

// The same where it is replaced after it was listed.
func TestReadersFindWhatIsReplacedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		sent := w.parts(a, noon)
		w.pass(2 * time.Hour)
		var got []events.Event
		_, err := w.UnscopedSince(t.Context(), a, stream.Events, time.Time{}, func(some []events.Event) error {
			got = append(got, some...)
			check(t, w.CompactDue(t.Context()))
			return w.RemoveDue(t.Context())
		})
		check(t, err)
		same(t, "read", got, sent)
	})
}

// A row that says of itself what is not so, such as that it has all blocks that are to come,
// hides no other from who reads.
func TestAChangedRowHidesNoBlocks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		sent := w.parts(a, noon)
		w.exec(`UPDATE archive_objects SET last_block = 100000 WHERE first_block = 1`)
		var got []events.Event
		unread, err := w.UnscopedSince(t.Context(), a, stream.Events, time.Time{}, func(some []events.Event) error {
			got = append(got, some...)
			return nil
		})
		if check(t, err); len(unread) != 1 {
			t.Errorf("passed over: %q, want one", unread)
		}
		same(t, "read", got, sent[2:])
	})
}

// What goes wrong where events go to is not taken for a damaged object.
func TestAnErrorOfWhoReadsIsNoDamage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	w.parts(a, noon)
	for _, kind := range []fault.Kind{fault.Damaged, fault.NotFound, fault.Conflict, fault.Internal} {
		theirs, calls := fault.New(kind, "It is the warehouse."), 0
		unread, err := w.UnscopedSince(t.Context(), "", stream.Events, time.Time{}, func([]events.Event) error {
			calls++
			return theirs
		})
		if !errors.Is(err, theirs) || len(unread) != 0 || calls != 1 {
			t.Errorf("%s: got %v after %d calls, passed over %q", kind, err, calls, unread)
		}
		w.others.fails = theirs
		if done, err := w.UnscopedRestore(t.Context(), "usr_staff", a, archive.Filter{}, ""); !errors.Is(err, theirs) || len(done.Findings) != 0 {
			t.Errorf("%s: restored %+v, %v", kind, done, err)
		}
		if found, err := w.Export(t.Context(), w.scope(a), func(archive.Object, int, []byte) error { return theirs }); !errors.Is(err, theirs) || len(found) != 0 {
			t.Errorf("%s: exported, %+v, %v", kind, found, err)
		}
	}
}

// Objects that cannot be read are passed over by who reads all, and named.
func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	w.parts(a, noon)
	sent := w.send(stream.Events, a, noon, 1)
	check(t, w.Flush(t.Context()))
	list, _, err := w.Objects(t.Context(), w.scope(a), archive.Filter{}, meta.Page{})
	check(t, err)
	slices.SortFunc(list, func(x, y archive.Object) int { return int(x.First) - int(y.First) })
	file := func(o archive.Object) string {
		return w.files()[slices.IndexFunc(w.files(), func(path string) bool { return strings.Contains(path, o.ID) })]
	}
	damaged, lost := file(list[0]), file(list[1])
	raw, err := os.ReadFile(damaged)
	check(t, err)
	raw[len(raw)/2] ^= 1
	check(t, os.WriteFile(damaged, raw, 0o600))
	check(t, os.Remove(lost))
	var other bytes.Buffer // which was sealed by this server
	sealed, err := w.config.Keys.NewWriter(t.Context(), a, keys.Pool, keys.Object{ID: list[2].ID, Version: 1}, &other)
	check(t, err)
	_, err = sealed.Write([]byte("no Parquet"))
	check(t, err)
	check(t, sealed.Close())
	check(t, os.WriteFile(file(list[2]), other.Bytes(), 0o600))
	var got []events.Event
	unread, err := w.UnscopedSince(t.Context(), "", stream.Events, time.Time{}, func(some []events.Event) error {
		got = append(got, some...)
		return nil
	})
	if check(t, err); !slices.Equal(unread, []string{list[0].ID, list[1].ID, list[2].ID}) {
		t.Errorf("passed over: %q", unread)
	}
	same(t, "read", got, sent)
}
