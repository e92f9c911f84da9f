// Package fault gives errors the one thing programs ask of them: their kind.
// An error has three readers: the program reads the kind, the user the message,
// the operator the chain. An error without a kind is our bug.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what went wrong in terms a caller can act on. Gateways map each
// kind to a status in one table; see Kinds.
type Kind string

// The kinds.
const (
	Invalid         Kind = "invalid"         // the input is wrong and must be changed
	Unauthenticated Kind = "unauthenticated" // no credential, or not a valid one
	SecondFactor    Kind = "second-factor"   // the password is right; a code of the second factor is wanted too
	Denied          Kind = "denied"          // known, but not allowed
	NotFound        Kind = "not-found"       // does not exist, or is another tenant's
	Conflict        Kind = "conflict"        // not possible in the present state
	TooLarge        Kind = "too-large"       // over a limit of size
	Throttled       Kind = "throttled"       // over a limit of rate, concurrency or volume; try later
	Unavailable     Kind = "unavailable"     // something we depend on does not answer
	StorageFull     Kind = "storage-full"    // the disk refuses writes
	Cancelled       Kind = "cancelled"       // the caller gave up
	TimedOut        Kind = "timed-out"       // it took longer than it may
	Damaged         Kind = "damaged"         // stored bytes do not match what was stored
	Internal        Kind = "internal"        // everything without a kind
)

// Kinds lists every kind, for the tables in gateways and their tests.
var Kinds = [...]Kind{
	Invalid, Unauthenticated, SecondFactor, Denied, NotFound, Conflict, TooLarge, Throttled, Unavailable,
	StorageFull, Cancelled, TimedOut, Damaged, Internal,
}

// Error is an error with a kind and a message that its user may read.
type Error struct {
	Kind    Kind
	Message string // complete sentences for the user: what was wrong, where, what to do
	cause   error  // for the operator only
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + " (" + e.cause.Error() + ")"
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// New makes an error of a kind with a message for the user.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause that only the operator reads.
func Wrap(k Kind, cause error, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), cause: cause}
}

// KindOf returns the kind of the first error in the chain that has one;
// Internal if none has, and the empty kind for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Internal
}

// Is reports whether err is of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Message returns what the user may read of err: its message if it has a kind
// of ours, else one fixed sentence.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	switch KindOf(err) {
	case Cancelled:
		return "The request was cancelled."
	case TimedOut:
		return "The request took too long and was stopped."
	}
	return "Something went wrong on our side. Nothing was changed; the log has the details under the request's id."
}
