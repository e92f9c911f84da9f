package parse

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"tributary/internal/exchange/contract"
)

// Text that begins like another format is text.
func TestHeadersThatLookLikeOtherFormats(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"PAR1", "PARE", "BZhours", "BZh91AY", "ORC", "ORC2", "MZ", "PK", "Obj1"} {
		for _, end := range []string{"\n", "\r\n"} {
			d := dataset(t, "dataset: x\ncsv: {delimiter: \"\\t\"}\ncolumns: [{name: "+name+", type: text}, {name: v, type: integer}]\n")
			if v, _ := run(t, d, Facts{}, name+"\tv"+end+"x\t1"+end); !v.Accepted {
				t.Errorf("%q: %+v", name, v.Errors)
			}
			d = dataset(t, "dataset: x\ncolumns: [{name: "+name+", type: text}]\n")
			if v, _ := run(t, d, Facts{}, name+end+"x"+end); !v.Accepted {
				t.Errorf("%q alone: %+v", name, v.Errors)
			}
		}
	}
}

func parquetFile(t *testing.T, rows ...struct{ A string }) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct{ A string }](&b)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRealFilesOfOtherFormatsAreNamed(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\ncolumns: [{name: a, type: text}]\n")
	for name, c := range map[string]struct{ file, want string }{
		"Parquet":              {parquetFile(t, struct{ A string }{"x"}), "a Parquet file"},
		"Parquet without rows": {parquetFile(t), "a Parquet file"},
		// printf 'a\nx\n' | bzip2 -1, and nothing through bzip2 -9.
		"bzip2":       {decoded(t, "QlpoMTFBWSZTWQZuB1wAAAFBgAAQIAAAQCAAMMwMeoJxdyRThQkAZuB1wA=="), "a bzip2 archive"},
		"empty bzip2": {decoded(t, "QlpoORdyRThQkAAAAAA="), "an empty bzip2 archive"},
		"ORC":         {"ORC\x0a\x06\x12\x04\x08\x05\x50\x00", "an ORC file"},
		"packed ORC":  {"ORC\x11\x00\x00\x0a\x06\x12\x04\x08\x05\x50\x00", "an ORC file"},
	} {
		v, _ := run(t, d, Facts{}, c.file)
		if len(v.Errors) == 0 || v.Errors[0].Code != CodeFormat || !strings.Contains(v.Errors[0].Message, c.want+",") {
			t.Errorf("%s: %+v, want it named as %s", name, v.Errors, c.want)
		}
	}
}

func TestWhatFollowsGzip(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x\nlimits: {bytes: 1 MiB}"+twoColumns)
	whole, zeros := packed(t, "a,v\nx,1.5\n"), strings.Repeat("\x00", 100_000)
	for _, c := range []struct{ name, file, want string }{
		{"zeros", whole + zeros, ""},
		{"one zero", whole + "\x00", ""},
		{"zeros after two members", packed(t, "a,v\n") + packed(t, "x,1.5\n") + zeros, ""},
		{"an empty member and zeros", whole + packed(t, "") + zeros, ""},
		{"text", whole + "x", "More bytes follow"},
		{"zeros and text", whole + zeros + "x", "More bytes follow"},
		{"zeros and a member", whole + zeros + whole, "More bytes follow"},
		{"half a header", whole + gzipMagic[:1], "cut off or damaged"},
		{"a header", whole + gzipMagic, "cut off or damaged"},
		{"half a member", whole + whole[:len(whole)-1], "cut off or damaged"},
		{"no end and zeros", whole[:len(whole)-8] + zeros, "cut off or damaged"},
		{"more zeros than a file may have", whole + strings.Repeat("\x00", 1<<20), "larger than the limit"},
	} {
		for _, chunk := range []int{1, 1 << 20} {
			var table bytes.Buffer
			v, err := Check(d, Facts{}, bytes.NewReader(frames(t, d, chunked{strings.NewReader(c.file), chunk})), &table)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.want == "" && !v.Accepted || c.want != "" && (len(v.Errors) == 0 || !strings.Contains(v.Errors[len(v.Errors)-1].Message, c.want)) {
				t.Errorf("%s, in chunks of %d: %+v, want %q", c.name, chunk, v.Errors, c.want)
			}
		}
	}
}

// Members of all sizes come out as one text, whole.
func TestManyMembersOfGzip(t *testing.T) {
	t.Parallel()
	d := dataset(t, "dataset: x"+twoColumns)
	text := "a,v\n" + strings.Repeat("some text,12.50\n", 5_000)
	var file bytes.Buffer
	for rest := text; rest != ""; {
		n := min(len(rest), 1+rand.IntN(9_000))
		w := gzip.NewWriter(&file)
		if _, err := w.Write([]byte(rest[:n])); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	plain, want := run(t, d, Facts{}, text)
	if v, got := run(t, d, Facts{}, file.String()); !v.Accepted || v.Rows != plain.Rows || !bytes.Equal(got, want) {
		t.Errorf("got %+v, want %+v and the same accepted form", v, plain)
	}
}

// bytesOfKey is what a key takes at most: a slot of 16 bytes, in a table that is
// three eighths full right after it has grown.
const bytesOfKey = 43

// The keys of the largest file that may have a unique key take no more than the
// 256 MiB that docs/operations.md plans for. A shard gets its part of them, and
// six standard deviations more.
func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	const shards = 256
	const keys = contract.MaxUniqueRows/shards + 1300
	var s keySet
	if len(s.shards) != shards {
		t.Fatalf("%d shards, want %d", len(s.shards), shards)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for row := range int64(keys) {
		s.shards[0].add(random.Uint64(), random.Uint32(), row+1)
	}
	const most = 256 << 20
	if got := shards * len(s.shards[0].slots) * int(unsafe.Sizeof(slot{})); got > most {
		t.Errorf("the keys of %d rows take %d bytes, want at most %d", contract.MaxUniqueRows, got, most)
	}
	_, err := contract.Parse([]byte("dataset: x\ncolumns: [{name: a, type: text}]\nunique: [a]\nlimits: {rows: 12000001}\n"))
	if err == nil || !strings.Contains(err.Error(), "at most 12000000 rows") {
		t.Errorf("a contract with more rows: %v", err)
	}
}
