package client

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// errStalled ends transfers that stand still.
var errStalled = errors.New("nothing has come for a minute")

// watched is an answer's body that ends its request when nothing comes for
// stallTime. The time that its reader takes between reads does not count.
type watched struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stood  atomic.Bool
}

func newWatched(body io.ReadCloser, cancel context.CancelCauseFunc) *watched {
	w := &watched{body: body, cancel: cancel}
	w.timer = time.AfterFunc(stallTime, func() {
		w.stood.Store(true)
		cancel(errStalled)
	})
	w.timer.Stop()
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(stallTime)
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
