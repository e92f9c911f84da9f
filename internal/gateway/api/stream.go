package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/internal/fault"
)

const (
	// mostStreams is how many streams one person or key has at a time: one fewer than
	// the connections that a browser opens to a server over HTTP/1.1.
	mostStreams = 5
	// streamTick is how often a stream looks whether its credential is still good, and
	// how long it gathers what comes close together.
	streamTick = 250 * time.Millisecond
	// heartbeat is after how many ticks without a word one is sent.
	heartbeat = 15 * int(time.Second/streamTick)
)

// watchers counts the streams of each person or key.
type watchers struct {
	mu   sync.Mutex
	open map[string]int
}

func (w *watchers) enter(who string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[who] >= mostStreams {
		return fault.New(fault.Throttled, "Only %d streams can be open at a time. Close a page, or end a program, that has one.", mostStreams)
	}
	if w.open == nil {
		w.open = map[string]int{}
	}
	w.open[who]++
	return nil
}

func (w *watchers) leave(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[who]--; w.open[who] == 0 {
		delete(w.open, who)
	}
}

// outgoing are server-sent events on their way.
type outgoing struct{ bytes.Buffer }

// event adds one. Without an id, who reconnects goes on from the one before.
func (e *outgoing) event(name, id string, data any) error {
	raw, err := json.Marshal(data) // has no line ends
	if err != nil {
		return err
	}
	fmt.Fprintf(e, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(e, "id: %s\n", id)
	}
	fmt.Fprintf(e, "data: %s\n\n", raw)
	return nil
}

// source is what a stream tells of.
type source struct {
	// next writes what there is to say, without waiting, and returns a channel that is
	// closed when there is more, or nil at the end.
	next func(context.Context, *outgoing) (more <-chan struct{}, err error)
	// place is where who reconnects goes on from.
	place func() string
}

// StreamFor are the inputs that every stream has.
type StreamFor struct {
	Seconds     int    `query:"seconds" minimum:"0" maximum:"3600" doc:"End after so long, for programs that cannot be interrupted; 0 or absent: not by itself"`
	After       string `query:"after" maxLength:"64" doc:"As Last-Event-ID, for who cannot set headers"`
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event seen: the stream goes on after it"`
}

func (f StreamFor) place() string {
	if f.LastEventID != "" {
		return f.LastEventID
	}
	return f.After
}

// stream answers with a source's events until it ends, the credential is not good any
// more, the server stops, or nobody takes what is sent: what is to be said waits in
// the source and not in memory.
func (s *server) stream(ctx context.Context, c *call, f StreamFor, from source) (*huma.StreamResponse, error) {
	good, err := s.Policy.Presence(c.principal, s.Accounts.Reverify)
	if err != nil {
		return nil, err
	}
	who := c.by()
	if err := s.watching.enter(who); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.watching.leave(who)
		_, w := humago.Unwrap(hc)
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Time{}) // nothing more is read; a test's recorder has none
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers answers would hold it back
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if f.Seconds > 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(f.Seconds)*time.Second)
			defer cancel()
		}
		out := &outgoing{}
		fmt.Fprintf(out, "retry: 2000\nid: %s\n\n", from.place())
		if err := s.pump(ctx, control, w, out, from, good); err != nil && ctx.Err() == nil {
			s.logFault(ctx, fmt.Errorf("stream: %w", err))
		}
	}}, nil
}

func (s *server) pump(ctx context.Context, control *http.ResponseController, w http.ResponseWriter, out *outgoing, from source, good func(context.Context) error) error {
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	for {
		if good(ctx) != nil {
			return nil
		}
		more, err := from.next(ctx, out)
		if err != nil {
			return err
		}
		if out.Len() > 0 {
			if _, err := w.Write(out.Bytes()); err != nil {
				return nil // nobody listens any more
			}
			if err := control.Flush(); err != nil {
				return nil // the same
			}
			out.Reset()
		}
		if more == nil || !s.await(ctx, tick.C, more, good, func() { fmt.Fprintf(out, ":\nid: %s\n\n", from.place()) }) {
			return nil
		}
	}
}

// await waits until there is more to say, at least for one tick, or a heartbeat is
// due. It reports whether the stream goes on.
func (s *server) await(ctx context.Context, tick <-chan time.Time, more <-chan struct{}, good func(context.Context) error, beat func()) bool {
	var wake <-chan struct{}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return false
		case <-s.Changes.Done():
			return false
		case <-wake:
			return true
		case <-tick:
			if good(ctx) != nil {
				return false
			}
			wake = more
			if n >= heartbeat {
				beat()
				return true
			}
		}
	}
}
