package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
)

// However many releases lie between two, the later is judged beside the earlier. Between
// the two of "few" (tenants 0 to 9, later 16) are nine of "many" (0 to 15) in which nothing
// of Bonn changes.
func TestALongAgoReleaseIsNotForgotten(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("few", cityPrice)
		w.define("many", cityPrice)
		for n := range 17 {
			w.join(t, fmt.Sprint("Org ", n))
			if n < 10 || n == 16 {
				w.accept("few", n)
			}
			if n < 16 {
				w.accept("many", n)
			}
		}
		bonn := func(n int) string { return fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n) }
		for n := range 16 {
			w.file(n, bonn(n))
		}
		w.begin("few")
		for n := range 9 { // each corrects once what it has elsewhere
			w.file(n+1, bonn(n+1), fmt.Sprintf("Trier,2022-09-01,%d,2,1,1", 100+n))
			w.begin("many")
		}
		w.file(0, "Bonn,2022-09-01,107,2,1,1") // 100 before
		w.file(16, bonn(16))
		r := w.begin("few")
		if r.State != analysis.RunWithheld {
			t.Errorf("tenant 16 has the difference of the two releases of few, less 7 (148): %s %s", r.Reason, w.value(0, "Price", "Bonn"))
		}
	})
}

// By which of its own values a cell begins to be shown would tell a participant how much of
// it another has, since the largest two of all may have 85 %.
func TestACellCannotBeTriedUntilItIsShown(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("one", "groups: [City]\nmeasures: [{name: Price, function: sum, column: Price, decimals: 2}]\n")
		others := []int{0, 500, 100, 100, 100, 100} // tenant 1 is the victim
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("one", n)
			if n > 0 {
				w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", others[n]))
			}
		}
		for own := 6000.0; own > 1000; own *= 0.7 {
			w.file(0, fmt.Sprintf("Bonn,2022-09-01,%.2f,2,1,1", own))
			if r := w.begin("one"); r.State != analysis.RunWithheld {
				t.Errorf("with %.2f: %s (%s), %s", own, r.State, r.Reason, w.value(0, "Price", "Bonn"))
			}
		}
		for n := range 5 { // when as many as a cell needs have sent something else it is judged anew
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+n))
		}
		if r := w.begin("one"); r.State != analysis.RunSucceeded {
			t.Errorf("when most have corrected theirs: %s (%s)", r.State, r.Reason)
		}
	})
}

// Nobody has left: tenant 0 has corrected its file twice, each time a release was made.
func TestSeveralCorrectionsOfADate(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("one", cityPrice)
		bonn := func(n int) string { return fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n) }
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("one", n)
			w.file(n, bonn(n))
		}
		for n := range 3 {
			w.file(0, bonn(0), fmt.Sprintf("Trier,2022-09-01,%d,2,1,1", n)) // Bonn stays as it is
			if r := w.begin("one"); r.State != analysis.RunSucceeded {
				t.Errorf("run %d: %s: %s", n+1, r.State, r.Reason)
			}
		}
	})
}
