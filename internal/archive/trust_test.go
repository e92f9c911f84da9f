package archive_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/archive"
	"tributary/internal/audit"
	"tributary/internal/blob"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.config.DB.Unscoped().Exec(w.t.Context(), query, args...)
	check(w.t, err)
}

// A changed row of the catalogue is named and not read, and hides no other.
func TestAChangedRowHidesNoOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		for range 3 {
			w.send(stream.Events, a, noon, 2)
			check(t, w.Flush(t.Context()))
		}
		w.exec(`UPDATE archive_objects SET events = 3 WHERE first_block = 3`)
		list, _, err := w.Objects(t.Context(), w.scope(a), archive.Filter{}, meta.Page{})
		check(t, err)
		wrong := slices.DeleteFunc(slices.Clone(list), func(o archive.Object) bool { return o.Problem == "" })
		if len(list) != 3 || len(wrong) != 1 || wrong[0].First != 3 {
			t.Errorf("listed: %+v", list)
		}
		v, err := w.UnscopedVerify(t.Context(), "usr_staff", a, archive.Filter{}, "")
		if err != nil || v.Objects != 3 || len(v.Findings) != 1 || v.Findings[0].Object != wrong[0].ID {
			t.Errorf("verified: %+v, %v", v, err)
		}
		if got := len(w.read(a, stream.Events)); got != 8 {
			t.Errorf("%d events are read, want those of two objects", got)
		}
		acts, _, err := w.config.Audit.Entries(t.Context(), w.scope(a), audit.Filter{}, meta.Page{Limit: 100})
		check(t, err)
		if !slices.ContainsFunc(acts, func(e audit.Full) bool { return e.Verb == "archive.verify" && e.Actor == "usr_staff" }) {
			t.Errorf("the tenant's chain does not have that its objects were read: %+v", acts)
		}
	})
}

// What a changed row says is archived is not left out: the chain waits until the row is right.
func TestAChangedEndLeavesNothingOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		w.send(stream.Events, a, noon, 2)
		check(t, w.Flush(t.Context()))
		w.send(stream.Events, a, noon, 2)
		w.send(stream.Events, b, noon, 1)
		w.exec(`UPDATE archive_objects SET last_block = 4`)
		if err := w.Flush(t.Context()); !fault.Is(err, fault.Damaged) {
			t.Errorf("got %v, want Damaged", err)
		}
		if len(w.have(b)) != 1 {
			t.Error("the other tenant's are not archived")
		}
		w.exec(`UPDATE archive_objects SET last_block = 2 WHERE tenant = $1`, string(a))
		check(t, w.Flush(t.Context()))
		if got, want := w.have(a), []string{"events 2026-03-01 1-2 4", "events 2026-03-01 3-4 4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// How far a stream is archived decides what may be deleted, so nothing is while it is not
// what was written; all that is not archived then is.
func TestAChangedPositionDeletesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		w.send(stream.Events, a, noon, 2)
		check(t, w.Flush(t.Context()))
		w.send(stream.Events, a, noon, 2)
		w.exec(`UPDATE archive_positions SET sequence = 4`)
		if got := w.problems(); len(got) != 1 || !strings.Contains(got[0], "archive position") {
			t.Errorf("problems: %q", got)
		}
		w.pass(8 * 24 * time.Hour)
		check(t, w.ExpireDue(t.Context()))
		check(t, w.Flush(t.Context()))
		if got, want := w.have(a), []string{"events 2026-03-01 1-2 4", "events 2026-03-01 3-4 4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("after a flush: %q", got)
		}
		check(t, w.ExpireDue(t.Context()))
		if _, err := w.streams.First(t.Context(), stream.Events, a); !fault.Is(err, fault.NotFound) {
			t.Errorf("what is archived is on the stream: %v", err)
		}

		w.exec(`INSERT INTO archive_garbage (blob_key, tenant, since) SELECT blob_key, tenant, 1 FROM archive_objects`)
		w.exec(`INSERT INTO archive_garbage (blob_key, tenant, since) VALUES ('vault/x', '', 1)`)
		check(t, w.RemoveDue(t.Context()))
		if len(w.files()) != 2 {
			t.Errorf("%d files are left of objects that have rows, want 2", len(w.files()))
		}
	})
}

