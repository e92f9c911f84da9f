package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/internal/fault"
)

func TestTextsAreMadeHarmless(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain text, grün, 日本":    "plain text, grün, 日本",
		"\x1b[31mred":             `\x1b[31mred`,
		"two\nlines\r\t":          `two\nlines\r\t`,
		"\u202egnp.exe":           `\u202egnp.exe`,
		"\u009b2J":                `\u009b2J`,
		"bad \xff\xfe bytes":      `bad \xff\xfe bytes`,
		"the real \ufffd":         "the real \ufffd",
		"\u2028separator\u200bzw": `\u2028separator\u200bzw`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestContentOnATerminalKeepsItsLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if _, err := io.WriteString(harmless{&b}, "a\tb\r\n\x1b]0;title\x07\n"); err != nil {
		t.Fatal(err)
	}
	if want := "a\tb\n\\x1b]0;title\\a\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestJSONOnATerminalIsHarmlessAndTheSame(t *testing.T) {
	t.Parallel()
	body := []byte("{\"a\":\"\u009b\u202e ü\"}\n")
	for terminal, want := range map[bool]string{true: "{\"a\":\"\\u009b\\u202e ü\"}\n", false: string(body)} {
		var b bytes.Buffer
		o := &output{stdout: &b, terminal: terminal}
		if err := o.raw(body); err != nil || b.String() != want {
			t.Errorf("terminal %v: got %q and %v, want %q", terminal, b.String(), err, want)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 5 << 30: "5.0 GiB", 1 << 62: "4.0 EiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestNamesOfDownloadsAreSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"out.csv": "out.csv", "../../etc/passwd": "_.._etc_passwd", `..\x.csv`: "_x.csv", ".bashrc": "bashrc", "-rf": "rf",
		"a\x1bb\u202ec.csv": "a_b_c.csv", "C:evil": "C_evil", "~x": "x", "grün.csv": "grün.csv", "a b.csv": "a b.csv",
	} {
		if got, err := safeName(in); err != nil || got != want {
			t.Errorf("safeName(%q) = %q and %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", ".", "..", "---", strings.Repeat("x", 256)} {
		if got, err := safeName(in); err == nil {
			t.Errorf("safeName(%q) = %q, want an error", in, got)
		}
	}
}

func TestTransfersSayHowFarTheyAre(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		done, total int64
		took        time.Duration
		bar         bool
		want        string
	}{
		{512 << 10, 1 << 20, 2 * time.Second, true, "f  [############            ]  50%  1.0 MiB  256.0 KiB/s  2s left"},
		{1 << 20, 1 << 20, time.Second, true, "f  [########################] 100%  1.0 MiB  1.0 MiB/s"},
		{512 << 10, 1 << 20, time.Millisecond, false, "f  50%  512.0 KiB of 1.0 MiB"},
		{1 << 20, -1, time.Second, true, "f  1.0 MiB  1.0 MiB/s"},
	} {
		if got := transferLine("f", test.done, test.total, test.took, test.bar); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestATerminalShowsABarAndAFileDoesNot(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := &output{stderr: &b, live: true}
	show := o.progress("sending \x1b.csv")
	show(1, 2)
	show(2, 2)
	o.note("done")
	if got := b.String(); !strings.Contains(got, `sending \x1b.csv  [############ `) || !strings.HasSuffix(got, "\r\x1b[Kdone\n") {
		t.Errorf("on a terminal: got %q, want a bar that makes way for the note", got)
	}
	b.Reset()
	o = &output{stderr: &b}
	o.progress("sending")(1, 2)
	if b.Len() != 0 {
		t.Errorf("elsewhere: got %q, want nothing in the first ten seconds", b.String())
	}
	if o.quiet = true; o.progress("sending") != nil {
		t.Error("quiet: got progress, want none")
	}
}

func TestEveryKindHasAnExitCode(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds {
		if _, ok := codes[client.Kind(k)]; !ok {
			t.Errorf("kind %s has no exit code", k)
		}
	}
	// Faults of the server's own commands, such as init and fsck, count the same.
	for err, want := range map[error]int{
		fault.New(fault.Invalid, "x"):                          exitInvalid,
		fmt.Errorf("open: %w", fault.New(fault.Conflict, "x")): exitConflict,
		fault.New(fault.Damaged, "x"):                          exitFailed,
		errors.New("anything"):                                 exitFailed,
		&client.UnreachableError{Err: errors.New("refused")}:   exitUnreachable,
	} {
		o := &output{stderr: io.Discard}
		if got := o.fail(err); got != want {
			t.Errorf("%v exits %d, want %d", err, got, want)
		}
	}
}

func TestTimesOfExpiry(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"2026-12-31": "2026-12-31 00:00:00Z", "2026-12-31T18:00:00+02:00": "2026-12-31 16:00:00Z", "": ""} {
		if got, err := until(text); err != nil || whenever(got) != want {
			t.Errorf("until(%q) = %s and %v, want %s", text, whenever(got), err, want)
		}
	}
	if got, err := until("90d"); err != nil || time.Until(*got).Round(time.Hour) != 90*24*time.Hour {
		t.Errorf("until(90d) = %v and %v, want ninety days on", got, err)
	}
	for _, text := range []string{"tomorrow", "-1d", "0d", "31.12.2026", "d"} {
		if got, err := until(text); err == nil {
			t.Errorf("until(%q) = %v, want an error", text, got)
		}
	}
}
