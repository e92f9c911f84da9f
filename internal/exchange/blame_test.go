package exchange

import (
	"errors"
	"fmt"
	"testing"

	"tributary/internal/fault"
)

func TestBlame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause error
		want  string
	}{
		{fmt.Errorf("validate: %w", &stoppedError{errors.New("the child crashed")}), "unreadable"},
		{fault.New(fault.TimedOut, "It took longer than it may and was stopped."), "limit"},
		{fault.New(fault.Denied, "No."), "unchecked"},
		{fault.New(fault.StorageFull, "The disk is full."), "unchecked"},
		{fault.New(fault.Damaged, "The object is damaged."), "unchecked"},
		{fault.New(fault.Internal, "The worker that had it stopped without a result."), "unchecked"},
		{errors.New("no connection"), "unchecked"},
	} {
		if v := blame(c.cause); v.Accepted || v.ErrorCount != 1 || len(v.Errors) != 1 || v.Errors[0].Code != c.want {
			t.Errorf("%v: %+v, want %s", c.cause, v, c.want)
		}
	}
}
