// Package query is the seam between an analysis run and the engine that reads
// accepted forms: what a run may ask (Spec), and the bounded stream in which
// the answer comes back (Writer in the child, Read in the server). It asks for
// one number per participant, measure and cell, never for rows, and nothing in
// it adds numbers of different participants; that is the run's work.
//
// Spec holds names and typed values only, no SQL. The engines are in the
// packages below this one; InMemory answers of rows that are at hand.
package query

import "math"

// ProgramName is the name under which the sandbox knows the engine. Its
// arguments are a Spec in JSON, its inputs the files, its output is for Read.
const ProgramName = "aggregate"

// Type is the type of a column in an accepted form.
type Type string

// The types, and how an accepted form stores them in Parquet.
const (
	Text      Type = "text"      // BYTE_ARRAY, string
	Integer   Type = "integer"   // INT64
	Decimal   Type = "decimal"   // INT64, DECIMAL(18, Scale)
	Float     Type = "float"     // DOUBLE
	Boolean   Type = "boolean"   // BOOLEAN
	Date      Type = "date"      // INT32, DATE
	Timestamp Type = "timestamp" // INT64, TIMESTAMP in microseconds, UTC
)

// Column is a column of a dataset. Names are compared byte by byte.
type Column struct {
	Name  string
	Type  Type
	Scale int `json:",omitempty"` // decimal digits after the point, 0 to 18; of Decimal only
}

// Own says how the rows of one participant in one cell become its one number.
type Own string

// The ways. Sum and Mean leave nulls out and are absent (Number.Present false)
// when nothing remains. Count counts the values of the column that are not
// null, or rows if the measure has no column; it is absent only if the
// participant has no row of the measure's dataset in the cell.
const (
	Sum   Own = "sum"
	Mean  Own = "mean"
	Count Own = "count"
)

// Measure is one number per participant and cell. Its value is v rounded to
// Scale digits after the point, half away from zero, and given as v * 10^Scale.
// Sums and means of Integer and Decimal columns are exact until that one
// rounding; those of Float columns are added in the order of sources and rows.
type Measure struct {
	Name    string
	Dataset string
	Column  string `json:",omitempty"` // Integer, Decimal or Float; for Count any type, or empty to count rows
	Own     Own
	Scale   int // 0 to 18
}

// Filter keeps the rows whose column equals one of Equals, or, where Equals is
// empty, lies between From and To, both included and either absent. A null
// never passes. Values have the column's type; floats must be finite.
type Filter struct {
	Dataset string `json:",omitempty"` // empty: every dataset
	Column  string
	Equals  []Value `json:",omitempty"`
	From    *Value  `json:",omitempty"`
	To      *Value  `json:",omitempty"`
}

// Source is one accepted form. A participant may have several for a dataset.
type Source struct {
	Dataset     string
	Participant int // index, below Spec.Participants
	Input       int // index of the file among those handed to the engine
}

// Limits bound one query; all are required.
type Limits struct {
	Memory int64 // bytes the engine may use; the process needs more, see the engine
	Rows   int   // of the answer: cells times participants, or times sources in the engine; at most MaxRows
}

// Spec is one question. Participants, cells and measures are known by their
// index in it, so it must be the same on both sides of the stream.
type Spec struct {
	Participants int                 // how many; sources name them 0 to Participants-1
	Datasets     map[string][]Column // the columns that groups, measures, filters and derived columns need
	Derived      []Derived           `json:",omitempty"` // further columns of datasets, for groups and measures
	Sources      []Source            // in the order in which floats are added
	Groups       []string            // columns whose values make a cell; in every dataset, with one type
	Measures     []Measure
	Filters      []Filter `json:",omitempty"` // all must pass
	Limits       Limits
}

// Row is what one participant has in one cell.
type Row struct {
	Participant int
	Key         []Value  // of Spec.Groups; rows of one cell share it, so it must not be changed
	Count       int64    // rows that passed the filters, over all datasets; at least 1
	Values      []Number // of Spec.Measures
}

// Number is a value of a measure: Fixed / 10^Scale, if it is Present. It is
// absent if the participant has no value that is not null in this cell.
type Number struct {
	Present bool
	Fixed   int64 // or TooLarge
}

// TooLarge stands for a value that does not fit. It is no error, since one
// participant's rows must not stop a run for all; whoever adds up what
// participants have finds that its size is no int64.
const TooLarge = math.MinInt64

// Totals end every answer; without them it is cut off.
type Totals struct {
	Rows    int64   // rows of the answer
	Scanned []int64 // for each source, the rows of its file
	Micros  int64   // time the engine took, in microseconds
}
