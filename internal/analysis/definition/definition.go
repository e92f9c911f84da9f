// Package definition holds what an analysis is: which datasets and columns it
// uses, which cells and measures it releases to whom, and under which rules. A
// definition is written in YAML; this package reads it strictly, checks it
// against the columns of its datasets, puts it into words for those who accept
// it, and says when a new version needs a new acceptance. Versions, acceptances
// and runs are package analysis's.
package definition

import (
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Ceilings that no definition can raise.
const (
	MaxYAML                     = 256 << 10 // bytes of a definition
	MaxDatasets                 = 16
	MaxFilters                  = 64 // one for each dataset that it applies to
	MaxEquals                   = 1_000
	MaxGroups                   = 16
	MaxMeasures                 = 64
	MaxDecimals                 = 9
	MaxTotals                   = 2 // lists of groups with totals
	MaxDerived                  = 32
	MaxCoalition                = 5
	LeastQuantile, MostQuantile = 10, 90
	MaxCells                    = 10_000_000
	MaxDays                     = 36_500 // that a result is kept
	maxName                     = 64     // characters of a column or measure
	maxNote                     = 4_000  // characters of a description
	maxValue                    = 256    // characters of a filter's value
)

// ContributorsOnly is the one value of Recipients: each contributor gets the
// cells that it contributed to.
const ContributorsOnly = "contributors"

// Function says how the values of the participants in a cell become the cell's.
type Function string

// The functions. They take one value of each participant, see Own, or of a ratio two.
const (
	Count Function = "count" // sum of the participants' row counts, or of their non-null values if a column is named
	Sum   Function = "sum"   // sum of the participants' values
	Mean  Function = "mean"  // sum divided by the number of participants with a value
	Ratio Function = "ratio" // sum of the participants' values of Column divided by that of Of
	// WeightedMean is the sum over all rows of Column times Weight, divided by that of Weight.
	WeightedMean Function = "weighted_mean"
	Variance     Function = "variance" // of the participants' values, with n-1
	Quantile     Function = "quantile" // of the participants' values, the mean of some neighbours; see disclosure.Quantile
)

// Columns lists what the measure is of: one column, of a ratio or weighted mean two; an
// empty name counts rows.
func (m Measure) Columns() []string {
	switch m.Function {
	case Ratio:
		return []string{m.Column, m.Of}
	case WeightedMean:
		return []string{m.Column, m.Weight}
	}
	return []string{m.Column}
}

// Additive reports whether the cells of smaller groups say what the cell of a larger
// one is, so that there can be totals.
func (m Measure) Additive() bool {
	return m.Function != Variance && m.Function != Quantile && m.Own != OwnMean
}

// Own says how one participant's rows in a cell become its one value.
type Own string

// The ways; nulls are left out.
const (
	OwnSum   Own = "sum"
	OwnMean  Own = "mean"
	OwnCount Own = "count"
)

// Definition is a definition as it was written, with every default filled in.
// Parse makes it; it is never changed afterwards and is safe to share.
type Definition struct {
	Name        string   `json:"analysis"` // slug
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Datasets    []string `json:"datasets"`
	// Derived are further columns of datasets, for groups and measures.
	Derived []Derived `json:"derived,omitempty"`
	Filters []Filter  `json:"filters"` // all must pass; at most one for each column
	Groups  []string  `json:"groups"`  // columns, in every dataset; their values make a cell
	// Totals are the groups over which totals are released too: one or two lists of
	// groups, each from the coarsest to the finest (region, country, city).
	Totals     [][]string `json:"totals,omitempty"`
	Measures   []Measure  `json:"measures"`
	Recipients string     `json:"recipients"`
	OwnValue   bool       `json:"own_value"` // each recipient's own value stands beside the cell's
	Output     Output     `json:"output"`
	Rules      Rules      `json:"rules"`
	Quorum     int        `json:"quorum"` // fewest participants of a run
	Limits     Limits     `json:"limits"`
	// Retention is how long results are kept; nil: for as long as their recipient.
	Retention *Retention `json:"retention,omitempty"`

	lines map[string]int // path to line, for Check's messages
}

// Retention is how long a result is kept, counted from when it was made. The
// version that made it decides.
type Retention struct {
	Days int `json:"days"` // 1 to MaxDays
}

// Filter keeps the rows of one dataset whose column equals one of Equals, or
// lies between From and To, both included and either empty. Values are texts as
// written; ParseValue reads them by the column's type. A null never passes. A
// filter written without a dataset is one Filter for each.
type Filter struct {
	Dataset string   `json:"dataset"`
	Column  string   `json:"column"`
	Equals  []string `json:"equals,omitempty"`
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`

	path string
}

// Measure is one number of a cell.
type Measure struct {
	Name     string   `json:"name"` // of the result's column
	Dataset  string   `json:"dataset"`
	Function Function `json:"function"`
	Column   string   `json:"column,omitempty"`   // empty only for counts, which then count rows
	Of       string   `json:"of,omitempty"`       // of a ratio: the column to divide by
	Weight   string   `json:"weight,omitempty"`   // of a weighted mean: the column that weighs a row
	Quantile int      `json:"quantile,omitempty"` // of a quantile: how many per cent lie below, 10 to 90
	Own      Own      `json:"own"`
	Decimals int      `json:"decimals"` // of the result, 0 to MaxDecimals
}

// Output says what a result looks like.
type Output struct {
	FileName   string `json:"file_name"`   // with {analysis}, {date}, {participant}, {dataset}; ends in .csv
	DateColumn string `json:"date_column"` // the business date
	DateFormat string `json:"date_format"` // YYYY, MM and DD, once each, with - . / _ or nothing between
	IDColumn   string `json:"id_column"`   // the recipient's external id
	OwnPrefix  string `json:"own_prefix"`  // before a measure's name: the recipient's own value
	// TotalColumn names the column that says of a total which groups it is over; empty
	// if there are no totals.
	TotalColumn string `json:"total_column,omitempty"`
}

// Rules are the parameters of the disclosure rules, see package disclosure.
type Rules struct {
	MinContributors int       `json:"min_contributors"`    // organisations, the recipient's included; at least 2
	PPercent        int       `json:"p_percent"`           // 0: off
	QPercent        int       `json:"q_percent,omitempty"` // of a pq rule; 0: nothing is known of values beforehand
	Dominance       Dominance `json:"dominance"`           // zero: off
	Coalition       int       `json:"coalition,omitempty"` // recipients that may tell each other everything; 0: one by itself
	// Suppress says what is least when further cells are hidden to protect others; only
	// of definitions with totals.
	Suppress Suppress `json:"suppress,omitempty"`
}

// Suppress is what hiding a cell is taken to cost.
type Suppress string

// The costs. The empty one is LeastCells.
const (
	LeastCells Suppress = "least_cells"
	LeastValue Suppress = "least_value"
)

// Coalitions is how many recipients the rules hold against.
func (r Rules) Coalitions() int { return max(r.Coalition, 1) }

// Dominance hides cells of which the N largest contributors have more than K per cent.
type Dominance struct {
	N int `json:"n"`
	K int `json:"k"`
}

// On reports whether the rule is in force.
func (d Dominance) On() bool { return d != Dominance{} }

// MaxWall is the most that Limits.Wall can be.
const MaxWall = 2 * time.Hour

// Limits bound a run.
type Limits struct {
	Memory int64         `json:"memory_bytes"`
	Wall   time.Duration `json:"wall_ns"` // at most MaxWall
	Cells  int64         `json:"cells"`
}

// DefaultRules are in force where a definition says nothing: five
// contributors, p = 10 and (2,85). The reference counts dominance as optional;
// it is on by default because the p % rule looks at a recipient alone, and the
// (2,k) rule on what remains for it is what holds against two who tell each
// other. Switching it off has to be written down, where acceptors can read it.
func DefaultRules() Rules {
	return Rules{MinContributors: 5, PPercent: 10, Dominance: Dominance{N: 2, K: 85}}
}

// safeMinimum is the minimum below which contributors are as good as shown to each other.
const safeMinimum = 3

// MarksResults reports whether every result has to say that it was made under
// a minimum so low.
func (d *Definition) MarksResults() bool { return d.Rules.MinContributors < safeMinimum }

// guardDigits are kept of a participant's value beyond the result's decimals
// where the value itself has to be rounded, so that rounding twice is not seen.
const guardDigits = 4

// Scale is the number of decimal places of the fixed-point numbers that the
// participants' values of this measure are given in: none for counts and the
// column's own for sums of integers and decimals, so that both are exact; else
// (means within a participant, floats) four more than the result has, and at
// least the column's.
func (m Measure) Scale(column Column) int {
	switch {
	case m.Own == OwnCount:
		return 0
	case m.Own == OwnSum && (column.Type == Integer || column.Type == Decimal):
		return column.Scale
	}
	return max(m.Decimals+guardDigits, column.Scale)
}

// canonical is the format of Canonical; it changes when a definition of the
// same text would mean something else.
const canonical = 1

// Canonical returns the definition as JSON: the same bytes for the same
// meaning, however the YAML was laid out and whatever defaults it left out.
func (d *Definition) Canonical() []byte {
	b, err := json.Marshal(struct {
		Format int `json:"format"`
		*Definition
	}{canonical, d})
	if err != nil {
		panic("definition: " + err.Error()) // strings and integers only
	}
	return b
}

// Hash is the SHA-256 of Canonical: what acceptances and manifests name.
func (d *Definition) Hash() [sha256.Size]byte { return sha256.Sum256(d.Canonical()) }
