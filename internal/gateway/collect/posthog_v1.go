package collect

import (
	"net/http"
	"time"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// posthogV1 is the capture API that PostHog's newest clients speak when they are told
// to. Each event has its own verdict, and only those to retry are sent again.
var posthogV1 = &protocol{name: "posthog-v1", each: func(*call) bool { return true }, refuse: func(c *call, status int, err error) {
	answerJSON(c.w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{string(fault.KindOf(err)), fault.Message(err)})
}}

func (s *server) posthogEvents(c *call) (d delivery, err error) {
	d.key = bearer(c.Request)
	o, err := members(c.body)
	if err != nil {
		return d, err
	}
	if o.get("batch") == nil {
		return d, fault.New(fault.Invalid, "The body has no batch.")
	}
	list, err := elements(o.get("batch"))
	if err != nil {
		return d, err
	}
	if at, err := time.Parse(time.RFC3339Nano, c.Header.Get("PostHog-Request-Timestamp")); err == nil {
		d.batch.SentAt = at.UTC()
	}
	for _, raw := range list {
		in, _ := posthogIncoming(raw, c.now, d.batch.SentAt)
		if e, err := members(raw); err == nil && in.Err == nil {
			if options := e.get("options"); options != nil && len(options) > len("{}") {
				in.Event.Data, in.Err = with(in.Event.Data, member{"$options", options})
			}
		}
		d.batch.Received = append(d.batch.Received, in)
	}
	return d, nil
}

// posthogResults tells what became of each event, by its uuid.
func posthogResults(c *call, list []events.Verdict) {
	type result struct {
		Result  events.Result `json:"result"`
		Details string        `json:"details,omitempty"`
	}
	results := make(map[string]result, len(list))
	for _, v := range list {
		r := result{v.Result, v.Details}
		switch v.Result {
		case events.Duplicate:
			r = result{events.OK, "duplicate"}
		case events.Retry:
			c.w.Header().Set("Retry-After", seconds(max(v.Wait, soon)))
		}
		if before, ok := results[v.ID]; !ok || before.Result == events.OK {
			results[v.ID] = r
		}
	}
	answerJSON(c.w, http.StatusOK, map[string]any{"results": results})
}
