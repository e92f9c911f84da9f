package parse

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

const everyType = `
dataset: all
csv: {null: [""]}
columns:
  - {name: Day, type: date, format: DD.MM.YYYY, role: business_date}
  - {name: Client, type: text, role: participant}
  - {name: Tag, type: text, required: true, pattern: "^[A-Z]{1,3}$"}
  - {name: Kind, type: text, allowed: [new, old], max_length: 10}
  - {name: Note, type: text, max_length: 5}
  - {name: Count, type: integer, min: 0, max: 100}
  - {name: Value, type: decimal, scale: 2, min: -10.5}
  - {name: Share, type: float, max: 1}
  - {name: Yes, type: boolean}
  - {name: From, type: date, min: 2020-01-01}
  - {name: At, type: timestamp, max: "2030-01-01T00:00:00Z"}
unique: [Tag, Count]
`

const everyHeader = "Day,Client,Tag,Kind,Note,Count,Value,Share,Yes,From,At\n"

func TestRules(t *testing.T) {
	t.Parallel()
	d := dataset(t, everyType)
	facts := Facts{day(t, "2022-09-23"), []string{"007", "008"}}
	for _, c := range []struct{ name, row, want string }{
		{"all right", "23.09.2022,007,A,new,äöüßé,1,1.5,0.5,yes,2020-01-01,2022-01-01T00:00:00Z", ""},
		{"the other own id", "23.09.2022,008,A,,,,,,,,", ""},
		{"all null", ",,,,,,,,,,", "1 Day required\n1 Client required\n1 Tag required\n"},
		{"another date", "24.09.2022,007,A,,,,,,,,", "1 Day business-date\n/2022-09-24 is not the submission's business date 2022-09-23"},
		{"another's id", "23.09.2022,7,A,,,,,,,,", "1 Client participant\n/\"7\" is not one of your organisation's ids"},
		{"pattern", "23.09.2022,007,AbC,,,,,,,,", "1 Tag pattern\n/\"AbC\" does not match the pattern ^[A-Z]{1,3}$"},
		{"allowed", "23.09.2022,007,A,New,,,,,,,", "1 Kind allowed\n/allowed values: new, old."},
		{"length", "23.09.2022,007,A,,äöüßéx,,,,,,", "1 Note length\n/has 6 characters; at most 5"},
		{"below min", "23.09.2022,007,A,,,-1,,,,,", "1 Count range\n/-1 is outside the allowed range, from 0 to 100."},
		{"above max", "23.09.2022,007,A,,,101,,,,,", "1 Count range\n"},
		{"decimal below min", "23.09.2022,007,A,,,,-10.51,,,,", "1 Value range\n/-10.51 is outside the allowed range, at least -10.50."},
		{"decimal at min", "23.09.2022,007,A,,,,-10.50,,,,", ""},
		{"float above max", "23.09.2022,007,A,,,,,1.01,,,", "1 Share range\n/1.01 is outside"},
		{"not a float", "23.09.2022,007,A,,,,,NaN,,,", "1 Share type\n/a finite number"},
		{"not a boolean", "23.09.2022,007,A,,,,,,maybe,,", "1 Yes type\n"},
		{"date below min", "23.09.2022,007,A,,,,,,,2019-12-31,", "1 From range\n/2019-12-31 is outside the allowed range, at least 2020-01-01."},
		{"date not in the calendar", "31.09.2022,007,A,,,,,,,,", "1 Day type\n/\"31.09.2022\" is not a date of the form DD.MM.YYYY."},
		{"timestamp above max", "23.09.2022,007,A,,,,,,,,2030-01-01T00:00:01Z", "1 At range\n/2030-01-01T00:00:01Z is outside"},
		{"several", "24.09.2022,009,a,x,,,x,,,,", "1 Day business-date\n1 Client participant\n1 Tag pattern\n1 Kind allowed\n1 Value type\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, _ := run(t, d, facts, everyHeader+c.row+"\n")
			want, message, _ := strings.Cut(c.want, "\n/")
			if want != "" {
				want = strings.TrimSuffix(want, "\n") + "\n"
			}
			if got := listed(v); got != want || message != "" && !strings.Contains(v.Errors[0].Message, message) {
				t.Errorf("got\n%s%+v\nwant\n%s%s", got, v.Errors, want, message)
			}
		})
	}
}

