package sftp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/pkg/sftp"

	"tributary/client"
	"tributary/test/servertest"
)

// TestWhatArrivedIsKept breaks transfers off in each way and goes on with them.
func TestWhatArrivedIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		name := "/input/" + servertest.InputName(1, date)
		text := servertest.Values(1, date, "a,b,1", "c,d,2", "e,f,3")
		third := len(text) / 3
		part := func(s *session, from, to int, flags int) {
			t.Helper()
			f := servertest.Must(s.OpenFile(name, flags))(t)
			if _, err := f.WriteAt([]byte(text[from:to]), int64(from)); err != nil {
				t.Fatal(err)
			}
		}
		waits := func(s *session, size int) {
			t.Helper()
			size-- // the last byte is left for the client to send, so that it closes the file
			w.until("what arrived", func() bool {
				i, err := s.Stat(name + ".waiting.json") // which is said of what is kept
				return err == nil && i.Size() > 0 && strings.Contains(s.get(t, name+".waiting.json"), fmt.Sprintf(`"bytes": %d,`, size))
			})
			if i, err := s.Stat(name); err != nil || i.Size() != int64(size) {
				t.Errorf("stat of a part: got %v, %v, want %d bytes", i, err, size)
			}
			if _, err := s.Open(name); err == nil {
				t.Error("a part of a file can be read as if it were the file")
			}
			if list := servertest.Must(w.a.Submissions(t.Context(), client.SubmissionFilter{}))(t); len(list.Items) != 0 {
				t.Errorf("a part of a file is submitted: %+v", list.Items)
			}
		}
		s := w.connect(w.a)
		part(s, 0, third, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		_ = s.raw.Close() // the network
		s = w.connect(w.a)
		waits(s, third)
		part(s, third-1, 2*third, os.O_WRONLY)
		_ = s.conn.Close() // the client
		s = w.connect(w.a)
		waits(s, 2*third)
		w.Kill() // the server, after what it kept
		w.Start()
		w.Reconnect(&w.a.Party, &w.b.Party)
		s = w.connect(w.a)
		waits(s, 2*third)
		if got := s.get(t, name+".waiting.json"); !strings.Contains(got, "Go on with it") {
			t.Errorf("what is said of a part: got %s", got)
		}
		f := servertest.Must(s.OpenFile(name, os.O_WRONLY))(t)
		if _, err := f.WriteAt([]byte(text[2*third-1:]), int64(2*third-1)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if sub := w.a.only(t); sub.State != "accepted" || *sub.Rows != 3 {
			t.Errorf("resumed: got %s %v", sub.State, sub.Problems)
		}
		if got := s.get(t, name); got != text {
			t.Errorf("got back %q, want %q", got, text)
		}
		w.verdict(s, name)

		// What was submitted too soon, and is gone on with, is submitted again as a whole.
		longer := text + servertest.Values(1, date, "g,h,4")[len(servertest.Values(1, date)):]
		if f, err := s.OpenFile(name, os.O_WRONLY); err != nil {
			t.Fatal(err)
		} else if _, err := f.WriteAt([]byte(longer[len(text):]), int64(len(text))); err != nil {
			t.Fatal(err)
		} else if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		w.until("the second revision", func() bool { return strings.Contains(s.get(t, w.verdict(s, name)), `"revision": 2`) })
		if got := s.get(t, name); got != longer {
			t.Errorf("got back %q, want %q", got, longer)
		}
		w.Stop()
		w.Sound()
	})
}

// TestNamesSayWhatIsReady sends files under the names that programs use until all is
// there, and under names that say nothing.
func TestNamesSayWhatIsReady(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.connect(w.a)
		text := servertest.Values(1, date, "a,b,1")
		target := "/input/" + servertest.InputName(1, date)
		folder := "/input/" + servertest.Dataset + "/" + date + "/"
		for _, name := range []string{target + ".filepart", "/input/.in." + servertest.InputName(1, date), folder + "x.csv.tmp", "/input/monthly.csv", "/input/empty.tmp"} {
			sent := text
			if strings.HasSuffix(name, "empty.tmp") {
				sent = ""
			}
			if err := s.put(name, sent); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if i, err := s.Stat(name); err != nil || i.Size() != int64(len(sent)) {
				t.Errorf("stat of %s: got %v, %v", name, i, err)
			}
		}
		if list := servertest.Must(w.a.Submissions(t.Context(), client.SubmissionFilter{}))(t); len(list.Items) != 0 {
			t.Fatalf("submitted too soon: %+v", list.Items)
		}
		if got := s.get(t, "/input/monthly.csv.waiting.json"); !strings.Contains(got, "No dataset's file names are like") {
			t.Errorf("what is said of a name that says nothing: %s", got)
		}
		if _, err := s.Stat(target + ".filepart.waiting.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is said of a file that is still being sent: %v", err)
		}
		if err := s.Rename("/input/monthly.csv", folder+"x.csv.tmp"); err == nil {
			t.Error("a rename overwrote a file")
		}
		if err := s.PosixRename("/input/monthly.csv", folder+"x.csv.tmp"); err != nil {
			t.Error(err)
		}
		if err := s.Rename(target+".filepart", target); err != nil {
			t.Error(err)
		}
		if sub := w.a.only(t); sub.State != "accepted" || sub.Name != servertest.InputName(1, date) {
			t.Errorf("renamed: got %s %s", sub.State, sub.Name)
		}
		if err := s.Rename(target, "/input/other"); err == nil {
			t.Error("a submission was renamed")
		}
		for _, name := range []string{folder + "x.csv.tmp", "/input/.in." + servertest.InputName(1, date), "/input/empty.tmp"} {
			if err := s.Remove(name); err != nil {
				t.Errorf("remove %s: %v", name, err)
			}
		}
		if got := s.names(t, "/input"); len(got) != 2 { // the file and the dataset's folder
			t.Errorf("/input has %q", got)
		}
		if err := s.put("/input/"+servertest.InputName(1, "2026-09-02"), ""); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("an empty file: got %v", err)
		}
		if err := s.put(folder+"a.csv.accepted.json", "{}"); err == nil {
			t.Error("a file took the name of a verdict")
		}
		// A wrong file is told what is wrong, on this channel.
		if err := s.put(folder+servertest.InputName(1, date), servertest.Values(2, date, "a,b,1")); err != nil {
			t.Fatal(err)
		}
		w.until("the verdict", func() bool {
			_, err := s.Stat(folder + servertest.InputName(1, date) + ".rejected.json")
			return err == nil
		})
		if got := s.get(t, folder+servertest.InputName(1, date)+".rejected.json"); !strings.Contains(got, `"row": `) || !strings.Contains(got, "ClientID") {
			t.Errorf("a verdict without row and column: %s", got)
		}
		// The admin may delete; what is deleted is gone from the folder.
		if err := s.Remove(folder + servertest.InputName(1, date)); err != nil {
			t.Error(err)
		}
		w.Stop()
		w.Sound()
	})
}

