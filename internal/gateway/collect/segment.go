package collect

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// Segment's HTTP API, as analytics-next, analytics-node, analytics-go and
// analytics-python speak it, and RudderStack's clients with them. The key is the user
// of Basic authorization, or in the body. Any status below 400 means delivered; 400
// is never tried again.
var segment = &protocol{name: "segment", refuse: func(c *call, status int, err error) {
	answerJSON(c.w, status, struct {
		Success bool   `json:"success"`
		Message string `json:"message"`
	}{false, fault.Message(err)})
}}

const (
	mostWhole  = 1 << 20 // bytes of a batch that is decoded in one go
	usualEvent = 512     // bytes
)

// segmentCalls are the kinds of calls, by their names and by the letter that browsers
// send, and the type of the events that they become: the one that PostHog's clients
// use for the same. What is tracked has its own.
var segmentCalls = map[string]string{
	"track": "", "identify": "$identify", "page": "$pageview", "screen": "$screen", "group": "$groupidentify", "alias": "$create_alias",
}

func (s *server) segmentRoutes() []route {
	delivered := func(c *call, _ []events.Verdict) { answer(c.w, http.StatusOK, "application/json", `{"success":true}`) }
	routes := []route{
		{method: http.MethodPost, paths: []string{"/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"}, protocol: segment, header: true, body: mostBatch, read: s.segmentBatch, answer: delivered},
		{method: http.MethodPost, paths: []string{"/v1/m"}, protocol: segment, answer: delivered}, // the client's own measurements
		{method: http.MethodGet, paths: []string{"/v1/projects/{key}/settings"}, protocol: segment, answer: s.segmentSettings},
	}
	for kind := range segmentCalls {
		routes = append(routes, route{method: http.MethodPost, paths: []string{"/v1/" + kind, "/v1/" + kind[:1]}, protocol: segment, header: true, body: mostOne,
			read: func(c *call) (delivery, error) { return s.segmentOne(c, kind) }, answer: delivered})
	}
	return routes
}

// message is one of Segment's.
type message struct {
	Type              text   `json:"type"`
	MessageID         text   `json:"messageId"`
	Event             text   `json:"event"`
	Name              text   `json:"name"`
	Category          text   `json:"category"`
	UserID            text   `json:"userId"`
	AnonymousID       text   `json:"anonymousId"`
	GroupID           text   `json:"groupId"`
	PreviousID        text   `json:"previousId"`
	Properties        record `json:"properties"`
	Traits            record `json:"traits"`
	Context           record `json:"context"`
	Timestamp         moment `json:"timestamp"`
	OriginalTimestamp moment `json:"originalTimestamp"`
	Tenant            text   `json:"tenant"` // which the key decides
}

// messages are the events of the batch of a body, as many as a request may have.
type messages struct {
	body []byte
	list []events.Incoming
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *messages) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if err := begin(d, '['); err != nil {
		return err
	}
	b.list = make([]events.Incoming, 0, min(len(b.body)/usualEvent+1, events.MaxEvents))
	for d.PeekKind() != ']' {
		if len(b.list) == events.MaxEvents {
			return errors.New("too many")
		}
		var m message
		from := d.InputOffset() // before the comma
		if err := json.UnmarshalDecode(d, &m, json.RejectUnknownMembers(false)); err != nil {
			return err
		}
		end := d.InputOffset()
		b.list = append(b.list, m.incoming(bytes.TrimLeft(b.body[from:end:end], ", \t\r\n"), "", nil))
	}
	_, err := d.ReadToken()
	return err
}

func (s *server) segmentBatch(c *call) (delivery, error) {
	if d, ok := segmentWhole(c); ok {
		return d, nil
	}
	o, list, err := membersAnd(c.body, "batch")
	if err != nil {
		return delivery{}, err
	}
	d, err := segmentHead(c, o)
	if err != nil {
		return d, err
	}
	switch batch := o.get("batch"); {
	case batch == nil:
		return d, fault.New(fault.Invalid, "The body has no batch.")
	case batch.Kind() != '[':
		return d, fault.New(fault.Invalid, "A JSON array is wanted here.")
	}
	d.batch.Received = make([]events.Incoming, 0, len(list))
	shared := o.get("context")
	if len(c.body)+len(shared)*len(list) > mostBatch { // as many bytes as it becomes
		return d, tooLarge(mostBatch)
	}
	for _, raw := range list {
		if d.key == "" { // a beacon's are in the events
			d.key = keyOf(raw, "writeKey")
		}
		d.batch.Received = append(d.batch.Received, segmentEvent(raw, "", shared))
	}
	return d, nil
}

// segmentWhole reads a body in one go and reports whether nothing is wrong with any of it.
// Else, and where it is large or has more than clients send, it is taken apart.
func segmentWhole(c *call) (d delivery, ok bool) {
	if len(c.body) > mostWhole {
		return d, false
	}
	b := struct {
		Batch   messages `json:"batch"`
		SentAt  moment   `json:"sentAt"`
		Key     text     `json:"writeKey"`
		Message text     `json:"messageId"` // of the request, which nothing is made of
	}{Batch: messages{body: c.body}}
	if err := json.Unmarshal(c.body, &b, json.RejectUnknownMembers(true)); err != nil || b.Batch.list == nil {
		return d, false
	}
	d.batch = events.Batch{SentAt: b.SentAt.Time, Received: b.Batch.list}
	d.key = first(bearer(c.Request), string(b.Key), c.URL.Query().Get("writeKey"))
	return d, d.key != "" // a beacon's are in the events
}

