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
}

func (w world) accept(name string, tenants ...int) {
	for _, n := range tenants {
		_, err := w.Decide(w.t.Context(), w.scope(w.t, n), name, 0, analysis.Accepted)
		check(w.t, err)
	}
}

// begin runs an analysis on what was sent.
func (w world) begin(name string) analysis.Run {
	w.turn(w.t, w.idle(w.t))
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

// What the first analysis shows of six, the second would show of seven.
func TestMeasuresOfTheSameValuesAreRelated(t *testing.T) {
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
			onSQLite(t, func(t *testing.T, b *bench) {
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
				w.begin("first")
				w.join(t, "Org late")
				w.accept("second", 6)
				send(6)
				r := w.begin("second")
				if r.State != analysis.RunWithheld {
					t.Errorf("%s; B = %s (late: price 118, 16 rows)", r.Reason, w.value(0, "B", ""))
				}
			})
		})
	}
}

const lax = "rules: {min_contributors: 2, p_percent: 0, dominance: off}\nquorum: 2\n"
const cityPrice = "groups: [City]\nmeasures: [{name: Price, function: sum, column: Price, decimals: 2}]\n"

// The difference of two analyses has to keep the rules of both: tenant 6 has accepted
// nothing but the first.
func TestTheStricterRulesHoldForADifference(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("strict", cityPrice)
		w.define("lax", cityPrice+lax)
		price := func(n int) string { return fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n) }
		for n := range 7 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("strict", n)
			if n < 6 {
				w.accept("lax", n)
			}
			w.file(n, price(n))
		}
		w.begin("strict")
		w.file(0, "Bonn,2022-09-01,107,2,1,1") // the attacker was 100
		r := w.begin("lax")
		if r.State != analysis.RunWithheld {
			t.Errorf("tenant 0 has strict less lax = tenant 6's price + 100 - 107: %s; victim 118; lax %s", r.Reason, w.value(0, "Price", "Bonn"))
		}
	})
}

// Two analyses of different tenants have to do with each other if a third has both in it.
// Tenants 0 and 6 are of one organisation.
func TestReleasesOfOtherTenantsCountIfAThirdHasBoth(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		for _, name := range []string{"all", "left", "right"} {
			w.define(name, cityPrice)
		}
		for n := range 13 {
			organisation := fmt.Sprint("Org ", n)
			if n == 6 {
				organisation = "Org 0"
			}
			w.join(t, organisation)
			w.accept("all", n)
			switch {
			case n < 6:
				w.accept("left", n)
			case n < 12:
				w.accept("right", n)
			}
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		for _, name := range []string{"all", "left"} {
			w.begin(name)
		}
		r := w.begin("right")
		if r.State != analysis.RunWithheld {
			t.Errorf("all - left - right is tenant 12's price (136): right = %s", w.value(6, "Price", "Bonn"))
		}
	})
}

// Two sums of a column that differ in their decimals are two parts: what is too large to be
// written of the one was shown of the other.
func TestWhatIsHiddenOfOneMeasureIsNotOfAnother(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		const dataset = `
dataset: tagged-values
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: City, type: text, required: true, max_length: 64}
  - {name: Price, type: float, required: true}
file_name: "input-{date}-{participant}-000001.csv"
`
		w.apply(t, dataset, `
analysis: both
datasets: [tagged-values]
groups: [City]
measures:
  - {name: Price, function: sum, column: Price, decimals: 2}
  - {name: Fine, function: sum, column: Price, decimals: 9}
`)
		send := func(n int) {
			w.send(t, n, fmt.Sprintf("Date,ClientID,City,Price\n20220923,%06d,Bonn,%d\n", n+1, 1_000_000+30_000*n))
		}
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("both", n)
			send(n)
		}
		w.begin("both")
		w.join(t, "Org late")
		w.accept("both", 6)
		send(6)
		r := w.begin("both")
		if r.State != analysis.RunWithheld {
			t.Errorf("the late one's 1180000 is the difference: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
		}
	})
}