// A chain whose first objects, or only one, were lost with their rows is not whole; one
// whose first were forgotten is.
func TestAChainHasItsBeginning(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Premium)
		w.config.Keep = archive.Keep{tenant.Basic: 10}
		w.make()
		for _, id := range []tenant.ID{a, b} {
			w.send(stream.Events, id, w.now().Add(-20*24*time.Hour), 2)
			w.send(stream.Events, id, w.now(), 1)
		}
		w.send(stream.Users, b, w.now(), 1)
		check(t, w.Flush(t.Context()))
		w.pass(8 * 24 * time.Hour)
		check(t, w.ExpireDue(t.Context()))
		check(t, w.ForgetDue(t.Context()))
		if got := w.problems(); len(got) != 0 || len(w.have(a)) != 1 {
			t.Errorf("after the first was forgotten: %q, %q", got, w.have(a))
		}
		gone := func() (found []string) {
			check(t, events.UnscopedVerify(t.Context(), w.config.DB, w.config.Keys, w.streams, w.UnscopedEnds, true, func(f events.Finding) { found = append(found, f.Problem) }))
			return found
		}
		if got := gone(); len(got) != 0 {
			t.Errorf("fsck of the streams: %q", got)
		}
		w.exec(`DELETE FROM archive_objects WHERE tenant = $1 AND first_block = 1`, string(b))
		left, _, err := w.Objects(t.Context(), w.scope(b), archive.Filter{}, meta.Page{})
		check(t, err)
		for _, path := range w.files() {
			if strings.Contains(path, string(b)) && !strings.Contains(path, left[0].ID) {
				check(t, os.Remove(path))
			}
		}
		if got := w.problems(); len(got) != 1 || !strings.Contains(got[0], "Blocks 1 to 2 are missing") {
			t.Errorf("after the first was lost: %q", got)
		}
		if got := gone(); len(got) != 1 || !strings.Contains(got[0], "the blocks 1 to 1") {
			t.Errorf("after the only one was lost: %q", got)
		}
		w.exec(`UPDATE archive_starts SET last_block = 1`)
		if got := w.problems(); len(got) != 2 {
			t.Errorf("after where a chain begins was changed: %q", got)
		}
	})
}

// An older copy of a stream is archived from its beginning, and what is archived already
// is not so again.
func TestAnOlderCopyOfAStreamIsArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	dir, older := t.TempDir(), filepath.Join(t.TempDir(), "older")
	w.stream(dir)
	w.send(stream.Events, a, noon, 1)
	w.stream(t.TempDir())
	check(t, os.CopyFS(older, os.DirFS(dir)))
	w.stream(dir)
	w.send(stream.Events, a, noon, 4)
	check(t, w.Flush(t.Context()))
	w.stream(older)
	w.send(stream.Events, a, noon, 1)
	check(t, w.Flush(t.Context()))
	if got, want := w.have(a), []string{"events 2026-03-01 1-5 10", "events 2026-03-01 6-6 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhoArchivesNothingIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	w.send(stream.Events, a, noon, 1)
	if got := w.Warnings(t.Context()); len(got) != 0 {
		t.Errorf("at once: %q", got)
	}
	w.pass(2 * time.Hour)
	if got := w.Warnings(t.Context()); len(got) != 1 || !strings.Contains(got[0], "stream events has not been archived for 2h") {
		t.Errorf("two hours on: %q", got)
	}
	check(t, w.Flush(t.Context()))
	if got := w.Warnings(t.Context()); len(got) != 0 {
		t.Errorf("archived: %q", got)
	}
}

// stuck are streams that remove nothing of one tenant alone.
type stuck struct{ *stream.Streams }

var errStuck = errors.New("the power is gone")

func (stuck) ExpireTenant(context.Context, stream.Name, tenant.ID, uint64) (int64, error) {
	return 0, errStuck
}

