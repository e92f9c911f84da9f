package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
)

// What a request is made of is read in two steps, so that one bad event does not
// lose the others: what holds the events is taken apart by members and elements,
// which look at nothing within, and then each event is decoded strictly. The decoder
// remembers all names of an object, so nothing large is given to it.

// member is one name of a JSON object with its value.
type member struct {
	name  string
	value jsontext.Value
}

// object is a JSON object taken apart, in its order.
type object []member

// get returns the value of a name; nil: there is none, or it is null.
func (o object) get(name string) jsontext.Value {
	for _, m := range o {
		if m.name == name && m.value.Kind() != 'n' {
			return m.value
		}
	}
	return nil
}

const fewMembers = 32

func (o object) has(name string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.name == name })
}

func (o object) names() map[string]bool {
	names := make(map[string]bool, 2*len(o))
	for _, m := range o {
		names[m.name] = true
	}
	return names
}

// decode reads a member, which is to be a text or a time, into a value. One that is missing
// changes nothing.
func (o object) decode(name string, to any) error {
	raw := o.get(name)
	if raw == nil {
		return nil
	}
	if k := raw.Kind(); k == '{' || k == '[' {
		return unreadable(name, errors.New("a text is wanted"))
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return unreadable(name, err)
	}
	return nil
}

// members takes a JSON object apart; the values are parts of raw. A name that it has twice is refused.
func members(raw []byte) (object, error) {
	o, _, err := membersAnd(raw, "")
	return o, err
}

// membersAnd is members that takes one of the values, if it is an array, apart in the
// same go.
func membersAnd(raw []byte, array string) (o object, list []jsontext.Value, err error) {
	d := decoder(raw)
	if err := begin(d, '{'); err != nil {
		return nil, nil, err
	}
	var names map[string]bool // of an object with many: looking through them all would be long
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, nil, notJSON(err)
		}
		m := member{name: name.String()}
		if len(o) == fewMembers {
			names = o.names()
		}
		if names[m.name] || names == nil && o.has(m.name) {
			return nil, nil, fault.New(fault.Invalid, "The body has the name %q twice.", clip(m.name))
		}
		if m.name == array && array != "" && d.PeekKind() == '[' {
			if list, err = arrayAt(raw, d); err != nil {
				return nil, nil, err
			}
			m.value = jsontext.Value("[]") // which is in list
		} else {
			v, err := d.ReadValue()
			if err != nil {
				return nil, nil, notJSON(err)
			}
			m.value = within(raw, d, v)
		}
		if names != nil {
			names[m.name] = true
		}
		if o = append(o, m); len(o) > mostMembers {
			return nil, nil, fault.New(fault.Invalid, "The body has more than %d members.", mostMembers)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, notJSON(err)
	}
	return o, list, ended(d)
}

// elements takes a JSON array apart, likewise.
func elements(raw []byte) ([]jsontext.Value, error) {
	d := decoder(raw)
	list, err := arrayAt(raw, d)
	if err != nil {
		return nil, err
	}
	return list, ended(d)
}

// arrayAt reads the elements of the array that is next.
func arrayAt(raw []byte, d *jsontext.Decoder) (list []jsontext.Value, err error) {
	if err := begin(d, '['); err != nil {
		return nil, err
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, notJSON(err)
		}
		if list = append(list, within(raw, d, v)); len(list) > events.MaxEvents {
			return nil, fault.New(fault.TooLarge, "A request has at most %d events.", events.MaxEvents)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	return list, nil
}

// decoder reads raw, which it does not copy.
func decoder(raw []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// begin begins to read what is an object or an array.
func begin(d *jsontext.Decoder, kind jsontext.Kind) error {
	t, err := d.ReadToken()
	switch {
	case err != nil:
		return notJSON(err)
	case t.Kind() != kind && kind == '{':
		return fault.New(fault.Invalid, "A JSON object is wanted here.")
	case t.Kind() != kind:
		return fault.New(fault.Invalid, "A JSON array is wanted here.")
	}
	return nil
}

// within is the part of raw that was just read as v, which the decoder uses again.
func within(raw []byte, d *jsontext.Decoder, v jsontext.Value) jsontext.Value {
	end := d.InputOffset()
	return raw[end-int64(len(v)) : end : end]
}

// ended returns nil if nothing follows.
func ended(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "Something follows the JSON of the body.")
	}
	return nil
}

