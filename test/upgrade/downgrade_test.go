package upgrade

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/test/servertest"
)

// TestDowngradeIsRefused has a newer program migrate the database, and then asks
// this one for everything that opens it.
func TestDowngradeIsRefused(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.Initialised(t, filepath.Join(t.TempDir(), "data"), database(t))
			newer(t, s)
			before := files(t, s.Data)
			password := s.File("password", servertest.Password)
			for _, command := range [][]string{
				{"serve", "--http", "127.0.0.1:0"}, {"fsck"}, {"fsck", "--deep"}, {"setup-link"},
				{"init", "--admin-email", "other@example.com", "--admin-password-file", password},
			} {
				s.Refused(5, s.Place(command[0], command[1:]...), "The control database needs Tributary 9.9.9 or newer: it has schema 9999,", "changed nothing")
			}
			if after := files(t, s.Data); after != before {
				t.Errorf("the data directory: got\n%s\nwant\n%s", after, before)
			}
		})
	}
}

// newer leaves in the database what a newer program would.
func newer(t *testing.T, s *servertest.Server) {
	t.Helper()
	driver, source := "sqlite", filepath.Join(s.Data, "control.db")
	if len(s.Database) > 0 {
		driver, source = "pgx", s.Database[1]
	}
	db := must(sql.Open(driver, source))(t)
	for _, q := range []string{
		`INSERT INTO meta_versions (version_id, is_applied) VALUES (9999, true)`,
		`INSERT INTO meta_programs (schema, program) VALUES (9999, '9.9.9')`,
	} {
		must(db.ExecContext(t.Context(), q))(t)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// files lists a directory's files with their digests.
func files(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b.WriteString(path + " " + digest(must(os.ReadFile(path))(t)) + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
