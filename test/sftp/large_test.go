package sftp

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestLargeFiles sends a file of more than 4 GiB, and goes on with it behind that, with OpenSSH's
// client: sizes and offsets that need more than 32 bits, on each way.
func TestLargeFiles(t *testing.T) {
	if os.Getenv("TRIBUTARY_LARGE") == "" {
		t.Skip("it moves 8 GiB, which takes two minutes: set TRIBUTARY_LARGE; internal/app and internal/gateway/sftp have what is quick")
	}
	t.Parallel()
	const broken, size = 1<<32 + 1<<19, 1<<32 + 1<<20
	const sum = "da70d419909e1f9049954b43e21f32eded40a2868c4441e7d166098b4c58280e" // of 4 GiB of zeros, and 1 MiB of the line below
	w := newWorld(t, "")
	contract := strings.Replace(string(servertest.Example(t, "dataset.yaml")), "dataset: tagged-values", "dataset: large\nlimits: {bytes: 5368709120}", 1)
	contract = strings.Replace(contract, "file_name:", "# file_name:", 1)
	servertest.Must(w.As(w.Token).ApplyDataset(t.Context(), []byte(contract)))(t)
	name := "/input/large/" + date + "/large.csv"

	local := filepath.Join(t.TempDir(), "large.csv") // all but nothing of it is on the disk
	file := servertest.Must(os.Create(local))(t)
	defer file.Close()
	tail := bytes.Repeat([]byte("behind four GiB\n"), (size-1<<32)/16)
	if _, err := file.WriteAt(tail, 1<<32); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(broken); err != nil { // for now
		t.Fatal(err)
	}

	began := time.Now()
	lap := func(what string) {
		t.Helper()
		t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
		began = time.Now()
	}
	config, _, _, _ := w.known(t, w.a)
	s := w.connect(w.a)
	f := servertest.Must(s.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	if _, err := f.ReadFrom(io.NewSectionReader(file, 0, broken)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	lap("put")
	if i, err := s.Stat(name + ".tmp"); err != nil || i.Size() != broken {
		t.Fatalf("stat of what arrived: got %v, %v, want %d bytes", i, err, broken)
	}
	if _, err := file.WriteAt(tail, 1<<32); err != nil {
		t.Fatal(err)
	}
	w.run(t, fmt.Sprintf("reput %s %s.tmp\nrename %s.tmp %s\n", local, name, name, name), "sftp", "-F", config, "-b", "-", "a")
	lap("resume, and make one file of both parts")
	list := servertest.Must(w.a.Submissions(t.Context(), client.SubmissionFilter{Dataset: "large"}))(t)
	if len(list.Items) != 1 || list.Items[0].Size != size || servertest.Must(w.a.Submission(t.Context(), list.Items[0].ID))(t).SHA256 != sum {
		t.Errorf("got %+v, want one submission of %d bytes, the same", list.Items, size)
	}
	if i, err := s.Stat(name); err != nil || i.Size() != size {
		t.Errorf("stat of the file: got %v, %v, want %d bytes", i, err, size)
	}
	// What is there of it before is not fetched again.
	back := filepath.Join(t.TempDir(), "back")
	fetched := servertest.Must(os.Create(back))(t)
	defer fetched.Close()
	if err := fetched.Truncate(broken); err != nil {
		t.Fatal(err)
	}
	w.run(t, fmt.Sprintf("reget %s %s\n", name, back), "sftp", "-F", config, "-b", "-", "a")
	lap("get the rest")
	got := make([]byte, size-broken)
	if n, err := fetched.ReadAt(got, broken); err != nil || !bytes.Equal(got, tail[broken-1<<32:]) {
		t.Errorf("what was fetched behind %d: %d bytes, %v, want the same", broken, n, err)
	}
}
