package contract

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/fault"
)

const sales = `
dataset: sales
title: Monthly sales
csv: {delimiter: ";", encoding: windows-1252, decimal: ",", thousands: ".", compression: none, null: ["", NA], comment: "#"}
columns:
  - {name: Date, type: date, format: YYYYMMDD, required: true, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: Tag1, type: text, required: true, pattern: "^[A-Za-z]{6}$", max_length: 64}
  - {name: Tag2, type: text, required: true, allowed: [NO, 007, 2024-01-01]}
  - {name: Value, type: decimal, scale: 2, unit: EUR, required: true, min: 0, max: 1000000.5}
  - {name: At, type: timestamp, min: "2020-01-01T01:00:00+01:00"}
unique: [Date, Tag1, Tag2]
file_name: "input-{date}-{participant}-{dataset}.csv"
limits: {bytes: 2GiB, rows: 1000, columns: 20, field: 1 KiB, ratio: 50}
cadence: monthly
due: {after_days: 5, at: "12:00", zone: Europe/Zurich}
`

func mustParse(t *testing.T, text string) *Dataset {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestContractIsReadWithItsDefaults(t *testing.T) {
	t.Parallel()
	d := mustParse(t, sales)
	if got, want := d.Limits, (Limits{2 << 30, 1000, 20, 1024, 50}); got != want {
		t.Errorf("limits: got %v, want %v", got, want)
	}
	if got, want := fmt.Sprint(d.Columns[3].Allowed), "[007 2024-01-01 NO]"; got != want {
		t.Errorf("allowed texts: got %s, want %s", got, want)
	}
	if got, want := d.Columns[4].Max, "1000000.50"; got != want {
		t.Errorf("max: got %s, want %s", got, want)
	}
	if got, want := d.Columns[5].Min, "2020-01-01T00:00:00Z"; got != want {
		t.Errorf("min: got %s, want %s", got, want)
	}
	if i, ok := d.ColumnWith(Participant); !ok || i != 1 || !d.Columns[1].Required {
		t.Errorf("participant column: got %d %v required %v, want 1 true true", i, ok, d.Columns[1].Required)
	}
	least := mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\n")
	if got, want := string(least.Canonical()), `{"dataset":"x","csv":{"delimiter":",","quote":"\"","encoding":"utf-8","decimal":".","thousands":"","header":true,"compression":"auto","null":[""],"comment":""},`+
		`"columns":[{"name":"a","type":"text","required":false}],"limits":{"bytes":1073741824,"rows":10000000,"columns":200,"field":65536,"ratio":100},"cadence":"none"}`; got != want {
		t.Errorf("canonical form:\n got %s\nwant %s", got, want)
	}
}

func TestCanonicalFormReadsBack(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		sales,
		"dataset: x\ncolumns: [{name: a, type: text}]\n",
		"dataset: x\nformats: [parquet, ndjson]\ncolumns: [{name: a, type: text}]\n",
		"dataset: x\ntitle: \"a\\tb <&> \\u2028 \U0001F600 \\\\ '\\\"\"\ncsv: {delimiter: \"\\t\", thousands: \"\\u202F\", quote: \"'\", 'null': []}\ncolumns: [{name: 'Größe (m)', type: float, unit: m, min: 1e3, max: 2.50e5}]\n",
		"dataset: x\ncsv: {delimiter: \"\\x1f\"}\nfile_pattern: '^(?P<date>.{10})\\.csv$'\ncolumns: [{name: a, type: integer, min: -9223372036854775808}]\n",
	} {
		d := mustParse(t, text)
		again := mustParse(t, string(d.Canonical()))
		if string(again.Canonical()) != string(d.Canonical()) || again.Hash() != d.Hash() {
			t.Errorf("canonical form changed:\n got %s\nwant %s", again.Canonical(), d.Canonical())
		}
	}
}

