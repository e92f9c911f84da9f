package collect

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/client"
	"tributary/internal/events"
	"tributary/internal/fault"
)

// cloudEvents is CloudEvents 1.0 over HTTP: one, several, or one in the headers of a
// request; at the address where OpenMeter takes them. The key is a bearer's token. It
// answers 204, or with Prefer: return=representation what became of each event.
var cloudEvents = &protocol{name: "cloudevents", each: asked, refuse: func(c *call, status int, err error) {
	body := client.Problem{Type: "urn:tributary:" + string(fault.KindOf(err)), Title: http.StatusText(status), Status: status, Detail: fault.Message(err)}
	c.w.Header().Set("Content-Type", "application/problem+json")
	answerJSON(c.w, status, body)
}}

// asked reports whether the client wants to know what became of each event.
func asked(c *call) bool {
	return slices.ContainsFunc(c.Header.Values("Prefer"), func(v string) bool { return strings.Contains(strings.ToLower(v), "return=representation") })
}

func (s *server) cloudEventRoutes() []route {
	return []route{{method: http.MethodPost, paths: []string{"/api/v1/events"}, protocol: cloudEvents, header: true, body: mostBatch, read: readCloudEvents, answer: func(c *call, list []events.Verdict) {
		dropped := 0
		items := make([]client.Verdict, len(list))
		for i, v := range list {
			items[i] = client.Verdict{ID: v.ID, Result: string(v.Result), Details: v.Details}
			if v.Result == events.Drop {
				dropped++
			}
		}
		switch {
		case asked(c):
			answerJSON(c.w, http.StatusOK, map[string]any{"items": items})
		case dropped > 0 && dropped == len(list):
			cloudEvents.refuse(c, http.StatusBadRequest, fault.New(fault.Invalid, "None of the events was taken. The first: %s", list[0].Details))
		default:
			c.w.WriteHeader(http.StatusNoContent)
		}
	}}}
}

func readCloudEvents(c *call) (d delivery, err error) {
	d.key = bearer(c.Request)
	if c.Header.Get("Ce-Specversion") != "" || c.Header.Get("Ce-Id") != "" {
		d.batch.Received = []events.Incoming{cloudEventOfHeaders(c)}
		return d, nil
	}
	d.batch.Received, err = events.ReadCloudEvents(c.body)
	return d, err
}

// cloudEventOfHeaders reads an event whose attributes are headers and whose data is
// the body.
func cloudEventOfHeaders(c *call) events.Incoming {
	var o object
	for name, values := range c.Header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok {
			continue
		}
		value, err := url.PathUnescape(values[0])
		if err != nil {
			value = values[0]
		}
		o = append(o, member{attribute, quoted(value)})
	}
	slices.SortFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
	o = append(o, member{"datacontenttype", quoted(c.Header.Get("Content-Type"))})
	bad := len(c.body) > 0 && !jsontext.Value(c.body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if len(c.body) > 0 && !bad {
		o = append(o, member{"data", c.body})
	}
	raw, err := with(nil, o...)
	if err != nil {
		return events.Incoming{Err: err}
	}
	list, err := events.ReadCloudEvents(raw)
	if err != nil {
		return events.Incoming{Raw: raw, Err: err}
	}
	if bad && list[0].Err == nil {
		list[0].Err = fault.New(fault.Invalid, "Its data is not JSON.")
	}
	return list[0]
}
