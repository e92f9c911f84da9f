package analysis

import (
	"errors"
	"slices"

	"tributary/internal/analysis/definition"
	"tributary/internal/disclosure"
	"tributary/internal/tenant"
)

// earlierCells are the cells of the earlier releases, by release, then part, then cell
// of t, which gets those that only they have.
func (x *execution) earlierCells(t *table) [][][]disclosure.Cell {
	if len(x.before.releases) == 0 {
		return nil
	}
	at := map[string]int{}
	for n, key := range t.keys {
		at[encoded(key, nil)] = n
	}
	place := make([][]int, len(x.before.again)) // in t, of the cells of what was read again
	for a, again := range x.before.again {
		for _, key := range again.keys {
			n, known := at[encoded(key, nil)]
			if !known {
				n = len(t.keys)
				at[encoded(key, nil)] = n
				t.keys = append(t.keys, key)
				for part := range t.cells {
					t.cells[part] = append(t.cells[part], nil)
				}
			}
			place[a] = append(place[a], n)
		}
	}
	who, owner := x.everybody()
	all := make([][][]disclosure.Cell, len(x.before.releases))
	for e, f := range x.before.releases {
		all[e] = make([][]disclosure.Cell, len(t.cells))
		for part := range t.cells {
			cells := make([]disclosure.Cell, len(t.keys))
			if all[e][part] = cells; !f.had[nameOf(t.spec.Measures[part])] {
				continue
			}
			for n, cell := range t.cells[part] {
				for _, c := range cell {
					if f.same[x.participants[c.Participant]] {
						cells[n] = append(cells[n], c)
					}
				}
			}
			for a, again := range x.before.again {
				for m, n := range place[a] {
					for _, c := range again.cells[part][m] {
						if v := int(c.Participant); slices.Contains(f.versions, v) {
							cells[n] = append(cells[n], disclosure.Contribution{Participant: who[v], Organisation: owner[v], Value: c.Value})
						}
					}
				}
			}
		}
	}
	return all
}

// everybody numbers the tenants of the versions beside the participants, and their
// organisations: who is the same has the same number.
func (x *execution) everybody() (who, owner []int32) {
	organisations, tenants := map[string]int32{}, map[tenant.ID]int32{}
	for p, n := range x.organisationIndex() {
		organisations[x.owners[p]], tenants[x.participants[p]] = n, int32(p)
	}
	for _, v := range x.before.versions {
		of := v.organisation
		p, takesPart := tenants[v.tenant]
		switch {
		case !takesPart:
			p = int32(len(tenants))
			tenants[v.tenant] = p
		case int(p) < len(x.owners):
			of = x.owners[p]
		}
		o, known := organisations[of]
		if !known {
			o = int32(len(organisations))
			organisations[of] = o
		}
		who, owner = append(who, p), append(owner, o)
	}
	return who, owner
}

// differs hides, of cells that stand alone, those that tell too much beside what was
// shown of them before. It takes it that every contributor was shown what anybody was.
// What is more than a sum is hidden wherever the cell has changed.
func (x *execution) differs(t *table, earlier [][][]disclosure.Cell, o *outcome) error {
	if earlier == nil && x.before.attempts == nil {
		return nil
	}
	rules := x.gateRules()
	for part := range t.cells {
		floor, err := x.floorOf(t, earlier, part)
		if err != nil {
			return err
		}
		var related []int // the family of the part
		for _, family := range o.families {
			if slices.Contains(family, part) {
				related = family
			}
		}
		for n, now := range t.cells[part] {
			if len(now) > 0 && x.stays(t.spec.Measures[part], t.keys[n], "") {
				o.hide(related, part, n, disclosure.Difference)
			}
			var before []disclosure.Cell
			for e := range earlier {
				if cell := earlier[e][part][n]; len(cell) > 0 && !sameContributions(cell, now) && !hides(x.before.releases[e].hidden, x.digest(x.before.releases[e].analysis, t.spec.Measures[part], t.keys[n], "")) {
					before = append(before, cell)
				}
			}
			if len(before) == 0 || len(now) == 0 {
				continue
			}
			v, intervals, err := disclosure.Differs(rules, floor, before, now)
			if errors.Is(err, disclosure.ErrInDoubt) {
				v, err = disclosure.Difference, nil
			}
			if err != nil {
				return err
			}
			for _, in := range intervals {
				o.attack.interval(in, sumOf(now))
			}
			o.hide(related, part, n, v)
		}
	}
	return nil
}

// hide hides what a family of measures has in a cell whose difference in one part may
// not be shown. What is more than a sum of that part may not in any case.
func (o *outcome) hide(family []int, part, cell int, v disclosure.Verdict) {
	for m := range o.measures {
		of := &o.measures[m]
		more := (of.Function == definition.Variance || of.Function == definition.Quantile) && slices.Contains(of.parts, part)
		if slices.Contains(of.parts, part) {
			o.before[cellOf{m, cell}] = true
		}
		if slices.Contains(family, of.parts[0]) && (!v.Released() || more) {
			for _, j := range of.judgements {
				j.Hide(cell, disclosure.Difference)
			}
		}
	}
}

func sumOf(cell disclosure.Cell) (sum int64) {
	for _, c := range cell {
		sum += c.Value
	}
	return sum
}
