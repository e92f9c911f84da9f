package control

// ErrCrash is what a step fails with when the process is to end there.
var ErrCrash = errCrash

// FailAt makes a step of the sagas fail with err whenever it is reached, before it
// does anything.
func (c *Control) FailAt(step string, err error) {
	c.fail = func(_, at string) error {
		if at == step {
			return err
		}
		return nil
	}
}
