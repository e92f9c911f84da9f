package collect

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/client"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/tenant"
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
	return []route{{method: http.MethodPost, paths: []string{"/api/v1/events"}, protocol: cloudEvents, body: mostBatch, read: readCloudEvents, answer: func(c *call, list []events.Verdict) {
		if !asked(c) {
			c.w.WriteHeader(http.StatusNoContent)
			return
		}
		type verdict struct {
			ID      string        `json:"id"`
			Result  events.Result `json:"result"`
			Details string        `json:"details,omitempty"`
		}
		items := make([]verdict, len(list))
		for i, v := range list {
			items[i] = verdict(v)
		}
		answerJSON(c.w, http.StatusOK, map[string]any{"items": items})
	}}}
}

func readCloudEvents(c *call) (d delivery, err error) {
	d.key = bearer(c.Request)
	if c.Header.Get("Ce-Specversion") != "" || c.Header.Get("Ce-Id") != "" {
		d.batch.Received = []events.Incoming{cloudEventOfHeaders(c)}
		return d, nil
	}
	list := []jsontext.Value{c.body}
	if kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); kind == "application/cloudevents-batch+json" || jsontext.Value(c.body).Kind() == '[' {
		if list, err = elements(c.body); err != nil {
			return d, err
		}
	} else if _, err := members(c.body); err != nil {
		return d, err
	}
	for _, raw := range list {
		in := events.Incoming{Raw: raw}
		o, err := members(raw)
		if err == nil {
			err = o.cloudEvent(&in.Event)
		}
		in.Err = err
		d.batch.Received = append(d.batch.Received, in)
	}
	return d, nil
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
	if len(c.body) > 0 {
		o = append(o, member{"data", c.body})
	}
	in := events.Incoming{}
	if !jsontext.Value(c.body).IsValid(jsontext.AllowDuplicateNames(true)) && len(c.body) > 0 {
		in.Err = fault.New(fault.Invalid, "The data is not JSON.")
		o = o[:len(o)-1]
	}
	raw, err := with(nil, o...)
	if in.Raw = raw; err == nil {
		err = o.cloudEvent(&in.Event)
	}
	if in.Err == nil {
		in.Err = err
	}
	return in
}

// cloudEvent reads an event's attributes. Extensions that nothing is known of are
// kept as its context.
func (o object) cloudEvent(e *events.Event) error {
	var version, kind, id text
	var at moment
	var context object
	texts := map[string]*string{"id": &e.ID, "source": &e.Origin, "type": &e.Type, "subject": &e.Subject, "user": &e.User, "anonymous": &e.Anonymous, "session": &e.Session, "device": &e.Device}
	for _, m := range o {
		if m.value.Kind() == 'n' || m.value == nil {
			continue
		}
		var err error
		switch to := texts[m.name]; {
		case to != nil:
			var t text
			err = o.decode(m.name, &t)
			*to = string(t)
		case m.name == "specversion":
			err = o.decode(m.name, &version)
		case m.name == "time":
			err = o.decode(m.name, &at)
		case m.name == "datacontenttype":
			err = o.decode(m.name, &kind)
		case m.name == "tenant": // which the key decides
			err = o.decode(m.name, &id)
		case m.name == "data":
			var data record
			err = o.decode(m.name, &data)
			e.Data = jsontext.Value(data)
		case m.name == "data_base64":
			err = fault.New(fault.Invalid, "The data is not a JSON object, and only those are taken.")
		default:
			context = append(context, m)
		}
		if err != nil {
			return err
		}
	}
	e.Time, e.Tenant = at.Time, tenant.ID(id)
	if version != "1.0" {
		return fault.New(fault.Invalid, "The event's specversion is %q, and 1.0 is taken.", clip(string(version)))
	}
	for _, name := range []string{"id", "source", "type"} {
		if *texts[name] == "" {
			return fault.New(fault.Invalid, "The event has no %s.", name)
		}
	}
	if media, _, _ := mime.ParseMediaType(string(kind)); kind != "" && media != "application/json" && !strings.HasSuffix(media, "+json") {
		return fault.New(fault.Invalid, "The event's data is %q, and JSON is taken.", clip(string(kind)))
	}
	var err error
	e.Context, err = with(nil, context...)
	return err
}
