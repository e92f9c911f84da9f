package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tributary/client"
	"tributary/test/servertest"
)

// grows is how much memory bombs may cost the server itself.
const grows = 64 << 20

// line is a file of one line, which is made while it is read.
type line struct {
	start string
	left  int64
}

func (l *line) Read(p []byte) (int, error) {
	if l.start != "" {
		n := copy(p, l.start)
		l.start = l.start[n:]
		return n, nil
	}
	if l.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(l.left, int64(len(p))))
	for i := range p[:n] {
		p[i] = 'x'
	}
	l.left -= int64(n)
	return n, nil
}

// packing is what r reads, compressed while it is read.
func packing(t *testing.T, r io.Reader) io.Reader {
	t.Helper()
	out, w := io.Pipe()
	t.Cleanup(func() { out.Close() }) // whoever writes must not wait for ever
	go func() {
		z := must(gzip.NewWriterLevel(w, gzip.BestSpeed))(t)
		_, err := io.Copy(z, r)
		if err == nil {
			err = z.Close()
		}
		w.CloseWithError(err)
	}()
	return out
}

// repeated is a header, and a row again and again up to a size.
func repeated(header, row string, size int64) io.Reader {
	block := strings.Repeat(row, 64<<10/len(row))
	var parts []io.Reader
	for n := int64(0); n < size; n += int64(len(block)) {
		parts = append(parts, strings.NewReader(block))
	}
	return io.MultiReader(append([]io.Reader{strings.NewReader(header)}, parts...)...)
}

// memory returns a figure of the server process in bytes: VmRSS, or VmHWM, the most
// that it had. Its children are other processes.
func (s *server) memory(figure string) int64 {
	s.T.Helper()
	status := string(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid)))(s.T))
	_, rest, found := strings.Cut(status, figure+":")
	number, _, ok := strings.Cut(rest, " kB")
	if !found || !ok {
		s.T.Fatalf("the server's status has no %s: %q", figure, status)
	}
	return must(strconv.ParseInt(strings.TrimSpace(number), 10, 64))(s.T) << 10
}

// bomb sends a file as A, and wants it rejected with this problem alone.
func (p party) bomb(t *testing.T, dataset string, body io.Reader, want client.FileError) client.Submission {
	t.Helper()
	sent, err := p.Submit(t.Context(), client.Upload{Dataset: dataset, Date: date, Name: servertest.InputName(1, date), Body: body})
	if err == nil {
		sent, err = p.WaitSubmission(t.Context(), sent.ID)
	}
	if err != nil || sent.State != "rejected" || len(sent.Problems) != 1 || sent.Problems[0] != want {
		t.Errorf("got %s %+v, %v, want it rejected for %+v", sent.State, sent.Problems, err, want)
	}
	return sent
}