func TestFirstProblemsAreKeptByRowAndAllAreCounted(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\ncolumns: [{name: a, type: text, required: true}, {name: v, type: integer, required: true, max: 5}]\nunique: [v]\n")
	var b strings.Builder
	b.WriteString("a,v\n")
	for i := range 20_000 {
		switch i % 4 {
		case 0:
			b.WriteString("x,nine\n")
		case 1:
			b.WriteString(",9\n")
		case 2:
			b.WriteString("x\n")
		case 3:
			b.WriteString("x,\n")
		}
	}
	v, _ := run(t, d, Facts{}, b.String())
	// One in each row, two more in each fourth: a, v, and the key after the
	// first; and one null key after the first.
	if want := int64(20_000 + 5_000 + 4_999 + 4_999); v.ErrorCount != want || len(v.Errors) != maxKept || v.Rows != 20_000 {
		t.Fatalf("got %d of %d problems in %d rows, want %d of %d in 20000", len(v.Errors), v.ErrorCount, v.Rows, maxKept, want)
	}
	want := "1 v type\n2 a required\n2 v range\n3  ragged\n4 v required\n5 v type\n6  unique\n6 a required\n6 v range\n7  ragged\n8  unique\n8 v required\n"
	if got := listed(v); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got[:min(len(got), 200)], want)
	}
	if !slices.IsSortedFunc(v.Errors, func(a, b Problem) int { return int(a.Row - b.Row) }) {
		t.Error("problems are not in the order of rows")
	}
	if !strings.Contains(v.Errors[0].Message, `"nine"`) {
		t.Errorf("got %q, want the value in it", v.Errors[0].Message)
	}
}

func TestMessagesShowLittleOfAValue(t *testing.T) {
	t.Parallel()
	d := dataset(t, everyType)
	hostile := strings.Repeat("\u202e\x1b[31m<script>é", 50)
	for _, row := range []string{
		"%s,007,A,,,,,,,,", "23.09.2022,%s,A,,,,,,,,", "23.09.2022,007,%s,,,,,,,,", "23.09.2022,007,A,%s,,,,,,,", "23.09.2022,007,A,,%s,,,,,,",
		"23.09.2022,007,A,,,%s,,,,,", "23.09.2022,007,A,,,,,,%s,,",
	} {
		v, _ := run(t, d, Facts{day(t, "2022-09-23"), []string{"007"}}, everyHeader+fmt.Sprintf(row, hostile)+"\n")
		if v.ErrorCount != 1 {
			t.Fatalf("%s: got %d problems, want 1", row, v.ErrorCount)
		}
		m := v.Errors[0].Message
		if strings.ContainsAny(m, "\x1b\u202e") || strings.Count(m, "<script>") > 5 || utf8.RuneCountInString(m) > 200 {
			t.Errorf("%s: message shows too much: %q", row, m)
		}
	}
	if got, want := excerpt([]byte("a\u202eb\u200bc\x07\xff")), "a\ufffdb\ufffdc\ufffd\ufffd"; got != want {
		t.Errorf("what cannot be seen: got %q, want %q", got, want)
	}
	if got := excerpt([]byte(strings.Repeat("x", maxExcerpt))); got != strings.Repeat("x", maxExcerpt) {
		t.Errorf("64 characters: got %q, want all", got)
	}
	if got := excerpt([]byte(strings.Repeat("ä", maxExcerpt+1))); utf8.RuneCountInString(got) != maxExcerpt || len(got) > maxBytes {
		t.Errorf("65 characters: got %q, want 64", got)
	}
}

// What a random row of everyType becomes.
type sample struct {
	file  string
	typed string
}

