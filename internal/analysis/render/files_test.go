package render

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/fault"
)

func allTypes(t *testing.T, rows int) *Table {
	t.Helper()
	spec := goldenSpec("=id")
	spec.Groups = []Column{
		{Name: "Z", Type: Text}, {Name: "A", Type: Integer}, {Name: "B", Type: Boolean}, {Name: "D", Type: Date}, {Name: "T", Type: Timestamp},
	}
	spec.Measures = append(spec.Measures, Column{Name: "Rows", Type: Integer})
	spec.Marked = true
	spec.Metadata = map[string]string{"tributary.run": "run_1", "tributary.analysis": "x", "a": "1", "b": "2", "c": "3"}
	var list []Row
	for i := range rows {
		list = append(list, Row{
			Key:    []Value{{Text: fmt.Sprintf("=%06d", i)}, {Null: i%2 == 0}, {Int: 1}, {Int: -1}, {Int: 1_500_000}},
			Values: []Value{{Int: -int64(i)}, {Null: i%3 == 0}},
			Own:    []Value{{Null: i%5 == 0}, {Int: 7}},
		})
	}
	table, err := New(spec, list)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestParquetHoldsTheTable(t *testing.T) {
	t.Parallel()
	table := allTypes(t, 1500)
	var b bytes.Buffer
	if err := new(Maker).WriteParquet(&b, table); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	wantSchema := strings.Join([]string{
		"required int32 Date (DATE);", "optional binary Z (STRING);", "optional int64 A (INT(64,true));", "optional boolean B;",
		"optional int32 D (DATE);", "optional int64 T (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));",
		"optional int64 Value (DECIMAL(18,1));", "optional int64 Rows (INT(64,true));", "required binary YourId (STRING);",
		"optional int64 YourValue (DECIMAL(18,1));", "optional int64 YourRows (INT(64,true));",
	}, " ")
	if got := strings.Join(strings.Fields(file.Schema().String()), " "); got != "message result { "+wantSchema+" }" {
		t.Errorf("schema = %s\nwant %s", got, wantSchema)
	}
	for key, want := range map[string]string{MarkKey: MarkText, "tributary.run": "run_1", "c": "3"} {
		if got, ok := file.Lookup(key); !ok || got != want {
			t.Errorf("metadata %s = %q, %v, want %q", key, got, ok, want)
		}
	}
	reader := parquet.NewGenericReader[any](file)
	defer reader.Close()
	rows := make([]parquet.Row, len(table.Rows)+1)
	n, _ := reader.ReadRows(rows)
	if n != len(table.Rows) {
		t.Fatalf("%d rows, want %d", n, len(table.Rows))
	}
	for i, want := range table.Rows {
		for j, v := range want {
			got, c := rows[i][j], table.Columns[j]
			same := got.IsNull() == v.Null
			if same && !v.Null {
				switch c.Type {
				case Text:
					same = string(got.ByteArray()) == v.Text // as it is: no ' in front
				case Boolean:
					same = got.Boolean() == (v.Int != 0)
				case Date:
					same = int64(got.Int32()) == v.Int
				default:
					same = got.Int64() == v.Int
				}
			}
			if !same {
				t.Fatalf("row %d, %s = %v, want %+v", i, c.Name, got, v)
			}
		}
	}
}

func TestParquetIsTheSameBytesEachTime(t *testing.T) {
	t.Parallel()
	var first bytes.Buffer
	for i := range 20 {
		var b bytes.Buffer
		if err := new(Maker).WriteParquet(&b, allTypes(t, 300)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = b
		} else if !bytes.Equal(first.Bytes(), b.Bytes()) {
			t.Fatalf("writing %d differs from the first", i)
		}
	}
}

func TestAnEmptyTableIsAFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := new(Maker).WriteParquet(&b, allTypes(t, 0)); err != nil {
		t.Fatal(err)
	}
	if file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil || file.NumRows() != 0 {
		t.Errorf("rows = %v, %v", file, err)
	}
}