// TestBombsStayOutsideOfTheServer sends files that are much larger than they look or
// than anybody should hold in memory. Each is rejected by the limit that it breaks,
// B's files are accepted meanwhile, and the server's own memory hardly grows.
func TestBombsStayOutsideOfTheServer(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	must(s.As(s.Token).ApplyDataset(t.Context(), []byte(loose)))(t)
	// What a server needs anyway, it has afterwards.
	before := a.Accepted(t, date, servertest.Values(1, date, "x,y,1"))
	b.meanwhile(t, 2)()
	start := s.memory("VmRSS")
	row := header + "20221101,000001,"
	for _, c := range []struct {
		name, dataset string
		body          io.Reader
		want          client.FileError
	}{
		{"one line of 1 GB", dataset, &line{row, 1e9}, wrong(1, "", "limit", "A value is longer than 65536 bytes, in line 2. Is a quote or a line end missing?")},
		{"one line of 1 GB in gzip", dataset, packing(t, &line{row, 1e9}), wrong(1, "", "limit", "A value is longer than 65536 bytes, in line 2. Is a quote or a line end missing?")},
		{"a header of 1 GB in gzip", dataset, packing(t, &line{"", 1e9}), wrong(0, "", "limit", "A value is longer than 65536 bytes, in line 1. Is a quote or a line end missing?")},
		{"a quoted line of 1 GB in gzip", dataset, packing(t, &line{row + `"`, 1e9}), wrong(1, "", "limit", "A value is longer than 65536 bytes, in line 2. Is a quote or a line end missing?")},
		{"a comma a GB in gzip", dataset, packing(t, repeated(row, ",,,,", 1e9)), wrong(1, "", "limit", "A record has more than 200 columns, in line 2.")},
		{"rows of 1 GB in gzip", "loose-100", packing(t, repeated("Tag,Value\n", "x,1\n", 1e9)), wrong(0, "", "limit", "The file unpacks to more than 100 times its size. Send it uncompressed.")},
		{"rows that unpack to more than may be sent", "small", packing(t, repeated("Tag,Value\n", "x,1\n", 4<<20)), wrong(0, "", "limit", "The file is larger than the limit of 1048576 bytes, as sent or unpacked.")},
	} {
		if c.dataset == "loose-100" {
			must(s.As(s.Token).ApplyDataset(t.Context(), []byte(strings.NewReplacer("loose", c.dataset, "ratio: 1000", "ratio: 100").Replace(loose))))(t)
		}
		if c.dataset == "small" {
			must(s.As(s.Token).ApplyDataset(t.Context(), []byte(strings.NewReplacer("loose", c.dataset, "ratio: 1000", "bytes: 1MiB, ratio: 1000").Replace(loose))))(t)
		}
		t.Run(c.name, func(t *testing.T) {
			bystander := b.meanwhile(t, 2)
			a.bomb(t, c.dataset, c.body, c.want)
			bystander()
			t.Logf("resident %d MiB, most %d MiB", s.memory("VmRSS")>>20, s.memory("VmHWM")>>20)
		})
	}
	if most := s.memory("VmHWM"); most > start+grows {
		t.Errorf("the server's memory: got %d MiB at most, %d MiB before, want less than %d MiB more", most>>20, start>>20, grows>>20)
	}
	if still := must(a.Submission(t.Context(), before.ID))(t); still.State != "accepted" {
		t.Errorf("the good file from before: got %s, want accepted", still.State)
	}
	s.Stop()
	s.Sound()
}

// TestTheUnpackLimitIsWhatStopsABomb sends the same bytes for two datasets, which
// differ in nothing but that limit.
func TestTheUnpackLimitIsWhatStopsABomb(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, _ := s.exchange()
	bomb := must(io.ReadAll(packing(t, repeated("Tag,Value\n", "x,1\n", 16<<20))))(t)
	if ratio := 16 << 20 / len(bomb); ratio < 101 || ratio > 999 {
		t.Fatalf("the bomb unpacks to %d times its size, want between the limits", ratio)
	}
	for ratio, state := range map[string]string{"100": "rejected", "1000": "accepted"} {
		name := "ratio-" + ratio
		must(s.As(s.Token).ApplyDataset(t.Context(), []byte(strings.NewReplacer("loose", name, "1000", ratio).Replace(loose))))(t)
		sent := must(a.Submit(t.Context(), client.Upload{Dataset: name, Date: date, Name: "bomb.csv.gz", Body: bytes.NewReader(bomb)}))(t)
		if got := must(a.WaitSubmission(t.Context(), sent.ID))(t); got.State != state {
			t.Errorf("at most %s times: got %s %+v, want %s", ratio, got.State, got.Problems, state)
		}
	}
	file := filepath.Join(t.TempDir(), "bomb.csv.gz")
	writeFile(t, file, string(bomb))
	const says = "The file unpacks to more than 100 times its size. Send it uncompressed."
	if out, _, code := s.Try(a.Key, "submit", "--dataset", "ratio-100", "--date", date, file); code != 6 || !strings.Contains(string(out), says) {
		t.Errorf("submit: got exit code %d, %q, want 6, saying %q", code, out, says)
	}
}
