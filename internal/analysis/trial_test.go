package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/query"
)

// A trial's releases are judged as runs' are: totals with their parts, and each release
// beside those before it.
func TestATrialIsJudgedAsARunIs(t *testing.T) {
	t.Parallel()
	d, err := definition.Parse([]byte("analysis: trial\ndatasets: [d]\ngroups: [region]\ntotals: [[region]]\nmeasures: [{name: m, function: sum, column: x, decimals: 0}, {name: n, function: count}]\nrules: {dominance: off}\n"))
	if err != nil {
		t.Fatal(err)
	}
	trial := analysis.NewTrial(d, map[string]definition.Columns{"d": {{Name: "region", Type: definition.Text}, {Name: "x", Type: definition.Integer}}})
	if parts := trial.Parts(); len(parts) != 2 {
		t.Fatalf("parts = %v, want a sum and a count", parts)
	}
	var who []analysis.Contributor
	add := func(name, region string, value int64) {
		who = append(who, analysis.Contributor{Name: name, Organisation: name, Rows: []query.Row{{
			Key: []query.Value{{Type: query.Text, Text: region}}, Values: []query.Number{{Present: true, Fixed: value}, {Present: true, Fixed: 20}}}}})
	}
	for i := range 8 {
		for _, region := range []string{"n", "s", "w"} {
			add(fmt.Sprint(region, i), region, 100+int64(i))
		}
	}
	add("e1", "e", 500)
	first, err := trial.Release(who)
	if err != nil || first.Withheld != "" {
		t.Fatalf("first release: %v, %v", first, err)
	}
	got := first.Verdicts(first.Measures[0])
	if got[disclosure.Minimum] != 1 || got[disclosure.Secondary] != 1 || got[disclosure.Release] != 3 {
		t.Errorf("verdicts = %v, want the region of one hidden, and another for it", got)
	}
	if u := first.Utility[0]; u.Measure != "m" || u.Cells != 5 || u.Shown != 3 || u.Value < 50 || u.Value > 80 {
		t.Errorf("utility = %+v, want 3 of 5 cells", u)
	}
	add("n9", "n", 77)
	second, err := trial.Release(who)
	if err != nil {
		t.Fatal(err)
	}
	if second.Withheld == "" && second.Verdicts(second.Measures[0])[disclosure.Difference] == 0 {
		t.Errorf("second release with one more: %v, want a difference hidden", second.Verdicts(second.Measures[0]))
	}
}

// A cell that only an earlier release has is nobody's now, and stops nothing.
func TestACellThatIsGoneStopsNothing(t *testing.T) {
	t.Parallel()
	d, err := definition.Parse([]byte("analysis: trial\ndatasets: [d]\ngroups: [region]\nmeasures: [{name: m, function: mean, column: x, decimals: 0}, {name: v, function: variance, column: x, decimals: 0}, {name: r, function: ratio, column: x, of: y, decimals: 2}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	trial := analysis.NewTrial(d, map[string]definition.Columns{"d": {{Name: "region", Type: definition.Text}, {Name: "x", Type: definition.Integer}, {Name: "y", Type: definition.Integer}}})
	release := func(regions ...string) *analysis.Tried {
		var who []analysis.Contributor
		for i := range 8 {
			c := analysis.Contributor{Name: fmt.Sprint("p", i), Organisation: fmt.Sprint("p", i)}
			for _, region := range regions {
				c.Rows = append(c.Rows, query.Row{Key: []query.Value{{Type: query.Text, Text: region}}, Values: []query.Number{{Present: true, Fixed: 100 + 50*int64(i)}, {Present: true, Fixed: 20}}})
			}
			who = append(who, c)
		}
		tried, err := trial.Release(who)
		if err != nil || tried.Withheld != "" {
			t.Fatalf("release of %v: %v, %v", regions, tried, err)
		}
		return tried
	}
	release("a", "b", "c")
	if u := release("a", "c").Utility[0]; u.Cells != 2 || u.Shown != 2 {
		t.Errorf("without b: %+v, want both of 2 cells", u)
	}
}
