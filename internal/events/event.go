package events

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/tenant"
)

// Event is something that happened, as it is kept: one line of JSON in a block.
// For ever there is one of each tenant, source, origin and id.
type Event struct {
	ID     string `json:"id"`               // the sender's
	Source string `json:"source"`           // the credential's source: a source's id, "api" for a tenant's API keys, "tributary" for the server itself
	Origin string `json:"origin,omitempty"` // what the sender calls its source: the source of a CloudEvent

	Type    string `json:"type"`
	Subject string `json:"subject,omitempty"`

	Time     time.Time `json:"time"`            // when it happened, by the server's clock as well as can be told
	Received time.Time `json:"received"`        // when it came, by the server's clock
	Stated   time.Time `json:"stated,omitzero"` // what the sender said, where Time is another

	Channel string `json:"channel,omitempty"` // how it came: "api", "segment", "posthog", "pixel" …

	Tenant tenant.ID `json:"-"` // the block's; empty: the provider's own

	User      string `json:"user,omitempty"`      // the stable id of a person, the same in every source
	Anonymous string `json:"anonymous,omitempty"` // what a client calls somebody whom it does not know yet
	Session   string `json:"session,omitempty"`
	Device    string `json:"device,omitempty"`

	Data    jsontext.Value `json:"data,omitzero"`    // a JSON object, as it was sent
	Context jsontext.Value `json:"context,omitzero"` // a JSON object: what is known about the circumstances

	Flags []string `json:"flags,omitempty"` // what is odd about it, see Flag…
}

// What can be odd about an event that is kept all the same.
const (
	FlagSkewed    = "skewed"    // the sender's clock was wrong, and the time is corrected
	FlagPast      = "past"      // its time was before 2000, and is now that of its receipt
	FlagFuture    = "future"    // its time was more than a day ahead, the same
	FlagUntimed   = "untimed"   // it came without a time
	FlagLate      = "late"      // it happened more than a day before it came
	FlagUnplanned = "unplanned" // the tracking plan has no such type
	FlagUnfit     = "unfit"     // it is not as the tracking plan says
)

// lineSize is about how long an event's line is.
func lineSize(e *Event) int {
	return len(e.ID) + len(e.Origin) + len(e.Type) + len(e.Subject) + len(e.User) + len(e.Anonymous) + len(e.Session) + len(e.Device) + len(e.Data) + len(e.Context) + 256
}

// appendLine adds the event's line to b, the newline included. Data and context are
// compact JSON already.
func (e *Event) appendLine(b []byte) ([]byte, error) {
	b = append(b, '{')
	var err error
	text := func(name, value string) {
		if value == "" || err != nil {
			return
		}
		b = appendName(b, name)
		b, err = jsontext.AppendQuote(b, value)
	}
	raw := func(name string, value jsontext.Value) {
		if len(value) > 0 {
			b = append(appendName(b, name), value...)
		}
	}
	moment := func(name string, t time.Time) {
		b = append(appendName(b, name), '"')
		b = append(t.UTC().AppendFormat(b, time.RFC3339Nano), '"')
	}
	text("id", e.ID)
	text("source", e.Source)
	text("origin", e.Origin)
	text("type", e.Type)
	text("subject", e.Subject)
	moment("time", e.Time)
	moment("received", e.Received)
	if !e.Stated.IsZero() {
		moment("stated", e.Stated)
	}
	text("channel", e.Channel)
	text("user", e.User)
	text("anonymous", e.Anonymous)
	text("session", e.Session)
	text("device", e.Device)
	raw("data", e.Data)
	raw("context", e.Context)
	if len(e.Flags) > 0 {
		b = append(appendName(b, "flags"), '[')
		for n, flag := range e.Flags {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), flag...), '"')
		}
		b = append(b, ']')
	}
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return append(b, '}', '\n'), nil
}

// Lines are events as a block has them, a line of JSON each.
func Lines(list []Event) (lines []byte, err error) {
	for i := range list {
		if lines, err = list[i].appendLine(lines); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// appendName adds a member's name, with a comma if it is not the first.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), name...)
	return append(b, '"', ':')
}
