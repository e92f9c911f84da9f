package parse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

func dataset(t testing.TB, text string) *contract.Dataset {
	t.Helper()
	d, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// frames runs the child's half in this process.
func frames(t testing.TB, d *contract.Dataset, file io.Reader) []byte {
	t.Helper()
	args, err := Args(d)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Main(context.Background(), args, file, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func run(t testing.TB, d *contract.Dataset, facts Facts, file string) (Verdict, []byte) {
	t.Helper()
	var table bytes.Buffer
	v, err := Check(d, facts, bytes.NewReader(frames(t, d, strings.NewReader(file))), &table)
	if err != nil {
		t.Fatal(err)
	}
	if v.Accepted != (v.ErrorCount == 0) || len(v.Errors) > maxKept || int64(len(v.Errors)) > v.ErrorCount {
		t.Fatalf("verdict contradicts itself: %+v", v)
	}
	return v, table.Bytes()
}

// rows reads an accepted form, with null as <nil> and everything else in the
// representation of its type.
func rows(t testing.TB, table []byte) []string {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	r := parquet.NewReader(f)
	var all []string
	buf := make([]parquet.Row, 100)
	for {
		n, err := r.ReadRows(buf)
		for _, row := range buf[:n] {
			var cells []string
			for _, v := range row {
				cells = append(cells, fmt.Sprint(v))
			}
			all = append(all, strings.Join(cells, "|"))
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func day(t testing.TB, s string) contract.Date {
	t.Helper()
	d, err := contract.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listed writes problems as "row column code", one a line.
func listed(v Verdict) string {
	var b strings.Builder
	for _, p := range v.Errors {
		fmt.Fprintf(&b, "%d %s %s\n", p.Row, p.Column, p.Code)
	}
	return b.String()
}

const goldenContract = `
dataset: "000001"
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: Tag1, type: text, required: true, pattern: "^[A-Za-z]{6}$"}
  - {name: Tag2, type: text, required: true, pattern: "^[A-Za-z]{6}$"}
  - {name: Value, type: decimal, scale: 2, unit: EUR, required: true}
unique: [Date, Tag1, Tag2]
file_name: "input-{date}-{participant}-{dataset}.csv"
`

func TestGoldenFilesAreAccepted(t *testing.T) {
	t.Parallel()
	d := dataset(t, goldenContract)
	for id, file := range map[string]string{
		"000001": "Date,ClientID,Tag1,Tag2,Value\n20220923,000001,HKSwsV,vBpWCc,10\n20220923,000001,TObvCS,IialNu,13\n20220923,000001,SYJshY,NYoZaS,113\n",
		"000002": "Date,ClientID,Tag1,Tag2,Value\n20220923,000002,HKSwsV,vBpWCc,20\n20220923,000002,TObvCS,IialNu,15\n",
	} {
		if err := d.CheckFileName("input-2022-09-23-"+id+"-000001.csv", day(t, "2022-09-23"), []string{id}); err != nil {
			t.Error(err)
		}
		v, table := run(t, d, Facts{day(t, "2022-09-23"), []string{id}}, file)
		if want := int64(strings.Count(file, "\n") - 1); !v.Accepted || v.Rows != want || v.Columns != 5 {
			t.Fatalf("%s: got %+v, want %d rows accepted", id, v, want)
		}
		got := rows(t, table)
		want := map[string][]string{
			"000001": {"19258|000001|HKSwsV|vBpWCc|1000", "19258|000001|TObvCS|IialNu|1300", "19258|000001|SYJshY|NYoZaS|11300"},
			"000002": {"19258|000002|HKSwsV|vBpWCc|2000", "19258|000002|TObvCS|IialNu|1500"},
		}[id]
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", id, got, want)
		}
		// The one who sends it may only send its own: 1 and 01 are not 000001.
		for _, others := range [][]string{nil, {"1", "00001"}, {"000003"}} {
			v, _ := run(t, d, Facts{day(t, "2022-09-23"), others}, file)
			if v.Accepted || v.ErrorCount != v.Rows || v.Errors[0].Code != CodeParticipant {
				t.Errorf("%s sent by %v: got %+v, want every row refused", id, others, v)
			}
		}
	}
}

func TestForeignParticipantsAreNotToldApart(t *testing.T) {
	t.Parallel()
	d := dataset(t, goldenContract)
	message := func(id string) string {
		v, _ := run(t, d, Facts{day(t, "2022-09-23"), []string{"000001"}}, "Date,ClientID,Tag1,Tag2,Value\n20220923,"+id+",HKSwsV,vBpWCc,10\n")
		return strings.ReplaceAll(v.Errors[0].Message, id, "X")
	}
	if a, b := message("000002"), message("999999"); a != b {
		t.Errorf("messages differ: %q and %q", a, b)
	}
}

func TestValuesThatAreSplitDifferentlyAreDifferentKeys(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\ncolumns: [{name: a, type: text}, {name: b, type: text}]\nunique: [a, b]\n")
	v, _ := run(t, d, Facts{}, "a,b\nab,c\na,bc\n,abc\nabc,\na\x01b,c\na,b\x01c\n")
	if !v.Accepted {
		t.Errorf("got %+v, want accepted", v)
	}
	v, _ = run(t, d, Facts{}, "a,b\nab,c\na,bc\nab,c\n,x\n,x\nab,c\n")
	if got, want := listed(v), "3  unique\n5  unique\n6  unique\n"; got != want || !strings.Contains(v.Errors[2].Message, "Row 1 ") {
		t.Errorf("got %s %s, want %s", got, v.Errors[2].Message, want)
	}
}

func TestSameFileGivesSameBytes(t *testing.T) {
	t.Parallel()
	d := dataset(t, goldenContract)
	facts := Facts{day(t, "2022-09-23"), []string{"000001"}}
	file := generate(30_000)
	_, first := run(t, d, facts, file)
	for _, chunk := range []int{1, 1000, 1 << 20} {
		var table bytes.Buffer
		f := frames(t, d, chunked{strings.NewReader(file), chunk})
		if _, err := Check(d, facts, bytes.NewReader(f), &table); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(table.Bytes(), first) {
			t.Errorf("read in chunks of %d: other bytes of the accepted form", chunk)
		}
	}
}

// chunked returns at most n bytes a read.
type chunked struct {
	r io.Reader
	n int
}

func (c chunked) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

// generate makes a golden-like file with n rows and unique keys.
func generate(n int) string {
	var b strings.Builder
	b.WriteString("Date,ClientID,Tag1,Tag2,Value\n")
	for i := range n {
		fmt.Fprintf(&b, "20220923,000001,%s,%s,%d.%02d\n", tagOf(i%5000), tagOf(i/5000), i*7919%100_000, i%100)
	}
	return b.String()
}

// tagOf makes six letters of a number, different for different numbers.
func tagOf(i int) string {
	t := []byte("aaaaaa")
	for k := range t {
		t[k] += byte(i % 26)
		i /= 26
	}
	return string(t)
}

func BenchmarkParseAndCheck(b *testing.B) {
	d := dataset(b, goldenContract)
	args, err := Args(d)
	if err != nil {
		b.Fatal(err)
	}
	const n = 500_000
	file := generate(n)
	facts := Facts{day(b, "2022-09-23"), []string{"000001"}}
	var records bytes.Buffer
	records.Write(frames(b, d, strings.NewReader(file)))
	b.Run("child", func(b *testing.B) {
		for b.Loop() {
			records.Reset()
			if err := Main(b.Context(), args, strings.NewReader(file), &records); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, n)
	})
	b.Run("server", func(b *testing.B) {
		for b.Loop() {
			if v, err := Check(d, facts, bytes.NewReader(records.Bytes()), io.Discard); err != nil || !v.Accepted {
				b.Fatal(v, err)
			}
		}
		rate(b, n)
	})
	b.Run("both", func(b *testing.B) {
		for b.Loop() {
			records.Reset()
			if err := Main(b.Context(), args, strings.NewReader(file), &records); err != nil {
				b.Fatal(err)
			}
			if v, err := Check(d, facts, bytes.NewReader(records.Bytes()), io.Discard); err != nil || !v.Accepted {
				b.Fatal(v, err)
			}
		}
		rate(b, n)
	})
}

func rate(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
