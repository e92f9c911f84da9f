//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

// asked counts in the child.
var asked atomic.Int64

// lives answers requests as they say.
func lives(ctx context.Context, c sandbox.Child) error {
	if string(c.Args) == "broken" {
		return fault.New(fault.Damaged, "The file is damaged.")
	}
	err := c.Serve(ctx, func(ctx context.Context, request []byte, out io.Writer) error {
		how, rest, _ := strings.Cut(string(request), " ")
		switch how {
		case "echo":
			_, err := io.WriteString(out, rest)
			return err
		case "size":
			_, err := fmt.Fprint(out, len(rest))
			return err
		case "flood":
			for {
				if _, err := out.Write(make([]byte, 100<<10)); err != nil {
					return err
				}
			}
		case "wait":
			_, _ = io.WriteString(out, "waiting")
			<-ctx.Done()
			return ctx.Err()
		case "hang":
			_, _ = io.WriteString(out, "waiting")
			select {}
		case "fault":
			_, _ = io.WriteString(out, "part")
			return fault.New(fault.Invalid, "%s", rest)
		case "last":
			return lastWords{}
		case "claim":
			return fault.New(fault.Denied, "%s", rest)
		case "segv":
			segv()
		case "count":
			_, err := fmt.Fprint(out, asked.Add(1))
			return err
		case "pid":
			_, err := fmt.Fprint(out, os.Getpid())
			return err
		case "write":
			return os.WriteFile(filepath.Join(c.Dir, "file"), []byte(rest), 0o600)
		case "read":
			text, err := os.ReadFile(filepath.Join(c.Dir, "file"))
			if err == nil {
				_, err = out.Write(text)
			}
			return err
		case "try":
			return try(c, triesWithDir, out)
		}
		return errors.New("no such request")
	})
	if string(c.Args) == "clings" {
		select {}
	}
	return err
}

// lastWords are an error after which the child answers nothing.
type lastWords struct{}

func (lastWords) Error() string { return "the file's owner has lost it" }
func (lastWords) Fatal() bool   { return true }
func (lastWords) Unwrap() error { return fault.New(fault.TooLarge, "It was too much.") }

// triesWithDir are what a child with a directory cannot do.
var triesWithDir = map[string]func(c sandbox.Child) error{
	"write beside":          func(c sandbox.Child) error { return os.WriteFile(c.Dir+"/../beside", nil, 0o600) },
	"read beside":           func(c sandbox.Child) error { return readable(c.Dir + "/../secret") },
	"list above":            func(c sandbox.Child) error { return readable(c.Dir + "/..") },
	"read by symbolic link": func(c sandbox.Child) error { return readable(c.Dir + "/link") },
	"make symbolic link":    func(c sandbox.Child) error { return os.Symlink("/etc/passwd", c.Dir+"/new") },
	"make hard link":        func(c sandbox.Child) error { return os.Link(c.Dir+"/../secret", c.Dir+"/new") },
	"move in":               func(c sandbox.Child) error { return os.Rename(c.Dir+"/../secret", c.Dir+"/new") },
	"move out":              func(c sandbox.Child) error { return os.Rename(c.Dir+"/own", c.Dir+"/../own") },
	"make directory":        func(c sandbox.Child) error { return os.Mkdir(c.Dir+"/new", 0o700) },
	"make device":           func(c sandbox.Child) error { return unix.Mknod(c.Dir+"/new", unix.S_IFCHR, 0) },
	"make pipe":             func(c sandbox.Child) error { return unix.Mknod(c.Dir+"/new", unix.S_IFIFO, 0) },
	"change mode":           func(c sandbox.Child) error { return os.Chmod(c.Dir+"/own", 0o777) },
	"change owner":          func(c sandbox.Child) error { return os.Chown(c.Dir+"/own", 0, 0) },
	"execute":               func(c sandbox.Child) error { return unix.Exec(c.Dir+"/own", []string{"x"}, nil) },
	"remove another's":      func(c sandbox.Child) error { return os.Remove(c.Dir + "/../secret") },
	"truncate another's":    func(c sandbox.Child) error { return os.Truncate(c.Dir+"/../secret", 0) },
}

