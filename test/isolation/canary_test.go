package isolation

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"
)

// class is what kind of text a canary stands in, which decides who may see it.
type class byte

const (
	slug     class = 's' // the tenant's slug
	name     class = 'n' // its name and industry
	external class = 'x' // its external ids
	owner    class = 'o' // its organisation's name: also that of the other tenants of it
	person   class = 'p' // its users' emails, logins and names
	key      class = 'k' // names of its API keys and SSH keys
	file     class = 'f' // names of its files
	content  class = 'c' // what is in its files, and so in its results
	product  class = 'e' // what is in its events, which are pooled
)

var classes = []class{slug, name, external, owner, person, key, file, content, product}

// Canaries are lower-case letters and digits, so that no format changes them:
// the mark, the class, a letter, and twelve digits of hexadecimal.
const (
	mark       = "zq"
	canarySize = len(mark) + 14
)

func newCanary(random *rand.Rand, c class, n int) string {
	return fmt.Sprintf("%s%c%c%012x", mark, c, 'a'+n%26, random.Uint64()&(1<<48-1))
}

// canaries returns the canaries in a text, also those within base64.
func canaries(text []byte) []string {
	var found []string
	for rest := text; ; {
		at := bytes.Index(rest, []byte(mark))
		if at < 0 {
			break
		}
		if rest = rest[at:]; len(rest) >= canarySize {
			found = append(found, string(rest[:canarySize]))
		}
		rest = rest[len(mark):]
	}
	for _, run := range base64Run.FindAll(text, -1) {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if plain, err := encoding.DecodeString(strings.TrimRight(string(run), "=")); err == nil {
				found = append(found, canaries(plain)...)
			}
		}
	}
	return found
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}={0,2}`)

// identifiers returns the ids of things in a text.
func identifiers(text []byte) []string {
	var found []string
	for _, id := range identifier.FindAll(text, -1) {
		found = append(found, string(id))
	}
	return found
}

var identifier = regexp.MustCompile(`(ten|org|usr|key|ssh|ses|sub|upl|res|hld|whk|msg)_[0-9a-z]{26}`)

// cells returns what a Parquet file says, as text.
func cells(t *testing.T, raw []byte) []byte {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatalf("open Parquet: %v", err)
	}
	var text bytes.Buffer
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				for _, v := range row {
					fmt.Fprintln(&text, v)
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("read Parquet: %v", err)
			}
		}
		_ = rows.Close()
	}
	return text.Bytes()
}

// forms are the ways in which a text could lie on a disk in plain.
func forms(text string) map[string][]byte {
	all := map[string][]byte{"plain": []byte(text), "hexadecimal": []byte(hex.EncodeToString([]byte(text)))}
	var wide []byte
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	all["UTF-16"] = wide
	for offset := range 3 { // base64 of a longer text looks different at each offset, but for its ends
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, offset), text...))
		all[fmt.Sprintf("base64 at %d", offset)] = []byte(encoded[(offset*8+5)/6 : (offset+len(text))*8/6])
	}
	return all
}

// nowhereIn wants none of the texts, in any form, in any file below a directory.
func nowhereIn(t *testing.T, dir string, texts []string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		nowhere(t, path, append(raw, path...), texts)
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("looked at %d files below %s: %v", files, dir, err)
	}
}

func nowhere(t *testing.T, place string, raw []byte, texts []string) {
	t.Helper()
	for _, text := range texts {
		for form, bad := range forms(text) {
			if at := bytes.Index(raw, bad); at >= 0 {
				t.Errorf("%s has %q in it (%s): %q", place, text, form, raw[max(0, at-60):min(len(raw), at+100)])
			}
		}
	}
}

// The search finds what it is there for.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	c := newCanary(rand.New(rand.NewPCG(1, 1)), content, 3)
	for offset := range 5 {
		long := strings.Repeat("-", offset) + "<" + c + ">" + strings.Repeat("+", 40)
		for _, text := range []string{long, `{"body":"` + base64.StdEncoding.EncodeToString([]byte(long)) + `"}`} {
			if got := canaries([]byte(text)); !slices.Contains(got, c) {
				t.Errorf("canaries in %s: got %v, want %s", text, got, c)
			}
		}
		var wide []byte
		for _, b := range []byte(long) {
			wide = append(wide, b, 0)
		}
		for form, raw := range map[string][]byte{"hexadecimal": []byte(hex.EncodeToString([]byte(long))), "UTF-16": wide, "plain": []byte(long),
			fmt.Sprintf("base64 at %d", (offset+1)%3): []byte(base64.StdEncoding.EncodeToString([]byte(long)))} {
			if !bytes.Contains(raw, forms(c)[form]) {
				t.Errorf("form %s of %s: got %s, which is not in %s", form, c, forms(c)[form], raw)
			}
		}
	}
}
