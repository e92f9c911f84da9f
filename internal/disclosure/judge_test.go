package disclosure

import (
	"errors"
	"math"
	"testing"

	"tributary/internal/fault"
)

// preset are the rules that definitions get by default.
var preset = Rules{MinContributors: 5, PPercent: 10, Dominance: Dominance{N: 2, K: 85}}

// strict is shorthand for rules.
func strict(minimum, p, n, k int) Rules {
	return Rules{MinContributors: minimum, PPercent: p, Dominance: Dominance{n, k}}
}

// apart makes a cell in which each value belongs to an organisation of its own.
func apart(values ...int64) Cell {
	cell := make(Cell, len(values))
	for i, v := range values {
		cell[i] = Contribution{Participant: int32(i), Organisation: int32(i), Value: v}
	}
	return cell
}

// owned is apart with the owner of each value.
func owned(pairs ...int64) Cell {
	cell := make(Cell, len(pairs)/2)
	for i := range cell {
		cell[i] = Contribution{Participant: int32(i), Organisation: int32(pairs[2*i]), Value: pairs[2*i+1]}
	}
	return cell
}

func TestJudgeCountsAndAddsUp(t *testing.T) {
	t.Parallel()
	j, err := Judge(preset, 0, []Cell{
		owned(0, 10, 0, 10, 1, 20, 2, 20, 3, 20, 4, -5),
		owned(0, 1, 0, 2),
		owned(0, math.MaxInt64, 0, math.MaxInt64),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := j.Cells[0]
	if c.Sum != 75 || c.Participants != 6 || c.Organisations != 5 {
		t.Errorf("first cell = sum %d of %d participants in %d organisations, want 75, 6, 5", c.Sum, c.Participants, c.Organisations)
	}
	if c := j.Cells[2]; c.Sum != 0 {
		t.Errorf("sum after overflow = %d, want 0", c.Sum)
	}
	total := int64(0)
	for _, v := range Verdicts() {
		total += j.Count(v)
	}
	if total != 10 || j.Count(Minimum) != 2 || j.Count(Overflow) != 2 || j.Count(Release) != 6 {
		t.Errorf("counts = %v, want 6 released, 2 minimum, 2 overflow of 10", j.counts)
	}
}

func TestMalformedInputIsRefused(t *testing.T) {
	t.Parallel()
	for name, cell := range map[string]Cell{
		"participant twice":              {{1, 1, 5}, {1, 1, 5}},
		"negative participant":           {{-1, 1, 5}},
		"negative organisation":          {{1, -1, 5}},
		"participant beyond the limit":   {{maxIndex, 1, 5}},
		"organisation beyond the limit":  {{1, math.MaxInt32, 5}},
		"participant of two owners":      {{1, 1, 5}, {1, 2, 5}},
		"participant of two owners ever": {{7, 2, 5}},
	} {
		if _, err := Judge(preset, 0, []Cell{{{7, 7, 1}}, cell}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	for _, r := range []Rules{
		{}, {MinContributors: 1}, {MinContributors: 5, PPercent: -1}, {MinContributors: 5, PPercent: 101},
		strict(5, 10, 0, 85), strict(5, 10, 6, 85), strict(5, 10, 2, 0), strict(5, 10, 2, 100),
	} {
		if _, err := Judge(r, 0, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("Judge(%+v) = %v, want an invalid fault", r, err)
		}
	}
	if _, err := Judge(Rules{MinContributors: 2}, 0, nil); err != nil {
		t.Errorf("weakest rules: %v", err)
	}
}

func TestTheZeroVerdictDoesNotRelease(t *testing.T) {
	t.Parallel()
	for v := range Verdict(255) {
		if v.Released() != (v == Release) {
			t.Errorf("%v.Released() = %v", v, v.Released())
		}
	}
	if (Verdict(0)).Released() || Verdict(200).String() == "" {
		t.Error("the zero verdict releases")
	}
}

func TestOverflowOfAMeanIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sum      int64
		decimals int
	}{{math.MaxInt64, 1}, {MaxResult + 1, 0}, {math.MinInt64, 0}, {1, 18}} {
		_, err := Mean(c.sum, 1, 0, c.decimals)
		if !errors.Is(err, ErrOverflow) || !fault.Is(err, fault.TooLarge) {
			t.Errorf("Mean of %d with %d decimals = %v, want ErrOverflow", c.sum, c.decimals, err)
		}
	}
}

// Values below what everybody knows them to be at least are a mistake of the caller; what
// does not fit is not.
func TestFloorsAreKeptTo(t *testing.T) {
	t.Parallel()
	if _, err := Judge(preset, 10, []Cell{apart(10, 9, 10)}); err == nil {
		t.Error("a value below the floor was judged")
	}
	if j, err := Judge(preset, 1, []Cell{apart(5, 5, 5, 5, math.MinInt64)}); err != nil || j.Count(Overflow) != 5 {
		t.Errorf("a count that does not fit: %v, %v", j, err)
	}
}
