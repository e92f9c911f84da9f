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

// Clients send pieces in order, and the server's workers take them as it comes: this
// bounds what is held of a file because what belongs before it has not been taken yet.
const (
	maxAhead  = 4 << 20
	maxPieces = 1024
	// certain is how many pieces tell where the first belongs: more than the workers
	// can confuse.
	certain = 32
)

var (
	errOrder = refuse(sftp.ErrSSHFxFailure, "files are written from front to back; send the file again")
	errHole  = refuse(sftp.ErrSSHFxFailure, "a piece in the middle of the file did not arrive; send the file again")
)

// incoming is a file that is written. When the client closes it, it is submitted if
// its folder and name say what it is for, and otherwise kept as an upload until it
// is renamed. When the connection ends before, what arrived is kept but for its last
// byte, so that programs that go on with what is shorter than theirs do so, and close it.
type incoming struct {
	session *session
	place   place
	closed  func() // no handle any more

	mu       sync.Mutex
	time     *time.Time // of the sender's file, from a client that says so before it closes this one
	draft    *exchange.Draft
	base     exchange.Entry // what is there, to be gone on with or replaced; zero: nothing
	appends  bool           // offsets count from the end of base
	open     bool           // it is not known yet whether base is gone on with
	shift    int64          // what is added to offsets
	replaces string         // the upload that this begins anew
	next     int64
	last     []byte // of what arrived, not sealed yet: one byte or none
	ahead    map[int64][]byte
	held     int
	broken   error // why the file is refused
	cut      bool  // the connection ended before the file was closed
	ended    bool
	waits    time.Time // since when what arrived waits to be kept, though the handle has ended; zero: it does not

	came, seen int64     // how many bytes have come, and had when that was looked at last
	still      time.Time // since when none have
}

// on says what is there already; a client may go on with it, or begin anew.
func (f *incoming) on(base exchange.Entry, appends bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base, f.appends, f.open = base, appends, base.Size > 0
}

// WriteAt implements io.WriterAt. Files are written from front to back.
func (f *incoming) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return 0, f.session.answer(f.broken)
	}
	f.came += int64(len(p))
	if err := f.take(p, off); err != nil {
		f.broken = err
		return 0, f.session.answer(err)
	}
	return len(p), nil
}

func (f *incoming) take(p []byte, off int64) error {
	off += f.shift
	switch {
	case len(p) == 0:
		return nil
	case !f.open && off == f.next:
		return f.drain(p)
	case !f.open && off < f.next:
		return errOrder
	}
	if err := f.begin(); err != nil { // which counts what is sent at once
		return err
	}
	if f.ahead == nil {
		f.ahead = map[int64][]byte{}
	}
	f.held += len(p) - len(f.ahead[off])
	if f.ahead[off] = append([]byte(nil), p...); f.held > maxAhead || len(f.ahead) > maxPieces {
		return errHole
	}
	if f.open && (off == 0 || len(f.ahead) >= certain || f.held > maxAhead/4) {
		return f.settle()
	}
	return nil
}

// settle decides by the first piece whether what is there is gone on with. A client
// that appends counts from the file's end or, as some do, from its beginning.
func (f *incoming) settle() error {
	if !f.open || len(f.ahead) == 0 {
		return nil
	}
	first := int64(-1)
	for off := range f.ahead {
		if first < 0 || off < first {
			first = off
		}
	}
	switch {
	case first == 0 && f.appends:
		moved := map[int64][]byte{}
		for off, p := range f.ahead {
			moved[off+f.base.Size] = p
		}
		f.ahead, f.shift, f.next = moved, f.base.Size, f.base.Size
	case first == 0:
		f.replaces, f.base = f.base.Upload, exchange.Entry{}
	case first == f.base.Size:
		f.next = f.base.Size
	default:
		return errOrder
	}
	f.open = false
	p := f.ahead[f.next]
	delete(f.ahead, f.next)
	f.held -= len(p)
	return f.drain(p)
}

// drain writes a piece and what has arrived of what follows.
func (f *incoming) drain(p []byte) error {
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

// write seals what comes next, but for the last byte.
func (f *incoming) write(p []byte) error {
	if err := f.begin(); err != nil {
		return err
	}
	if err := f.seal(); err != nil {
		return err
	}
	f.last = append(f.last[:0], p[len(p)-1])
	_, err := f.draft.Write(p[:len(p)-1])
	return err
}

// seal seals the byte that was held back.
func (f *incoming) seal() error {
	if len(f.last) == 0 {
		return nil
	}
	_, err := f.draft.Write(f.last)
	f.last = f.last[:0]
	return err
}

// begin begins the draft, at the first byte.
func (f *incoming) begin() error {
	if f.draft != nil || f.open {
		return nil
	}
	s := f.session
	u := exchange.Upload{Channel: exchange.SFTP, Folder: f.place.folder(), Name: f.place.name, Length: -1, FileTime: f.time}
	var err error
	if f.replaces != "" {
		if err = s.server.Exchange.DropUpload(s.ctx, s.scope, f.replaces); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		f.replaces = ""
	}
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
	if f.ended { // it said why
		return s.answer(f.broken)
	}
	// What arrived is kept even if the connection is gone.
	ctx := context.WithoutCancel(s.ctx)
	if f.broken == nil {
		f.broken = f.settle()
	}
	switch {
	case f.broken != nil:
		return s.answer(f.rescue(ctx, f.broken))
	case f.cut:
		return s.answer(f.keep(ctx))
	case len(f.ahead) > 0:
		return s.answer(f.rescue(ctx, errHole))
	}
	err := f.finish(ctx)
	if err != nil {
		err = f.rescue(ctx, err)
	}
	f.end()
	return s.answer(err)
}

// finish submits the file if it is ready, and otherwise keeps it.
func (f *incoming) finish(ctx context.Context) error {
	s := f.session
	to, err := s.server.Exchange.Recognise(ctx, f.place.folder(), f.place.name)
	ready := err == nil
	if err != nil && !fault.Is(err, fault.Invalid) {
		return err
	}
	if f.draft == nil && f.base != (exchange.Entry{}) { // opened and closed
		if !ready || f.base.Upload == "" {
			return nil
		}
		u, err := s.server.Exchange.Upload(ctx, s.scope, f.base.Upload)
		if err != nil {
			return err
		}
		sub, err := s.server.Exchange.SubmitUpload(ctx, s.scope, u, submission(to, f.place, u.Size))
		if err == nil {
			s.submitted(ctx, sub)
		}
		return err
	}
	if err := f.begin(); err != nil {
		return err
	}
	if err := f.seal(); err != nil {
		return err
	}
	if !ready {
		_, err = f.draft.Keep(ctx)
		return err
	}
	sub, err := f.draft.Submit(ctx, submission(to, f.place, -1))
	if err == nil {
		s.submitted(ctx, sub)
	}
	return err
}

func submission(to exchange.Folder, p place, size int64) exchange.NewSubmission {
	return exchange.NewSubmission{Dataset: to.Dataset, Date: to.Date, Name: p.name, Channel: exchange.SFTP, Size: size, Root: p.folder().Root()}
}

// size is how much is there if the transfer breaks off now, since who asks for it may be
// about to go on over another connection.
func (f *incoming) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		return f.base.Size
	}
	return f.next - int64(len(f.last))
}

// whole reports whether so many bytes have arrived.
func (f *incoming) whole(size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next == size
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
