//go:build linux && (amd64 || arm64)

package parse

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"tributary/internal/exchange/parse/parsetest"
	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main(Program())
	os.Exit(m.Run())
}

func TestInTheSandbox(t *testing.T) {
	t.Parallel()
	level, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	d := dataset(t, goldenContract)
	args, err := Args(d)
	if err != nil {
		t.Fatal(err)
	}
	golden := generate(50_000)
	var columns []string
	for i := range 100_000 {
		columns = append(columns, tagOf(i))
	}
	for _, c := range []struct {
		name string
		file io.Reader
		size int64
		want string
	}{
		{"golden", strings.NewReader(golden), int64(len(golden)), ""},
		{"gzip", strings.NewReader(packed(t, golden)), int64(len(golden)) / 10, ""},
		{"one line of 1 GB", io.LimitReader(&endless{text: "x"}, 1e9), 1e9, "0  limit\n"},
		{"one quoted value of 1 GB", io.LimitReader(&endless{text: "\"\""}, 1e9), 1e9, "0  limit\n"},
		{"100,000 columns", strings.NewReader(strings.Join(columns, ",")), 700_000, "0  limit\n"},
		{"gzip bomb", strings.NewReader(packed(t, strings.Repeat("\n", 8<<20))), 8 << 10, "0  limit\n"},
		{"nothing", strings.NewReader(""), 0, "0  empty\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var v Verdict
			var table bytes.Buffer
			job := sandbox.Job{Program: ProgramName, Args: args, Stream: c.file, Limits: Limits(d, c.size)}
			err := box.Run(t.Context(), job, func(r io.Reader) (err error) {
				v, err = Check(d, Facts{day(t, "2022-09-23"), []string{"000001"}}, r, &table)
				return err
			})
			if err != nil || listed(v) != c.want || v.Accepted != (c.want == "") {
				t.Fatalf("got %+v %v, want %q", v, err, c.want)
			}
			if !v.Accepted {
				return
			}
			if _, here := run(t, d, Facts{day(t, "2022-09-23"), []string{"000001"}}, golden); !bytes.Equal(here, table.Bytes()) {
				t.Error("the accepted form has other bytes than without a sandbox")
			}
		})
	}
}

// Parquet bombs blow up in the child, whose limits end it or whose checks do.
func TestParquetInTheSandbox(t *testing.T) {
	t.Parallel()
	level, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	d := dataset(t, liarContract)
	args, err := Args(d)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, want string }{
		"honest":                               {parsetest.Honest(t), ""},
		"cut off":                              {parsetest.Honest(t)[:100], "0  format\n"},
		"text":                                 {"PAR1\x01,b\nx,1\n", "0  format\n"},
		"RLE bomb":                             {parsetest.RLEBomb(t), "!memory"},
		"packed to a larger page than it says": {parsetest.SnappyBomb(t), "!memory"},
		"lists without end":                    {"PAR1\x15" + thriftLists + "\x09\x00\x00\x00PAR1", "0  format\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := sandbox.NewMemory("file")
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			job := sandbox.Job{Program: ProgramName, Args: args, Limits: Limits(d, int64(len(c.file))), Inputs: []*sandbox.Memory{m}}
			job.Fill = func(context.Context) error {
				if _, err := io.WriteString(m, c.file); err != nil {
					return err
				}
				return m.Seal()
			}
			if !InMemory(d, []byte(c.file[:8]), int64(len(c.file))) {
				t.Fatal("the file would be a stream")
			}
			var v Verdict
			var table bytes.Buffer
			err = box.Run(t.Context(), job, func(r io.Reader) (err error) {
				v, err = Check(d, Facts{}, r, &table)
				return err
			})
			if limit, ok := strings.CutPrefix(c.want, "!"); ok {
				if !fault.Is(err, fault.TooLarge) || !strings.Contains(fault.Message(err), limit) {
					t.Errorf("got %+v %v, want it stopped for its %s", v, err, limit)
				}
				return
			}
			if err != nil || listed(v) != c.want || v.Accepted != (c.want == "") {
				t.Errorf("got %+v %v, want %q", v, err, c.want)
			}
		})
	}
}

// thriftLists is a footer that says that its schema has two billion elements.
const thriftLists = "\x15\x02\x19\xfc\xff\xff\xff\xff\x07"
