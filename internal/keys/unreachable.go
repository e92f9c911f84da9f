package keys

import (
	"errors"

	"tributary/internal/fault"
)

// unreachableError is what a KEK said when it could not be asked.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// Unreachable reports whether something failed because the key-encryption key could
// not be reached: it may work later, and nothing is wrong with what is stored.
func Unreachable(err error) bool {
	var e *unreachableError
	return errors.As(err, &e)
}

// answered marks an error of a KEK that did not answer.
func answered(err error) error {
	if fault.Is(err, fault.Unavailable) {
		return &unreachableError{err}
	}
	return err
}
