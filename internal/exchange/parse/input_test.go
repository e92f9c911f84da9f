package parse

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func encoded(t testing.TB, e encoding.Encoding, text string) string {
	t.Helper()
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const twoColumns = "\ncolumns: [{name: a, type: text}, {name: v, type: decimal, scale: 2}]\n"

func TestDialects(t *testing.T) {
	t.Parallel()
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for _, c := range []struct {
		name, csv, file string
		want            []string
	}{
		{"plain", "{}", "a,v\nx,1.5\ny,2\n", []string{"x|150", "y|200"}},
		{"no line end at the end", "{}", "a,v\nx,1.5", []string{"x|150"}},
		{"CRLF", "{}", "a,v\r\nx,1.5\r\n", []string{"x|150"}},
		{"CR", "{}", "a,v\rx,1.5\ry,2", []string{"x|150", "y|200"}},
		{"mixed line ends", "{}", "a,v\r\nx,1.5\ny,2\rz,3", []string{"x|150", "y|200", "z|300"}},
		{"empty lines", "{}", "\n\r\na,v\n\nx,1.5\r\n\r\n\n", []string{"x|150"}},
		{"UTF-8 byte order mark", "{}", "\ufeffa,v\nä,1.5\n", []string{"ä|150"}},
		{"columns in another order", "{}", "v,a\n1.5,x\n", []string{"x|150"}},
		{"spaces around names", "{}", " a , v\nx,1.5\n", []string{"x|150"}},
		{"quoted names", "{}", "\"a\",\"v\"\nx,1.5\n", []string{"x|150"}},
		{"no header", "{header: false}", "x,1.5\ny,2\n", []string{"x|150", "y|200"}},
		{"quoted line end", "{}", "a,v\n\"x\r\ny\n\",1.5\nz,2\n", []string{"x\r\ny\n|150", "z|200"}},
		{"quoted delimiter and quotes", "{}", "a,v\n\"x,\"\"y\"\"\",\"1.5\"\n\"\"\"\",2\n", []string{`x,"y"|150`, `"|200`}},
		{"quoted at the end of the file", "{}", "a,v\nx,\"1.5\"", []string{"x|150"}},
		{"other quote", `{quote: "'"}`, "a,v\n'x,''\"',1.5\n", []string{`x,'"|150`}},
		{"no quote", `{quote: ""}`, "a,v\n\"x,1.5\n", []string{`"x|150`}},
		{"tab", `{delimiter: "\t"}`, "a\tv\nx,\t1.5\n", []string{"x,|150"}},
		{"unit separator", `{delimiter: "\x1f"}`, "a\x1fv\nx\x1f1.5\n", []string{"x|150"}},
		{"comments", `{comment: "#"}`, "# one\na,v\n#two, \"\r\nx#,1.5\n#", []string{"x#|150"}},
		{"decimal comma", `{delimiter: ";", decimal: ","}`, "a;v\nx;1,5\n", []string{"x|150"}},
		{"thousands", `{delimiter: ";", decimal: ",", thousands: "."}`, "a;v\nx;1.234.567,5\ny;-1.000\n", []string{"x|123456750", "y|-100000"}},
		{"thousands quoted", `{thousands: ","}`, "a,v\nx,\"1,234.5\"\n", []string{"x|123450"}},
		{"narrow space", `{delimiter: ";", decimal: ",", thousands: "\u202f"}`, "a;v\nx;1\u202f234,5\n", []string{"x|123450"}},
		{"spaces around numbers", "{}", "a,v\n x , 1.5 \n", []string{" x |150"}},
		{"empty is null", "{}", "a,v\n,\n\"\",\" \"\n", []string{"<null>|<null>", "<null>|<null>"}},
		{"other nulls", "{null: [NA, '-']}", "a,v\nNA,-\n,1\n", []string{"<null>|<null>", "|100"}},
		{"no nulls", "{null: []}", "a,v\n,1\n", []string{"|100"}},
		{"ISO 8859-1", "{encoding: iso-8859-1}", "a,v\n\xe4\xff,1.5\n", []string{"äÿ|150"}},
		{"Windows-1252", "{encoding: windows-1252}", encoded(t, charmap.Windows1252, "a,v\n€“œ”,1.5\n"), []string{"€“œ”|150"}},
		{"Windows-1251", "{encoding: windows-1251}", encoded(t, charmap.Windows1251, "a,v\nЖук,1.5\n"), []string{"Жук|150"}},
		{"code page 850", "{encoding: ibm850}", encoded(t, charmap.CodePage850, "a,v\nüß,1.5\n"), []string{"üß|150"}},
		{"UTF-16 with mark", "{encoding: utf-16}", encoded(t, utf16, "a,v\n€😀,1.5\n"), []string{"€😀|150"}},
		{"UTF-16, big end first", "{encoding: utf-16}", encoded(t, unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "a,v\n€,1.5\n"), []string{"€|150"}},
		{"UTF-16BE without mark", "{encoding: utf-16be}", encoded(t, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "a,v\n€,1.5\n"), []string{"€|150"}},
		{"UTF-16LE with mark", "{encoding: utf-16le}", encoded(t, utf16, "a,v\n€,1.5\n"), []string{"€|150"}},
		{"gzip", "{}", packed(t, "a,v\nx,1.5\n"), []string{"x|150"}},
		{"gzip of two members", "{compression: gzip}", packed(t, "a,v\nx,") + packed(t, "1.5\n"), []string{"x|150"}},
		{"gzip with a mark", "{}", packed(t, "\ufeffa,v\nx,1.5\n"), []string{"x|150"}},
		{"gzip of Windows-1252", "{encoding: windows-1252}", packed(t, "a,v\n\x80,1.5\n"), []string{"€|150"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dataset(t, "dataset: x\ncsv: "+c.csv+twoColumns)
			for _, chunk := range []int{1, 3, 1 << 20} {
				var table bytes.Buffer
				v, err := Check(d, Facts{}, bytes.NewReader(frames(t, d, chunked{strings.NewReader(c.file), chunk})), &table)
				if err != nil || !v.Accepted || v.Columns != 2 {
					t.Fatalf("read in chunks of %d: got %+v %v, want accepted", chunk, v, err)
				}
				if got := rows(t, table.Bytes()); !slices.Equal(got, c.want) {
					t.Errorf("read in chunks of %d: got %q, want %q", chunk, got, c.want)
				}
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	for _, c := range []struct {
		name, csv, file, want string // want: the problems, and perhaps a part of the first message
	}{
		{"nothing", "{}", "", "0  empty\n"},
		{"only a mark", "{}", "\ufeff", "0  empty\n"},
		{"only empty lines", "{}", "\n\n", "0  empty\n"},
		{"empty gzip", "{}", packed(t, ""), "0  empty\n"},
		{"header only", "{}", "a,v\n", "0  empty\n/no data rows"},
		{"nothing without a header", "{header: false}", "\n", "0  empty\n"},
		{"missing column", "{}", "a\nx\n", "0 v column-missing\n/lacks the column \"v\""},
		{"unknown column", "{}", "a,v,w\nx,1,2\n", "0  column-unknown\n/a column \"w\""},
		{"column twice", "{}", "a,v,a,a\nx,1,y,z\n", "0 a column-duplicate\n"},
		{"column in another case", "{}", "A,v\nx,1\n", "0 a column-unknown\n0 a column-missing\n/writes it \"a\""},
		{"no header where one is due", "{}", "x,1\n", "0  column-unknown\n0  column-unknown\n0 a column-missing\n0 v column-missing\n"},
		{"another delimiter", "{}", "a;v\nx;1\n", "0  column-unknown\n0 a column-missing\n0 v column-missing\n"},
		{"ragged rows", "{}", "a,v\nx\ny,1\nz,1,2\n,,,\n", "1  ragged\n3  ragged\n4  ragged\n/has 1 fields instead of 2"},
		{"ragged without a header", "{header: false}", "x,1\ny,1,2\n", "2  ragged\n"},
		{"not a number", "{}", "a,v\nx,abc\ny,1\nz,1.005\n", "1 v type\n3 v type\n/\"abc\" is not a number"},
		{"number too large", "{}", "a,v\nx,99999999999999999\n", "1 v range\n"},
		{"point where a comma is due", "{decimal: ',', delimiter: ';'}", "a;v\nx;1.5\n", "1 v type\n"},
		{"comma as thousands", "{thousands: ','}", "a,v\nx,\"1,5\"\n", "1 v type\n"},
		{"formula", "{}", "a,v\nx,=1+1\n", "1 v type\n"},
		{"NUL", "{}", "a,v\nx\x00,1\n\x00,\x00\n", "1 a encoding\n2 a encoding\n2 v encoding\n/NUL"},
		{"NUL in the header", "{}", "a\x00,v\nx,1\n", "0  encoding\n"},
		{"invalid UTF-8", "{}", "a,v\nx,1\n\xff,1\nö\xc3,1\n", "2 a encoding\n3 a encoding\n"},
		{"invalid UTF-8 in a number", "{}", "a,v\nx,1\xff\n", "1 v encoding\n"},
		{"surrogates in UTF-8", "{}", "a,v\n\xed\xa0\x80,1\n", "1 a encoding\n"},
		{"Windows-1252 as UTF-8", "{}", "a,v\nM\xfcller,1\n", "1 a encoding\n"},
		{"Windows-1252 as ISO 8859-1", "{encoding: iso-8859-1}", "a,v\n\x80,1\n", "1 a encoding\n"},
		{"undefined byte of Windows-1252", "{encoding: windows-1252}", "a,v\n\x81,1\n", "1 a encoding\n"},
		{"UTF-16 without its mark", "{encoding: utf-16}", encoded(t, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "a,v\nx,1\n"), "0  encoding\n/no byte order mark"},
		{"UTF-16 as UTF-8", "{}", encoded(t, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "a,v\nx,1\n"), "0  encoding\n/mark of utf-16le"},
		{"UTF-8 as Windows-1252", "{encoding: windows-1252}", "\ufeffa,v\nx,1\n", "0  encoding\n/mark of utf-8"},
		{"half a UTF-16 character", "{encoding: utf-16le}", encoded(t, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "a,v\nx,1\ny\n")[:19] + "x", "2  ragged\n"},
		{"lone surrogate in UTF-16", "{encoding: utf-16le}", "a\x00,\x00v\x00\n\x00\x00\xd8,\x001\x00", "1 a encoding\n"},
		{"quote not closed", "{}", "a,v\nx,1\n\"y,1\nz,1\n", "2  quote\n/opens in line 3"},
		{"text after a quote", "{}", "a,v\n\"x\n\"y,1\nz,1\n", "1  quote\n/in line 3"},
		{"space after a quote", "{}", "a,v\n\"x\" ,1\n", "1  quote\n"},
		{"quote in a value", "{}", "a,v\nx,1\nx\"y,1\nz,1\n", "2  quote\n/in line 3"},
		{"long field", "{}", "a,v\nx,1\n" + long + ",1\n", "2  limit\n/longer than 65536 bytes, in line 3"},
		{"long quoted field", "{}", "a,v\n\"" + long + "\",1\n", "1  limit\n"},
		{"long field at the end of the file", "{}", "a,v\nx," + long, "1  limit\n"},
		{"long name", "{}", long + ",v\n", "0  limit\n"},
		{"zip", "{}", "PK\x03\x04rest", "0  format\n/zip archive or an Excel"},
		{"old Excel", "{}", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "0  format\n/old Excel"},
		{"Parquet", "{}", "PAR1\x15rest", "0  format\n/a Parquet file"},
		{"PDF", "{}", "%PDF-1.7", "0  format\n/PDF"},
		{"program", "{}", "\x7fELF\x02", "0  format\n"},
		{"Parquet in gzip", "{}", packed(t, "PAR1\x15rest"), "0  format\n/a Parquet file"},
		{"zip where gzip is due", "{compression: gzip}", "PK\x03\x04rest", "0  format\n"},
		{"gzip twice", "{}", packed(t, packed(t, "a,v\nx,1\n")), "0  compression\n/twice"},
		{"gzip where none is due", "{compression: none}", packed(t, "a,v\nx,1\n"), "0  compression\n"},
		{"no gzip where it is due", "{compression: gzip}", "a,v\nx,1\n", "0  compression\n"},
		{"gzip header cut off", "{}", packed(t, "a,v\nx,1\n")[:5], "0  compression\n"},
		{"gzip cut off", "{}", packed(t, "a,v\n"+strings.Repeat("x,1\n", 1000))[:40], "0  compression\n"},
		{"gzip checksum cut off", "{}", strings.TrimSuffix(packed(t, "a,v\nx,1\n"), "\x00"), "0  compression\n"},
		{"gzip with rubbish after it", "{}", packed(t, "a,v\nx,1\n") + "rest", "0  compression\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want, message, _ := strings.Cut(c.want, "\n/")
			want = strings.TrimSuffix(want, "\n") + "\n"
			d := dataset(t, "dataset: x\ncsv: "+c.csv+twoColumns)
			v, table := run(t, d, Facts{}, c.file)
			if got := listed(v); got != want || !strings.Contains(v.Errors[0].Message, message) {
				t.Errorf("got\n%s%+v\nwant\n%s%s", got, v.Errors[0], want, message)
			}
			if bytes.HasSuffix(table, []byte("PAR1")) && len(table) > 4 {
				t.Errorf("a rejected file has a complete accepted form of %d bytes", len(table))
			}
		})
	}
}

// endless repeats a text and counts what was read of it.
type endless struct {
	text string
	n    int64
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[(e.n+int64(i))%int64(len(e.text))]
	}
	e.n += int64(len(p))
	return len(p), nil
}

// Files that never end are refused after little more than the limit that they
// break, so no size of them costs memory.
func TestFilesWithoutEndAreRefusedEarly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, csv, start, text, code string
		atMost                       int64
	}{
		{"one line", "{}", "", "x", CodeLimit, 2 << 20},
		{"one line after the header", "{}", "a,v\n", "x", CodeLimit, 2 << 20},
		{"one quoted value", "{}", "a,v\n\"", "x", CodeLimit, 2 << 20},
		{"one value of quotes", "{}", "a,v\n\"", "\"\"", CodeLimit, 2 << 20},
		{"one value of bare quotes", "{}", "a,v\nx", "\"", CodeLimit, 2 << 20},
		{"one value of UTF-16", "{encoding: utf-16le}", "", "x\x00", CodeLimit, 2 << 20},
		{"columns", "{}", "", "x,", CodeLimit, 2 << 20},
		{"columns after the header", "{}", "a,v\n", ",", CodeLimit, 2 << 20},
		{"rows", "{}", "a,v\n", "x,1\n", CodeLimit, 16 << 20},
		{"bytes of comments", "{comment: '#'}", "a,v\n#", "x", CodeLimit, 17 << 20},
		{"empty lines", "{}", "a,v\n", "\n", CodeLimit, 17 << 20},
		{"long records", "{}", "a,v\n", strings.Repeat("x", 60_000) + ",", CodeLimit, 17 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dataset(t, "dataset: x\ncsv: "+c.csv+"\nlimits: {rows: 1000000, bytes: 16MiB}"+twoColumns)
			tail := &endless{text: c.text}
			var table bytes.Buffer
			v, err := Check(d, Facts{}, bytes.NewReader(frames(t, d, io.MultiReader(strings.NewReader(c.start), tail))), &table)
			if err != nil || v.Accepted || v.Errors[len(v.Errors)-1].Code != c.code {
				t.Errorf("got %+v %v, want %s", v, err, c.code)
			}
			if tail.n > c.atMost {
				t.Errorf("read %d bytes, want at most %d", tail.n, c.atMost)
			}
		})
	}
}

