package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/client"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// names lists all that is below a directory, and nothing if it is not there.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// existing is what works on data that is there.
var existing = map[string]func(*testing.T, Config) error{
	"fsck": func(t *testing.T, c Config) error {
		found, err := Fsck(t.Context(), c, false)
		if len(found) > 0 {
			t.Errorf("fsck: got %v, want nothing", found)
		}
		return err
	},
	"setup link": func(t *testing.T, c Config) error {
		_, _, err := SetupLink(t.Context(), c)
		return err
	},
}

// TestWhatWorksOnDataMakesNone gives a wrong data directory to what works on one
// that is there: it is told so, and nothing is made.
func TestWhatWorksOnDataMakesNone(t *testing.T) {
	t.Parallel()
	for what, do := range existing {
		for name, c := range map[string]struct {
			database string
			before   func(data string) error
		}{
			"no directory":               {before: func(string) error { return nil }},
			"an empty directory":         {before: func(data string) error { return os.Mkdir(data, 0o700) }},
			"a file":                     {before: func(data string) error { return os.WriteFile(data, nil, 0o600) }},
			"objects without a database": {before: func(data string) error { return os.MkdirAll(filepath.Join(data, "objects"), 0o700) }},
			"an empty database": {before: func(data string) error {
				return errors.Join(os.MkdirAll(filepath.Join(data, "objects"), 0o700), os.WriteFile(filepath.Join(data, "control.db"), nil, 0o600))
			}},
			"a database that was never used": {before: func(data string) error {
				db, err := meta.Open(t.Context(), meta.Config{URL: "sqlite:" + filepath.Join(data, "control.db")})
				if err != nil {
					return err
				}
				return errors.Join(db.Close(), os.Mkdir(filepath.Join(data, "objects"), 0o700))
			}},
			"an empty PostgreSQL database": {database: metatest.Postgres(t), before: func(data string) error { return os.MkdirAll(filepath.Join(data, "objects"), 0o700) }},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				data := filepath.Join(t.TempDir(), "data")
				if err := c.before(data); err != nil {
					t.Fatal(err)
				}
				before := names(t, data)
				if err := do(t, Config{Data: data, Database: c.database}); !fault.Is(err, fault.NotFound) {
					t.Errorf("got %v, want NotFound", err)
				}
				if after := names(t, data); len(after) != len(before) {
					t.Errorf("what is there: got %v, want %v", after, before)
				}
				if c.database == "" {
					return
				}
				if db, err := meta.Open(t.Context(), meta.Config{URL: c.database, Existing: true}); !fault.Is(err, fault.NotFound) {
					t.Errorf("database afterwards: got %v, %v, want NotFound", db, err)
				}
			})
		}
	}
}

// TestFsckFindsWhatIsThere is the other side: where there is data both work, and
// where its key is gone none is made in its place.
func TestFsckFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": "", "postgres": metatest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{Data: filepath.Join(t.TempDir(), "data"), Database: database}
			if _, err := Init(t.Context(), c, "admin@example.com", "a long enough password"); err != nil {
				t.Fatal(err)
			}
			if err := existing["fsck"](t, c); err != nil {
				t.Errorf("fsck: got %v, want nil", err)
			}
			if err := existing["setup link"](t, c); !fault.Is(err, fault.Conflict) {
				t.Errorf("setup link where there is an admin: got %v, want Conflict", err)
			}
			key := filepath.Join(c.Data, "keys", "kek.json")
			if err := os.Remove(key); err != nil {
				t.Fatal(err)
			}
			if err := existing["fsck"](t, c); !fault.Is(err, fault.Invalid) {
				t.Errorf("fsck without the key file: got %v, want Invalid", err)
			}
			if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("key file: got %v, want none made", err)
			}
		})
	}
}

// TestADamagedFileIsNamedAndSentAgain has a file whose row in the vault is lost: another
// one of its date can be sent in each way, and fsck tells of the damage afterwards.
func TestADamagedFileIsNamedAndSentAgain(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	submit := func() client.Submission {
		t.Helper()
		sent := must(s.Submit(t.Context(), client.Upload{Dataset: "values", Date: "2026-09-01", Name: "values.csv", Body: strings.NewReader("A\n1\n")}))(t)
		return must(s.WaitSubmission(t.Context(), sent.ID))(t)
	}
	lose := func(id string) {
		t.Helper()
		must(s.w.stores.db.Unscoped().Exec(t.Context(), `DELETE FROM vault_objects WHERE id = (SELECT object FROM submissions WHERE id = $1)`, id))(t)
	}
	first := submit()
	lose(first.ID)
	second := submit()
	lose(second.ID)
	if err := s.put(s.connect(), "values.csv", "A\n1\n"); err != nil {
		t.Errorf("over SFTP: %v", err)
	}
	third := submit()
	if second.State != "accepted" || third.State != "accepted" {
		t.Errorf("got %s and %s, want them accepted", second.State, third.State)
	}
	s.w.stop()
	found, err := Fsck(t.Context(), s.w.cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, f := range found {
		if f.Problem == "the submission's file is not in the vault" {
			named = append(named, f.Subject)
		}
	}
	slices.Sort(named)
	if want := []string{first.ID, second.ID}; !slices.Equal(named, slices.Sorted(slices.Values(want))) || len(found) != 2 {
		t.Errorf("fsck found %v, want %v named and nothing else", found, want)
	}
}
