package sftp

import (
	"context"
	"errors"
	"time"

	"github.com/pkg/sftp"

	"tributary/internal/exchange"
	"tributary/internal/fault"
)

const (
	// mostStill is how long a file may be open without a byte of it coming: it takes one of
	// the few uploads that its tenant may have at once.
	mostStill = 10 * time.Minute
	// mostWaiting is how long what arrived waits, in this process, for a store that does not
	// take it.
	mostWaiting = time.Hour
)

var (
	errStill   = refuse(sftp.ErrSSHFxFailure, "nothing of the file came for 10 minutes; what had arrived is kept: go on with it (put -a), or send it again")
	errAnother = refuse(sftp.ErrSSHFxFailure, "the file is being written through another handle now")
	errWaits   = refuse(sftp.ErrSSHFxFailure, "what arrived of the file before is not safe yet, because the server cannot write; try again in a minute")
)

// KeepDue ends handles through which nothing came for a while, so that others of the tenant
// can send, and tries again to keep what could not be kept. It is a round.
func (s *Server) KeepDue(ctx context.Context) error {
	for _, f := range s.opened.all() {
		f.look(ctx)
	}
	return nil
}

// look ends the handle if nothing has come through it since it was looked at for the
// first time without that.
func (f *incoming) look(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.session.server.Clock.Now()
	switch {
	case !f.waits.IsZero():
		f.again(ctx)
	case f.ended || f.draft == nil && len(f.ahead) == 0: // it takes nothing
	case f.still.IsZero() || f.came != f.seen:
		f.seen, f.still = f.came, now
	case now.Sub(f.still) >= mostStill:
		f.leave(ctx, errStill)
	}
}

// yield ends this handle because another is opened for the same file: what arrived
// is kept for it, unless it begins anew.
func (f *incoming) yield(ctx context.Context, keep bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		f.drop()
		return
	}
	if !keep {
		f.drop()
		f.ended, f.broken = true, errAnother
		return
	}
	f.leave(ctx, errAnother)
	f.drop() // what could not be kept; the other is the file's handle now
}

// leave ends the handle before its client does, who is told why.
func (f *incoming) leave(ctx context.Context, why error) {
	f.ended = true
	if f.broken == nil {
		f.broken = f.settle()
	}
	if f.broken == nil {
		f.broken = f.keep(ctx)
	} else {
		f.broken = f.rescue(ctx, f.broken)
	}
	if f.broken == nil {
		f.broken = why
	}
}

// keep keeps what arrived of a file of which the rest did not, or not yet.
func (f *incoming) keep(ctx context.Context) error {
	defer f.end()
	if f.draft == nil {
		return nil
	}
	u, err := f.draft.Keep(ctx)
	switch {
	case err == nil:
		f.session.log.Info("a transfer broke off; what arrived is kept", "upload", u.ID, "bytes", u.Size)
	case f.draft.Whole():
		f.waits = f.session.server.Clock.Now()
		f.session.log.Warn("what arrived of a file is not kept yet", "error", err)
	default:
		f.session.log.Warn("what arrived of a file was not kept", "error", err)
	}
	return err
}

// rescue keeps what arrived of a file that was stopped by nothing of its own, and returns
// what its sender is told. Of one that is wrong nothing is kept.
func (f *incoming) rescue(ctx context.Context, cause error) error {
	defer f.end()
	var known *status
	if f.draft == nil || errors.As(cause, &known) || !exchange.Passes(cause) || !f.draft.Whole() {
		f.drop()
		return cause
	}
	err := f.keep(ctx)
	if err != nil && f.waits.IsZero() {
		return errors.Join(cause, err)
	}
	why := "Something went wrong on our side."
	if fault.KindOf(cause) != fault.Internal {
		why = fault.Message(cause)
	}
	then := "What arrived is kept: go on with it (put -a), or send it again."
	switch {
	case err != nil:
		then = "What arrived is not lost, and not safe yet, because the server cannot write. In a while go on with it (put -a), or send it again."
	case f.draft.Upload().Arrived():
		then = "All of the file is kept, but not submitted: rename it, to the same name if you like, and it is."
	}
	return fault.Wrap(fault.KindOf(cause), cause, "%s %s", why, then)
}

// retry tries again to keep what could not be kept when the file was closed, and reports
// whether nothing waits any more.
func (f *incoming) retry(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.waits.IsZero() {
		f.again(ctx)
	}
	return f.waits.IsZero()
}

func (f *incoming) again(ctx context.Context) {
	since := f.waits
	f.waits = time.Time{}
	if err := f.keep(ctx); err != nil && !f.waits.IsZero() {
		if f.waits = since; f.session.server.Clock.Now().Sub(since) >= mostWaiting {
			f.drop()
			f.end()
		}
	}
}

// abandon ends the waiting for what cannot be kept.
func (f *incoming) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
	f.end()
}

// drop ends the draft without what arrived since it began.
func (f *incoming) drop() {
	f.waits = time.Time{}
	if f.draft != nil {
		f.draft.Drop()
	}
}

// end is called when the file has been closed: whoever opens it next finds it as it
// became. What waits to be kept is found here.
func (f *incoming) end() {
	if f.waits.IsZero() {
		f.session.server.opened.remove(f)
	}
}
