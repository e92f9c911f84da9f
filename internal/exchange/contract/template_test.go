package contract

import (
	"slices"
	"testing"
)

func TestExampleNamesFit(t *testing.T) {
	t.Parallel()
	date, err := ParseDate("2024-02-29")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                    "x-2024-02-29.csv",
		"formats: [parquet]\n":                "x-2024-02-29.parquet",
		"file_name: \"{dataset}_{date}.txt\"": "x_2024-02-29.txt",
		"file_pattern: '^in-(?P<date>[0-9-]+)-(?P<participant>[^.]+)\\.csv(\\.gz)?$'": "in-2024-02-29-000001.csv",
		"file_pattern: '^[/]$'": "x-2024-02-29.csv",
	} {
		d, err := Parse([]byte("dataset: x\ncolumns: [{name: a, type: text}]\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.ExampleName(date, "000001"); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestContractsInWords(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`dataset: x
formats: [csv, ndjson]
csv: {delimiter: ";", decimal: ",", null: ["", NA]}
columns:
  - {name: day, type: date, format: YYYYMMDD, role: business_date}
  - {name: who, type: text, role: participant}
  - {name: kind, type: text, allowed: [b, a], max_length: 4, pattern: "^."}
  - {name: n, type: integer, min: 0}
unique: [kind, n]
file_name: "x-{date}.csv"
limits: {bytes: 1KiB, rows: 10000}
cadence: weekly
due: {after_days: 1, at: "12:00", zone: Europe/Zurich, grace: 90m}
retention: {days: 30}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"A file is CSV or NDJSON (one JSON object a line).",
		`Values in CSV are separated by semicolons, in the encoding utf-8, with the decimal sign ",".`,
		"The first line names the columns, in any order.",
		`No value is written as nothing or "NA".`,
		"It is called x-{date}.csv, where {date} is the business date.",
		"Every row has the business date in the column day.",
		"Every row has one of your organisation's ids in the column who.",
		"No two rows have the same kind and n.",
		"At most 1 KiB and 10,000 rows.",
		"One file for each week.",
		"It is due 1 day after its period has ended, at 12:00 (Europe/Zurich).",
		"Scheduled runs wait 90 minutes longer; what comes after is left out of them.",
		"It is kept for 30 days, then its bytes are deleted.",
	}
	if got := d.Words(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for i, want := range [][]string{{"the business date of the file", "written as YYYYMMDD"}, {"one of your organisation's ids"},
		{"one of a, b", "matches ^.", "at most 4 characters"}, {"at least 0"}} {
		if got := d.Columns[i].Rules(); !slices.Equal(got, want) {
			t.Errorf("column %d: got %q, want %q", i, got, want)
		}
	}
}
