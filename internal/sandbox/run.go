//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"tributary/internal/fault"
)

// Run runs a job and hands the child's output to read while it is made. The
// reader ends with io.EOF only after the child has ended well; otherwise its
// last Read returns the error that Run then returns, so read cannot take a part
// for the whole. What read leaves unread is thrown away; nil reads nothing.
//
// Run returns when the child and everything it had are gone. The kinds of its
// errors: Cancelled when ctx was cancelled, TimedOut when ctx or Limits.Wall ran
// out, TooLarge when the child went over its memory, processor time or output,
// the child's own Invalid, TooLarge or Damaged, and no kind (our bug) for a
// crash. An error of read or of Job.Stream is returned as it is.
func (b *Box) Run(ctx context.Context, job Job, read func(io.Reader) error) error {
	if err := job.check(); err != nil {
		return fmt.Errorf("run %s in sandbox: %w", job.Program, err)
	}
	if err := ctx.Err(); err != nil {
		return cancelled(ctx)
	}
	limits := job.Limits
	if limits.Threads == 0 {
		limits.Threads = defaultThreads
	}
	if job.lives {
		limits.Output = math.MaxInt64 - 1
	}
	r := &run{box: b, program: job.Program, limits: limits, lives: job.lives, began: b.clock.Now(), stopped: make(chan struct{}), ended: make(chan struct{})}
	p, err := r.launch(job)
	if err != nil {
		return fmt.Errorf("run %s in sandbox: %w", job.Program, err)
	}
	defer p.closePipes()
	defer func() { // when read panics; otherwise the child is gone
		r.stop(errors.New("the reader of the output gave up"))
		<-r.ended
	}()
	defer r.watch(ctx)()

	var feeding sync.WaitGroup
	feeding.Go(func() {
		if r.fill(ctx, job) {
			r.feed(job.Stream)
		}
	})
	out := &output{run: r, left: limits.Output}
	var unread error // read's own error
	if read != nil {
		if unread = read(out); unread != nil && out.err == nil {
			r.stop(unread)
		}
	}
	_, err = io.Copy(io.Discard, out) // to the end of the child, whatever it was
	feeding.Wait()
	if err == nil {
		return unread
	}
	return err
}

// run is one child from its start to its end.
type run struct {
	box     *Box
	program string
	limits  Limits
	lives   bool
	began   time.Time
	p       *process

	stopping sync.Once
	stopped  chan struct{} // closed when we killed the child; why is set before
	why      error

	ended  chan struct{} // closed when the child is gone; the rest is set before
	state  *os.ProcessState
	waited error
	said   account
	stderr tail
}

// launch starts the child on a thread that lives until the child has ended,
// because the kernel kills the child with the thread that started it.
func (r *run) launch(job Job) (*process, error) {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p, err := r.box.start(job, r.limits)
		r.p = p
		started <- err
		if err != nil {
			return
		}
		var reading sync.WaitGroup
		reading.Go(func() { r.said = readAccount(p.status) })
		reading.Go(func() { r.listen() })
		r.state, r.waited = p.Wait()
		reading.Wait()
		close(r.ended)
	}()
	err := <-started
	return r.p, err
}

// listen reads what the child writes for the operator. There is a limit, because
// reading costs the parent about as much as writing costs the child.
func (r *run) listen() {
	if r.lives {
		_, _ = io.Copy(&r.stderr, r.p.stderr)
		return
	}
	n, _ := io.Copy(&r.stderr, io.LimitReader(r.p.stderr, maxStderr+1))
	if n > maxStderr {
		r.stop(fault.New(fault.TooLarge, "The work wrote more than the %d bytes of messages it may write.", maxStderr))
	}
}

// watch kills the child when its time is up or nobody wants it any more.
func (r *run) watch(ctx context.Context) (release func()) {
	done := context.AfterFunc(ctx, func() { r.stop(cancelled(ctx)) })
	if r.lives {
		return func() { done() }
	}
	wall := time.AfterFunc(r.limits.Wall, func() {
		r.stop(fault.New(fault.TimedOut, "The work took longer than the %s it may take and was stopped.", r.limits.Wall))
	})
	return func() {
		wall.Stop()
		done()
	}
}

