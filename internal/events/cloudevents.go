package events

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// cloudEvent is a CloudEvent 1.0 in its JSON format. Extensions that nothing is known
// of become its context.
type cloudEvent struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject"`
	Time            time.Time      `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	Data            jsontext.Value `json:"data"`
	DataBase64      string         `json:"data_base64"`

	User      string `json:"user"`
	Anonymous string `json:"anonymous"`
	Session   string `json:"session"`
	Device    string `json:"device"`
	Tenant    string `json:"tenant"`

	Extensions jsontext.Value `json:",embed"`
}

// ReadCloudEvents reads a JSON CloudEvent, or an array of them. What in the array is
// not right as an event is said in its Incoming; a body that is no JSON, or has too
// many, is the error's.
func ReadCloudEvents(body []byte) ([]Incoming, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var list []Incoming
	switch d.PeekKind() {
	case '{':
		v, err := d.ReadValue()
		if err != nil {
			return nil, notJSON(err)
		}
		list = append(list, readCloudEvent(v.Clone()))
	case '[':
		if _, err := d.ReadToken(); err != nil {
			return nil, notJSON(err)
		}
		for d.PeekKind() != ']' {
			v, err := d.ReadValue()
			if err != nil {
				return nil, notJSON(err)
			}
			if len(list) == MaxEvents {
				return nil, fault.New(fault.TooLarge, "There are more than %d events in the request.", MaxEvents)
			}
			list = append(list, readCloudEvent(v.Clone()))
		}
		if _, err := d.ReadToken(); err != nil {
			return nil, notJSON(err)
		}
	default:
		return nil, notJSON(nil)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "Something follows the JSON of the body.")
	}
	return list, nil
}

func notJSON(err error) error {
	return fault.Wrap(fault.Invalid, err, "The body is not JSON, or is cut off: send a CloudEvent, or an array of them.")
}

func readCloudEvent(raw jsontext.Value) Incoming {
	in := Incoming{Raw: raw}
	if len(raw) > MaxEvent { // which Take refuses
		return in
	}
	var c cloudEvent
	if err := json.Unmarshal(raw, &c); err != nil {
		in.Err = unreadable(err)
		return in
	}
	in.Strict = true
	in.Event = Event{ID: c.ID, Origin: c.Source, Type: c.Type, Subject: c.Subject, Time: c.Time, Tenant: tenant.ID(c.Tenant),
		User: c.User, Anonymous: c.Anonymous, Session: c.Session, Device: c.Device, Data: c.Data, Context: c.Extensions}
	media, _, _ := mime.ParseMediaType(c.DataContentType)
	switch {
	case c.SpecVersion != "1.0":
		in.Err = fault.New(fault.Invalid, "Its specversion is not 1.0.")
	case c.ID == "" || c.Source == "" || c.Type == "":
		in.Err = fault.New(fault.Invalid, "It has no id, no source or no type, and a CloudEvent has all three.")
	case c.DataBase64 != "" || c.DataContentType != "" && media != "application/json" && !strings.HasSuffix(media, "+json"):
		in.Err = fault.New(fault.Invalid, "Its data is not JSON.")
	}
	return in
}

// unreadable says what is wrong with JSON. The library's error may repeat what was
// sent, so only its sort is told.
func unreadable(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.Wrap(fault.Invalid, err, "It has a name twice.")
	case errors.As(err, &syntax) && strings.Contains(err.Error(), "UTF-8"):
		return fault.Wrap(fault.Invalid, err, "It is not UTF-8.")
	case errors.As(err, &syntax):
		return fault.Wrap(fault.Invalid, err, "It is not JSON.")
	}
	return fault.Wrap(fault.Invalid, err, "It is not an event: a value is of another type than it should be.")
}
