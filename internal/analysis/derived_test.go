package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/analysis/definition"
	"tributary/internal/fault"
	"tributary/internal/query"
)

const salesDataset = `
dataset: tagged-values
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: City, type: text, required: true, max_length: 64}
  - {name: Sold, type: date, required: true}
  - {name: Price, type: decimal, scale: 2}
  - {name: Quantity, type: integer, required: true}
  - {name: Discount, type: decimal, scale: 2, required: true}
  - {name: One, type: integer, required: true}
file_name: "input-{date}-{participant}-000001.csv"
`

// sales sends what values says, by six organisations: rows of
// City,Sold,Price,Quantity,Discount,One.
func (b *bench) sales(t *testing.T, text string, values func(n int) []string) {
	t.Helper()
	b.apply(t, salesDataset, text)
	for n := range 6 {
		b.join(t, fmt.Sprint("Org ", n))
		b.decide(t, analysis.Accepted, n)
		file := "Date,ClientID,City,Sold,Price,Quantity,Discount,One\n"
		for _, r := range values(n) {
			file += fmt.Sprintf("20220923,%06d,%s\n", n+1, r)
		}
		b.send(t, n, file)
	}
	b.turn(t, b.idle(t))
}

const derivedAnalysis = `
analysis: cross-participant-mean
datasets: [tagged-values]
derived:
  - {name: place, expression: "lower(trim(City))"}
  - {name: month, expression: "month(Sold)"}
  - {name: revenue, expression: "Price * Quantity * 1.19", decimals: 4}
  - {name: net, expression: "Price * Quantity - Discount"}
  - {name: unit, expression: "Discount / Quantity", decimals: 3}
groups: [place, month]
measures:
  - {name: Revenue, function: sum, column: revenue, decimals: 4}
  - {name: MeanRevenue, function: mean, column: revenue, decimals: 2}
  - {name: Net, function: sum, column: net, decimals: 2}
  - {name: Unit, function: sum, column: unit, decimals: 3}
  - {name: Share, function: ratio, column: revenue, of: Quantity, decimals: 4}
  - {name: Price, function: weighted_mean, column: Price, weight: Quantity, decimals: 3}
`

// Every derived column and weighted mean gives the number that its words say, to
// recipients as their own as well.
func TestDerivedColumnsAndWeightedMeans(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.sales(t, derivedAnalysis, func(n int) []string {
			return []string{
				fmt.Sprintf("Bern ,2022-09-0%d,%d.50,%d,1.00,1", n+1, n+1, n+2),
				fmt.Sprintf(" bErn,2022-09-30,,%d,1.00,1", 1000), // no price
				fmt.Sprintf("BERN,2022-09-30,%d.00,0,%d.00,1", n+1, n+3),
			}
		})
		b.run(t, analysis.RunSucceeded)
		lines := b.table(t, 1)
		// Price * Quantity of the first rows: 3.00 7.50 14.00 22.50 33.00 45.50, in all 125.50;
		// quantities of rows with a price 2+3+...+7 = 27; discounts of these rows 6 and 3+4+...+8 = 33.
		want := [][]string{
			{"Date", "place", "month", "Revenue", "MeanRevenue", "Net", "Unit", "Share", "Price", "YourId", "YourRevenue", "YourMeanRevenue", "YourNet", "YourUnit", "YourShare", "YourPrice"},
			// Unit: 1/2+1/3+...+1/7, each rounded: .500 .333 .250 .200 .167 .143, and .001 six times.
			{"2022-09-23", "bern", "9", "149.3450", "24.89", "86.50", "1.599", "0.0248", "4.648", "000002", "8.9250", "8.93", "2.50", "0.334", "0.0089", "2.500"},
		}
		if fmt.Sprint(lines) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", lines, want)
		}
	})
}