func randomRow(r *rand.Rand, i int) sample {
	var file, typed []string
	cell := func(f, v string) { file, typed = append(file, f), append(typed, v) }
	maybe := func(f, v string) {
		if r.IntN(5) == 0 {
			f, v = "", "<null>"
		}
		cell(f, v)
	}
	cell("23.09.2022", "19258")
	cell("007", "007")
	cell([]string{"A", "BC", "DEF"}[i%3], []string{"A", "BC", "DEF"}[i%3])
	maybe([]string{"new", "old"}[i%2], []string{"new", "old"}[i%2])
	note := []string{"ä\"b", "a,b", "a\nb", " ", "=1+1", "\r\n", "😀", "#"}[r.IntN(8)]
	maybe(`"`+strings.ReplaceAll(note, `"`, `""`)+`"`, note)
	n := r.Int64()>>r.IntN(63) ^ -int64(r.IntN(2))
	maybe(strconv.FormatInt(n, 10), strconv.FormatInt(n, 10))
	v := r.Int64N(contract.MaxDecimal)>>r.IntN(59) ^ -int64(r.IntN(2))
	maybe(contract.FormatFixed(v, 2), strconv.FormatInt(v, 10))
	f := math.Float64frombits(r.Uint64())
	if !finite(f) || f == 0 {
		f = 0.25
	}
	maybe(strconv.FormatFloat(f, 'g', -1, 64), fmt.Sprint(parquet.DoubleValue(f)))
	yes := r.IntN(2) == 1
	maybe(fmt.Sprint(yes), fmt.Sprint(yes))
	day := contract.Date(r.IntN(3_650_000) - 719_000)
	if !day.Valid() {
		day = 0
	}
	maybe(day.String(), fmt.Sprint(int32(day)))
	at := r.Int64N(4e15) - 2e15
	maybe(time.UnixMicro(at).UTC().Format(time.RFC3339Nano), strconv.FormatInt(at, 10))
	return sample{strings.Join(file, ","), strings.Join(typed, "|")}
}

func TestValuesSurviveTheAcceptedForm(t *testing.T) {
	t.Parallel()
	d := dataset(t, `
dataset: all
columns:
  - {name: Day, type: date, format: DD.MM.YYYY, role: business_date}
  - {name: Client, type: text, role: participant}
  - {name: Tag, type: text, required: true}
  - {name: Kind, type: text}
  - {name: Note, type: text}
  - {name: Count, type: integer}
  - {name: Value, type: decimal, scale: 2}
  - {name: Share, type: float}
  - {name: "Yes", type: boolean}
  - {name: From, type: date}
  - {name: At, type: timestamp}
`)
	for _, n := range []int{1, 7, 30_000} {
		r := rand.New(rand.NewPCG(42, uint64(n)))
		var file strings.Builder
		var want []string
		file.WriteString(everyHeader)
		for i := range n {
			s := randomRow(r, i)
			file.WriteString(s.file + "\n")
			want = append(want, s.typed)
		}
		v, table := run(t, d, Facts{day(t, "2022-09-23"), []string{"007"}}, file.String())
		if !v.Accepted || v.Rows != int64(n) {
			t.Fatalf("%d rows: got %+v, want accepted", n, v)
		}
		got := rows(t, table)
		if len(got) != n {
			t.Fatalf("got %d rows, want %d", len(got), n)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("row %d of %d: got %q, want %q", i+1, n, got[i], want[i])
			}
		}
	}
}

