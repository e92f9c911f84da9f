package archive_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/internal/archive"
	"tributary/internal/blob/s3"
	"tributary/internal/blob/s3/s3test"
	"tributary/internal/meta/metatest"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

func TestMain(m *testing.M) {
	for _, e := range s3test.Env() {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// The archive's life in a real S3 service: flushes, compaction, a person's erasure, damage
// that verify names, what has no row, a rebuild, and a tenant's end.
func TestTheArchiveInS3(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	w := newWorld(t, metatest.Open(t, metatest.SQLite(t)))
	store, err := s3.New(t.Context(), s3.Config{URL: g.URL(), Owner: "me", Clock: w.config.Clock})
	check(t, err)
	t.Cleanup(func() { _ = store.Close() })
	w.config.Blobs, w.objects = store, filepath.Join(g.Dir, s3test.Bucket)
	w.make()
	objects := func() (list []string) {
		for _, path := range w.files() {
			if strings.Contains(path, "/archive/") {
				list = append(list, path)
			}
		}
		return list
	}
	a, b := w.tenant("acme", tenant.Basic), w.tenant("bolt", tenant.Basic)
	mine, theirs := w.parts(a, noon), w.parts(b, noon)
	if n := len(objects()); n != 6 {
		t.Fatalf("%d objects, want 6", n)
	}
	w.pass(2 * time.Hour)
	check(t, w.CompactDue(t.Context()))
	check(t, w.RemoveDue(t.Context()))
	same(t, "acme", w.read(a, stream.Events), mine)
	same(t, "bolt", w.read(b, stream.Events), theirs)
	if got := w.problems(); len(got) != 0 || len(objects()) != 2 {
		t.Errorf("%d objects, problems: %q", len(objects()), got)
	}

	w.people(a, w.now(), "ann", "bob")
	check(t, w.Flush(t.Context()))
	if r := w.erase(a, "ann"); r.DoneAt.IsZero() || r.Archived != 1 {
		t.Errorf("erased: %+v", r)
	}
	if got := w.who(a); slices.Contains(got, "ann/") || !slices.Contains(got, "bob/") || len(objects()) != 3 {
		t.Errorf("%d objects, with %d events", len(objects()), len(got))
	}

	_, err = w.config.DB.Unscoped().Exec(t.Context(), `DELETE FROM archive_objects`)
	check(t, err)
	if done, err := w.UnscopedRebuild(t.Context(), "usr_staff"); err != nil || done.Added != 3 {
		t.Errorf("rebuilt: %+v, %v", done, err)
	}
	same(t, "rebuilt, of bolt", w.read(b, stream.Events), theirs)
	if done, err := w.UnscopedRestore(t.Context(), "usr_staff", "", archive.Filter{}, ""); err != nil || done.Events != int64(len(mine)+len(theirs)+1) || len(done.Findings) != 0 {
		t.Errorf("restored: %+v, %v", done, err)
	}
	if _, n, err := w.EraseTenant(t.Context(), a); err != nil || n != 2 {
		t.Errorf("acme erased: %d objects, %v", n, err)
	}
	for _, path := range objects() {
		raw, err := os.ReadFile(path)
		check(t, err)
		raw[len(raw)/2] ^= 1
		check(t, os.WriteFile(path, raw, 0o600))
	}
	if got := w.problems(); len(got) != 1 || !strings.Contains(got[0], "damaged") {
		t.Errorf("damaged: %q", got)
	}
}