func live(t *testing.T, b *sandbox.Box, dir string) *sandbox.Live {
	t.Helper()
	l := b.Live(sandbox.LiveJob{Program: "lives", Dir: dir, Memory: 256 << 20})
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// useful has a child give one good answer, so that the next is there at once after it.
func useful(t *testing.T, l *sandbox.Live) {
	t.Helper()
	if got, err := do(t.Context(), l, "echo good"); err != nil || got != "good" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func do(ctx context.Context, l *sandbox.Live, request string) (string, error) {
	var out bytes.Buffer
	err := l.Do(ctx, []byte(request), func(r io.Reader) error {
		_, err := out.ReadFrom(r)
		return err
	})
	return out.String(), err
}

func TestALiveChildAnswersManyAtOnce(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := live(t, b, "")
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				text := strings.Repeat(fmt.Sprint("answer ", i, " "), 50_000)
				if got, err := do(t.Context(), l, "echo "+text); err != nil || got != text {
					t.Errorf("answer of %d bytes, %v; want %d", len(got), err, len(text))
				}
			})
		}
		all.Wait()
		if got, err := do(t.Context(), l, "size "+strings.Repeat("x", 20<<20)); err != nil || got != "20971520" {
			t.Errorf("got %s, %v; want a request of 20 MiB to arrive", got, err)
		}
		first, err := do(t.Context(), l, "pid")
		if second, err2 := do(t.Context(), l, "pid"); err != nil || err2 != nil || first == "" || first != second {
			t.Errorf("got %s and %s (%v, %v), want one child", first, second, err, err2)
		}
	})
}

// Who does not read an answer holds up nobody else, nor do those whose answer is not wanted any more.
func TestRequestsOfALiveChildAreCancelled(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := live(t, b, "")
		for _, request := range []string{"flood", "wait"} {
			ctx, cancel := context.WithCancel(t.Context())
			err := l.Do(ctx, []byte(request), func(r io.Reader) error {
				if _, err := io.ReadFull(r, make([]byte, 7)); err != nil {
					return err
				}
				if got, err := do(t.Context(), l, "echo meanwhile"); err != nil || got != "meanwhile" {
					t.Errorf("beside %s: %q, %v", request, got, err)
				}
				cancel()
				_, err := io.Copy(io.Discard, r)
				return err
			})
			if !fault.Is(err, fault.Cancelled) {
				t.Errorf("%s: got %v, want cancelled", request, err)
			}
		}
		enough := errors.New("enough")
		if err := l.Do(t.Context(), []byte("flood"), func(io.Reader) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("got %v, want what the reader said", err)
		}
	})
}

func TestALiveChildThatIgnoresACancelIsKilled(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := live(t, b, "")
		useful(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		err := l.Do(ctx, []byte("hang"), func(r io.Reader) error {
			cancel()
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if !fault.Is(err, fault.Cancelled) {
			t.Errorf("got %v, want cancelled", err)
		}
		// What runs when it is killed is told so, and the next finds a new child.
		if _, err := do(t.Context(), l, "wait"); err == nil {
			t.Error("a request outlived its child")
		}
		if got, err := do(t.Context(), l, "echo again"); err != nil || got != "again" {
			t.Errorf("got %q, %v; want a new child's answer", got, err)
		}
	})
}

func TestHowRequestsOfALiveChildFail(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := live(t, b, "")
		useful(t, l)
		if got, err := do(t.Context(), l, "fault A word is wrong."); !fault.Is(err, fault.Invalid) || fault.Message(err) != "A word is wrong." || got != "part" {
			t.Errorf("got %q, %v; want its fault", got, err)
		}
		if _, err := do(t.Context(), l, "claim You are nobody."); err == nil || !fault.Is(err, fault.Internal) {
			t.Errorf("got %v, want no kind: a child must not say that", err)
		}
		if _, err := do(t.Context(), l, "segv"); err == nil || !strings.Contains(err.Error(), "crashed") {
			t.Errorf("got %v, want a crash", err)
		}
		if got, err := do(t.Context(), l, "echo again"); err != nil || got != "again" {
			t.Errorf("got %q, %v; want a new child's answer", got, err)
		}
		broken := b.Live(sandbox.LiveJob{Program: "lives", Args: []byte("broken"), Memory: 64 << 20})
		if _, err := do(t.Context(), broken, "echo"); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "The file is damaged.") {
			t.Errorf("got %v, want why the child ended, and no kind", err)
		}
		if _, err := do(t.Context(), l, "echo "+strings.Repeat("x", sandbox.MaxRequest)); !fault.Is(err, fault.TooLarge) {
			t.Errorf("got %v, want too large", err)
		}
	})
}

// A child that says that it can do no more is not asked again, also where others wait for it.
func TestALiveChildThatGivesUpIsReplaced(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := live(t, b, "")
		useful(t, l)
		err := l.Do(t.Context(), []byte("wait"), func(r io.Reader) error {
			if _, err := io.ReadFull(r, make([]byte, 7)); err != nil {
				return err
			}
			if _, err := do(t.Context(), l, "last"); !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "has lost it") {
				t.Errorf("got %v, want why the child ends", err)
			}
			if got, err := do(t.Context(), l, "count"); err != nil || got != "1" {
				t.Errorf("got %q, %v; want the first answer of another child", got, err)
			}
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err == nil || !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "has lost it") {
			t.Errorf("got %v of a request that ran beside, want no kind and why", err)
		}
	})
}

