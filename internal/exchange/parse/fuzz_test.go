package parse

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

// Dialects that the fuzzer picks from, by number.
var fuzzed = []string{
	"{}",
	"{header: false}",
	`{delimiter: ";", decimal: ",", thousands: ".", quote: "'", comment: "#", null: [NA]}`,
	`{quote: "", delimiter: "\t"}`,
	"{encoding: utf-16}",
	"{encoding: windows-1252, compression: none}",
	"{compression: gzip}",
}

const fuzzedRest = `
columns:
  - {name: a, type: text, required: true, pattern: "^[a-z]*$", max_length: 9}
  - {name: v, type: decimal, scale: 2, min: 0}
  - {name: f, type: float}
  - {name: d, type: date, format: D.M.YYYY}
  - {name: t, type: timestamp}
  - {name: b, type: boolean}
  - {name: i, type: integer}
unique: [a, v]
limits: {field: 200, columns: 9, rows: 50, bytes: 100kB}
`

// Whatever a file is, the child's half ends without an error, and the server's
// half understands its frames.
func FuzzCSV(f *testing.F) {
	for i, text := range []string{
		"a,v,f,d,t,b,i\nx,1.5,2e3,1.2.2024,2024-02-29T00:00:00Z,yes,-7\ny,,,,,,\n",
		"x,1.50,.5,01.02.2024,2024-02-29 00:00:00.123+01:00,0,9223372036854775807\n\"x\"\"\n\",1,,,,,\nz\n",
		"#c\na;v;f;d;t;b;i\r\nx;1.234,5;'1,5';;;;\r\nNA;NA;NA;NA;NA;NA;NA\r\n",
		"a\tv\tf\td\tt\tb\ti\n\"x\t1\t\t\t\t\t\n",
		"\xff\xfea\x00,\x00v\x00\n\x00",
		"a,v,f,d,t,b,i\n\x80\x81,1,,,,,\n",
		"\x1f\x8b\x08\x00",
		"\"a\",\"v",
		"PAR1",
		"a,v,f,d,t,b,i\nx\x00\xff,1..2,1e,31.2.2024,2024,x,1.5\n",
	} {
		f.Add(uint8(i), []byte(text))
	}
	f.Fuzz(func(t *testing.T, which uint8, file []byte) {
		d := dataset(t, "dataset: x\ncsv: "+fuzzed[int(which)%len(fuzzed)]+fuzzedRest)
		v, table := run(t, d, Facts{}, string(file))
		if !v.Accepted {
			return
		}
		if got := int64(len(rows(t, table))); got != v.Rows {
			t.Errorf("the accepted form has %d rows, want %d", got, v.Rows)
		}
	})
}

// The same for NDJSON.
func FuzzNDJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":"x","v":1.50,"f":2e3,"d":"1.2.2024","t":"2024-02-29T00:00:00Z","b":true,"i":-7}` + "\n{}\n",
		"\xef\xbb\xbf{\"a\":\"\\ud83d\\ude00\"}\r\n\n{\"v\":\"1.5\",\"v\":1e2}",
		`{"a":[{}],"b":{"c":[]},"i":1e18}` + "\n" + `{"a":null,"x":1,"A":2}` + "\n{",
		"{\"a\":\"\xff\\u0000\"}\n[1]\n{\"i\":0e99,\"v\":-0.0e-5}\n",
	} {
		f.Add([]byte(text))
	}
	d := dataset(f, "dataset: x\nformats: [ndjson]"+fuzzedRest)
	f.Fuzz(func(t *testing.T, file []byte) {
		v, table := run(t, d, Facts{}, "{}\n"+string(file))
		if !v.Accepted {
			return
		}
		if got := int64(len(rows(t, table))); got != v.Rows {
			t.Errorf("the accepted form has %d rows, want %d", got, v.Rows)
		}
	})
}

