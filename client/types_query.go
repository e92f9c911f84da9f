package client

// NewQuery is a SELECT for the warehouse.
type NewQuery struct {
	SQL     string `json:"sql" maxLength:"100000" doc:"One SELECT"`
	Rows    int    `json:"rows,omitempty" minimum:"0" maximum:"100000" doc:"Of the answer at most; 0: 1,000"`
	Seconds int    `json:"seconds,omitempty" minimum:"0" maximum:"300" doc:"That it may take; 0: 30"`
}

// QueryColumn is a column of an answer.
type QueryColumn struct {
	Name string `json:"name"`
	Kind string `json:"kind" enum:"text,integer,number,decimal,boolean,timestamp,date,json"`
}

// QueryAnswer is what a SELECT found. Whole numbers beyond 2^53, decimals and NaN are
// texts; times are in UTC.
type QueryAnswer struct {
	Columns   []QueryColumn `json:"columns"`
	Rows      [][]any       `json:"rows"`
	Truncated bool          `json:"truncated" doc:"There are more rows than were asked for"`
}
