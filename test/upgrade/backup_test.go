package upgrade

import (
	"path/filepath"
	"strings"
	"testing"

	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestRestoreOfAnOlderVersion backs up what each released version left behind, as
// it is, and restores it on the other database: it is migrated there, everything is
// as it was, and work goes on.
func TestRestoreOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	for _, archive := range must(filepath.Glob("testdata/*.tar.gz"))(t) {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			old, f := left(t, archive)
			target := filepath.Join(t.TempDir(), "backups")
			old.Run("", old.Place("backup", "--to", target)...)
			database := ""
			if old.Database == nil {
				database = metatest.Postgres(t)
			}
			s := servertest.Existing(t, filepath.Join(t.TempDir(), "data"), database)
			s.Token, s.Home = f.Admin, old.Home
			key := []string{"--key-file", filepath.Join(old.Data, "keys", "kek.json")}
			s.Run("", append(s.Place("restore", "--from", target), key...)...)
			s.Start(key...)
			f.leaves(s)
			f.people(s)
			f.kept(s)
			f.works(s)
			f.departs(s)
			s.Stop()
		})
	}
}
