package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/term"

	"tributary/client"
)

// file is being written beside its target under a temporary name, so that nobody
// takes a part for the whole. What is no file, such as /dev/null, is written to
// as it is.
type file struct {
	*os.File
	target string
	direct bool
}

// newFile starts a file that only its owner can read; without a target, in the
// current directory, to be named by create.
func newFile(target string) (*file, error) {
	if led, err := filepath.EvalSymlinks(target); err == nil && target != "" {
		target = led // what a link leads to is replaced, not the link
	}
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return nil, usage("%s is a directory", target)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(target, os.O_WRONLY, 0)
		return &file{f, target, true}, err
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".tributary-*.part")
	var where *fs.PathError
	if errors.As(err, &where) { // of a name that nobody has typed
		return nil, fmt.Errorf("cannot write %s: %w", target, where.Err)
	}
	return &file{f, target, false}, err
}

// replace makes the file complete under its name, in place of what was there.
func (f *file) replace() error {
	if f.direct {
		return f.Close()
	}
	if err := f.complete(); err != nil {
		return err
	}
	return os.Rename(f.Name(), f.target)
}

// create makes the file complete under a new name; there must be none yet.
func (f *file) create(target string) error {
	if err := f.complete(); err != nil {
		return err
	}
	err := os.Link(f.Name(), target)
	if errors.Is(err, fs.ErrExist) {
		return &exit{code: exitConflict, says: target + " exists already.", hint: "Name the file with -o to replace it."}
	}
	if err == nil {
		f.target = target
	}
	return err
}

func (f *file) complete() error {
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// discard removes what is left under the temporary name.
func (f *file) discard() {
	f.Close()
	if !f.direct {
		os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	}
}

// target is the flag of commands that download.
type target struct {
	Output string `short:"o" placeholder:"FILE" help:"Write to this file, replacing it; - is standard output. Without it the file is named as the server names it, and must not exist yet."`
}

// fetch downloads to where the flag says.
func (t target) fetch(ctx context.Context, out *output, get func(context.Context, io.Writer, client.Progress) (client.Download, error)) error {
	if t.Output == "-" {
		var w io.Writer = out.stdout
		if out.terminal {
			w = harmless{w}
		}
		_, err := get(ctx, w, nil)
		return err
	}
	f, err := newFile(t.Output) // without a name: in the current directory
	if err != nil {
		return err
	}
	defer f.discard()
	d, err := get(ctx, f, out.progress("receiving "+t.Output))
	if err != nil {
		return err
	}
	if t.Output != "" {
		err = f.replace()
	} else {
		var name string
		if name, err = safeName(d.Name); err == nil {
			err = f.create(name)
		}
	}
	if err != nil {
		return err
	}
	out.clearLine()
	if out.json {
		return out.JSON(map[string]any{"file": f.target, "size": d.Size})
	}
	out.note("%s  %s", f.target, size(d.Size))
	return nil
}

// safeName makes a file name that the server gave fit to be used here: without
// folders, hidden names or characters that do not print.
func safeName(name string) (string, error) {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(name, ".-~ ")
	if name == "" || len(name) > 255 {
		return "", &exit{code: exitFailed, says: "The server gives the file no name that can be used.", hint: "Name it with -o FILE."}
	}
	return name, nil
}

// document reads a file that a flag names; - is standard input.
func document(ctx context.Context, path string) ([]byte, error) {
	return waiting(ctx, func() ([]byte, error) {
		if path == "-" {
			return io.ReadAll(io.LimitReader(os.Stdin, 64<<20))
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, usage("%w", err)
		}
		return raw, nil
	})
}

// waiting reads what somebody has yet to type, or a program to write, until the
// command is interrupted.
func waiting[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// secret reads a password or token: from a file (- is standard input), else by
// asking on a terminal, else from the first line of standard input. Nothing but
// the line end is trimmed.
func secret(ctx context.Context, out *output, file, ask string) (string, error) {
	if file == "" && isTerminal(os.Stdin) {
		if state, err := term.GetState(int(os.Stdin.Fd())); err == nil {
			defer func() { _ = term.Restore(int(os.Stdin.Fd()), state) }() // an interrupt leaves it without echo
		}
	}
	return waiting(ctx, func() (string, error) { return readSecret(out, file, ask) })
}

func readSecret(out *output, file, ask string) (string, error) {
	if file != "" && file != "-" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", usage("%w", err)
		}
		return strings.TrimRight(string(raw), "\r\n"), nil
	}
	if file == "" && isTerminal(os.Stdin) {
		fmt.Fprintf(out.stderr, "%s: ", ask)
		raw, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(out.stderr)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", strings.ToLower(ask), err)
		}
		return string(raw), nil
	}
	text, err := stdinLine()
	if err != nil || text == "" {
		return "", usage("there is no %s on standard input; give it there or by a file", strings.ToLower(ask))
	}
	return text, nil
}

// stdin is read by lines, so that two secrets can come one after the other.
var stdin = bufio.NewReader(os.Stdin)

func stdinLine() (string, error) {
	text, err := stdin.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimRight(text, "\r\n"), err
}

// publicKey reads a public key's file, and refuses a private one.
func publicKey(ctx context.Context, path string) (string, error) {
	raw, err := document(ctx, path)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(raw), "PRIVATE KEY") {
		return "", &exit{code: exitUsage, says: path + " is a private key, which stays with you.", hint: "Use the .pub file beside it."}
	}
	return strings.TrimSpace(string(raw)), nil
}
