//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

func TestInputsAndStreamGoInAndOutputComesOut(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		j := job("echo", "args ")
		j.Inputs = []*sandbox.Memory{memory(t, "first "), memory(t, ""), memory(t, "third ")}
		stream := strings.Repeat("stream\x00", 500_000)
		j.Stream = strings.NewReader(stream)
		if got, want := string(run(t, b, j)), "args first third "+stream; got != want {
			t.Errorf("output of %d bytes, want %d", len(got), len(want))
		}
	})
}

func TestInputsAreFilledWhileTheChildStarts(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		fill := func(seal bool, end error) error {
			m, err := sandbox.NewMemory("late")
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			j := job("echo", "filled ")
			j.Inputs = []*sandbox.Memory{m}
			started := make(chan struct{})
			j.Fill = func(ctx context.Context) error {
				select {
				case <-started: // the child runs, and has seen nothing
				case <-ctx.Done():
					return ctx.Err()
				}
				if _, err := m.Write([]byte("content")); err != nil {
					return err
				}
				if seal {
					if err := m.Seal(); err != nil {
						return err
					}
				}
				return end
			}
			var out bytes.Buffer
			return b.Run(t.Context(), j, func(r io.Reader) error {
				if _, err := io.CopyN(&out, r, int64(len("filled "))); err != nil {
					return err
				}
				close(started)
				_, err := out.ReadFrom(r)
				if err == nil && out.String() != "filled content" {
					t.Errorf("output %q", out.String())
				}
				return err
			})
		}
		if err := fill(true, nil); err != nil {
			t.Errorf("filled: %v", err)
		}
		broken := errors.New("cannot be decrypted")
		if err := fill(true, broken); !errors.Is(err, broken) {
			t.Errorf("got %v, want what filling failed with", err)
		}
		if err := fill(false, nil); err == nil || !strings.Contains(err.Error(), "not sealed") {
			t.Errorf("got %v, want that it is not sealed", err)
		}
		// A child that crashes meanwhile is told of, and nobody waits for the rest.
		j := job("attack", "segv")
		j.Fill = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := b.Run(t.Context(), j, nil); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the crash", err)
		}
	})
}

func TestOneInputServesManyRunsAtOnce(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		shared := memory(t, strings.Repeat("shared", 100_000))
		results := make(chan int)
		for range 4 {
			go func() {
				j := job("echo", "")
				j.Inputs = []*sandbox.Memory{shared}
				n := 0
				if err := b.Run(t.Context(), j, func(r io.Reader) error {
					text, err := io.ReadAll(r)
					n = len(text)
					return err
				}); err != nil {
					t.Error(err)
				}
				results <- n
			}()
		}
		for range 4 {
			if got, want := <-results, 600_000; got != want {
				t.Errorf("a run read %d bytes, want %d", got, want)
			}
		}
	})
}

// A child that ends badly after part of its output must not look complete, and
// each way to end has its kind and its message.
func TestEndings(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, args string
		kind       fault.Kind // empty: it ends well
		user       string     // the message
		operator   string     // is part of the error's text
	}{
		{"well", "well", "", "", ""},
		{"fault", `fault {"Kind":"invalid","Message":"Row 7 has 3 columns, 4 are expected."}`, fault.Invalid,
			"Row 7 has 3 columns, 4 are expected.", "check file"},
		{"too large", `fault {"Kind":"too-large","Message":"More than 2,000 columns."}`, fault.TooLarge, "More than 2,000 columns.", ""},
		{"unclean message", `fault {"Kind":"invalid","Message":"\u001b[2Jrow\u202e 1\n2"}`, fault.Invalid, " [2Jrow  1 2", ""},
		{"no message", `fault {"Kind":"invalid","Message":""}`, fault.Invalid, "The file could not be read.", ""},
		{"kind that is not its to say", `fault {"Kind":"denied","Message":"secret of the child"}`, fault.Internal,
			fault.Message(errors.New("")), "secret of the child"},
		{"error", "error cannot join", fault.Internal, fault.Message(errors.New("")), "cannot join"},
		{"panic", "panic hopeless", fault.Internal, fault.Message(errors.New("")), "hopeless"},
		{"bad pointer", "segv", fault.Internal, fault.Message(errors.New("")), "SIGSEGV"},
		{"exit without a word", "exit", fault.Internal, fault.Message(errors.New("")), "the child crashed (exit status 0"},
		{"standard error", "shout", fault.Internal, fault.Message(errors.New("")), "xxxon stdout\nlast words"},
	}
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				var end error
				err := b.Run(t.Context(), job("end", c.args), func(r io.Reader) error {
					var got []byte
					got, end = io.ReadAll(r)
					if string(got) != "part" {
						t.Errorf("output %q, want %q", got, "part")
					}
					return nil // a reader that does not care
				})
				if !errors.Is(err, end) {
					t.Errorf("the reader ended with %v, the run with %v", end, err)
				}
				if c.kind == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if got := fault.KindOf(err); got != c.kind {
					t.Errorf("kind %q, want %q: %v", got, c.kind, err)
				}
				if got := fault.Message(err); got != c.user {
					t.Errorf("message %q, want %q", got, c.user)
				}
				if !strings.Contains(err.Error(), c.operator) {
					t.Errorf("error %q lacks %q", err, c.operator)
				}
				if n := len(err.Error()); n > 12<<10 {
					t.Errorf("error of %d bytes", n)
				}
			})
		}
	})
}

