package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
)

// The newest contract has no Discount any more, so what the first analysis derived is not
// found, and nothing relates it to Price.
func TestBreachColumnThatIsGone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("first", "derived:\n  - {name: less, expression: Price - Discount}\ngroups: [City]\nmeasures: [{name: Less, function: sum, column: less, decimals: 2}]\n")
		w.define("second", cityPrice)
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("first", n)
			w.accept("second", n)
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		r := w.begin("first")
		t.Log("first:", r.State, r.Reason, w.value(0, "Less", "Bonn"))
		_, _, err := w.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(strings.Replace(salesDataset, "  - {name: Discount, type: decimal, scale: 2, required: true}\n", "", 1)))
		check(t, err)
		w.join(t, "Org late")
		w.accept("second", 6)
		w.send(t, 6, fmt.Sprintf("Date,ClientID,City,Sold,Price,Quantity,One\n20220923,%06d,Bonn,2022-09-01,118,2,1\n", 7))
		w.turn(t, w.idle(t))
		r = w.begin("second")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: Price - Less (124 here) bounds the late one's 118 from above: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
	})
}
