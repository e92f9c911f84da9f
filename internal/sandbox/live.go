//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"tributary/internal/fault"
)

// LiveJob is a program whose child lives and answers requests (Child.Serve).
type LiveJob struct {
	Program string
	Args    []byte // for Child.Args, each time that it is started
	// Dir is a directory that exists, and that the child may write to; empty: none.
	// If the server is root, it and the files in it are given to the user 65534.
	Dir string
	// Memory and Threads are as in Limits. There are no other limits: requests have theirs.
	Memory  int64
	Threads int
	// Idle is how long the child lives without a request, until the next one starts it
	// again; 0: for good.
	Idle time.Duration
	// Stay is asked then whether the child is to live on all the same, until after the
	// next request; nil: it is not.
	Stay func() bool
}

// Live is one child that lives: it is started by the first request, and again by
// the next one after it has ended for whatever reason. After one that ended by itself
// without one good answer a pause comes before the next, each time twice as long, and
// requests meanwhile are refused. It is safe for use by many goroutines; requests run at
// once, and their answers do not wait for each other.
type Live struct {
	box *Box
	job LiveJob

	mu      sync.Mutex
	session *session // nil: there is no child
	closed  bool
	busy    int           // requests under way
	resting *time.Timer   // ends the child
	pause   time.Duration // after the last child that answered nothing; 0: none since one did
	pausing bool          // until its end
}

// Live makes a Live. It starts nothing yet. The caller closes it.
func (b *Box) Live(job LiveJob) *Live { return &Live{box: b, job: job} }

// MaxRequest is how many bytes a request has at most.
const MaxRequest = 64 << 20

const (
	maxFrame = 64 << 10        // bytes of an answer's piece
	window   = 8               // pieces of an answer that are on their way at once
	grace    = 5 * time.Second // for a cancelled request to end, before the child is killed
	frameTop = 4 + 1 + 4       // request, kind, size

	shortestPause = time.Second
	longestPause  = time.Minute
)

// The kinds of frames to the child, and from it.
const (
	toRequest = 'r' // a request begins; its bytes
	toMore    = 'm' // a piece of the answer was taken
	toCancel  = 'c'

	fromData   = 'd' // a piece of the answer
	fromDone   = 'e' // the answer is complete
	fromFailed = 'f' // the request failed; a status
	fromLast   = 'l' // likewise, and the child ends
)

// Do has the child do a request, and hands its answer to read while it is made. Like
// that of Box.Run, the reader ends with io.EOF only when the answer is whole, and its
// last Read otherwise returns the error that Do returns.
//
// The kinds of errors: what the handler returned of kind Invalid, TooLarge or Damaged;
// Cancelled and TimedOut when ctx ended, at once: the request ends by itself, or the
// child does; Unavailable, with a RetryAfter, if none is to be started yet; no kind if the
// child ended, and the request may have taken effect.
func (l *Live) Do(ctx context.Context, request []byte, read func(io.Reader) error) error {
	if len(request) > MaxRequest {
		return fault.New(fault.TooLarge, "The request has %d bytes; the limit is %d.", len(request), MaxRequest)
	}
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	s, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer l.end()
	c := s.call(request)
	a := &answer{ctx: ctx, call: c}
	unread := read(a)
	if a.err == nil && unread == nil {
		_, unread = io.Copy(io.Discard, a)
	}
	if a.err == nil { // the reader gave up
		c.abandon()
		return unread
	}
	if errors.Is(a.err, io.EOF) {
		return unread
	}
	return a.err
}

// begin returns a session with the child. Where the one before is about to end, it waits
// for that: there is one owner of its directory.
func (l *Live) begin(ctx context.Context) (*session, error) {
	for {
		s, err := l.enter()
		if err != nil || !s.ending.Load() {
			return s, err
		}
		l.end()
		select {
		case <-s.ended:
		case <-ctx.Done():
			return nil, cancelled(ctx)
		}
	}
}

