package client

import "time"

// Mail shows that a mail exists, and nothing that is in it.
type Mail struct {
	ID        string     `json:"id"`
	Tenant    string     `json:"tenant,omitempty" doc:"Absent: the provider's"`
	User      string     `json:"user" doc:"The id of who it is to"`
	Kind      string     `json:"kind"`
	State     string     `json:"state" enum:"waiting,sent,failed" doc:"sent: the next mail server took it"`
	Attempts  int64      `json:"attempts"`
	Error     string     `json:"error,omitempty" doc:"Why the last attempt failed"`
	CreatedAt time.Time  `json:"created_at"`
	SettledAt *time.Time `json:"settled_at,omitempty" doc:"When it was sent, or given up"`
}

// NoticeSwitch says whether one gets the mails of a kind.
type NoticeSwitch struct {
	ID    string `json:"id" doc:"The kind"`
	On    bool   `json:"on"`
	Fixed bool   `json:"fixed" doc:"About the account's security: it cannot be turned off"`
}

// NoticeChange turns the mails of a kind on or off.
type NoticeChange struct {
	On bool `json:"on"`
}

// Webhook is where a program is told, by messages that are signed as Standard
// Webhooks says.
type Webhook struct {
	ID           string     `json:"id"`
	Tenant       string     `json:"tenant,omitempty" doc:"Absent: the provider's"`
	URL          string     `json:"url"`
	Kinds        []string   `json:"kinds" doc:"What it is told of; empty: everything"`
	State        string     `json:"state" enum:"active,disabled"`
	Reason       string     `json:"reason,omitempty" doc:"Why it is disabled"`
	FailingSince *time.Time `json:"failing_since,omitempty" doc:"Nothing could be delivered since"`
	Secret       string     `json:"secret,omitempty" doc:"Where it was just made or replaced, and only then"`
	Made
}

// NewWebhook asks for a webhook.
type NewWebhook struct {
	URL   string   `json:"url" minLength:"1" maxLength:"2000" doc:"https://HOST/…, on the public internet"`
	Kinds []string `json:"kinds,omitempty" maxItems:"50" doc:"What it is to be told of; empty: everything"`
}

// WebhookChange changes what is not nil.
type WebhookChange struct {
	URL          *string   `json:"url,omitempty" maxLength:"2000"`
	Kinds        *[]string `json:"kinds,omitempty" maxItems:"50"`
	State        *string   `json:"state,omitempty" enum:"active,disabled"`
	RotateSecret bool      `json:"rotate_secret,omitempty" doc:"Make a new secret; the one before signs too for 24 hours"`
}

// Delivery is one message to one webhook.
type Delivery struct {
	ID        string     `json:"id" doc:"The header webhook-id, the same at each attempt"`
	Webhook   string     `json:"webhook"`
	Kind      string     `json:"kind"`
	State     string     `json:"state" enum:"waiting,delivered,failed"`
	Attempts  int64      `json:"attempts"`
	Status    int64      `json:"status,omitempty" doc:"HTTP status of the last answer; absent if there was none"`
	Error     string     `json:"error,omitempty" doc:"Why the last attempt failed"`
	CreatedAt time.Time  `json:"created_at"`
	TriedAt   *time.Time `json:"tried_at,omitempty"`
	NextAt    *time.Time `json:"next_at,omitempty" doc:"When it is tried next"`
}

// WebhookMessage is the body of what a webhook is sent: ids, and no content.
type WebhookMessage struct {
	Type      string       `json:"type"`
	Timestamp time.Time    `json:"timestamp"`
	Data      WebhookThing `json:"data"`
}

// WebhookThing names what a message is about.
type WebhookThing struct {
	ID       string `json:"id"`
	Tenant   string `json:"tenant,omitempty"`
	User     string `json:"user,omitempty"`
	Dataset  string `json:"dataset,omitempty"`
	Analysis string `json:"analysis,omitempty"`
	Date     string `json:"date,omitempty"`
}
