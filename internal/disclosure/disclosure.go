// Package disclosure decides which cells of a cross-participant result may be
// shown to whom: pure functions over contributions, in exact integers. It
// leaves to others where contributions come from and what a result looks like.
//
// This file has the words and the entrance of the primary rules, rules.go their
// arithmetic. Judge is for cells that stand alone. Cells with totals go through
// Protect (protect.go): it takes the same rules, hides further cells so that no
// hidden one can be computed from what is shown, and proves it by a Witness for
// each, which Audit (audit.go) checks without knowing how it was found.
package disclosure

import (
	"fmt"
	"math"

	"tributary/internal/fault"
)

// Contribution is one participant's one value in one cell.
type Contribution struct {
	Participant  int32 // small index from 0, made by the caller, the same in all cells
	Organisation int32 // small index from 0: the owner of the participant, by which contributions are counted
	Value        int64 // fixed point; one scale for all contributions of a table. A row count is a value too
}

// Cell is what the participants contributed to one group; each participant at
// most once, in any order. The recipients of a cell are its contributors.
type Cell []Contribution

// Rules are the primary rules. All that are on must pass.
type Rules struct {
	MinContributors int       // fewest organisations in a cell, the recipient's included; at least 2
	PPercent        int       // 0 to 100; 0 switches the p % rule off
	QPercent        int       // what is known of each value beforehand, to within so much of it; 0 stands for 100, so nothing
	Dominance       Dominance // the zero value switches dominance off
	Coalition       int       // recipients that tell each other everything, 1 to 5; 0 stands for 1
}

// Dominance is the (n,k) rule: the N largest organisations may not have more
// than K per cent of a cell.
type Dominance struct {
	N int // 1 to 5
	K int // 1 to 99
}

// On reports whether the rule is in force.
func (d Dominance) On() bool { return d != Dominance{} }

// Limits of the rules' parameters and of the indices in contributions.
const (
	FewestContributors = 2
	MaxDominators      = 5
	MaxCoalition       = 5
	maxIndex           = 1 << 22
)

// Check says what is wrong with r, as fault.Invalid.
func (r Rules) Check() error {
	switch {
	case r.MinContributors < FewestContributors:
		return fault.New(fault.Invalid, "The minimum number of contributors is %d; it must be at least %d, since a cell of one is that one's value.", r.MinContributors, FewestContributors)
	case r.PPercent < 0 || r.PPercent > 100:
		return fault.New(fault.Invalid, "The p %% rule's p is %d; it must be 1 to 100, or 0 to switch the rule off.", r.PPercent)
	case r.QPercent != 0 && (r.QPercent < max(r.PPercent, 1) || r.QPercent > 100):
		return fault.New(fault.Invalid, "The pq rule's q is %d; it must be at least p and at most 100, or 0 for 100.", r.QPercent)
	case r.Coalition < 0 || r.Coalition > MaxCoalition:
		return fault.New(fault.Invalid, "The coalition is of %d recipients; it must be 1 to %d.", r.Coalition, MaxCoalition)
	case r.Dominance.On() && (r.Dominance.N < 1 || r.Dominance.N > MaxDominators):
		return fault.New(fault.Invalid, "The dominance rule's n is %d; it must be 1 to %d.", r.Dominance.N, MaxDominators)
	case r.Dominance.On() && (r.Dominance.K < 1 || r.Dominance.K > 99):
		return fault.New(fault.Invalid, "The dominance rule's k is %d; it must be 1 to 99 per cent.", r.Dominance.K)
	}
	return nil
}

// coalition is how many recipients pool what they know.
func (r Rules) coalition() int { return max(r.Coalition, 1) }

// prior is the q of the pq rule.
func (r Rules) prior() uint64 {
	if r.QPercent == 0 {
		return 100
	}
	return uint64(r.QPercent)
}

// fewest is how many organisations a cell needs. A coalition of several must have
// at least three others before it.
func (r Rules) fewest() int {
	if c := r.coalition(); c > 1 {
		return max(r.MinContributors, c+3)
	}
	return r.MinContributors
}

// Verdict says whether a recipient gets a cell's value, and if not, why not.
// The zero Verdict, and any unknown one, does not release.
type Verdict uint8

