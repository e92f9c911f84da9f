package client

import "time"

// NewQuery is a SELECT for the warehouse.
type NewQuery struct {
	SQL     string    `json:"sql" maxLength:"100000" doc:"One SELECT"`
	Rows    int       `json:"rows,omitempty" minimum:"0" maximum:"100000" doc:"Of the answer at most; 0: 1,000"`
	Seconds int       `json:"seconds,omitempty" minimum:"0" maximum:"300" doc:"That it may take; 0: 30"`
	Since   time.Time `json:"since,omitzero" doc:"For a tenant's credentials: the rows of facts that are read begin here"`
}

// QueryColumn is a column of an answer.
type QueryColumn struct {
	Name string `json:"name"`
	Kind string `json:"kind" enum:"text,integer,number,decimal,boolean,timestamp,date,json"`
}

// Table is a table that can be asked.
type Table struct {
	ID      string        `json:"id" doc:"Its name"`
	Columns []QueryColumn `json:"columns"`
}

// QueryAnswer is what a SELECT found. Whole numbers beyond 2^53, decimals and NaN are
// texts; times are in UTC.
type QueryAnswer struct {
	Columns   []QueryColumn `json:"columns"`
	Rows      [][]any       `json:"rows"`
	Truncated bool          `json:"truncated" doc:"There are more rows than were asked for"`
	Cached    bool          `json:"cached,omitempty" doc:"The answer of a named query that was given before; nothing that it was made of has changed"`
}

// NamedQuery is a query that has a name: one that is built in, or was saved.
type NamedQuery struct {
	ID          string           `json:"id" doc:"Its name"`
	Description string           `json:"description"`
	Tenants     bool             `json:"tenants" doc:"Tenants may do it, each on its own rows"`
	Parameters  []QueryParameter `json:"parameters"`
	BuiltIn     bool             `json:"built_in"`
	Version     int64            `json:"version,omitempty" doc:"Of a saved one"`
	CreatedAt   *time.Time       `json:"created_at,omitempty"`
	CreatedBy   string           `json:"created_by,omitempty"`
	Source      string           `json:"source,omitempty" doc:"Its text, for the provider"`
}

// QueryParameter is a parameter of a named query.
type QueryParameter struct {
	Name        string  `json:"name"`
	Type        string  `json:"type" enum:"text,integer,number,boolean,date,timestamp"`
	Default     *string `json:"default,omitempty" doc:"Absent: a value must be given. A date may be today, or today-7"`
	Description string  `json:"description,omitempty"`
}

// NewNamedQuery is a query to be saved.
type NewNamedQuery struct {
	Name   string `json:"name" maxLength:"64" doc:"Small letters, digits and hyphens"`
	Source string `json:"source" maxLength:"100000" doc:"A comment with the description, a line -- for tenants if it is, and a line for each parameter: -- parameter NAME TYPE = DEFAULT -- DESCRIPTION. Then one SELECT, which has parameters as $NAME"`
}

// QueryRun says how a named query is done.
type QueryRun struct {
	Parameters map[string]string `json:"parameters,omitempty" doc:"Values that are not to be the defaults"`
	Rows       int               `json:"rows,omitempty" minimum:"0" maximum:"100000" doc:"Of the answer at most; 0: 1,000"`
	Seconds    int               `json:"seconds,omitempty" minimum:"0" maximum:"300" doc:"That it may take; 0: 30"`
}

// RunningQuery is a query that is under way.
type RunningQuery struct {
	ID        string    `json:"id"`
	By        string    `json:"by" doc:"Who asked"`
	Tenant    string    `json:"tenant,omitempty" doc:"Whose it is; absent: the provider's"`
	Name      string    `json:"name,omitempty" doc:"Of a named query"`
	StartedAt time.Time `json:"started_at"`
	Rows      int64     `json:"rows" doc:"Of its answer by now"`
}
