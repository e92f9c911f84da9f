package columnar

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/parquet-go/parquet-go"

	"tributary/internal/fault"
	"tributary/internal/query"
)

type writer interface {
	Row(values [][]byte) error
	Close(rows int64, truncated bool) error
}

// both are the two writers.
func both(t *testing.T, columns []query.AnswerColumn) (arrow, file *bytes.Buffer, writers map[string]writer) {
	t.Helper()
	arrow, file = &bytes.Buffer{}, &bytes.Buffer{}
	a, err := NewArrow(arrow, columns)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewParquet(file, columns)
	if err != nil {
		t.Fatal(err)
	}
	return arrow, file, map[string]writer{"Arrow": a, "Parquet": p}
}

func column(kind query.Kind, engine string) query.AnswerColumn {
	return query.AnswerColumn{Name: string(kind) + " " + engine, Kind: kind, Type: engine}
}

// Each value comes back in its type; test/query_test.go has DuckDB read the Parquet.
func TestArrowKeepsTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ column, values string }{
		{"text VARCHAR: type=utf8, nullable", "one, =1+1|one, =1+1||"},
		{"json json: type=utf8, nullable", `{"a":[1,null]}|{"a":[1,null]}`},
		{"text BLOB: type=binary, nullable", "AAH/|AAH/"},
		{"boolean boolean: type=bool, nullable", "true|true|false|false"},
		{"integer TINYINT: type=int8, nullable", "-128|-128|127|127"},
		{"integer SMALLINT: type=int16, nullable", "-32768|-32768"},
		{"integer INTEGER: type=int32, nullable", "-2147483648|-2147483648"},
		{"integer BIGINT: type=int64, nullable", "-9223372036854775808|-9223372036854775808"},
		{"integer UTINYINT: type=uint8, nullable", "255|255"},
		{"integer USMALLINT: type=uint16, nullable", "65535|65535"},
		{"integer UINTEGER: type=uint32, nullable", "4294967295|4294967295"},
		{"integer UBIGINT: type=uint64, nullable", "18446744073709551615|18446744073709551615"},
		{"integer HUGEINT: type=decimal(38, 0), nullable", "-99999999999999999999999999999999999999|-99999999999999999999999999999999999999|18446744073709551616|18446744073709551616|0|0"},
		{"integer UHUGEINT: type=utf8, nullable", "340282366920938463463374607431768211455|340282366920938463463374607431768211455"},
		{"integer BIGNUM: type=utf8, nullable", "1|1"},
		{"number FLOAT: type=float32, nullable", "0.5|0.5"},
		{"number DOUBLE: type=float64, nullable", "-1.5e300|-1.5e+300|nan|NaN|-nan|NaN|inf|+Inf"},
		{"decimal DECIMAL(9,2): type=decimal(9, 2), nullable", "12.50|12.5|-0.01|-0.01|9999999.99|9999999.99"},
		{"decimal DECIMAL(38,10): type=decimal(38, 10), nullable", "-1234567890123456789012345678.0123456789|-1234567890123456789012345678.0123456789"},
		{"timestamp timestamp: type=timestamp[us, tz=UTC], nullable", "1969-12-31T23:59:59.999999Z|1969-12-31T23:59:59.999999Z|2026-01-31T08:00:00.000000Z|2026-01-31T08:00:00Z"},
		{"date date: type=date32, nullable", "1969-12-31|1969-12-31|2026-02-28|2026-02-28"},
	} {
		name, _, _ := strings.Cut(c.column, ":")
		kind, engine, _ := strings.Cut(name, " ")
		out, _, writers := both(t, []query.AnswerColumn{column(query.Kind(kind), engine)})
		pairs := strings.Split(c.values, "|")
		want := []string{"(null)"}
		a := writers["Arrow"]
		rows := [][]byte{nil}
		for i := 0; i < len(pairs); i += 2 {
			rows, want = append(rows, []byte(pairs[i])), append(want, pairs[i+1])
		}
		for _, v := range rows {
			if err := a.Row([][]byte{v}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := a.Close(0, false); err != nil {
			t.Fatal(err)
		}
		in, err := ipc.NewReader(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Schema().Field(0); fmt.Sprintf("%s: type=%s, nullable", got.Name, got.Type) != c.column {
			t.Errorf("got %s: %s, want %s", got.Name, got.Type, c.column)
		}
		var got []string
		for in.Next() {
			for i := range int(in.RecordBatch().NumRows()) {
				got = append(got, in.RecordBatch().Column(0).ValueStr(i))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || in.Err() != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, in.Err(), want)
		}
	}
}

// A value that a type has no room for is an error, and no other value.
func TestWhatHasNoPlaceInATypeIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		column query.AnswerColumn
		values []string
	}{
		{column(query.KindInteger, "TINYINT"), []string{"128", "", "1.0", "x"}},
		{column(query.KindInteger, "UBIGINT"), []string{"-1"}},
		{column(query.KindInteger, "HUGEINT"), []string{"170141183460469231731687303715884105727", "-", "1e3", ""}},
		{column(query.KindDecimal, "DECIMAL(4,2)"), []string{"100.00", "1.001", "1..0", "--1", "1.0.0"}},
		{column(query.KindTimestamp, "timestamp"), []string{"0044-03-15 (BC) 00:00:00", "12026-01-01T00:00:00Z"}},
		{column(query.KindDate, "date"), []string{"0044-03-15 (BC)", "12026-01-01"}},
		{column(query.KindText, "BLOB"), []string{"%"}},
		{column(query.KindNumber, "DOUBLE"), []string{"one"}},
		{column(query.KindTimestamp, "timestamp"), []string{"2026-01-31T08:00:00.123456789Z"}},
		{column(query.KindBoolean, "boolean"), []string{"1", "TRUE", ""}},
		{column(query.KindJSON, "json"), []string{"[NaN]", "{", ""}},
	} {
		_, _, writers := both(t, []query.AnswerColumn{c.column})
		for name, w := range writers {
			for _, v := range c.values {
				if err := w.Row([][]byte{[]byte(v)}); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), c.column.Name) {
					t.Errorf("%s, %s: %q: got %v, want that it has no place", name, c.column.Name, v, err)
				}
			}
		}
	}
	twice := []query.AnswerColumn{{Name: "a"}, {Name: "a"}}
	if _, err := NewArrow(nil, twice); err == nil {
		t.Error("two columns of one name")
	}
	if _, err := NewParquet(nil, twice); err == nil {
		t.Error("two columns of one name")
	}
}

