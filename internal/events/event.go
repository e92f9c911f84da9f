package events

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
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

	Time     time.Time `json:"time"`     // when it happened, by the server's clock as well as can be told
	Received time.Time `json:"received"` // when it came, by the server's clock

	Tenant tenant.ID `json:"-"` // the block's; empty: the provider's own

	User      string `json:"user,omitempty"`      // the stable id of a person, the same in every source
	Anonymous string `json:"anonymous,omitempty"` // what a client calls somebody whom it does not know yet
	Session   string `json:"session,omitempty"`
	Device    string `json:"device,omitempty"`

	Data    jsontext.Value `json:"data,omitempty"`    // a JSON object, as it was sent
	Context jsontext.Value `json:"context,omitempty"` // a JSON object: what is known about the circumstances

	Flags []string `json:"flags,omitempty"` // what is odd about it, see Flag…
}

// What can be odd about an event that is kept all the same.
const (
	FlagSkewed    = "skewed"    // the sender's clock was wrong, and the time is corrected
	FlagPast      = "past"      // its time was before 2000, and is now that of its receipt; context has the sender's
	FlagFuture    = "future"    // its time was more than a day ahead, the same
	FlagUntimed   = "untimed"   // it came without a time
	FlagLate      = "late"      // it happened more than a day before it came
	FlagUnplanned = "unplanned" // the tracking plan has no such type
	FlagUnfit     = "unfit"     // it is not as the tracking plan says
)

// appendLine adds the event's line to b, the newline included.
func (e *Event) appendLine(b *bytes.Buffer) error {
	if err := json.MarshalWrite(b, e); err != nil {
		return fmt.Errorf("encode event %q: %w", e.ID, err)
	}
	return b.WriteByte('\n')
}

// readLines reads what appendLine wrote. Names that it does not know are ignored:
// a later version may have written them.
func readLines(lines []byte, id tenant.ID) ([]Event, error) {
	list := make([]Event, 0, bytes.Count(lines, []byte{'\n'}))
	for len(lines) > 0 {
		line, rest, ok := bytes.Cut(lines, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("line %d does not end", len(list)+1)
		}
		e := Event{Tenant: id}
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(list)+1, err)
		}
		list = append(list, e)
		lines = rest
	}
	return list, nil
}
