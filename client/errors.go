package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind says what went wrong in terms a program can act on. It is the last part
// of a problem's type.
type Kind string

// The kinds that the API answers with.
const (
	Invalid         Kind = "invalid"         // the request or file is wrong and must be changed
	Unauthenticated Kind = "unauthenticated" // no credential, or not a valid one
	SecondFactor    Kind = "second-factor"   // the password is right; send a code of the second factor with it
	Denied          Kind = "denied"          // known, but not allowed
	NotFound        Kind = "not-found"       // does not exist, or is another tenant's
	Conflict        Kind = "conflict"        // not possible in the present state
	TooLarge        Kind = "too-large"       // over a limit of size
	Throttled       Kind = "throttled"       // over a limit of rate or volume; see Error.RetryAfter
	Unavailable     Kind = "unavailable"     // the server, or what it depends on, does not answer
	StorageFull     Kind = "storage-full"    // the server's disk refuses writes
	Cancelled       Kind = "cancelled"       // the caller gave up
	TimedOut        Kind = "timed-out"       // it took longer than it may
	Damaged         Kind = "damaged"         // stored bytes are not what was stored
	Internal        Kind = "internal"        // everything else: a fault of the server
)

// Error is an answer of the API that says no.
type Error struct {
	Problem
	// Method and Path are the request's.
	Method, Path string
	// RetryAfter is how long the server asks to wait; 0 if it does not say.
	RetryAfter time.Duration
}

// Error returns the server's sentence for the user.
func (e *Error) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, e.Title)
}

const problemPrefix = "urn:tributary:"

// Kind returns the problem's kind; for an answer that is not Tributary's own,
// such as a proxy's, the one that its status means.
func (e *Error) Kind() Kind {
	if k, ok := strings.CutPrefix(e.Type, problemPrefix); ok {
		return Kind(k)
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return Invalid
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Conflict
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusTooManyRequests:
		return Throttled
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return Unavailable
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return TimedOut
	case http.StatusInsufficientStorage:
		return StorageFull
	}
	return Internal
}

// UnreachableError says that no answer came from the server.
type UnreachableError struct {
	Server string
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("The server at %s does not answer: %v.", e.Server, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// KindOf returns the kind of an error that a method of Client returned; Internal
// for one that is neither the server's nor the connection's, empty for nil.
func KindOf(err error) Kind {
	var answered *Error
	var unreachable *UnreachableError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &answered):
		return answered.Kind()
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errStalled):
		return TimedOut
	case errors.As(err, &unreachable):
		return Unavailable
	}
	return Internal
}

// Is reports whether an error is of a kind.
func Is(err error, k Kind) bool { return KindOf(err) == k }