// enter counts a request, and returns the session that there is, or another after its end.
func (l *Live) enter() (*session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fault.New(fault.Unavailable, "The server is stopping.")
	}
	if l.session != nil && l.session.over() {
		l.rate(l.session)
		l.session = nil
	}
	if l.session == nil {
		if l.pausing {
			return nil, &later{fault.New(fault.Unavailable, "What answers this does not start at the moment. It is tried again by itself; its operator finds the reason in the log."), l.pause}
		}
		l.session = l.box.session(l.job)
	}
	l.busy++
	if l.resting != nil {
		l.resting.Stop()
	}
	return l.session, nil
}

// rate has a pause begin after a session that was of no use. The caller holds mu.
func (l *Live) rate(s *session) {
	if s.good.Load() || s.rested {
		l.pause = 0
		return
	}
	l.pause = min(max(2*l.pause, shortestPause), longestPause)
	l.pausing = true
	time.AfterFunc(l.pause, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pausing = false
	})
}

// later is an error that says after how long it is worth while to try again.
type later struct {
	error
	after time.Duration
}

func (e *later) Unwrap() error             { return e.error }
func (e *later) RetryAfter() time.Duration { return e.after }

// end notes that a request has ended.
func (l *Live) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy--; l.busy == 0 && l.job.Idle > 0 && !l.closed {
		l.resting = time.AfterFunc(l.job.Idle, l.rest)
	}
}

// rest ends a child that nobody asks anything.
func (l *Live) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy > 0 || l.closed || l.session == nil || l.session.over() || l.session.ending.Load() || l.job.Stay != nil && l.job.Stay() {
		return
	}
	l.session.rested = true
	l.session.drain()
	l.session.leave()
}

// Close ends the child once its requests have ended, or with ctx, and waits for it.
func (l *Live) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	s := l.session
	l.mu.Unlock()
	if s == nil || s.over() {
		return nil
	}
	s.drain()
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.kill()
		<-s.ended
	}
	if s.err != nil && !errors.Is(s.err, errEnded) {
		return s.err
	}
	return nil
}

// session is one child from its start to its end.
type session struct {
	in     *io.PipeWriter
	kill   context.CancelFunc
	good   atomic.Bool   // it has answered something
	rested bool          // it ended since nobody asked it anything
	ending atomic.Bool   // it answers nothing new
	ended  chan struct{} // closed when the child is gone; err is set before
	err    error

	writing sync.Mutex

	mu       sync.Mutex
	calls    map[uint32]*call
	last     uint32
	draining bool
}

var errEnded = errors.New("the child has ended")

func (b *Box) session(job LiveJob) *session {
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	s := &session{in: in, kill: cancel, ended: make(chan struct{}), calls: map[uint32]*call{}}
	go func() {
		defer cancel()
		err := b.Run(ctx, Job{Program: job.Program, Args: job.Args, Stream: out, dir: job.Dir, lives: true,
			Limits: Limits{Memory: job.Memory, Threads: job.Threads}}, func(r io.Reader) error {
			err := s.receive(r)
			_ = out.CloseWithError(errEnded) // so that nobody waits to write or read
			return err
		})
		_ = out.CloseWithError(errEnded) // also if it never started
		if err == nil {
			err = errEnded
		}
		s.err = err
		close(s.ended)
	}()
	return s
}

func (s *session) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// leave has nothing new asked of a child that is to end, and kills one that does not.
func (s *session) leave() {
	s.ending.Store(true)
	time.AfterFunc(grace, s.kill)
}

// lost is why a request has no answer, of a child that is gone. Only that the child could
// not be started is of that kind; any other is that of another request, or nobody's.
func (s *session) lost() error {
	if fault.Is(s.err, fault.Unavailable) {
		return s.err
	}
	return errors.New(s.err.Error())
}

// receive hands the frames of the child to their calls, until it ends.
func (s *session) receive(r io.Reader) error {
	for {
		id, kind, payload, err := readFrame(r, maxFrame)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		switch kind {
		case fromDone:
			s.good.Store(true)
		case fromLast:
			s.leave()
		}
		s.mu.Lock()
		c := s.calls[id]
		if kind != fromData {
			delete(s.calls, id)
			s.closeIfDrained()
		}
		s.mu.Unlock()
		if c == nil {
			return fmt.Errorf("the child answers request %d, which there is not", id)
		}
		select {
		case c.frames <- frame{kind, payload}:
		default:
			return fmt.Errorf("the child answers request %d faster than it is told to", id)
		}
	}
}

