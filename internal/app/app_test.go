package app

import (
	"errors"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/sandbox"
)

// TestSandboxRefusalSaysItOnce reads what an operator is told, as the command line
// prints it, where the sandbox does not work.
func TestSandboxRefusalSaysItOnce(t *testing.T) {
	t.Parallel()
	cause := errors.Join(errors.New("strict: no Landlock in the kernel"), errors.New("reduced: no Landlock in the kernel"))
	nothing := fault.Wrap(fault.Unavailable, cause, "No sandbox level works here: no Landlock in the kernel.")
	noStrict := fault.Wrap(fault.Unavailable, errors.New("unshare: EPERM"), "The sandbox level \"strict\" does not work here: user namespaces are forbidden.")
	for _, c := range []struct {
		wanted, best sandbox.Level
		err          error
		want         string
	}{
		{sandbox.Strict, sandbox.Strict, nil, ""},
		{sandbox.Reduced, sandbox.Strict, nil, ""},
		{sandbox.Reduced, sandbox.Reduced, noStrict, ""},
		{sandbox.Strict, sandbox.Reduced, noStrict, "The sandbox level \"strict\" does not work here: user namespaces are forbidden. With --sandbox reduced the server runs without namespaces."},
		{sandbox.Strict, "", nothing, "No sandbox level works here: no Landlock in the kernel. The server does not start without."},
		{sandbox.Reduced, "", nothing, "No sandbox level works here: no Landlock in the kernel. The server does not start without."},
	} {
		err := unfit(c.wanted, c.best, c.err)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s where %s works: got %v, want nil", c.wanted, c.best, err)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) || err.Error() != c.want {
			t.Errorf("%s where %q works: got %v, want %s", c.wanted, c.best, err, c.want)
		}
	}
}