func TestAcceptedFormIsBoundedInRowGroups(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\ncolumns: [{name: a, type: text}, {name: n, type: integer, required: true}]\n")
	var file strings.Builder
	file.WriteString("a,n\n")
	const n = 300_000
	for i := range n { // dictionaries get too large on the way
		fmt.Fprintf(&file, "%d-%s,%d\n", i, strings.Repeat("x", i%50), i)
	}
	_, table := run(t, d, Facts{}, file.String())
	f, err := parquet.OpenFile(bytes.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range f.RowGroups() {
		if g.NumRows() > groupRows+batchRows {
			t.Errorf("a row group of %d rows, want at most %d", g.NumRows(), groupRows+batchRows)
		}
	}
	if got, ok := f.Lookup(MetaContract); !ok || got != d.Hash() {
		t.Errorf("contract in the metadata: got %q, want %q", got, d.Hash())
	}
	got := rows(t, table)
	for i := range n {
		if want := fmt.Sprintf("%d-%s|%d", i, strings.Repeat("x", i%50), i); got[i] != want {
			t.Fatalf("row %d: got %q, want %q", i+1, got[i], want)
		}
	}
}

func TestManyColumns(t *testing.T) {
	t.Parallel()
	const wide = 5000 // rows
	var columns, cells []string
	for i := range contract.MaxColumns {
		columns = append(columns, fmt.Sprintf("  - {name: c%d, type: integer}\n", i))
		cells = append(cells, strconv.Itoa(i))
	}
	d := dataset(t, "dataset: x\ncsv: {header: false}\ncolumns:\n"+strings.Join(columns, ""))
	v, table := run(t, d, Facts{}, strings.Repeat(strings.Join(cells, ",")+"\n", wide))
	if !v.Accepted || v.Columns != contract.MaxColumns {
		t.Fatalf("got %+v, want accepted", v)
	}
	f, err := parquet.OpenFile(bytes.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range f.RowGroups() {
		if most := int64(groupBytes/8/contract.MaxColumns + rowsOf(contract.MaxColumns)); g.NumRows() > most {
			t.Errorf("a row group of %d rows, want at most %d", g.NumRows(), most)
		}
	}
	if f.NumRows() != wide {
		t.Errorf("got %d rows, want %d", f.NumRows(), wide)
	}
	_, table = run(t, d, Facts{}, strings.Repeat(strings.Join(cells, ",")+"\n", 200))
	if got := rows(t, table); len(got) != 200 || got[199] != strings.Join(cells, "|") {
		t.Errorf("got %d rows, the last %.40s, want 200 of all columns", len(got), got[len(got)-1])
	}
}

func TestKeySetIsExact(t *testing.T) {
	t.Parallel()
	s := newKeySet()
	const n = 200_000
	for i := range n {
		if got := s.add(strconv.AppendInt(nil, int64(i), 10), int64(i+1)); got != 0 {
			t.Fatalf("key %d is taken for that of row %d", i, got)
		}
	}
	total := 0
	for i := range s.shards {
		total += len(s.shards[i].slots) * 16
	}
	if total > n*bytesOfKey {
		t.Errorf("%d keys need %d bytes, want at most %d each", n, total, bytesOfKey)
	}
	for i := range n {
		if got := s.add(strconv.AppendInt(nil, int64(i), 10), n+1); got != int64(i+1) {
			t.Fatalf("key %d: got row %d, want %d", i, got, i+1)
		}
	}
}

// A child that is no longer ours can write anything: it must not crash the
// server, and nothing that is not of a column's type gets into a table.
func TestBrokenFramesAreErrors(t *testing.T) {
	t.Parallel()
	d := dataset(t, everyType)
	facts := Facts{day(t, "2022-09-23"), []string{"007"}}
	good := frames(t, d, strings.NewReader(everyHeader+
		"23.09.2022,007,A,new,é,1,1.5,0.5,yes,2020-01-01,2022-01-01T00:00:00Z\nx\n23.09.2022,007,B,,,,,nine,,,\n"))
	check := func(b []byte) (Verdict, error) { return Check(d, facts, bytes.NewReader(b), io.Discard) }
	if v, err := check(good); err != nil || v.ErrorCount != 2 {
		t.Fatalf("got %+v %v, want 2 problems", v, err)
	}
	for n := range good {
		if v, err := check(good[:n]); err == nil {
			t.Fatalf("cut off after %d of %d bytes: got %+v, want an error", n, len(good), v)
		}
	}
	if _, err := check(append(slices.Clone(good), 0)); err == nil {
		t.Error("a byte after the end: got no error, want one")
	}
	for i := range good { // none may panic, whatever the outcome
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := slices.Clone(good)
			b[i] ^= flip
			if v, err := check(b); err == nil && v.Accepted {
				t.Fatalf("byte %d: a file with two problems is accepted", i)
			}
		}
	}
}

func TestForgedEndsAreErrors(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\ncolumns: [{name: a, type: integer}]\nlimits: {rows: 2}\n")
	for _, c := range []struct {
		name   string
		frames func(w *frameWriter, row func(first int64))
		bad    bool
	}{
		{"all right", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); w.end(1, true) }, false},
		{"other number of rows", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); w.end(2, true) }, true},
		{"not complete without a reason", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); w.end(1, false) }, true},
		{"no header", func(w *frameWriter, row func(int64)) { w.end(0, true) }, true},
		{"rows before the header", func(w *frameWriter, row func(int64)) { row(1); w.columns(1); w.end(1, true) }, true},
		{"two headers", func(w *frameWriter, row func(int64)) { w.columns(1); w.columns(1); row(1); w.end(1, true) }, true},
		{"header of other columns", func(w *frameWriter, row func(int64)) { w.columns(2); row(1); w.end(1, true) }, true},
		{"a row again", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); row(1); w.end(2, true) }, true},
		{"a row left out", func(w *frameWriter, row func(int64)) { w.columns(1); row(2); w.end(2, true) }, true},
		{"more rows than allowed", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); row(2); row(3); w.end(3, true) }, true},
		{"after the end", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); w.end(1, true); row(2) }, true},
		{"unknown kind", func(w *frameWriter, row func(int64)) { w.columns(1); row(1); w.frame(9, nil); w.end(1, true) }, true},
		{"cell's flaw as the file's", func(w *frameWriter, row func(int64)) {
			w.problem(finding{flaw: badType, column: 0})
			w.end(0, false)
		}, true},
		{"flaw of no column", func(w *frameWriter, row func(int64)) {
			w.problem(finding{flaw: columnMissing, column: -1})
			w.end(0, false)
		}, true},
		{"unknown signature", func(w *frameWriter, row func(int64)) {
			w.problem(finding{flaw: foreignFormat, column: -1, a: 1000})
			w.end(0, false)
		}, true},
	} {
		var out bytes.Buffer
		w := &frameWriter{out: bufio.NewWriter(&out)}
		c.frames(w, func(first int64) {
			w.batch(&batch{first: first, span: 1}, []*vector{{kind: kindInt, status: []byte{byte(sound)}, ints: []int64{1}}})
		})
		if err := w.out.Flush(); err != nil {
			t.Fatal(err)
		}
		if v, err := Check(d, Facts{}, &out, io.Discard); (err != nil) != c.bad {
			t.Errorf("%s: got %+v %v, want an error: %v", c.name, v, err, c.bad)
		}
	}
}