// Rows are written while they come, and no more are held back than a batch has.
func TestAnswersAreWrittenAsTheyCome(t *testing.T) {
	t.Parallel()
	arrow, file, writers := both(t, []query.AnswerColumn{column(query.KindInteger, "BIGINT"), column(query.KindText, "VARCHAR")})
	long := []byte(strings.Repeat("0123456789abcdef", 1<<10)) // 256 of them are a batch
	for name, w := range writers {
		for i := range 300 {
			if err := w.Row([][]byte{fmt.Append(nil, i), long}); err != nil {
				t.Fatal(err)
			}
		}
		written := map[string]*bytes.Buffer{"Arrow": arrow, "Parquet": file}[name].Len()
		if written < 100<<10 {
			t.Errorf("%s: %d bytes are written", name, written)
		}
		if err := w.Close(300, true); err != nil {
			t.Fatal(err)
		}
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || f.NumRows() != 300 || len(f.RowGroups()) != 2 {
		t.Errorf("got %v, %v; want 300 rows in two groups", f, err)
	}
	rows, _ := f.Lookup("tributary.rows")
	if truncated, ok := f.Lookup("tributary.truncated"); !ok || truncated != "true" || rows != "300" {
		t.Errorf("got %q rows, truncated %q; want 300 and that there are more", rows, truncated)
	}
	in, err := ipc.NewReader(arrow)
	if err != nil {
		t.Fatal(err)
	}
	batches := 0
	for in.Next() {
		batches++
	}
	if batches != 2 || in.Err() != nil {
		t.Errorf("got %d batches, %v; want two", batches, in.Err())
	}
}

// An answer without rows has its columns all the same.
func TestAnAnswerWithoutRows(t *testing.T) {
	t.Parallel()
	arrow, file, writers := both(t, []query.AnswerColumn{column(query.KindDate, "date")})
	for _, w := range writers {
		if err := w.Close(300, true); err != nil {
			t.Fatal(err)
		}
	}
	if in, err := ipc.NewReader(arrow); err != nil || in.Schema().NumFields() != 1 || in.Next() {
		t.Errorf("got %v, %v", in, err)
	}
	if f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil || f.NumRows() != 0 || len(f.Schema().Fields()) != 1 {
		t.Errorf("got %v, %v", f, err)
	}
}

// Long values are in a file once: no bounds of theirs are kept until its end, and its
// index of pages leaves nothing out.
func TestLongValuesAreInAFileOnce(t *testing.T) {
	t.Parallel()
	_, file, writers := both(t, []query.AnswerColumn{column(query.KindText, "VARCHAR"), column(query.KindJSON, "json"), column(query.KindText, "BLOB"), column(query.KindInteger, "BIGINT")})
	random := make([]byte, 300<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	long := base64.StdEncoding.AppendEncode(nil, random)
	document := fmt.Appendf(nil, "%q", long)
	const rows = 20
	for i := range rows {
		if err := writers["Parquet"].Row([][]byte{long, document, long, fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := writers["Parquet"].Close(rows, false); err != nil {
		t.Fatal(err)
	}
	if most := rows * (len(long) + len(document) + len(random)) * 105 / 100; file.Len() > most {
		t.Errorf("a file of %d bytes, want at most %d", file.Len(), most)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if footer := binary.LittleEndian.Uint32(file.Bytes()[file.Len()-8:]); footer > 16<<10 {
		t.Errorf("a footer of %d bytes", footer)
	}
	for _, group := range f.RowGroups() {
		for n, chunk := range group.ColumnChunks()[:3] {
			index, err := chunk.ColumnIndex()
			if err != nil {
				t.Fatal(err)
			}
			value := [][]byte{long, document, random}[n]
			for page := range index.NumPages() {
				if bytes.Compare(index.MinValue(page).ByteArray(), value) > 0 || bytes.Compare(index.MaxValue(page).ByteArray(), value) < 0 {
					t.Errorf("column %d: page %d is said to be from %q to %q", n, page, index.MinValue(page), index.MaxValue(page))
				}
			}
		}
		last := group.ColumnChunks()[3]
		if index, err := last.ColumnIndex(); err != nil || index.MaxValue(0).Int64() < 1 {
			t.Errorf("got %v, %v, want the bounds of a number", index, err)
		}
	}
}
