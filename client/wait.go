package client

import (
	"context"
	"time"
)

const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = time.Second
)

// poll calls done at once and then at growing distances until it says yes.
func poll(ctx context.Context, done func() (bool, error)) error {
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// Decided reports whether the server has made up its mind about the file.
func (s Submission) Decided() bool { return s.State != "received" && s.State != "validating" }

// Finished reports whether the run has come to its end, whichever it is.
func (r Run) Finished() bool { return r.State != "queued" && r.State != "running" }

// WaitSubmission waits until the server has decided about a submission, and
// returns it. The context bounds how long.
func (c *Client) WaitSubmission(ctx context.Context, submission string) (Submission, error) {
	var s Submission
	err := poll(ctx, func() (done bool, err error) {
		s, err = c.Submission(ctx, submission)
		return s.Decided(), err
	})
	return s, err
}

// WaitRun waits until a run has ended, and returns it. Seen, which may be nil, is
// called with each state that is seen on the way. The context bounds how long.
func (c *Client) WaitRun(ctx context.Context, run string, seen func(Run)) (Run, error) {
	var r Run
	err := poll(ctx, func() (done bool, err error) {
		if r, err = c.Run(ctx, run); err != nil {
			return false, err
		}
		if seen != nil {
			seen(r)
		}
		return r.Finished(), nil
	})
	return r, err
}