func TestHashSeesMeaningOnly(t *testing.T) {
	t.Parallel()
	base := mustParse(t, sales).Hash()
	if got := mustParse(t, "# note\ncadence: \"monthly\""+strings.Replace(sales, "cadence: monthly", "", 1)).Hash(); got != base {
		t.Errorf("the hash depends on notation: got %s, want %s", got, base)
	}
	if got := mustParse(t, strings.Replace(sales, "scale: 2", "scale: 3", 1)).Hash(); got == base {
		t.Error("another scale has the same hash")
	}
}

// Contracts are stored with their hash. These two are of version 0.1.0, which knew
// no formats.
func TestFormatsLeaveOlderHashesAlone(t *testing.T) {
	t.Parallel()
	const least = "dataset: x\ncolumns: [{name: a, type: text}]\n"
	for _, c := range []struct{ text, want string }{
		{least, "3031c115835891ce5f7e202c148f7fa64cfaaeb117e01f0c0ffb243b88b67a43"},
		{sales, "29bb1f91ae6f4360848e58fad0a6642084f5f77dd80ada39699afaaa57fad9cb"},
	} {
		for _, formats := range []string{"", "formats: [csv]\n"} {
			d := mustParse(t, c.text+formats)
			if got := d.Hash(); got != c.want {
				t.Errorf("%q: got the hash %s, want %s", formats, got, c.want)
			}
			if !d.Takes(CSV) || d.Takes(NDJSON) || d.Takes(Parquet) {
				t.Errorf("%q: does not take CSV alone", formats)
			}
		}
	}
	a, b := mustParse(t, least+"formats: [parquet, csv]\n"), mustParse(t, least+"formats:\n  - csv\n  - parquet\n")
	if a.Hash() != b.Hash() || a.Hash() == mustParse(t, least).Hash() {
		t.Errorf("hashes of the same formats: got %s and %s", a.Hash(), b.Hash())
	}
	if !a.Takes(CSV) || a.Takes(NDJSON) || !a.Takes(Parquet) {
		t.Errorf("formats: got %v", a.Formats)
	}
	if only := mustParse(t, least+"formats: [ndjson]\n"); only.Takes(CSV) || !only.Takes(NDJSON) {
		t.Errorf("formats: got %v", only.Formats)
	}
}

