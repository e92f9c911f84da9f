package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/internal/fault"
)

// Publish adds messages in their order, all or none, and returns the sequence of the
// last; theirs are consecutive. When it returns nil they survive a power cut. One that
// comes before may leave the first of them.
//
// The fault is TooLarge over a bound, and Unavailable when the stream or its disk is full,
// does not answer, or failed: then it takes nothing more until it is opened again. After
// Unavailable, or when ctx ended, they may be there all the same, or may yet come: Last
// tells, once the stream answers. Who publishes them again may have them there twice; see
// PublishAfter.
func (s *Streams) Publish(ctx context.Context, n Name, list []Message) (last uint64, err error) {
	return s.send(ctx, n, "", list)
}

// PublishAfter is Publish for who knows where the stream ends: it is Conflict when the
// stream does not end at a sequence by then. So what comes late of a publish that was
// given up is not followed by something made without knowing of it, and of all that is
// published after one sequence, the same again or something else, one at most is there.
func (s *Streams) PublishAfter(ctx context.Context, n Name, after uint64, list []Message) (last uint64, err error) {
	return s.send(ctx, n, strconv.FormatUint(after, 10), list)
}

// send is Publish; with an after only where the stream ends there.
func (s *Streams) send(ctx context.Context, n Name, after string, list []Message) (last uint64, err error) {
	size, err := check(n, list)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	if err := s.room(size); err != nil {
		return 0, err
	}
	if failed := s.failed.Load(); failed != nil {
		return 0, *failed
	}
	if last, err = s.publish(ctx, n, after, list); err != nil {
		return 0, err
	}
	if err := s.mark(n, last); err != nil {
		return 0, fmt.Errorf("mark the end of stream %s: %w", n, err)
	}
	return last, nil
}

func (s *Streams) publish(ctx context.Context, n Name, after string, list []Message) (last uint64, err error) {
	p := s.named[n]
	select {
	case p.turns <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-p.turns }()
	defer p.tell() // on errors too: it may be there
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, batch := message(n, list[0]), ""
	if after != "" {
		m.Header.Set(jetstream.ExpectedLastSeqHeader, after)
	}
	if len(list) > 1 {
		batch = s.cfg.Clock.ID("bat")
		for i := range list[:len(list)-1] {
			m.Header.Set("Nats-Batch-Id", batch)
			m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
			if err := s.conn.PublishMsg(m); err != nil {
				return 0, fmt.Errorf("publish to %s: %w", n, silent(ctx, err))
			}
			m = message(n, list[i+1])
		}
		m.Header.Set("Nats-Batch-Id", batch)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(len(list)))
		m.Header.Set("Nats-Batch-Commit", "1")
	}
	answer, err := s.conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		if failed := s.broken(); failed != nil {
			return 0, fmt.Errorf("publish to %s: %w", n, failed)
		}
		return 0, fmt.Errorf("publish to %s: %w", n, silent(ctx, err))
	}
	return acknowledged(n, answer.Data, batch, len(list))
}

// acknowledged reads the server's word on what was published.
func acknowledged(n Name, answer []byte, batch string, count int) (last uint64, err error) {
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
		Batch    string              `json:"batch"`
		Count    int                 `json:"count"`
	}
	if err := json.Unmarshal(answer, &ack); err != nil {
		return 0, fmt.Errorf("publish to %s: read the acknowledgement: %w", n, err)
	}
	switch {
	case ack.Error != nil:
		return 0, fmt.Errorf("publish to %s: %w", n, kindly(n, ack.Error))
	case ack.Sequence == 0, batch != "" && (ack.Batch != batch || ack.Count != count):
		return 0, fmt.Errorf("publish to %s: the acknowledgement is of something else: %q", n, answer)
	}
	return ack.Sequence, nil
}

func check(n Name, list []Message) (size int, err error) {
	if !n.Valid() {
		return 0, unknown(n)
	}
	if len(list) > MaxBatch {
		return 0, fault.New(fault.TooLarge, "%d messages are more than the %d that a stream takes at once.", len(list), MaxBatch)
	}
	for _, m := range list {
		if len(m.Data) > MaxMessage {
			return 0, fault.New(fault.TooLarge, "A message of %d bytes is larger than the %d that a stream takes.", len(m.Data), MaxMessage)
		}
		if _, err := n.subject(m.Tenant); err != nil || m.Tenant == lost {
			return 0, fmt.Errorf("stream: %q is no tenant", m.Tenant)
		}
		size += len(m.Data) + envelope/64
	}
	return size, nil
}

func message(n Name, m Message) *nats.Msg {
	subject, _ := n.subject(m.Tenant) // which check has seen
	return &nats.Msg{Subject: subject, Header: nats.Header{}, Data: m.Data}
}

// tell wakes who waits.
func (p *place) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
}

func (p *place) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.more
}

// More returns a channel that is closed once this process may have published something
// after the call.
func (s *Streams) More(n Name) <-chan struct{} {
	if p := s.named[n]; p != nil {
		return p.next()
	}
	return nil
}

// Wait returns nil once there is something after a sequence. It sees what this process
// publishes.
func (s *Streams) Wait(ctx context.Context, n Name, after uint64) error {
	if !n.Valid() {
		return unknown(n)
	}
	for {
		more := s.named[n].next()
		state, err := s.State(ctx, n)
		if err != nil || state.Last > after {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
