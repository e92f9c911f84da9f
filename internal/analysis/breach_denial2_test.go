package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/query"
)

// One participant has cells that no other has; the first release of all is withheld.
func TestDenialByACellOfOnesOwn(t *testing.T) {
	text := definition.Text
	columns := map[string]definition.Columns{"d": {{Name: "region", Type: text}, {Name: "product", Type: text}, {Name: "x", Type: definition.Integer}}}
	for _, shape := range []string{"groups: [region]\ntotals: [[region]]", "groups: [region, product]\ntotals: [[region, product]]", "groups: [region, product]\ntotals: [[region], [product]]"} {
		for name, own := range map[string][][3]string{
			"nothing":                {},
			"one cell":               {{"x", "y", "5"}},
			"one cell of 0":          {{"x", "y", "0"}},
			"two of a region":        {{"x", "y", "5"}, {"x", "z", "7"}},
			"two regions":            {{"x", "p1", "5"}, {"z", "p1", "5"}},
			"region and product":     {{"x", "p1", "5"}, {"r1", "y", "5"}},
			"a product of one's own": {{"r1", "y", "5"}},
			"two apart":              {{"x1", "y1", "5"}, {"x2", "y2", "5"}},
			"three apart":            {{"x1", "y1", "5"}, {"x2", "y2", "5"}, {"x3", "y3", "5"}},
			"all of one":             {{"x1", "y1", "5000000"}},
		} {
			d, err := definition.Parse([]byte("analysis: trial\ndatasets: [d]\n" + shape + "\nmeasures: [{name: m, function: sum, column: x, decimals: 0}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			trial := analysis.NewTrial(d, columns)
			var who []analysis.Contributor
			for i := range 8 {
				c := analysis.Contributor{Name: fmt.Sprint("p", i), Organisation: fmt.Sprint("p", i)}
				seen := map[string]bool{}
				cell := func(region, product string, v int64) {
					key := []query.Value{{Type: query.Text, Text: region}}
					if len(d.Groups) > 1 {
						key = append(key, query.Value{Type: query.Text, Text: product})
					}
					if id := fmt.Sprint(key); !seen[id] {
						seen[id] = true
						c.Rows = append(c.Rows, query.Row{Key: key, Values: []query.Number{{Present: true, Fixed: v}}})
					}
				}
				for r := range 4 {
					for p := range 4 {
						cell(fmt.Sprint("r", r), fmt.Sprint("p", p), 100+int64(i))
					}
				}
				if i == 7 {
					for _, o := range own {
						var v int64
						fmt.Sscan(o[2], &v)
						cell(o[0], o[1], v)
					}
				}
				who = append(who, c)
			}
			tried, err := trial.Release(who)
			if err != nil {
				t.Fatal(err)
			}
			if tried.Withheld != "" {
				t.Errorf("%q %s: %s", shape, name, tried.Withheld)
			} else {
				t.Logf("%q %s: %v", shape, name, tried.Reasons)
			}
		}
	}
}
