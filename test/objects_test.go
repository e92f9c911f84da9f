package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/internal/blob/s3"
	"tributary/internal/blob/s3/s3test"
	"tributary/test/servertest"
)

// inS3 is a server that is not made yet, with its objects in S3.
func inS3(t *testing.T, url string) *server {
	t.Helper()
	s := servertest.Existing(t, filepath.Join(t.TempDir(), "data"), "")
	s.Database, s.Env = []string{"--objects", url}, s3test.Env()
	return &server{s}
}

// TestObjectsInS3 goes the whole way with a real S3 service, then mistakes where
// the objects are, moves them by a backup, and last loses one.
func TestObjectsInS3(t *testing.T) {
	t.Parallel()
	g := s3test.Start(t)
	url := g.URL()
	prefix := must(s3.Parse(url))(t).Prefix
	s := inS3(t, url)
	s.Init()
	s.Start()
	golden(t, s)

	if _, err := os.Stat(filepath.Join(s.Data, "objects")); err == nil {
		t.Error("there is a folder of objects in the data directory too")
	}
	for _, command := range []string{"serve", "fsck"} {
		s.Refused(6, []string{command, "--data", s.Data}, "The objects of this data are at "+url, "--objects")
		s.Refused(6, []string{command, "--data", s.Data, "--objects", g.URL()}, "The objects of this data are at "+url, "--objects")
	}
	note := filepath.Join(s.Data, "objects.url")
	if err := os.Rename(note, note+"-"); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "fsck"} {
		s.Refused(3, []string{command, "--data", s.Data, "--objects", g.URL()}, "There are no objects of Tributary at s3://")
	}
	if err := os.Rename(note+"-", note); err != nil {
		t.Fatal(err)
	}
	other := inS3(t, url)
	password := other.File("password", servertest.Password)
	other.Refused(5, other.Place("init", "--admin-email", "other@example.com", "--admin-password-file", password), "belong to another installation")
	s.Env = append(s.Env, "AWS_SECRET_ACCESS_KEY=wrong")
	s.Refused(6, s.Place("serve"), "refuses the credentials")
	s.Env = s3test.Env()
	s.Sound()

	backups, key := filepath.Join(t.TempDir(), "backups"), filepath.Join(s.Data, "keys", "kek.json")
	s.Run("", s.Place("backup", "--to", backups)...)
	restored := func(objects ...string) *server {
		to := inS3(t, url)
		to.Database = append(objects, "--key-file", to.File("kek.json", string(must(os.ReadFile(key))(t))))
		return to
	}
	elsewhere, onDisk, here := restored("--objects", g.URL()), restored(), restored("--objects", url)
	// A restore that fails on its last object takes away those before.
	copied := lastFile(t, backups, "/output/")
	bytes := must(os.ReadFile(copied))(t)
	if err := os.WriteFile(copied, append([]byte{bytes[0] ^ 1}, bytes[1:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere.Refused(1, elsewhere.Place("restore", "--from", backups), "is damaged")
	if err := os.WriteFile(copied, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere.Run("", elsewhere.Place("restore", "--from", backups)...)
	onDisk.Run("", onDisk.Place("restore", "--from", backups)...)
	here.Refused(5, here.Place("restore", "--from", backups), "belong to another installation")
	for _, whole := range []*server{elsewhere, onDisk, s} {
		whole.Sound()
	}

	lost := lastFile(t, filepath.Join(g.Dir, s3test.Bucket, prefix), "/output/")
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	out, _, code := s.Try("", s.Place("fsck")...)
	if id := strings.TrimSuffix(filepath.Base(lost), "+"); code != 1 || !strings.Contains(string(out), id) {
		t.Errorf("fsck without the object %s: got exit code %d and %q, want 1 and its name", id, code, out)
	}
}

// lastFile is the last file below a directory whose path has a part.
func lastFile(t *testing.T, dir, part string) (last string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, part) {
			last = path
		}
		return err
	})
	if err != nil || last == "" {
		t.Fatalf("look for a file with %s below %s: got %q, %v", part, dir, last, err)
	}
	return last
}
