package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tributary/client"
)

// A pipe that nobody writes to does not keep a command from being interrupted.
func TestReadingCanBeInterrupted(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	o := newOutput(io.Discard, io.Discard)
	for what, read := range map[string]func(context.Context) error{
		"a password": func(ctx context.Context) error { _, err := secret(ctx, o, pipe, "Password"); return err },
		"a document": func(ctx context.Context) error { _, err := document(ctx, pipe); return err },
		"pins":       func(ctx context.Context) error { _, err := readPins(ctx, pipe); return err },
		"a key":      func(ctx context.Context) error { _, err := publicKey(ctx, pipe); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := read(ctx); !errors.Is(err, context.Canceled) || o.fail(err) != exitInterrupted {
			t.Errorf("%s: got %v, want an interruption", what, err)
		}
	}
	c, err := client.New("http://127.0.0.1:1", "good")
	if err != nil {
		t.Fatal(err)
	}
	submitted := make(chan error, 1)
	go func() { submitted <- (&submitCmd{File: pipe}).Run(t.Context(), o, c) }()
	select {
	case err := <-submitted:
		if o.fail(err) != exitUsage {
			t.Errorf("submit of a pipe: got %v, want it refused", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("submit waits for somebody to write to a pipe")
	}
	w, err := os.OpenFile(pipe, os.O_RDWR, 0) // what waits can end
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
}

// The parser would replace what is not UTF-8, and a file would get another name.
func TestArgumentsAreUTF8(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"submit", "--dataset", "d", "--date", "2026-03-01", "a\xff.csv"}, {"submit", "--dataset", "d", "--date", "2026-03-01", "--name", "a\xff.csv", "main.go"}} {
		var b bytes.Buffer
		if code := run(args, io.Discard, &b); code != exitUsage || !strings.Contains(b.String(), `a\xff.csv`) {
			t.Errorf("%q: exit %d, %s, want %d and the name", args, code, b.String(), exitUsage)
		}
	}
}
