package client

import "time"

// Freshness is how new something of the warehouse is.
type Freshness struct {
	Kind            string     `json:"kind" enum:"source,stream,fact,model"`
	Name            string     `json:"name" doc:"The source's id, or api for a tenant's API keys; the stream; the table"`
	Tenant          string     `json:"tenant,omitempty" doc:"Absent: of all tenants together"`
	State           string     `json:"state" enum:"fresh,late,silent,never,broken" doc:"late: nothing came for longer than expected; silent: for four times as long, or for a week where nothing is expected; never: nothing has come yet; broken: what is there cannot be loaded"`
	LastAt          *time.Time `json:"last_at,omitempty" doc:"When the newest came"`
	CompleteTo      *time.Time `json:"complete_to,omitempty" doc:"The end of the newest interval that has all that has come for it"`
	LagSeconds      int64      `json:"lag_seconds"`
	ExpectedSeconds int64      `json:"expected_seconds,omitempty" doc:"Beyond it the lag is late; absent: not known yet"`
	Declared        bool       `json:"declared" doc:"The source says itself what is expected; otherwise it is learned from the last four weeks"`
	Problem         string     `json:"problem,omitempty" doc:"Of what is broken"`
}

// FreshnessFilter says which are wanted; what is empty is all.
type FreshnessFilter struct {
	Tenant string // id or slug, for the provider's people: that tenant's, with its models
	Kind   string
	State  string
}

// Warehouse is how the warehouse is doing.
type Warehouse struct {
	Streams  []LoadedStream `json:"streams"`
	Tables   []MadeTable    `json:"tables"`
	Problems int64          `json:"problems" doc:"Blocks of events that could not be loaded; the table load_problem has them"`
	Rebuild  *Rebuild       `json:"rebuild,omitempty" doc:"The one that runs, or ran last since the server was started"`
}

// LoadedStream is how far a stream is loaded.
type LoadedStream struct {
	Stream  string     `json:"stream"`
	Loaded  uint64     `json:"loaded" doc:"The newest message that is loaded"`
	Last    uint64     `json:"last" doc:"The newest message that there is"`
	Through *time.Time `json:"through,omitempty" doc:"When the newest that is loaded came"`
	Problem string     `json:"problem,omitempty" doc:"Why it cannot go on"`
}

// MadeTable is how far a fact, or what is made of facts, is.
type MadeTable struct {
	Name      string     `json:"name"`
	Each      string     `json:"each,omitempty" enum:"hour,day" doc:"The interval that a model is made by; absent: a fact, which is loaded"`
	Rows      int64      `json:"rows"`
	Intervals int64      `json:"intervals" doc:"Of one tenant each"`
	Stale     int64      `json:"stale" doc:"Intervals that are still to be made; at most 50,000 are counted"`
	NewestAt  *time.Time `json:"newest_at,omitempty" doc:"When the newest interval begins"`
	ChangedAt *time.Time `json:"changed_at,omitempty" doc:"When one was loaded or made last"`
	Problem   string     `json:"problem,omitempty" doc:"Why it cannot be made"`
}

// NewRebuild says what is to be made anew: facts of what the archive and the streams have, and
// models of the facts.
type NewRebuild struct {
	Table  string     `json:"table,omitempty" maxLength:"100" doc:"Absent: all"`
	Tenant string     `json:"tenant,omitempty" maxLength:"100" doc:"Id or slug; absent: all"`
	From   *time.Time `json:"from,omitempty" doc:"Only what happened at this time or later"`
	To     *time.Time `json:"to,omitempty" doc:"Only what happened before this time"`
}

// Rebuild is how a rebuild goes.
type Rebuild struct {
	Table     string     `json:"table,omitempty"`
	Tenant    string     `json:"tenant,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	To        *time.Time `json:"to,omitempty"`
	State     string     `json:"state" enum:"running,done,cancelled,failed"`
	StartedBy string     `json:"started_by"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Stream    string     `json:"stream,omitempty" doc:"That is being read"`
	Archived  int64      `json:"archived,omitempty" doc:"Events of the archive that were read"`
	Read      uint64     `json:"read,omitempty" doc:"How far of the stream itself"`
	Last      uint64     `json:"last,omitempty"`
	Rows      int64      `json:"rows" doc:"Of facts that were written anew"`
	Intervals int64      `json:"intervals" doc:"Of models that were made anew"`
	Unread    []string   `json:"unread,omitempty" doc:"Objects of the archive that could not be read, and were passed over; verify-archive says what is wrong with them"`
	Problem   string     `json:"problem,omitempty"`
}