// TestOrder writes pieces as clients do that send many at a time, and as none does.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	s := w.connect(w.a)
	text := []byte(servertest.Values(1, date, "a,b,1") + strings.Repeat("20260901,000001,same,same,1\n", 60_000))
	name := "/input/" + servertest.InputName(1, date)
	f := servertest.Must(s.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	const piece = 20_000
	order := make([]int, 0, len(text)/piece+1)
	for at := 0; at < len(text); at += piece {
		order = append(order, at)
	}
	for i := 0; i+3 < len(order); i += 4 { // four at a time, the last first
		order[i], order[i+1], order[i+2], order[i+3] = order[i+3], order[i+2], order[i+1], order[i]
	}
	for _, at := range order {
		if _, err := f.WriteAt(text[at:min(at+piece, len(text))], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.verdict(s, name)
	if got := s.get(t, name); !bytes.Equal([]byte(got), text) {
		t.Errorf("got back %d bytes, want %d, the same", len(got), len(text))
	}
	other := "/input/" + servertest.InputName(1, "2026-09-02")
	g := servertest.Must(s.OpenFile(other, os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	_, err := g.WriteAt(text[piece:2*piece], piece) // and never the first
	if err == nil {
		err = g.Close()
	}
	if err == nil {
		t.Error("a file with a hole was taken")
	}
	if _, err := s.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file with a hole is there: %v", err)
	}
}

// TestGoingOnInOtherWays: clients that append, that begin anew without saying so, that
// sent everything but the end of the file, that want a name for themselves.
func TestGoingOnInOtherWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	s := w.connect(w.a)
	head, rest := servertest.Values(1, date, "a,b,1"), "20260901,000001,c,d,2\n"
	big := head + strings.Repeat("20260901,000001,same,same,1\n", 20_000)
	name := func(n int) string {
		return "/input/" + servertest.Dataset + "/" + date + "/" + string(rune('a'+n)) + ".csv"
	}
	end := func(f *sftp.File, err error) {
		t.Helper()
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut := func(path, text string) *session {
		t.Helper()
		s := w.connect(w.a)
		f := servertest.Must(s.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
		if _, err := f.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
		_ = s.raw.Close()
		s = w.connect(w.a)
		w.until("what arrived", func() bool { i, err := s.Stat(path); return err == nil && i.Size() == int64(len(text)-1) })
		return s
	}
	whole := func(path, want string) {
		t.Helper()
		w.verdict(s, path)
		if got := s.get(t, path); got != want {
			t.Errorf("%s: got back %d bytes, want %d, the same", path, len(got), len(want))
		}
		if _, err := s.Stat(path + ".waiting.json"); err == nil {
			t.Errorf("%s: an upload hides the submission", path)
		}
	}

	if err := s.put(name(0), head); err != nil { // appended to, with offsets from 0
		t.Fatal(err)
	}
	w.verdict(s, name(0))
	f := servertest.Must(s.OpenFile(name(0), os.O_WRONLY|os.O_APPEND))(t)
	_, err := f.Write([]byte(rest))
	end(f, err)
	w.until("the second revision", func() bool { return s.get(t, name(0)) == head+rest })

	s = cut(name(1), big[:400_000]) // begun anew without O_TRUNC, by many pieces at a time
	f = servertest.Must(s.OpenFile(name(1), os.O_WRONLY))(t)
	_, err = f.ReadFrom(strings.NewReader(big))
	end(f, err)
	whole(name(1), big)

	s = cut(name(2), big) // everything but the close
	f = servertest.Must(s.OpenFile(name(2), os.O_WRONLY))(t)
	_, err = f.WriteAt([]byte(big[len(big)-1:]), int64(len(big)-1))
	end(f, err)
	whole(name(2), big)

	s = cut(name(3), big[:400_000]) // sent again by somebody who did not wait
	if err := s.put(name(3), head); err != nil {
		t.Fatal(err)
	}
	whole(name(3), head)

	f = servertest.Must(s.OpenFile(name(4), os.O_WRONLY|os.O_CREATE|os.O_TRUNC))(t)
	if _, err := f.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.connect(w.a).OpenFile(name(4), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_TRUNC); err == nil {
		t.Error("a name for oneself was given twice")
	}
	if err := s.Rename(name(4), name(5)); err == nil {
		t.Error("a file was renamed while it was written")
	}
	end(f, nil)
	whole(name(4), head)
	w.Stop()
	w.Sound()
}
