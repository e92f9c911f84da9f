package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
)

// Quantiles of one column have to be 20 apart within a definition; two analyses, or two
// versions of one, give any two.
func TestBreachQuantilesOfTwoAnalyses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		for _, q := range []int{60, 65} {
			w.define(fmt.Sprint("q-", q), fmt.Sprintf("groups: [City]\nmeasures: [{name: Q, function: quantile, quantile: %d, column: Price, decimals: 2}]\n", q))
		}
		values := []int{100, 200, 400, 700, 1100, 1600, 2300, 3100, 4000, 5200, 6700, 8000} // tenant 5 is the attacker
		for n, v := range values {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("q-60", n)
			w.accept("q-65", n)
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", v))
		}
		var q [2]float64
		for i, name := range []string{"q-60", "q-65"} {
			r := w.begin(name)
			if r.State != analysis.RunSucceeded {
				t.Skip("no breach: ", r.State, r.Reason)
			}
			fmt.Sscan(w.value(5, "Q", "Bonn"), &q[i])
		}
		t.Errorf("BREACH: the value three ranks above the attacker's 1600 is %.2f (4000): %v", 3*(q[1]-q[0])+1600, q)
	})
}

// Versions: a mean of means of six, then a sum of seven.
func TestBreachVersionOfAnotherKind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("one", "groups: [City]\nmeasures: [{name: A, function: mean, own: mean, column: Price, decimals: 2}]\n")
		join := func(n int) {
			w.join(t, fmt.Sprint("Org ", n))
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		for n := range 6 {
			join(n)
			w.accept("one", n)
		}
		w.begin("one")
		a := w.value(0, "A", "Bonn")
		w.define("one", cityPrice)
		join(6)
		w.accept("one", 0, 1, 2, 3, 4, 5, 6)
		if r := w.begin("one"); r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: %s - 6 * %s is the late one's 118", w.value(0, "Price", "Bonn"), a)
	})
}