// Whatever a program is made to do, the parent names it and goes on.
func TestLimits(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, attack string
		change       func(*sandbox.Limits)
		kind         fault.Kind
		message      string
	}{
		{"hangs", "hang", func(l *sandbox.Limits) { l.Wall = 300 * time.Millisecond }, fault.TimedOut, "longer than the 300ms"},
		{"spins", "spin", func(l *sandbox.Limits) { l.CPU = time.Second }, fault.TooLarge, "1s of processor time"},
		{"fills memory", "bomb", func(l *sandbox.Limits) { l.Memory = 128 << 20 }, fault.TooLarge, "134217728 bytes of memory"},
		{"maps memory", "map", func(l *sandbox.Limits) { l.Memory = 128 << 20 }, fault.TooLarge, "134217728 bytes of memory"},
		{"floods output", "flood", func(l *sandbox.Limits) { l.Output = 1 << 20 }, fault.TooLarge, "1048576 bytes of output"},
		{"floods standard error", "stderr", func(*sandbox.Limits) {}, fault.TooLarge, "4194304 bytes of messages"},
	}
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				j := job("attack", c.attack)
				if c.attack == "hang" {
					j.Stream = endless(t)
				}
				c.change(&j.Limits)
				n := int64(0)
				err := b.Run(t.Context(), j, func(r io.Reader) (err error) {
					n, err = io.Copy(io.Discard, r)
					return err
				})
				if got := fault.KindOf(err); got != c.kind {
					t.Errorf("kind %q, want %q: %v", got, c.kind, err)
				}
				if got := fault.Message(err); !strings.Contains(got, c.message) {
					t.Errorf("message %q lacks %q", got, c.message)
				}
				if n > j.Limits.Output {
					t.Errorf("got %d bytes of output, limit %d", n, j.Limits.Output)
				}
			})
		}
	})
}

func TestOutputMayBeAsLongAsTheLimit(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		j := job("echo", strings.Repeat("x", 1000))
		j.Limits.Output = 1000
		if got := len(run(t, b, j)); got != 1000 {
			t.Errorf("output of %d bytes, want 1000", got)
		}
	})
}

// endless is a stream that gives nothing until the test ends.
func endless(t *testing.T) io.Reader {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); r.Close() })
	return &untilKilled{r}
}

// untilKilled ends an endless stream some time after its child is sure to be
// gone: Run waits for a Read under way.
type untilKilled struct{ f *os.File }

func (u *untilKilled) Read(p []byte) (int, error) {
	if err := u.f.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return 0, err
	}
	n, err := u.f.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	return n, err
}

func TestCancellingKillsAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		kind fault.Kind
	}{
		"cancelled": {context.WithCancel, fault.Cancelled},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 500*time.Millisecond)
		}, fault.TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
				ctx, cancel := c.end(t.Context())
				defer cancel()
				var asked time.Time
				err := b.Run(ctx, job("attack", "spin"), func(r io.Reader) error {
					if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
						return err
					}
					if name == "cancelled" {
						cancel()
					}
					<-ctx.Done()
					asked = time.Now()
					_, err := io.Copy(io.Discard, r)
					return err
				})
				if got := fault.KindOf(err); got != c.kind {
					t.Errorf("kind %q, want %q: %v", got, c.kind, err)
				}
				if took := time.Since(asked); took > 5*time.Second { // on a busy machine; alone it takes 5 ms
					t.Errorf("the child lived for %s", took)
				}
			})
		})
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := b.Run(ctx, job("nothing", ""), nil); !fault.Is(err, fault.Cancelled) {
				t.Errorf("got %v, want kind %q", err, fault.Cancelled)
			}
		})
	})
}

