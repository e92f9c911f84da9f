package control

// ErrCrash is what a step fails with when the process is to end there.
var ErrCrash = errCrash

// FailAt makes a step of the sagas fail with err whenever it is reached, before it
// does anything; more steps and errors may follow.
func (c *Control) FailAt(step string, err error, more ...any) {
	errs := map[string]error{step: err}
	for i := 0; i+1 < len(more); i += 2 {
		errs[more[i].(string)] = more[i+1].(error)
	}
	c.fail = func(_, at string) error { return errs[at] }
}

// SetFail puts what is called before each step.
func (c *Control) SetFail(fail func(saga, step string) error) { c.fail = fail }