// Expiry that ends between its note and the removal goes on after a restart, with the
// streams' index and without, and who reads on from before is told so either way.
func TestExpiryThatWasCutOffGoesOn(t *testing.T) {
	t.Parallel()
	for _, index := range []bool{true, false} {
		w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
		dir := t.TempDir()
		w.stream(dir)
		w.config.Days = archive.Days{stream.Events: {"": 7, tenant.Basic: 3}}
		w.config.Streams = stuck{w.streams}
		w.make()
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Premium)
		w.send(stream.Events, a, noon, 3)
		w.send(stream.Events, b, noon, 1)
		check(t, w.Flush(t.Context()))
		w.pass(4 * 24 * time.Hour)
		if err := w.ExpireDue(t.Context()); !errors.Is(err, errStuck) {
			t.Fatalf("expiry: %v", err)
		}
		w.stream(t.TempDir())
		if !index {
			for _, path := range must(filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", "*", "msgs", "index.db")))(t) {
				check(t, os.Remove(path))
			}
		}
		w.stream(dir)
		check(t, w.LoadExpired(t.Context()))
		read := func() error {
			_, err := w.streams.Read(t.Context(), stream.Events, 1, a, 0)
			return err
		}
		if err := read(); !fault.Is(err, fault.NotFound) {
			t.Errorf("before they are removed: %v", err)
		}
		check(t, w.ExpireDue(t.Context()))
		if err := read(); !fault.Is(err, fault.NotFound) {
			t.Errorf("afterwards: %v", err)
		}
		list, err := w.streams.Read(t.Context(), stream.Events, 0, "", 0)
		if err != nil || len(list) != 1 || list[0].Tenant != b {
			t.Errorf("left: %+v, %v", list, err)
		}
		w.pass(8 * 24 * time.Hour)
		check(t, w.ExpireDue(t.Context()))
		w.stream(dir) // where nothing is left
		w.send(stream.Events, a, noon, 1)
		check(t, w.Flush(t.Context()))
		if got := w.have(a); !slices.Equal(got, []string{"events 2026-03-01 1-3 6", "events 2026-03-01 4-4 2"}) || len(w.problems()) != 0 {
			t.Errorf("index %t: got %q, problems %q", index, got, w.problems())
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// between does something once, before an object is committed.
type between struct {
	blob.Store
	do func()
}

type betweenWriter struct {
	blob.Writer
	store *between
}

func (b *between) Create(ctx context.Context, k blob.Key) (blob.Writer, error) {
	w, err := b.Store.Create(ctx, k)
	return &betweenWriter{w, b}, err
}

func (b *betweenWriter) Commit(ctx context.Context) error {
	if do := b.store.do; do != nil {
		b.store.do = nil
		do()
	}
	return b.Writer.Commit(ctx)
}

// A compaction that has read a person's events brings them not back when the person is
// erased before it is done.
func TestACompactionAroundAnErasureBringsNobodyBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		at := w.now().Add(-48 * time.Hour)
		for range 3 {
			w.people(a, at, "bob")
			check(t, w.Flush(t.Context()))
		}
		w.people(a, at, "ann")
		check(t, w.Flush(t.Context()))
		w.pass(2 * time.Hour)
		var r events.Erasure
		w.config.Blobs = &between{w.config.Blobs, func() { r = w.erase(a, "ann") }}
		w.make()
		check(t, w.CompactDue(t.Context()))
		if got := w.who(a); r.Archived != 1 || slices.Contains(got, "ann/") || len(got) != 3 {
			t.Errorf("got %q, receipt %+v", got, r)
		}
		w.pass(2 * time.Hour)
		check(t, w.CompactDue(t.Context()))
		if got := w.have(a); len(got) != 1 || !strings.HasSuffix(got[0], "1-4 3") || len(w.problems()) != 0 {
			t.Errorf("compacted: %q, problems %q", got, w.problems())
		}
	})
}

// A flush is in the audit log however it ended, also where who asked for it left.
func TestAFlushThatFailedIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	w.send(stream.Events, w.tenant("acme", tenant.Basic), noon, 1)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := w.UnscopedFlush(gone, "usr_staff"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	check(t, w.UnscopedFlush(t.Context(), "usr_staff"))
	acts, _, err := w.config.Audit.UnscopedEntries(t.Context(), audit.Filter{Verb: "archive.flush"}, meta.Page{})
	check(t, err)
	var got []string
	for _, e := range acts {
		got = append(got, e.Outcome)
	}
	if slices.Sort(got); !slices.Equal(got, []string{"failed", "ok"}) {
		t.Errorf("the audit log has flushes that ended %q", got)
	}
}
