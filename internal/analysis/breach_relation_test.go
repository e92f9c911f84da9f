package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
)

// world has several analyses of the sales dataset.
type world struct {
	*bench
	t *testing.T
}

// row is City,Sold,Price,Quantity,Discount,One.
func (w world) file(n int, list ...string) {
	text := "Date,ClientID,City,Sold,Price,Quantity,Discount,One\n"
	for _, r := range list {
		text += fmt.Sprintf("20220923,%06d,%s\n", n+1, r)
	}
	w.send(w.t, n, text)
	w.turn(w.t, w.idle(w.t))
}

func (w world) accept(name string, tenants ...int) {
	for _, n := range tenants {
		_, err := w.Decide(w.t.Context(), w.scope(w.t, n), name, 0, analysis.Accepted)
		check(w.t, err)
	}
}

func (w world) begin(name string) analysis.Run {
	runs, err := w.UnscopedStart(w.t.Context(), "usr_admin", []string{name}, date, nil)
	check(w.t, err)
	w.turn(w.t, w.idle(w.t))
	r, err := w.UnscopedRun(w.t.Context(), runs[0].ID)
	check(w.t, err)
	return r
}

func (w world) define(name, rest string) {
	w.apply(w.t, salesDataset, "analysis: "+name+"\ndatasets: [tagged-values]\n"+rest)
}

// value is what tenant n sees of a measure in a city in its newest result.
func (w world) value(n int, column, city string) string {
	lines := w.table(w.t, n)
	at := -1
	for i, name := range lines[0] {
		if name == column {
			at = i
		}
	}
	for _, l := range lines[1:] {
		if city == "" || l[1] == city {
			return l[at]
		}
	}
	return ""
}

// What the first analysis shows of six, the second shows of seven; nothing relates the two.
func TestBreachUnrelatedMeasures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, second, contract string }{
		"mean of own means, then sum": {
			"groups: [City]\nmeasures: [{name: A, function: mean, own: mean, column: Price, decimals: 2}]\n",
			"groups: [City]\nmeasures: [{name: B, function: sum, column: Price, decimals: 2}]\n", ""},
		"sum, then mean of own means": {
			"groups: [City]\nmeasures: [{name: A, function: sum, column: Price, decimals: 2}]\n",
			"groups: [City]\nmeasures: [{name: B, function: mean, own: mean, column: Price, decimals: 2}]\n", ""},
		"rows, then values": {
			"groups: [City]\nmeasures: [{name: A, function: count}]\n",
			"groups: [City]\nmeasures: [{name: B, function: count, column: Price}]\n", ""},
		"by city, then in all": {
			"groups: [City]\nmeasures: [{name: A, function: count}]\n",
			"measures: [{name: B, function: count, column: Quantity}]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				w := world{b, t}
				w.define("first", c.first)
				w.define("second", c.second)
				send := func(n int) {
					count := strings.Contains(c.first, "count")
					var list []string
					for range 10 + n {
						list = append(list, fmt.Sprintf("Bonn,2022-09-01,%d,2,%d,1", 100+3*n, 10+n))
						if !count {
							break
						}
					}
					w.file(n, list...)
				}
				for n := range 6 {
					w.join(t, fmt.Sprint("Org ", n))
					w.accept("first", n)
					w.accept("second", n)
					send(n)
				}
				r := w.begin("first")
				t.Log("first:", r.State, r.Reason, "A =", w.value(0, "A", "Bonn"))
				w.join(t, "Org late")
				w.accept("second", 6)
				send(6)
				r = w.begin("second")
				if r.State != analysis.RunSucceeded {
					t.Skip("no breach: ", r.State, r.Reason)
				}
				t.Errorf("BREACH: %s; B = %s (late: price 118, 16 rows)", r.Reason, w.value(0, "B", ""))
			})
		})
	}
}
