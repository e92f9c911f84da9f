package test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"tributary/client"
	"tributary/internal/exchange/parse/parsetest"
	"tributary/test/servertest"
)

// mixed takes files of every format.
const mixed = `dataset: mixed
title: Any format
formats: [csv, ndjson, parquet]
columns:
  - {name: a, type: text}
  - {name: b, type: integer, required: true}
limits: {ratio: 1000}
`

// TestFormatsAreToldByContent sends the same rows in each format by the command
// line, under names that say something else.
func TestFormatsAreToldByContent(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	must(s.As(s.Token).ApplyDataset(t.Context(), []byte(mixed)))(t)
	const objects = `{"a":"x","b":1}` + "\n" + `{"b":2}` + "\n" + `{"b":3,"a":"x"}` + "\n"
	for name, text := range map[string]string{
		"table.parquet": "a,b\nx,1\n,2\nx,3\n", "table.csv": parsetest.Honest(t), "table.xlsx": objects, "table.txt": packed(t, objects),
	} {
		file := filepath.Join(t.TempDir(), name)
		writeFile(t, file, text)
		got := servertest.Decode[client.Submission](t, s.Run(a.Key, "submit", "--dataset", "mixed", "--date", date, "--json", file))
		if got.State != "accepted" || got.Rows == nil || *got.Rows != 3 || *got.Columns != 2 {
			t.Errorf("%s: got %+v, want 3 rows accepted", name, got)
		}
		a.keeps(t, got.ID, text)
	}
	// What is wrong is told by row and column, whatever the format.
	file := s.File("table", objects+`{"a":"y","b":"four"}`+"\n"+`{"a":"y","b":5,"c":6}`+"\n")
	out, errs, code := s.Try(a.Key, "submit", "--dataset", "mixed", "--date", date, file)
	for _, want := range []string{`4    b       type            "four" is not a whole number of 64 bits.`, `5    -       column-unknown  This row has a column "c"`} {
		if code != 6 || !strings.Contains(string(out), want) || !strings.Contains(errs, "2 things are wrong.") {
			t.Errorf("submit: got exit code %d, %q, %q; want 6, saying %q", code, out, errs, want)
		}
	}
	s.Stop()
	s.Sound()
}

// TestBombsOfOtherFormats sends files that lie about their sizes, or are much
// larger than they look. The limits or the sandbox stop each, and nobody else.
func TestBombsOfOtherFormats(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	must(s.As(s.Token).ApplyDataset(t.Context(), []byte(mixed)))(t)
	must(s.As(s.Token).ApplyDataset(t.Context(), []byte(strings.NewReplacer("mixed", "small", "ratio: 1000", "bytes: 1MiB, ratio: 1000").Replace(mixed))))(t)
	for _, text := range []string{"a,b\nx,1\n", parsetest.Honest(t), `{"b":1}`} { // what a server needs anyway, it has afterwards
		sent := must(a.Submit(t.Context(), client.Upload{Dataset: "mixed", Date: date, Name: "file", Body: strings.NewReader(text)}))(t)
		if got := must(a.WaitSubmission(t.Context(), sent.ID))(t); got.State != "accepted" {
			t.Fatalf("%.20q: got %s %+v, want accepted", text, got.State, got.Problems)
		}
	}
	b.meanwhile(t, 2)()
	start := s.memory("VmRSS")
	honest := parsetest.Honest(t)
	const memory = "The work needed more than the 538968064 bytes of memory it may take."
	for _, c := range []struct {
		name, dataset string
		body          io.Reader
		want          client.FileError
	}{
		{"Parquet of a billion rows", "mixed", strings.NewReader(parsetest.WithFooter(t, honest, func(m *format.FileMetaData) {
			m.NumRows, m.RowGroups[0].NumRows = 1e9, 1e9
		})), wrong(0, "", "limit", "The file has more than 10000000 rows. Split it, or ask for a higher limit.")},
		{"Parquet that unpacks to 2 GB", "mixed", strings.NewReader(parsetest.WithPage(t, honest, 0, func(h *format.PageHeader, b []byte) []byte {
			h.UncompressedPageSize = 1<<31 - 1
			return b
		})), wrong(0, "", "limit", "A page of the Parquet file unpacks to more than 67108864 bytes. Write it with smaller pages.")},
		{"a run of a billion values", "mixed", strings.NewReader(parsetest.RLEBomb(t)), wrong(0, "", "limit", memory)},
		{"a page that says it unpacks to 4 GB", "mixed", strings.NewReader(parsetest.SnappyBomb(t)), wrong(0, "", "limit", memory)},
		{"Parquet cut off", "mixed", strings.NewReader(honest[:len(honest)-20]), wrong(0, "", "format", "The file begins as Parquet and does not end so: it is cut off. Send it again.")},
		{"300 MB of no Parquet", "mixed", &line{"PAR1\x15", 300e6}, wrong(0, "", "format", "The file begins as Parquet and does not end so: it is cut off. Send it again.")},
		{"NDJSON of one line of 1 GB", "mixed", &line{`{"a":"`, 1e9}, wrong(1, "", "limit", "A record is longer than 4194304 bytes, in line 1. Is a quote missing?")},
		{"NDJSON of one line of 1 GB in gzip", "mixed", packing(t, &line{`{"a":"`, 1e9}), wrong(1, "", "limit", "A record is longer than 4194304 bytes, in line 1. Is a quote missing?")},
		{"deep JSON", "mixed", strings.NewReader(`{"b":` + strings.Repeat(`{"b":`, 500_000)), wrong(1, "", "json", "Line 1 is not one JSON object: see its byte 50001. Write each row as an object on a line of its own.")},
		{"objects of nothing", "small", packing(t, repeated("", "{}\n", 4<<20)), wrong(0, "", "limit", "The file is larger than the limit of 1048576 bytes, as sent or unpacked.")},
	} {
		t.Run(c.name, func(t *testing.T) {
			bystander := b.meanwhile(t, 2)
			if c.name == "objects of nothing" { // each row of which lacks a value that is required
				sent := must(a.Submit(t.Context(), client.Upload{Dataset: c.dataset, Date: date, Name: "file", Body: c.body}))(t)
				got := must(a.WaitSubmission(t.Context(), sent.ID))(t)
				if got.State != "rejected" || *got.Rows > 1<<20/3+1<<15 || got.Problems[0].Code != "required" {
					t.Errorf("got %s after %d rows, want it rejected within the limit", got.State, *got.Rows)
				}
			} else {
				a.bomb(t, c.dataset, c.body, c.want)
			}
			bystander()
			t.Logf("resident %d MiB, most %d MiB", s.memory("VmRSS")>>20, s.memory("VmHWM")>>20)
		})
	}
	if most := s.memory("VmHWM"); most > start+grows {
		t.Errorf("the server's memory: got %d MiB at most, %d MiB before, want less than %d MiB more", most>>20, start>>20, grows>>20)
	}
	s.Stop()
	s.Sound()
}
