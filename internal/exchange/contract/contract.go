// Package contract holds what a dataset's files must be: the dialect of the
// text, columns with their types, keys, limits and due times. A contract is
// written in YAML; this package reads it strictly, says what is wrong with it
// line by line, and knows how a text of each type becomes a value. Reading
// files is left to package parse, storing contracts to the exchange.
package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Type is what a column's values are.
type Type string

// The types. Every value but text, float and boolean is one int64.
const (
	Text      Type = "text"      // valid UTF-8 without NUL
	Integer   Type = "integer"   // int64
	Decimal   Type = "decimal"   // fixed point: an int64 in units of 10^-scale, at most 18 digits
	Float     Type = "float"     // a finite float64
	Boolean   Type = "boolean"   // true, false, yes, no, 1 or 0
	DateType  Type = "date"      // days since 1970-01-01, years 1 to 9999
	Timestamp Type = "timestamp" // microseconds since 1970-01-01T00:00:00Z, years 1 to 9999
)

// Types lists the types in the order in which messages name them.
var Types = [...]Type{Text, Integer, Decimal, Float, Boolean, DateType, Timestamp}

// Role is what a column means to the exchange.
type Role string

// The roles. A column with a role is required.
const (
	NoRole       Role = ""
	BusinessDate Role = "business_date" // every row has the submission's business date
	Participant  Role = "participant"   // every row has one of the submitter's external ids
)

// Format is how a file holds a table. It is told by a file's content, never by
// its name.
type Format string

// The formats.
const (
	CSV     Format = "csv"     // delimited text in the dataset's dialect
	NDJSON  Format = "ndjson"  // one JSON object a line, in UTF-8
	Parquet Format = "parquet" // flat columns only
)

// AllFormats lists the formats in the order in which contracts and messages name them.
var AllFormats = [...]Format{CSV, NDJSON, Parquet}

// Compressions of a file of text.
const (
	Plain = "none"
	Gzip  = "gzip"
	Auto  = "auto" // gzip if the file begins like one
)

// Ceilings that no contract can raise.
const (
	MaxYAML       = 1 << 20                 // bytes of a contract
	MaxParquet    = 1 << 30                 // bytes of a Parquet file, which is held in memory to be read
	MaxBytes      = 64 << 30                // bytes of a file, as sent and unpacked
	MaxRows       = 100_000_000             // rows of a file
	MaxUniqueRows = 12_000_000              // rows of a file whose contract has a unique key, which costs the server memory
	MaxColumns    = 2_000                   // columns of a file
	MaxField      = 1 << 20                 // bytes of one field
	MaxRatio      = 1_000                   // unpacked bytes for each packed one
	MaxScale      = 9                       // digits after a decimal's sign
	MaxAllowed    = 10_000                  // allowed values of a column
	MaxPattern    = 512                     // bytes of a pattern
	MaxDecimal    = 999_999_999_999_999_999 // largest magnitude of a decimal, in units of 10^-scale
	maxName       = 64                      // characters of a column's name
	maxNote       = 4_000                   // characters of a description
	maxValue      = 256                     // bytes of an allowed or null text
	maxNulls      = 100                     // null texts
	maxAfterDays  = 3_660                   // days until a submission is due
	maxGraceDays  = 366                     // days from then to the cut-off
	MaxDays       = 36_500                  // days that a file is kept
)

// A Dataset is a contract as it was written, with every default filled in.
// Parse makes it; it is never changed afterwards and is safe to share.
type Dataset struct {
	Name        string   `json:"dataset"` // slug
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Formats     []Format `json:"formats,omitempty"` // that files may have; empty: CSV alone
	CSV         Dialect  `json:"csv"`
	Columns     []Column `json:"columns"`
	Unique      []string `json:"unique,omitempty"`       // columns that together name a row
	FileName    string   `json:"file_name,omitempty"`    // template, see ParseFileName
	FilePattern string   `json:"file_pattern,omitempty"` // or a regular expression
	Limits      Limits   `json:"limits"`
	Cadence     Cadence  `json:"cadence"`
	Due         *Due     `json:"due,omitempty"` // nil: never late
	// Retention is how long files are kept; nil: for as long as their tenant.
	Retention *Retention `json:"retention,omitempty"`

	hash     string
	fileName *regexp.Regexp
}

// Dialect is how values are written in a file of text. Encoding, delimiter,
// quote, header and comment are of CSV alone; what a text means as a number or as
// no value holds for texts in files of every format.
type Dialect struct {
	Delimiter   string   `json:"delimiter"`   // one ASCII character
	Quote       string   `json:"quote"`       // one ASCII character; empty: no quoting
	Encoding    string   `json:"encoding"`    // one of Encodings
	Decimal     string   `json:"decimal"`     // "." or ","
	Thousands   string   `json:"thousands"`   // one character; empty: none
	Header      bool     `json:"header"`      // the first record names the columns, in any order
	Compression string   `json:"compression"` // Plain, Gzip or Auto
	Null        []string `json:"null"`        // texts that mean no value
	Comment     string   `json:"comment"`     // one ASCII character that starts a line to skip; empty: none
}

