package analysis

import (
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/query"
)

// judgeTogether hides quantiles that tell too much beside sums and variances of the same
// values.
func (x *execution) judgeTogether(t *table, o *outcome) error {
	rules := x.gateRules()
	orders := map[int][]disclosure.Order{} // by part
	var parts []int
	for _, of := range o.measures {
		if of.Function == definition.Quantile {
			part := of.parts[0]
			if orders[part] == nil {
				parts = append(parts, part)
			}
			orders[part] = append(orders[part], disclosure.Order{Quantile: of.Quantile, Judgement: of.judgements[0]})
		}
	}
	for _, part := range parts {
		floor, err := x.floor(t, part)
		if err != nil {
			return err
		}
		beside := slices.DeleteFunc(slices.Clone(o.measures), func(of measure) bool {
			return of.Function == definition.Quantile || !slices.ContainsFunc(of.parts, func(p int) bool { return sameValues(t.spec.Measures[p], t.spec.Measures[part]) })
		})
		known := func(cell, at int) (sum, variance bool) {
			who := t.cells[part][cell][at].Participant
			for _, of := range beside {
				i, there := slices.BinarySearchFunc(t.cells[of.parts[0]][cell], who, func(c disclosure.Contribution, p int32) int { return int(c.Participant) - int(p) })
				if !there {
					continue
				}
				if v, _, whole := of.verdict(t, cell, i); whole && v.Released() {
					sum, variance = true, variance || of.Function == definition.Variance
				}
			}
			return sum, variance
		}
		if err := disclosure.Together(rules, floor, t.cells[part], known, orders[part]); err != nil {
			return err
		}
	}
	return nil
}

// sameValues reports whether two parts are of one column. With one row of each participant
// its sum is its mean.
func sameValues(a, b query.Measure) bool {
	return a.Dataset == b.Dataset && a.Column == b.Column && (a.Own == query.Count) == (b.Own == query.Count)
}