func notJSON(err error) error {
	return fault.Wrap(fault.Invalid, err, "The body is not JSON, or is cut off.")
}

// unreadable says what of an event or a request cannot be read. The library's
// error may repeat what was sent, so only its sort is told.
func unreadable(what string, err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return own
	}
	why := "it is of another type than it should be"
	var at jsontext.Pointer
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		why, at = "it is not proper JSON", syntax.JSONPointer
		if errors.Is(err, jsontext.ErrDuplicateName) {
			why = "it has a name twice"
		} else if strings.Contains(syntax.Error(), "invalid UTF-8") {
			why = "it is not UTF-8"
		}
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		at = semantic.JSONPointer + at
	}
	what += strings.ReplaceAll(clip(string(at)), "/", ".")
	return fault.Wrap(fault.Invalid, err, "%s cannot be read: %s.", what, why)
}

// clip shortens what a client wrote, for a message.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// with returns an object with members added where it has none of the name.
func with(raw jsontext.Value, more ...member) (jsontext.Value, error) {
	if !slices.ContainsFunc(more, func(m member) bool { return m.value != nil }) {
		return raw, nil
	}
	return change(raw, func(o object) object {
		names := o.names()
		for _, m := range more {
			if m.value != nil && !names[m.name] {
				o, names[m.name] = append(o, m), true
			}
		}
		return o
	})
}

// without returns an object without the members of a name.
func without(raw jsontext.Value, name string) (jsontext.Value, error) {
	return change(raw, func(o object) object {
		return slices.DeleteFunc(o, func(m member) bool { return m.name == name })
	})
}

func change(raw jsontext.Value, how func(object) object) (jsontext.Value, error) {
	var o object
	if raw != nil {
		var err error
		if o, err = members(raw); err != nil {
			return nil, err
		}
	}
	o = how(o)
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := jsontext.AppendQuote(nil, m.name)
		if err != nil {
			return nil, unreadable("A name", err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// quoted is a text as JSON; nil for none.
func quoted(s string) jsontext.Value {
	if s == "" {
		return nil
	}
	b, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd")) // refuses nothing else
	return b
}

// text is a JSON string. Numbers and truth values are taken as they are written,
// since clients send ids so; null is none.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	switch v := jsontext.Value(raw); v.Kind() {
	case 'n':
		*t = ""
	case '"':
		if len(raw) > 1 && bytes.IndexByte(raw, '\\') < 0 {
			*t = text(raw[1 : len(raw)-1])
			return nil
		}
		s, err := jsontext.AppendUnquote(nil, raw)
		*t = text(s)
		return err
	case '0', 't', 'f':
		*t = text(raw)
	default:
		return errors.New("a text is wanted")
	}
	return nil
}

// textAt is the text at a path of names in a value; "": there is none.
func textAt(o jsontext.Value, path ...string) string {
	var t text
	if v := events.Lookup(o, path...); v == nil || t.UnmarshalJSON(v) != nil {
		return ""
	}
	return string(t)
}

// record is a JSON object that is kept as it is; null is none.
type record jsontext.Value

// UnmarshalJSON implements json.Unmarshaler.
func (r *record) UnmarshalJSON(raw []byte) error {
	switch jsontext.Value(raw).Kind() {
	case 'n':
		*r = nil
	case '{':
		*r = slices.Clone(raw)
	default:
		return errors.New("an object is wanted")
	}
	return nil
}

// moment is a time: RFC 3339, with T or a space, UTC where it has no zone, or
// milliseconds since 1970. null and an empty text are none.
type moment struct{ time.Time }

var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02"}

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(raw []byte) error {
	var t text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	if jsontext.Value(raw).Kind() == '0' {
		var ms float64
		if err := json.Unmarshal(raw, &ms); err != nil || ms < -1e15 || ms > 1e15 {
			return errors.New("a time is wanted")
		}
		m.Time = time.UnixMicro(int64(ms * 1000)).UTC()
		return nil
	}
	if t == "" {
		m.Time = time.Time{}
		return nil
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, string(t)); err == nil {
			m.Time = at.UTC()
			return nil
		}
	}
	return fmt.Errorf("a time is wanted")
}