// Column is one column of a dataset.
type Column struct {
	Name        string   `json:"name"`
	Type        Type     `json:"type"`
	Description string   `json:"description,omitempty"`
	Scale       int      `json:"scale,omitempty"`  // of a decimal
	Format      string   `json:"format,omitempty"` // of a date or timestamp, see Layout
	Unit        string   `json:"unit,omitempty"`   // of a number
	Required    bool     `json:"required"`         // null is an error
	Role        Role     `json:"role,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`    // RE2, of a text; matches anywhere unless anchored
	Allowed     []string `json:"allowed,omitempty"`    // of a text
	MaxLength   int      `json:"max_length,omitempty"` // characters of a text; 0: only the field limit
	Min         string   `json:"min,omitempty"`        // inclusive
	Max         string   `json:"max,omitempty"`        // inclusive

	pattern  *regexp.Regexp
	min, max *bound
}

// Limits are what a file may not exceed. A file that does is refused as soon
// as the limit is passed, without reading on.
type Limits struct {
	Bytes   int64 `json:"bytes"`   // of the file as sent, and again unpacked
	Rows    int64 `json:"rows"`    // data rows
	Columns int   `json:"columns"` // columns of any record
	Field   int   `json:"field"`   // bytes of a field, in UTF-8
	Ratio   int   `json:"ratio"`   // unpacked to packed bytes, beyond the first MiB
}

// Takes reports whether a file may have this format. CSV alone is written as no
// formats, so that contracts from before there were others keep their hash.
func (d *Dataset) Takes(f Format) bool { return Takes(d.Formats, f) }

// Takes is Dataset.Takes for a dataset's list of formats.
func Takes(formats []Format, f Format) bool {
	if len(formats) == 0 {
		return f == CSV
	}
	return slices.Contains(formats, f)
}

// Retention is how long a file and its accepted form are kept, counted from when
// the file was received. The dataset's current version decides for all its files.
type Retention struct {
	Days int `json:"days"` // 1 to MaxDays
}

// Column returns the index of the column with this name.
func (d *Dataset) Column(name string) (int, bool) {
	for i := range d.Columns {
		if d.Columns[i].Name == name {
			return i, true
		}
	}
	return -1, false
}

// ColumnWith returns the index of the column with this role.
func (d *Dataset) ColumnWith(role Role) (int, bool) {
	for i := range d.Columns {
		if d.Columns[i].Role == role && role != NoRole {
			return i, true
		}
	}
	return -1, false
}

// Canonical returns the contract as JSON in one fixed form: keys in one order,
// defaults written out, nothing that does not change what the contract means.
// Parse reads it back to an equal contract.
func (d *Dataset) Canonical() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic("contract: a dataset is not JSON: " + err.Error()) // only strings, numbers and booleans
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Hash is the SHA-256 of Canonical in hexadecimal. It does not depend on the
// order of keys, on defaults written out or left out, or on how YAML was used.
func (d *Dataset) Hash() string { return d.hash }

func (d *Dataset) sum() string {
	h := sha256.Sum256(d.Canonical())
	return hex.EncodeToString(h[:])
}

// Numeric reports whether values are numbers that can be summed.
func (c *Column) Numeric() bool {
	return c.Type == Integer || c.Type == Decimal || c.Type == Float
}

// Matches reports whether the column's pattern, if it has one, matches.
func (c *Column) Matches(text []byte) bool { return c.pattern == nil || c.pattern.Match(text) }

// bound is an end of a column's range, in the column's own representation.
type bound struct {
	i int64
	f float64
}

// HasRange reports whether the column has a min or a max.
func (c *Column) HasRange() bool { return c.min != nil || c.max != nil }

// InRange reports whether an integer, decimal, date or timestamp, in the
// representation that its Type describes, is within min and max.
func (c *Column) InRange(v int64) bool {
	return (c.min == nil || v >= c.min.i) && (c.max == nil || v <= c.max.i)
}

// InRangeFloat is InRange for a float.
func (c *Column) InRangeFloat(v float64) bool {
	return (c.min == nil || v >= c.min.f) && (c.max == nil || v <= c.max.f)
}

// Range says the column's range in words, for messages.
func (c *Column) Range() string {
	switch {
	case c.min != nil && c.max != nil:
		return "from " + c.Min + " to " + c.Max
	case c.min != nil:
		return "at least " + c.Min
	case c.max != nil:
		return "at most " + c.Max
	}
	return "anything"
}

// SameName reports whether two column names differ in case at most.
func SameName(a, b string) bool { return strings.EqualFold(a, b) }