func TestErrorsOfReaderAndStreamComeBack(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for name, read := range map[string]func(io.Reader) error{
			"at once": func(io.Reader) error { return broken },
			"in the middle": func(r io.Reader) error {
				_, err := io.ReadFull(r, make([]byte, 1))
				return errors.Join(err, broken)
			},
			"at the end": func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return errors.Join(err, broken)
			},
		} {
			t.Run("reader "+name, func(t *testing.T) {
				t.Parallel()
				if err := b.Run(t.Context(), job("echo", "some output"), read); !errors.Is(err, broken) {
					t.Errorf("got %v, want %v", err, broken)
				}
			})
		}
		t.Run("stream", func(t *testing.T) {
			t.Parallel()
			j := job("echo", "")
			j.Stream = io.MultiReader(strings.NewReader("start"), iotest.ErrReader(broken))
			complete := false
			err := b.Run(t.Context(), j, func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				complete = err == nil
				return err
			})
			if !errors.Is(err, broken) || complete {
				t.Errorf("got %v, complete %t, want %v", err, complete, broken)
			}
		})
	})
}

func TestReaderThatPanicsLeavesNoChild(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		defer func() {
			if got := recover(); got != "reader" {
				t.Errorf("recovered %v, want %q", got, "reader")
			}
		}()
		_ = b.Run(t.Context(), job("attack", "spin"), func(io.Reader) error { panic("reader") })
	})
}

func TestUnreadOutputAndUnreadStreamAreNoFault(t *testing.T) {
	t.Parallel()
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		j := job("nothing", "")
		j.Stream = bytes.NewReader(make([]byte, 4<<20))
		if err := b.Run(t.Context(), j, nil); err != nil {
			t.Error(err)
		}
		j = job("echo", "")
		j.Stream = bytes.NewReader(make([]byte, 4<<20))
		if err := b.Run(t.Context(), j, func(io.Reader) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestJobsThatCannotBeRun(t *testing.T) {
	t.Parallel()
	open, err := sandbox.NewMemory("open")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	closed := memory(t, "x")
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	atEachLevel(t, func(t *testing.T, b *sandbox.Box) {
		for words, change := range map[string]func(*sandbox.Job){
			`no program "other"`: func(j *sandbox.Job) { j.Program = "other" },
			"no program":         func(j *sandbox.Job) { j.Program = "" },
			"limit of memory":    func(j *sandbox.Job) { j.Limits.Memory = 0 },
			"limit of processor": func(j *sandbox.Job) { j.Limits.CPU = 0 },
			"limit of wall":      func(j *sandbox.Job) { j.Limits.Wall = 0 },
			"limit of output":    func(j *sandbox.Job) { j.Limits.Output = 0 },
			"negative number":    func(j *sandbox.Job) { j.Limits.Threads = -1 },
			"both a stream": func(j *sandbox.Job) {
				j.Stream, j.Fill = strings.NewReader(""), func(context.Context) error { return nil }
			},
			"not sealed":     func(j *sandbox.Job) { j.Inputs = []*sandbox.Memory{open} },
			"already closed": func(j *sandbox.Job) { j.Inputs = []*sandbox.Memory{closed} },
			"arguments of":   func(j *sandbox.Job) { j.Args = make([]byte, 16<<20+1) },
		} {
			j := job("nothing", "")
			change(&j)
			if err := b.Run(t.Context(), j, nil); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("got %v, want %q", err, words)
			}
		}
		j := job("nothing", strings.Repeat("x", 16<<20))
		if err := b.Run(t.Context(), j, nil); err != nil {
			t.Errorf("largest arguments: %v", err)
		}
	})
}

func TestMemoryIsWrittenOnce(t *testing.T) {
	t.Parallel()
	m := memory(t, "content")
	if _, err := m.Write([]byte("more")); err == nil {
		t.Error("a sealed memory file was written to")
	}
	if got := m.Size(); got != 7 {
		t.Errorf("size %d, want 7", got)
	}
	if err := errors.Join(m.Seal(), m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	if got := m.Size(); got != 0 {
		t.Errorf("size %d after close, want 0", got)
	}
	if _, err := m.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
}

func TestUnknownLevelIsRefused(t *testing.T) {
	t.Parallel()
	for _, level := range []sandbox.Level{"", "off", "none"} {
		if _, err := sandbox.New(sandbox.Config{Level: level}); !fault.Is(err, fault.Invalid) {
			t.Errorf("level %q: got %v, want kind %q", level, err, fault.Invalid)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	best, err := sandbox.Probe(b.Context())
	for _, level := range []sandbox.Level{sandbox.Strict, sandbox.Reduced} {
		b.Run(string(level), func(b *testing.B) {
			if level == sandbox.Strict && best != sandbox.Strict {
				b.Skip(err)
			}
			box, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := box.Run(b.Context(), job("nothing", ""), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
