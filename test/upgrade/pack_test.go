package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

var version = flag.String("make", "", "make the fixtures of this version, with the program in TRIBUTARY_TEST_BINARY")

// schema stands in control.sql where the name of PostgreSQL's schema stood.
const schema = "fixture_schema"

var databases = map[string]func(*testing.T) string{
	"sqlite":   func(*testing.T) string { return "" },
	"postgres": func(t *testing.T) string { return metatest.Postgres(t) },
}

// TestMakeFixture makes the fixtures of the version that -make names.
func TestMakeFixture(t *testing.T) {
	t.Parallel()
	if *version == "" {
		t.Skip("scripts/fixture makes fixtures")
	}
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, address := t.TempDir(), database(t)
			s := servertest.Initialised(t, filepath.Join(dir, "data"), address)
			if said := string(s.Run("", "version")); !strings.Contains(said, " "+*version+" ") {
				t.Fatalf("the program says that it is %q, want %s", said, *version)
			}
			f := must(os.Create(filepath.Join(dir, "fixture.json")))(t)
			fill(s, *version).write(t, f)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if address != "" {
				dump(t, address, filepath.Join(dir, "control.sql"))
			}
			if err := os.WriteFile(filepath.Join("testdata", *version+"-"+name+".tar.gz"), pack(t, dir), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// dump writes a schema as SQL that any PostgreSQL takes.
func dump(t *testing.T, address, to string) {
	t.Helper()
	as := must(url.Parse(metatest.Superuser(t)))(t) // row-level security hides rows from everybody else
	name := must(url.Parse(address))(t).Query().Get("search_path")
	cmd := exec.Command("pg_dump", "--no-owner", "--no-privileges", "--inserts", "--schema="+name, as.String())
	cmd.Stderr = os.Stderr
	out := must(cmd.Output())(t)
	var text strings.Builder
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "--"), strings.HasPrefix(line, "SET "), strings.HasPrefix(line, `\`),
			strings.HasPrefix(line, "SELECT pg_catalog.set_config("): // of psql, of this version of pg_dump
		default:
			text.WriteString(strings.ReplaceAll(line, name, schema))
		}
	}
	if err := os.WriteFile(to, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// restore runs what dump wrote, in the schema of a URL.
func restore(t *testing.T, from, address string) {
	t.Helper()
	name := must(url.Parse(address))(t).Query().Get("search_path")
	text := strings.ReplaceAll(string(must(os.ReadFile(from))(t)), schema, name)
	conn := must(pgx.Connect(t.Context(), address))(t)
	_, err := conn.Exec(t.Context(), text)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// pack makes an archive of a directory of plain files.
func pack(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := must(gzip.NewWriterLevel(&b, gzip.BestCompression))(t)
	w := tar.NewWriter(z)
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: path, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Typeflag: tar.TypeDir}
		if d.IsDir() {
			return w.WriteHeader(h)
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack writes an archive of pack to a fresh directory, and returns it with
// what fixture.json says.
func unpack(t *testing.T, archive string) (dir string, f fixture) {
	t.Helper()
	dir = t.TempDir()
	z := must(gzip.NewReader(bytes.NewReader(must(os.ReadFile(archive))(t))))(t)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, must(filepath.Localize(strings.TrimSuffix(h.Name, "/")))(t))
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, must(io.ReadAll(r))(t), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f = servertest.Decode[fixture](t, must(os.ReadFile(filepath.Join(dir, "fixture.json")))(t))
	return dir, f
}
