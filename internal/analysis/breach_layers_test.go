package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/query"
)

// One participant changes its values from release to release so that they are in more
// than 64 combinations of releases: nothing more is released of the date.
func TestDenialByLayers(t *testing.T) {
	d, err := definition.Parse([]byte("analysis: trial\ndatasets: [d]\ngroups: [region]\ntotals: [[region]]\nmeasures: [{name: m, function: sum, column: x, decimals: 0}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	trial := analysis.NewTrial(d, map[string]definition.Columns{"d": {{Name: "region", Type: definition.Text}, {Name: "x", Type: definition.Integer}}})
	for release := range 9 {
		var who []analysis.Contributor
		for i := range 8 {
			c := analysis.Contributor{Name: fmt.Sprint("p", i), Organisation: fmt.Sprint("p", i)}
			for r := range 128 {
				v := int64(100 + i)
				if i == 7 && r>>release&1 == 1 {
					v += 1
				}
				c.Rows = append(c.Rows, query.Row{Key: []query.Value{{Type: query.Text, Text: fmt.Sprint("r", r)}}, Values: []query.Number{{Present: true, Fixed: v}}})
			}
			who = append(who, c)
		}
		tried, err := trial.Release(who)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(release+1, tried.Withheld, tried.Reasons)
	}
}