func TestLongRecordsAreRefused(t *testing.T) {
	t.Parallel()
	var columns []string
	for i := range 200 {
		columns = append(columns, "{name: c"+string(rune('a'+i/26))+string(rune('a'+i%26))+", type: text}")
	}
	d := dataset(t, "dataset: x\ncsv: {header: false}\ncolumns: ["+strings.Join(columns, ", ")+"]\n")
	fits := strings.Repeat(strings.Repeat("x", 20_000)+",", 199) + "x\n"
	v, _ := run(t, d, Facts{}, fits+fits)
	if !v.Accepted || v.Rows != 2 {
		t.Errorf("records of %d bytes: got %+v, want accepted", len(fits), v)
	}
	v, _ = run(t, d, Facts{}, fits+strings.Repeat(strings.Repeat("x", 22_000)+",", 199)+"x\n")
	if got := listed(v); got != "2  limit\n" || !strings.Contains(v.Errors[0].Message, "record") {
		t.Errorf("a record over 4 MiB: got %s%+v, want a limit in row 2", got, v)
	}
}

func TestGzipBombsAreRefused(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("a,v\n")
	for i := range 3 << 20 / 520 {
		fmt.Fprintf(&text, "%7d,1\n%s", i, strings.Repeat("x,1\n", 128))
	}
	zeros := packed(t, text.String())
	for _, c := range []struct{ limits, want string }{
		{"{ratio: 100}", "more than 100 times"},
		{"{ratio: 1000, bytes: 2MiB}", "limit of 2097152 bytes"},
	} {
		d := dataset(t, "dataset: x\nlimits: "+c.limits+twoColumns)
		v, _ := run(t, d, Facts{}, zeros)
		if v.Accepted || v.Errors[0].Code != CodeLimit || !strings.Contains(v.Errors[0].Message, c.want) {
			t.Errorf("%s: got %+v, want a limit with %q", c.limits, v, c.want)
		}
	}
	d := dataset(t, "dataset: x\nlimits: {ratio: 1000}"+twoColumns)
	if v, _ := run(t, d, Facts{}, zeros); !v.Accepted {
		t.Errorf("within the limits: got %+v, want accepted", v)
	}
	d = dataset(t, "dataset: x\nlimits: {bytes: 19B}"+twoColumns)
	if v, _ := run(t, d, Facts{}, "a,v\nx,1\nx,1\nx,1\nx,1\n"); v.Accepted || v.Errors[0].Code != CodeLimit {
		t.Errorf("more bytes than the limit: got %+v, want a limit", v)
	}
	if v, _ := run(t, d, Facts{}, "a,v\nx,1\nx,1\nx,1\nx,1"); !v.Accepted {
		t.Errorf("as many bytes as the limit: got %+v, want accepted", v)
	}
}