// drain ends the child when its calls have ended.
func (s *session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	s.closeIfDrained()
}

func (s *session) closeIfDrained() {
	if s.draining && len(s.calls) == 0 {
		go func() { _ = s.in.Close() }() // behind what is being written
	}
}

// send writes a frame to the child. An error says only that it has ended.
func (s *session) send(id uint32, kind byte, payload []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = writeFrame(s.in, id, kind, payload)
}

type frame struct {
	kind    byte
	payload []byte
}

// call is one request.
type call struct {
	s      *session
	id     uint32
	frames chan frame
}

func (s *session) call(request []byte) *call {
	s.mu.Lock()
	s.last++
	c := &call{s: s, id: s.last, frames: make(chan frame, window+1)}
	s.calls[c.id] = c
	s.mu.Unlock()
	s.send(c.id, toRequest, request)
	return c
}

// abandon cancels a call whose answer nobody wants, without waiting for it. A child
// that does not end it within the grace is killed.
func (c *call) abandon() {
	go func() {
		c.s.send(c.id, toCancel, nil)
		limit := time.NewTimer(grace)
		defer limit.Stop()
		for {
			select {
			case f := <-c.frames:
				if f.kind != fromData {
					return
				}
				c.s.send(c.id, toMore, nil) // it may be waiting to write
			case <-c.s.ended:
				return
			case <-limit.C:
				c.s.ending.Store(true)
				c.s.kill()
				return
			}
		}
	}()
}

// answer is a call's answer as read sees it.
type answer struct {
	ctx  context.Context //nolint:containedctx // of one call of Do
	call *call
	left []byte
	err  error // of the last Read
}

func (a *answer) Read(p []byte) (int, error) {
	for len(a.left) == 0 {
		if a.err != nil || len(p) == 0 {
			return 0, a.err
		}
		select {
		case f := <-a.call.frames:
			a.take(f)
		case <-a.ctx.Done():
			a.err = cancelled(a.ctx)
			a.call.abandon()
		case <-a.call.s.ended:
			select {
			case f := <-a.call.frames: // it came before
				a.take(f)
			default:
				a.err = a.call.s.lost()
			}
		}
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}

func (a *answer) take(f frame) {
	switch f.kind {
	case fromData:
		a.left = f.payload
		a.call.s.send(a.call.id, toMore, nil)
	case fromDone:
		a.err = io.EOF
	default:
		a.err = failed(f.payload)
	}
}

// failed is the error that a child reported for a request.
func failed(payload []byte) error {
	var st status
	if json.Unmarshal(payload, &st) != nil {
		return errors.New("the child says that a request failed, and not how")
	}
	st.Message, st.Detail = clean(st.Message), clean(st.Detail)
	switch {
	case st.State == stateFault && travels[st.Kind]:
		if st.Message == "" {
			st.Message = unreadMessage
		}
		return fault.Wrap(st.Kind, fmt.Errorf("the program said: %s", st.Detail), "%s", st.Message)
	case outOfMemory(st.Detail):
		return fault.Wrap(fault.TooLarge, errors.New(st.Detail), "The work needed more memory than it may take.")
	}
	return fmt.Errorf("the program failed: %s", st.Detail)
}

// openDir opens a child's directory, and gives it to the child's user.
func (b *Box) openDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", path, err)
	}
	dir := os.NewFile(uintptr(fd), path)
	if !b.privileged {
		return dir, nil
	}
	names, err := os.ReadDir(path)
	if err == nil {
		err = os.Lchown(path, nobody, nobody)
	}
	for _, n := range names {
		if err == nil {
			err = os.Lchown(filepath.Join(path, n.Name()), nobody, nobody)
		}
	}
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("give directory to the child's user: %w", err)
	}
	return dir, nil
}
