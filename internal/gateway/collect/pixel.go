package collect

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// pixel is a picture of one transparent point that tells, by being fetched, that a
// mail was opened or a page seen. Segment's and RudderStack's addresses work, and a
// short one for mails. Nobody reads the answer but a browser, which shows it.
var pixel = &protocol{name: "pixel", refuse: func(c *call, status int, _ error) { point(c, status) }}

// gif is the picture.
var gif, _ = base64.StdEncoding.DecodeString("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

func point(c *call, status int) { answer(c.w, status, "image/gif", string(gif)) }

func (s *server) pixelRoutes() []route {
	shown := func(c *call, _ []events.Verdict) { point(c, http.StatusOK) }
	var routes []route
	for _, kind := range []string{"track", "page"} {
		routes = append(routes, route{method: http.MethodGet, paths: []string{"/pixel/v1/" + kind, "/v1/pixel/" + kind}, protocol: pixel,
			read: func(c *call) (delivery, error) { return s.pixelCall(c, kind) }, answer: shown})
	}
	return append(routes,
		route{method: http.MethodGet, paths: []string{"/p/{token}"}, protocol: pixel, read: linkPixel, answer: shown},
		route{method: http.MethodGet, paths: []string{"/pixel/{key}/{event}"}, protocol: pixel, read: s.mailPixel, answer: shown})
}

// pixelCall reads ?writeKey=…&event=…&userId=…, whose other names are properties, or
// ?data= with a message of Segment's in base 64.
func (s *server) pixelCall(c *call, kind string) (d delivery, err error) {
	q := c.URL.Query()
	d.key = first(q.Get("writeKey"), bearer(c.Request))
	var raw jsontext.Value
	if data := q.Get("data"); data != "" {
		if raw, err = unbase64([]byte(data)); err != nil {
			return d, err
		}
		d.key = first(d.key, keyOf(raw, "writeKey"))
	} else if raw, err = pixelMessage(c, "writeKey"); err != nil {
		return d, err
	}
	d.batch.Received = []events.Incoming{segmentEvent(raw, kind, nil)}
	return d, nil
}

// linkPixel reads /p/TOKEN.gif: a link that was made for one recipient. Nothing else of
// the address is looked at.
func linkPixel(c *call) (delivery, error) {
	return delivery{key: strings.TrimSuffix(c.PathValue("token"), ".gif"), pixel: true}, nil
}

// mailPixel reads /pixel/KEY/EVENT.gif?user=…: what a mail is given for each reader.
func (s *server) mailPixel(c *call) (d delivery, err error) {
	d.key = c.PathValue("key")
	q := c.URL.Query()
	in := events.Incoming{Event: events.Event{ID: q.Get("id"), Type: strings.TrimSuffix(c.PathValue("event"), ".gif"), User: q.Get("user"), Subject: q.Get("subject"), Time: c.now}}
	if in.Raw, err = pixelMessage(c, "id"); err != nil {
		return d, err
	}
	if in.Event.Type == "" || in.Event.Type == "." {
		return d, fault.New(fault.Invalid, "The address has no event, as in /pixel/KEY/mail.opened.gif.")
	}
	data := object{}
	for name, values := range q {
		switch name {
		case "id", "user", "subject":
		default:
			data = append(data, member{strings.ToValidUTF8(name, "\ufffd"), quoted(values[0])})
		}
	}
	slices.SortFunc(data, func(a, b member) int { return strings.Compare(a.name, b.name) })
	in.Event.Data, in.Err = with(nil, data...)
	if agent := c.UserAgent(); agent != "" && in.Err == nil {
		in.Event.Context, in.Err = with(nil, member{"userAgent", quoted(agent)})
	}
	d.batch.Received = []events.Incoming{in}
	return d, nil
}

// pixelMessage makes a message of Segment's of a query.
func pixelMessage(c *call, not string) (jsontext.Value, error) {
	m := map[string]any{}
	properties := map[string]string{}
	for name, values := range c.URL.Query() {
		switch name {
		case not:
		case "event", "name", "category", "userId", "anonymousId", "messageId", "timestamp":
			m[name] = strings.ToValidUTF8(values[0], "\ufffd")
		default:
			properties[strings.ToValidUTF8(strings.TrimPrefix(name, "properties."), "\ufffd")] = strings.ToValidUTF8(values[0], "\ufffd")
		}
	}
	m["properties"] = properties
	if agent := c.UserAgent(); agent != "" {
		m["context"] = map[string]string{"userAgent": strings.ToValidUTF8(agent, "\ufffd")}
	}
	raw, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The address is not UTF-8.")
	}
	return raw, nil
}
