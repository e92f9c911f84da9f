package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/query"
)

// One participant's cities do not end the run for all.
func TestCellsOfOnesOwnEndNoRun(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("one", cityPrice+"limits: {cells: 100}\n")
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("one", n)
			list := []string{"Bonn,2022-09-01,100,2,1,1"}
			for i := range 100 {
				if n == 5 {
					list = append(list, fmt.Sprintf("City %d,2022-09-01,100,2,1,1", i))
				}
			}
			w.file(n, list...)
		}
		if r := w.begin("one"); r.State != analysis.RunSucceeded || w.value(0, "Price", "Bonn") != "600.00" {
			t.Errorf("%s: %s", r.State, r.Reason)
		}
	})
}

// One participant's cells of its own in a table with totals hide nothing more from the
// others than a few cells, however many they are.
func TestManyCellsOfOnesOwnBesideTotals(t *testing.T) {
	t.Parallel()
	text := definition.Text
	for _, shape := range []string{"groups: [region]\ntotals: [[region]]", "groups: [region, product]\ntotals: [[region, product]]", "groups: [region, product]\ntotals: [[region], [product]]"} {
		for _, many := range []int{5, 10, 20, 40, 80, 160, 320, 2000} {
			d, err := definition.Parse([]byte("analysis: trial\ndatasets: [d]\n" + shape + "\nmeasures: [{name: m, function: sum, column: x, decimals: 0}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			trial := analysis.NewTrial(d, map[string]definition.Columns{"d": {{Name: "region", Type: text}, {Name: "product", Type: text}, {Name: "x", Type: definition.Integer}}})
			var who []analysis.Contributor
			for i := range 8 {
				c := analysis.Contributor{Name: fmt.Sprint("p", i), Organisation: fmt.Sprint("p", i)}
				seen := map[string]bool{}
				cell := func(region, product string, v int64) {
					key := []query.Value{{Type: query.Text, Text: region}, {Type: query.Text, Text: product}}[:len(d.Groups)]
					if id := fmt.Sprint(key); !seen[id] {
						seen[id] = true
						c.Rows = append(c.Rows, query.Row{Key: key, Values: []query.Number{{Present: true, Fixed: v}}})
					}
				}
				for r := range 20 {
					for p := range 20 {
						cell(fmt.Sprint("r", r), fmt.Sprint("p", p), 100+int64(i))
					}
				}
				if i == 7 {
					for n := range many {
						cell(fmt.Sprint("x", n), fmt.Sprint("y", n%200), 5)
					}
				}
				who = append(who, c)
			}
			tried, err := trial.Release(who)
			if err != nil {
				t.Fatal(err)
			}
			if tried.Withheld != "" || tried.Reasons["secondary"] > 16 {
				t.Errorf("%q with %d: %s %v", shape, many, tried.Withheld, tried.Reasons)
			}
		}
	}
}

// A cell that one participant alone has does not stop a release.
func TestACellOfOnesOwnBesideTotals(t *testing.T) {
	t.Parallel()
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
			}
		}
	}
}
