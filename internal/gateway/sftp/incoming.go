package sftp

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"tributary/internal/exchange"
	"tributary/internal/fault"
)

// maxAhead bounds what is held of a file because what belongs before it has not
// arrived: clients send pieces in order, and the server's workers take them as it comes.
const maxAhead = 4 << 20

// incoming is a file that is written. When the client closes it, it is submitted if
// its folder and name say what it is for, and otherwise kept as an upload until it
// is renamed; when the connection ends before, what arrived is kept, so that the client
// can go on.
type incoming struct {
	session *session
	place   place
	time    *time.Time // from a client that sets it before it closes the file

	mu     sync.Mutex
	draft  *exchange.Draft
	base   exchange.Entry // what is there and is added to; zero: nothing
	next   int64
	ahead  map[int64][]byte
	held   int
	broken error // why the file is refused
	cut    bool  // the connection ended before the file was closed
	ended  bool
	closed func() // no handle any more
}

// WriteAt implements io.WriterAt. Files are written from front to back.
func (f *incoming) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return 0, f.session.answer(f.broken)
	}
	if err := f.take(p, off); err != nil {
		f.broken = err
		return 0, f.session.answer(err)
	}
	return len(p), nil
}

func (f *incoming) take(p []byte, off int64) error {
	if off == 0 && f.next > 0 && f.next == f.base.Size && f.draft == nil {
		f.base, f.next = exchange.Entry{}, 0 // it is not gone on with but written anew
	}
	switch {
	case off < f.next:
		return refuse(sftp.ErrSSHFxFailure, "files are written from front to back; send the file again")
	case off > f.next:
		if err := f.begin(); err != nil { // which counts what is sent at once
			return err
		}
		if f.held += len(p); f.held > maxAhead {
			return refuse(sftp.ErrSSHFxFailure, "a piece in the middle of the file did not arrive; send the file again")
		}
		if f.ahead == nil {
			f.ahead = map[int64][]byte{}
		}
		f.ahead[off] = append([]byte(nil), p...)
		return nil
	}
	for {
		if err := f.write(p); err != nil {
			return err
		}
		f.next += int64(len(p))
		following, ok := f.ahead[f.next]
		if !ok {
			return nil
		}
		delete(f.ahead, f.next)
		f.held -= len(following)
		p = following
	}
}

// write seals what comes next, after what is there already.
func (f *incoming) write(p []byte) error {
	if err := f.begin(); err != nil {
		return err
	}
	_, err := f.draft.Write(p)
	return err
}

// begin begins the draft, at the first byte: until then nothing has changed.
func (f *incoming) begin() error {
	if f.draft != nil {
		return nil
	}
	s := f.session
	u := exchange.Upload{Channel: exchange.SFTP, Folder: f.place.folder(), Name: f.place.name, Length: -1, FileTime: f.time}
	var err error
	if f.base.Upload != "" {
		if u, err = s.server.Exchange.Upload(s.ctx, s.scope, f.base.Upload); err != nil {
			return err
		}
	}
	if f.draft, err = s.server.Exchange.Draft(s.ctx, s.scope, u); err != nil {
		return err
	}
	if f.base.Submission == "" {
		return nil
	}
	// What was submitted is gone on with: the new file begins with the same bytes.
	r, _, err := s.server.Exchange.Content(s.ctx, s.scope, f.base.Submission)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f.draft}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return errors.Join(err, r.Close())
}

// TransferError implements sftp.TransferError: the connection ended first.
func (f *incoming) TransferError(error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = true
}

// Close implements io.Closer.
func (f *incoming) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.closed()
	s := f.session
	if f.ended { // another handle has taken over
		return s.answer(f.broken)
	}
	f.ended = true
	s.server.opened.remove(f)
	// What arrived is kept even if the connection is gone.
	ctx := context.WithoutCancel(s.ctx)
	switch {
	case f.broken != nil:
		f.drop()
		return s.answer(f.broken)
	case f.cut:
		return f.keep(ctx)
	case len(f.ahead) > 0:
		f.drop()
		return refuse(sftp.ErrSSHFxFailure, "pieces in the middle of the file did not arrive; send the file again")
	}
	to, err := s.server.Exchange.Recognise(ctx, f.place.folder(), f.place.name)
	if err != nil && !fault.Is(err, fault.Invalid) {
		f.drop()
		return s.answer(err)
	}
	ready := err == nil
	if f.draft == nil && ready && f.base != (exchange.Entry{}) {
		return nil // opened and closed
	}
	if err := f.begin(); err != nil {
		f.drop()
		return s.answer(err)
	}
	if !ready {
		_, err = f.draft.Keep(ctx)
		return s.answer(err)
	}
	sub, err := f.draft.Submit(ctx, submission(to, f.place, -1))
	if err != nil {
		return s.answer(err)
	}
	s.submitted(ctx, sub)
	return nil
}

func submission(to exchange.Folder, p place, size int64) exchange.NewSubmission {
	return exchange.NewSubmission{Dataset: to.Dataset, Date: to.Date, Name: p.name, Channel: exchange.SFTP, Size: size, Root: p.folder().Root()}
}

// keep keeps what arrived of a file of which the rest did not.
func (f *incoming) keep(ctx context.Context) error {
	if f.draft == nil {
		return nil
	}
	u, err := f.draft.Keep(ctx)
	if err != nil {
		f.session.log.Warn("what arrived of a file was not kept", "error", err)
		return f.session.answer(err)
	}
	f.session.log.Info("a transfer broke off; what arrived is kept", "upload", u.ID, "bytes", u.Size)
	return nil
}

func (f *incoming) drop() {
	if f.draft != nil {
		f.draft.Drop()
	}
}

// size is how much has arrived.
func (f *incoming) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// yield ends this handle because another is opened for the same file: what arrived
// is kept for it, unless it begins anew.
func (f *incoming) yield(ctx context.Context, keep bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.ended = true
	if keep && f.broken == nil {
		_ = f.keep(ctx) // it was said in the log
	} else {
		f.drop()
	}
	f.broken = refuse(sftp.ErrSSHFxFailure, "the file is being written through another handle now")
}

// setTime notes when the sender's file was changed.
func (f *incoming) setTime(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.time = &at
	if f.draft != nil {
		f.draft.SetFileTime(at)
	}
}
