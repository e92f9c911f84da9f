package events

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"tributary/internal/audit"
	"tributary/internal/clock"
	"tributary/internal/meta"
	"tributary/internal/stream"
)

// ControlSource is the source of the events that the server itself tells of.
const ControlSource = "tributary"

// streamOf lists the streams of acts by the first word of their verb. What is not
// listed is about tenants, or about the provider.
var streamOf = map[string]stream.Name{
	"session": stream.Users, "user": stream.Users, "apikey": stream.Users, "sshkey": stream.Users, "second-factor": stream.Users,
	"identity": stream.Users, "invitation": stream.Users, "password-reset": stream.Users, "notices": stream.Users, "preferences": stream.Users,
	"sftp": stream.Users, "own-profile": stream.Users,
	"submission": stream.Jobs, "upload": stream.Jobs, "result": stream.Jobs, "run": stream.Jobs, "analysis": stream.Jobs,
	"dataset": stream.Jobs, "period": stream.Jobs, "schedule": stream.Jobs,
}

// streamFor is the stream of an act.
func streamFor(verb string) stream.Name {
	word, _, _ := strings.Cut(verb, ".")
	if n, ok := streamOf[word]; ok {
		return n
	}
	return stream.Tenants
}

// controlEvent makes an audit entry's event: its skeleton, which stays readable to the
// provider, and facts that the provider may read anyway. The entry's details are sealed
// with the tenant's own key and stay where they are, and so does the subject of what was
// refused, which may be another's.
//
// The id is the entry's, so that who gets an event twice knows.
func controlEvent(r audit.Record, facts map[string]any, received time.Time) (Event, error) {
	data := map[string]any{"actor": r.Actor, "outcome": r.Outcome, "entry": r.Seq}
	maps.Copy(data, facts)
	raw, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return Event{}, fmt.Errorf("encode what is known of entry %d: %w", r.Seq, err)
	}
	e := Event{
		ID: entryID(r), Source: ControlSource, Type: "tributary." + r.Verb, Subject: r.Subject,
		Time: meta.Time(r.At), Received: received, Tenant: r.Tenant, Data: raw,
	}
	if r.Refused() {
		e.Subject = ""
	}
	if clock.ValidID("usr", r.Actor) {
		e.User = r.Actor
	}
	return e, nil
}

// entryID names an audit entry among those of its chain: its number, and the beginning
// of its hash. A chain that was restored from a backup and goes on otherwise has other
// entries with the same numbers.
func entryID(r audit.Record) string { return fmt.Sprintf("%d-%x", r.Seq, r.Hash[:min(6, len(r.Hash))]) }

// entryOf is the number of the audit entry that an event was made from.
func entryOf(e Event) (int64, error) {
	number, _, _ := strings.Cut(e.ID, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || e.Source != ControlSource || n < 1 {
		return 0, fmt.Errorf("event %q of source %q was not made from an audit entry", e.ID, e.Source)
	}
	return n, nil
}
