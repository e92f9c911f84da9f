package archive_test

import (
	"bytes"
	"errors"
	"log/slog"
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

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

func TestWhatTheStreamsHaveIsArchivedByTenantAndDay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		w.send(stream.Events, a, noon, 3)
		w.send(stream.Events, b, noon, 1)
		w.send(stream.Events, a, noon.Add(24*time.Hour), 2)
		w.send(stream.Jobs, "", noon, 1)
		for range 2 { // the second time there is nothing to do
			check(t, w.Flush(t.Context()))
		}
		if got, want := w.have(a), []string{"events 2026-03-01 1-3 6", "events 2026-03-02 4-5 4"}; !slices.Equal(got, want) {
			t.Errorf("a: got %q, want %q", got, want)
		}
		if got := w.have(""); len(got) != 4 || !slices.Contains(got, "jobs 2026-03-01 1-1 2") {
			t.Errorf("all: got %q", got)
		}
		w.send(stream.Events, a, noon.Add(25*time.Hour), 1)
		check(t, w.Flush(t.Context()))
		if got := w.have(a); len(got) != 3 || !slices.Contains(got, "events 2026-03-02 6-6 2") {
			t.Errorf("a, after another flush: got %q", got)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
		if got := w.files(); len(got) != 5 {
			t.Errorf("files: %q", got)
		}
		for _, path := range w.files() {
			raw, err := os.ReadFile(path)
			check(t, err)
			if bytes.Contains(raw, []byte("plaintext-canary")) || bytes.Contains(raw, []byte("PAR1")) {
				t.Errorf("%s is not sealed", path)
			}
		}
	})
}

func TestFlushesAreDueByAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	w.send(stream.Events, a, noon, 1)
	check(t, w.FlushDue(t.Context()))
	if got := w.have(a); len(got) != 0 {
		t.Errorf("at once: got %q", got)
	}
	w.pass(11 * time.Minute)
	check(t, w.FlushDue(t.Context()))
	if got := w.have(a); len(got) != 1 {
		t.Errorf("after 11 minutes: got %q", got)
	}
}

func TestATenantSeesItsOwnOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		w.send(stream.Events, a, noon, 1)
		w.send(stream.Events, "", noon, 1)
		check(t, w.Flush(t.Context()))
		mine, _, err := w.Objects(t.Context(), w.scope(a), archive.Filter{}, meta.Page{})
		if err != nil || len(mine) != 1 {
			t.Fatalf("own: %v, %v", mine, err)
		}
		if _, err := w.Object(t.Context(), w.scope(a), mine[0].ID); err != nil {
			t.Errorf("own: %v", err)
		}
		theirs, _, err := w.Objects(t.Context(), w.scope(b), archive.Filter{}, meta.Page{})
		if err != nil || len(theirs) != 0 {
			t.Errorf("another's: %v, %v", theirs, err)
		}
		if _, err := w.Object(t.Context(), w.scope(b), mine[0].ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's: %v", err)
		}
		if _, _, err := w.Objects(t.Context(), tenant.Scope{}, archive.Filter{}, meta.Page{}); err == nil {
			t.Error("the zero scope lists")
		}
	})
}

func TestNothingExpiresBeforeItIsArchived(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Premium)
		w.config.Days = archive.Days{stream.Events: {"": 7, tenant.Basic: 3, tenant.Premium: 30}}
		w.make()
		w.send(stream.Events, a, noon, 2)
		w.send(stream.Events, b, noon, 2)
		w.send(stream.Events, "", noon, 2)
		left := func(id tenant.ID) int {
			t.Helper()
			check(t, w.ExpireDue(t.Context()))
			n := 0
			list, err := w.streams.Read(t.Context(), stream.Events, 0, "", 0)
			check(t, err)
			for _, m := range list {
				if m.Tenant == id {
					n++
				}
			}
			return n
		}
		w.pass(400 * 24 * time.Hour)
		if n := left(a); n != 2 {
			t.Fatalf("%d messages are left of what is not archived, want 2", n)
		}
		w.pass(-400 * 24 * time.Hour)
		check(t, w.Flush(t.Context()))
		for _, c := range []struct {
			days               int
			a, b, theProviders int
		}{{2, 2, 2, 2}, {2, 0, 2, 2}, {4, 0, 2, 0}, {21, 0, 2, 0}, {2, 0, 0, 0}} {
			w.pass(time.Duration(c.days) * 24 * time.Hour)
			if got := [3]int{left(a), left(b), left("")}; got != [3]int{c.a, c.b, c.theProviders} {
				t.Errorf("%d days on: %v messages are left, want %v", c.days, got, c)
			}
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
		w.send(stream.Events, a, noon, 1) // the chain goes on
		check(t, w.Flush(t.Context()))
		if got := w.have(a); !slices.Contains(got, "events 2026-03-01 3-3 2") {
			t.Errorf("a: %q", got)
		}
	})
}