func TestErrorsNameLineAndPath(t *testing.T) {
	t.Parallel()
	column := func(s string) string { return "dataset: x\ncolumns:\n  - {name: a, type: text}\n  - {" + s + "}\n" }
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "dataset: x\ncolums: []\ncolumns: [{name: a, type: text}]", "line 2: colums: there is no such key"},
		{"unknown key in a column", column("name: b, type: text, requird: true"), "line 4: columns[1].requird: there is no such key"},
		{"merge key", "dataset: x\n<<: {a: b}\ncolumns: [{name: a, type: text}]", "line 2: <<: there is no such key"},
		{"key twice", "dataset: x\ndataset: y\ncolumns: [{name: a, type: text}]", "line 2: dataset: the key is written twice"},
		{"no columns", "dataset: x\n", "columns: must list at least one column"},
		{"not a mapping", "- a\n", "line 1: the contract: must be a mapping"},
		{"no slug", "dataset: Sales 1\ncolumns: [{name: a, type: text}]", "line 1: dataset: must name the dataset"},
		{"no type", column("name: b"), "columns[1].type: is missing"},
		{"unknown type", column("name: b, type: number"), `line 4: columns[1].type: "number" is not known. Write one of: text, integer`},
		{"same name in other case", column("name: A, type: text"), `line 4: columns[1]: there is another column "A"`},
		{"same name with a long s", "dataset: x\ncolumns: [{name: s, type: text}, {name: \"\u017f\", type: text}]", "columns[1]: there is another column"},
		{"name with a quote", column(`name: "a\"b", type: text`), "columns[1].name: must be"},
		{"name like a formula", column(`name: "=b", type: text`), "columns[1].name: must be"},
		{"name not composed", column("name: \"u\\u0308\", type: text"), "columns[1].name: must be"},
		{"no scale", column("name: b, type: decimal"), "columns[1].scale: is missing"},
		{"scale too large", column("name: b, type: decimal, scale: 10"), "columns[1].scale: must be a whole number from 0 to 9"},
		{"scale of a text", column("name: b, type: text, scale: 2"), "columns[1].scale: only columns of type decimal"},
		{"bad pattern", column("name: b, type: text, pattern: '('"), "columns[1].pattern: is not a regular expression"},
		{"pattern of a number", column("name: b, type: integer, pattern: 'x'"), "columns[1].pattern: only columns of type text"},
		{"empty allowed", column("name: b, type: text, allowed: []"), "columns[1].allowed: is empty"},
		{"null in allowed", column("name: b, type: text, allowed: [~]"), "columns[1].allowed[0]: has no value"},
		{"min above max", column("name: b, type: integer, min: 3, max: 2"), "columns[1].max: is less than min"},
		{"min not of the type", column("name: b, type: decimal, scale: 1, min: 0.25"), `columns[1].min: "0.25" is not a value of type decimal`},
		{"range of a text", column("name: b, type: text, min: 1"), "columns[1].min: a column of type text has no range"},
		{"bad date format", column("name: b, type: date, format: DD.MM.YY"), "columns[1].format:"},
		{"date with hours", column("name: b, type: date, format: YYYY-MM-DD HH"), "has a time of day"},
		{"role of another type", column("name: b, type: text, role: business_date"), "columns[1].role: a column with the role business_date must have the type date"},
		{"role twice", "dataset: x\ncolumns: [{name: a, type: text, role: participant}, {name: b, type: text, role: participant}]", "columns[1]: there is another column with the role"},
		{"role not required", column("name: b, type: text, role: participant, required: false"), "columns[1].required: a column with the role"},
		{"unit of a text", column("name: b, type: text, unit: EUR"), "columns[1].unit: only numbers"},
		{"unique of nothing", column("name: b, type: text") + "unique: [c]\n", `line 5: unique[0]: there is no column "c"`},
		{"unique of a float", column("name: b, type: float") + "unique: [b]\n", "floats are no keys"},
		{"delimiter too long", "dataset: x\ncsv: {delimiter: ';;'}\ncolumns: [{name: a, type: text}]", "line 2: csv.delimiter: is 2 characters long"},
		{"delimiter is a letter", "dataset: x\ncsv: {delimiter: x}\ncolumns: [{name: a, type: text}]", "csv.delimiter: must be one ASCII sign"},
		{"delimiter is the quote", "dataset: x\ncsv: {delimiter: '\"'}\ncolumns: [{name: a, type: text}]", "must be different characters"},
		{"thousands is decimal", "dataset: x\ncsv: {decimal: ',', thousands: ','}\ncolumns: [{name: a, type: text}]", "csv.thousands: must be a sign other than"},
		{"unknown encoding", "dataset: x\ncsv: {encoding: latin1}\ncolumns: [{name: a, type: text}]", `csv.encoding: "latin1" is not known`},
		{"size without unit", column("name: b, type: text") + "limits: {bytes: lots}\n", "line 5: limits.bytes: must be a size"},
		{"over a ceiling", column("name: b, type: text") + "limits: {field: 2MiB}\n", "limits.field: must be a size from 1 to 1048576"},
		{"size that overflows", column("name: b, type: text") + "limits: {bytes: 99999999999999999GiB}\n", "limits.bytes: must be a size"},
		{"fewer columns than the contract", column("name: b, type: text") + "limits: {columns: 1}\n", "limits.columns: allows 1 columns"},
		{"unique with many rows", column("name: b, type: text") + "unique: [a]\nlimits: {rows: 50000000}\n", "limits.rows: a dataset with a unique key"},
		{"unknown format", column("name: b, type: text") + "formats: [csv, xlsx]\n", `line 5: formats[1]: "xlsx" is not known. Write one of: csv, ndjson, parquet.`},
		{"format twice", column("name: b, type: text") + "formats: [csv, csv]\n", "formats[1]: names csv twice"},
		{"no formats", column("name: b, type: text") + "formats: []\n", "formats: is empty"},
		{"unknown cadence", column("name: b, type: text") + "cadence: hourly\n", `line 5: cadence: "hourly" is not known`},
		{"unknown zone", column("name: b, type: text") + "due: {zone: Europe/Basel}\n", "due.zone: "},
		{"local zone", column("name: b, type: text") + "due: {zone: Local}\n", "due.zone: "},
		{"time of day", column("name: b, type: text") + "due: {at: 25:00}\n", "due.at: must be a time of day"},
		{"two kinds of file name", column("name: b, type: text") + "file_name: a\nfile_pattern: a\n", "line 6: file_pattern: file_name and file_pattern exclude"},
		{"unknown place in a file name", column("name: b, type: text") + "file_name: '{tenant}.csv'\n", "file_name: has {tenant}, which is not known"},
		{"unknown group in a pattern", column("name: b, type: text") + "file_pattern: '(?P<x>a)'\n", `file_pattern: has the group "x"`},
		{"alias", "dataset: &a x\ntitle: *a\ncolumns: [{name: a, type: text}]", "line 1: the contract: anchors and aliases"},
		{"control character", "dataset: x\ntitle: \"a\\0b\"\ncolumns: [{name: a, type: text}]", "line 2: title: has a control character"},
		{"two documents", "dataset: x\n---\ndataset: y\n", "more than one YAML document"},
		{"not YAML", "dataset: [", "not readable as YAML"},
		{"nothing", "", "not readable as YAML"},
		{"not UTF-8", "dataset: \xff", "not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), c.want) {
				t.Errorf("got %v, want a fault.Invalid with %q", err, c.want)
			}
		})
	}
	if _, err := Parse(make([]byte, MaxYAML+1)); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a huge contract: got %v, want too-large", err)
	}
}

