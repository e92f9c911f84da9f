package parse

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
)

// duck is one DuckDB for all tests, until they end.
var duck = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("duckdb", "?threads=1") })

// duckParquet is what DuckDB writes of a query's rows.
func duckParquet(t testing.TB, query string, options ...string) string {
	t.Helper()
	db, err := duck()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file.csv") // names say nothing
	with := strings.Join(append([]string{"FORMAT parquet"}, options...), ", ")
	if _, err := db.Exec("COPY (" + query + ") TO '" + path + "' (" + with + ")"); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const everyFormat = "formats: [csv, ndjson, parquet]\n"

// The accepted form does not tell which format a file had.
func TestEveryFormatGivesTheSameAcceptedForm(t *testing.T) {
	t.Parallel()
	d := dataset(t, everyType+everyFormat)
	facts := Facts{day(t, "2022-09-23"), []string{"007"}}
	v, want := run(t, d, facts, everyHeader+
		"23.09.2022,007,A,new,äöü,1,1.50,0.25,yes,2020-01-01,2022-01-01T00:00:00.000001Z\n"+
		"23.09.2022,007,B,,,,,,,,\n")
	if !v.Accepted {
		t.Fatalf("CSV: %+v", v)
	}
	files := map[string]string{
		"NDJSON": `{"Day":"23.09.2022","Client":"007","Tag":"A","Kind":"new","Note":"\u00e4öü","Count":1,"Value":1.5,"Share":2.5e-1,"Yes":true,"From":"2020-01-01","At":"2022-01-01T01:00:00.000001+01:00"}` + "\n" +
			`{"At":null,"Tag":"B","Client":"007","Day":"23.09.2022","Note":""}` + "\n",
		"NDJSON as texts": "\ufeff\n\n" + ` {"Day":"23.09.2022" , "Client" : "007","Tag":"A","Kind":"new","Note":"äöü","Count":"1","Value":"1.500","Share":"0.25","Yes":"YES","From":"2020-01-01","At":"2022-01-01 00:00:00.000001Z"} ` + "\r\n\r\n" +
			`{"Tag":"B","Client":"007","Day":"23.09.2022"}`,
		"Parquet": duckParquet(t, `SELECT '2022-09-23'::DATE AS "Day", '007' AS "Client", 'A' AS "Tag", 'new' AS "Kind", 'äöü' AS "Note", 1::UTINYINT AS "Count",
			1.5::DECIMAL(38,1) AS "Value", 0.25::FLOAT AS "Share", true AS "Yes", '2020-01-01'::TIMESTAMP AS "From", '2022-01-01 00:00:00.000001'::TIMESTAMP AS "At"
			UNION ALL SELECT '2022-09-23'::DATE, '007', 'B', NULL, '', NULL, NULL, NULL, NULL, NULL, NULL`),
	}
	files["Parquet as texts"] = duckParquet(t, `SELECT '2022-01-01T00:00:00.000001Z' AS "At", '23.09.2022' AS "Day", '007' AS "Client", 'A' AS "Tag", 'new' AS "Kind", 'äöü' AS "Note", ' 1' AS "Count",
			'1.50' AS "Value", '0.25e0' AS "Share", 'yes' AS "Yes", '2020-01-01' AS "From"
			UNION ALL SELECT '', '23.09.2022', '007', 'B', NULL, '', NULL, NULL, NULL, NULL, NULL`, "PARQUET_VERSION V2", "COMPRESSION zstd")
	files["NDJSON in gzip"] = packed(t, files["NDJSON"])
	for name, file := range files {
		v, got := run(t, d, facts, file)
		if !v.Accepted || !bytes.Equal(got, want) {
			t.Errorf("%s: got %+v and the rows %q, want %q", name, v, rowsOrNone(t, got), rows(t, want))
		}
	}
}

func rowsOrNone(t *testing.T, table []byte) []string {
	if len(table) < 100 {
		return nil
	}
	return rows(t, table)
}

// told writes a verdict as listed does, with messages.
func told(v Verdict) string {
	var b strings.Builder
	for _, p := range v.Errors {
		fmt.Fprintf(&b, "%d %s %s: %s\n", p.Row, p.Column, p.Code, p.Message)
	}
	return b.String()
}

func TestFormatsAreToldByContent(t *testing.T) {
	t.Parallel()
	const (
		text   = "a,v\nx,1\n"
		object = `{"a":"x","v":1}` + "\n"
	)
	table := duckParquet(t, "SELECT 'x' AS a, 1 AS v")
	for _, c := range []struct{ name, contract, file, want string }{
		{"CSV", everyFormat, text, ""},
		{"NDJSON", everyFormat, object, ""},
		{"NDJSON after blanks", everyFormat, strings.Repeat(" \n", 10_000) + object, ""},
		{"NDJSON with a mark", everyFormat, "\xef\xbb\xbf" + object, ""},
		{"NDJSON in gzip", everyFormat, packed(t, object), ""},
		{"Parquet", everyFormat, table, ""},
		{"CSV of a column PAR1", everyFormat, "PAR1,v\nx,1\n", "0  column-unknown: The header has a column \"PAR1\" that the dataset has not. Remove it.\n0 a column-missing: The header lacks the column \"a\". Add it, or check the delimiter.\n"},
		{"NDJSON as before", "", object, "0  format: This is NDJSON. The dataset takes CSV.\n"},
		{"a JSON list", "", " [" + object + "]", "0  format: This is a JSON list. The dataset takes CSV. Write one object a line, without a list around them.\n"},
		{"a JSON list for NDJSON", "formats: [ndjson]\n", "[" + object + "]", "0  format: This is a JSON list. The dataset takes NDJSON. Write one object a line, without a list around them.\n"},
		{"Parquet as before", "", table, "0  format: This is a Parquet file, not a CSV text file. Export the table as CSV.\n"},
		{"Parquet for texts", "formats: [csv, ndjson]\n", table, "0  format: This is a Parquet file. The dataset takes CSV or NDJSON.\n"},
		{"Parquet in gzip", everyFormat, packed(t, table), "0  format: This is a Parquet file in gzip. The dataset takes CSV, NDJSON or Parquet. Send it without: it is compressed inside.\n"},
		{"Parquet where text is compressed", everyFormat + "csv: {compression: gzip}\n", table, ""},
		{"NDJSON that is not compressed", everyFormat + "csv: {compression: gzip}\n", object, "0  compression: The dataset wants gzip, but the file is not compressed with it.\n"},
		{"CSV for Parquet", "formats: [parquet]\n", text, "0  format: This is no file of a known format. The dataset takes Parquet.\n"},
		{"a workbook", everyFormat, "PK\x03\x04" + text, "0  format: This is a zip archive or an Excel workbook. The dataset takes CSV, NDJSON or Parquet.\n"},
		{"nothing", "formats: [parquet]\n", "", "0  empty: The file is empty.\n"},
		{"the start of Parquet", everyFormat, table[:len(table)-1], "0  format: The file begins as Parquet and does not end so: it is cut off. Send it again.\n"},
		{"braces in CSV without a header", "formats: [csv, parquet]\ncsv: {header: false}\n", "{x},1\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dataset(t, "dataset: x\ncolumns: [{name: a, type: text, required: true}, {name: v, type: integer}]\n"+c.contract)
			v, _ := run(t, d, Facts{}, c.file)
			if got := told(v); got != c.want || c.want == "" && v.Rows != 1 {
				t.Errorf("got %d rows, %q, want %q", v.Rows, got, c.want)
			}
		})
	}
}

