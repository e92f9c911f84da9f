package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
)

const prices = `
analysis: cross-participant-mean
datasets: [tagged-values]
groups: [City]
measures:
  - {name: Price, function: sum, column: Price, decimals: 0}
`

// Another analysis of the same columns does not get around the ledger: what it adds to
// what is known is judged as a further release of the first would be.
func TestAnotherAnalysisDoesNotGetAroundTheLedger(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(prices) }
	measure := "{name: Price, function: sum, column: Price, decimals: 0}"
	bonn := "filters:\n  - {dataset: tagged-values, column: City, equals: [Bonn]}\nmeasures:"
	for name, c := range map[string]struct {
		first, other string
		late         bool // one more takes part in the other
		left         bool // one takes part in the first alone
		state        analysis.RunState
		reason       string
	}{
		"the same":              {first: prices, other: prices, state: analysis.RunSucceeded},
		"one more":              {first: prices, other: prices, late: true, state: analysis.RunWithheld, reason: "difference"},
		"one less":              {first: prices, other: prices, left: true, state: analysis.RunWithheld, reason: "difference"},
		"other groups":          {first: prices, other: change("[City]", "[]"), state: analysis.RunWithheld, reason: "other groups, filters or totals"},
		"a filter":              {first: prices, other: change("measures:", bonn), state: analysis.RunWithheld, reason: "other groups, filters or totals"},
		"rows of other filters": {first: change("measures:", bonn), other: change("measures:", strings.Replace(bonn, "Bonn", "Trier", 1)), late: true, state: analysis.RunSucceeded},
		"another column":        {first: prices, other: change("column: Price", "column: Discount", "[City]", "[]"), late: true, state: analysis.RunSucceeded},
		"a multiple": {first: prices, other: change("column: Price", "column: twice", "groups:", "derived:\n  - {name: twice, expression: \"Price * 2\"}\ngroups:"),
			late: true, state: analysis.RunWithheld, reason: "other measures of the same columns"},
		"a sum with it": {first: prices, other: change("column: Price", "column: less", "groups:", "derived:\n  - {name: less, expression: \"Price - Discount\"}\ngroups:"),
			late: true, state: analysis.RunWithheld, reason: "difference"},
		"a ratio of it": {first: prices, other: change(measure, "{name: Each, function: ratio, column: Price, of: Quantity, decimals: 2}"),
			late: true, state: analysis.RunWithheld, reason: "difference"},
		"a median beside it": {first: prices, other: change(measure, "{name: Price, function: quantile, quantile: 50, column: Price, decimals: 0}"),
			state: analysis.RunWithheld, reason: "other measures of the same columns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, b *bench) {
				file := func(n int) string {
					text := "Date,ClientID,City,Sold,Price,Quantity,Discount,One\n"
					for _, city := range []string{"Bonn", "Trier"} {
						text += fmt.Sprintf("20220923,%06d,%s,2022-09-01,%d,2,%d,1\n", n+1, city, 100+n, 10+n)
					}
					return text
				}
				member := func(n int, of ...string) {
					for _, name := range of {
						_, err := b.Decide(t.Context(), b.scope(t, n), name, 0, analysis.Accepted)
						check(t, err)
					}
					b.send(t, n, file(n))
				}
				b.apply(t, salesDataset, c.first)
				b.apply(t, salesDataset, strings.Replace(c.other, "cross-participant-mean", "other", 1))
				for n := range 6 {
					b.join(t, fmt.Sprint("Org ", n))
					if member(n, "cross-participant-mean"); !c.left || n > 0 {
						_, err := b.Decide(t.Context(), b.scope(t, n), "other", 0, analysis.Accepted)
						check(t, err)
					}
				}
				b.turn(t, b.idle(t))
				b.run(t, analysis.RunSucceeded)
				if c.late {
					member(b.join(t, "Org late"), "other")
					b.turn(t, b.idle(t))
				}
				runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"other"}, date, nil)
				check(t, err)
				b.turn(t, b.idle(t))
				if r := b.want(t, runs[0].ID, c.state); !strings.Contains(r.Reason, c.reason) {
					t.Errorf("reason: %s", r.Reason)
				}
			})
		})
	}
}

// Files that another analysis had read are read again only while their tenants take part
// in that one.
func TestFilesOfWhoLeftTheOtherAnalysisAreNotReadAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.sales(t, prices, func(n int) []string { return []string{fmt.Sprintf("Bonn,2022-09-01,%d,2,1,1", 100+n)} })
		b.apply(t, salesDataset, strings.Replace(prices, "cross-participant-mean", "other", 1))
		for n := range 5 {
			_, err := b.Decide(t.Context(), b.scope(t, n), "other", 0, analysis.Accepted)
			check(t, err)
		}
		b.run(t, analysis.RunSucceeded)
		b.decide(t, analysis.Declined, 5)
		runs, err := b.UnscopedStart(t.Context(), "usr_admin", []string{"other"}, date, nil)
		check(t, err)
		b.turn(t, b.idle(t))
		if r := b.want(t, runs[0].ID, analysis.RunWithheld); !strings.Contains(r.Reason, "take no part any more: 1") {
			t.Errorf("reason: %s", r.Reason)
		}
	})
}