func TestEveryProblemIsListedInOrder(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("dataset: X\ncolumns:\n  - {name: '', type: text}\n  - {name: b, type: foo}\ncadence: x\n"))
	got := fault.Message(err)
	for _, want := range []string{"line 1: dataset", "line 3: columns[0].name", "line 4: columns[1].type", "line 5: cadence"} {
		at := strings.Index(got, want)
		if at < 0 {
			t.Fatalf("got %q, want %q in it, after the earlier ones", got, want)
		}
		got = got[at:]
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	d := mustParse(t, sales)
	day, err := ParseDate("2022-09-23")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"input-2022-09-23-000001-sales.csv", ""},
		{"input-2022-09-24-000001-sales.csv", "is for 2022-09-24, but the submission is for 2022-09-23"},
		{"input-2022-09-23-000002-sales.csv", "one of your organisation's ids"},
		{"input-2022-02-30-000001-sales.csv", "not in the calendar"},
		{"input-2022-09-23-000001-salesXcsv", "does not have the form"},
		{"../input-2022-09-23-000001-sales.csv", "does not have the form"},
		{"input-2022-09-23-a/b-sales.csv", "does not have the form"},
	} {
		err := d.CheckFileName(c.name, day, []string{"000001"})
		if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	p := mustParse(t, "dataset: x\nfile_pattern: '^(?P<date>.{10})_(?P<participant>[0-9]+)[.]csv$'\ncolumns: [{name: a, type: text}]\n")
	if f, err := p.ParseFileName("2022-09-23_007.csv"); err != nil || *f.Date != day || f.Participant != "007" {
		t.Errorf("pattern: got %v %v, want 2022-09-23 and 007", f, err)
	}
	none := mustParse(t, "dataset: x\ncolumns: [{name: a, type: text}]\n")
	if err := none.CheckFileName("whatever", day, nil); err != nil {
		t.Errorf("without a rule: got %v, want nil", err)
	}
}
