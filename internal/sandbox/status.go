//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"tributary/internal/fault"
)

// status is one line of JSON on the status pipe. A child writes "ready" before
// the program runs, and one other line after: without that line it crashed.
type status struct {
	State state `json:"state"`
	// Kind and Message are the program's fault.
	Kind    fault.Kind `json:"kind,omitempty"`
	Message string     `json:"message,omitempty"`
	Detail  string     `json:"detail,omitempty"` // for the operator
}

type state string

// The states, and what bounds them.
const (
	stateReady    state = "ready"                       // confined; the program runs next
	stateDone     state = "done"                        // the program returned nil and its output is complete
	stateFault    state = "fault"                       // the program returned a fault that may travel
	stateError    state = "error"                       // the program returned another error
	stateUnfit    state = "unfit"                       // the child could not be confined, so the program did not run
	maxStatus           = 16 << 10                      // bytes of all lines
	maxMessage          = 2 << 10                       // bytes of a message or detail
	exitFailed          = 1                             // exit code after "fault" and "error"
	exitUnfit           = 125                           // exit code after "unfit"
	unreadMessage       = "The file could not be read." // for a fault without a message
)

// travels lists the kinds of faults that a child may report. The others are for
// the parent to find: a child that reads hostile bytes must not be able to claim
// that the disk is full or a credential wrong.
var travels = map[fault.Kind]bool{fault.Invalid: true, fault.TooLarge: true, fault.Damaged: true}

// report is the child's side.
func report(s status) error {
	s.Message, s.Detail = clean(s.Message), clean(s.Detail)
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	line = append(line, '\n')
	for len(line) > 0 {
		n, err := unix.Write(fdStatus, line)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("write status: %w", err)
		}
		line = line[max(n, 0):]
	}
	return nil
}

// statusOf turns what a program returned into its last line.
func statusOf(err error) status {
	if err == nil {
		return status{State: stateDone}
	}
	var f *fault.Error
	if errors.As(err, &f) && travels[f.Kind] {
		return status{State: stateFault, Kind: f.Kind, Message: f.Message, Detail: err.Error()}
	}
	return status{State: stateError, Detail: err.Error()}
}

// account is all that a child said of itself.
type account struct {
	ready bool
	last  status // State is empty if the child ended without a last word
}

// readAccount reads the status pipe to its end. The bytes come from a process
// that may have been taken over, so whatever breaks the form counts as silence.
func readAccount(r io.Reader) account {
	var a account
	lines := bufio.NewScanner(io.LimitReader(r, maxStatus))
	lines.Buffer(nil, maxStatus)
	for lines.Scan() {
		var s status
		if json.Unmarshal(lines.Bytes(), &s) != nil || a.last.State != "" {
			return account{ready: a.ready}
		}
		switch {
		case s.State == stateReady && !a.ready:
			a.ready = true
		case s.State == stateDone, s.State == stateFault && travels[s.Kind], s.State == stateError, s.State == stateUnfit:
			s.Message, s.Detail = clean(s.Message), clean(s.Detail)
			if s.State == stateFault && s.Message == "" {
				s.Message = unreadMessage
			}
			a.last = s
		default:
			return account{ready: a.ready}
		}
	}
	return a
}

// clean makes text from a child fit to show: valid, without control characters
// or those that turn the direction of text, and short.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