func cancelled(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.TimedOut, context.Cause(ctx), "The work took longer than it may take and was stopped.")
	}
	return fault.Wrap(fault.Cancelled, context.Cause(ctx), "The work was cancelled.")
}

// stop kills the child, the first time for the reason given. A strict child is
// the first process of its namespace, so everything in it ends; a reduced child
// has no other processes.
func (r *run) stop(why error) {
	r.stopping.Do(func() {
		r.why = why
		close(r.stopped)
		_ = r.p.Kill() // fails only if the child has ended
	})
}

// cause returns why the child was killed, nil if it was not.
func (r *run) cause() error {
	select {
	case <-r.stopped:
		return r.why
	default:
		return nil
	}
}

// alive reports whether the child may still want something.
func (r *run) alive() bool {
	select {
	case <-r.stopped:
		return false
	case <-r.ended:
		return false
	default:
		return true
	}
}

// fill fills the inputs, if that is still to be done, and reports whether the
// child may go on.
func (r *run) fill(ctx context.Context, job Job) bool {
	if job.Fill == nil {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a child that has ended needs nothing any more
		select {
		case <-r.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := func() (err error) {
		defer func() { // it runs on a goroutine of our own, where a panic would end the server
			if p := recover(); p != nil {
				err = fmt.Errorf("fill inputs: panic: %v\n%s", p, debug.Stack())
			}
		}()
		return job.Fill(ctx)
	}()
	for _, m := range job.Inputs {
		if err == nil && !m.fixed() {
			err = errNotSealed
		}
	}
	if err == nil {
		return true
	}
	select {
	case <-r.ended: // by itself, and that is what counts
	default:
		r.stop(err)
	}
	return false
}

// feed copies the stream to the child.
func (r *run) feed(stream io.Reader) {
	if stream != nil {
		buf := make([]byte, 64<<10)
		for r.alive() {
			n, err := stream.Read(buf)
			if n > 0 {
				if _, err := r.p.stream.Write(buf[:n]); err != nil {
					break // the child has ended or reads no more, as it may
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				// Before the pipe is closed, so that the child cannot take a part
				// for the whole.
				r.stop(fmt.Errorf("read stream for sandbox: %w", err))
				break
			}
		}
	}
	_ = r.p.stream.Close()
}

// output is the child's output as read sees it.
type output struct {
	run  *run
	left int64
	err  error // of the last Read
}

func (o *output) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > o.left+1 {
		p = p[:o.left+1] // one more than allowed tells the end from too much
	}
	n, err := o.run.p.output.Read(p)
	if int64(n) > o.left {
		o.run.stop(fault.New(fault.TooLarge, "The work made more than the %d bytes of output it may make.", o.run.limits.Output))
		err = io.EOF
		n = int(o.left)
	}
	o.left -= int64(n)
	if err != nil { // the output is closed: how did it end?
		<-o.run.ended
		if o.err = o.run.outcome(err); o.err == nil {
			o.err = io.EOF
		}
		return n, o.err
	}
	return n, nil
}

// tail keeps the last bytes of what a child wrote for the operator.
type tail struct {
	kept        []byte
	outOfMemory bool // an allocator said so, before a long dump of stacks perhaps
}

const (
	maxTail   = 8 << 10
	maxStderr = 4 << 20
)

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	t.kept = append(t.kept, p...)
	const overlap = 64 // bytes in which words may be cut in two
	t.outOfMemory = t.outOfMemory || outOfMemory(string(t.kept[max(0, len(t.kept)-n-overlap):]))
	if over := len(t.kept) - maxTail; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return n, nil
}

// signal returns the signal that ended the child, 0 if none did.
func (r *run) signal() syscall.Signal {
	if w, ok := r.state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal()
	}
	return 0
}
