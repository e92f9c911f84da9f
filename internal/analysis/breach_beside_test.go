package analysis_test

import (
	"fmt"
	"testing"

	"tributary/internal/analysis"
)

const lax = "rules: {min_contributors: 2, p_percent: 0, dominance: off}\nquorum: 2\n"
const cityPrice = "groups: [City]\nmeasures: [{name: Price, function: sum, column: Price, decimals: 2}]\n"

// The difference of two analyses is judged by the rules of the later one alone. Tenant 6
// has accepted nothing but the first, under the default rules.
func TestBreachRulesOfTheOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
		r := w.begin("strict")
		t.Log("strict:", r.State, r.Reason, w.value(0, "Price", "Bonn"))
		w.file(0, "Bonn,2022-09-01,107,2,1,1") // the attacker was 100
		r = w.begin("lax")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: tenant 0 has strict less lax = tenant 6's price + 100 - 107: %s; victim 118; lax %s", r.Reason, w.value(0, "Price", "Bonn"))
	})
}

// Two analyses of different tenants are not compared with each other, though both were
// with a third one. Tenants 0 and 6 are of one organisation.
func TestBreachOfOthersAltogether(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
			r := w.begin(name)
			t.Log(name, r.State, r.Reason, w.value(0, "Price", "Bonn"))
		}
		r := w.begin("right")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: all - left - right is tenant 12's price (136): right = %s", w.value(6, "Price", "Bonn"))
	})
}

// Two sums of a column that differ in their decimals are two parts with one digest: what
// is hidden of the one is taken to have been hidden of the other.
func TestBreachDigestWithoutScale(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
			w.turn(t, w.idle(t))
		}
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("both", n)
			send(n)
		}
		r := w.begin("both")
		t.Log(r.State, r.Reason, w.value(0, "Price", "Bonn"))
		w.join(t, "Org late")
		w.accept("both", 6)
		send(6)
		r = w.begin("both")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: the late one's 1180000 is the difference: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
	})
}

// Two sums are compared if they have any part in common, though the other parts of them
// are not: price is what it was, and of the discount nothing is compared.
func TestBreachOnePartInCommon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
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
		r := w.begin("first")
		t.Log("first:", r.State, r.Reason, w.value(0, "Less", "Bonn"), w.value(0, "Never", "Bonn"))
		w.file(3, price(3, 137))
		again := w.begin("first")
		t.Log("first again:", again.State, again.Reason)
		r = w.begin("second")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: %s Twice = %s", r.Reason, w.value(0, "Twice", "Bonn"))
	})
}

// A column that is added to the contract with the name of what another analysis derives.
func TestBreachNameOfADerivedColumn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		w := world{b, t}
		w.define("first", "derived:\n  - {name: twice, expression: Price * 2}\ngroups: [City]\nmeasures: [{name: Twice, function: sum, column: twice, decimals: 2}]\n")
		w.define("second", cityPrice)
		for n := range 6 {
			w.join(t, fmt.Sprint("Org ", n))
			w.accept("first", n)
			w.accept("second", n)
			w.file(n, fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+3*n))
		}
		r := w.begin("first")
		t.Log("first:", r.State, r.Reason, w.value(0, "Twice", "Bonn"))
		_, _, err := w.exchange.UnscopedApplyDataset(t.Context(), "usr_admin", []byte(salesDataset[:len(salesDataset)-len("file_name: \"input-{date}-{participant}-000001.csv\"\n")]+
			"  - {name: twice, type: decimal, scale: 2}\nfile_name: \"input-{date}-{participant}-000001.csv\"\n"))
		check(t, err)
		w.join(t, "Org late")
		w.accept("second", 6)
		w.send(t, 6, fmt.Sprintf("Date,ClientID,City,Sold,Price,Quantity,Discount,One,twice\n20220923,%06d,Bonn,2022-09-01,118,2,1,1,\n", 7))
		w.turn(t, w.idle(t))
		r = w.begin("second")
		if r.State != analysis.RunSucceeded {
			t.Skip("no breach: ", r.State, r.Reason)
		}
		t.Errorf("BREACH: the late one's 118 is Price - Twice/2: %s %s", r.Reason, w.value(0, "Price", "Bonn"))
	})
}