// A stream of the same name with other messages: the chains go on, and all of it is
// archived.
func TestALostStreamIsFollowedFromItsBeginning(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.tenant("acme", tenant.Basic)
		w.send(stream.Events, a, noon, 5)
		check(t, w.Flush(t.Context()))
		w.stream(t.TempDir())
		w.send(stream.Events, a, noon, 9)
		check(t, w.ExpireDue(t.Context()))
		check(t, w.Flush(t.Context()))
		if got, want := w.have(a), []string{"events 2026-03-01 1-5 10", "events 2026-03-01 6-14 18"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := w.problems(); len(got) != 0 {
			t.Errorf("problems: %q", got)
		}
	})
}

// A damaged row of a tenant's key, which can be put right, costs no events.
func TestADamagedKeyHoldsTheArchiveUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	a := w.tenant("acme", tenant.Basic)
	w.send(stream.Events, a, noon, 1)
	var mac []byte
	check(t, w.config.DB.Unscoped().QueryRow(t.Context(), `SELECT mac FROM tenant_keys WHERE tenant = $1 AND purpose = $2`, string(a), string(keys.Pool)).Scan(&mac))
	set := func(to []byte) {
		_, err := w.config.DB.Unscoped().Exec(t.Context(), `UPDATE tenant_keys SET mac = $1 WHERE tenant = $2 AND purpose = $3`, to, string(a), string(keys.Pool))
		check(t, err)
		w.config.Keys.Forget(a)
	}
	set([]byte("another"))
	if err := w.Flush(t.Context()); !errors.Is(err, keys.ErrKey) {
		t.Errorf("flush: %v, want what is wrong with the key", err)
	}
	w.pass(8 * 24 * time.Hour)
	check(t, w.ExpireDue(t.Context()))
	set(mac)
	check(t, w.Flush(t.Context()))
	if got, want := w.have(a), []string{"events 2026-03-01 1-1 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A second block of a number, which only damage or another process leaves.
func TestAnotherBlockOfANumberIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	a := w.tenant("acme", tenant.Basic)
	w.send(stream.Events, a, noon, 1)
	check(t, w.Flush(t.Context()))
	_, block, err := w.config.Blocks.Seal(t.Context(), events.Header{Stream: string(stream.Events), Tenant: a, Sequence: 1}, []events.Event{{ID: "x", Type: "order", Time: noon, Received: noon, Tenant: a}})
	check(t, err)
	_, err = w.streams.Publish(t.Context(), stream.Events, []stream.Message{{Tenant: a, Data: block}})
	check(t, err)
	check(t, w.Flush(t.Context()))
	if !strings.Contains(said.String(), "another of its number") || !strings.Contains(said.String(), string(a)) {
		t.Errorf("the log says %q", said.String())
	}
}

func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(t *testing.T, w *world, paths []string)
		want   string
	}{
		"a flipped bit": {func(t *testing.T, _ *world, paths []string) {
			raw, err := os.ReadFile(paths[0])
			check(t, err)
			raw[len(raw)/2] ^= 1
			check(t, os.Remove(paths[0]))
			check(t, os.WriteFile(paths[0], raw, 0o600))
		}, "damaged"},
		"a lost object": {func(t *testing.T, _ *world, paths []string) { check(t, os.Remove(paths[0])) }, "is lost"},
		"another tenant's object": {func(t *testing.T, _ *world, paths []string) {
			raw, err := os.ReadFile(paths[1])
			check(t, err)
			check(t, os.Remove(paths[0]))
			check(t, os.WriteFile(paths[0], raw, 0o600))
		}, "damaged"},
		"a lost row": {func(t *testing.T, w *world, _ []string) {
			_, err := w.config.DB.Unscoped().Exec(t.Context(), `DELETE FROM archive_objects WHERE first_block = 3`)
			check(t, err)
			w.pass(2 * time.Hour)
		}, "Blocks 3 to 4 are missing"},
		"a changed row": {func(t *testing.T, w *world, _ []string) {
			_, err := w.config.DB.Unscoped().Exec(t.Context(), `UPDATE archive_objects SET events = 3 WHERE first_block = 3`)
			check(t, err)
		}, "archive object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
			a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
			for range 3 {
				w.send(stream.Events, a, noon, 2)
				w.send(stream.Events, b, noon, 1)
				check(t, w.Flush(t.Context()))
			}
			var mine, theirs []string
			for _, path := range w.files() {
				if strings.Contains(path, string(a)) {
					mine = append(mine, path)
				} else {
					theirs = append(theirs, path)
				}
			}
			c.damage(t, w, []string{mine[1], theirs[1]})
			var found []string
			check(t, w.UnscopedCheck(t.Context(), true, func(f archive.Finding) { found = append(found, f.Problem) }))
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, c.want) }) {
				t.Errorf("found %q, want one with %q", found, c.want)
			}
		})
	}
}

func TestErasureTakesOneTenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
		w.send(stream.Events, a, noon, 1)
		w.send(stream.Users, a, noon, 1)
		w.send(stream.Events, b, noon, 1)
		check(t, w.Flush(t.Context()))
		for _, want := range []int64{2, 0} {
			if _, n, err := w.EraseTenant(t.Context(), a); err != nil || n != want {
				t.Errorf("erased %d, %v, want %d", n, err, want)
			}
		}
		if got := w.have(""); len(got) != 1 || len(w.files()) != 1 {
			t.Errorf("left: %q, %q", got, w.files())
		}
	})
}
