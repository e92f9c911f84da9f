//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

// beParent makes the test binary a server that starts a child and is killed.
const beParent = "SANDBOX_TEST_PARENT"

// beUntraceable makes it protect itself as a server that holds keys does.
const beUntraceable = "SANDBOX_TEST_UNTRACEABLE"

// beProbe makes the test binary say what Probe finds.
const beProbe = "SANDBOX_TEST_PROBE"

func TestMain(m *testing.M) {
	sandbox.Main(
		sandbox.Program{Name: "echo", Main: echo},
		sandbox.Program{Name: "look", Main: look},
		sandbox.Program{Name: "attack", Main: attack},
		sandbox.Program{Name: "end", Main: end},
		sandbox.Program{Name: "lives", Main: lives},
		sandbox.Program{Name: "nothing", Main: func(context.Context, sandbox.Child) error { return nil }},
	)
	if os.Getenv(beUntraceable) != "" {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			panic(err)
		}
	}
	if level := os.Getenv(beParent); level != "" {
		parent(sandbox.Level(level))
	}
	if os.Getenv(beProbe) != "" {
		level, err := sandbox.Probe(context.Background())
		message := ""
		if err != nil {
			message = fault.Message(err)
		}
		fmt.Printf("%s: %s\n", level, message)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// echo writes its arguments, its inputs and its stream.
func echo(_ context.Context, c sandbox.Child) error {
	if _, err := c.Output.Write(c.Args); err != nil {
		return err
	}
	if string(c.Args) == "filled " {
		if err := c.Filled(); err != nil {
			return err
		}
	}
	for _, in := range c.Inputs {
		text, err := os.ReadFile(in.Name())
		if err != nil {
			return err
		}
		if _, err := c.Output.Write(text); err != nil {
			return err
		}
	}
	_, err := io.Copy(c.Output, c.Stream)
	return err
}

// parent runs a child that waits for ever, and tells when it is there.
func parent(level sandbox.Level) {
	b, err := sandbox.New(sandbox.Config{Level: level})
	if err == nil {
		err = b.Run(context.Background(), job("attack", "spin"), func(r io.Reader) error {
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				return err
			}
			fmt.Println("ready")
			_, err := io.Copy(io.Discard, r)
			return err
		})
	}
	fmt.Println("ended:", err)
	os.Exit(1)
}

func job(program, args string) sandbox.Job {
	return sandbox.Job{Program: program, Args: []byte(args), Limits: sandbox.Limits{
		Memory: 256 << 20, CPU: 30 * time.Second, Wall: 2 * time.Minute, Output: 8 << 20,
	}}
}

// atEachLevel runs a test at the levels that work here; both must, except where
// the machine refuses namespaces.
func atEachLevel(t *testing.T, test func(t *testing.T, b *sandbox.Box)) {
	t.Helper()
	best, err := sandbox.Probe(t.Context())
	if best == "" {
		t.Fatal(err)
	}
	for _, level := range []sandbox.Level{sandbox.Strict, sandbox.Reduced} {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			if level == sandbox.Strict && best != sandbox.Strict {
				t.Skip(err)
			}
			b, err := sandbox.New(sandbox.Config{Level: level})
			if err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}

// run returns all output of a job that must end well.
func run(t *testing.T, b *sandbox.Box, j sandbox.Job) []byte {
	t.Helper()
	var out bytes.Buffer
	err := b.Run(t.Context(), j, func(r io.Reader) error {
		_, err := out.ReadFrom(r)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", j.Program, err)
	}
	return out.Bytes()
}

func memory(t *testing.T, text string) *sandbox.Memory {
	t.Helper()
	m, err := sandbox.NewMemory("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if _, err := io.WriteString(m, text); err != nil {
		t.Fatal(err)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	return m
}

// end ends in the way that its arguments say.
func end(_ context.Context, c sandbox.Child) error {
	if _, err := io.WriteString(c.Output, "part"); err != nil {
		return err
	}
	how, rest, _ := strings.Cut(string(c.Args), " ")
	switch how {
	case "fault":
		var f struct {
			Kind    fault.Kind
			Message string
		}
		if err := json.Unmarshal([]byte(rest), &f); err != nil {
			return err
		}
		return fmt.Errorf("check file: %w", fault.New(f.Kind, "%s", f.Message))
	case "error":
		return errors.New(rest)
	case "panic":
		panic(rest)
	case "exit":
		os.Exit(0)
	case "segv":
		segv()
	case "shout": // more on standard error than is kept, and some on standard output
		fmt.Fprint(os.Stderr, strings.Repeat("x", 100<<10))
		fmt.Println("on stdout")
		fmt.Fprint(os.Stderr, "last words")
		os.Exit(3)
	}
	return nil
}