// What plainDigits makes of a JSON number is the same number.
func FuzzJSONNumbers(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.50", "12e3", "125E-2", "-0.001e+3", "1e64", "1e-65", "0e999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) || strings.Trim(s, "-+.eE0123456789") != "" || strings.Contains(s, "e") && len(s) > 100 {
			return
		}
		got, flaw := plainDigits(contract.Decimal, []byte(s))
		if flaw != sound {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		have, ok2 := new(big.Rat).SetString(string(got))
		if strings.HasPrefix(s, "0e") || strings.HasPrefix(s, "-0e") { // too large for a big.Rat, and zero
			return
		}
		if !ok || !ok2 || want.Cmp(have) != 0 || strings.ContainsAny(string(got), "eE") {
			t.Errorf("%s: got %s", s, got)
		}
	})
}

// The same for Parquet. What the library allocates for what a page says is bounded
// by the sandbox, so files that are refused for it are as good as others.
func FuzzParquet(f *testing.F) {
	csv := dataset(f, "dataset: x\ncsv: {}"+fuzzedRest)
	for _, text := range []string{"a,v,f,d,t,b,i\nx,1.5,2e3,1.2.2024,2024-02-29T00:00:00Z,yes,-7\ny,,,,,,\n", "a,v,f,d,t,b,i\nz,,,,,,\n"} {
		_, table := run(f, csv, Facts{}, text)
		f.Add(table)
	}
	d := dataset(f, "dataset: x\nformats: [parquet]"+fuzzedRest)
	f.Fuzz(func(t *testing.T, file []byte) {
		v, table := run(t, d, Facts{}, string(file))
		if !v.Accepted {
			return
		}
		if got := int64(len(rows(t, table))); got != v.Rows {
			t.Errorf("the accepted form has %d rows, want %d", got, v.Rows)
		}
	})
}

// FuzzRecords compares our reader with the standard library's on what both
// know: quotes ", records ending with LF.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{"a,b\n\"c\"\"\n\",d\n", "\"", "a\"b", "\"a\"b", ",\n,\n\n", "a,\"b\"", "\"\"", "\n\n\"\"\n"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, chunk uint8) {
		if strings.Contains(text, "\r") {
			return
		}
		want := csv.NewReader(strings.NewReader(text))
		want.FieldsPerRecord = -1
		got := newRecords(chunked{strings.NewReader(text), int(chunk) + 1}, ',', '"', 0, 1<<20, 1<<20)
		for {
			w, wantErr := want.Read()
			g, err := got.next()
			if err == nil && got.bare {
				err = errors.New("bare quote")
			}
			if (errors.Is(err, io.EOF)) != (wantErr == io.EOF) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: got %v, want %v", text, err, wantErr)
			}
			if err != nil {
				return
			}
			var fields []string
			for _, b := range g {
				fields = append(fields, string(b))
			}
			if !slices.Equal(fields, w) {
				t.Fatalf("%q: got %q, want %q", text, fields, w)
			}
		}
	})
}

// Whatever a child writes, the server's half neither crashes nor writes a table
// that cannot be read.
func FuzzFrames(f *testing.F) {
	d := dataset(f, "dataset: x\ncsv: {}"+fuzzedRest)
	for _, text := range []string{
		"a,v,f,d,t,b,i\nx,1.5,2e3,1.2.2024,2024-02-29T00:00:00Z,yes,-7\ny,,,,,,\n",
		"a,v,f,d,t,b,i\nx,y,z,1,2,3,x\nx\n\"\n",
		"a,v\n",
		"PAR1",
	} {
		f.Add(frames(f, d, strings.NewReader(text)))
	}
	f.Add([]byte{frameBatch, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, wire []byte) {
		var table bytes.Buffer
		v, err := Check(d, Facts{}, bytes.NewReader(wire), &table)
		if err != nil || !v.Accepted {
			return
		}
		if _, err := parquet.OpenFile(bytes.NewReader(table.Bytes()), int64(table.Len())); err != nil {
			t.Fatal(err)
		}
		if got := int64(len(rows(t, table.Bytes()))); got != v.Rows {
			t.Errorf("the accepted form has %d rows, want %d", got, v.Rows)
		}
	})
}
