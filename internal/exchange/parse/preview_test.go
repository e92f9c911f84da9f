package parse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"tributary/internal/exchange/contract"
)

// previewOf runs both halves of a preview in this process.
func previewOf(t testing.TB, d *contract.Dataset, file io.Reader) Preview {
	t.Helper()
	args, err := Args(d)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := PreviewMain(context.Background(), args, file, &out); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPreview(&out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// table writes a preview with null as –.
func (p Preview) table() string {
	lines := []string{strings.Join(p.Columns, "|")}
	for _, row := range p.Rows {
		var cells []string
		for _, v := range row {
			if v == nil {
				cells = append(cells, "–")
			} else {
				cells = append(cells, *v)
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	return strings.Join(lines, "\n") + fmt.Sprintf("\n%v %v %d", p.More, p.Stopped, p.Hidden)
}

func TestPreviewShowsWhatWasSent(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 200)
	csv := dataset(t, "dataset: x\ncsv: {delimiter: ';'}\ncolumns:\n  - {name: a, type: integer}\n  - {name: b, type: text}\n")
	latin := dataset(t, "dataset: x\ncsv: {encoding: iso-8859-1, header: false}\ncolumns:\n  - {name: a, type: text}\n  - {name: b, type: text}\n")
	json := dataset(t, "dataset: x\nformats: [ndjson]\ncolumns:\n  - {name: a, type: integer}\n  - {name: b, type: text}\n")
	many := "a;b\n" + strings.Repeat("1;x\n", PreviewRows+1)
	for name, c := range map[string]struct {
		d          *contract.Dataset
		file, want string
	}{
		"as it is":       {csv, "b;a;c\nx;one;\n\"y;z\";2;3\n", "b|a|c\nx|one|\ny;z|2|3\nfalse false 0"},
		"ragged":         {csv, "a;b\n1\n1;2;3\n", "a|b\n1|–\n1|2|3\nfalse false 0"},
		"hostile":        {csv, "a;b\n<script>alert(1)</script>;a\u202eb\x1b[31m\x00\n", "a|b\n<script>alert(1)</script>|a\ufffdb\ufffd[31m\ufffd\nfalse false 0"},
		"not UTF-8":      {csv, "a;b\n1;\xff\n", "a|b\n1|\ufffd\nfalse false 0"},
		"long":           {csv, "a;b\n1;" + long + "\n", "a|b\n1|" + strings.Repeat("é", previewCell) + "…\nfalse false 0"},
		"quotes":         {csv, "a;b\n1;x\n2;\"y\" z\n", "a|b\n1|x\nfalse true 0"},
		"a picture":      {csv, "\x89PNG\r\n\x1a\n", "\nfalse true 0"},
		"nothing":        {csv, "", "\nfalse true 0"},
		"many":           {csv, many, "a|b\n" + strings.Repeat("1|x\n", PreviewRows) + "true false 0"},
		"packed":         {csv, packed(t, many), "a|b\n" + strings.Repeat("1|x\n", PreviewRows) + "true false 0"},
		"many columns":   {csv, strings.Repeat("c;", PreviewColumns) + "c;c\n", strings.Repeat("c|", PreviewColumns-1) + "c\nfalse false 2"},
		"another coding": {latin, "gr\xfcn,1\n", "a|b\ngrün|1\nfalse false 0"},
		"objects":        {json, "{\"b\":\"\\u202ex\",\"a\":1}\n\n{\"c\":[1, 2],\"a\":null}\nno object\n", "a|b|c\n1|\ufffdx|–\n–|–|[1, 2]\nno object|–|–\nfalse false 0"},
		"parquet cut":    {json, "PAR1\x15\x04", "\nfalse true 0"},
	} {
		if got := previewOf(t, c.d, iotest.OneByteReader(strings.NewReader(c.file))).table(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestPreviewOfTheAcceptedForm(t *testing.T) {
	t.Parallel()
	d := dataset(t, goldenContract)
	golden := generate(1000)
	v, table := run(t, d, Facts{day(t, "2022-09-23"), []string{"000001"}}, golden)
	if !v.Accepted {
		t.Fatalf("%+v", v)
	}
	accepted, sent := previewOf(t, d, bytes.NewReader(table)), previewOf(t, d, strings.NewReader(golden))
	if len(accepted.Rows) != PreviewRows || len(sent.Rows) != PreviewRows || !accepted.More || accepted.Stopped {
		t.Fatalf("accepted: %d rows, more %v, stopped %v; sent: %d rows", len(accepted.Rows), accepted.More, accepted.Stopped, len(sent.Rows))
	}
	for i, c := range d.Columns {
		if accepted.Columns[i] != c.Name {
			t.Errorf("column %d: got %q, want %q", i, accepted.Columns[i], c.Name)
		}
		if c.Type == contract.DateType && *accepted.Rows[0][i] != "2022-09-23" {
			t.Errorf("a date: got %q, want 2022-09-23", *accepted.Rows[0][i])
		}
	}
}

// A template is a file that its own contract accepts.
func TestTemplatesAreAccepted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"golden": goldenContract,
		"dialect": `csv: {delimiter: ";", decimal: ",", quote: "'", null: ["", NA]}
columns:
  - {name: "a+b", type: decimal, scale: 3, min: 100}
  - {name: "c", type: text, allowed: ["x;y", "z"]}
  - {name: d, type: float, max: -1.5}
  - {name: e, type: timestamp, format: "DD.MM.YYYY HH:mm:ss.SSSZ"}
  - {name: f, type: date, format: D/M/YYYY, min: 2030-01-01}
`,
		"patterns": `columns:
  - {name: a, type: text, required: true, pattern: "^[A-Z]{2}[0-9]{4}$", max_length: 6}
  - {name: b, type: text, required: true, pattern: "^(DE|FR)-\\d+(\\.\\d)?$"}
  - {name: c, type: text, required: true, pattern: "^[^a-z ]*$"}
  - {name: d, type: text, required: true, max_length: 3}
`,
		"no header":      "csv: {header: false}\ncolumns:\n  - {name: a, type: boolean}\n  - {name: b, type: integer, max: 3}\n",
		"latin":          "csv: {encoding: iso-8859-1}\ncolumns:\n  - {name: Größe, type: timestamp, required: true}\n",
		"utf-16":         "csv: {encoding: utf-16}\ncolumns:\n  - {name: Größe, type: timestamp, required: true}\n",
		"objects":        "formats: [ndjson]\ncolumns:\n  - {name: 'a & b', type: decimal, scale: 2}\n  - {name: c, type: date, format: YYYYMMDD, role: business_date}\n  - {name: d, type: boolean}\n  - {name: e, type: text, role: participant}\n",
		"objects or CSV": "formats: [ndjson, csv]\ncolumns:\n  - {name: a, type: integer}\n",
	} {
		if name != "golden" {
			text = "dataset: x\n" + text
		}
		d := dataset(t, text)
		for _, id := range []string{"000001", "a;b'c\"d,e"} {
			file, err := Template(d, day(t, "2022-09-23"), id)
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := run(t, d, Facts{day(t, "2022-09-23"), []string{id}}, string(file)); !v.Accepted || v.Rows != 1 {
				t.Errorf("%s: got %+v for %q, want it accepted", name, v, file)
			}
		}
	}
	if _, err := Template(dataset(t, "dataset: x\nformats: [parquet]\ncolumns:\n  - {name: a, type: integer}\n"), 0, ""); err == nil {
		t.Error("there is a template of Parquet")
	}
}
