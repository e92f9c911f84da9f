package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
)

// Nobody has left: tenant 0 has corrected its file twice, each time a release was made.
func TestBugTwoCorrectionsEndADate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
				t.Errorf("BUG: run %d: %s: %s", n+1, r.State, r.Reason)
			}
		}
	})
}
