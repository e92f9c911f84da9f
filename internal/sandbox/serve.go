//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Serve answers the parent's requests until there are no more: each by a call of
// handle, several at once. What handle writes is the answer; its ctx ends when the
// answer is not wanted any more. After an error that says that it is Fatal Serve returns
// it at once: the child, which is to end, can answer nothing any more, and the parent
// starts another.
func (c Child) Serve(ctx context.Context, handle func(ctx context.Context, request []byte, out io.Writer) error) error {
	s := &server{out: c.Output, calls: map[uint32]*served{}, ended: make(chan error, 1)}
	go func() { s.end(s.read(ctx, c.Stream, handle)) }()
	return <-s.ended
}

// read reads requests until there are no more, and waits for their answers.
func (s *server) read(ctx context.Context, in io.Reader, handle func(ctx context.Context, request []byte, out io.Writer) error) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		id, kind, payload, err := readFrame(in, MaxRequest)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		s.mu.Lock()
		call := s.calls[id]
		if kind == toRequest {
			call = s.begin(ctx, id)
			running.Go(func() { call.do(handle, payload) })
		}
		s.mu.Unlock()
		if call == nil {
			continue // it has ended meanwhile
		}
		switch kind {
		case toMore:
			call.more <- struct{}{} // there are never more than the window
		case toCancel:
			call.cancel()
		}
	}
}

// server is the child's side of a session.
type server struct {
	writing sync.Mutex
	out     io.Writer

	mu    sync.Mutex
	calls map[uint32]*served

	ended chan error // what Serve returns
}

// end ends Serve, if nothing has done so yet.
func (s *server) end(err error) {
	select {
	case s.ended <- err:
	default:
	}
}

func (s *server) begin(ctx context.Context, id uint32) *served {
	v := &served{s: s, id: id, more: make(chan struct{}, window)}
	for range window {
		v.more <- struct{}{}
	}
	v.ctx, v.cancel = context.WithCancel(ctx)
	s.calls[id] = v
	return v
}

func (s *server) send(id uint32, kind byte, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return writeFrame(s.out, id, kind, payload)
}

// served is one request at the child's side, and the writer of its answer.
type served struct {
	s      *server
	id     uint32
	ctx    context.Context //nolint:containedctx // of one request
	cancel context.CancelFunc
	more   chan struct{}
}

func (v *served) do(handle func(context.Context, []byte, io.Writer) error, request []byte) {
	defer v.cancel()
	err := handle(v.ctx, request, v)
	v.s.mu.Lock()
	delete(v.s.calls, v.id)
	v.s.mu.Unlock()
	if err == nil {
		_ = v.s.send(v.id, fromDone, nil) // fails only if the parent is gone
		return
	}
	st := statusOf(err)
	st.Message, st.Detail = clean(st.Message), clean(st.Detail)
	kind := byte(fromFailed)
	var f interface{ Fatal() bool }
	if errors.As(err, &f) && f.Fatal() {
		kind = fromLast
		defer v.s.end(err)
	}
	if line, err := json.Marshal(st); err == nil {
		_ = v.s.send(v.id, kind, line)
	}
}

func (v *served) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		select {
		case <-v.more:
		case <-v.ctx.Done():
			return n, v.ctx.Err()
		}
		piece := p[:min(len(p), maxFrame)]
		if err := v.s.send(v.id, fromData, piece); err != nil {
			return n, err
		}
		n, p = n+len(piece), p[len(piece):]
	}
	return n, nil
}

func writeFrame(w io.Writer, id uint32, kind byte, payload []byte) error {
	top := make([]byte, frameTop, frameTop+min(len(payload), maxFrame))
	binary.BigEndian.PutUint32(top, id)
	top[4] = kind
	binary.BigEndian.PutUint32(top[5:], uint32(len(payload)))
	if len(payload) <= maxFrame {
		_, err := w.Write(append(top, payload...))
		return err
	}
	if _, err := w.Write(top); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func readFrame(r io.Reader, limit uint32) (id uint32, kind byte, payload []byte, err error) {
	var top [frameTop]byte
	if _, err := io.ReadFull(r, top[:]); err != nil {
		return 0, 0, nil, err
	}
	size := binary.BigEndian.Uint32(top[5:])
	if size > limit {
		return 0, 0, nil, fmt.Errorf("a frame of %d bytes, at most %d", size, limit)
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, nil, err
	}
	return binary.BigEndian.Uint32(top[:4]), top[4], payload, nil
}
