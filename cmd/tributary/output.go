package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// output is where a command prints: data to stdout, progress and notes to
// stderr. What came from outside is made harmless on the way.
type output struct {
	stdout, stderr io.Writer
	json           bool
	quiet          bool
	terminal       bool // stdout is one
	live           bool // stderr is one
	colour         bool // stderr may have colours

	last   []byte            // the body of the last answer, for --json
	gather func(body []byte) // if set, gets each answer's body instead
	drawn  bool              // a progress line stands on the terminal
}

func newOutput(stdout, stderr io.Writer) *output {
	o := &output{stderr: stderr, terminal: isTerminal(stdout), live: isTerminal(stderr)}
	o.stdout = &sink{w: stdout}
	o.colour = o.live && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return o
}

// sink remembers that standard output could not be written, so that a full disk
// does not pass for success.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// written returns the first error of writing to standard output.
func (o *output) written() error {
	if s, ok := o.stdout.(*sink); ok && s.err != nil {
		return fmt.Errorf("write output: %w", s.err)
	}
	return nil
}

// JSON prints v as one JSON document.
func (o *output) JSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	return o.raw(b.Bytes())
}

// raw prints a JSON document as it is, with a line end. On a terminal, characters
// that could command it are written as \u escapes, which mean the same.
func (o *output) raw(body []byte) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if o.terminal {
		body = escapeJSON(body)
	}
	_, err := o.stdout.Write(append(body, '\n'))
	return err
}

func escapeJSON(body []byte) []byte {
	var b bytes.Buffer
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		if r == '\n' || unicode.IsPrint(r) {
			b.Write(body[:n])
		} else {
			b.WriteString(fmt.Sprintf(`\u%04x`, min(r, 0xffff)))
		}
		body = body[n:]
	}
	return b.Bytes()
}

// answered is called with the body of each answer.
func (o *output) answered(body []byte) {
	if o.gather != nil {
		o.gather(body)
		return
	}
	if o.json {
		o.last = body
	}
}

// answer prints the last answer: its body with --json, else as human says.
func (o *output) answer(human func()) error {
	if o.json {
		return o.raw(o.last)
	}
	human()
	return nil
}

// note tells the person something on standard error.
func (o *output) note(format string, args ...any) {
	if o.quiet {
		return
	}
	o.clearLine()
	fmt.Fprintln(o.stderr, clean(fmt.Sprintf(format, args...)))
}

// line prints a line of data.
func (o *output) line(format string, args ...any) {
	fmt.Fprintln(o.stdout, clean(fmt.Sprintf(format, args...)))
}

// fields prints names with values, aligned; those without a value are left out.
func (o *output) fields(pairs ...string) {
	width := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, len(pairs[i]))
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(o.stdout, "%-*s  %s\n", width, pairs[i], clean(pairs[i+1]))
		}
	}
}

// table prints rows under a header, aligned. Without rows it prints nothing, and
// says so on standard error.
func (o *output) table(header []string, rows [][]string) {
	if len(rows) == 0 {
		o.note("none")
		return
	}
	all := append([][]string{header}, rows...)
	widths := make([]int, len(header))
	for _, row := range all {
		for i := range row {
			row[i] = clean(row[i])
			if row[i] == "" {
				row[i] = "-"
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range all {
		for i, cell := range row {
			b.WriteString(cell)
			if i+1 < len(row) {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, _ = io.WriteString(o.stdout, b.String()) // written reports it
}

// clean makes a text harmless: characters that command a terminal, end a line or
// turn the direction of writing become escapes such as \x1b.
func clean(s string) string {
	harmless := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			harmless = false
			break
		}
	}
	if harmless {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[n:]
	}
	return b.String()
}

// harmless makes what is written through it harmless, line by line.
type harmless struct{ w io.Writer }

func (h harmless) Write(p []byte) (int, error) {
	var b strings.Builder
	for i, part := range strings.Split(string(p), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		cells := strings.Split(strings.TrimSuffix(part, "\r"), "\t")
		for j := range cells {
			cells[j] = clean(cells[j])
		}
		b.WriteString(strings.Join(cells, "\t"))
	}
	if _, err := io.WriteString(h.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// when prints a time in UTC to the second.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func whenever(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func numberOr(n *int64) string {
	if n == nil {
		return ""
	}
	return number(*n)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// yesIf is for what is seldom true: empty if it is not.
func yesIf(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// size prints a number of bytes in IEC units.
func size(n int64) string {
	if n < 1024 {
		return number(n) + " B"
	}
	f, unit := float64(n), 0
	for f >= 1023.95 && unit < 6 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", f, " KMGTPE"[unit])
}
