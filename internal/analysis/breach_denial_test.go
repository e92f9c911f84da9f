package analysis_test

import (
	"fmt"
	"testing"
	"time"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/query"
)

// One participant's cities end the run for all.
func TestDenialByCells(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
		r := w.begin("one")
		t.Logf("%s: %s", r.State, r.Reason)
	})
}

// One participant has cells of its own in a table with totals: nothing is released to anybody.
func TestDenialByPrimaries(t *testing.T) {
	text := definition.Text
	for _, shape := range []string{"groups: [region]\ntotals: [[region]]", "groups: [region, product]\ntotals: [[region, product]]", "groups: [region, product]\ntotals: [[region], [product]]"} {
		for _, many := range []int{5, 10, 20, 40, 80, 160, 320, 640, 2000, 10000} {
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
			began := time.Now()
			tried, err := trial.Release(who)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%q %d: %s %v %s", shape, many, tried.Withheld, tried.Reasons, time.Since(began))
			if time.Since(began) > 60*time.Second {
				break
			}
		}
	}
}