func TestRowLimitIsExact(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nlimits: {rows: 3}"+twoColumns)
	if v, _ := run(t, d, Facts{}, "a,v\nx,1\nx,1\nx,1\n"); !v.Accepted || v.Rows != 3 {
		t.Errorf("3 rows of 3: got %+v, want accepted", v)
	}
	v, _ := run(t, d, Facts{}, "a,v\nx,1\nx,1\nx,1\nx,1\n")
	if got := listed(v); got != "0  limit\n" || v.Rows != 3 {
		t.Errorf("4 rows of 3: got %s%+v, want a limit", got, v)
	}
}

// A failure of the stream is no verdict on the file.
func TestFailuresOfTheStreamAreErrors(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x"+twoColumns)
	args, err := Args(d)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("disk on fire")
	for _, start := range []string{"", "a,v\nx,1", packed(t, "a,v\nx,1\n")[:12], packed(t, "a,v\n"+strings.Repeat("x,1\n", 1000))[:50]} {
		err := Main(context.Background(), args, io.MultiReader(strings.NewReader(start), failing{broken}), io.Discard)
		if !errors.Is(err, broken) {
			t.Errorf("after %q: got %v, want %v", start, err, broken)
		}
	}
	if err := Main(context.Background(), args, strings.NewReader("a,v\nx,1\n"), failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("output: got %v, want %v", err, broken)
	}
	if err := Main(context.Background(), []byte("{}"), strings.NewReader(""), io.Discard); err == nil {
		t.Error("no columns: got no error, want one")
	}
	if _, err := Check(d, Facts{}, bytes.NewReader(frames(t, d, strings.NewReader("a,v\nx,1\n"))), failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("accepted form: got %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Main(ctx, args, &endless{text: "a,v\n"}, io.Discard); err == nil {
		t.Error("cancelled: got no error, want one")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