func (s *server) segmentOne(c *call, kind string) (delivery, error) {
	o, err := members(c.body)
	if err != nil {
		return delivery{}, err
	}
	d, err := segmentHead(c, o)
	d.batch.Received = []events.Incoming{segmentEvent(c.body, kind, nil)}
	return d, err
}

// segmentHead reads what a request says of all its events.
func segmentHead(c *call, o object) (d delivery, err error) {
	var key text
	var sent moment
	if err = o.decode("writeKey", &key); err != nil {
		return d, err
	}
	if err = o.decode("sentAt", &sent); err != nil {
		sent = moment{} // a clock that cannot be read corrects nothing
	}
	if d.key = bearer(c.Request); d.key == "" {
		d.key = string(key)
	}
	if d.key == "" {
		d.key = c.URL.Query().Get("writeKey")
	}
	d.batch.SentAt = sent.Time
	return d, nil
}

// keyOf returns a key that an event carries itself.
func keyOf(raw jsontext.Value, name string) string {
	var key text
	o, err := members(raw)
	if err != nil || o.decode(name, &key) != nil {
		return ""
	}
	return string(key)
}

// segmentEvent reads one message. kind is its kind where the path says it; shared is
// the context of the whole batch.
func segmentEvent(raw jsontext.Value, kind string, shared jsontext.Value) events.Incoming {
	in := events.Incoming{Raw: raw}
	if len(raw) > events.MaxEvent { // which Take refuses
		in.Event.ID = keyOf(raw, "messageId")
		return in
	}
	var m message
	if in.Err = json.Unmarshal(raw, &m); in.Err != nil {
		in.Err = unreadable("The event", in.Err)
		in.Event.ID = keyOf(raw, "messageId")
		return in
	}
	return m.incoming(raw, kind, shared)
}

// incoming is the event that a message says.
func (m *message) incoming(raw jsontext.Value, kind string, shared jsontext.Value) events.Incoming {
	in := events.Incoming{Raw: raw, Strict: shared == nil}
	if kind == "" {
		kind = string(m.Type)
	}
	in.Event = events.Event{ID: string(m.MessageID), User: string(m.UserID), Anonymous: string(m.AnonymousID), Tenant: tenant.ID(m.Tenant), Time: m.Timestamp.Time, Data: jsontext.Value(m.Properties), Context: jsontext.Value(m.Context)}
	if e := &in.Event; e.Time.IsZero() {
		e.Time = m.OriginalTimestamp.Time
	}
	if shared != nil {
		if in.Event.Context, in.Err = merged(in.Event.Context, shared); in.Err != nil {
			return in
		}
	}
	in.Err = m.fill(&in.Event, kind)
	return in
}

// fill gives an event what its kind of call says.
func (m *message) fill(e *events.Event, kind string) (err error) {
	known, ok := segmentCalls[kind]
	if !ok {
		return fault.New(fault.Invalid, "The event's type is %q, and it can be: track, identify, page, screen, group, alias.", clip(kind))
	}
	e.Type = known
	switch kind {
	case "track":
		if e.Type = string(m.Event); e.Type == "" {
			return fault.New(fault.Invalid, "What is tracked has no event.")
		}
	case "identify":
		e.Data = jsontext.Value(m.Traits)
	case "page", "screen":
		e.Data, err = with(e.Data, member{"name", quoted(string(m.Name))}, member{"category", quoted(string(m.Category))})
	case "group":
		e.Data, err = with(jsontext.Value(m.Traits), member{"groupId", quoted(string(m.GroupID))})
	case "alias":
		e.Data, err = with(nil, member{"previousId", quoted(string(m.PreviousID))})
	}
	if err != nil {
		return err
	}
	e.Session, e.Device = textAt(e.Context, "sessionId"), textAt(e.Context, "device", "id")
	return nil
}

// merged is an object with the members of another that it lacks.
func merged(o, shared jsontext.Value) (jsontext.Value, error) {
	more, err := members(shared)
	if err != nil {
		return nil, err
	}
	return with(o, more...)
}

// segmentSettings tells analytics-next in a browser where to send to, which it asks
// before anything else. Nothing of the key is looked up: it is told to whoever asks.
func (s *server) segmentSettings(c *call, _ []events.Verdict) {
	scheme := "http"
	if c.TLS != nil || s.HTTPS {
		scheme = "https"
	}
	type version struct {
		Version string   `json:"version"`
		Types   []string `json:"componentTypes"`
	}
	type segmentIO struct {
		Key      string  `json:"apiKey"`
		Host     string  `json:"apiHost"`
		Protocol string  `json:"protocol"`
		Version  version `json:"versionSettings"`
	}
	answerJSON(c.w, http.StatusOK, map[string]any{
		"integrations":         map[string]any{"Segment.io": segmentIO{c.PathValue("key"), c.Host + "/v1", scheme, version{"4.4.7", []string{"browser"}}}},
		"plan":                 map[string]any{"track": map[string]any{"__default": map[string]any{"enabled": true}}},
		"analyticsNextEnabled": true,
	})
}