func TestForgedValuesAreErrors(t *testing.T) {
	t.Parallel()
	one := func(column string, v *vector) error {
		d := dataset(t, "dataset: x\ncolumns: [{"+column+"}]\n")
		var out bytes.Buffer
		w := &frameWriter{out: bufio.NewWriter(&out)}
		w.columns(1)
		w.batch(&batch{first: 1, span: 1}, []*vector{v})
		w.end(1, true)
		if err := w.out.Flush(); err != nil {
			t.Fatal(err)
		}
		_, err := Check(d, Facts{}, &out, io.Discard)
		return err
	}
	ok := []byte{byte(sound)}
	for _, c := range []struct {
		name, column string
		v            *vector
		bad          bool
	}{
		{"a text", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{1}, bytes: []byte("x")}, false},
		{"invalid UTF-8", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{1}, bytes: []byte("\xff")}, true},
		{"NUL", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{9}, bytes: []byte("12345678\x00")}, true},
		{"NUL first", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{9}, bytes: []byte("\x0012345678")}, true},
		{"too long", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{70_000}, bytes: bytes.Repeat([]byte("x"), 70_000)}, true},
		{"longer than it is", "name: a, type: text", &vector{kind: kindText, status: ok, lengths: []uint32{2}, bytes: []byte("x")}, true},
		{"null with a text", "name: a, type: text", &vector{kind: kindText, status: []byte{byte(null)}, lengths: []uint32{1}, bytes: []byte("x")}, true},
		{"unknown status", "name: a, type: text", &vector{kind: kindText, status: []byte{byte(lastCell) + 1}, lengths: []uint32{0}}, true},
		{"another kind", "name: a, type: text", &vector{kind: kindInt, status: ok, ints: []int64{1}}, true},
		{"a decimal", "name: a, type: decimal, scale: 2", &vector{kind: kindInt, status: ok, ints: []int64{-contract.MaxDecimal}}, false},
		{"19 digits", "name: a, type: decimal, scale: 2", &vector{kind: kindInt, status: ok, ints: []int64{contract.MaxDecimal + 1}}, true},
		{"a date", "name: a, type: date", &vector{kind: kindInt, status: ok, ints: []int64{-719162}}, false},
		{"year 0", "name: a, type: date", &vector{kind: kindInt, status: ok, ints: []int64{-719163}}, true},
		{"date of 64 bits", "name: a, type: date", &vector{kind: kindInt, status: ok, ints: []int64{1 << 32}}, true},
		{"timestamp", "name: a, type: timestamp", &vector{kind: kindInt, status: ok, ints: []int64{math.MaxInt64}}, true},
		{"NaN", "name: a, type: float", &vector{kind: kindFloat, status: ok, floats: []float64{math.NaN()}}, true},
		{"infinite", "name: a, type: float", &vector{kind: kindFloat, status: ok, floats: []float64{math.Inf(-1)}}, true},
		{"a boolean", "name: a, type: boolean", &vector{kind: kindBool, status: ok, bytes: []byte{1}}, false},
		{"a third truth", "name: a, type: boolean", &vector{kind: kindBool, status: ok, bytes: []byte{2}}, true},
	} {
		if err := one(c.column, c.v); (err != nil) != c.bad {
			t.Errorf("%s: got %v, want an error: %v", c.name, err, c.bad)
		}
	}
}