func TestNDJSONRules(t *testing.T) {
	t.Parallel()
	d := dataset(t, `
dataset: x
formats: [ndjson]
csv: {decimal: ","}
columns:
  - {name: t, type: text}
  - {name: i, type: integer}
  - {name: d, type: decimal, scale: 2}
  - {name: f, type: float}
  - {name: b, type: boolean}
  - {name: day, type: date, format: YYYYMMDD}
limits: {field: 100, columns: 8}
`)
	for _, c := range []struct{ name, lines, want string }{
		{"exact numbers", `{"i":9223372036854775807,"d":9999999999999999.99,"f":1e300}` + "\n" + `{"i":-9223372036854775808,"d":-0.01,"f":-0.0}`, "<null>|9223372036854775807|999999999999999999|1e+300|<null>|<null>\n<null>|-9223372036854775808|-1|0|<null>|<null>"},
		{"exponents", `{"i":1.20e2,"d":125e-2}` + "\n" + `{"i":5.0,"d":1E1}` + "\n" + `{"i":0e9999999,"d":0.0e-99}` + "\n" + `{"i":1200e-2,"d":0.0001e4}`, "<null>|120|125|<null>|<null>|<null>\n<null>|5|1000|<null>|<null>|<null>\n<null>|0|0|<null>|<null>|<null>\n<null>|12|100|<null>|<null>|<null>"},
		{"as the dataset writes it", `{"d":"1,25","day":"20240229","b":"no"}` + "\n" + `{"d":1.25,"day":20240229,"b":0}`, "<null>|<null>|125|<null>|false|19782\n<null>|<null>|125|<null>|false|19782"},
		{"escapes", `{"t":"\u00e4\n\"\ud83d\ude00\/"}`, "ä\n\"😀/|<null>|<null>|<null>|<null>|<null>"},
		{"escaped keys", `{"\u0074":"x"}`, "x|<null>|<null>|<null>|<null>|<null>"},
		{"empty object", `{}` + "\n" + `{"i":null}`, "<null>|<null>|<null>|<null>|<null>|<null>\n<null>|<null>|<null>|<null>|<null>|<null>"},

		{"too precise", `{"i":1.5}` + "\n" + `{"d":0.001}` + "\n" + `{"d":1e-99}`, "!1 i type: \"1.5\" is not a whole number of 64 bits.\n2 d type: \"0.001\" has more digits after the decimal sign than a number with at most 2 digits after the decimal sign and 18 in all.\n3 d type: \"1e-99\" has more digits after the decimal sign than a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"too large", `{"i":9223372036854775808}` + "\n" + `{"d":1e16}` + "\n" + `{"i":1e99}` + "\n" + `{"f":1e999}`, "!1 i range: \"9223372036854775808\" is too large for a whole number of 64 bits.\n2 d range: \"1e16\" is too large for a number with at most 2 digits after the decimal sign and 18 in all.\n3 i range: \"1e99\" is too large for a whole number of 64 bits.\n4 f range: \"1e999\" is too large for a finite number.\n"},
		{"a number as text", `{"t":7}` + "\n" + `{"t":true}`, "!1 t type: 7 is not text. Write it in double quotes.\n2 t type: true is not text. Write it in double quotes.\n"},
		{"a point where a comma is", `{"d":"1.25"}`, "!1 d type: \"1.25\" is not a number with at most 2 digits after the decimal sign and 18 in all.\n"},
		{"nested", `{"t":{"a":[1]},"i":[]}`, "!1 t type: \"{\\\"a\\\":[1]}\" is a JSON object or list, but this column takes one value: text.\n1 i type: \"[]\" is a JSON object or list, but this column takes one value: a whole number of 64 bits.\n"},
		{"key twice", `{"t":"a"}` + "\n" + `{"t":"a","t":"b"}`, "!2 t column-duplicate: The object in line 2 has the key \"t\" more than once. Remove one.\n"},
		{"unknown keys, each once", `{"t":"a"}` + "\n" + `{"T":"a","x":1}` + "\n" + `{"T":"a","x":1,"y":2,"i":"z"}`, "!2 t column-unknown: This row has a column \"T\"; the dataset writes it \"t\".\n2  column-unknown: This row has a column \"x\" that the dataset has not. Remove it.\n3  column-unknown: This row has a column \"y\" that the dataset has not. Remove it.\n3 i type: \"z\" is not a whole number of 64 bits.\n"},
		{"not UTF-8", `{"t":"Z` + "\xfc" + `rich","i":"` + "\xff" + `"}`, "!1 t encoding: \"Z\ufffdrich\" has bytes that are not UTF-8, which this format is always in.\n1 i encoding: \"\ufffd\" has bytes that are not UTF-8, which this format is always in.\n"},
		{"half a pair", `{"t":"\ud83d"}`, "!1 t encoding: \"\ufffd\" has bytes that are not UTF-8, which this format is always in.\n"},
		{"NUL", `{"t":"\u0000"}`, "!1 t encoding: \"\ufffd\" has a NUL byte. Remove it, or check the file's encoding.\n"},
		{"broken lines", `{"t":"a"` + "\n\n" + `{"t":"b"},` + "\n" + `{"t":"c"}` + "\n" + `{'t':"d"}` + "\n" + `["e"]` + "\n" + `{"i":01}`, "!1  json: Line 1 is not one JSON object: see its byte 9. Write each row as an object on a line of its own.\n2  json: Line 3 is not one JSON object: see its byte 10. Write each row as an object on a line of its own.\n4  json: Line 5 is not one JSON object: see its byte 2. Write each row as an object on a line of its own.\n5  json: Line 6 is not one JSON object: see its byte 1. Write each row as an object on a line of its own.\n6  json: Line 7 is not one JSON object: see its byte 7. Write each row as an object on a line of its own.\n"},
		{"NaN", `{"f":NaN}`, "!1  json: Line 1 is not one JSON object: see its byte 6. Write each row as an object on a line of its own.\n"},
		{"deep", `{"t":"a"}` + "\n" + `{"t":` + strings.Repeat("[", 1_000_000) + `}`, "!2  json: Line 2 is not one JSON object: see its byte 10005. Write each row as an object on a line of its own.\n"},
		{"a long value", `{"t":"` + strings.Repeat(`\u0061`, 100) + `"}` + "\n" + `{"t":"` + strings.Repeat("a", 101) + `"}`, "!2 t limit: A value is longer than 100 bytes, in line 2. Is a quote or a line end missing?\n"},
		{"many keys", `{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1}`, "!1  limit: A record has more than 8 columns, in line 1.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, table := run(t, d, Facts{}, c.lines)
			want, bad := strings.CutPrefix(c.want, "!")
			got := told(v)
			if !bad && v.Accepted {
				got = strings.Join(rows(t, table), "\n")
			}
			if got != want || v.Accepted == bad {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// Problems come in the order of rows, whatever they are.
func TestNDJSONProblemsAreInOrder(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [ndjson]\ncolumns: [{name: i, type: integer}]\n")
	var lines, want strings.Builder
	for i := range 30 {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&lines, "{\"i\":\"x\"}\n")
			fmt.Fprintf(&want, "%d i type\n", i+1)
		case 1:
			fmt.Fprintf(&lines, "{\"k%d\":1}\n", i)
			fmt.Fprintf(&want, "%d  column-unknown\n", i+1)
		default:
			fmt.Fprintf(&lines, "{\n")
			fmt.Fprintf(&want, "%d  json\n", i+1)
		}
	}
	if v, _ := run(t, d, Facts{}, lines.String()); listed(v) != want.String() {
		t.Errorf("got %s, want %s", listed(v), want.String())
	}
	lines.Reset()
	for i := range 2 * maxStrange {
		fmt.Fprintf(&lines, "{\"k%d\":1}\n", i)
	}
	if v, _ := run(t, d, Facts{}, lines.String()); v.Rows != maxStrange || v.ErrorCount != maxStrange+1 {
		t.Errorf("a new key in each row: read %d rows, found %d problems", v.Rows, v.ErrorCount)
	}
}

// duckRows is the last column of a query's rows.
func duckRows(t testing.TB, query string) []string {
	t.Helper()
	db, err := duck()
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	var last string
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(any)
	}
	into[len(into)-1] = &last
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, last)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A row of nothing takes two bytes in a file, and a cell of each column afterwards.
func TestNDJSONOfNothingHasALimit(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nformats: [ndjson]\ncolumns: [{name: a, type: text}, {name: b, type: text}, {name: c, type: text}, {name: d, type: text}]\nlimits: {bytes: 1kB}\n")
	if v, _ := run(t, d, Facts{}, strings.Repeat("{}\n", 250)); !v.Accepted || v.Rows != 250 {
		t.Errorf("250 rows: got %d rows, %s", v.Rows, told(v))
	}
	if v, _ := run(t, d, Facts{}, strings.Repeat("{}\n", 251)); listed(v) != "0  limit\n" || v.Rows != 250 {
		t.Errorf("251 rows: got %d rows, %s", v.Rows, told(v))
	}
}
