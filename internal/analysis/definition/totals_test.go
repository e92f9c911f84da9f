package definition

import (
	"strings"
	"testing"

	"tributary/internal/fault"
)

// What does not go together is refused with its place and what to do.
func TestMeasuresThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"totals of a variance":     {"totals: [[Tag]]\nmeasures: [{name: V, function: variance, column: Value, decimals: 1}]", "measures[0]: a variance"},
		"totals of means of means": {"totals: [[Tag]]\nmeasures: [{name: V, function: mean, own: mean, column: Value, decimals: 1}]", "do not add up"},
		"a total over no group":    {"totals: [[Other]]\nmeasures: [{name: V, function: count}]", "is not among the groups"},
		"a group in two totals":    {"totals: [[Tag], [Tag]]\nmeasures: [{name: V, function: count}]", "is in two totals"},
		"a ratio of one column":    {"measures: [{name: V, function: ratio, column: Value, decimals: 1}]", "Name the column to divide by"},
		"a quantile of what":       {"measures: [{name: V, function: quantile, column: Value, decimals: 1}]", "measures[0].quantile: is missing"},
		"the smallest value":       {"measures: [{name: V, function: quantile, quantile: 1, column: Value, decimals: 1}]", "it must be from 10 to 90"},
		"a median of a multiple":   {"derived: [{name: W, expression: Value * 2}]\nmeasures: [{name: V, function: sum, column: Value, decimals: 1}, {name: M, function: quantile, quantile: 50, column: W, decimals: 1}]", "is a multiple of what V is of"},
		"a variance of a multiple": {"derived: [{name: W, expression: Value * 2}]\nmeasures: [{name: V, function: variance, column: W, decimals: 1}, {name: M, function: quantile, quantile: 50, column: Value, decimals: 1}]", "is a multiple of what V is of"},
		"quantiles side by side":   {"measures: [{name: V, function: quantile, quantile: 50, column: Value, decimals: 1}, {name: W, function: quantile, quantile: 60, column: Value, decimals: 1}]", "20 apart"},
		"a mean of a column":       {"measures: [{name: V, function: mean, column: Value, of: Value, decimals: 1}]", "only a ratio"},
		"suppress without totals":  {"measures: [{name: V, function: count}]\nrules: {suppress: least_value}", "there are no totals"},
		"a closer q than p":        {"measures: [{name: V, function: count}]\nrules: {p_percent: 20, q_percent: 10}", "cannot be closer"},
		"a column for no totals":   {"measures: [{name: V, function: count}]\noutput: {total_column: T}", "there are no totals"},
	} {
		_, err := Parse([]byte("analysis: some-name\ndatasets: [sales]\ngroups: [Tag]\n" + c.text + "\n"))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