// Two sums with a part in common tell of their other parts: price is what it was, and the
// discount could be computed.
func TestOnePartInCommonIsNotEnough(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("first", "derived:\n  - {name: less, expression: Price - Discount}\n  - {name: never, expression: Price - Discount * 3}\ngroups: [City]\nmeasures: [{name: Less, function: sum, column: less, decimals: 2}, {name: Never, function: sum, column: never, decimals: 2}]\n")
		w.define("second", "derived:\n  - {name: twice, expression: Price - Discount * 2}\ngroups: [City]\nmeasures: [{name: Twice, function: sum, column: twice, decimals: 2}]\n")
		price := func(n, discount int) string {
			return fmt.Sprintf("Bonn,2022-09-01,%d,2,%d,1", 1000+3*n, discount)
		}
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("first", n)
			w.accept("second", n)
			discount := 100 + n
			if n == 3 {
				discount = 0 // not known yet
			}
			w.file(n, price(n, discount))
		}
		w.begin("first")
		w.file(3, price(3, 137))
		w.begin("first")
		r := w.begin("second")
		if r.State != analysis.RunWithheld {
			t.Errorf("%s Twice = %s", r.Reason, w.value(0, "Twice", "Bonn"))
		}
	})
}

// A column that is added to the contract with the name of what another analysis derives.
func TestANewColumnWithTheNameOfADerivedOne(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("first", "derived:\n  - {name: twice, expression: Price * 2}\ngroups: [City]\nmeasures: [{name: Twice, function: sum, column: twice, decimals: 2}]\n")
		w.define("second", cityPrice)
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("first", n)
			w.accept("second", n)
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		w.begin("first")
		_, _, err := w.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(salesDataset[:len(salesDataset)-len("file_name: \"input-{date}-{participant}-000001.csv\"\n")]+
			"  - {name: twice, type: decimal, scale: 2}\nfile_name: \"input-{date}-{participant}-000001.csv\"\n"))
		check(t, err)
		w.join(t, "Org late")
		w.accept("second", 6)
		w.send(t, 6, fmt.Sprintf("Date,ClientID,City,Sold,Price,Quantity,Discount,One,twice\n20220923,%06d,Bonn,2022-09-01,118,2,1,1,\n", 7))
		w.turn(t, w.idle(t))
		r := w.begin("second")
		if r.State != analysis.RunWithheld {
			t.Errorf("the late one's 118 is Price - Twice/2: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
		}
	})
}

// The newest contract has no Discount any more, so what the first analysis derived is not
// found; it says something of Price all the same.
func TestAColumnThatIsGoneStillCounts(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("first", "derived:\n  - {name: less, expression: Price - Discount}\ngroups: [City]\nmeasures: [{name: Less, function: sum, column: less, decimals: 2}]\n")
		w.define("second", cityPrice)
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("first", n)
			w.accept("second", n)
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		w.begin("first")
		_, _, err := w.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(strings.Replace(salesDataset, "  - {name: Discount, type: decimal, scale: 2, required: true}\n", "", 1)))
		check(t, err)
		w.join(t, "Org late")
		w.accept("second", 6)
		w.send(t, 6, fmt.Sprintf("Date,ClientID,City,Sold,Price,Quantity,One\n20220923,%06d,Bonn,2022-09-01,118,2,1\n", 7))
		w.turn(t, w.idle(t))
		r := w.begin("second")
		if r.State != analysis.RunWithheld {
			t.Errorf("Price - Less (124 here) bounds the late one's 118 from above: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
		}
	})
}

// Quantiles of one column have to be 20 apart within a definition; two analyses, or two
// versions of one, give any two.
func TestQuantilesOfTwoAnalysesAreKeptApart(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
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
				if i == 1 && r.State == analysis.RunWithheld {
					return
				}
				t.Fatalf("%s: %s (%s)", name, r.State, r.Reason)
			}
			fmt.Sscan(w.value(5, "Q", "Bonn"), &q[i])
		}
		t.Errorf("the value three ranks above the attacker's 1600 is %.2f (4000): %v", 3*(q[1]-q[0])+1600, q)
	})
}

// Versions: a mean of means of six, then a sum of seven.
func TestAVersionOfAnotherKindIsNoWayAround(t *testing.T) {
	t.Parallel()
	onSQLite(t, func(t *testing.T, b *bench) {
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
		if r := w.begin("one"); r.State != analysis.RunWithheld {
			t.Errorf("%s - 6 * %s is the late one's 118", w.value(0, "Price", "Bonn"), a)
		}
	})
}