func TestAnUnmarkedTableSaysNothing(t *testing.T) {
	t.Parallel()
	table, err := New(goldenSpec("1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := table.Metadata[MarkKey]; ok || table.Marked {
		t.Errorf("marked = %v, metadata %v", table.Marked, table.Metadata)
	}
}

// full takes n bytes, then refuses.
type full struct{ n int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	t.Parallel()
	table := allTypes(t, 5000)
	for n := range 3 {
		if err := new(Maker).WriteCSV(&full{n * 1000}, table); !errors.Is(err, errFull) {
			t.Errorf("CSV into %d bytes: %v", n*1000, err)
		}
		if err := new(Maker).WriteParquet(&full{n * 1000}, table); !errors.Is(err, errFull) {
			t.Errorf("Parquet into %d bytes: %v", n*1000, err)
		}
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, participant, extension, want string }{
		{"output-{date}-{participant}-{dataset}.csv", "000001", CSV, "output-2022-09-23-000001-000001.csv"},
		{"output-{date}-{participant}-{dataset}.csv", "000001", Parquet, "output-2022-09-23-000001-000001.parquet"},
		{"{analysis}_{date}.csv", "x", CSV, "mean_2022-09-23.csv"},
		{"{participant}.csv", "../../etc/passwd", CSV, "~2E.~2F..~2Fetc~2Fpasswd.csv"},
		{"{participant}.csv", "a/b", CSV, "a~2Fb.csv"},
		{"{participant}.csv", "a~2Fb", CSV, "a~7E2Fb.csv"},
		{"{participant}.csv", "{date}", CSV, "~7Bdate~7D.csv"},
		{"{participant}.csv", "é =\x00\n", CSV, "~C3~A9~20~3D~00~0A.csv"},
		{"{participant}.csv", ".hidden", CSV, "~2Ehidden.csv"},
		{"{participant}.csv", "-rf", CSV, "~2Drf.csv"},
		{"{participant}.csv", "con", CSV, "~63on.csv"},
		{"{participant}.csv", "LPT1.x", Parquet, "~4CPT1.x.parquet"},
		{"{participant}.csv", "console", CSV, "console.csv"},
	} {
		got, err := FileName(c.pattern, Names{"mean", goldenDay, c.participant, "000001"}, c.extension)
		if err != nil || got != c.want {
			t.Errorf("FileName(%q, %q) = %q, %v, want %q", c.pattern, c.participant, got, err, c.want)
		}
	}
	for _, c := range []struct{ pattern, participant, extension string }{
		{"{participant}", "x", CSV}, {"{participant}.csv", "", CSV}, {"a/{date}.csv", "x", CSV}, {"{when}.csv", "x", CSV},
		{"a b.csv", "x", CSV}, {"{participant}.csv", strings.Repeat("x", 200), CSV}, {"{date}.csv", "x", ".exe"}, {".csv", "x", CSV},
	} {
		if got, err := FileName(c.pattern, Names{"mean", goldenDay, c.participant, "d"}, c.extension); !fault.Is(err, fault.Invalid) {
			t.Errorf("FileName(%q, %.10q) = %q, %v, want an invalid fault", c.pattern, c.participant, got, err)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("a", "b")
	f.Add("../x", "con")
	f.Add("~2F", "/")
	safe := regexp.MustCompile(`^[A-Za-z0-9_~][A-Za-z0-9._~-]*\.csv$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		day := time.Unix(0, 0)
		x, errX := FileName("{participant}.csv", Names{Participant: a, Date: day}, CSV)
		y, errY := FileName("{participant}.csv", Names{Participant: b, Date: day}, CSV)
		if errX != nil || errY != nil {
			return
		}
		if !safe.MatchString(x) || len(x) > maxFileName {
			t.Errorf("%q gives %q", a, x)
		}
		if (a == b) != (x == y) {
			t.Errorf("%q and %q give %q and %q", a, b, x, y)
		}
	})
}
