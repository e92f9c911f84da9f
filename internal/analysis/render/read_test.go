package render

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"tributary/internal/fault"
)

func TestReaderReadsWhatWriteCSVWrites(t *testing.T) {
	t.Parallel()
	table := allTypes(t, 50)
	hostile := []string{"", " ", `"`, `a"b`, "a,b", "a\nb", "\r\n", "=1+1", "'", "\u202etxt", "<script>", strings.Repeat("ä", 300)}
	for i, s := range hostile {
		table.Rows[i][1] = Value{Text: s}
	}
	table.Rows[len(hostile)][1] = Value{Null: true}
	var b bytes.Buffer
	if err := new(Maker).WriteCSV(&b, table); err != nil {
		t.Fatal(err)
	}
	r := NewReader(bytes.NewReader(b.Bytes()))
	header, err := r.Line()
	if err != nil || len(header) != len(table.Columns) || *header[1] != "Z" {
		t.Fatalf("header = %v, %v", header, err)
	}
	for i, row := range table.Rows {
		from := r.Read
		line, err := r.Line()
		if err != nil || len(line) != len(row) {
			t.Fatalf("line %d = %d fields, %v, want %d", i, len(line), err, len(row))
		}
		for j, v := range row {
			c := table.Columns[j]
			switch got := line[j]; {
			case (got == nil) != v.Null:
				t.Errorf("line %d, %s is null: %v, want %v", i, c.Name, got == nil, v.Null)
			case got == nil:
			case c.Type == Text && *got != Harmless(v.Text):
				t.Errorf("line %d, %s = %q, want %q", i, c.Name, *got, Harmless(v.Text))
			case c.Type != Text && *got != string(c.appendPlain(nil, v.Int)):
				t.Errorf("line %d, %s = %q, want %s", i, c.Name, *got, c.appendPlain(nil, v.Int))
			}
		}
		// From where a line begins it can be read again.
		again, err := NewReader(bytes.NewReader(b.Bytes()[from:])).Line()
		if err != nil || len(again) != len(line) {
			t.Fatalf("line %d from byte %d: %v, %v", i, from, again, err)
		}
	}
	if _, err := r.Line(); !errors.Is(err, io.EOF) || r.Read != int64(b.Len()) {
		t.Errorf("behind the end: %v after %d bytes, want EOF after %d", err, r.Read, b.Len())
	}
}

func TestReaderRefusesOtherCSV(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", `"a`, "a,", `a"b` + "\n", `"a"b` + "\n", "a\r\n", "\"a\"\r\n"} {
		if _, err := NewReader(strings.NewReader(text)).Line(); !fault.Is(err, fault.Damaged) {
			t.Errorf("%q: %v, want damaged", text, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a,\"b\"\"\",\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		for {
			if _, err := r.Line(); err != nil {
				return
			}
		}
	})
}
