package analysis_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"tributary/internal/analysis"
)

// six sets up six participants of as many organisations that send what values says.
func (b *bench) six(t *testing.T, definition string, values func(n int) []string) {
	t.Helper()
	b.apply(t, read(t, "dataset.yaml"), definition)
	for n := range 6 {
		b.join(t, fmt.Sprint("Org ", n))
		b.decide(t, analysis.Accepted, n)
		b.send(t, n, rows(n, values(n)...))
	}
	b.turn(t, b.idle(t))
}

// table is a tenant's newest result, by line.
func (b *bench) table(t *testing.T, n int) [][]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(b.received(t, n)[0])).ReadAll()
	check(t, err)
	return lines
}

const withTotals = `
analysis: cross-participant-mean
datasets: [tagged-values]
groups: [Tag1, Tag2]
totals:
  - [Tag1, Tag2]
measures:
  - {name: Value, function: sum, column: Value, decimals: 0}
  - {name: Mean, function: mean, column: Value, decimals: 1}
  - {name: Rows, function: count}
output: {date_format: YYYYMMDD}
`

// A cell that may not be shown is not left to be computed from its total: another is
// hidden with it, from everybody, and what is shown adds up.
func TestTotalsDoNotTellWhatIsHidden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.six(t, withTotals, func(n int) []string {
			var list []string
			for _, tag := range []string{"a,x", "a,y", "a,z", "b,x", "b,y"} {
				value := 100 + 10*n
				if tag == "a,y" && n == 3 {
					value = 4_000 // most of the cell, and less of its total
				}
				list = append(list, fmt.Sprintf("%s,%d", tag, value))
			}
			return list
		})
		r := b.run(t, analysis.RunSucceeded)
		lines := b.table(t, 0)
		if got := strings.Join(lines[0], ","); got != "Date,Tag1,Tag2,TotalOver,Value,Mean,Rows,YourId,YourValue,YourMean,YourRows" {
			t.Fatalf("header: %s", got)
		}
		shown := map[string]string{}
		for _, l := range lines[1:] {
			shown[strings.Join(l[1:4], "|")] = l[4]
		}
		want := map[string]string{"b||Tag2": "1500", "b|x|": "750", "b|y|": "750"}
		for key, value := range want {
			if shown[key] != value {
				t.Errorf("%s = %q, want %s; shown: %v", key, shown[key], value, shown)
			}
		}
		if shown["a|y|"] != "" {
			t.Error("the dominated cell is shown")
		}
		hidden := 0
		for _, key := range []string{"a|x|", "a|z|", "a||Tag2"} {
			if shown[key] == "" {
				hidden++
			}
		}
		if hidden == 0 {
			t.Errorf("the dominated cell follows from what is shown: %v", shown)
		}
		if !strings.Contains(r.Reason, "secondary") {
			t.Errorf("reason: %q", r.Reason)
		}
		m, _, err := b.UnscopedManifest(t.Context(), r.ID)
		check(t, err)
		if text := string(m); !strings.Contains(text, `"attack":{`) || strings.Contains(text, `"witnesses":0`) {
			t.Errorf("manifest: %s", text)
		}
	})
}

// Every measure gives the number that its definition says, and the recipient's own.
func TestMeasuresOfEveryKind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text := `
analysis: cross-participant-mean
datasets: [tagged-values]
groups: [Tag1]
measures:
  - {name: Ratio, function: ratio, column: Value, of: Value, decimals: 3}
  - {name: Variance, function: variance, column: Value, decimals: 2}
  - {name: Median, function: quantile, quantile: 50, column: Value, decimals: 1}
rules: {min_contributors: 4}
`
		b.six(t, text, func(n int) []string { return []string{fmt.Sprintf("a,x,%d", 100*(n+1)), "b,x,7"} })
		b.run(t, analysis.RunSucceeded)
		lines := b.table(t, 1)
		// 100, 200, ... 600: the variance with n-1; six are too few for a median; equal values show no variance.
		want := [][]string{
			{"Date", "Tag1", "Ratio", "Variance", "Median", "YourId", "YourRatio", "YourVariance", "YourMedian"},
			{"2022-09-23", "a", "1.000", "35000.00", "", "000002", "1.000", "200.00", ""},
			{"2022-09-23", "b", "1.000", "", "", "000002", "1.000", "", ""},
		}
		if fmt.Sprint(lines) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", lines, want)
		}
	})
}
