package analysis

import "math"

// Utility is how much of a measure a release shows. Whole per cents, so that what is
// hidden cannot be worked out from them.
type Utility struct {
	Measure string `json:"measure"`
	Cells   int    `json:"cells"` // with a value, totals included
	Shown   int    `json:"shown"` // to one recipient at least
	// Value is how much of what the contributors have in the cells, by absolute value, is
	// in cells that they were shown, in per cent.
	Value int `json:"value_percent"`

	all, seen float64
}

// cell begins the next cell of a measure, and returns what is told of each contributor's
// value whether it is shown the cell.
func (u *Utility) cell(measure string) func(value int64, shown bool) {
	u.Measure = measure
	first, hidden := true, true
	return func(value int64, shown bool) {
		if first {
			u.Cells++
			first = false
		}
		size := math.Abs(float64(value))
		u.all += size
		if shown {
			u.seen += size
			if hidden {
				u.Shown++
				hidden = false
			}
		}
		if u.all > 0 {
			u.Value = int(math.Round(100 * u.seen / u.all))
		}
	}
}
