//go:build linux && (amd64 || arm64)

package sandbox

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tributary/internal/fault"
)

// Tests inside the package, because no honest child writes these bytes.

func TestAccountThatBreaksTheFormIsSilence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]account{
		"":                  {},
		`{"state":"ready"}`: {ready: true},
		"{\"state\":\"ready\"}\n{\"state\":\"done\"}\n":                       {ready: true, last: status{State: stateDone}},
		"{\"state\":\"done\"}\n{\"state\":\"done\"}":                          {},
		"{\"state\":\"done\"}\nx":                                             {},
		`{"state":"fault","kind":"denied"}`:                                   {},
		`{"state":"fault","kind":"internal"}`:                                 {},
		`{"state":"fault","kind":"invalid"}`:                                  {last: status{State: stateFault, Kind: fault.Invalid, Message: unreadMessage}},
		`{"state":"won"}`:                                                     {},
		`{"state":"error","detail":"` + strings.Repeat("x", maxStatus) + `"}`: {},
	} {
		if got := readAccount(strings.NewReader(text)); got != want {
			t.Errorf("%.60q: got %+v, want %+v", text, got, want)
		}
	}
}

func FuzzReadAccount(f *testing.F) {
	f.Add([]byte("{\"state\":\"ready\"}\n{\"state\":\"fault\",\"kind\":\"invalid\",\"message\":\"\\u202erow\\n\xff\"}\n"))
	f.Add([]byte(`{"state":"error","detail":"` + strings.Repeat("ü", maxMessage) + `"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		last := readAccount(strings.NewReader(string(text))).last
		if last.State == stateFault && (!travels[last.Kind] || last.Message == "") {
			t.Errorf("fault of kind %q with message %q", last.Kind, last.Message)
		}
		for _, s := range []string{last.Message, last.Detail} {
			if len(s) > maxMessage || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("unclean text %q", s)
			}
		}
	})
}
