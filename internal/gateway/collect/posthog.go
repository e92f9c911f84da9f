package collect

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// PostHog's capture API, as posthog-js, posthog-node, posthog-python and posthog-go
// speak it. The key is in the body. posthog-js takes exactly 200 for delivered, and
// tries again after what is below 400, and from 500 on.
var posthog = &protocol{name: "posthog", refuse: func(c *call, status int, err error) {
	kind := map[int]string{http.StatusUnauthorized: "authentication_error", http.StatusTooManyRequests: "throttled_error", http.StatusBadRequest: "validation_error"}[status]
	if kind == "" {
		kind = "server_error"
	}
	answerJSON(c.w, status, struct {
		Type   string `json:"type"`
		Code   string `json:"code"`
		Detail string `json:"detail"` // what posthog-python shows
	}{kind, string(fault.KindOf(err)), fault.Message(err)})
}}

func (s *server) posthogRoutes() []route {
	var one, many []string
	for _, p := range []string{"/e", "/i/v0/e", "/track", "/engage", "/capture"} {
		one = append(one, p, p+"/{$}")
	}
	many = []string{"/batch", "/batch/{$}"}
	delivered := func(c *call, _ []events.Verdict) {
		if c.URL.Query().Get("beacon") == "1" {
			c.w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(c.w, http.StatusOK, "application/json", `{"status":"Ok"}`)
	}
	said := func(body string) func(*call, []events.Verdict) {
		return func(c *call, _ []events.Verdict) { answer(c.w, http.StatusOK, "application/json", body) }
	}
	flags := said(`{"flags":{},"featureFlags":{},"errorsWhileComputingFlags":false}`)
	return []route{
		{method: http.MethodPost, paths: one, protocol: posthog, body: mostOne, read: s.posthogLegacy, answer: delivered},
		{method: http.MethodGet, paths: one, protocol: posthog, body: mostOne, read: s.posthogLegacy, answer: delivered},
		{method: http.MethodPost, paths: many, protocol: posthog, body: mostBatch, read: s.posthogLegacy, answer: delivered},
		{method: http.MethodPost, paths: []string{"/i/v1/analytics/events"}, protocol: posthogV1, header: true, body: mostBatch, read: s.posthogEvents, answer: posthogResults},
		// What posthog-js asks at first. It does without the script, and asks for the rest then.
		{method: http.MethodGet, paths: []string{"/array/{key}/config"}, protocol: posthog,
			answer: said(`{"supportedCompression":["gzip-js"],"hasFeatureFlags":false,"sessionRecording":false,"surveys":false,"siteApps":[]}`)},
		{method: http.MethodPost, paths: []string{"/flags", "/flags/{$}", "/decide", "/decide/{$}"}, protocol: posthog, answer: flags},
	}
}

// posthogEvent is an event of any of PostHog's protocols.
type posthogEvent struct {
	UUID       text   `json:"uuid"`
	Event      text   `json:"event"`
	DistinctID text   `json:"distinct_id"`
	Engaged    text   `json:"$distinct_id"` // of /engage
	Properties record `json:"properties"`
	Set        record `json:"$set"`
	SetOnce    record `json:"$set_once"`
	Timestamp  moment `json:"timestamp"`
	Offset     *int64 `json:"offset"` // milliseconds that it had waited when it was sent
	SessionID  text   `json:"session_id"`
	WindowID   text   `json:"window_id"`
	Key        text   `json:"api_key"`
	Token      text   `json:"token"`
	Tenant     text   `json:"tenant"` // which the key decides
}

// posthogProperties are those that say who it was.
type posthogProperties struct {
	DistinctID text           `json:"distinct_id"`
	Token      text           `json:"token"`
	Session    text           `json:"$session_id"`
	Device     text           `json:"$device_id"`
	Anonymous  text           `json:"$anon_distinct_id"`
	Identified jsontext.Value `json:"$is_identified"`
	GroupType  text           `json:"$group_type"`
	GroupKey   text           `json:"$group_key"`
}

// posthogLegacy reads {api_key, batch: […]}, an event, a list of them, or any of it as data.
func (s *server) posthogLegacy(c *call) (d delivery, err error) {
	body, err := posthogBody(c)
	if err != nil {
		return d, err
	}
	q := c.URL.Query()
	if d.key = q.Get("api_key"); d.key == "" {
		d.key = q.Get("token")
	}
	if ms, err := strconv.ParseInt(q.Get("_"), 10, 64); err == nil && ms > 0 {
		d.batch.SentAt = time.UnixMilli(ms).UTC()
	}
	var list []jsontext.Value
	if jsontext.Value(body).Kind() == '[' {
		if list, err = elements(body); err != nil {
			return d, err
		}
	} else if o, err := members(body); err != nil {
		return d, err
	} else if list, err = d.posthogHead(o, body); err != nil {
		return d, err
	}
	for _, raw := range list {
		in, key := posthogIncoming(raw, c.now, d.batch.SentAt)
		if d.key == "" {
			d.key = key
		}
		d.batch.Received = append(d.batch.Received, in)
	}
	for i := range d.batch.Received {
		hide(&d.batch.Received[i], d.key)
	}
	return d, nil
}

// posthogHead reads what an object says of all events, and returns those.
func (d *delivery) posthogHead(o object, body []byte) ([]jsontext.Value, error) {
	var key, token text
	var sent moment
	for _, m := range []struct {
		name string
		to   any
	}{{"api_key", &key}, {"token", &token}} {
		if err := o.decode(m.name, m.to); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"sent_at", "sentAt"} { // the second is posthog-python's
		if o.decode(name, &sent) == nil && !sent.IsZero() { // a clock that cannot be read corrects nothing
			d.batch.SentAt = sent.Time
		}
	}
	if d.key == "" {
		d.key = string(key)
	}
	if d.key == "" {
		d.key = string(token)
	}
	if batch := o.get("batch"); batch != nil {
		return elements(batch)
	}
	return []jsontext.Value{body}, nil
}

// posthogBody finds the JSON in a request, which may be a form's, the query's or
// another JSON's data, and in base 64.
func posthogBody(c *call) ([]byte, error) {
	raw := c.body
	q := c.URL.Query()
	switch kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); {
	case kind == "application/x-www-form-urlencoded" && !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")):
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "The body is not a form.")
		}
		raw = []byte(form.Get("data"))
	case len(raw) == 0:
		raw = []byte(q.Get("data"))
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return nil, fault.New(fault.Invalid, "The request has no events.")
	}
	if raw[0] != '{' && raw[0] != '[' {
		return unbase64(raw)
	}
	if raw[0] == '[' {
		return raw, nil
	}
	o, err := members(raw)
	if err != nil {
		return nil, err
	}
	data := o.get("data")
	if data == nil || o.get("event") != nil || o.get("batch") != nil {
		return raw, nil
	}
	if data.Kind() != '"' {
		return data, nil
	}
	var text text
	if err := o.decode("data", &text); err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(text), "{") || strings.HasPrefix(string(text), "[") {
		return []byte(text), nil
	}
	return unbase64([]byte(text))
}

