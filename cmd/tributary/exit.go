package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"tributary/client"
	"tributary/internal/fault"
)

// The exit codes, which scripts rely on.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitConflict    = 5
	exitInvalid     = 6
	exitUnreachable = 7
	exitInterrupted = 130
)

// exitCodes explains them, for `tributary help exit-codes`.
const exitCodes = `0    done
1    failed; with --wait also: the run failed, was withheld or skipped; audit verify: something is wrong
2    the command line is wrong
3    not found
4    not allowed: no token, a wrong one, or one that may not do this
5    conflict with the present state, or over a quota
6    invalid input; submit: the file was rejected
7    the server cannot be reached, or it took too long
130  interrupted; with --wait also: the run was cancelled
`

// codes is the one table from kinds of errors to exit codes.
var codes = map[client.Kind]int{
	client.Invalid:         exitInvalid,
	client.Unauthenticated: exitDenied,
	client.SecondFactor:    exitDenied,
	client.Denied:          exitDenied,
	client.NotFound:        exitNotFound,
	client.Conflict:        exitConflict,
	client.TooLarge:        exitInvalid,
	client.Throttled:       exitConflict,
	client.Unavailable:     exitUnreachable,
	client.StorageFull:     exitConflict,
	client.Cancelled:       exitInterrupted,
	client.TimedOut:        exitUnreachable,
	client.Damaged:         exitFailed,
	client.Internal:        exitFailed,
}

// exit is an error that knows its exit code.
type exit struct {
	code int
	says string // to the user, in a sentence; empty: what err says
	err  error
	hint string // what to do
}

func (e *exit) Error() string {
	if e.says != "" {
		return e.says
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage is an error in what was typed.
func usage(format string, args ...any) error {
	return &exit{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// usageOf is an error of the command line, with where to look.
func usageOf(err error) error {
	e := &exit{code: exitUsage, err: err, hint: "tributary --help"}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		for _, step := range parse.Context.Path {
			if step.Command != nil {
				e.hint = step.Command.FullPath() + " --help"
			}
		}
	}
	return e
}

// kindOf returns the kind of an error of the client or of a server's own part.
func kindOf(err error) client.Kind {
	if k := client.KindOf(err); k != client.Internal {
		return k
	}
	return client.Kind(fault.KindOf(err))
}

// fail prints an error and returns its exit code; nil is 0.
func (o *output) fail(err error) int {
	if err == nil {
		return exitOK
	}
	o.clearLine()
	code, hint := codes[kindOf(err)], ""
	if code == 0 {
		code = exitFailed
	}
	var known *exit
	if errors.As(err, &known) {
		code, hint = known.code, known.hint
	}
	var answered *client.Error
	isAnswer := errors.As(err, &answered)
	if hint == "" {
		hint = hintFor(err)
	}
	label := "error:"
	if o.colour {
		label = "\x1b[1;31merror:\x1b[0m"
	}
	// Further lines are set in, so that none passes for a hint.
	lines := strings.Split(message(err), "\n")
	for i, line := range lines {
		lines[i] = clean(strings.TrimSuffix(line, "\r"))
	}
	fmt.Fprintf(o.stderr, "%s %s\n", label, strings.Join(lines, "\n       "))
	if hint != "" {
		fmt.Fprintf(o.stderr, "hint: %s\n", clean(hint))
	}
	if isAnswer && answered.Instance != "" {
		fmt.Fprintf(o.stderr, "request: %s\n", clean(answered.Instance))
	}
	return code
}

// message is what the user reads of an error.
func message(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "Interrupted."
	case errors.Is(err, context.DeadlineExceeded) && !isUnreachable(err):
		return "It took longer than --timeout allows."
	}
	return strings.TrimSpace(err.Error())
}

func isUnreachable(err error) bool {
	var u *client.UnreachableError
	return errors.As(err, &u)
}

// hintFor says what to do about an error where the server does not.
func hintFor(err error) string {
	if isUnreachable(err) {
		return "Is it running, and is the address right? Set --server or TRIBUTARY_SERVER."
	}
	var answered *client.Error
	if !errors.As(err, &answered) {
		return ""
	}
	switch answered.Kind() {
	case client.Unauthenticated:
		if answered.Path == "/api/v1/sessions" || answered.Path == "/api/v1/setup" {
			return ""
		}
		return "Check TRIBUTARY_TOKEN or the token file; tributary login makes a new session."
	case client.Denied:
		if answered.Path == "/api/v1/me" {
			return ""
		}
		return "tributary me shows who the token is."
	case client.Conflict:
		if answered.Path == "/api/v1/sessions" {
			return "Give one of your own with --new-password-file."
		}
	case client.Throttled:
		if answered.RetryAfter > 0 {
			return fmt.Sprintf("Try again in %s.", answered.RetryAfter)
		}
	case client.Internal, client.Damaged:
		return "The server's log has more under the request's id."
	}
	return ""
}
