package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Change says that something that one may read is not as it was.
type Change struct {
	Kind string `json:"kind" doc:"submission, upload, result, run, organisation, tenant, user, key, session, analysis, dataset, period, schedule, webhook, outbox or hold"`
	ID   string `json:"id" doc:"The thing's id; empty where it has none that the server made"`
}

// RunProgress is how far a run is.
type RunProgress struct {
	State  string `json:"state"`
	Stage  string `json:"stage,omitempty" doc:"What it is doing"`
	Done   int64  `json:"done"`
	Total  int64  `json:"total" doc:"0: not known"`
	Reason string `json:"reason,omitempty" doc:"Why it ended as it did"`
}

// Finished reports whether the run has come to its end, whichever it is.
func (p RunProgress) Finished() bool { return Run{State: p.State}.Finished() }

// WatchChanges calls changed with each change of what the credential may read, until
// ctx ends, changed returns an error or the credential is refused. It reconnects by
// itself, and misses nothing; where the server cannot say what was missed it is called
// with the zero Change: then anything may have changed.
func (c *Client) WatchChanges(ctx context.Context, changed func(Change) error) error {
	return c.listen(ctx, "/changes", "", func(e event) (bool, error) {
		var change Change
		switch e.name {
		case "change":
			if err := json.Unmarshal(e.data, &change); err != nil {
				return true, fmt.Errorf("read change: %w", err)
			}
		case "reset":
		default:
			return false, nil
		}
		return false, changed(change)
	})
}

// FollowRun calls line with each line of a run's log behind the line with number
// after, and progress, which may be nil, with how far it is, until the run has ended;
// it returns how. It reconnects by itself; no line comes twice and none is left out.
func (c *Client) FollowRun(ctx context.Context, run string, after int64, line func(LogLine) error, progress func(RunProgress) error) (RunProgress, error) {
	var p RunProgress
	err := c.listen(ctx, "/runs/"+id(run)+"/follow", strconv.FormatInt(after, 10), func(e event) (bool, error) {
		switch e.name {
		case "line":
			var l LogLine
			if err := json.Unmarshal(e.data, &l); err != nil {
				return true, fmt.Errorf("read line: %w", err)
			}
			return false, line(l)
		case "progress", "end":
			if err := json.Unmarshal(e.data, &p); err != nil {
				return true, fmt.Errorf("read progress: %w", err)
			}
			if e.name == "progress" && progress != nil {
				return false, progress(p)
			}
		}
		return e.name == "end", nil
	})
	return p, err
}

// event is one server-sent event.
type event struct {
	name, id string
	data     []byte
}

// listen is listenTo without parameters.
func (c *Client) listen(ctx context.Context, path, last string, got func(event) (bool, error)) error {
	return c.listenTo(ctx, path, params{}, last, got)
}

// listenTo reads events until got says that it was the last, connecting again where the
// connection ends.
func (c *Client) listenTo(ctx context.Context, path string, query params, last string, got func(event) (bool, error)) error {
	for try := 0; ; {
		res, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query.text("after", last)})
		if err == nil {
			var over bool
			over, err = readEvents(res.Body, func(e event) (bool, error) {
				try = 0
				over, err := got(e)
				if e.id != "" && err == nil {
					last = e.id
				}
				return over, err
			})
			_ = res.Body.Close() // it was only read
			if over {
				return err
			}
		} else if answered := (*Error)(nil); errors.As(err, &answered) && answered.Status < http.StatusInternalServerError {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && try >= maxTries {
			return err
		}
		if err := sleep(ctx, min(c.pause(min(try, maxTries)), maxPause)); err != nil {
			return err
		}
		try++
	}
}

// readEvents calls got with each event of a stream. It is over when got says so or
// fails; else the stream ended, with an error where it broke.
func readEvents(r io.Reader, got func(event) (bool, error)) (over bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = append(e.data, value...)
		}
		if lines.Text() != "" {
			continue
		}
		if over, err := got(e); over || err != nil {
			return true, err
		}
		e = event{}
	}
	return false, lines.Err()
}