// A child that answers nothing is not started again and again: each time it is left
// alone for longer, and who asks meanwhile is told when to come back.
func TestALiveChildThatIsOfNoUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := b.Live(sandbox.LiveJob{Program: "lives", Args: []byte("broken"), Memory: 64 << 20})
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for _, want := range []time.Duration{time.Second, 2 * time.Second} {
			for {
				_, err := do(t.Context(), l, "echo")
				if fault.Is(err, fault.Internal) {
					break // it was started
				}
				<-tick.C
			}
			for range 3 {
				_, err := do(t.Context(), l, "echo")
				later, ok := errors.AsType[interface {
					error
					RetryAfter() time.Duration
				}](err)
				if !fault.Is(err, fault.Unavailable) || !ok || later.RetryAfter() != want {
					t.Fatalf("got %v, want that it is there after %s", err, want)
				}
			}
		}
	})
}

// Who waits for a child's end, to have another, waits no longer than its own time.
func TestWaitingForAnotherChildEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := b.Live(sandbox.LiveJob{Program: "lives", Args: []byte("clings"), Memory: 256 << 20})
		useful(t, l)
		if _, err := do(t.Context(), l, "last"); err == nil {
			t.Error("got no error")
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := do(ctx, l, "echo"); !fault.Is(err, fault.TimedOut) || time.Since(began) > 4*time.Second {
			t.Errorf("got %v after %s, want that the time is over", err, time.Since(began))
		}
		if got, err := do(t.Context(), l, "count"); err != nil || got != "1" {
			t.Errorf("got %q, %v of another child", got, err)
		}
	})
}

// A child that has much to lose is asked for before it is put to rest.
func TestAnIdleChildMayStay(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		asked, answers := make(chan struct{}), make(chan bool)
		l := b.Live(sandbox.LiveJob{Program: "lives", Memory: 256 << 20, Idle: time.Millisecond, Stay: func() bool {
			asked <- struct{}{}
			return <-answers
		}})
		t.Cleanup(func() { _ = l.Close(context.Background()) })
		for i, c := range []struct {
			stay bool
			want string // of the request before
		}{{true, "1"}, {false, "2"}, {true, "1"}} {
			if got, err := do(t.Context(), l, "count"); err != nil || got != c.want {
				t.Errorf("request %d: got %q, %v; want %s", i, got, err, c.want)
			}
			<-asked
			answers <- c.stay
		}
	})
}

// A child that nobody asks ends, and the next request has a new one.
func TestAnIdleChildEnds(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := b.Live(sandbox.LiveJob{Program: "lives", Memory: 256 << 20, Idle: 20 * time.Millisecond})
		t.Cleanup(func() { _ = l.Close(context.Background()) })
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n, end := 0, time.Now().Add(time.Minute); time.Now().Before(end); n++ {
			got, err := do(t.Context(), l, "count")
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && got == "1" {
				return
			}
			<-tick.C
		}
		t.Error("the child did not end though nobody asked it")
	})
}

func TestClosingWaitsForRequests(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		l := b.Live(sandbox.LiveJob{Program: "lives", Memory: 256 << 20})
		err := l.Do(t.Context(), []byte("flood"), func(r io.Reader) error {
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := l.Close(ctx); !fault.Is(err, fault.Cancelled) {
				t.Errorf("close beside a request that does not end: %v", err)
			}
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err == nil {
			t.Error("a request outlived its child")
		}
		if _, err := do(t.Context(), l, "echo"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after close: got %v, want unavailable", err)
		}
	})
}

// A child with a directory writes there, nowhere else, and does not get out by it.
func TestALiveChildHasOneDirectory(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		above := t.TempDir()
		dir := filepath.Join(above, "own")
		for _, err := range []error{
			os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(above, "secret"), []byte("secret"), 0o666),
			os.WriteFile(filepath.Join(dir, "own"), []byte("#!/bin/sh\n"), 0o755), os.Symlink("../secret", filepath.Join(dir, "link")),
			os.Chmod(above, 0o700),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		l := live(t, b, dir)
		if _, err := do(t.Context(), l, "write what is kept"); err != nil {
			t.Fatal(err)
		}
		if got, err := do(t.Context(), l, "read"); err != nil || got != "what is kept" {
			t.Errorf("got %q, %v", got, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "file"))
		if err != nil || string(text) != "what is kept" {
			t.Errorf("got %q, %v on the disk", text, err)
		}
		got, err := do(t.Context(), l, "try")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(got) {
			if name, result, _ := strings.Cut(line, "\t"); strings.TrimSpace(result) == "<nil>" {
				t.Errorf("a child with a directory can %s", name)
			}
		}
		names, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, n := range names {
			left = append(left, n.Name())
		}
		if want := []string{"file", "link", "own"}; !slices.Equal(left, want) {
			t.Errorf("the directory has %v, want %v", left, want)
		}
	})
}
