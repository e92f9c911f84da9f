package disclosure

import (
	"errors"
	"math"
	"strings"
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

func TestTextbookAttacks(t *testing.T) {
	t.Parallel()
	only := strict
	for _, c := range []struct {
		name  string
		rules Rules
		cell  Cell
		want  string // a verdict for each contribution, or one for all
	}{
		{"equal values", preset, apart(10, 10, 10, 10, 10), "release"},
		{"no contribution", preset, Cell{}, ""},
		{"one contributor at the lowest minimum", only(2, 0, 0, 0), apart(10), "minimum"},

		{"mean of two: 2*mean-own", preset, apart(10, 20), "minimum"},
		{"mean of two, minimum 2: nothing hides the other", only(2, 10, 0, 0), apart(10, 20), "p-percent"},
		{"mean of two that both accepted", only(2, 0, 0, 0), apart(10, 20), "release"},
		{"four contributors are not five", preset, apart(10, 10, 10, 10), "minimum"},
		{"three, against a coalition of two", only(3, 10, 2, 85), apart(10, 10, 10), "dominance"},
		{"three without the dominance rule", only(3, 10, 0, 0), apart(10, 10, 10), "release"},
		{"four hide each from two", only(4, 10, 2, 85), apart(10, 10, 10, 10), "release"},

		{"95 % in one hand", preset, apart(950, 20, 15, 10, 5), "dominance p-percent p-percent p-percent p-percent"},
		{"95 % in one hand, p % alone", only(5, 10, 0, 0), apart(950, 20, 15, 10, 5), "release p-percent p-percent p-percent p-percent"},
		{"95 % in two hands", preset, apart(475, 475, 20, 20, 10), "dominance"},
		{"95 % in two hands: the two see each other, others do not", only(5, 11, 0, 0), apart(475, 475, 20, 20, 10), "p-percent p-percent release release release"},
		{"second largest bounds the largest", only(3, 10, 0, 0), apart(100, 50, 9), "release p-percent release"},
		{"what remains is exactly p %", only(3, 10, 0, 0), apart(100, 50, 10), "release"},
		{"what remains is just below p %", only(3, 10, 0, 0), apart(1000, 500, 99), "release p-percent release"},
		{"exactly k % in two hands, classical", only(4, 0, 1, 50), apart(50, 25, 15, 10), "release dominance dominance dominance"},
		{"just above k %", only(4, 0, 1, 50), apart(51, 25, 14, 10), "dominance"},
		{"own value hides nothing from its owner", only(4, 0, 1, 85), apart(1000, 900, 50, 40), "dominance dominance release release"},
		{"constant padding passes the rules, so definitions have no expressions to write it with", preset, apart(13725, 1e6, 1e6, 1e6, 1e6), "release"},

		{"sybils: five tenants of two owners", preset, owned(0, 10, 0, 10, 0, 10, 0, 10, 1, 10), "minimum"},
		{"sybils: five owners, one with many tenants", preset, owned(0, 10, 0, 10, 1, 20, 2, 20, 3, 20, 4, 20), "release"},
		{"sybils know all of their own", only(3, 10, 0, 0), owned(0, 500, 0, 500, 1, 100, 2, 5), "p-percent p-percent p-percent release"},
		{"a holding is protected as one", only(3, 10, 0, 0), owned(0, 50, 0, 50, 1, 50, 2, 9), "release release p-percent release"},

		{"all zero: every other's is known", preset, apart(0, 0, 0, 0, 0), "zero"},
		{"all others zero", preset, apart(7, 0, 0, 0, 0), "zero p-percent p-percent p-percent p-percent"},
		{"zeros hide the two from each other no more than nothing does", only(5, 10, 0, 0), apart(7, 9, 0, 0, 0), "p-percent p-percent release release release"},
		{"zero among values", preset, apart(0, 10, 10, 10, 10, 10), "release"},
		{"all zero, p % off", only(5, 0, 0, 0), apart(0, 0, 0, 0, 0), "release"},

		{"counts that are all one, no floor", preset, apart(1, 1, 1, 1, 1), "release"},
		{"negative values count by size", preset, apart(-10, -10, -10, -10, -10), "release"},
		{"a negative giant", only(5, 10, 0, 0), apart(-950, 20, 15, 10, 5), "release p-percent p-percent p-percent p-percent"},
		{"signs that cancel do not look small", only(5, 10, 0, 0), apart(100, -100, 60, -60, 30), "release"},
		{"an owner's cancelling tenants hide nobody", only(3, 10, 0, 0), owned(0, 100, 1, 9, 2, 500, 2, -500, 3, 1), "p-percent p-percent release release p-percent"},
		{"an owner's cancelling tenants are protected at full size", only(3, 10, 0, 0), owned(0, 20, 1, 20, 2, 500, 2, -500, 3, 1), "p-percent p-percent release release p-percent"},

		{"tiny values", preset, apart(1, 1, 1, 1, 1), "release"},
		{"tiny against a giant", only(5, 10, 0, 0), apart(1, 1, 1, 1, 1e18), "p-percent p-percent p-percent p-percent release"},
		{"counts of rows", preset, apart(3, 4, 2, 5, 3), "release"},
		{"counts of rows, nearly all one's", preset, apart(1, 1, 1, 1, 300), "p-percent p-percent p-percent p-percent dominance"},

		{"largest sum that fits", only(2, 0, 0, 0), apart(math.MaxInt64-1, 1), "release"},
		{"sum that does not fit", preset, apart(math.MaxInt64, 1, 1, 1, 1), "overflow"},
		{"opposite giants that cancel", preset, apart(math.MaxInt64, -math.MaxInt64, 1, 1, 1), "overflow"},
		{"smallest number", preset, apart(math.MinInt64, 0, 0, 0, 0), "overflow"},
		{"wraps round to a small number", preset, apart(math.MinInt64, math.MinInt64, 5, 5, 5), "overflow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, err := Judge(c.rules, 0, []Cell{c.cell})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range j.Cells[0].Verdicts {
				got = append(got, v.String())
			}
			want := c.want
			if len(got) > 1 && !strings.Contains(want, " ") {
				want = strings.TrimSuffix(strings.Repeat(want+" ", len(got)), " ")
			}
			if g := strings.Join(got, " "); g != want {
				t.Errorf("verdicts = %q, want %q", g, want)
			}
		})
	}
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