func unbase64(raw []byte) ([]byte, error) {
	text := strings.TrimRight(strings.ReplaceAll(string(raw), " ", "+"), "=") // a form's blanks were pluses
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if plain, err := e.DecodeString(text); err == nil {
			return plain, nil
		}
	}
	return nil, fault.New(fault.Invalid, "The data is neither JSON nor base 64.")
}

// posthogIncoming reads one event, and the key that it carries itself.
func posthogIncoming(raw jsontext.Value, now, sent time.Time) (in events.Incoming, key string) {
	in = events.Incoming{Raw: raw}
	if len(raw) > events.MaxEvent { // which Take refuses
		in.Event.ID = keyOf(raw, "uuid")
		return in, first(keyOf(raw, "api_key"), keyOf(raw, "token"))
	}
	var m posthogEvent
	var p posthogProperties
	err := json.Unmarshal(raw, &m)
	if err == nil && m.Properties != nil {
		err = json.Unmarshal(m.Properties, &p)
	}
	if err != nil {
		in.Err = unreadable("The event", err)
		in.Event.ID = keyOf(raw, "uuid")
		return in, first(keyOf(raw, "api_key"), keyOf(raw, "token"))
	}
	in.Strict = true
	in.Event, in.Err = m.event(p)
	if in.Event.Time = m.Timestamp.Time; m.Timestamp.IsZero() && m.Offset != nil && *m.Offset >= 0 && *m.Offset < int64(mostWaiting/time.Millisecond) {
		if sent.IsZero() {
			sent = now
		}
		in.Event.Time = sent.Add(-time.Duration(*m.Offset) * time.Millisecond)
	}
	return in, first(string(m.Key), string(m.Token), string(p.Token))
}

// mostWaiting bounds how long an event may have waited by its client's own count.
const mostWaiting = 10 * 365 * 24 * time.Hour

func (m *posthogEvent) event(p posthogProperties) (e events.Event, err error) {
	e = events.Event{ID: string(m.UUID), Tenant: tenant.ID(m.Tenant), Type: string(m.Event), Data: jsontext.Value(m.Properties),
		Session: first(string(m.SessionID), string(p.Session)), Device: string(p.Device), Anonymous: string(p.Anonymous)}
	who := first(string(m.DistinctID), string(m.Engaged), string(p.DistinctID))
	if e.Type == "" && m.Engaged != "" {
		e.Type = "$identify"
	}
	switch {
	case e.Type == "":
		return e, fault.New(fault.Invalid, "An event has no name.")
	case who == "":
		return e, fault.New(fault.Invalid, "The event has no distinct_id.")
	case p.Identified.Kind() == 'f', who == e.Device: // a browser that does not know who it is
		e.Anonymous = who
	case e.Type == "$groupidentify" && string("$"+p.GroupType+"_"+p.GroupKey) == who: // nobody
	default:
		e.User = who
	}
	e.Data, err = with(e.Data, member{"$set", jsontext.Value(m.Set)}, member{"$set_once", jsontext.Value(m.SetOnce)}, member{"$window_id", quoted(string(m.WindowID))})
	return e, err
}

// hide takes the write key out of an event, where posthog-js repeats it.
func hide(in *events.Incoming, key string) {
	if key == "" || in.Err != nil || !bytes.Contains(in.Event.Data, []byte(key)) {
		return
	}
	if o, err := members(in.Event.Data); err == nil {
		var token text
		if o.decode("token", &token) == nil && string(token) == key {
			in.Event.Data, in.Err = without(in.Event.Data, "token")
		}
	}
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