// The verdicts. A cell that breaks several rules gets the first in this order.
const (
	Unjudged   Verdict = iota
	Release            // the recipient gets the value
	Overflow           // the absolute values add up to more than an int64 holds, so nothing can be said about them
	Minimum            // too few organisations
	Zero               // nothing remains after the recipient's own value, so every other's would be known to be zero
	PPercent           // the recipient could bound another organisation's value too closely
	Dominated          // a few organisations make up too much of the cell
	Close              // the values lie so that a variance, or a quantile beside what else is shown, would tell them
	Undefined          // there is no value: a divisor is zero
	Difference         // the difference to an earlier release would tell what too few have changed
	Secondary          // others could be computed from it and what else is shown
	verdicts
)

var verdictNames = [verdicts]string{"unjudged", "release", "overflow", "minimum", "zero", "p-percent", "dominance", "close", "undefined", "difference", "secondary"}

// Released reports whether the recipient gets the value.
func (v Verdict) Released() bool { return v == Release }

// String is the verdict's name in manifests: "release" or the rule that hides the cell.
func (v Verdict) String() string {
	if v >= verdicts {
		return fmt.Sprintf("verdict(%d)", uint8(v))
	}
	return verdictNames[v]
}

// Verdicts lists the verdicts that a cell of a result can get, for tables and manifests.
func Verdicts() []Verdict {
	return []Verdict{Release, Overflow, Minimum, Zero, PPercent, Dominated, Close, Undefined, Difference, Secondary}
}

// Outcome is what was decided about one cell.
type Outcome struct {
	Sum           int64     // exact sum of the values; 0 after an overflow
	Participants  int32     // how many contributions; what a mean divides by
	Organisations int32     // how many contributors
	Verdicts      []Verdict // one for each contribution, in the cell's order: may this participant have the cell
}

// Judgement is the outcome of a table: one measure over all its cells.
type Judgement struct {
	Cells  []Outcome // in the order of the cells
	counts [verdicts]int64
}

// Count returns how many pairs of cell and recipient got this verdict.
func (j *Judgement) Count(v Verdict) int64 {
	if v >= verdicts {
		return 0
	}
	return j.counts[v]
}

// Judge applies the rules to each cell and each of its contributors. floor is
// what everybody knows each value to be at least, 0 if nothing: a count of rows
// is at least 1 where there is a row, so only what is above that hides anything.
// It takes time in proportion to the contributions. An error means that the rules
// or the contributions are malformed (an index out of range, a participant twice
// in a cell or in two organisations, a value below a floor above 0); values alone
// never cause one, since then one participant could stop a run for all.
func Judge(rules Rules, floor int64, cells []Cell) (*Judgement, error) {
	if err := rules.Check(); err != nil {
		return nil, err
	}
	if floor < 0 {
		return nil, fmt.Errorf("judge with a floor of %d", floor)
	}
	b, total, err := newScratch(rules, floor, cells)
	if err != nil {
		return nil, err
	}
	j := &Judgement{Cells: make([]Outcome, len(cells))}
	all := make([]Verdict, total)
	for i, cell := range cells {
		verdicts := all[:len(cell):len(cell)]
		all = all[len(cell):]
		out, err := b.judge(cell, verdicts)
		if err != nil {
			return nil, fmt.Errorf("judge cell %d: %w", i, err)
		}
		for _, v := range verdicts {
			j.counts[v]++
		}
		j.Cells[i] = out
	}
	return j, nil
}

// newScratch makes the scratch space for the largest indices in cells, and counts contributions.
func newScratch(rules Rules, floor int64, cells []Cell) (*scratch, int, error) {
	total, participants, organisations := 0, int32(-1), int32(-1)
	for i, cell := range cells {
		if len(cell) > math.MaxInt32 {
			return nil, 0, fmt.Errorf("judge cell %d: %d contributions", i, len(cell))
		}
		total += len(cell)
		for _, c := range cell {
			if c.Participant < 0 || c.Organisation < 0 || c.Participant >= maxIndex || c.Organisation >= maxIndex {
				return nil, 0, fmt.Errorf("judge cell %d: participant %d of organisation %d is not an index below %d", i, c.Participant, c.Organisation, maxIndex)
			}
			participants, organisations = max(participants, c.Participant), max(organisations, c.Organisation)
		}
	}
	return &scratch{
		rules:  rules,
		floor:  floor,
		owner:  make([]owner, participants+1),
		shares: make([]share, organisations+1),
	}, total, nil
}
