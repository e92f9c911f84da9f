package archive_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tributary/internal/archive"
	"tributary/internal/audit"
	"tributary/internal/blob/disk"
	"tributary/internal/clock"
	"tributary/internal/control"
	"tributary/internal/events"
	"tributary/internal/keys"
	"tributary/internal/keys/keystest"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/policy"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// world is an archive with the real parts around it. The streams have the system's clock,
// and so has the archive, some time ahead.
type world struct {
	*archive.Archive
	t         testing.TB
	ahead     atomic.Int64
	control   *control.Control
	policy    *policy.Engine
	streams   *stream.Streams
	sequencer *events.Sequencer
	config    archive.Config
	others    others
	objects   string // directory
	number    int    // of the newest event
}

// each runs f in parallel on both databases.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	metatest.Each(t, func(t *testing.T, db *meta.DB) {
		t.Parallel()
		f(t, newWorld(t, db))
	})
}

func newWorld(t testing.TB, db *meta.DB) *world {
	t.Helper()
	w := &world{t: t, objects: t.TempDir()}
	c := clock.Clock{NowFunc: w.now}
	kek, secrets := keystest.New(t, c)
	var err error
	if w.policy, err = policy.New(policy.Config{Clock: c}); err != nil {
		t.Fatal(err)
	}
	w.control = control.New(control.Config{DB: db, Policy: w.policy, Clock: c})
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: w.control, Clock: c, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(audit.Config{DB: db, Keys: ring, Clock: c})
	w.control.SetKeys(ring)
	w.control.SetAudit(log)
	erased := events.NewErased(db, ring)
	blocks, err := events.NewBlocks(ring, erased)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := disk.New(w.objects, c)
	if err != nil {
		t.Fatal(err)
	}
	w.config = archive.Config{DB: db, Blobs: blobs, Keys: ring, Blocks: blocks, Tenants: w.control, Audit: log, Clock: c, Erased: erased, Quarantine: held{&w.others}}
	w.stream(t.TempDir())
	return w
}

// stream opens the streams in a directory, and makes the archive anew, as a restart does.
func (w *world) stream(dir string) {
	w.t.Helper()
	if w.streams != nil {
		if err := w.streams.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if w.streams, err = stream.Open(context.Background(), stream.Config{Dir: dir}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.streams.Close() })
	w.sequencer = events.NewSequencer(w.config.DB, w.streams, w.config.Blocks, w.config.Clock)
	w.config.Streams = w.streams
	w.make()
}

// make makes the archive.
func (w *world) make() {
	w.Archive = archive.New(w.config)
	w.SetWarehouse(&w.others)
}

// others stand for the warehouse and quarantine where somebody is erased.
type others struct {
	names  []string         // of who is erased, beside the one that was said
	shared []string         // of the names, with others
	away   error            // of finding the names
	fails  error            // of the warehouse
	loaded []events.Event   // again
	erased []events.Erasure // by quarantine, and by the warehouse
}

func (o *others) UnscopedRestore(_ context.Context, _ stream.Name, list []events.Event) error {
	o.loaded = append(o.loaded, list...)
	return o.fails
}

func (o *others) UnscopedPerson(_ context.Context, _ tenant.ID, name string, _ bool) (events.Person, error) {
	return events.Person{Names: append([]string{name}, o.names...), Shared: o.shared}, o.away
}

func (o *others) UnscopedRemake(context.Context, tenant.ID) error { return nil }

func (o *others) UnscopedErase(_ context.Context, r events.Erasure) (int64, error) {
	o.erased = append(o.erased, r)
	return 3, o.fails
}

// held is others as the quarantine.
type held struct{ *others }

func (h held) UnscopedErase(_ context.Context, r events.Erasure) error {
	h.erased = append(h.erased, r)
	return nil
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) tenant(slug string, tier tenant.Tier) tenant.ID {
	w.t.Helper()
	got, err := w.control.UnscopedOnboard(context.Background(), "usr_staff", "", control.NewTenant{Slug: slug, Name: slug, Organisation: slug, Tier: tier})
	if err != nil {
		w.t.Fatal(err)
	}
	return got.ID
}

func (w *world) scope(id tenant.ID) tenant.Scope {
	w.t.Helper()
	s, err := w.policy.Scope(context.Background(), policy.Principal{Credential: "ses_1", Kind: policy.Session, User: "usr_1", Tenant: id, Role: policy.TenantAdmin, VerifiedAt: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// send puts blocks of two events each on a stream, which came at a time, and returns the
// events.
func (w *world) send(n stream.Name, id tenant.ID, at time.Time, blocks int) (sent []events.Event) {
	w.t.Helper()
	for range blocks {
		var list []events.Event
		for range 2 {
			w.number++
			list = append(list, events.Event{ID: fmt.Sprint(w.number), Source: "src_1", Origin: "/shop", Type: "order", Subject: "o1", Time: at.Add(-time.Minute), Received: at,
				Stated: time.Date(17, 3, 1, 0, 0, 0, 7, time.UTC), Channel: "segment", Tenant: id, User: "u1", Anonymous: "a1", Session: "s1", Device: "d1",
				Data: []byte(`{"amount":12.5,"canary":"plaintext-canary"}`), Context: []byte(`{"ip":"::1"}`), Flags: []string{"late", "skewed"}})
		}
		list[1] = events.Event{ID: list[1].ID, Source: "src_1", Type: "bare", Time: at, Received: at, Tenant: id}
		if err := w.sequencer.Append(context.Background(), n, id, list); err != nil {
			w.t.Fatal(err)
		}
		sent = append(sent, list...)
	}
	return sent
}

// have lists what a tenant has in the archive, with "" all, as short
// texts in their order.
func (w *world) have(id tenant.ID) (list []string) {
	w.t.Helper()
	found, _, err := w.UnscopedObjects(context.Background(), id, archive.Filter{}, meta.Page{Limit: 500})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range found {
		list = append(list, fmt.Sprintf("%s %s %d-%d %d", o.Stream, o.Day, o.First, o.Last, o.Events))
	}
	slices.Sort(list)
	return list
}

// problems are what a verification and the archive's part of fsck find.
func (w *world) problems() (list []string) {
	w.t.Helper()
	v, err := w.UnscopedVerify(context.Background(), "usr_staff", "", archive.Filter{}, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range v.Findings {
		list = append(list, f.Problem)
	}
	if err := w.UnscopedCheck(context.Background(), true, func(f archive.Finding) {
		if !slices.Contains(list, f.Problem) {
			list = append(list, "fsck: "+f.Object+": "+f.Problem)
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	return list
}

// files are the paths of the stored objects.
func (w *world) files() (list []string) {
	w.t.Helper()
	if err := filepath.WalkDir(w.objects, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
