package parse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"tributary/internal/exchange/parse/parsetest"
)

func TestParquetTypes(t *testing.T) {
	t.Parallel()
	const (
		decimal = "decimal, scale: 2"
		ymd     = "date, format: YYYYMMDD"
	)
	const notHeld = "!0 v column-type: The column \"v\" is %s in the file, but its values must be %s. Write it with a type that holds these exactly, or as text.\n"
	for _, c := range []struct{ value, typ, want string }{
		{"'x'", "text", "x"},
		{"'a'::ENUM('a', 'b')", "text", "a"},
		{"''", "text", "<null>"}, // as in CSV
		{"NULL::VARCHAR", "text", "<null>"},
		{"'x'::BLOB", "text", "x"},
		{`'\xFF'::BLOB`, "text", "!1 v encoding: \"\ufffd\" has bytes that are not UTF-8, which this format is always in.\n"},
		{"chr(0)", "text", "!1 v encoding: \"\ufffd\" has a NUL byte. Remove it, or check the file's encoding.\n"},
		{"7", "text", fmt.Sprintf(notHeld, "INT(32,true)", "text")},
		{"uuid()", "text", fmt.Sprintf(notHeld, "UUID", "text")},
		{"['x']", "text", fmt.Sprintf(notHeld, "nested (LIST)", "text")},
		{"{'x': 1}", "text", fmt.Sprintf(notHeld, "nested", "text")},

		{"(-128)::TINYINT", "integer", "-128"}, {"255::UTINYINT", "integer", "255"}, {"(-7)::SMALLINT", "integer", "-7"},
		{"4294967295::UINTEGER", "integer", "4294967295"}, {"(-9223372036854775808)::BIGINT", "integer", "-9223372036854775808"},
		{"9223372036854775807::UBIGINT", "integer", "9223372036854775807"},
		{"18446744073709551615::UBIGINT", "integer", "!1 v range: \"18446744073709551615\" is too large for a whole number of 64 bits.\n"},
		{"5.00::DECIMAL(38,2)", "integer", "5"}, {"'5'", "integer", "5"},
		{"5.50::DECIMAL(9,2)", "integer", "!1 v type: \"5.50\" has more digits after the decimal sign than a whole number of 64 bits.\n"},
		{"1e0::DOUBLE", "integer", fmt.Sprintf(notHeld, "DOUBLE", "a whole number of 64 bits")},

		{"(-1.5)::DECIMAL(4,1)", decimal, "-150"}, {"12345678.90::DECIMAL(18,2)", decimal, "1234567890"}, {"7", decimal, "700"},
		{"1.500000000000000000::DECIMAL(38,18)", decimal, "150"}, {"(-12345678901234.560000000000000000)::DECIMAL(38,18)", decimal, "-1234567890123456"},
		{"9999999999999999.99::DECIMAL(38,2)", decimal, "999999999999999999"},
		{"10000000000000000::DECIMAL(38,2)", decimal, "!1 v range: \"10000000000000000.00\" is too large for a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"99999999999999999999999999999999999999::DECIMAL(38,0)", decimal, "!1 v range: \"99999999999999999999999999999999999999\" is too large for a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"(-0.000000000000000001)::DECIMAL(38,18)", decimal, "!1 v type: \"-0.000000000000000001\" has more digits after the decimal sign than a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"9223372036854775807::BIGINT", decimal, "!1 v range: \"9223372036854775807\" is too large for a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"'1.50'", decimal, "150"}, {"'1,50'", decimal, "!1 v type: \"1,50\" is not a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"0.1::DOUBLE", decimal, fmt.Sprintf(notHeld, "DOUBLE", "a number with at most 2 digits after the decimal sign and 18 in all")},

		{"0.1::DOUBLE", "float", "0.1"}, {"0.5::FLOAT", "float", "0.5"}, {"(-0.0)::DOUBLE", "float", "0"}, {"3::BIGINT", "float", "3"}, {"1.25::DECIMAL(38,2)", "float", "1.25"},
		{"'NaN'::DOUBLE", "float", "!1 v type: \"NaN\" is not a finite number.\n"},
		{"'inf'::FLOAT", "float", "!1 v type: \"+Inf\" is not a finite number.\n"},

		{"true", "boolean", "true"}, {"'no'", "boolean", "false"}, {"1", "boolean", fmt.Sprintf(notHeld, "INT(32,true)", "true or false")},

		{"'2024-02-29'::DATE", "date", "19782"}, {"'2024-02-29'", "date", "19782"}, {"20240229", ymd, "19782"}, {"20240230", ymd, "!1 v type: \"20240230\" is not a date of the form YYYYMMDD.\n"},
		{"'2024-02-29'::TIMESTAMP", "date", "19782"}, {"'1969-12-31'::TIMESTAMP_NS", "date", "-1"},
		{"'2024-02-29 00:00:00.001'::TIMESTAMP_MS", "date", "!1 v type: \"2024-02-29T00:00:00.001Z\" is not a date of the form YYYY-MM-DD.\n"},
		{"'0001-01-01'::DATE", "date", "-719162"}, {"'10000-01-01'::DATE", "date", "!1 v range: \"10000-01-01\" is too large for a date of the form YYYY-MM-DD.\n"},

		{"'2024-02-29 12:00:00.000001'::TIMESTAMP", "timestamp", "1709208000000001"}, {"'2024-02-29 12:00:00.001'::TIMESTAMP_MS", "timestamp", "1709208000001000"},
		{"'2024-02-29 12:00:00.000001'::TIMESTAMP_NS", "timestamp", "1709208000000001"}, {"'2024-02-29 12:00:00+00'::TIMESTAMPTZ", "timestamp", "1709208000000000"},
		{"'2024-02-29T12:00:00Z'", "timestamp", "1709208000000000"}, {"1709208000::BIGINT", "timestamp", "!1 v type: \"1709208000\" is not a timestamp of the form RFC3339.\n"},
		{"'2024-02-29 12:00:00.000000001'::TIMESTAMP_NS", "timestamp", "!1 v type: \"2024-02-29T12:00:00.000000001Z\" has more digits after the decimal sign than a timestamp of the form RFC3339.\n"},
		{"'12:00:00'::TIME", "timestamp", fmt.Sprintf(notHeld, "TIME(isAdjustedToUTC=false,unit=MICROS)", "a timestamp of the form RFC3339")},
		{"'infinity'::TIMESTAMP", "timestamp", "!1 v range: \"294247-01-10T04:00:54.775807Z\" is too large for a timestamp of the form RFC3339.\n"},
	} {
		t.Run(c.value+" as "+c.typ, func(t *testing.T) {
			t.Parallel()
			d := dataset(t, "dataset: x\nformats: [parquet]\ncolumns: [{name: v, type: "+c.typ+"}]\n")
			v, table := run(t, d, Facts{}, duckParquet(t, "SELECT "+c.value+" AS v"))
			want, bad := strings.CutPrefix(c.want, "!")
			got := told(v)
			if v.Accepted && !bad {
				got = strings.Join(rows(t, table), "\n")
			}
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// What DuckDB does not write.
func TestParquetOfOtherPrograms(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [parquet]\ncolumns: [{name: at, type: timestamp}, {name: d, type: decimal, scale: 1}, {name: none, type: text}]\n")
	type row struct {
		At   deprecated.Int96 `parquet:"at"`
		D    int32            `parquet:"d"`
		None *string          `parquet:"none,optional"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	if _, err := w.Write([]row{{At: deprecated.Int96{1000, 0, 2_440_589}, D: 15}, {At: deprecated.Int96{0, 0, 2_440_587}, D: -20}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := parsetest.WithFooter(t, b.String(), func(m *format.FileMetaData) { // converted types alone, and the type of nothing
		m.Schema[2].LogicalType = format.LogicalType{}
		m.Schema[2].ConvertedType = thrift.New(deprecated.Decimal)
		m.Schema[2].Scale, m.Schema[2].Precision = thrift.New[int32](1), thrift.New[int32](9)
		m.Schema[3].LogicalType = format.LogicalType{Value: &format.NullType{}}
		m.Schema[3].ConvertedType = thrift.Null[deprecated.ConvertedType]{}
		m.Schema[3].Type = thrift.New(format.Int32)
		m.RowGroups[0].Columns[2].MetaData.Type = format.Int32
	})
	v, table := run(t, d, Facts{}, file)
	if got := fmt.Sprint(told(v)); !v.Accepted {
		t.Fatalf("got %s, want it accepted", got)
	}
	if got, want := strings.Join(rows(t, table), "\n"), "86400000001|15|<null>\n-86400000000|-20|<null>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A day out of range is not taken for another by multiplying it.
func TestINT96OutOfRange(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [parquet]\ncolumns: [{name: at, type: timestamp}]\n")
	type row struct {
		At deprecated.Int96 `parquet:"at"`
	}
	const day = 2_440_588
	for _, x := range []deprecated.Int96{
		{0, 0, 2_992_386_031}, {0, 0, 1<<32 - 1}, {0, 0, 0}, {0, 0, day + 2_932_897},
		{0, 1 << 31, day}, {4_294_966_296, 1<<32 - 1, day}, {0x914F_0000, 0x4E94, day}, // more than a day's nanoseconds
	} {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b)
		if _, err := w.Write([]row{{At: x}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		v, _ := run(t, d, Facts{}, b.String())
		if got := told(v); v.Accepted || !strings.Contains(got, "at range: ") {
			t.Errorf("%v: got %q, want it out of range", x, got)
		}
	}
}

func TestParquetColumns(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [parquet]\ncolumns: [{name: a, type: text}, {name: b, type: integer}]\nlimits: {columns: 3, rows: 5, field: 10, bytes: 10kB}\n")
	for _, c := range []struct{ name, query, want string }{
		{"in another order", "SELECT 1 AS b, 'x' AS a", ""},
		{"missing and unknown", "SELECT 'x' AS a, 1 AS c", "0  column-unknown: The file has a column \"c\" that the dataset has not. Remove it.\n0 b column-missing: The file lacks the column \"b\". Add it.\n"},
		{"in another case", "SELECT 'x' AS A, 1 AS b", "0 a column-unknown: The file has a column \"A\"; the dataset writes it \"a\".\n0 a column-missing: The file lacks the column \"a\". Add it.\n"},
		{"nested and unknown", "SELECT 'x' AS a, 1 AS b, {'b': {'c': [1]}} AS d", "0  column-unknown: The file has a column \"d\" that the dataset has not. Remove it.\n"},
		{"too many", "SELECT 'x' AS a, 1 AS b, 2 AS c, 3 AS d", "0  limit: The file has more than 3 columns.\n"},
		{"no rows", "SELECT 'x' AS a, 1 AS b WHERE false", "0  empty: The file has no data rows.\n"},
		{"too many rows", "SELECT 'x' AS a, range AS b FROM range(6)", "0  limit: The file has more than 5 rows. Split it, or ask for a higher limit.\n"},
		{"a long value", "SELECT repeat('x', 9 + range::INT) AS a, 1 AS b FROM range(3)", "3 a limit: A value is longer than 10 bytes.\n"},
		{"a file that is too large", "SELECT '' || range AS a, range AS b, hash(range) AS c FROM range(3000)", "0  limit: The file is larger than the limit of 10000 bytes, as sent or unpacked.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, _ := run(t, d, Facts{}, duckParquet(t, c.query))
			if got := told(v); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Many pages, dictionaries and row groups, with nulls, under every compression.
func TestLargeParquetFilesAreReadWhole(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [csv, parquet]\ncolumns: [{name: a, type: text}, {name: b, type: decimal, scale: 3}, {name: c, type: text}]\n")
	const query = `SELECT CASE WHEN range % 7 = 0 THEN NULL ELSE 'tag ' || (range % 1000) END AS a,
		CASE WHEN range % 11 = 0 THEN NULL ELSE (range / 8)::DECIMAL(20,3) END AS b, hash(range)::VARCHAR AS c FROM range(40000)`
	var want strings.Builder
	want.WriteString("a,b,c\n")
	for _, line := range duckRows(t, strings.Replace(query, "AS c", "AS c, concat_ws(',', coalesce(a, ''), coalesce(b::VARCHAR, ''), c)", 1)) {
		want.WriteString(line + "\n")
	}
	v, csv := run(t, d, Facts{}, want.String())
	if !v.Accepted {
		t.Fatalf("CSV: %+v", v)
	}
	for _, options := range []string{"COMPRESSION snappy", "COMPRESSION zstd, ROW_GROUP_SIZE 7000", "COMPRESSION gzip, PARQUET_VERSION V2", "COMPRESSION lz4_raw", "COMPRESSION brotli", "COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 10"} {
		v, got := run(t, d, Facts{}, duckParquet(t, query, options))
		if !v.Accepted || !bytes.Equal(got, csv) {
			t.Errorf("%s: got %s, want what CSV gives", options, told(v))
		}
	}
}

const liarContract = "dataset: x\nformats: [parquet]\ncolumns: [{name: a, type: text}, {name: b, type: integer}]\n"

// Files that say of themselves what is not so are refused, by what gives them away.
func TestParquetLiars(t *testing.T) {
	t.Parallel()
	d := dataset(t, liarContract)
	plain := parsetest.Honest(t, parquet.Compression(&parquet.Uncompressed), parquet.DataPageVersion(1))
	packedFile := parsetest.Honest(t, parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(2))
	if v, _ := run(t, d, Facts{}, plain); !v.Accepted {
		t.Fatalf("the honest one: %s", told(v))
	}
	footer := func(change func(*format.FileMetaData)) string { return parsetest.WithFooter(t, plain, change) }
	first := func(change func(*format.ColumnMetaData)) string {
		return footer(func(m *format.FileMetaData) { change(&m.RowGroups[0].Columns[0].MetaData) })
	}
	page := func(file string, column int, change func(*format.PageHeader, []byte) []byte) string {
		return parsetest.WithPage(t, file, column, change)
	}
	header := func(file string, change func(*format.PageHeader)) string {
		return page(file, 0, func(h *format.PageHeader, b []byte) []byte { change(h); return b })
	}
	for _, c := range []struct{ name, file, want string }{
		{"a footer longer than the file", plain[:len(plain)-8] + "\xff\xff\xff\x7fPAR1", "its footer would begin before the file"},
		{"a footer of nothing", plain[:len(plain)-8] + "\x00\x00\x00\x00PAR1", "damaged"},
		{"a footer of noise", "PAR1\x15" + strings.Repeat("\xa7\x3c", 500) + "\xe8\x03\x00\x00PAR1", "damaged"},
		{"magic alone", "PAR1\x15PAR1", "cut off"},
		{"an encrypted footer", plain[:len(plain)-4] + "PARE", "encrypted"},
		{"no schema", footer(func(m *format.FileMetaData) { m.Schema = nil }), "it has no schema"},
		{"a schema without end", footer(func(m *format.FileMetaData) { m.Schema[1].NumChildren = thrift.New[int32](1 << 30) }), "schema does not hold together"},
		{"children below nothing", footer(func(m *format.FileMetaData) { m.Schema[1].NumChildren = thrift.New[int32](-5) }), "schema does not hold together"},
		{"a row more", footer(func(m *format.FileMetaData) { m.NumRows++ }), "row groups have 3 rows, its footer says 4"},
		{"a billion rows", footer(func(m *format.FileMetaData) { m.NumRows, m.RowGroups[0].NumRows = 1e9, 1e9 }), "more than 10000000 rows"},
		{"rows below nothing", footer(func(m *format.FileMetaData) { m.RowGroups[0].NumRows = -1 }), "row group 0 does not"},
		{"rows that overflow", footer(func(m *format.FileMetaData) {
			m.RowGroups[0].NumRows = 1<<63 - 1
			m.RowGroups = append(m.RowGroups, m.RowGroups[0])
		}), "more than 10000000 rows"},
		{"a column less", footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns = m.RowGroups[0].Columns[:1] }), "row group 0 does not"},
		{"another column", first(func(m *format.ColumnMetaData) { m.PathInSchema[0] = "b" }), "row group 0 does not"},
		{"another type", first(func(m *format.ColumnMetaData) { m.Type = format.Int64 }), "row group 0 does not"},
		{"another file", footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].FilePath = "/etc/passwd" }), "in another file"},
		{"a place after the file", first(func(m *format.ColumnMetaData) { m.DataPageOffset = 1 << 40 }), "where the file has none"},
		{"a place before the file", first(func(m *format.ColumnMetaData) { m.DataPageOffset = -1 }), "where the file has none"},
		{"a size that overflows", first(func(m *format.ColumnMetaData) { m.TotalCompressedSize = 1<<63 - 1 }), "where the file has none"},
		{"a size below nothing", first(func(m *format.ColumnMetaData) { m.TotalCompressedSize = -1 }), "where the file has none"},
		{"a value more", first(func(m *format.ColumnMetaData) { m.NumValues++ }), "4 values in 3 rows"},
		{"an unknown compression", first(func(m *format.ColumnMetaData) { m.Codec = format.LZO }), "LZO"},
		{"compression that is none", first(func(m *format.ColumnMetaData) { m.Codec = format.Snappy }), "damaged"},
		{"a page of a billion values", header(plain, func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = 1e9 }), "more values than rows"},
		{"a page of too few values", header(plain, func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = 2 }), "fewer values than rows"},
		{"a page of fewer than no values", header(plain, func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = -2 }), "more values than rows"},
		{"a page larger than the file", header(plain, func(h *format.PageHeader) { h.CompressedPageSize = 1 << 30 }), "larger than its column"},
		{"a page smaller than nothing", header(plain, func(h *format.PageHeader) { h.CompressedPageSize = -1 }), "larger than its column"},
		{"a page that unpacks to a lot", header(packedFile, func(h *format.PageHeader) { h.UncompressedPageSize = 1 << 30 }), "unpacks to more than 67108864 bytes"},
		{"a page that unpacks to less", header(packedFile, func(h *format.PageHeader) { h.UncompressedPageSize++ }), "its header says"},
		{"a page that unpacks to more", header(packedFile, func(h *format.PageHeader) { h.UncompressedPageSize-- }), "its header says"},
		{"levels longer than the page", header(packedFile, func(h *format.PageHeader) { h.DataPageHeaderV2.V.DefinitionLevelsByteLength = 1 << 30 }), "smaller than a part of it"},
		{"no values where some are", header(packedFile, func(h *format.PageHeader) { h.DataPageHeaderV2.V.NumNulls = 3 }), "damaged"},
		{"a wrong checksum", header(plain, func(h *format.PageHeader) { h.CRC = 7 }), "checksum"},
		{"an encoding of its own", header(plain, func(h *format.PageHeader) { h.DataPageHeader.V.Encoding = 77 }), "damaged"},
		{"a dictionary that is not there", header(plain, func(h *format.PageHeader) { h.DataPageHeader.V.Encoding = format.RLEDictionary }), "damaged"},
		{"fewer levels than values", page(plain, 0, func(_ *format.PageHeader, b []byte) []byte { copy(b, "\x02\x00\x00\x00\x02\x01"); return b }), "damaged"},
		{"levels without end", page(plain, 0, func(_ *format.PageHeader, b []byte) []byte { copy(b, "\xff\xff\xff\xff"); return b }), "damaged"},
		{"fewer numbers than values", page(plain, 1, func(h *format.PageHeader, b []byte) []byte {
			h.CompressedPageSize, h.UncompressedPageSize = 8, 8
			return b[:8]
		}), "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, _ := run(t, d, Facts{}, c.file)
			if v.Accepted || v.ErrorCount != 1 || v.Errors[0].Code != CodeFormat && v.Errors[0].Code != CodeLimit || !strings.Contains(v.Errors[0].Message, c.want) {
				t.Errorf("got %v %s, want it refused, saying %q", v.Accepted, told(v), c.want)
			}
		})
	}
}

// What unpacks to much is counted before any of it is unpacked.
func TestParquetRatios(t *testing.T) {
	t.Parallel()
	file := duckParquet(t, "SELECT repeat(md5(range::VARCHAR), 300) AS a, range AS b FROM range(300)", "COMPRESSION zstd, DICTIONARY_SIZE_LIMIT 1")
	for limits, want := range map[string]string{
		"ratio: 1000":              "",
		"ratio: 10":                "limit",
		"ratio: 1000, bytes: 1MiB": "limit",
	} {
		d := dataset(t, liarContract+"limits: {"+limits+"}\n")
		v, _ := run(t, d, Facts{}, file)
		if (want == "") != v.Accepted || want != "" && (v.ErrorCount != 1 || v.Errors[0].Code != CodeLimit) {
			t.Errorf("%s: got %s, want %q", limits, told(v), want)
		}
	}
	// Nulls take no place in a file, but they do in memory.
	file = duckParquet(t, "SELECT NULL::VARCHAR AS a, NULL::INTEGER AS b FROM range(100000)")
	for limits, accepted := range map[string]bool{"bytes: 200kB": true, "bytes: 199kB": false} {
		d := dataset(t, liarContract+"limits: {"+limits+"}\n")
		if v, _ := run(t, d, Facts{}, file); v.Accepted != accepted || !accepted && listed(v) != "0  limit\n" {
			t.Errorf("%d bytes of nothing with %s: got %s", len(file), limits, told(v))
		}
	}
}
