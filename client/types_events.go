package client

import (
	"encoding/json"
	"time"
)

// Source is what events come from, and who may write them with its key.
type Source struct {
	ID           string     `json:"id"`
	Tenant       string     `json:"tenant,omitempty" doc:"Absent: the provider's"`
	Name         string     `json:"name"`
	TenantField  string     `json:"tenant_field,omitempty" doc:"Of the provider's: the field of its events that names their tenant, by slug or external id"`
	Strict       bool       `json:"strict" doc:"What is not as the tracking plan says goes to quarantine; otherwise it is only flagged"`
	EverySeconds int64      `json:"every_seconds,omitempty" doc:"How often at least something is to come; absent: it is learned from what came"`
	Hint         string     `json:"hint" doc:"The key's last characters"`
	CreatedAt    time.Time  `json:"created_at"`
	CreatedBy    string     `json:"created_by"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	Key          string     `json:"key,omitempty" doc:"The write key, where it was just made, and only then"`
}

// NewSource asks for a source.
type NewSource struct {
	Name         string `json:"name" minLength:"1" maxLength:"100"`
	TenantField  string `json:"tenant_field,omitempty" maxLength:"1000" doc:"Of the provider's: subject, user, or a path below data or context, such as context.groupId"`
	Strict       bool   `json:"strict,omitempty"`
	EverySeconds int64  `json:"every_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How often at least something is to come, 60 or more; absent: it is learned from what comes"`
}

// Collector is what takes events from the clients that people have.
type Collector struct {
	Address string `json:"address" doc:"The URL that it listens at; empty: there is none. A proxy before it has another"`
}

// NewPixels asks for links of pictures for mails, one for each recipient.
type NewPixels struct {
	Type   string          `json:"type" minLength:"1" maxLength:"200" doc:"Of the events, such as mail.opened"`
	Users  []string        `json:"users" minItems:"1" maxItems:"1000" doc:"The recipients, by their ids"`
	Tenant string          `json:"tenant,omitempty" maxLength:"256" doc:"Of the provider's sources: whose events they are, by slug or external id"`
	Data   json.RawMessage `json:"data,omitempty" doc:"Of the events: a JSON object of at most 1 KiB, such as which campaign it is"`
}

// Pixel is the link of one recipient. Whoever has it can write that one event, once.
type Pixel struct {
	ID   string `json:"id" doc:"The recipient"`
	Path string `json:"path" doc:"Of the picture, where events are collected"`
}

// Plan is a version of the tracking plan: which events there are, and what each has to
// have.
type Plan struct {
	ID        string        `json:"id" doc:"The version"`
	Version   int64         `json:"version"`
	Types     []PlannedType `json:"types"`
	Hash      string        `json:"hash" doc:"SHA-256 of the YAML"`
	CreatedAt time.Time     `json:"created_at"`
	CreatedBy string        `json:"created_by"`
	Source    string        `json:"source,omitempty" doc:"The YAML as applied; not in lists"`
	Changed   *bool         `json:"changed,omitempty" doc:"Of an application: whether it made a version"`
}

// PlannedType is a type of event in the tracking plan.
type PlannedType struct {
	Type        string         `json:"type"`
	Description string         `json:"description,omitempty"`
	Owner       string         `json:"owner,omitempty" doc:"Who answers for it"`
	Fields      []PlannedField `json:"fields"`
}

// PlannedField is what the data of a type has at a path.
type PlannedField struct {
	Name        string   `json:"name" doc:"A path in the event's data, such as size.bytes"`
	Type        string   `json:"type" enum:"string,integer,number,boolean,time,object,array"`
	Required    bool     `json:"required"`
	Allowed     []string `json:"allowed,omitempty"`
	MaxLength   int      `json:"max_length,omitempty"`
	PII         bool     `json:"pii" doc:"It says something about a person"`
	Description string   `json:"description,omitempty"`
}

// Verdict is what became of an event that was sent.
type Verdict struct {
	ID      string `json:"id" doc:"The event's; one that came without has the one that it was given"`
	Result  string `json:"result" enum:"ok,warning,duplicate,drop,retry" doc:"ok and warning: it is kept; duplicate: it was before; drop: it is in quarantine, or refused; retry: it is not kept, and may be later"`
	Details string `json:"details,omitempty"`
}

// HeldEvent is an event in quarantine.
type HeldEvent struct {
	ID         string          `json:"id"`
	Source     string          `json:"source" doc:"The source's id; api: a tenant's API key"`
	Tenant     string          `json:"tenant,omitempty" doc:"Whose event it is, where that is known"`
	Reason     string          `json:"reason" enum:"unreadable,malformed,tenant,unplanned,unfit,variety"`
	Details    string          `json:"details" doc:"The reason in words"`
	ReceivedAt time.Time       `json:"received_at"`
	Event      json.RawMessage `json:"event,omitempty" doc:"As it would be kept; absent: it could not be read as an event"`
	Raw        string          `json:"raw,omitempty" doc:"What came, if it could not be read; at most 64 KiB of it"`
}

// ReplayRequest says which events in quarantine are meant.
type ReplayRequest struct {
	Source string `json:"source,omitempty" maxLength:"100" doc:"Only those of this source"`
	Reason string `json:"reason,omitempty" enum:"unreadable,malformed,tenant,unplanned,unfit,variety" doc:"Only those held for this reason"`
}

// Replayed is what became of a replay.
type Replayed struct {
	Kept int `json:"kept" doc:"Taken in, or there already"`
	Left int `json:"left" doc:"Still not fit, and in quarantine"`
}