// A constant that participants send cannot pad a value either: a sum is judged on each
// of its terms, whatever is added to them.
func TestAConstantInTheDataDoesNotPad(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.sales(t, `
analysis: cross-participant-mean
datasets: [tagged-values]
derived:
  - {name: padded, expression: "Discount + 1000000 * One"}
  - {name: plain, expression: "Quantity + 1000000 * One"}
measures:
  - {name: Padded, function: mean, column: padded, decimals: 2}
  - {name: Plain, function: mean, column: plain, decimals: 2}
  - {name: Share, function: ratio, column: padded, of: Quantity, decimals: 2}
`, func(n int) []string {
			discount := "0.01"
			if n == 2 {
				discount = "137.25" // the one that matters
			}
			return []string{"Bern,2022-09-01,1.00,7," + discount + ",1"}
		})
		r := b.run(t, analysis.RunSucceeded)
		lines := b.table(t, 0)
		if got, want := strings.Join(lines[1][1:4], "|"), "|1000007.00|"; got != want {
			t.Errorf("padded, plain, share = %s, want %s: %v", got, want, r.Reason)
		}
		if !strings.Contains(r.Reason, "dominance") && !strings.Contains(r.Reason, "p-percent") {
			t.Errorf("reason: %s", r.Reason)
		}
	})
}

// What is hidden of a column is not shown of one that has a little beside it, or of a
// multiple.
func TestDerivedSumsAreHiddenTogether(t *testing.T) {
	t.Parallel()
	text := `
analysis: together
datasets: [d]
derived:
  - {name: twice, expression: "x * 2"}
  - {name: more, expression: "x + 0.001 * y"}
groups: [a, b]
totals: [[a, b]]
measures:
  - {name: X, function: sum, column: x, decimals: 0}
  - {name: Y, function: sum, column: y, decimals: 0}
  - {name: Twice, function: sum, column: twice, decimals: 0}
  - {name: More, function: sum, column: more, decimals: 3}
`
	d, err := definition.Parse([]byte(text))
	check(t, err)
	columns := map[string]definition.Columns{"d": {{Name: "a", Type: definition.Text}, {Name: "b", Type: definition.Text}, {Name: "x", Type: definition.Integer, Required: true}, {Name: "y", Type: definition.Integer, Required: true}}}
	check(t, definition.Check(d, columns))
	trial := analysis.NewTrial(d, columns)
	parts := trial.Parts()
	if len(parts) != 5 { // x, y, twice, more, y / 1000; the term x is x
		t.Fatalf("parts: %+v", parts)
	}
	var contributors []analysis.Contributor
	for n := range int64(8) {
		c := analysis.Contributor{Name: fmt.Sprint("t", n), Organisation: fmt.Sprint("o", n)}
		for i, b := range []string{"p", "q", "r", "s"} {
			x, y := 100+n, 10+int64(i)*n
			if b == "q" && n == 3 {
				x = 90_000
			}
			r := query.Row{Key: []query.Value{query.TextOf("k"), query.TextOf(b)}, Count: 1}
			for _, v := range []int64{x, y, 2 * x, 1000*x + y, y} {
				r.Values = append(r.Values, query.Number{Present: true, Fixed: v})
			}
			c.Rows = append(c.Rows, r)
		}
		contributors = append(contributors, c)
	}
	tried, err := trial.Release(contributors)
	check(t, err)
	for _, u := range tried.Utility {
		if u.Shown != tried.Utility[0].Shown || u.Shown == u.Cells || u.Shown == 0 {
			t.Errorf("cells shown: %+v", tried.Utility)
		}
	}
}

// A run asks of the contract that is in force: what does not fit is refused when the
// definition is applied, with the line.
func TestDerivedColumnsAreCheckedAgainstContracts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, salesDataset, derivedAnalysis)
		for _, expression := range []string{"ClientID * 2", "lower(ClientID)", "Price * Cost", "City * 2"} {
			text := strings.Replace(derivedAnalysis, "lower(trim(City))", expression, 1)
			if expression != "lower(ClientID)" {
				text = strings.Replace(derivedAnalysis, "Price * Quantity - Discount", expression, 1)
			}
			if _, _, err := b.UnscopedApply(t.Context(), "usr_admin", []byte(text)); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "].expression: ") {
				t.Errorf("%s: %v", expression, err)
			}
		}
	})
}