// Everybody with a row has at least one, so a count hides only what is above that.
func TestCountsHideOnlyWhatIsAboveTheirFloor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cell Cell
		want string
	}{
		{"all one", apart(1, 1, 1, 1, 1), "zero zero zero zero zero"},
		{"one above, known to its owner alone", apart(2, 1, 1, 1, 1), "zero p-percent p-percent p-percent p-percent"},
		{"enough above", apart(11, 11, 11, 11, 11), "release release release release release"},
		{"one giant", apart(1000, 3, 3, 3, 3), "dominance p-percent p-percent p-percent p-percent"},
	} {
		j, err := Judge(preset, 1, []Cell{c.cell})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var sum int64
		for i, v := range j.Cells[0].Verdicts {
			got = append(got, v.String())
			sum += c.cell[i].Value
		}
		if strings.Join(got, " ") != c.want || j.Cells[0].Sum != sum {
			t.Errorf("%s: got %v and the sum %d, want %s and %d", c.name, got, j.Cells[0].Sum, c.want, sum)
		}
	}
	if _, err := Judge(preset, 10, []Cell{apart(10, 9, 10)}); err == nil {
		t.Error("a value below the floor was judged")
	}
	if j, err := Judge(preset, 1, []Cell{apart(5, 5, 5, 5, math.MinInt64)}); err != nil || j.Count(Overflow) != 5 {
		t.Errorf("a count that does not fit: %v, %v", j, err)
	}
}
