package client

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// errStalled ends transfers that stand still.
var errStalled = errors.New("nothing more has come")

// watched is an answer's body that ends its request when nothing comes for
// a while. The time that its reader takes between reads does not count.
type watched struct {
	body   io.ReadCloser
	wait   time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stood  atomic.Bool
}

func newWatched(body io.ReadCloser, wait time.Duration, cancel context.CancelCauseFunc) *watched {
	w := &watched{body: body, wait: wait, cancel: cancel}
	w.timer = time.AfterFunc(wait, func() {
		w.stood.Store(true)
		cancel(errStalled)
	})
	w.timer.Stop()
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.wait)
	defer w.timer.Stop()
	n, err := w.body.Read(p)
	if err != nil && w.stood.Load() {
		err = errStalled
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}
