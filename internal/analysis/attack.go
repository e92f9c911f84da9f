package analysis

import (
	"math"

	"tributary/internal/disclosure"
)

// Attack is what was tried on a release before it was made: from all that is shown, here
// and in the earlier releases that it is judged beside, how closely can a hidden cell be
// known?
type Attack struct {
	Cells     int `json:"cells"`     // of all measures, totals included
	Hidden    int `json:"hidden"`    // of these, from everybody
	Unbounded int `json:"unbounded"` // of these: nothing that is shown bounds them from above
	Witnesses int `json:"witnesses"` // that prove that hidden ones stay in doubt
	// Intervals says of how many hidden cells the interval that an attacker can derive was
	// computed, and Narrowest how wide the narrowest of these is, in per cent of the cell's
	// value.
	Intervals int      `json:"intervals"`
	Narrowest *float64 `json:"narrowest_percent,omitempty"`
}

// maxIntervals is how many hidden cells of a release are solved for; the witnesses are
// for all.
const maxIntervals = 5000

// look counts what was tried on a table with totals, and solves for what is hidden.
func (a *Attack) look(rules disclosure.Rules, t *disclosure.Table, p *disclosure.Protection, before []disclosure.Earlier) error {
	a.Cells += len(t.Nodes)
	a.Witnesses += len(p.Witnesses)
	for _, hidden := range p.Hidden {
		if hidden {
			a.Hidden++
		}
	}
	left := maxIntervals - a.Intervals
	if left <= 0 {
		return nil
	}
	intervals, err := disclosure.Intervals(rules, t, p.Hidden, left, before...)
	if err != nil {
		return err
	}
	for _, in := range intervals {
		if a.interval(in, p.Judgements[in.Part].Cells[in.Cell].Sum); math.IsInf(in.Above, 0) {
			a.Unbounded++
		}
	}
	return nil
}

// interval counts what can be derived of a hidden cell.
func (a *Attack) interval(in disclosure.Interval, value int64) {
	a.Intervals++
	if math.IsInf(in.Above, 0) {
		return
	}
	size := math.Abs(float64(value))
	if width := math.Round(1000*(in.Below+in.Above)/size) / 10; size > 0 && (a.Narrowest == nil || width < *a.Narrowest) {
		a.Narrowest = &width
	}
}

// alone counts a cell of a measure that no totals connect. If nobody is shown it, nothing
// bounds it unless an earlier release showed it.
func (a *Attack) alone(shown, before bool) {
	a.Cells++
	if !shown {
		a.Hidden++
		if !before {
			a.Unbounded++
		}
	}
}
