package sftp

import (
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]place{
		"/":                          {{}},
		"/input":                     {{store: "input"}},
		"/input/x.csv":               {{store: "input", dataset: "x.csv"}, {store: "input", name: "x.csv"}},
		"/input/d/2026-02-28":        {{store: "input", dataset: "d", date: "2026-02-28"}},
		"/input/d/2026-02-28/x":      {{store: "input", dataset: "d", date: "2026-02-28", name: "x"}},
		"/output/a":                  {{store: "output", analysis: "a"}},
		"/output/a/x.csv":            {{store: "output", analysis: "a", name: "x.csv"}},
		"/input/d/2026-02-29":        nil, // is not in the calendar
		"/input/d/x.csv":             nil,
		"/input/d/2026-02-28/x/y":    nil,
		"/output/a/x/y":              nil,
		"/other":                     nil,
		"/input/../output":           nil,
		"/input/a\x00b":              nil,
		"/input//d/2026-02-28/x.csv": nil,
	} {
		if got := places(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	for _, text := range []string{"/", "/input/d/2026-02-28/x", "/output/a/x", "/input/..", "//", "/input/\xff", "/input/d/2026-02-28/x.accepted.json"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range places(path.Clean("/" + text)) {
			for _, part := range []string{p.dataset, p.analysis, p.name} {
				if strings.Contains(part, "/") || part == ".." || part == "." || strings.Contains(part, "\x00") {
					t.Errorf("%q: a part is %q", text, part)
				}
			}
			if p.store != "" && p.store != input && p.store != output || (p.store == output) != (p.analysis != "") && p.analysis != "" {
				t.Errorf("%q: got %+v", text, p)
			}
		}
	})
}

// TestOutgoingReadsAnyPiece reads pieces of a file in any order, across windows.
func TestOutgoingReadsAnyPiece(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcde"), 3*windowSize/15)
	f := &outgoing{session: &session{}, r: bytes.NewReader(content), size: int64(len(content)), close: func() error { return nil }}
	piece := make([]byte, 100_000)
	for _, at := range []int{0, 99_999, windowSize - 5, 2*windowSize - 1, 7, len(content) - 100_000, windowSize, 3} {
		if n, err := f.ReadAt(piece, int64(at)); n != len(piece) || err != nil || !bytes.Equal(piece, content[at:at+n]) {
			t.Errorf("at %d: got %d bytes, %v", at, n, err)
		}
	}
	if n, err := f.ReadAt(piece, int64(len(content)-10)); n != 10 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %d, %v, want 10 and EOF", n, err)
	}
	if n, err := f.ReadAt(piece, int64(len(content))); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: got %d, %v", n, err)
	}
}
